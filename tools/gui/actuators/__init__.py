"""Actuators for a desktop, a browser page and a simulated program, and verification of effects.

`desktop`, `browser` and `simulated` implement `tools.gui.types.Actuator`; `verify` checks effects. None of them decides
whether an action is allowed: that is the guard's task, and only `tools.gui.guard.guarded` calls `perform`.
"""
