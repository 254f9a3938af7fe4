"""Exact nearest-neighbour search over all vectors of a source, at any version, from an in-memory copy.

SQLite takes half a second to read 100,000 vectors; comparing them in memory takes a few milliseconds. A process reads
the vectors of a source once, and then only new ones. Internal to `memory.narrative`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memory.narrative.retrieval.search_cache import RowCache
from tools.sqlite import Database

MAX_BYTES = 512 * 2**20
"""Size of the vectors in memory: 350,000 of 384 numbers. The least recently searched sources are evicted; a larger
source is read from the file each time."""
BLOCK = 8_192
"""Vectors read and compared at once: 12 MB. When there are more, the newest block is copied."""

_Block = tuple[np.ndarray, np.ndarray]
"""Row numbers (N,), and their vectors (N, D), float32."""


@dataclass
class _Held:
    """The vectors of one kind and source with row numbers up to `last`."""

    last: int
    blocks: list[_Block] = field(default_factory=list)

    def add(self, new: _Block) -> None:
        """Append vectors."""
        if self.blocks and len(self.blocks[-1][0]) + len(new[0]) <= BLOCK:
            old = self.blocks.pop()
            new = (np.concatenate([old[0], new[0]]), np.concatenate([old[1], new[1]]))
        self.blocks.append(new)

    @property
    def bytes(self) -> int:
        """Their size in memory."""
        return sum(map(_bytes, self.blocks))


class FlatIndex:
    """The vectors of a memory, compared one by one. Thread-safe."""

    def __init__(self, database: Database, rows: RowCache) -> None:
        self._database, self._rows = database, rows
        self._forgotten = -1
        self._held: dict[tuple[str, str | None], _Held] = {}  # least recently searched first

    def nearest(
        self, vector: np.ndarray, k: int, source: str | None, kind: str, version: int
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, cosine) of the records valid at a version, best first, ties by id.

        Args:
            vector: unit vector (D,), float32.
            k: maximum number of results.
            source: one source; None: all.
            kind: `event` or `segment`.
            version: of the memory.
        """
        with self._rows.lock:
            # Without BLAS, whose threads take five times as long while other work keeps the processor busy.
            found = [(rows, np.einsum("ij,j->i", vectors, vector)) for rows, vectors in self._blocks(kind, source)]
        if not found:
            return []
        rows, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return self._rows.best(rows, cosines, k, source, version)

    def clear(self) -> None:
        """Release all vectors."""
        with self._rows.lock:
            self._held.clear()

    def _blocks(self, kind: str, source: str | None) -> Iterator[_Block]:
        if (forgotten := self._rows.refresh()) != self._forgotten:
            self._held.clear()
            self._forgotten = forgotten
        newest = self._database.read("SELECT coalesce(max(row_id), 0) FROM vectors")[0][0]
        held = self._held.pop((kind, source), None)
        if held is None:
            held, new = _Held(newest), self._all(kind, source, newest)
        else:
            new = self._since(kind, source, held.last, newest)
        yield from held.blocks
        fits = True
        for block in new:
            yield block
            if fits := fits and held.bytes + _bytes(block) <= MAX_BYTES:
                held.add(block)
                self._make_room(held.bytes)
        if fits:
            held.last = newest
            self._held[kind, source] = held

    def _make_room(self, size: int) -> None:
        """Evict the least recently searched vectors until `size` bytes fit."""
        while self._held and size + sum(held.bytes for held in self._held.values()) > MAX_BYTES:
            del self._held[next(iter(self._held))]

    def _all(self, kind: str, source: str | None, newest: int) -> Iterator[_Block]:
        """Yield the vectors of a source in the order of the index by time; each block is read from where the last one
        ended."""
        if source is None:
            yield from self._since(kind, None, 0, newest)
            return
        last = (-1.0, -1)
        while rows := self._database.read(
            "SELECT row_id, vector, start_s FROM records CROSS JOIN vectors USING (row_id) "
            "WHERE kind = ? AND source = ? AND (start_s, row_id) > (?, ?) AND row_id <= ? "
            "ORDER BY start_s, row_id LIMIT ?",
            (kind, source, *last, newest, BLOCK),
        ):
            yield _block(rows)
            last = (rows[-1][2], rows[-1][0])

    def _since(self, kind: str, source: str | None, last: int, newest: int) -> Iterator[_Block]:
        while rows := self._database.read(
            "SELECT row_id, vector FROM vectors CROSS JOIN records USING (row_id) "
            "WHERE vectors.row_id > ? AND vectors.row_id <= ? AND kind = ? AND (? IS NULL OR source = ?) "
            "ORDER BY vectors.row_id LIMIT ?",
            (last, newest, kind, source, source, BLOCK),
        ):
            yield _block(rows)
            last = rows[-1][0]


def _bytes(block: _Block) -> int:
    return block[0].nbytes + block[1].nbytes


def _block(rows: list[tuple[Any, ...]]) -> _Block:
    vectors = np.frombuffer(b"".join(row[1] for row in rows), np.float32)
    # A copy by NumPy uses large memory pages, which are read at up to twice the speed.
    return np.array([row[0] for row in rows], np.int64), vectors.reshape(len(rows), -1).copy()
