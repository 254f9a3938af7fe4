"""SQLite files: opening, pragmas, schema versions, transactions, and the errors of all of them."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from tools.errors import StoreError

BUSY_S = 10.0
"""Seconds to wait for another process that holds a file; each holds it for a few milliseconds."""
BATCH = 500
"""Parameters of one statement, below the 999 that the oldest builds of SQLite take."""
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def connect(path: Path | str, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a file that threads may share; a transaction lasts from an explicit `BEGIN` to its `COMMIT`."""
    return sqlite3.connect(
        f"{Path(path).resolve().as_uri()}?mode=ro" if read_only else path,
        uri=read_only,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


@contextmanager
def failures(path: Path, verb: str, *, name: str, damaged: str) -> Iterator[None]:
    """Raise errors of SQLite and of the file system as a StoreError: "NAME 'PATH' cannot be VERB".

    Args:
        path: the file.
        verb: the operation that failed, such as "opened".
        name: the contents of the file, such as "the notes".
        damaged: the remedy for a damaged file.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        code = _code(error)
        if code in _DAMAGE:
            remedy = damaged
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            remedy = "Another process uses it: wait until it has finished, or end it."
        elif code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == errno.ENOSPC:
            remedy = "Free some disk space."
        else:
            remedy = "Check the disk and the permissions of the folder."
        raise StoreError(f"{name} {str(path)!r} cannot be {verb}: {error}.", remedy=remedy) from error


def is_damaged(error: StoreError) -> bool:
    """Whether an error of `failures` comes from a file that is damaged or no SQLite file."""
    return _code(error.__cause__) in _DAMAGE


def _code(error: BaseException | None) -> int:
    """The primary result code of SQLite; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class Database:
    """A file with a schema, written in one transaction at a time. Safe to use from several threads.

    Args:
        path: the file; a writer makes it and its folder if missing.
        name: its contents in errors, such as "the notes".
        schema: statements that make the tables, with semicolons between.
        version: of the schema, stored as `user_version`. Files of version 0 store none, and `schema` runs each time.
        damaged: the remedy for a damaged file.
        missing: the error for a file that is missing or empty. With it, the file is only read.
        durable: whether a committed transaction must survive a loss of power; a killed process never loses one.
        secure_delete: whether deleted content is overwritten.
        upgrades: statements that a file of an older version needs after `schema`, by that version.
        session: statements for this connection only, such as temporary tables.

    Raises:
        StoreError: if the file cannot be opened, is missing for a reader, is damaged, or of a newer version.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        schema: str,
        version: int,
        *,
        damaged: str,
        missing: StoreError | None = None,
        durable: bool = True,
        secure_delete: bool = False,
        upgrades: Mapping[int, str] | None = None,
        session: str = "",
    ) -> None:
        self.path, self._name, self._damaged = path, name, damaged
        self._lock = RLock()
        with self.failures("opened"), ExitStack() as stack:
            if missing and not path.exists():
                raise missing
            if not missing:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(path)
            stack.callback(self._connection.close)  # unless all goes well
            held = self._schema_version()
            if held > version:
                raise StoreError(
                    f"{str(path)!r} has format {held}, which is newer than {version}.",
                    remedy="Update attend-agent, or choose another folder.",
                )
            if missing and not held:
                raise missing  # its writer was killed before the tables were made
            if not missing:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                if secure_delete:
                    self._connection.execute("PRAGMA secure_delete = ON")
                if held < version or not version:
                    self._make_tables(schema, version, upgrades or {})
            _run(self._connection, session)
            if missing:
                self._connection.execute("PRAGMA query_only = ON")
            stack.pop_all()

    def read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""
        with self.failures("read"), self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def read_any(self, statement: str, ids: Sequence[object], *after: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement with `{ids}` replaced by any number of ids; other parameters follow them."""
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            yield from self.read(statement.format(ids=", ".join("?" * len(part))), (*part, *after))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all statements of the block when it ends, and none of them when it raises."""
        with self.failures("written"), self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def meta(self, name: str, default: Any = None) -> Any:
        """A value of the table `meta`, which a schema may have."""
        rows = self.read("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else default

    @contextmanager
    def failures(self, verb: str) -> Iterator[None]:
        """Raise errors of this file as a StoreError, see `failures` of the module."""
        with failures(self.path, verb, name=self._name, damaged=self._damaged):
            yield

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            self._connection.close()

    def _make_tables(self, schema: str, version: int, upgrades: Mapping[int, str]) -> None:
        with self.transaction() as sql:
            held = self._schema_version()  # again: another process may have made them meanwhile
            if held < version or not version:
                _run(sql, schema)
                _run(sql, upgrades.get(held, ""))
                sql.execute(f"PRAGMA user_version = {version}")

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


def _run(sql: sqlite3.Connection, statements: str) -> None:
    """Run statements inside the transaction; `executescript` would commit it first."""
    for statement in statements.split(";"):
        sql.execute(statement)
