"""A small SQLite file, opened for one transaction at a time, so that threads, processes and kills do it no harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tools.sqlite import connect, failures


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
    with failures(path, "used", name="the file", damaged="It can be deleted: it is made anew."):
        if not read_only:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(connect(path, read_only=read_only)) as connection, connection:
            if not read_only:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                for statement in schema.split(";"):
                    connection.execute(statement)
            connection.execute("BEGIN IMMEDIATE" if write and not read_only else "BEGIN")
            yield connection
