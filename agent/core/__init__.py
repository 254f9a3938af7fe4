"""The loop, its state, its prompt and its checks; knows no domain."""
