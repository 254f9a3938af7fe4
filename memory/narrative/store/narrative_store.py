"""Durable, versioned store of narrative memory: records are added and retired, but never changed.

    FOLDER/
      lock, owner         held by the process that writes
      narrative.sqlite    records, links, names, vectors, and the log of versions (see `store.database`)
      vectors/            Chroma's indexes, which can always be rebuilt; absent with a Chroma server

Every `Change` makes one version, in one transaction; once `commit` has returned, it survives a kill and a power loss.
Any version can be read. Deletion is the exception: it removes records from all versions.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar, cast

import numpy as np
from filelock import FileLock, Timeout

from memory.narrative.retrieval.bm25 import BM25Index
from memory.narrative.retrieval.search_cache import RowCache
from memory.narrative.retrieval.vectors import Embed, EventVectors, Kind
from memory.narrative.store import aliases, forget, transaction
from memory.narrative.store.database import HELD, add_to_meta, newest_version, open_database
from memory.narrative.store.forget import Forgotten
from memory.narrative.store.transaction import KINDS, Change, Version
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment
from memory.store.secure_delete import wipe
from tools.errors import StoreError
from tools.media.types import Span

_EDGE_S = 1e-3  # tolerance for rounding, so that no record at the edge of a span is missed
_Some = TypeVar("_Some", bound=Record)


@dataclass(frozen=True, slots=True)
class Life:
    """The versions from which a record was valid and from which it was not (None: it still is), and its successor."""

    added: int
    retired: int | None
    superseded_by: str | None


class NarrativeStore:
    """The narrative memory in a folder, of any number of sources. Thread-safe.

    One process writes; any number may read at the same time, each statement seeing the latest commit.

    Args:
        folder: folder of the memory; a writer makes it if missing.
        embed: embeds texts as unit vectors (N, D), float32, for semantic search; always the same model for one folder.
        writer: whether this process writes. Others must not open Chroma's folder; they search by reading every vector
            of a source from SQLite, or query the server.
        server: address of a Chroma server, such as `http://127.0.0.1:8000`, to use instead of a folder.

    Raises:
        StoreError: if another process writes, or the file is missing for a reader, unusable, or of a newer version.
    """

    def __init__(
        self, folder: Path, embed: Embed | None = None, *, writer: bool = False, server: str | None = None
    ) -> None:
        self.folder, self._writer = folder, writer
        with ExitStack() as stack:  # closes what was opened if a later step fails
            if writer:
                stack.callback(_claim(folder).release)
            self._database = open_database(folder, writer)
            stack.callback(self._database.close)
            rows = RowCache(self._database)
            self._words = BM25Index(self._database, rows)
            self._vectors = EventVectors(folder, self._database, rows, embed, writer, server)
            stack.callback(self._vectors.close)
            if writer and self._database.meta("forgetting", 0):
                self._finish_forgetting()  # a deletion that a kill interrupted
            self._closing = stack.pop_all()

    @property
    def version(self) -> int:
        """The newest version; 0 before the first change."""
        return newest_version(self._database)

    def commit(self, change: Change, expect_version: int | None = None) -> int:
        """Write a change and return its version; a change without effect makes none.

        Args:
            change: what is added and retired.
            expect_version: the version that the change is based on; another is rejected.

        Raises:
            StoreError: if the memory is at another version, the change is invalid (see `transaction.write`), this
                process is a reader, or the file cannot be written. Then nothing is written.
        """
        self._must_write()
        with self._database.transaction() as sql:
            if expect_version is not None and (held := self.version) != expect_version:
                raise StoreError(
                    f"cannot commit a change based on version {expect_version}: the memory is at version {held}.",
                    remedy="Read the memory again, and repeat the change.",
                )
            return transaction.write(sql, change)

    def merge(self, entity_id: str, into_id: str, reason: str = "") -> int:
        """Merge an entity into another from now on, and return the new version. See `unmerge`.

        Raises:
            StoreError: if one does not exist, the first is already merged, or the second resolves to the first.
        """
        self._must_write()
        with self._database.transaction() as sql:
            return aliases.merge(sql, entity_id, into_id, reason)

    def unmerge(self, entity_id: str, reason: str = "") -> int:
        """Undo a merge, and return the new version. Raises StoreError if the entity is not merged."""
        self._must_write()
        with self._database.transaction() as sql:
            return aliases.unmerge(sql, entity_id, reason)

    def merged_into(self, entity_id: str) -> str | None:
        """Return the id of the entity that another is merged into, itself merged or not; None if it is not merged."""
        return aliases.merged_into(self._database, entity_id)

    def resolve(self, name: str, source: str, as_of: int | None = None) -> str | None:
        """Resolve a name of a source to an entity id, following merges; None if there is none.

        An alias takes precedence over an entity's own name; of several entities with one name, the smallest id wins.
        Case and whitespace are ignored.
        """
        return aliases.resolve(self._database, name, source, self._at(as_of))

    def other_names(self, text: str, source: str, as_of: int | None = None) -> list[str]:
        """Return the other names of the entities in a text that are merged or have aliases in the source."""
        return aliases.other_names(self._database, text, source, self._at(as_of))

    def segments(self, source: str, as_of: int | None = None) -> list[Segment]:
        """Return the segments of a source, by time."""
        return sorted(self._by_time(Segment, source, None, as_of), key=_by_start)

    def events(
        self,
        source: str | None = None,
        span: Span | None = None,
        as_of: int | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[Event]:
        """Return events by time, then id.

        Args:
            source: one source; None: all.
            span: only events shown, in part, within this span of media time, edges included.
            as_of: version to read; None: the newest.
            ids: only these; unknown ids are ignored.
        """
        if ids is None:
            found = list(self._by_time(Event, source, span, as_of))
        else:
            found = [
                event
                for event in self._of(Event, ids, as_of)
                if source in (None, event.source)
                and (span is None or (event.start_s <= span.end_s and event.end_s >= span.start_s))
            ]
        return sorted(found, key=_by_start)

    def entities(self, source: str | None = None, as_of: int | None = None) -> list[Entity]:
        """Return entities by id, including merged ones."""
        return self._without_time(Entity, source, as_of)

    def links(self, event_ids: Sequence[str], as_of: int | None = None) -> list[Link]:
        """Return all links that begin or end at some events, by id."""
        ids = set(event_ids)  # a link is also based on the segments that show it
        return [link for link in self._resting_on(Link, event_ids, as_of) if link.src in ids or link.dst in ids]

    def chains(
        self, source: str | None = None, event_ids: Sequence[str] | None = None, as_of: int | None = None
    ) -> list[Chain]:
        """Return chains by id: those that begin with an event of a source, or contain any of some events."""
        if event_ids is None:
            return self._without_time(Chain, source, as_of)
        chains = self._resting_on(Chain, event_ids, as_of)
        if source is None:
            return chains
        first = {event.id for event in self.events(source, ids=[chain.event_ids[0] for chain in chains], as_of=as_of)}
        return [chain for chain in chains if chain.event_ids[0] in first]

    def record(self, id_: str) -> Record | None:
        """Return a record by its id, valid or retired; None if it never existed or was deleted."""
        rows = self._database.read("SELECT id, kind, body FROM records WHERE id = ? LIMIT 1", (id_,))
        return _record(*rows[0]) if rows else None

    def lives(self, id_: str) -> list[Life]:
        """Return when a record was valid, oldest first; several times if it was retired and added again."""
        rows = self._database.read(
            "SELECT added, retired, superseded_by FROM records WHERE id = ? ORDER BY row_id", (id_,)
        )
        return [Life(*row) for row in rows]

    def sources(self) -> list[str]:
        """Return the names of the sources with valid records, sorted."""
        rows = self._database.read("SELECT DISTINCT source FROM totals WHERE live > 0 ORDER BY source")
        return [source for (source,) in rows]

    def count(self, source: str | None = None) -> Counter[str]:
        """Count the valid records of each kind (`segment`, `event`, `entity`, `link`, `chain`)."""
        rows = self._database.read(
            "SELECT kind, sum(live) FROM totals WHERE ? IS NULL OR source = ? GROUP BY kind", (source, source)
        )
        return Counter(dict(rows))

    def built(self, source: str) -> Mapping[str, str]:
        """Return, for each key of a source, the hash of what was last built from it (see `Change.inputs`)."""
        return dict(self._database.read("SELECT key, sha FROM inputs WHERE source = ? ORDER BY key", (source,)))

    def versions(self) -> list[Version]:
        """Return the log of versions, oldest first."""
        rows = self._database.read("SELECT version, wall_s, reason, added, retired FROM versions ORDER BY version")
        return [Version(*row) for row in rows]

    def index(self) -> None:
        """Embed new records, and update the index to the valid ones.

        Searches also find records that are not indexed yet: they embed them first, and query the index only for very
        large sources.

        Raises:
            StoreError: if this process is a reader, the index cannot be written, or the vectors' length differs.
        """
        self._must_write()
        self._vectors.index()

    def reindex(self) -> int:
        """Rebuild the index from SQLite, and return how many vectors it has. Raises as `index` does."""
        self._must_write()
        return self._vectors.rebuild()

    def nearest(
        self,
        query: np.ndarray | str,
        k: int,
        source: str | None = None,
        kind: Kind = "event",
        as_of: int | None = None,
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, cosine) nearest in meaning, best first, ties by id.

        Up to 200,000 vectors of a source, older versions, and another process's folder are searched exactly; otherwise,
        and with a server, Chroma searches, which can miss a neighbour. Finds what other processes have embedded.

        Args:
            query: a text, or a vector (D,).
            k: maximum number of results.
            source: one source; None: all.
            kind: events by their summaries, or segments by all their words.
            as_of: version to search; None: the newest.

        Raises:
            StoreError: if the index cannot be used even after a rebuild, or the length of the vectors differs.
        """
        return self._vectors.nearest(query, k, source, kind, None if as_of is None else self._at(as_of))

    def vector_of(self, text: str) -> np.ndarray:
        """Embed a text as a unit vector (D,), for several searches. Raises StoreError without an embedding model."""
        return self._vectors.vector(text)

    def match(
        self, question: str, k: int, source: str | None = None, kind: Kind = "event", as_of: int | None = None
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, BM25) that share a word with a question, best first, ties by id.

        Args:
            question: a text; stop words are removed.
            k: maximum number of results.
            source: one source; None: all.
            kind: events, or segments by all their words.
            as_of: version to search; None: the newest.
        """
        return self._words.match(question, k, source, kind, self._at(as_of))

    def event_ids_in(self, segment_ids: Sequence[str], as_of: int | None = None) -> dict[str, list[str]]:
        """Return the ids of the events based on each segment, by segment; segments without events are left out."""
        statement = (
            "SELECT ends.id, records.id FROM ends CROSS JOIN records USING (row_id) "
            f"WHERE ends.id IN ({{ids}}) AND +kind = 'event' AND {HELD} ORDER BY records.id"
        )
        found: dict[str, list[str]] = {}
        for segment_id, event_id in self._database.read_any(statement, segment_ids, *2 * [self._at(as_of)]):
            found.setdefault(segment_id, []).append(event_id)
        return found

    def forget(self, source: str, span: Span | None = None) -> Forgotten:
        """Permanently remove the records of a source, or those that overlap a span, from all versions.

        See `memory.narrative.store.forget.remove` for what is removed with them. Their vectors are removed too, with
        the index: the next process that writes rebuilds it, and this one searches without (a server's index is rebuilt
        at its next use; what stays on its disk is up to the server). Makes a new version.

        Raises:
            StoreError: if a file cannot be written, or is in use so that traces may remain in it. The records are gone
                by then; deleting the same again removes the traces.
        """
        self._must_write()
        with self._database.transaction() as sql:
            forgotten = forget.remove(sql, source, span)
            add_to_meta(sql, "forgotten", 1)
        self._finish_forgetting()
        return forgotten

    def close(self) -> None:
        """Close the files and release the lock. Idempotent."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish_forgetting(self) -> None:
        self._vectors.forget()
        wipe(self._database.path)
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM meta WHERE name = 'forgetting'")

    def _must_write(self) -> None:
        if not self._writer:
            raise StoreError(f"cannot write the narrative memory {str(self.folder)!r}: it was opened for reading.")

    def _at(self, as_of: int | None) -> int:
        """Return the version to read; fixing it keeps several statements consistent while another process writes."""
        newest = self.version
        if as_of is not None and not 0 <= as_of <= newest:
            raise StoreError(f"unknown version {as_of} of the memory.", expected=f"one from 0 to {newest}")
        return newest if as_of is None else as_of

    def _by_time(self, made: type[_Some], source: str | None, span: Span | None, as_of: int | None) -> Iterator[_Some]:
        version, kind = self._at(as_of), _KIND_OF[made]
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, float("inf"))
        for of, longest_s in self._database.read(
            "SELECT source, longest_s FROM totals WHERE kind = ? AND (? IS NULL OR source = ?)", (kind, source, source)
        ):
            for row in self._database.read(
                "SELECT id, kind, body FROM records WHERE kind = ? AND source = ? AND start_s BETWEEN ? AND ? "
                f"AND end_s >= ? AND {HELD}",
                (kind, of, start_s - longest_s - _EDGE_S, end_s, start_s, version, version),
            ):
                yield cast(_Some, _record(*row))

    def _without_time(self, made: type[_Some], source: str | None, as_of: int | None) -> list[_Some]:
        version = self._at(as_of)
        of, which = ("", ()) if source is None else ("AND source = ?", (source,))
        rows = self._database.read(
            f"SELECT id, kind, body FROM records WHERE kind = ? {of} AND {HELD} ORDER BY id",
            (_KIND_OF[made], *which, version, version),
        )
        return [cast(_Some, _record(*row)) for row in rows]

    def _of(self, made: type[_Some], ids: Sequence[str], as_of: int | None) -> Iterator[_Some]:
        version = self._at(as_of)
        # The plus keeps SQLite from scanning all records of the kind, here and below.
        statement = f"SELECT id, kind, body FROM records WHERE id IN ({{ids}}) AND +kind = ? AND {HELD}"
        for row in self._database.read_any(statement, list(dict.fromkeys(ids)), _KIND_OF[made], version, version):
            yield cast(_Some, _record(*row))

    def _resting_on(self, made: type[_Some], ids: Sequence[str], as_of: int | None) -> list[_Some]:
        """Return the records based on any of some others, by id."""
        version = self._at(as_of)
        statement = (
            "SELECT DISTINCT records.id, kind, body FROM ends CROSS JOIN records USING (row_id) "
            f"WHERE ends.id IN ({{ids}}) AND +kind = ? AND {HELD}"
        )
        rows = {row[0]: row for row in self._database.read_any(statement, ids, _KIND_OF[made], version, version)}
        return [cast(_Some, _record(*rows[id_])) for id_ in sorted(rows)]


_KIND_OF: dict[type[Record], str] = {made: kind for kind, made in KINDS.items()}


def _record(id_: str, kind: str, body: str) -> Record:
    record = KINDS[kind].model_validate_json(body)
    # A field added to a type later would otherwise change the id of older records.
    record.__dict__["id"] = id_
    return record


def _by_start(record: Segment | Event) -> tuple[float, str]:
    return record.start_s, record.id


def _claim(folder: Path) -> FileLock:
    """Lock the folder for the writer."""
    lock = FileLock(folder / "lock", thread_local=False)  # another thread often releases it
    owner = folder / "owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        owner.write_text(f"{os.getpid()}\n")
    except Timeout as error:
        raise StoreError(
            f"cannot write the narrative memory {str(folder)!r}: process {_pid(owner)} is writing it.",
            remedy="Wait until that process has ended, or stop it; reading is possible in the meantime.",
        ) from error
    except OSError as error:
        lock.release()
        raise StoreError(
            f"cannot open the narrative memory {str(folder)!r}: {error}.",
            remedy="Choose a folder that is writable and whose disk is not full.",
        ) from error
    return lock


def _pid(owner: Path) -> str:
    try:
        return owner.read_text().strip() or "?"
    except OSError:
        return "?"
