"""Files of memory: frames, source directories, vector indexes, secure deletion."""
