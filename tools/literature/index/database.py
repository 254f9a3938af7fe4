"""The schema of the SQLite file of a corpus, which is the truth of it. Internal to `tools.literature`.

A row of documents is one content of one document in one file. It never changes but for its state: of several rows of a
document one is live, and the others are behind it. What a file no longer holds is retired, and removed once the index
of words does without it; so whatever that index finds can be shown.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tools.errors import StoreError
from tools.sqlite import Database

FILE_NAME = "literature.sqlite"
BEHIND, LIVE, RETIRED, WITHDRAWN = 0, 1, 2, 3
"""States of a row: another content of the document is newer; it counts; it waits to be removed; it says that its source
deleted the document, and is the newest to say anything about it."""
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


def open_database(folder: Path, writer: bool) -> Database:
    """Open `literature.sqlite` in a folder; a writer makes both if missing, a reader changes nothing.

    Raises:
        StoreError: if the file cannot be opened, is missing for a reader, is damaged, or of a newer version.
    """
    return Database(
        folder / FILE_NAME,
        "the literature index",
        _SCHEMA,
        _SCHEMA_VERSION,
        damaged="Move its folder away, and make it anew with `attend literature index PATH`.",
        missing=None if writer else nothing(folder),
    )


def nothing(folder: Path) -> StoreError:
    """That there is no literature to search."""
    return StoreError(
        f"there is no literature in {str(folder)!r}.",
        remedy="Index some first with `attend literature index PATH`.",
    )


def set_meta(sql: sqlite3.Connection, name: str, value: object) -> None:
    """Set a value of the table `meta`."""
    sql.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))
