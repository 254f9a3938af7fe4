"""Semantic search over events and segments: vectors in SQLite, indexed by Chroma as far as their records are valid.

Rows to be embedded and indexed are listed in the table `pending`, which is written in the transaction of the change and
cleared once the index has them, so that work interrupted by a kill is repeated. Nothing is ever removed from an index,
since Chroma 1.5.9 fails to find some of the rest after many removals (its issue 7758): results skip retired records,
and the index is rebuilt once there are too many.
Internal to `memory.narrative`.
"""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any, Literal, get_args

import numpy as np

from memory.narrative.retrieval.flat_index import FlatIndex
from memory.narrative.retrieval.search_cache import RowCache
from memory.narrative.store.database import add_to_meta, newest_version
from memory.narrative.types import Event, Segment
from memory.store.vectors import VectorIndex
from tools.errors import StoreError
from tools.sqlite import BATCH, Database

log = logging.getLogger(__name__)

Embed = Callable[[list[str]], np.ndarray]
"""Texts to unit vectors (N, D), float32."""
Kind = Literal["event", "segment"]
VECTORS = "vectors"
EXACT = 200_000
"""Largest source that is compared exhaustively, in memory; Chroma searches larger ones. Our choice: with 100,000
vectors this takes about as long as Chroma's graph, which missed neighbours in dense clusters."""
MIN_SHARE = 0.05
"""Share of the index from which a source is searched among all vectors; a smaller source uses Chroma's filter. Our
choice: with 100,000 vectors, the filter took 28 ms for a source with 0.5% of them, and 120 ms for one with half."""
MAX_RETIRED, RETIRED_SHARE = 1_000, 0.5
"""An index is rebuilt when its retired records exceed both this number and this share of the valid ones; costs one or
two more writes for each retired record."""


_FORGOT: set[Path] = set()
"""Folders from which this process deleted records. Chroma 1.5.9 fills the unused part of a new graph's file with
whatever its process had in that memory, so a process that deleted records must not write an index again."""


