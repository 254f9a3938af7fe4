"""Rules that answer questions about what is seen."""
