"""Narrative memory: events, what links them, and chains of them, so that evidence that lies far apart is found."""
