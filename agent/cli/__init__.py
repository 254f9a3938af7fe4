"""Command line: thin shells over the features."""
