"""Long streams with exact truth, questions about them by the age of their evidence, and how answers are scored."""
