"""Policies that select the frames of a stream to keep."""
