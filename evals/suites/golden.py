"""Golden files: recorded results of a suite's authors, compared with the output of our scorers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.errors import AttendError, MediaError

RELATIVE = 1e-9
"""Relative tolerance of two numbers; files store doubles in full."""

ABSOLUTE = 1e-12
"""Absolute tolerance near zero."""

ABSENT = "nothing"
"""The placeholder of a missing value in a difference."""

Form = TypeVar("Form", bound=BaseModel)


class Entry(BaseModel):
    """A part of a golden file: strict types, unknown fields ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class GoldenFile(BaseModel):
    """A whole golden file; unknown parts are kept, to be listed by `unread`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


@dataclass(frozen=True)
class Difference:
    """A value that differs from the record, with its place within the case."""

    field: str
    expected: Any
    got: Any


@dataclass(frozen=True)
class Check:
    """A case, or an entry of a table of a file: it matches if `differences` is empty."""

    id: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Verdict:
    """All checks of a file, and the parts that could not be recomputed, with the reason."""

    checks: tuple[Check, ...]
    unchecked: tuple[str, ...] = ()

    @property
    def matched(self) -> int:
        """Number of checks without a difference."""
        return sum(not check.differences for check in self.checks)


def read_golden(path: Path, form: type[Form]) -> Form:
    """Read a golden file.

    Raises:
        MediaError: if it cannot be read, is not JSON, or lacks a field; the message names the place in the file.
    """
    remedy = "Use a golden file of this suite as it was recorded; `golden.py` of the suite names the fields."
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"cannot read {str(path)!r}: {error}.", expected="a JSON file", remedy=remedy) from error
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = _json_path(problem["loc"])
        found = "" if problem["type"] in ("json_invalid", "missing") else f", found {str(problem['input'])[:80]!r}"
        raise MediaError(
            f"{str(path)!r} has another format: {problem['msg']} at {place}{found}.", remedy=remedy
        ) from error


def unread(golden: GoldenFile) -> list[str]:
    """List the parts of a file that no scorer computes, except descriptive words and counts."""
    parts = (golden.model_extra or {}).items()
    return [f"{name}: no scorer computes it." for name, value in parts if isinstance(value, dict | list)]


def check(id_: str, parts: Iterable[tuple[str, Any, Any]]) -> Check:
    """Make one check of (field, expected, got)."""
    return Check(id_, tuple(found for field, expected, got in parts for found in differences(expected, got, field)))


def known(expected: Mapping[str, Any], got: Mapping[str, Any]) -> dict[str, Any]:
    """Return the computed fields that a record also has: a scorer may compute more than was recorded."""
    return {key: value for key, value in got.items() if key in expected}


def differences(expected: Any, got: Any, field: str) -> Iterator[Difference]:
    """Yield the differences of two values: numbers beyond `RELATIVE`, anything else exactly. NaN equals null."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key in [*expected, *(key for key in got if key not in expected)]:
            place = f"{field}.{key}" if field else str(key)
            if key not in expected or key not in got:
                yield Difference(place, expected.get(key, ABSENT), got.get(key, ABSENT))
            else:
                yield from differences(expected[key], got[key], place)
    elif isinstance(expected, list | tuple) and isinstance(got, list | tuple) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from differences(one, other, f"{field}[{number}]")
    elif not _same(expected, got):
        yield Difference(field, expected, got)


def error_names(error: BaseException) -> set[str]:
    """Return the names under which a golden file may record an error: its class and superclasses."""
    return {kind.__name__ for kind in type(error).__mro__} - {
        "object",
        "BaseException",
        "Exception",
        AttendError.__name__,
    }


def says_error(recorded: str, error: BaseException) -> bool:
    """Return whether a recorded error, a class with or without a message after a colon, is this one."""
    return recorded.split(":", 1)[0].strip() in error_names(error)


def written(value: Any) -> str:
    """Return a value as JSON, for showing a difference."""
    return value if value is ABSENT else json.dumps(value, ensure_ascii=False, default=str)


def _same(expected: Any, got: Any) -> bool:
    if _undefined(expected) or _undefined(got):
        return _undefined(expected) and _undefined(got)
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return math.isclose(expected, got, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(expected == got)


def _undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _json_path(parts: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return path or "the whole file"
