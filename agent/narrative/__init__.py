"""Narrative memory at work: built from films and texts, asked, and drawn."""
