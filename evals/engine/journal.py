"""Journal of a run's transcripts as JSON lines, each on disk before its attempt counts as done.

The last line of an attempt counts. A line truncated by a kill is ignored, and removed before the next is added.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from agent.core.unicode import well_formed
from evals.engine.suite import Transcript
from tools.errors import StoreError

SYNC_S = 1.0
"""Interval of fsync in seconds: how much a power cut may lose; a killed process loses nothing."""

AttemptKey = tuple[str, str, int]
"""Task, sample id, attempt."""


class Journal:
    """Appends transcripts to a file; a context manager.

    Raises:
        StoreError: if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._synced_s = time.monotonic()

    def __enter__(self) -> Self:
        try:
            _drop_torn_line(self._path)
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def add(self, transcript: Transcript) -> Transcript:
        """Write one transcript, and return it as written; the operating system has it when this returns."""
        # A reply may contain lone surrogates, which cannot be encoded.
        held = well_formed(transcript.model_dump(mode="python", exclude_defaults=True))
        line = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
        try:
            self._file.write(line + "\n")
            self._file.flush()
            if time.monotonic() - self._synced_s >= SYNC_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        except OSError as error:
            raise self._failure(error) from error
        return Transcript.model_validate_json(line)

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write the transcripts {str(self._path)!r}: {error}.",
            remedy="Free some space, then continue with `attend eval resume`.",
        )


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """Yield transcripts line by line, including repeated attempts; a missing file has none.

    Raises:
        StoreError: if the file cannot be read, or a complete line is not a transcript.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _transcript(path, number, line)
    except OSError as error:
        raise StoreError(f"cannot read the transcripts {str(path)!r}: {error}.") from error


def _transcript(path: Path, number: int, line: bytes) -> Transcript:
    try:
        return Transcript.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StoreError(
            f"{str(path)!r}, line {number}, field {field!r}: {first['msg']}.",
            remedy="Remove that line and continue with `attend eval resume`, which repeats its attempt.",
        ) from error


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)
