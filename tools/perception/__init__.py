"""Perception of single frames and of frames in a row: objects and people, tracks, motion and cuts."""
