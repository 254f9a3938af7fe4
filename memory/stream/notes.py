"""Searchable notes about remembered moments, in one SQLite file beside the frames: `Notes`.

The file is the source of truth; Chroma's index of the vectors (see `memory.store.vectors`) can be rebuilt from it.
"""

from __future__ import annotations

import math
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Literal, Self, get_args

import numpy as np

from memory.store.vectors import VectorIndex
from tools.errors import StoreError
from tools.media.types import Span
from tools.sqlite import Database

NoteKind = Literal["label", "text"]
Embed = Callable[[list[str]], np.ndarray]

FILE_NAME, VECTORS = "notes.sqlite", "vectors"
MAX_ROWS = 20_000
"""Maximum number of notes in one file, over all sources; the oldest are removed first. A search reads all of them."""
MAX_TEXT_BYTES = 2_000
"""Maximum size of a text in UTF-8: a page of words."""
_READ_ROWS = 500  # rows read at once, so that a search does not load all notes
_K1, _B = 1.2, 0.75  # the usual constants of BM25
_RRF_K = 60  # Cormack et al. 2009
_FUSED_ROWS = 50
_MIN_SIMILARITY = 0.25  # below it, texts are unrelated by the usual sentence encoders
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_COLUMNS = "source, t_s, frame_id, kind, text"
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    t_s REAL NOT NULL,
    frame_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    vector BLOB,
    UNIQUE (source, t_s, kind, text)
);
CREATE INDEX IF NOT EXISTS notes_by_time ON notes (source, t_s);
"""


@dataclass(frozen=True, slots=True)
class Note:
    """Words about one moment: a `label` (what is seen) or a `text` (words read in it)."""

    source: str
    t_s: float
    frame_id: str
    kind: NoteKind
    text: str


class Notes:
    """Notes about one source, persistent across restarts. Thread-safe.

    Other processes may read and delete; with `embed`, only one process at a time may add and search.

    Args:
        folder: folder of the memory; the file `notes.sqlite` and the folder `vectors` in it are made if missing.
        source: whose notes to write and read; others in the same file are not touched.
        embed: embeds texts as float vectors (N, D), to search by meaning as well as by words. None searches by words
            only.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, folder: str | Path, source: str, embed: Embed | None = None) -> None:
        self.path = Path(folder) / FILE_NAME
        self.source = source
        self._embed = embed
        self._dropped: list[str] = []  # rows that the index still holds
        self._matched = False  # whether the index was compared with the file
        self._lock = Lock()  # of `_dropped`
        self._indexing = RLock()  # what is being embedded cannot be forgotten meanwhile
        self._database = Database(
            self.path,
            "the notes",
            _SCHEMA,
            _SCHEMA_VERSION,
            damaged="Remove the file: only what was noted is lost, not the frames.",
            durable=False,
            secure_delete=True,
        )

    def add(self, t_s: float, frame_id: str, kind: NoteKind, text: str) -> Note:
        """Add `text` about the frame at `t_s` seconds, cut to `MAX_TEXT_BYTES`; a duplicate has no effect.

        Raises:
            StoreError: if the kind is unknown, the text is empty, or the file cannot be written.
        """
        text = text.strip().encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
        if kind not in get_args(NoteKind) or not text:
            raise StoreError(
                f"invalid note of kind {kind!r} with the text {text!r}.",
                expected=f"one of {', '.join(get_args(NoteKind))}, and a text",
            )
        note = Note(self.source, float(t_s), frame_id, kind, text)
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR IGNORE INTO notes (source, t_s, frame_id, kind, text) VALUES (?, ?, ?, ?, ?)",
                (note.source, note.t_s, note.frame_id, note.kind, note.text),
            )
            gone = sql.execute(
                "DELETE FROM notes WHERE id <= (SELECT max(id) FROM notes) - ? RETURNING id", (MAX_ROWS,)
            ).fetchall()
        if self._embed is not None:
            with self._lock:
                self._dropped += [str(row_id) for (row_id,) in gone]
                if len(self._dropped) > _READ_ROWS:  # a rebuild is cheaper than so many removals
                    self._dropped.clear()
                    self._matched = False
        return note

    def index(self) -> None:
        """Embed notes that are not in the index yet. Does nothing without `embed`."""
        with self._indexing:
            self._index_new()

    def _index_new(self) -> None:
        if self._embed is None:
            return
        self._match()
        with self._lock:
            dropped, self._dropped = self._dropped, []
        self._index.remove(dropped)
        while True:
            rows = self._database.read(
                "SELECT id, source, t_s, text FROM notes WHERE vector IS NULL ORDER BY id LIMIT ?", (_READ_ROWS,)
            )
            if not rows:
                return
            vectors = self._embed([row[3] for row in rows]).astype(np.float32)
            with self._database.transaction() as sql:
                sql.executemany(
                    "UPDATE notes SET vector = ? WHERE id = ?",
                    [(vector.tobytes(), row[0]) for row, vector in zip(rows, vectors, strict=True)],
                )
            self._matched = False  # until the index has what the file has
            self._index.add([str(row[0]) for row in rows], vectors, [_metadata(row[1], row[2]) for row in rows])
            self._matched = True

    def forget(self, span: Span) -> tuple[int, int]:
        """Remove the notes of a span and their vectors, and rebuild the index so that none stays on disk.

        `memory.store.secure_delete.wipe` purges what remains of the notes in unused parts of the file.

        Returns:
            How many notes, and how many vectors, were removed.
        """
        with self._indexing:
            return self._forget(span)

    def _forget(self, span: Span) -> tuple[int, int]:
        with self._database.transaction() as sql:
            gone = sql.execute(
                "DELETE FROM notes WHERE source = ? AND t_s BETWEEN ? AND ? RETURNING vector IS NOT NULL",
                (self.source, span.start_s, span.end_s),
            ).fetchall()
        vectors = sum(had_vector for (had_vector,) in gone)
        self._matched = False
        self._match(anew=vectors > 0)
        return len(gone), vectors

    def drop_index(self) -> None:
        """Remove the index from disk, for a process that does not use it; the next search rebuilds it.

        Raises:
            StoreError: if a file of it cannot be removed.
        """
        with self._database.failures("freed of their vectors"), suppress(FileNotFoundError):
            shutil.rmtree(self.path.parent / VECTORS)

    def frame_ids(self) -> set[str]:
        """Return the ids of the frames with notes of this source."""
        found = self._database.read("SELECT DISTINCT frame_id FROM notes WHERE source = ?", (self.source,))
        return {frame_id for (frame_id,) in found}

    def between(self, span: Span | None = None) -> list[Note]:
        """Return the notes of a span (None: all), by time."""
        return list(self.each(span))

    def each(self, span: Span | None = None) -> Iterator[Note]:
        """Yield the notes of a span (None: all) by time, a batch at a time."""
        return (note for _, note in self._rows(span))

    def search(self, query: str, k: int, span: Span | None = None) -> list[Note]:
        """Return at most `k` notes that match `query`, best first.

        Matches words by BM25. With `embed`, fuses that with the ranking by cosine similarity (reciprocal rank fusion),
        which also finds notes without a common word.
        """
        by_words = bm25(set(tokenize(query)), ((row_id, note.text) for row_id, note in self._rows(span)))
        if self._embed is None or not query.strip():
            return self._found(by_words[:k])
        by_meaning = self._nearest(query, span)
        points: defaultdict[int, float] = defaultdict(float)
        for ranking in (by_words, by_meaning):
            for rank, row_id in enumerate(ranking[:_FUSED_ROWS], start=1):
                points[row_id] += 1 / (_RRF_K + rank)
        return self._found(sorted(points, key=lambda row_id: -points[row_id]))[:k]

    def __len__(self) -> int:
        return int(self._database.read("SELECT count(*) FROM notes WHERE source = ?", (self.source,))[0][0])

    def close(self) -> None:
        """Close the file and the index. Idempotent."""
        if "_index" in vars(self):
            self._index.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, span: Span | None) -> Iterator[tuple[int, Note]]:
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, math.inf)
        last = (start_s, -1)
        while True:
            rows = self._database.read(
                f"SELECT id, {_COLUMNS} FROM notes "
                "WHERE source = ? AND (t_s, id) > (?, ?) AND t_s <= ? ORDER BY t_s, id LIMIT ?",
                (self.source, *last, end_s, _READ_ROWS),
            )
            for row in rows:
                note = Note(*row[1:])
                last = (note.t_s, row[0])
                yield row[0], note
            if len(rows) < _READ_ROWS:
                return

    def _found(self, row_ids: Sequence[int]) -> list[Note]:
        """Return the notes of some rows, in the same order; skips missing rows."""
        rows = self._database.read_any(f"SELECT id, {_COLUMNS} FROM notes WHERE id IN ({{ids}})", row_ids)
        notes = {row[0]: Note(*row[1:]) for row in rows}
        return [notes[row_id] for row_id in row_ids if row_id in notes]

    @cached_property
    def _index(self) -> VectorIndex:
        """The index of the notes, opened when it is first needed."""
        return VectorIndex(self.path.parent / VECTORS, "notes", self._vectors)

    def _nearest(self, query: str, span: Span | None) -> list[int]:
        """Rank the rows near the query by cosine similarity."""
        assert self._embed is not None
        self.index()
        vector = self._embed([query])[0]
        self._check_length(len(vector))
        if not np.any(vector):
            return []
        found = self._index.query(vector, _FUSED_ROWS, _where(self.source, span))
        return [int(row_id) for row_id, cosine in found if cosine >= _MIN_SIMILARITY]

    def _match(self, anew: bool = False) -> None:
        """Rebuild the index if it differs from the file: after a kill, or when others deleted notes."""
        if self._embed is None or self._matched:
            return
        ((count,),) = self._database.read("SELECT count(*) FROM notes WHERE vector IS NOT NULL")
        held = self._index.count() if self._index.exists() else 0
        if anew or held != count:
            self._index.rebuild()
        self._matched = True

    def _check_length(self, length: int) -> None:
        held = self._database.read("SELECT length(vector) / 4 FROM notes WHERE vector IS NOT NULL LIMIT 1")
        if held and held[0][0] != length:
            raise StoreError(
                f"cannot search the notes in {str(self.path)!r} with this embedding model: another vector length.",
                expected=f"length {length}",
                remedy="Search with the previous model, or remove the file.",
            )

    def _vectors(self) -> Iterator[tuple[str, np.ndarray, dict[str, str | float]]]:
        row_id = -1
        while True:
            rows = self._database.read(
                "SELECT id, source, t_s, vector FROM notes WHERE vector IS NOT NULL AND id > ? ORDER BY id LIMIT ?",
                (row_id, _READ_ROWS),
            )
            for row_id, source, t_s, vector in rows:
                yield str(row_id), np.frombuffer(vector, np.float32), _metadata(source, t_s)
            if len(rows) < _READ_ROWS:
                return


