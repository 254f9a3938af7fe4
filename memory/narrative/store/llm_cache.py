"""`Answers`: what models answered while a memory was built, so that nothing is asked twice.

An answer is found by a hash of the model and of all that it was asked. A build that was killed goes on from what it
has, and a build of the same input gives the same memory, byte for byte, at no cost.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from memory.store.secure_delete import wipe
from tools.errors import StoreError

FILE_NAME = "answers.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    sha TEXT NOT NULL, source TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, body TEXT NOT NULL,
    seconds REAL NOT NULL, tokens INTEGER NOT NULL, wall_s REAL NOT NULL, PRIMARY KEY (sha, source)
);
CREATE INDEX IF NOT EXISTS answers_by_role ON answers (model, role);
CREATE INDEX IF NOT EXISTS answers_by_source ON answers (source);
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the calls of a model in a role took so far: how many there were, and the mean of seconds and tokens."""

    calls: int
    seconds: float
    tokens: float


class Answers:
    """The answers in a folder; each is on disk when `put` returns. Threads may share it.

    Raises:
        StoreError: if the file cannot be opened, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {str(folder)!r} cannot be made: {error}.") from error
        with self._failures("opened"):
            self._connection = sqlite3.connect(self.path, check_same_thread=False, timeout=10, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.executescript(_SCHEMA)

    def get(self, sha: str, source: str) -> str | None:
        """The answer to what has this hash (see `sha_of`), or None."""
        with self._failures("read"):
            row = self._connection.execute(
                "SELECT body FROM answers WHERE sha = ? AND source = ?", (sha, source)
            ).fetchone()
        return row[0] if row else None

    def put(self, sha: str, source: str, role: str, model: str, body: str, seconds: float, tokens: int) -> None:
        """Keep an answer. Raises StoreError if it cannot be written."""
        with self._failures("written"):
            self._connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (sha, source, role, model, body, seconds, tokens, time.time()),
            )

    def pace(self, model: str, role: str) -> Pace | None:
        """What a call takes, from those that were made; None where none was."""
        with self._failures("read"):
            calls, seconds, tokens = self._connection.execute(
                "SELECT count(*), avg(seconds), avg(tokens) FROM answers WHERE model = ? AND role = ?", (model, role)
            ).fetchone()
        return Pace(calls, seconds, tokens) if calls else None

    def forget(self, source: str) -> int:
        """Remove the answers on a source from the file for good, and return how many there were."""
        with self._failures("written"):
            removed = self._connection.execute("DELETE FROM answers WHERE source = ?", (source,)).rowcount
            wipe(self.path)
        return removed

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _failures(self, verb: str) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StoreError(
                f"the answers in {str(self.path)!r} cannot be {verb}: {error}.",
                remedy="If the file is damaged, remove it: the model is then asked again.",
            ) from error


def sha_of(*parts: str) -> str:
    """The sha256 of some texts, told apart from every other way to cut the same characters."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        whole.update(f"{len(encoded)}:".encode() + encoded)
    return whole.hexdigest()