class EventVectors:
    """The vectors of one memory, and the indexes of events and of segments. Thread-safe.

    Args:
        folder: folder of the memory; its writer makes `vectors` in it.
        database: the source of truth.
        rows: of the database.
        embed: embeds texts; None allows only searches by vector.
        writer: whether this process writes the memory. Only the writer may open Chroma's folder; others compare every
            vector of a source, or query the server.
        server: address of a Chroma server to use instead of the folder.
    """

    def __init__(
        self, folder: Path, database: Database, rows: RowCache, embed: Embed | None, writer: bool, server: str | None
    ) -> None:
        self._folder, self._database, self._embed, self._writer = folder / VECTORS, database, embed, writer
        self._server, self._lock, self._all = server, RLock(), FlatIndex(database, rows)
        self._matched: set[str] = set()  # indexes that were compared with the file
        # The name identifies a memory on a shared server, and distinguishes it from one whose file was removed.
        memory = database.meta("memory")
        self._indexes: dict[str, VectorIndex] = {}
        if server is not None or (writer and self._folder.resolve() not in _FORGOT):
            for kind in get_args(Kind):
                truth = partial(self._truth, kind) if writer else None
                self._indexes[kind] = VectorIndex(self._folder / f"{kind}s", f"{kind}s-{memory}", truth, server)

    def index(self, *, tidy: bool = True) -> None:
        """Embed records without a vector, and update the index to the valid records. The cost depends on new records
        only.

        Args:
            tidy: rebuild an index that has many retired records.

        Raises:
            StoreError: if the index cannot be written even after a rebuild, or the model's vectors have another length
                than the stored ones.
        """
        with self._lock:
            while rows := self._pending():
                self._embed_new(rows)
                for kind in get_args(Kind):
                    self._put_in(kind, [row[0] for row in rows if row[1] == kind and row[3]])
                with self._database.transaction() as sql:  # but not what was retired in the meantime
                    sql.executemany(
                        "DELETE FROM pending WHERE row_id = ? AND version = ?", [(row[0], row[4]) for row in rows]
                    )
            for kind in self._indexes:
                self._match(kind)
                held, indexed = (self._database.meta(f"{what}:{kind}", 0) for what in ("vectors", "indexed"))
                if tidy and indexed - held > max(MAX_RETIRED, RETIRED_SHARE * held):
                    self._indexes[kind].rebuild()

    def nearest(
        self, query: np.ndarray | str, k: int, source: str | None, kind: Kind, version: int | None
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, cosine), best first, equals by id. See `NarrativeStore.nearest`."""
        vector = self.vector(query)
        if k < 1 or not np.any(vector):
            return []
        if version is None and self._server is None and self._held(source, kind) <= EXACT:
            if self._writer:
                self._embed_all()
            return self._exact(vector, k, source, kind, newest_version(self._database))
        if self._writer and version is None:
            with self._lock:
                self.index(tidy=False)
                if self._indexes:
                    return self._indexed(vector, k, source, kind)
        elif self._indexes and version is None and self._in_step(kind):
            try:
                return self._indexed(vector, k, source, kind)
            except StoreError as error:
                log.warning("comparing every vector instead: %s", error)
        return self._exact(vector, k, source, kind, newest_version(self._database) if version is None else version)

    def rebuild(self) -> int:
        """Rebuild the indexes from SQLite, and return how many vectors they have."""
        with self._lock:
            if not self._indexes:
                raise StoreError(
                    f"cannot rebuild the index of {str(self._folder)!r} in the process that deleted records from it.",
                    remedy="Run it in another process; the next search rebuilds the index by itself.",
                )
            self.index()
            return sum(index.rebuild() for index in self._indexes.values())

    def forget(self) -> None:
        """Remove the indexes, so that no deleted record remains in them; the next process rebuilds them.

        Until it ends, this process compares every vector instead (see `_FORGOT`). A server deletes its own.
        """
        with self._lock:
            self._matched.clear()
            self._all.clear()
            for index in self._indexes.values():
                index.drop()
            if self._server is None:
                self._indexes.clear()
                _FORGOT.add(self._folder.resolve())
            try:
                if self._folder.exists():
                    shutil.rmtree(self._folder)  # also if the index was in the folder before it was on a server
            except OSError as error:
                raise StoreError(
                    f"cannot remove the vector index {str(self._folder)!r}: {error}.", remedy="Remove it manually."
                ) from error

    def close(self) -> None:
        """Release the index. Idempotent."""
        with self._lock:
            for index in self._indexes.values():
                index.close()

    def _pending(self) -> list[tuple[Any, ...]]:
        """Return the rows to index: number, kind, body, whether the record is valid, the version that made it so, and
        whether it has a vector. Without a model, rows without a vector wait."""
        return self._database.read(
            "SELECT row_id, kind, body, retired IS NULL, pending.version, vector IS NOT NULL "
            "FROM pending JOIN records USING (row_id) LEFT JOIN vectors USING (row_id) "
            "WHERE vector IS NOT NULL OR ? ORDER BY row_id LIMIT ?",
            (self._embed is not None, BATCH),
        )

    def _embed_all(self) -> None:
        """Embed records without a vector, without updating the index."""
        last = -1
        with self._lock:
            while self._embed is not None and (
                rows := self._database.read(
                    "SELECT row_id, kind, body, retired IS NULL, pending.version, 0 FROM pending "
                    "JOIN records USING (row_id) LEFT JOIN vectors USING (row_id) "
                    "WHERE vector IS NULL AND row_id > ? ORDER BY row_id LIMIT ?",
                    (last, BATCH),
                )
            ):
                self._embed_new(rows)
                last = rows[-1][0]

    def _embed_new(self, rows: Sequence[tuple[Any, ...]]) -> None:
        texts = {row[0]: text for row in rows if not row[5] and (text := _text(row[1], row[2]))}
        if not texts:
            return
        assert self._embed is not None
        vectors = np.asarray(self._embed(list(texts.values())), np.float32)
        self._check_length(vectors.shape[1])
        with self._database.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO meta VALUES ('dim', ?)", (vectors.shape[1],))
            for row_id, vector in zip(texts, vectors, strict=True):
                kinds = sql.execute("SELECT kind, retired IS NULL FROM records WHERE row_id = ?", (row_id,)).fetchall()
                for kind, holds in kinds:  # none if it was deleted in the meantime
                    new = sql.execute("INSERT OR IGNORE INTO vectors VALUES (?, ?)", (row_id, vector.tobytes()))
                    add_to_meta(sql, f"vectors:{kind}", int(holds and new.rowcount > 0))

    def _put_in(self, kind: str, row_ids: Sequence[int]) -> None:
        if not self._indexes:
            return
        rows = {
            str(row[0]): row[1:]
            for row in self._database.read_any(
                "SELECT row_id, source, vector FROM vectors JOIN records USING (row_id) WHERE row_id IN ({ids})",
                row_ids,
            )
        }
        index = self._indexes[kind]
        # A kill may have interrupted the clearing of `pending`.
        if rows and kind not in self._matched and index.exists():
            for there in index.held(list(rows)):
                del rows[there]
        index.add(list(rows), _matrix([row[1] for row in rows.values()]), [_metadata(row[0]) for row in rows.values()])
        with self._database.transaction() as sql:
            new = sql.executemany(
                "INSERT OR IGNORE INTO indexed SELECT row_id, ? FROM vectors WHERE row_id = ?",
                [(kind, row_id) for row_id in row_ids],
            )
            if row_ids:
                add_to_meta(sql, f"indexed:{kind}", new.rowcount)

    def _match(self, kind: str) -> None:
        """Rebuild an index that differs from the file: after a kill, or when it was removed."""
        if kind in self._matched and self._server is None:  # a server can lose its data while this process runs
            return
        index, expected = self._indexes[kind], self._database.meta(f"indexed:{kind}", 0)
        if (index.count() if index.exists() else 0) != expected:
            log.warning("the vector index of %ss is out of date; rebuilding it", kind)
            index.rebuild()
        self._matched.add(kind)

    def _in_step(self, kind: str) -> bool:
        """Return whether the server's index, which another process writes, is up to date with the file."""
        if self._database.read("SELECT 1 FROM pending LIMIT 1"):
            return False
        try:
            return self._indexes[kind].count() == self._database.meta(f"indexed:{kind}", 0)
        except StoreError as error:
            log.warning("comparing every vector instead: %s", error)
            return False

    def _indexed(self, vector: np.ndarray, k: int, source: str | None, kind: str) -> list[tuple[str, float]]:
        total, held = max(self._database.meta(f"indexed:{kind}", 0), 1), self._held(source, kind)
        share = min(held / total, 1.0)
        filtered = source is not None and share < MIN_SHARE
        wanted = k if filtered or not share else math.ceil(k / share)
        while True:  # until enough are valid: near ones may be retired
            near = self._indexes[kind].query(vector, wanted, _metadata(source) if filtered else None)
            found = self._holding(near, source)
            if len(found) >= min(k, held):
                return found[:k]
            if len(near) < wanted or wanted >= total:  # Chroma's graph missed some in a dense cluster
                return self._exact(vector, k, source, kind, newest_version(self._database))
            wanted *= 4

    def _holding(self, near: list[tuple[str, float]], source: str | None) -> list[tuple[str, float]]:
        """Keep the records of a source that are valid now, best first."""
        rows = self._database.read_any(
            "SELECT row_id, id, source FROM records WHERE row_id IN ({ids}) AND retired IS NULL",
            [int(row_id) for row_id, _ in near],
        )
        held = {str(row_id): id_ for row_id, id_, of in rows if source in (None, of)}
        return sorted(((held[row_id], cosine) for row_id, cosine in near if row_id in held), key=_rank)

    def _held(self, source: str | None, kind: str) -> int:
        """Count the valid vectors of a source, or of all; records without a vector count in a source only."""
        if source is None:
            return self._database.meta(f"vectors:{kind}", 0)
        rows = self._database.read("SELECT live FROM totals WHERE source = ? AND kind = ?", (source, kind))
        return int(rows[0][0]) if rows else 0

    def _exact(
        self, vector: np.ndarray, k: int, source: str | None, kind: str, version: int
    ) -> list[tuple[str, float]]:
        return self._all.nearest(vector, k, source, kind, version)

    def _truth(self, kind: str) -> Iterator[tuple[str, np.ndarray, dict[str, str | float]]]:
        """Yield the valid records after marking them as indexed, so that an interrupted rebuild shows as out of
        date."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM indexed WHERE kind = ?", (kind,))
            new = sql.execute(
                "INSERT INTO indexed SELECT row_id, kind FROM vectors CROSS JOIN records USING (row_id) "
                "WHERE kind = ? AND retired IS NULL",
                (kind,),
            )
            sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"indexed:{kind}", new.rowcount))
        last = -1
        while rows := self._database.read(
            "SELECT row_id, source, vector FROM indexed CROSS JOIN records USING (row_id) JOIN vectors USING (row_id) "
            "WHERE indexed.row_id > ? AND indexed.kind = ? ORDER BY indexed.row_id LIMIT ?",
            (last, kind, BATCH),
        ):
            for last, source, vector in rows:
                yield str(last), np.frombuffer(vector, np.float32), _metadata(source)

    def vector(self, query: np.ndarray | str) -> np.ndarray:
        """Return a text, or a vector, as a unit vector (D,), float32."""
        if isinstance(query, str):
            if self._embed is None:
                raise StoreError("cannot search by meaning without an embedding model.")
            query = self._embed([query])[0]
        vector = np.asarray(query, np.float32)
        self._check_length(len(vector))
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _check_length(self, length: int) -> None:
        held = self._database.meta("dim", length)
        if held != length:
            raise StoreError(
                f"the vectors in {str(self._database.path)!r} do not have the embedding model's length {length}.",
                expected=f"length {held}",
                remedy="Search with the previous model, or build the memory again in another folder.",
            )


def _metadata(source: str | None) -> dict[str, str | float]:
    """Return the metadata of a source for Chroma, without words, since Chroma may keep them (see `_FORGOT`)."""
    return {"source": hashlib.sha256(str(source).encode()).hexdigest()[:16]}


def _text(kind: str, body: str) -> str:
    return Event.model_validate_json(body).summary if kind == "event" else Segment.model_validate_json(body).words


def _matrix(vectors: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(vectors), np.float32).reshape(len(vectors), -1 if vectors else 0)


def _rank(pair: tuple[str, float]) -> tuple[float, str]:
    return -pair[1], pair[0]
