"""Workflows: fixed programs for a screen, replayed without a model, verified at every step, and resumed after a crash.

`yaml_format` is their format, `recorded_target` finds recorded targets, `journal` stores progress, and `run` replays.
"""
