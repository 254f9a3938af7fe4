"""`wipe`: what was deleted from an SQLite file is taken out of its pages and its log, too."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tools.errors import StoreError

LOCKED_S = 10.0
"""How long others may keep the file in use; our choice."""
_RETRY_S = 0.02


def wipe(path: Path) -> None:
    """Write a file anew without what was deleted from it, and cut its log to nothing.

    `secure_delete` does not reach all of it: where SQLite moves a row to another page, a copy may stay in the unused
    part of the old one.

    Raises:
        StoreError: if the file cannot be written, or others use it for longer than `LOCKED_S`; to wipe again goes on.
    """
    give_up_s = time.monotonic() + LOCKED_S
    try:
        # Of its own: a connection that keeps temporary tables in memory would copy the whole file there.
        with closing(sqlite3.connect(path, timeout=LOCKED_S, isolation_level=None)) as database:
            database.execute("VACUUM")
            while _is_log_in_use(database):
                if time.monotonic() >= give_up_s:
                    raise sqlite3.OperationalError("another process reads it")
                time.sleep(_RETRY_S)  # SQLite itself does not wait for the end of another's checkpoint
    except sqlite3.Error as error:
        full = "full" in str(error)
        raise StoreError(
            f"what was forgotten may still lie unused in {str(path)!r}, which cannot be written anew: {error}.",
            remedy="Forget the same again "
            + ("when there is room on the disk for the file once more." if full else "when no other process uses it."),
        ) from error


def _is_log_in_use(database: sqlite3.Connection) -> bool:
    (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)