def _metadata(source: str, t_s: float) -> dict[str, str | float]:
    return {"source": source, "t_s": t_s}


def _where(source: str, span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"source": source}
    return {"$and": [{"source": source}, {"t_s": {"$gte": span.start_s}}, {"t_s": {"$lte": span.end_s}}]}


def tokenize(text: str) -> tuple[str, ...]:
    """Split a text into words for matching: case folded, without English plural s, one token per CJK character."""
    words = _WORD.findall(text.casefold())
    return tuple(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words
    )


def has_words(text: str, words: Set[str]) -> bool:
    """Return whether a text contains all of some words, as `tokenize` returns them."""
    folded = text.casefold()
    return all(word in folded for word in words) and words <= set(tokenize(folded))


def bm25(query: Set[str], texts: Iterable[tuple[int, str]]) -> list[int]:
    """Return the ids of the texts that share a word with the query, best first (Robertson & Zaragoza 2009).

    Text length is measured in characters, so that only texts that can contain a query word are tokenised, and no text
    is cached.
    """
    words = sorted(query)
    counts: dict[int, tuple[int, ...]] = {}  # frequency of each word in a text, and the text's length
    number = characters = 0
    for row_id, text in texts:
        number, characters = number + 1, characters + len(text)
        folded = text.casefold()
        if any(word in folded for word in words):
            tokens = tokenize(folded)
            counts[row_id] = (*(tokens.count(word) for word in words), len(text))
    holding = [sum(count[place] > 0 for count in counts.values()) for place in range(len(words))]
    weights = [math.log(1 + (number - held + 0.5) / (held + 0.5)) for held in holding]
    scores: dict[int, float] = {}
    for row_id, (*found, length) in counts.items():
        if any(found):
            damping = _K1 * (1 - _B + _B * length * number / characters)
            scores[row_id] = sum(
                weight * times * (_K1 + 1) / (times + damping) for weight, times in zip(weights, found, strict=True)
            )
    return sorted(scores, key=lambda row_id: -scores[row_id])
