"""Errors of `attend gui run` without anybody's details, where they may be kept: with `--json`, and in a file."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.errors import AttendError

_JOURNAL = r"run-\d{8}-\d{6}-\d+"
"""Names of journals hold a date that is nobody's."""


def errors_masked(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors are told in clear at a terminal only; its options are those of `attend gui run`."""

    @functools.wraps(command)
    def masked(**given: Any) -> None:
        try:
            command(**given)
        except AttendError as error:
            if given["as_json"] or not sys.stderr.isatty():
                _mask(error, given)
            raise

    return masked


def _mask(error: AttendError, given: Mapping[str, Any]) -> None:
    """Put names in the place of the values that an error tells, and take other personal details out of it."""
    from agent.gui.reporter import LEAST_LETTERS
    from tools.gui.workflow.placeholders import Veil, values_of
    from tools.gui.workflow.yaml_format import SUFFIXES
    from tools.privacy.redact import Redactor

    kept = [str(value) for value in given.values() if isinstance(value, Path)]
    values, request = _values(given["values"] or (), given["patient"]), given["what"]
    suffix = Path(request).suffix
    if suffix in SUFFIXES or (suffix and len(request.split()) == 1):
        kept.append(request)  # a file's name
    else:
        values = {**values_of(request, values), "request": request}
    veil = Veil({name: value for name, value in values.items() if len(value) >= LEAST_LETTERS})
    redactor = Redactor(known=error.details)
    # A file that cannot be found by its name helps nobody.
    parts = re.compile("(" + "|".join([*map(re.escape, sorted(kept, key=len, reverse=True)), _JOURNAL]) + ")")

    def hidden(text: str) -> str:
        pieces = parts.split(text)
        return "".join(piece if at % 2 else redactor.text(veil.hide(piece)) for at, piece in enumerate(pieces))

    masked = AttendError(hidden(error.problem), expected=hidden(error.expected), remedy=hidden(error.remedy))
    error.problem, error.expected, error.remedy, error.args = (
        masked.problem,
        masked.expected,
        masked.remedy,
        masked.args,
    )


def _values(pairs: Sequence[str], patient: str) -> dict[str, str]:
    """What `--set` and `--patient` give, also where it is not written as it should be."""
    entries = [entry.partition("=") for entry in pairs]
    values = {name if sign else f"value_{at}": value or name for at, (name, sign, value) in enumerate(entries, 1)}
    names = ("patient_name", "patient_birth_date", "patient_id")
    told = zip(names, (part.strip() for part in patient.split(";")), strict=False)
    return values | {name: part for name, part in told if part}
