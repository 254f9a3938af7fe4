"""The loop and the models."""
