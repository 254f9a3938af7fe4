"""A small SQLite file, opened for one transaction at a time, so that threads, processes and kills do it no harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tools.errors import StoreError

BUSY_S = 10.0
"""How long another process may hold the file; our choice: each holds it for a few milliseconds."""


@contextmanager
def transaction(
    path: Path, schema: str, *, write: bool = True, durable: bool = True, read_only: bool = False
) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it is written when the block ends, none of it when it raises.

    Args:
        path: the file; made if missing, unless `read_only`.
        schema: statements, with semicolons between, that make its table where there is none.
        write: whether it writes; those that only read do not wait for each other.
        durable: whether it has to outlive a loss of power, too; a kill of the process harms neither.
        read_only: neither make nor change the file.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or stays locked.
    """
    try:
        if not read_only:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
            if not read_only:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                for statement in schema.split(";"):
                    connection.execute(statement)
            connection.execute("BEGIN IMMEDIATE" if write and not read_only else "BEGIN")
            yield connection
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{str(path)!r} cannot be used: {error}.",
            remedy="Check the disk and its permissions; a damaged file can be deleted, it is made anew.",
        ) from error
