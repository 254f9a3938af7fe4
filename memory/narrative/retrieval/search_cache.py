"""In-memory columns of every segment and event that decide whether a row is searched: `RowCache`.

Reading a row from the file takes a microsecond or two, and a common word occurs in tens of thousands of them. For each
row number, the source, version and id are cached as numbers, 20 bytes in all, and read once: they never change.
Internal to `memory.narrative`.
"""

from __future__ import annotations

from threading import RLock

import numpy as np

from memory.narrative.store.database import HELD
from tools.sqlite import Database

_KEY_DIGITS = 16
"""Digits of an id by which its rows are sorted; as many as fit a number."""
_MORE = 4
"""Factor by which more rows are requested when too few of the best are still valid."""


class RowCache:
    """The segments and events of a memory by row number. Thread-safe.

    Attributes:
        lock: acquire it while using these columns.
    """

    def __init__(self, database: Database) -> None:
        self._database, self.lock = database, RLock()
        self._forgotten = -1
        self._clear()

    def _clear(self) -> None:
        self._last = 0  # newest row that was read
        self._codes: dict[str, int] = {}
        self._source = np.zeros(1, np.int32)  # 0: neither a segment nor an event
        self._added = np.zeros(1, np.int64)
        self._key = np.zeros(1, np.uint64)

    def refresh(self) -> int:
        """Read new rows, and return how often records were removed: everything derived from rows is then void."""
        with self.lock:
            forgotten: int = self._database.meta("forgotten", 0)
            if forgotten != self._forgotten:
                self._clear()
                self._forgotten = forgotten
            new = self._database.read(  # the plus keeps SQLite from scanning all records of these kinds
                "SELECT row_id, source, added, id FROM records WHERE row_id > ? AND +kind IN ('segment', 'event') "
                "ORDER BY row_id",
                (self._last,),
            )
            if new:
                rows, sources, added, ids = zip(*new, strict=True)
                self._last = rows[-1]
                codes = [self._codes.setdefault(source, len(self._codes) + 1) for source in sources]
                self._source = put(self._source, rows, codes)
                self._added = put(self._added, rows, added)
                self._key = put(self._key, rows, [int(id_[:_KEY_DIGITS], 16) for id_ in ids])
            return forgotten

    def fits(self, source: str | None, version: int) -> np.ndarray:
        """Return, for each row number, whether it is of a source (None: any) and was added by a version; bool (N,)."""
        with self.lock:
            self.refresh()
            fits = self._added <= version
            fits &= self._source > 0 if source is None else self._source == self._codes.get(source, -1)
            return fits

    def best(
        self, rows: np.ndarray, scores: np.ndarray, k: int, source: str | None, version: int
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, score) of the rows valid at a version, best first, ties by id.

        Args:
            rows: row numbers (N,), each once.
            scores: of each (N,).
            k: maximum number of results.
            source: only rows of it; None: of all.
            version: of the memory.
        """
        with self.lock:
            self.refresh()
            known = rows < len(self._source)
            rows, scores = rows[known], scores[known]
            fits = self._added[rows] <= version
            if source is not None:
                fits &= self._source[rows] == self._codes.get(source, -1)
            rows, scores = rows[fits], scores[fits]
            keys = self._key[rows]
        wanted = k
        while True:
            order = _first(scores, keys, wanted)
            held = dict(
                self._database.read_any(
                    f"SELECT row_id, id FROM records WHERE row_id IN ({{ids}}) AND {HELD}",
                    rows[order].tolist(), version, version,
                )
            )  # fmt: skip
            if len(held) >= k or wanted >= len(rows):
                found = ((held.get(int(rows[place])), float(scores[place])) for place in order)
                return [(id_, score) for id_, score in found if id_ is not None][:k]
            wanted *= _MORE


def put(values: np.ndarray, places: object, new: object) -> np.ndarray:
    """Extend an array indexed by row number with new values, whose places ascend beyond its end; 0 elsewhere."""
    at = np.asarray(places, np.int64)
    longer = np.zeros(int(at[-1]) + 1, values.dtype)
    longer[: len(values)] = values
    longer[at] = np.asarray(new, values.dtype)
    return longer


def _first(scores: np.ndarray, keys: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the `k` best, best first, ties by key, without a full sort."""
    if len(scores) > k:
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.lexsort((keys[places], -scores[places]))][:k]
