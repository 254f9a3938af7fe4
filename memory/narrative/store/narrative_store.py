"""`NarrativeStore`: the durable truth of narrative memory: records that are added and retired, never changed.

    FOLDER/
        lock, owner         held by the process that writes
        narrative.sqlite    records, links, names, vectors, and the log of versions (see `store.database`)
        vectors/            Chroma's indexes, which can always be made anew; none with a Chroma server

Every `Change` makes one version, in one transaction, which outlives a kill and a loss of power once `commit` has
returned. Any version can be read. What is forgotten is the exception: it is removed from all of them.
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

from memory.narrative.retrieval.bm25 import EventWords
from memory.narrative.retrieval.search_cache import Rows
from memory.narrative.retrieval.vectors import Embed, EventVectors, Kind
from memory.narrative.store import aliases, forget, transaction
from memory.narrative.store.database import HELD, add_to_meta, newest_version, open_database
from memory.narrative.store.forget import Forgotten
from memory.narrative.store.transaction import KINDS, Change, Version
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment
from memory.store.secure_delete import wipe
from tools.errors import StoreError
from tools.media.types import Span

_EDGE_S = 1e-3  # so that rounding leaves out no record that just reaches a span
_Some = TypeVar("_Some", bound=Record)


@dataclass(frozen=True, slots=True)
class Life:
    """From which version on a record held, from which it did not (None: it still does), and what superseded it."""

    added: int
    retired: int | None
    superseded_by: str | None


class NarrativeStore:
    """The narrative memory in a folder, of any number of sources. Threads may share it.

    One process writes; any number may read meanwhile, each statement of what is committed by then.

    Args:
        folder: where it lies; made if missing, by a writer.
        embed: texts to unit vectors (N, D), float32, for searching by meaning; always the same model for one folder.
        writer: whether this process writes. Others must not open Chroma's folder; they search by reading every vector
            of a source from SQLite, or ask the server.
        server: the address of a Chroma server, such as `http://127.0.0.1:8000`, used instead of a folder.

    Raises:
        StoreError: if another process writes, a reader finds nothing to read, or the file cannot be opened, is damaged,
            or was written by a newer version.
    """

    def __init__(
        self, folder: Path, embed: Embed | None = None, *, writer: bool = False, server: str | None = None
    ) -> None:
        self.folder, self._writer = folder, writer
        with ExitStack() as stack:  # closes what was opened, unless all goes well
            if writer:
                stack.callback(_claim(folder).release)
            self._database = open_database(folder, writer)
            stack.callback(self._database.close)
            rows = Rows(self._database)
            self._words = EventWords(self._database, rows)
            self._vectors = EventVectors(folder, self._database, rows, embed, writer, server)
            stack.callback(self._vectors.close)
            if writer and self._database.meta("forgetting", 0):
                self._finish_forgetting()  # which a kill cut off
            self._closing = stack.pop_all()

    @property
    def version(self) -> int:
        """The newest version; 0 before the first change."""
        return newest_version(self._database)

    def commit(self, change: Change, expect_version: int | None = None) -> int:
        """Write a change, and return the version that it makes; one that changes nothing makes none.

        Args:
            change: what is added and retired.
            expect_version: the version that the change was made for; another is refused.

        Raises:
            StoreError: if the memory is at another version, the change cannot be (see `changes.write`), this process
                does not write, or the file cannot be written. Then nothing is written.
        """
        self._must_write()
        with self._database.transaction() as sql:
            if expect_version is not None and (held := self.version) != expect_version:
                raise StoreError(
                    f"the memory is at version {held}, and the change was made for {expect_version}.",
                    remedy="Read the memory again, and make the change anew.",
                )
            return transaction.write(sql, change)

    def merge(self, entity_id: str, into_id: str, reason: str = "") -> int:
        """Let an entity be another from now on, and return the version that this makes. See `unmerge`.

        Raises:
            StoreError: if one of them is not held, the first is merged already, or the second is the first in the end.
        """
        self._must_write()
        with self._database.transaction() as sql:
            return aliases.merge(sql, entity_id, into_id, reason)

    def unmerge(self, entity_id: str, reason: str = "") -> int:
        """Undo a merge, and return the version that this makes. Raises StoreError if the entity is not merged."""
        self._must_write()
        with self._database.transaction() as sql:
            return aliases.unmerge(sql, entity_id, reason)

    def merged_into(self, entity_id: str) -> str | None:
        """The id of the entity that another was merged into, itself merged or not; None where it is not merged."""
        return aliases.merged_into(self._database, entity_id)

    def resolve(self, name: str, source: str, as_of: int | None = None) -> str | None:
        """The id of the entity that a name stands for in a source, merges followed; None where there is none.

        A name that a change gave to an entity stands before the name that an entity has of itself; of several entities
        of one name, that of the smallest id. Case and blanks do not count.
        """
        return aliases.resolve(self._database, name, source, self._at(as_of))

    def other_names(self, text: str, source: str, as_of: int | None = None) -> list[str]:
        """What else those are called that a text names, where entities of a source were merged or given more names."""
        return aliases.other_names(self._database, text, source, self._at(as_of))

    def segments(self, source: str, as_of: int | None = None) -> list[Segment]:
        """The segments of a source, by time."""
        return sorted(self._by_time(Segment, source, None, as_of), key=_by_start)

    def events(
        self,
        source: str | None = None,
        span: Span | None = None,
        as_of: int | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[Event]:
        """Events by time, then id.

        Args:
            source: of one source; None of all.
            span: only those shown, in part, within some seconds of media time, its edges counted in.
            as_of: those of a version; None of the newest.
            ids: only these; ids of nothing are passed over.
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
        """Entities by id, those that were merged into others too."""
        return self._without_time(Entity, source, as_of)

    def links(self, event_ids: Sequence[str], as_of: int | None = None) -> list[Link]:
        """All links that begin or end at some events, by id."""
        ids = set(event_ids)  # a link rests on the segments that show it, too
        return [link for link in self._resting_on(Link, event_ids, as_of) if link.src in ids or link.dst in ids]

    def chains(
        self, source: str | None = None, event_ids: Sequence[str] | None = None, as_of: int | None = None
    ) -> list[Chain]:
        """Chains by id: those that begin with an event of a source, or that hold any of some events; None: all."""
        if event_ids is None:
            return self._without_time(Chain, source, as_of)
        chains = self._resting_on(Chain, event_ids, as_of)
        if source is None:
            return chains
        first = {event.id for event in self.events(source, ids=[chain.event_ids[0] for chain in chains], as_of=as_of)}
        return [chain for chain in chains if chain.event_ids[0] in first]

    def record(self, id_: str) -> Record | None:
        """A record by its id, whether it holds now or not; None where it was never held, or is forgotten."""
        rows = self._database.read("SELECT id, kind, body FROM records WHERE id = ? LIMIT 1", (id_,))
        return _record(*rows[0]) if rows else None

    def lives(self, id_: str) -> list[Life]:
        """When a record held, oldest first: more than once where it was retired and added again."""
        rows = self._database.read(
            "SELECT added, retired, superseded_by FROM records WHERE id = ? ORDER BY row_id", (id_,)
        )
        return [Life(*row) for row in rows]

    def sources(self) -> list[str]:
        """The sources of which something holds now, by name."""
        rows = self._database.read("SELECT DISTINCT source FROM totals WHERE live > 0 ORDER BY source")
        return [source for (source,) in rows]

    def count(self, source: str | None = None) -> Counter[str]:
        """How many records of each kind (`segment`, `event`, `entity`, `link`, `chain`) hold now."""
        rows = self._database.read(
            "SELECT kind, sum(live) FROM totals WHERE ? IS NULL OR source = ? GROUP BY kind", (source, source)
        )
        return Counter(dict(rows))

    def built(self, source: str) -> Mapping[str, str]:
        """Of each key of a source, the hash of what was last built from it (see `Change.inputs`)."""
        return dict(self._database.read("SELECT key, sha FROM inputs WHERE source = ? ORDER BY key", (source,)))

    def versions(self) -> list[Version]:
        """The log of versions, oldest first."""
        rows = self._database.read("SELECT version, wall_s, reason, added, retired FROM versions ORDER BY version")
        return [Version(*row) for row in rows]

    def index(self) -> None:
        """Embed what is new, and bring the index in step with what holds now.

        A search finds what is not indexed yet, too: it embeds that, and asks the index only where there is very much.

        Raises:
            StoreError: if this process does not write, the index cannot be, or the model's vectors have another length.
        """
        self._must_write()
        self._vectors.index()

    def reindex(self) -> int:
        """Make the index anew from SQLite, and return how many vectors it holds. Raises as `index` does."""
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
        """Return at most `k` of (id, cosine) nearest in meaning, best first, equals by id.

        Up to 200,000 vectors of a source, older versions, and another process's folder are searched exactly; else, and
        on a server, Chroma is asked, which can miss a neighbour. What another process has embedded is found.

        Args:
            query: a text, or a vector (D,).
            k: the most that are returned.
            source: of one source; None of all.
            kind: events by their summaries, or segments by all that is known of them in words.
            as_of: those of a version; None of the newest.

        Raises:
            StoreError: if the index cannot be used even anew, or the vectors have another length than those held.
        """
        return self._vectors.nearest(query, k, source, kind, None if as_of is None else self._at(as_of))

    def vector_of(self, text: str) -> np.ndarray:
        """The unit vector (D,) of a text, for several searches. Raises StoreError where there is no model for it."""
        return self._vectors.vector(text)

    def match(
        self, question: str, k: int, source: str | None = None, kind: Kind = "event", as_of: int | None = None
    ) -> list[tuple[str, float]]:
        """Return at most `k` of (id, BM25) that share a word with a question, best first, equals by id.

        Args:
            question: a text; words that say nothing are left out.
            k: the most that are returned.
            source: of one source; None of all.
            kind: events, or segments by all that is known of them in words.
            as_of: those of a version; None of the newest.
        """
        return self._words.match(question, k, source, kind, self._at(as_of))

    def event_ids_in(self, segment_ids: Sequence[str], as_of: int | None = None) -> dict[str, list[str]]:
        """The ids of the events that rest on each of some segments, by segment; those without events are left out."""
        statement = (
            "SELECT ends.id, records.id FROM ends CROSS JOIN records USING (row_id) "
            f"WHERE ends.id IN ({{ids}}) AND +kind = 'event' AND {HELD} ORDER BY records.id"
        )
        found: dict[str, list[str]] = {}
        for segment_id, event_id in self._database.read_any(statement, segment_ids, *2 * [self._at(as_of)]):
            found.setdefault(segment_id, []).append(event_id)
        return found

    def forget(self, source: str, span: Span | None = None) -> Forgotten:
        """Remove the records of a source for good, or those that a span touches, with all versions of them.

        See `memory.narrative.store.forget.remove` for what goes with them. Their vectors are removed too,
        with the index: the next process that writes makes it anew, this one searches without (a server's is made anew
        at its next use; what stays on its disk is up to the server). This makes a version.

        Raises:
            StoreError: if a file cannot be written, or is in use so that something may be left in it. The records are
                gone by then; to forget the same again removes the rest.
        """
        self._must_write()
        with self._database.transaction() as sql:
            forgotten = forget.remove(sql, source, span)
            add_to_meta(sql, "forgotten", 1)
        self._finish_forgetting()
        return forgotten

    def close(self) -> None:
        """Close the files and let another process write. May be called twice."""
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
            raise StoreError(f"the narrative memory {str(self.folder)!r} was opened for reading only.")

    def _at(self, as_of: int | None) -> int:
        """The version to read. Fixing one makes several statements see the same, while another process writes."""
        newest = self.version
        if as_of is not None and not 0 <= as_of <= newest:
            raise StoreError(f"the memory has no version {as_of}.", expected=f"one from 0 to {newest}")
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
        # The plus keeps SQLite from going through all records of the kind, here and below.
        statement = f"SELECT id, kind, body FROM records WHERE id IN ({{ids}}) AND +kind = ? AND {HELD}"
        for row in self._database.read_any(statement, list(dict.fromkeys(ids)), _KIND_OF[made], version, version):
            yield cast(_Some, _record(*row))

    def _resting_on(self, made: type[_Some], ids: Sequence[str], as_of: int | None) -> list[_Some]:
        """Records that rest on any of some others, by id."""
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
    # Else a field that is added to a type one day would give another id to what was written before.
    record.__dict__["id"] = id_
    return record


def _by_start(record: Segment | Event) -> tuple[float, str]:
    return record.start_s, record.id


def _claim(folder: Path) -> FileLock:
    """Lock the folder for the one that writes."""
    lock = FileLock(folder / "lock", thread_local=False)  # the thread that lets go is often another one
    owner = folder / "owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        owner.write_text(f"{os.getpid()}\n")
    except Timeout as error:
        raise StoreError(
            f"the narrative memory {str(folder)!r} is being written by process {_pid(owner)}.",
            remedy="Wait until that has ended, or end it; reading is possible meanwhile.",
        ) from error
    except OSError as error:
        lock.release()
        raise StoreError(
            f"the narrative memory {str(folder)!r} cannot be opened: {error}.",
            remedy="Choose a folder that this user may write and whose disk is not full.",
        ) from error
    return lock


def _pid(owner: Path) -> str:
    try:
        return owner.read_text().strip() or "?"
    except OSError:
        return "?"
