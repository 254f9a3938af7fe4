"""Redaction of personal details in errors of `attend gui run` that may be stored: with `--json` or off a terminal."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.errors import AttendError

_JOURNAL = r"run-\d{8}-\d{6}-\d+"
"""Names of journals, whose digits are not personal dates."""


def errors_masked(command: Callable[..., None]) -> Callable[..., None]:
    """Redact the errors of a command with the options of `attend gui run`, except on a terminal."""

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
    """Replace values in an error by their names, and redact other personal details."""
    from agent.gui.reporter import MIN_HIDDEN_CHARS
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
    veil = Veil({name: value for name, value in values.items() if len(value) >= MIN_HIDDEN_CHARS})
    redactor = Redactor(known=error.details)
    # File names stay: the user needs them to find the file.
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
    """Return the values of `--set` and `--patient`, even malformed ones."""
    entries = [entry.partition("=") for entry in pairs]
    values = {name if sign else f"value_{at}": value or name for at, (name, sign, value) in enumerate(entries, 1)}
    names = ("patient_name", "patient_birth_date", "patient_id")
    pairs_of_patient = zip(names, (part.strip() for part in patient.split(";")), strict=False)
    return values | {name: part for name, part in pairs_of_patient if part}
