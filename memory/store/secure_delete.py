"""What was forgotten is taken out of the pages and the log of an SQLite file, and kept out of what Chroma writes."""

from __future__ import annotations

import ctypes
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import cast

from tools import sqlite
from tools.errors import StoreError

_RETRY_S = 0.02
_M_PERTURB, _ZEROS = -6, 0xFF  # glibc fills a block that is taken with the complement, one that is given back with this
_blank, _lock = 0, threading.Lock()


def wipe(path: Path) -> None:
    """Write a file anew without what was deleted from it, and cut its log to nothing.

    `secure_delete` does not reach all of it: where SQLite moves a row to another page, a copy may stay in the unused
    part of the old one.

    Raises:
        StoreError: if the file cannot be written, or others use it for longer than `BUSY_S`; to wipe again goes on.
    """
    give_up_s = time.monotonic() + sqlite.BUSY_S
    try:
        # Of its own: a connection that keeps temporary tables in memory would copy the whole file there.
        with closing(sqlite.connect(path)) as database:
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


@contextmanager
def blank_blocks() -> Iterator[None]:
    """Have all memory that this process takes meanwhile be blank, and what it gives back be overwritten.

    Chroma writes the block of its graph to disk whole. What it has not filled yet is what lay there before: now and
    then vectors that were forgotten since, which came back to the disk in this way.

    Only glibc can do this; with another C library, blocks are as they are.
    """
    global _blank
    mallopt = _mallopt()
    if mallopt is None:
        yield
        return
    with _lock:
        _blank += 1
        mallopt(_M_PERTURB, _ZEROS)
    try:
        yield
    finally:
        with _lock:
            _blank -= 1
            if not _blank:
                mallopt(_M_PERTURB, 0)


@cache
def _mallopt() -> Callable[[int, int], int] | None:
    """What sets how glibc takes memory; None with another C library."""
    try:
        return cast(Callable[[int, int], int], ctypes.CDLL(None).mallopt)
    except (AttributeError, TypeError):  # no such function, or Windows
        return None
