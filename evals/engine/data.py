"""Readers of a suite's data, with errors that name the file, the line, the field and the remedy."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tools.errors import AttendError

REMEDY = "Repair it, download the file again as the suite's README says, or skip broken records with --skip-bad."

Record = TypeVar("Record", bound=BaseModel)


class DataError(AttendError):
    """An unusable record of a suite's data.

    Args:
        problem: what is wrong.
        file: the file with the record.
        line: its line, from 1; None for the whole file.
        field: the field, by dotted path, or "".
        remedy: what to do now.
    """

    def __init__(
        self, problem: str, *, file: Path | None, line: int | None = None, field: str = "", remedy: str = REMEDY
    ) -> None:
        self.file, self.line, self.field = file, line, field
        place = [repr(str(file))] if file else []
        place += [f"line {line}"] if line is not None else []
        place += [f"field {field!r}"] if field else []
        super().__init__(f"{', '.join(place)}: {problem}" if place else problem, remedy=remedy)


def need_folder(data: Path | None, remedy: str = "") -> Path:
    """Return the data folder of a suite that requires one.

    Raises:
        DataError: if none was given, or it does not exist.
    """
    if data is None or not data.is_dir():
        problem = "the suite needs a data folder."
        if data is not None:
            problem = f"the data folder {str(data)!r} {'is not a folder' if data.exists() else 'does not exist'}."
        raise DataError(
            problem, file=None, remedy=remedy or "Pass it with --data; the suite's README describes its content."
        )
    return data


def read_json_lines(path: Path, form: type[Record]) -> tuple[list[tuple[int, Record]], tuple[DataError, ...]]:
    """Read a file with one JSON object per line.

    Returns:
        The records with their line numbers, from 1, and an error for each invalid line. Skips empty lines.

    Raises:
        DataError: if the file cannot be read.
    """
    records: list[tuple[int, Record]] = []
    bad: list[DataError] = []
    try:
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")  # not at U+2028, which may occur in a text
    except OSError as error:
        remedy = "Pass its folder with --data, or download it again as the suite's README says."
        raise DataError(f"cannot read it: {error}.", file=path, remedy=remedy) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append((number, form.model_validate_json(line.decode())))
        except UnicodeDecodeError as error:
            bad.append(DataError(f"it is not UTF-8: {error.reason} at byte {error.start}.", file=path, line=number))
        except ValidationError as error:
            bad.append(record_error(error, path, number))
    return records, tuple(bad)


def read_json_list(
    path: Path, form: type[Record], key: str = ""
) -> tuple[list[tuple[int, Record]], tuple[DataError, ...]]:
    """Read a file that is one JSON list of objects, or an object with such a list under a key.

    Returns:
        The records with the lines, from 1, where they begin, and an error for each invalid object; with a key, the
            field of an error begins with the key and the object's number, from 0.

    Raises:
        DataError: if the file cannot be read, or is not a JSON list.
    """
    try:
        text = path.read_text("utf-8-sig")
        held = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"it is not JSON: {error.msg}.", file=path, line=error.lineno, remedy=REMEDY) from error
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Pass its folder with --data, or download it again as the suite's README says."
        raise DataError(f"cannot read it: {error}.", file=path, remedy=remedy) from error
    if key and isinstance(held, dict):
        held = held.get(key)
    if not isinstance(held, list):
        raise DataError(f"it contains a {type(held).__name__}, not a list of records.", file=path, field=key)
    records: list[tuple[int, Record]] = []
    bad: list[DataError] = []
    for number, (line, value) in enumerate(zip(_lines(text, key, held), held, strict=True)):
        try:
            records.append((line, form.model_validate(value)))
        except ValidationError as error:
            bad.append(record_error(error, path, line, (key, number) if key else ()))
    return records, tuple(bad)


def record_error(error: ValidationError, path: Path, line: int, above: tuple[str | int, ...] = ()) -> DataError:
    """Build the error of a broken record from its first validation problem; `above` is the record's own path."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in (*above, *problem["loc"]))
    found = "" if problem["type"] in ("json_invalid", "missing") else f", found {str(problem['input'])[:80]!r}"
    return DataError(f"{problem['msg']}{found}.", file=path, line=line, field=field)


def _lines(text: str, key: str, held: list[Any]) -> list[int]:
    """Return the line, from 1, on which each element of a JSON list begins; the list is the whole text, or under a
    key."""
    places = [found.end() - 1 for found in re.finditer(rf'"{re.escape(key)}"\s*:\s*\[', text)] if key else []
    places += [text.index("[")] if text.lstrip().startswith("[") else []
    decoder = json.JSONDecoder()
    for place in places:
        # Compares serialised values: NaN does not equal itself.
        if repr(decoder.raw_decode(text, place)[0]) == repr(held):
            return _lines_of(text, place)
    return [1] * len(held)


def _lines_of(text: str, start: int) -> list[int]:
    """Return the line, from 1, on which each element begins of the JSON list that opens at an offset."""
    decoder, blank = json.JSONDecoder(), " \t\n\r,"
    place = start + 1
    line, lines = 1 + text.count("\n", 0, place), list[int]()
    while True:
        start = place
        while text[place] in blank:
            place += 1
        line += text.count("\n", start, place)
        if text[place] == "]":
            return lines
        lines.append(line)
        _, end = decoder.raw_decode(text, place)
        line += text.count("\n", place, end)
        place = end
