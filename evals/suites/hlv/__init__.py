"""Human label variation: scores of a model on what annotators agree on, and on how they disagree."""
