"""Export of answers and references as text, BibTeX, RIS and HTML."""
