"""Verifying: recorded results of a suite's authors against our own scorer. Printing is in `evals.cli`."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path

from evals.suites.golden import Verdict
from tools.errors import ConfigError

NAMES = ("freak", "hlv", "medspot", "proactivebench")
"""The suites with golden files; the format of each is in its module `golden`."""


def verify(suite: str, path: Path, data: Path | None = None) -> Verdict:
    """Compute each case of a golden file anew and compare it with what was recorded.

    Args:
        suite: one of `NAMES`.
        path: the golden file.
        data: the folder of the suite's annotation, for entries of the file that were computed from all of it.

    Raises:
        ConfigError: if there is no such suite; the nearest known name is given.
        MediaError: if the file, or the annotation, cannot be read or has another form.
    """
    if suite not in NAMES:
        near = difflib.get_close_matches(suite, NAMES, n=1)
        raise ConfigError(
            f"there is no suite {suite!r} with golden files.",
            expected=f"one of {', '.join(NAMES)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "",
        )
    verdict: Verdict = import_module(f"evals.suites.{suite}.golden").verify(path, data)
    return verdict
