"""`Database`: the SQLite file of a corpus, which is the truth of it. Internal to `tools.literature`.

A row of documents is one content of one document in one file. It never changes but for its state: of several rows of a
document one is live, and the others are behind it. What a file no longer holds is retired, and removed once the index
of words does without it; so whatever that index finds can be shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from tools.errors import StoreError

FILE_NAME = "literature.sqlite"
BEHIND, LIVE, RETIRED, WITHDRAWN = 0, 1, 2, 3
"""States of a row: another content of the document is newer; it counts; it waits to be removed; it says that its source
deleted the document, and is the newest to say anything about it."""
BATCH = 500
"""Parameters at once; our choice, below the 999 that the oldest builds of SQLite take."""
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE files (
    file_id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, state TEXT NOT NULL,
    pass INTEGER NOT NULL
);
CREATE TABLE documents (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, file_id INTEGER NOT NULL, sha256 TEXT NOT NULL,
    revised TEXT NOT NULL, state INTEGER NOT NULL, pass INTEGER NOT NULL, embedded INTEGER NOT NULL DEFAULT 0,
    retracted INTEGER NOT NULL, pmid TEXT, pmcid TEXT, doi TEXT, body TEXT NOT NULL
);
CREATE UNIQUE INDEX documents_live ON documents (id) WHERE state = {LIVE};
CREATE INDEX documents_by_id ON documents (id);
CREATE INDEX documents_by_file ON documents (file_id, pass, state);
CREATE INDEX documents_by_state ON documents (state, retracted, embedded);
CREATE INDEX documents_unembedded ON documents (row_id) WHERE state = {LIVE} AND embedded = 0;
CREATE INDEX documents_by_pmid ON documents (pmid) WHERE pmid IS NOT NULL;
CREATE INDEX documents_by_pmcid ON documents (pmcid) WHERE pmcid IS NOT NULL;
CREATE INDEX documents_by_doi ON documents (doi) WHERE doi IS NOT NULL;
CREATE TABLE problems (
    file_id INTEGER NOT NULL, record TEXT NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL, remedy TEXT NOT NULL
);
CREATE INDEX problems_by_file ON problems (file_id);
CREATE TABLE pending (row_id INTEGER PRIMARY KEY);
CREATE TABLE vectors (
    number INTEGER PRIMARY KEY AUTOINCREMENT, row_id INTEGER NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX vectors_by_row ON vectors (row_id);
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""
# files:   `sha256` of the content that is being read or was read, `state` (reading, done, cut: broken somewhere), and
#          the number of the pass, which is borne by each row that was met in it.
# documents: a plus before `state` in a statement keeps SQLite from taking the index of states, and from sorting then.
# pending: rows that the index of words may have without cause, or lack.
# vectors: one or more of each embedded row, float16; the numbers grow, so that a reader sees what is new.
# meta:    `words`, the name of the index that belongs to this file; `tokens`, its rule; `dim` and `model` of the
#          vectors; `vectors_removed`, how often some were.


class Database:
    """The file, its schema, and one transaction at a time. Safe to use from several threads.

    Args:
        folder: where `literature.sqlite` lies; both are made if missing, by a writer.
        writer: whether this process writes; a reader changes nothing.

    Raises:
        StoreError: if the file cannot be opened, is missing for a reader, is damaged, or of a newer version.
    """

    def __init__(self, folder: Path, writer: bool) -> None:
        self.path = folder / FILE_NAME
        self._lock = RLock()
        if not writer and not self.path.exists():
            raise nothing(folder)
        with self.failures("opened"):
            self._connection = sqlite3.connect(self.path, check_same_thread=False, timeout=10, isolation_level=None)
            try:
                self._prepare(writer)
            except BaseException:
                self._connection.close()
                raise

    def read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""
        with self.failures("read"), self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def read_any(self, statement: str, ids: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a statement whose `{ids}` stands for some ids, however many."""
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            yield from self.read(statement.format(ids=", ".join("?" * len(part))), part)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run statements that are written all, and for good, or not at all."""
        with self.failures("written"), self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def meta(self, name: str, default: Any = None) -> Any:
        """A value of the table `meta`."""
        rows = self.read("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else default

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            self._connection.close()

    def _prepare(self, writer: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA_VERSION:
            raise StoreError(
                f"{str(self.path)!r} has format {version}, which is newer than {_SCHEMA_VERSION}.",
                remedy="Update attend-agent, or choose another folder.",
            )
        if not writer:
            if version == 0:
                raise nothing(self.path.parent)
            self._connection.execute("PRAGMA query_only=ON")
            return
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")  # what was committed outlives a loss of power
        if version == 0:
            with self.transaction() as sql:
                for statement in _SCHEMA.split(";"):
                    sql.execute(statement)
                sql.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    @contextmanager
    def failures(self, verb: str) -> Iterator[None]:
        """Tell what goes wrong with the file as a StoreError; `verb` says what could not be done."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
            raise StoreError(
                f"the literature index {str(self.path)!r} cannot be {verb}: {error}.",
                remedy="Move its folder away, and make it anew with `attend literature index PATH`."
                if damaged
                else "Check the disk and the permissions of the folder.",
            ) from error


def nothing(folder: Path) -> StoreError:
    """That there is no literature to search."""
    return StoreError(
        f"there is no literature in {str(folder)!r}.",
        remedy="Index some first with `attend literature index PATH`.",
    )


def set_meta(sql: sqlite3.Connection, name: str, value: object) -> None:
    """Set a value of the table `meta`."""
    sql.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))
