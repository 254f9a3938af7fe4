"""The SQLite record of narrative memory: versions, aliases, model answers, deletion."""
