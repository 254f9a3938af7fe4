"""Storage: frames, source directories, vector indexes, secure deletion."""
