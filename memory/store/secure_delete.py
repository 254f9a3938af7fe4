"""Secure deletion: purging deleted data from an SQLite file and its log, and from the files that Chroma writes."""

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
_M_PERTURB, _ZEROS = -6, 0xFF  # glibc fills an allocated block with the complement, a freed one with this byte
_blank, _lock = 0, threading.Lock()


def wipe(path: Path) -> None:
    """Rewrite a file without its deleted data, and truncate its log.

    `secure_delete` misses some of it: when SQLite moves a row to another page, a copy may stay in the unused part of
    the old one.

    Raises:
        StoreError: if the file cannot be written, or others use it for longer than `BUSY_S`; call again to retry.
    """
    give_up_s = time.monotonic() + sqlite.BUSY_S
    try:
        # A separate connection: one that keeps temporary tables in memory would copy the whole file there.
        with closing(sqlite.connect(path)) as database:
            database.execute("VACUUM")
            while _is_log_in_use(database):
                if time.monotonic() >= give_up_s:
                    raise sqlite3.OperationalError("another process is reading it")
                time.sleep(_RETRY_S)  # SQLite does not wait for the end of another process's checkpoint
    except sqlite3.Error as error:
        full = "full" in str(error)
        raise StoreError(
            f"cannot purge deleted data from {str(path)!r}: {error}.",
            remedy="Delete the same again "
            + ("when the disk has room for a copy of the file." if full else "when no other process uses it."),
        ) from error


def _is_log_in_use(database: sqlite3.Connection) -> bool:
    (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)


@contextmanager
def blank_blocks() -> Iterator[None]:
    """Zero all memory that this process allocates in this context, and overwrite what it frees.

    Chroma writes the memory block of its graph to disk whole. The part that it has not filled keeps its former content:
    now and then deleted vectors, which returned to the disk in this way.

    Works with glibc only; without it, blocks are not zeroed.
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
    """Return glibc's `mallopt`; None with another C library."""
    try:
        return cast(Callable[[int, int], int], ctypes.CDLL(None).mallopt)
    except (AttributeError, TypeError):  # no such function, or Windows
        return None
