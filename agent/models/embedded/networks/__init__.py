"""Neural networks of the embedded model: language, vision and their weights."""
