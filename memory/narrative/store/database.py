"""The schema of the SQLite file of narrative memory, which is the truth of it. Internal to `memory.narrative`.

Rows of records are never changed but for the version at which they ceased to hold, so that what held at any version can
be read at any time; a reader that fixes a version first sees one state over several statements.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from memory.narrative.options import FILE_NAME
from tools.errors import StoreError
from tools.sqlite import Database

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
INSERT INTO meta VALUES ('memory', lower(hex(randomblob(8))));
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
_SESSION = """
PRAGMA temp_store = MEMORY;
CREATE VIRTUAL TABLE temp.event_words_at USING fts5vocab (main, event_words, 'instance');
CREATE VIRTUAL TABLE temp.segment_words_at USING fts5vocab (main, segment_words, 'instance');
"""
# Tables of one connection that list the rows with a word, one row each time that it occurs.
_NEWEST = "SELECT coalesce(max(version), 0) FROM versions"


def open_database(folder: Path, writer: bool) -> Database:
    """Open `narrative.sqlite` in a folder; a writer makes both if missing, a reader changes nothing.

    Raises:
        StoreError: if the file cannot be opened, is missing for a reader, is damaged, or of a newer version.
    """
    missing = StoreError(
        f"there is no narrative memory in {str(folder)!r}.",
        remedy="Build it first with `attend memory build SOURCE`, or choose another folder.",
    )
    return Database(
        folder / FILE_NAME,
        "the narrative memory",
        _SCHEMA,
        _SCHEMA_VERSION,
        damaged="Move the file away, and build the memory anew with `attend memory build SOURCE`.",
        missing=None if writer else missing,
        secure_delete=True,
        session=_SESSION,
    )


def newest_version(database: Database) -> int:
    """The newest version of the memory; 0 before the first change."""
    return int(database.read(_NEWEST)[0][0])


def latest_version(sql: sqlite3.Connection) -> int:
    """The same inside a transaction."""
    return int(sql.execute(_NEWEST).fetchone()[0])


def add_to_meta(sql: sqlite3.Connection, name: str, number: int) -> None:
    """Count in the table `meta`."""
    sql.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", (name, number)
    )
