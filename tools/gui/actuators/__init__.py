"""Hands and eyes: actuators for a desktop, a browser's page and a drawn program, and checks of what they did.

`desktop`, `browser` and `simulated` meet `tools.gui.types.Actuator`; `verify` says whether an effect is there. None of
them asks whether something may be done: that is the guard's part, and only `tools.gui.guard.guarded` calls `perform`.
"""
