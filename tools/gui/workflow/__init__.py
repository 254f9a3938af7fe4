"""Workflows: fixed programs for a screen, replayed without a model, checked at every step, and resumed after a crash.

`steps` is the YAML format, `recorded` finds what was recorded, `journal` remembers what was done, and `run` does it.
"""
