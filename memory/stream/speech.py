"""Transcript of one source, in an SQLite file of its own beside the notes: `Speech`."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

from memory.stream.notes import bm25, tokenize
from tools.media.sound import SpokenWord, Utterance
from tools.media.types import Span
from tools.sqlite import Database

FILE_NAME = "speech.sqlite"
MAX_ROWS = 20_000
"""Maximum number of utterances; the oldest are removed first. Our choice, as for notes: a day of talk, about 10 MB."""
MAX_TEXT_BYTES = 2_000
"""Maximum size of an utterance in UTF-8; an utterance is a sentence at most."""
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS speech (
    id INTEGER PRIMARY KEY,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    text TEXT NOT NULL,
    words TEXT NOT NULL,
    UNIQUE (start_s, text)
);
CREATE INDEX IF NOT EXISTS speech_by_time ON speech (start_s);
"""


class Speech:
    """What was said in one source, persistent across restarts. Thread-safe; other processes may read and delete.

    The file is made by the first utterance: a source without speech has none.

    Args:
        folder: folder of the memory.

    Raises:
        StoreError: if the file exists and cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE_NAME
        self._opening = threading.Lock()
        self._opened: Database | None = None
        if self.path.exists():
            _ = self._database

    def add(self, utterance: Utterance) -> None:
        """Add an utterance; a duplicate has no effect. Raises StoreError if the file cannot be written."""
        text = utterance.text.strip().encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
        words = [(round(word.start_s, 2), round(word.end_s, 2), word.text) for word in utterance.words]
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR IGNORE INTO speech (start_s, end_s, text, words) VALUES (?, ?, ?, ?)",
                (utterance.start_s, utterance.end_s, text, json.dumps(words, ensure_ascii=False)),
            )
            sql.execute("DELETE FROM speech WHERE id <= (SELECT max(id) FROM speech) - ?", (MAX_ROWS,))

    def between(self, span: Span | None = None) -> list[Utterance]:
        """Return the utterances that overlap a span (None: all), in order of time."""
        return [utterance for _, utterance in self._rows(span)]

    def search(self, query: str, k: int, span: Span | None = None) -> list[Utterance]:
        """Return at most `k` utterances that share words with a query, best first (BM25)."""
        rows = dict(self._rows(span))
        found = bm25(set(tokenize(query)), ((row_id, utterance.text) for row_id, utterance in rows.items()))
        return [rows[row_id] for row_id in found[:k]]

    def newest(self, after_s: float) -> list[Utterance]:
        """Return the utterances that began after a media time in seconds."""
        return [utterance for utterance in self.between(Span(max(0.0, after_s), 1e12)) if utterance.start_s > after_s]

    def forget(self, span: Span) -> int:
        """Remove the utterances that overlap a span, and return how many were removed.

        `memory.store.secure_delete.wipe` purges what remains of them in unused parts of the file.
        """
        if not self.path.exists():
            return 0
        with self._database.transaction() as sql:
            gone = sql.execute(
                "DELETE FROM speech WHERE end_s >= ? AND start_s <= ? RETURNING id", (span.start_s, span.end_s)
            ).fetchall()
        return len(gone)

    def __len__(self) -> int:
        return int(self._database.read("SELECT count(*) FROM speech")[0][0]) if self.path.exists() else 0

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()

    @property
    def _database(self) -> Database:
        with self._opening:
            if self._opened is None:
                self._opened = Database(
                    self.path,
                    "the transcript",
                    _SCHEMA,
                    _SCHEMA_VERSION,
                    damaged="Remove the file: only the transcript is lost.",
                    durable=False,
                    secure_delete=True,
                )
            return self._opened

    def _rows(self, span: Span | None) -> list[tuple[int, Utterance]]:
        if not self.path.exists():
            return []
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, math.inf)
        rows = self._database.read(
            "SELECT id, start_s, end_s, text, words FROM speech WHERE end_s >= ? AND start_s <= ? ORDER BY start_s, id",
            (start_s, end_s),
        )
        return [
            (row[0], Utterance(row[1], row[2], row[3], tuple(SpokenWord(*word) for word in json.loads(row[4]))))
            for row in rows
        ]
