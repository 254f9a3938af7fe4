"""Readers of a benchmark's files, whose errors name the file, the place in it, and how to download it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tools.errors import MediaError

Record = TypeVar("Record", bound=BaseModel)


def check_folder(folder: Path, remedy: str) -> None:
    """Raise MediaError if a folder of data does not exist."""
    if not folder.is_dir():
        raise MediaError(f"the data folder {str(folder)!r} does not exist.", expected="a folder", remedy=remedy)


def find_file(folders: Iterable[Path], names: Sequence[str]) -> Path | None:
    """Return the first of some files that exists in some folders, or None."""
    return next((place / name for place in folders for name in names if (place / name).is_file()), None)


def read_records(path: Path, form: type[Record], *, nested: bool = False) -> list[list[Record]]:
    """Read a JSON list of records, or of lists of records (`nested`); always returns lists of records.

    Raises:
        MediaError: if the file has another format; the message names the record and the field.
    """
    try:
        held: Any = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MediaError(f"cannot read {str(path)!r}: {error}.", remedy="Download it again.") from error
    shape: Any = list[list[form]] if nested else list[form]  # type: ignore[valid-type]
    try:
        records: Any = TypeAdapter(shape).validate_python(held)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole file"
        raise MediaError(
            f"{str(path)!r} has another format: {problem['msg']} at {place}, found {str(problem['input'])[:80]!r}.",
            remedy="Use the file as its authors released it.",
        ) from error
    return records if nested else [[record] for record in records]
