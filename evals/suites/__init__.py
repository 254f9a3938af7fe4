"""Suites: published sets of questions, each a loader, prompts and a scorer. `load_suite` finds one by its name."""

from __future__ import annotations

import difflib
from importlib import import_module

from evals.suites.sample import Suite
from tools.errors import ConfigError

NAMES = ("ovobench", "streamingbench")


def load_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        ConfigError: if there is none; the nearest known name is given.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        raise ConfigError(
            f"there is no suite {name!r}.",
            expected=f"one of {', '.join(NAMES)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "",
        )
    suite: Suite = import_module(f"evals.suites.{name}.task").SUITE
    return suite
