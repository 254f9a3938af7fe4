"""Policies that choose which frames of a stream are kept."""
