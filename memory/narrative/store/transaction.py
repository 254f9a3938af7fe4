"""Changes to narrative memory (`Change`), and the transaction that validates and writes one. Internal: `write`."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from memory.narrative.causal_order import CAUSAL, illegal
from memory.narrative.retrieval import bm25
from memory.narrative.store.database import add_to_meta, latest_version
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment
from tools.errors import StoreError

KINDS: dict[str, type[Record]] = {
    "segment": Segment, "event": Event, "entity": Entity, "link": Link, "chain": Chain,
}  # fmt: skip
"""By the name of each kind, dependencies first."""
_KIND_OF = {made: kind for kind, made in KINDS.items()}
EDGE_S = 1e-3
"""Seconds by which an event may exceed its segments, since times are rounded."""
_ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Change:
    """One version of the memory, written all or not at all.

    Attributes:
        add: records in any order; existing ones change nothing.
        retire: ids of records that become invalid, each with the id of its successor, or None. Retiring a segment also
            retires the events and links based on it; an event, its links and chains; an entity, its aliases and merges.
        reason: a few words for the log of versions.
        inputs: for a source and a key (a segment, a prompt), the hash of what was built from it; None drops the key.
        aliases: additional names of entities, each with the entity's id; a name refers to one entity of a source at a
            time.
    """

    add: tuple[Record, ...] = ()
    retire: Mapping[str, str | None] = field(default_factory=dict)
    reason: str = ""
    inputs: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """A row of the log of versions: when it was written (Unix time), why, and how many records were added and
    retired."""

    version: int
    wall_s: float
    reason: str
    added: int
    retired: int


def write(sql: sqlite3.Connection, change: Change) -> int:
    """Write a change within a transaction, and return its version, or the current one if nothing changes.

    Raises:
        StoreError: if a retired record does not exist, an added record is based on one that does not, an event exceeds
            its segments or their texts, segments of a source overlap, a link leads from an event to itself or from an
            effect to its cause (see `memory.narrative.causal_order`), a successor does not exist afterwards, or an
            alias names no entity.
    """
    version = latest_version(sql) + 1
    if both := {record.id for record in change.add} & change.retire.keys():
        raise StoreError(f"cannot add and retire the record {min(both)!r} in one change.")
    retired = _retire(sql, version, change.retire)
    added = _add(sql, version, change.add)
    for id_, successor in change.retire.items():
        if successor is not None and live_row(sql, successor) is None:
            raise StoreError(f"cannot replace {id_!r} by the unknown record {successor!r}.")
    changed = [_put_input(sql, *key, sha) for key, sha in change.inputs.items()]
    changed += [_put_alias(sql, version, name, entity_id) for name, entity_id in change.aliases]
    if not (added or retired or any(changed)):
        return version - 1
    log_version(sql, version, change.reason, added, retired)
    return version


def log_version(sql: sqlite3.Connection, version: int, reason: str, added: int = 0, retired: int = 0) -> None:
    """Write the log row of a new version."""
    sql.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", (version, time.time(), reason, added, retired))


def live_row(sql: sqlite3.Connection, id_: str) -> tuple[int, str, str] | None:
    """Return row number, kind and source of a valid record."""
    return sql.execute("SELECT row_id, kind, source FROM records WHERE id = ? AND retired IS NULL", (id_,)).fetchone()


def _retire(sql: sqlite3.Connection, version: int, retire: Mapping[str, str | None]) -> int:
    rows: dict[int, tuple[str, str]] = {}
    kinds: dict[str, str] = {}
    for id_, successor in retire.items():
        found = live_row(sql, id_)
        if found is None:
            raise StoreError(f"cannot retire unknown record {id_!r}.", expected="the id of a valid record")
        row_id, kind, source = found
        rows[row_id], kinds[id_] = (kind, source), kind
        sql.execute("UPDATE records SET retired = ?, superseded_by = ? WHERE row_id = ?", (version, successor, row_id))
    for id_, kind in kinds.items():  # after all of them, so that a superseded link keeps its own successor
        resting = [id_] if kind in ("segment", "event") else []
        while resting:
            for row_id, end_id, *key in sql.execute(
                "SELECT row_id, records.id, kind, source FROM ends JOIN records USING (row_id) "
                "WHERE ends.id = ? AND retired IS NULL",
                (resting.pop(),),
            ).fetchall():
                rows[row_id] = (key[0], key[1])
                sql.execute("UPDATE records SET retired = ? WHERE row_id = ?", (version, row_id))
                resting += [end_id] if key[0] == "event" else []
        if kind == "entity":
            for table, column in (("aliases", "entity_id"), ("merges", "entity_id"), ("merges", "into_id")):
                sql.execute(f"UPDATE {table} SET retired = ? WHERE {column} = ? AND retired IS NULL", (version, id_))
    for row_id, (kind, _) in rows.items():
        if kind in ("segment", "event"):
            sql.execute("INSERT OR REPLACE INTO pending VALUES (?, ?)", (row_id, version))
            if sql.execute("SELECT 1 FROM vectors WHERE row_id = ?", (row_id,)).fetchone():
                add_to_meta(sql, f"vectors:{kind}", -1)
    _count(sql, Counter(rows.values()), -1, {})
    return len(rows)


def _add(sql: sqlite3.Connection, version: int, records: Sequence[Record]) -> int:
    events = {record.id: record for record in records if isinstance(record, Event)}
    counts: Counter[tuple[str, str]] = Counter()
    longest: defaultdict[tuple[str, str], float] = defaultdict(float)
    segments: dict[str, Segment | None] = {}
    for record in sorted(records, key=_in_order):
        if live_row(sql, record.id) is not None:
            continue
        kind, name, start_s, end_s = _KIND_OF[type(record)], None, None, None
        if isinstance(record, (Segment, Event)):
            source, start_s, end_s = record.source, record.start_s, record.end_s
            ends = record.segment_ids if isinstance(record, Event) else ()
            if isinstance(record, Event):
                _check_rest(sql, record, segments)
            else:
                _check_apart(sql, record)
        elif isinstance(record, Entity):
            source, name, ends = record.source, fold(record.name), ()
        elif isinstance(record, Link):
            source, ends = _source_of(sql, record, (record.src, record.dst)), (record.src, record.dst)
            _check_order(sql, record, events)
            ends += record.segment_ids
        else:
            assert isinstance(record, Chain)
            source, ends = _source_of(sql, record, record.event_ids), record.event_ids
        row_id = sql.execute(
            "INSERT INTO records (id, kind, source, start_s, end_s, name, body, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (record.id, kind, source, start_s, end_s, name, record.model_dump_json(), version),
        ).lastrowid
        sql.executemany("INSERT OR IGNORE INTO ends VALUES (?, ?)", [(id_, row_id) for id_ in ends])
        if isinstance(record, (Segment, Event)):
            assert row_id is not None
            bm25.add(sql, row_id, record)
            sql.execute("INSERT INTO pending VALUES (?, ?)", (row_id, version))
            longest[kind, source] = max(longest[kind, source], record.end_s - record.start_s)
        counts[kind, source] += 1
    _count(sql, counts, 1, longest)
    return counts.total()


def _in_order(record: Record) -> tuple[int, float]:
    """Return the sort key of a record: dependencies first; segments by time, so that each is compared with the one
    before."""
    return _ORDER[_KIND_OF[type(record)]], record.start_s if isinstance(record, Segment) else 0.0


def _check_apart(sql: sqlite3.Connection, segment: Segment) -> None:
    """Reject a segment that overlaps another. Existing ones do not overlap, so only the last that begins before its end
    can."""
    before = sql.execute(
        "SELECT start_s, end_s FROM records WHERE kind = 'segment' AND source = ? AND start_s < ? "
        "AND retired IS NULL ORDER BY start_s DESC LIMIT 1",
        (segment.source, segment.end_s),
    ).fetchone()
    if before is not None and before[1] > segment.start_s:
        raise StoreError(
            f"the segment from {segment.start_s:g} to {segment.end_s:g} s of {segment.source!r} overlaps the one from "
            f"{before[0]:g} to {before[1]:g} s.",
            expected="segments that tile a source",
            remedy="Retire the other in the same change.",
        )


def _check_rest(sql: sqlite3.Connection, event: Event, segments: dict[str, Segment | None]) -> None:
    """Reject an event outside its segments or without text in them; caches the segments it reads in `segments`."""
    for id_ in event.segment_ids:
        if id_ not in segments:
            row = sql.execute(
                "SELECT body FROM records WHERE id = ? AND kind = 'segment' AND retired IS NULL", (id_,)
            ).fetchone()
            segments[id_] = Segment.model_validate_json(row[0]) if row else None
    within = [segments[id_] for id_ in event.segment_ids]
    held = [segment for segment in within if segment is not None and segment.source == event.source]
    if len(held) < len(within) or not held:
        raise StoreError(
            f"the event {event.summary!r} of {event.source!r} is based on an unknown segment.",
            expected=f"segments of {event.source!r}",
            remedy="Add them in the same change or an earlier one.",
        )
    from_s, until_s = min(one.start_s for one in held), max(one.end_s for one in held)
    if not from_s - EDGE_S <= event.start_s <= event.end_s <= until_s + EDGE_S:
        raise StoreError(
            f"the event {event.summary!r} lasts from {event.start_s:g} to {event.end_s:g} s.",
            expected=f"an end after the start, both in its segments, from {from_s:g} to {until_s:g} s",
        )
    for span in event.spans:
        segment = segments[span.segment_id] if span.segment_id in event.segment_ids else None
        length = len(getattr(segment, span.field)) if segment else 0
        if not 0 <= span.start < span.end <= length:
            raise StoreError(
                f"the event {event.summary!r} is based on characters {span.start} to {span.end} of the {span.field} "
                f"of {span.segment_id!r}.",
                expected=f"a part of its {length} characters" if segment else "a segment of the event",
            )


def _source_of(sql: sqlite3.Connection, record: Link | Chain, event_ids: tuple[str, ...]) -> str:
    """Return the source of the first event that a record is based on; all of them must exist."""
    sources = []
    for id_ in event_ids:
        found = live_row(sql, id_)
        if found is None or found[1] != "event":
            raise StoreError(
                f"a {_KIND_OF[type(record)]} is based on the unknown event {id_!r}.",
                remedy="Add the event in the same change or an earlier one.",
            )
        sources.append(found[2])
    return sources[0]


def _check_order(sql: sqlite3.Connection, link: Link, events: dict[str, Event]) -> None:
    """Reject an invalid link; caches the events it reads in `events`."""
    if link.type not in CAUSAL and link.src != link.dst:
        return
    for id_ in (link.src, link.dst):
        if id_ not in events:
            (body,) = sql.execute("SELECT body FROM records WHERE id = ? AND retired IS NULL", (id_,)).fetchone()
            events[id_] = Event.model_validate_json(body)
            events[id_].__dict__["id"] = id_  # the stored id, whatever fields events have by now
    why = illegal(events[link.src], events[link.dst], link.type)
    if why is not None:
        raise StoreError(
            f"the link {link.type!r} from {link.src!r} to {link.dst!r} {why}.",
            expected="an event that comes before another in the story, by `story_s` or else `start_s`",
            remedy="Set `story_s` of the earlier one if it is a flashback; otherwise reverse the link, or omit it.",
        )


def _count(
    sql: sqlite3.Connection,
    counts: Mapping[tuple[str, str], int],
    sign: int,
    longest: Mapping[tuple[str, str], float],
) -> None:
    sql.executemany(
        "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT (source, kind) DO UPDATE SET "
        "live = live + excluded.live, longest_s = max(longest_s, excluded.longest_s)",
        [(source, kind, sign * number, longest.get((kind, source), 0.0)) for (kind, source), number in counts.items()],
    )


def _put_input(sql: sqlite3.Connection, source: str, key: str, sha: str | None) -> bool:
    """Record what a part of a source was built from, and return whether that is new."""
    if sha is None:
        return sql.execute("DELETE FROM inputs WHERE source = ? AND key = ?", (source, key)).rowcount > 0
    return (
        sql.execute(
            "INSERT INTO inputs VALUES (?, ?, ?) ON CONFLICT (source, key) DO UPDATE SET sha = excluded.sha "
            "WHERE sha != excluded.sha",
            (source, key, sha),
        ).rowcount
        > 0
    )


def _put_alias(sql: sqlite3.Connection, version: int, name: str, entity_id: str) -> bool:
    """Let a name refer to an entity, and to no other of its source; return whether it did not before."""
    found = live_row(sql, entity_id)
    if found is None or found[1] != "entity" or not fold(name):
        raise StoreError(f"cannot add the name {name!r} to unknown entity {entity_id!r}.")
    source = found[2]
    held = sql.execute(
        "SELECT row_id, entity_id FROM aliases WHERE source = ? AND name = ? AND retired IS NULL", (source, fold(name))
    ).fetchone()
    if held and held[1] == entity_id:
        return False
    if held:
        sql.execute("UPDATE aliases SET retired = ? WHERE row_id = ?", (version, held[0]))
    sql.execute(
        "INSERT INTO aliases (source, name, entity_id, added) VALUES (?, ?, ?, ?)",
        (source, fold(name), entity_id, version),
    )
    return True


def fold(name: str) -> str:
    """Normalise a name for comparison: ignores case and outer or repeated whitespace."""
    return " ".join(name.casefold().split())
