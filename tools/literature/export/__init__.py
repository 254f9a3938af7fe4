"""Answers and references as text, BibTeX, RIS and HTML."""
