"""`Answers`: what models answered while a memory was built, so that nothing is asked twice.

An answer is found by a hash of the model and of all that it was asked. A build that was killed goes on from what it
has, and a build of the same input gives the same memory, byte for byte, at no cost.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from memory.store.secure_delete import wipe
from tools.sqlite import Database

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
        self._database = Database(
            folder / FILE_NAME,
            "the answers",
            _SCHEMA,
            version=0,
            damaged="Remove the file: the model is then asked again.",
            secure_delete=True,
        )

    def get(self, sha: str, source: str) -> str | None:
        """The answer to what has this hash (see `sha_of`), or None."""
        rows = self._database.read("SELECT body FROM answers WHERE sha = ? AND source = ?", (sha, source))
        return rows[0][0] if rows else None

    def put(self, sha: str, source: str, role: str, model: str, body: str, seconds: float, tokens: int) -> None:
        """Keep an answer. Raises StoreError if it cannot be written."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (sha, source, role, model, body, seconds, tokens, time.time()),
            )

    def pace(self, model: str, role: str) -> Pace | None:
        """What a call takes, from those that were made; None where none was."""
        ((calls, seconds, tokens),) = self._database.read(
            "SELECT count(*), avg(seconds), avg(tokens) FROM answers WHERE model = ? AND role = ?", (model, role)
        )
        return Pace(calls, seconds, tokens) if calls else None

    def forget(self, source: str) -> int:
        """Remove the answers on a source from the file for good, and return how many there were."""
        with self._database.transaction() as sql:
            removed = sql.execute("DELETE FROM answers WHERE source = ?", (source,)).rowcount
        wipe(self._database.path)
        return removed

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sha_of(*parts: str) -> str:
    """The sha256 of some texts, told apart from every other way to cut the same characters."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        whole.update(f"{len(encoded)}:".encode() + encoded)
    return whole.hexdigest()
