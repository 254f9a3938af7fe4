"""Answers of remote sources on disk: for a time instead of asking again, and for good to replay a run offline.

What is kept is the request as it was sent, without key and address of the sender, and the body of the answer. A folder
with this file can be given to others, who replay it with `literature.offline`.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.errors import StoreError
from tools.literature.remote.clock import Timing
from tools.literature.remote.database import transaction

FILE_NAME = "answers.sqlite"
MAX_BYTES = 512 << 20
"""Packed size of all answers; beyond it the oldest go. Our choice: some 100,000 abstracts with their records."""
_SCHEMA = """CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, stored_s REAL NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_age ON answer (stored_s, size)"""


class Cache:
    """The answers in a folder. Threads and processes may share it.

    Args:
        folder: where the file lies.
        read_only: never change it, and take answers of any age.
        max_bytes: packed size of all answers.
        timing: the clock.
    """

    def __init__(
        self, folder: Path, *, read_only: bool = False, max_bytes: int = MAX_BYTES, timing: Timing | None = None
    ) -> None:
        self.path, self.read_only, self.max_bytes = folder / FILE_NAME, read_only, max_bytes
        self._timing = timing or Timing()

    def get(self, requests: Iterable[Mapping[str, str]], max_age_s: float) -> list[bytes | None]:
        """The answers to requests, None for those that are not held or are too old.

        Raises:
            StoreError: if the file is damaged or locked; and, where it may not be made, if there is none.
        """
        oldest_s = float("-inf") if self.read_only else self._timing.now() - max_age_s
        with transaction(self.path, _SCHEMA, write=False, read_only=self.read_only) as sql:
            rows = [
                sql.execute(
                    "SELECT body FROM answer WHERE key = ? AND stored_s > ?", (_key(request), oldest_s)
                ).fetchone()
                for request in requests
            ]
        try:
            return [None if row is None else zlib.decompress(row[0]) for row in rows]
        except zlib.error as error:
            raise StoreError(
                f"an answer in {str(self.path)!r} is damaged: {error}.", remedy="Delete the file."
            ) from error

    def put(self, answers: Iterable[tuple[Mapping[str, str], bytes]]) -> None:
        """Keep answers to requests, all or none. Raises StoreError."""
        now_s = self._timing.now()
        with transaction(self.path, _SCHEMA) as sql:
            for request, body in answers:
                packed = zlib.compress(body)
                if len(packed) <= self.max_bytes:
                    row = (_key(request), _told(request), now_s, len(packed), packed)
                    sql.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", row)
            (held,) = sql.execute("SELECT coalesce(sum(size), 0) FROM answer").fetchone()
            if held > self.max_bytes:
                for key, size in sql.execute("SELECT key, size FROM answer ORDER BY stored_s, key").fetchall():
                    sql.execute("DELETE FROM answer WHERE key = ?", (key,))
                    held -= size
                    if held <= self.max_bytes:
                        break


def _told(request: Mapping[str, str]) -> str:
    return json.dumps(dict(request), sort_keys=True, ensure_ascii=False)


def _key(request: Mapping[str, str]) -> str:
    return hashlib.sha256(_told(request).encode()).hexdigest()
