"""Streaming video memory: which frames of an endless stream are kept, and at what detail."""
