"""Answers with verified quotes, and the checks that a quote supports its claim."""
