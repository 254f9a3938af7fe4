"""`EventVectors`: events and segments near in meaning. Vectors lie in SQLite; Chroma indexes those that hold now.

What has to be embedded, put into the index or taken out of it stands in the table `pending`, which is written with the
change itself and cleared when the index has it: what a kill cuts off is done again. Internal to `memory.narrative`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any, Literal, get_args

import numpy as np

from memory.narrative.database import BATCH, HELD, Database, add_to_meta
from memory.narrative.types import Event, Segment
from memory.vectors import VectorIndex
from tools.errors import StoreError

log = logging.getLogger(__name__)

Embed = Callable[[list[str]], np.ndarray]
"""Texts to unit vectors (N, D), float32."""
Kind = Literal["event", "segment"]
VECTORS = "vectors"
MIN_SHARE = 0.05
"""Of the vectors in the index: a source with more is searched among all, one with less by Chroma's filter. Our choice:
with 100,000 vectors, the filter took 28 ms for a source that had 0.5% of them, and 120 ms for one that had half."""


class EventVectors:
    """The vectors of one memory, and the indexes of events and of segments. Threads may share it.

    Args:
        folder: the folder of the memory; `vectors` in it is made by its writer.
        database: the truth.
        embed: what makes vectors of texts; None finds only what is near to a vector.
        writer: whether this process writes the memory. Only it may open the folder of Chroma; others read every vector
            of a source from SQLite, or ask the server.
        server: the address of a Chroma server, used instead of the folder.
    """

    def __init__(self, folder: Path, database: Database, embed: Embed | None, writer: bool, server: str | None) -> None:
        self._folder, self._database, self._embed, self._writer = folder / VECTORS, database, embed, writer
        self._server, self._lock = server, RLock()
        self._matched: set[str] = set()  # indexes that were compared with the file
        # The name tells memories on one server apart, and this one from one whose file was removed.
        memory = database.meta("memory")
        self._indexes: dict[str, VectorIndex] = {}
        if writer or server is not None:
            for kind in get_args(Kind):
                truth = partial(self._truth, kind) if writer else None
                self._indexes[kind] = VectorIndex(self._folder / f"{kind}s", f"{kind}s-{memory}", truth, server)

    def index(self) -> None:
        """Embed what has no vector yet, and bring the index in step with what holds now. Costs what is new only.

        Raises:
            StoreError: if the index cannot be written even anew, or the model's vectors have another length than those
                that are held.
        """
        with self._lock:
            while rows := self._pending():
                self._embed_new(rows)
                for kind in get_args(Kind):
                    ours = [row for row in rows if row[2] == kind]
                    self._take_out(kind, [row[1] for row in ours if not row[4]])
                    self._put_in(kind, [row[0] for row in ours if row[4]])
                with self._database.transaction() as sql:  # but not what was retired meanwhile
                    sql.executemany(
                        "DELETE FROM pending WHERE row_id = ? AND version = ?", [(row[0], row[5]) for row in rows]
                    )
            for kind in get_args(Kind):
                self._match(kind)

    def nearest(
        self, query: np.ndarray | str, k: int, source: str | None, kind: Kind, version: int | None
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, cosine), best first, equals by id. See `NarrativeStore.nearest`."""
        vector = self._vector(query)
        if k < 1 or not np.any(vector):
            return []
        if self._writer and version is None:
            self.index()
            with self._lock:
                return self._indexed(vector, k, source, kind)
        if self._indexes and version is None and self._in_step(kind):
            try:
                return self._indexed(vector, k, source, kind)
            except StoreError as error:
                log.warning("all vectors are read: %s", error)
        return self._exact(vector, k, source, kind, self._database.version() if version is None else version)

    def rebuild(self) -> int:
        """Make the indexes anew from SQLite, and return how many vectors they hold."""
        with self._lock:
            self.index()
            return sum(index.rebuild() for index in self._indexes.values())

    def forget(self) -> None:
        """Remove the indexes, so that nothing forgotten is left in them; their next use makes them anew."""
        with self._lock:
            self._matched.clear()
            for index in self._indexes.values():
                index.drop()
            try:
                if self._folder.exists():
                    shutil.rmtree(self._folder)  # also where the index was in the folder before it was on a server
            except OSError as error:
                raise StoreError(
                    f"the vector index {str(self._folder)!r} cannot be removed: {error}.", remedy="Remove it by hand."
                ) from error

    def close(self) -> None:
        """Let go of the index. May be called twice."""
        with self._lock:
            for index in self._indexes.values():
                index.close()

    def _pending(self) -> list[tuple[Any, ...]]:
        """Rows to be indexed: number, id, kind, body, whether the id holds now, the version that made it so, and
        whether it has a vector. Without a model, those that have none wait."""
        return self._database.read(
            "SELECT row_id, id, kind, body, EXISTS (SELECT 1 FROM records AS other "
            "WHERE other.id = records.id AND other.retired IS NULL), pending.version, vector IS NOT NULL "
            "FROM pending JOIN records USING (row_id) LEFT JOIN vectors USING (row_id) "
            "WHERE vector IS NOT NULL OR ? ORDER BY row_id LIMIT ?",
            (self._embed is not None, BATCH),
        )

    def _embed_new(self, rows: Sequence[tuple[Any, ...]]) -> None:
        texts = {row[0]: text for row in rows if not row[6] and (text := _text(row[2], row[3]))}
        if not texts:
            return
        assert self._embed is not None
        vectors = np.asarray(self._embed(list(texts.values())), np.float32)
        self._check_length(vectors.shape[1])
        with self._database.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO meta VALUES ('dim', ?)", (vectors.shape[1],))
            for row_id, vector in zip(texts, vectors, strict=True):
                kinds = sql.execute("SELECT kind, retired IS NULL FROM records WHERE row_id = ?", (row_id,)).fetchall()
                for kind, holds in kinds:  # none where it was forgotten meanwhile
                    new = sql.execute("INSERT OR IGNORE INTO vectors VALUES (?, ?)", (row_id, vector.tobytes()))
                    add_to_meta(sql, f"vectors:{kind}", int(holds and new.rowcount > 0))

    def _take_out(self, kind: str, ids: Sequence[str]) -> None:
        if ids and self._indexes[kind].exists():
            self._indexes[kind].remove(ids)

    def _put_in(self, kind: str, row_ids: Sequence[int]) -> None:
        rows = list(
            self._database.read_any(
                "SELECT id, source, vector FROM vectors JOIN records USING (row_id) WHERE row_id IN ({ids}) "
                "AND retired IS NULL",
                row_ids,
            )
        )
        self._indexes[kind].add(
            [row[0] for row in rows], _matrix([row[2] for row in rows]), [{"source": row[1]} for row in rows]
        )

    def _match(self, kind: str) -> None:
        """Make an index anew where it does not hold what the file does: after a kill, or when it was removed."""
        if kind in self._matched and self._server is None:  # a server can lose what it had while this process runs
            return
        index, expected = self._indexes[kind], self._database.meta(f"vectors:{kind}")
        if (index.count() if index.exists() else 0) != expected:
            log.warning("the vector index of %ss is out of step and is made anew", kind)
            index.rebuild()
        self._matched.add(kind)

    def _in_step(self, kind: str) -> bool:
        """Whether the index on the server, which another process writes, has what the file has by now."""
        if self._database.read("SELECT 1 FROM pending LIMIT 1"):
            return False
        try:
            return self._indexes[kind].count() == self._database.meta(f"vectors:{kind}")
        except StoreError as error:
            log.warning("all vectors are read: %s", error)
            return False

    def _indexed(self, vector: np.ndarray, k: int, source: str | None, kind: str) -> list[tuple[str, float]]:
        total = max(self._database.meta(f"vectors:{kind}"), 1)
        if source is None:
            return self._holding(self._indexes[kind].query(vector, k), source)[:k]
        share = min(self._live(source, kind) / total, 1.0)
        if share >= MIN_SHARE:
            wanted = k if share == 1 else int(2 * k / share)
            found = self._holding(self._indexes[kind].query(vector, wanted), source)[:k]
            if len(found) == k or wanted >= total:
                return found
        return self._holding(self._indexes[kind].query(vector, k, {"source": source}), source)

    def _holding(self, found: list[tuple[str, float]], source: str | None) -> list[tuple[str, float]]:
        """Those of a source that hold now, best first."""
        ids = [id_ for id_, _ in found]
        rows = self._database.read_any("SELECT id, source FROM records WHERE id IN ({ids}) AND retired IS NULL", ids)
        held = {id_ for id_, of in rows if source in (None, of)}
        return sorted((pair for pair in found if pair[0] in held), key=_rank)

    def _live(self, source: str, kind: str) -> int:
        rows = self._database.read("SELECT live FROM totals WHERE source = ? AND kind = ?", (source, kind))
        return int(rows[0][0]) if rows else 0

    def _exact(
        self, vector: np.ndarray, k: int, source: str | None, kind: str, version: int
    ) -> list[tuple[str, float]]:
        """Compare with every vector that was held at a version, a few at a time."""
        best: list[tuple[str, float]] = []
        for rows in self._batches(kind, source, version):
            cosines = _matrix([row[2] for row in rows]) @ vector
            best = sorted([*best, *zip((row[1] for row in rows), map(float, cosines), strict=True)], key=_rank)[:k]
        return best

    def _batches(self, kind: str, source: str | None, version: int) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of number, id, vector, source, and beginning."""
        last = (-1.0, -1)
        while True:
            # Both orders are those of an index, so that each batch is read from where the last one ended.
            start = "row_id > ?" if source is None else "source = ? AND (start_s, row_id) > (?, ?)"
            order = "row_id" if source is None else "start_s, row_id"
            rows = self._database.read(
                "SELECT row_id, records.id, vector, source, start_s FROM records JOIN vectors USING (row_id) "
                f"WHERE kind = ? AND {start} AND {HELD} ORDER BY {order} LIMIT ?",
                (kind, *((last[1],) if source is None else (source, *last)), version, version, BATCH),
            )
            if rows:
                yield rows
                last = (rows[-1][4], rows[-1][0])
            if len(rows) < BATCH:
                return

    def _truth(self, kind: str) -> Iterable[tuple[str, np.ndarray, dict[str, str | float]]]:
        for rows in self._batches(kind, None, self._database.version()):
            for _, id_, vector, source, _ in rows:
                yield id_, np.frombuffer(vector, np.float32), {"source": source}

    def _vector(self, query: np.ndarray | str) -> np.ndarray:
        if isinstance(query, str):
            if self._embed is None:
                raise StoreError("nothing near in meaning to a text can be found without a model that embeds it.")
            query = self._embed([query])[0]
        vector = np.asarray(query, np.float32)
        self._check_length(len(vector))
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _check_length(self, length: int) -> None:
        held = self._database.meta("dim", length)
        if held != length:
            raise StoreError(
                f"the vectors in {str(self._database.path)!r} are of a model with another vector length than {length}.",
                expected=f"length {held}",
                remedy="Search with the model of before, or build the memory anew in another folder.",
            )


def _text(kind: str, body: str) -> str:
    return Event.model_validate_json(body).summary if kind == "event" else Segment.model_validate_json(body).words


def _matrix(vectors: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(vectors), np.float32).reshape(len(vectors), -1 if vectors else 0)


def _rank(pair: tuple[str, float]) -> tuple[float, str]:
    return -pair[1], pair[0]
