"""Perception: one source watched, its live view, its memory, and annotations of its frames."""
