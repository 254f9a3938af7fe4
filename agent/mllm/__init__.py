"""One model protocol and its backends."""
