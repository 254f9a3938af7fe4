"""Timeline of a narrative, as a page and as a PNG."""
