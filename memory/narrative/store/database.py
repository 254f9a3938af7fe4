"""`Database`: the SQLite file of narrative memory, which is the truth of it. Internal to `memory.narrative`.

Rows of records are never changed but for the version at which they ceased to hold, so that what held at any version can
be read at any time; a reader that fixes a version first sees one state over several statements.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from memory.narrative.options import FILE_NAME
from tools.errors import StoreError

BATCH = 500
"""Parameters, or rows with vectors, at once; our choice, below the 999 that the oldest builds of SQLite take."""
HELD = "added <= ? AND (retired IS NULL OR retired > ?)"
"""Which rows held at a version, which is to be given twice."""
TOKENIZER = "porter unicode61 remove_diacritics 2"
"""How texts are cut into words, and words stemmed, for the full-text indexes."""
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE records (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    start_s REAL,
    end_s REAL,
    name TEXT,
    body TEXT NOT NULL,
    added INTEGER NOT NULL,
    retired INTEGER,
    superseded_by TEXT
);
CREATE UNIQUE INDEX records_live ON records (id) WHERE retired IS NULL;
CREATE INDEX records_by_id ON records (id);
CREATE INDEX records_by_time ON records (kind, source, start_s);
CREATE INDEX records_by_name ON records (source, name) WHERE name IS NOT NULL;
CREATE TABLE ends (id TEXT NOT NULL, row_id INTEGER NOT NULL, PRIMARY KEY (id, row_id)) WITHOUT ROWID;
CREATE INDEX ends_by_row ON ends (row_id);
CREATE TABLE totals (
    source TEXT NOT NULL, kind TEXT NOT NULL, live INTEGER NOT NULL, longest_s REAL NOT NULL, PRIMARY KEY (source, kind)
) WITHOUT ROWID;
CREATE TABLE inputs (
    source TEXT NOT NULL, key TEXT NOT NULL, sha TEXT NOT NULL, PRIMARY KEY (source, key)
) WITHOUT ROWID;
CREATE TABLE aliases (
    row_id INTEGER PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, entity_id TEXT NOT NULL,
    added INTEGER NOT NULL, retired INTEGER
);
CREATE INDEX aliases_by_name ON aliases (source, name);
CREATE INDEX aliases_by_entity ON aliases (entity_id);
CREATE TABLE merges (
    row_id INTEGER PRIMARY KEY, entity_id TEXT NOT NULL, into_id TEXT NOT NULL,
    added INTEGER NOT NULL, retired INTEGER
);
CREATE INDEX merges_by_entity ON merges (entity_id);
CREATE INDEX merges_by_target ON merges (into_id);
CREATE TABLE vectors (row_id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE indexed (row_id INTEGER PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE pending (row_id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE versions (
    version INTEGER PRIMARY KEY, wall_s REAL NOT NULL, reason TEXT NOT NULL, added INTEGER NOT NULL,
    retired INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE event_words USING fts5(body, content='', tokenize='{TOKENIZER}');
CREATE VIRTUAL TABLE segment_words USING fts5(body, content='', tokenize='{TOKENIZER}');
"""
# records: row numbers are not given again, since the index knows records by them.
# ends:    what a record rests on: the segments of an event, the events of a chain, both of a link.
# totals:  how many records of a source hold now, and how long the longest ever was.
# inputs:  hashes of what a source was built from.
# indexed: rows that are in the index, with those that were retired since it was made.
# pending: rows whose vector is to be made, or to be put into the index.
# meta:    `memory`, a random name; `vectors:KIND`, how many records that hold now have a vector; `indexed:KIND`, how
#          many rows are in the index; `dim`, of the vectors; `forgetting`, whether the log and the index may still have
#          what was forgotten; `forgotten`, how often something was.


class Database:
    """The file, its schema, and one transaction at a time. Safe to use from several threads.

    Args:
        folder: where `narrative.sqlite` lies; both are made if missing, by a writer.
        writer: whether this process writes; a reader changes nothing.

    Raises:
        StoreError: if the file cannot be opened, is missing for a reader, is damaged, or of a newer version.
    """

    def __init__(self, folder: Path, writer: bool) -> None:
        self.path = folder / FILE_NAME
        self._lock = RLock()
        if not writer and not self.path.exists():
            raise self._nothing()
        with self.failures("opened"):
            self._connection = sqlite3.connect(
                self.path, check_same_thread=False, timeout=10, isolation_level=None, cached_statements=256
            )
            try:
                self._prepare(writer)
            except BaseException:
                self._connection.close()
                raise

    def read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""
        with self.failures("read"), self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def read_any(self, statement: str, ids: Sequence[object], *after: object) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a statement whose `{ids}` stands for some ids, however many; others follow them."""
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            yield from self.read(statement.format(ids=", ".join("?" * len(part))), (*part, *after))

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

    def version(self) -> int:
        """The newest version of the memory; 0 before the first change."""
        with self.failures("read"), self._lock:
            return latest_version(self._connection)

    def meta(self, name: str, default: object = 0) -> Any:
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
        self._connection.execute("PRAGMA temp_store=MEMORY")
        if not writer:
            if version == 0:
                raise self._nothing()
            self._list_words()
            self._connection.execute("PRAGMA query_only=ON")
            return
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")  # what was committed outlives a loss of power
        self._connection.execute("PRAGMA secure_delete=ON")
        if version == 0:
            with self.transaction() as sql:
                for statement in _SCHEMA.split(";"):
                    sql.execute(statement)
                sql.execute("INSERT INTO meta VALUES ('memory', ?)", (secrets.token_hex(8),))
                sql.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        self._list_words()

    def _list_words(self) -> None:
        """Make tables, of this connection only, that say which rows have a word: a row each time that one has it."""
        for table in ("event_words", "segment_words"):
            self._connection.execute(
                f"CREATE VIRTUAL TABLE temp.{table}_at USING fts5vocab (main, {table}, 'instance')"
            )

    def _nothing(self) -> StoreError:
        return StoreError(
            f"there is no narrative memory in {str(self.path.parent)!r}.",
            remedy="Build it first with `attend memory build SOURCE`, or choose another folder.",
        )

    @contextmanager
    def failures(self, verb: str) -> Iterator[None]:
        """Tell what goes wrong with the file as a StoreError; `verb` says what could not be done."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
            raise StoreError(
                f"the narrative memory {str(self.path)!r} cannot be {verb}: {error}.",
                remedy="Move the file away, and build the memory anew with `attend memory build SOURCE`."
                if damaged
                else "Check the disk and the permissions of the folder.",
            ) from error


def latest_version(sql: sqlite3.Connection) -> int:
    """The newest version; 0 before the first change."""
    return int(sql.execute("SELECT coalesce(max(version), 0) FROM versions").fetchone()[0])


def add_to_meta(sql: sqlite3.Connection, name: str, number: int) -> None:
    """Count in the table `meta`."""
    sql.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", (name, number)
    )
