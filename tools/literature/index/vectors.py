"""`Vectors`: exact search by meaning over the vectors of a corpus. Internal to `tools.literature`.

Vectors are stored in SQLite as float16 and compared as float32, exhaustively, in blocks. A process reads them once,
and later only new ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from threading import RLock

import numpy as np

from tools.errors import StoreError
from tools.literature.index.database import set_meta
from tools.literature.types import Document
from tools.sqlite import Database

Embed = Callable[[list[str]], np.ndarray]
"""Texts to unit vectors (N, D), float32."""
BLOCK = 65_536
"""Vectors read at once: 50 MB at 384 numbers."""
PART = 900
"""Characters per embedded text: about the 256 word pieces that MiniLM reads of a text."""
MAX_PARTS = 64
"""Maximum number of embedded parts of a document: about 20 pages. Words in the rest are still found."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\[])")


def parts(document: Document) -> list[str]:
    """Return the texts that represent a document: its title with the beginning, then the rest, cut at sentences.

    At least one, at most `MAX_PARTS`.
    """
    found: list[str] = []
    part = document.title.strip()
    for section in document.sections:
        for sentence in _SENTENCE.split(section.text):
            for start in range(0, len(sentence), PART):
                piece = " ".join(sentence[start : start + PART].split())
                if part and len(part) + len(piece) > PART:
                    found.append(part)
                    part = ""
                part = f"{part} {piece}".strip()
            if len(found) >= MAX_PARTS:
                return found[:MAX_PARTS]
    return [*found, part] if part or not found else found


class Vectors:
    """The vectors of a corpus. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, RLock()
        self._rows = np.zeros(0, np.int64)  # of each vector; those of one row are adjacent
        self._starts = np.zeros(0, np.int64)
        self._vectors = np.zeros((0, 0), np.float32)
        self._held = 0
        self._last, self._removed = 0, -1

    def use(self, model: str) -> None:
        """Set the model that embeds from now on; vectors of another one are removed."""
        known = self._database.meta("model")
        if known == model:
            return
        with self._database.transaction() as sql:
            if known is not None:
                sql.execute("DELETE FROM vectors")
                sql.execute("UPDATE documents SET embedded = 0")
                sql.execute("DELETE FROM meta WHERE name = 'dim'")
                set_meta(sql, "vectors_removed", self._database.meta("vectors_removed", 0) + 1)
            set_meta(sql, "model", model)

    def put(self, row_ids: Sequence[int], counts: Sequence[int], vectors: np.ndarray) -> None:
        """Store vectors of rows, as many per row as its count, in one transaction.

        Raises:
            StoreError: if they are not unit vectors with as many numbers as the stored ones.
        """
        dim = self._database.meta("dim")
        if vectors.ndim != 2 or len(vectors) != sum(counts) or dim not in (None, vectors.shape[1]):
            raise StoreError(
                f"invalid vectors of shape {vectors.shape} from the embedder.",
                expected=f"({sum(counts)}, {dim or 'D'})",
                remedy="Use the embedder that the literature was indexed with.",
            )
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-2):
            raise StoreError(
                "invalid vectors from the embedder: their length is not 1.", remedy="Use another embedder."
            )
        small = vectors.astype(np.float16)
        with self._database.transaction() as sql:
            at = 0
            for row_id, count in zip(row_ids, counts, strict=True):
                sql.executemany(
                    "INSERT INTO vectors (row_id, vector) VALUES (?, ?)",
                    [(row_id, vector.tobytes()) for vector in small[at : at + count]],
                )
                at += count
            sql.executemany("UPDATE documents SET embedded = 1 WHERE row_id = ?", [(row_id,) for row_id in row_ids])
            set_meta(sql, "dim", int(vectors.shape[1]))

    def nearest(
        self, vector: np.ndarray, limit: int, allowed: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return at most `limit` of the allowed rows (None: all), nearest first, with each one's cosine.

        Raises:
            StoreError: if the vector has the wrong number of components.
        """
        with self._lock:
            self._load()
            stored, starts, rows = self._vectors[: self._held], self._starts, self._rows[self._starts]
        if not len(rows):
            return rows, np.zeros(0, np.float32)
        wanted = np.asarray(vector, np.float32).reshape(-1)
        if len(wanted) != stored.shape[1]:
            raise StoreError(
                f"invalid query vector of {len(wanted)} numbers.",
                expected=str(stored.shape[1]),
                remedy="Use the embedder that the literature was indexed with.",
            )
        cosines = np.maximum.reduceat(stored @ wanted, starts)
        if allowed is not None:
            kept = np.isin(rows, np.asarray(allowed, np.int64))
            rows, cosines = rows[kept], cosines[kept]
        if limit < len(rows):
            best = np.argpartition(-cosines, limit)[:limit]
            rows, cosines = rows[best], cosines[best]
        order = np.lexsort((rows, -cosines))
        return rows[order], cosines[order]

    def _load(self) -> None:
        """Read new vectors, or all if some were removed."""
        removed = self._database.meta("vectors_removed", 0)
        if removed != self._removed:
            self._held, self._last, self._removed = 0, 0, removed
            self._vectors, self._starts = np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
        while True:
            rows = self._database.read(
                "SELECT number, row_id, vector FROM vectors WHERE number > ? ORDER BY number LIMIT ?",
                (self._last, BLOCK),
            )
            if not rows:
                return
            began = self._held
            block = np.frombuffer(b"".join(row[2] for row in rows), np.float16).reshape(len(rows), -1)
            self._reserve(len(rows), block.shape[1])
            self._vectors[self._held : self._held + len(rows)] = block
            self._rows[self._held : self._held + len(rows)] = [row[1] for row in rows]
            self._held += len(rows)
            self._last = rows[-1][0]
            places = np.arange(began, self._held)
            new = places[(places == 0) | (self._rows[places] != self._rows[places - 1])]
            self._starts = np.concatenate([self._starts, new])

    def _reserve(self, more: int, dim: int) -> None:
        """Reserve memory for more; arrays that a search in another thread still reads are left unchanged."""
        needed = self._held + more
        if needed <= len(self._vectors):
            return
        room = max(needed, self._held + self._held // 4)
        vectors, rows = np.empty((room, dim), np.float32), np.empty(room, np.int64)
        if self._held:
            vectors[: self._held], rows[: self._held] = self._vectors[: self._held], self._rows[: self._held]
        self._vectors, self._rows = vectors, rows
