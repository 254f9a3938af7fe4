"""The web page and its server: one room a source, a conversation in each, live pictures and the memory's timeline."""
