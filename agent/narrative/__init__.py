"""Narrative memory: building it from films and texts, question answering, and stories."""
