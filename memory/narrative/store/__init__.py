"""SQLite store of narrative memory: versions, aliases, cached model answers, deletion."""
