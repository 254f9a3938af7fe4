"""Narrative memory: events, typed links between them, and chains that connect evidence that is far apart."""
