"""Verification of our scorers against recorded results of a suite's authors. `evals.cli` prints the outcome."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path

from evals.suites.golden import Verdict
from tools.errors import ConfigError

NAMES = ("freak", "hlv", "medspot", "proactivebench")
"""The suites with golden files; each suite's module `golden` defines the format."""


def verify(suite: str, path: Path, data: Path | None = None) -> Verdict:
    """Recompute each case of a golden file and compare it with the recorded result.

    Args:
        suite: one of `NAMES`.
        path: the golden file.
        data: the folder of the suite's annotation, for entries computed from all of it.

    Raises:
        ConfigError: if the suite is unknown; suggests the nearest name.
        MediaError: if the file, or the annotation, cannot be read or has another format.
    """
    if suite not in NAMES:
        near = difflib.get_close_matches(suite, NAMES, n=1)
        raise ConfigError(
            f"unknown suite {suite!r} with golden files.",
            expected=f"one of {', '.join(NAMES)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "",
        )
    verdict: Verdict = import_module(f"evals.suites.{suite}.golden").verify(path, data)
    return verdict
