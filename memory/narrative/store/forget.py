"""Removing records for good: `remove`. Internal to `memory.narrative`."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from memory.narrative.retrieval import bm25
from memory.narrative.store.database import latest_version
from memory.narrative.store.transaction import KINDS, fold, log_version
from memory.narrative.types import Event
from tools.media.types import Span

_TOUCHES = (
    "(start_s < :end AND end_s > :start OR start_s <= :end AND end_s >= :start AND (start_s = end_s OR :start = :end))"
)
"""A record that only ends where the span begins, or begins where it ends, is not in it; a point on its edge is."""


_OF_ALL = ("kind", "clock", "begun_wall_s", "built_wall_s")
"""What is noted of a source as a whole: it says nothing of what is told in it, and holds for what a span leaves."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many records of each kind were removed, with those that had been retired, and how many of their vectors."""

    segments: int = 0
    events: int = 0
    entities: int = 0
    links: int = 0
    chains: int = 0
    vectors: int = 0


def remove(sql: sqlite3.Connection, source: str, span: Span | None) -> Forgotten:
    """Remove the records of a source, or those that a span touches, within a transaction; this makes a version.

    With a segment go the events and links that rest on it, with an event its links and chains, and an entity goes when
    only events that go name it. What the source was built from is no longer known; what its times count, and when it
    began and was built, is kept while something of it is left.
    """
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS gone (row_id INTEGER PRIMARY KEY)")
    sql.execute("DELETE FROM gone")
    if span is None:
        sql.execute("INSERT INTO gone SELECT row_id FROM records WHERE source = ?", (source,))
    else:
        sql.execute(
            "INSERT INTO gone SELECT row_id FROM records "
            f"WHERE kind IN ('segment', 'event') AND source = :source AND {_TOUCHES}",
            {"source": source, "start": span.start_s, "end": span.end_s},
        )
    for _ in range(2):  # what rests on a segment, then what rests on an event that does
        sql.execute(
            "INSERT OR IGNORE INTO gone SELECT ends.row_id FROM gone CROSS JOIN records USING (row_id) "
            "CROSS JOIN ends ON ends.id = records.id"
        )
    if span is not None:
        _choose_names(sql, source)
    counts = dict(
        sql.execute("SELECT kind, count(*) FROM gone CROSS JOIN records USING (row_id) GROUP BY kind").fetchall()
    )
    (vectors,) = sql.execute("SELECT count(*) FROM gone JOIN vectors USING (row_id)").fetchone()
    _remove_chosen(sql, source, whole=span is None)
    log_version(sql, latest_version(sql) + 1, "forgotten", retired=sum(counts.values()))
    sql.execute("INSERT OR REPLACE INTO meta VALUES ('forgetting', 1)")
    names = {"segment": "segments", "event": "events", "entity": "entities", "link": "links", "chain": "chains"}
    return Forgotten(**{names[kind]: number for kind, number in counts.items()}, vectors=vectors)


def _choose_names(sql: sqlite3.Connection, source: str) -> None:
    """Choose the entities, and remove the names, that only events name which go."""
    of_gone, of_left = (
        _names(
            row[0]
            for row in sql.execute(
                f"SELECT body FROM records WHERE kind = 'event' AND source = ? AND row_id {which} IN gone", (source,)
            )
        )
        for which in ("", "NOT")
    )
    aliases = sql.execute("SELECT row_id, entity_id, name FROM aliases WHERE source = ?", (source,)).fetchall()
    names_of: defaultdict[str, set[str]] = defaultdict(set)
    for _, entity_id, name in aliases:
        names_of[entity_id].add(name)
    for row_id, id_, name in sql.execute(
        "SELECT row_id, id, name FROM records WHERE kind = 'entity' AND source = ?", (source,)
    ).fetchall():
        names = {name, *names_of[id_]}
        if names & of_gone and not names & of_left:
            sql.execute("INSERT OR IGNORE INTO gone VALUES (?)", (row_id,))
    sql.executemany(
        "DELETE FROM aliases WHERE row_id = ?",
        [(row_id,) for row_id, _, name in aliases if name in of_gone and name not in of_left],
    )


def _names(bodies: Iterable[str]) -> set[str]:
    names: set[str] = set()
    for body in bodies:
        event = Event.model_validate_json(body)
        names |= {fold(name) for name in (*event.actors, *event.objects, event.place or "")}
    return names


def _remove_chosen(sql: sqlite3.Connection, source: str, whole: bool) -> None:
    sql.execute("CREATE TEMP TABLE IF NOT EXISTS gone_ids (id TEXT PRIMARY KEY)")
    sql.execute("DELETE FROM gone_ids")
    sql.execute("INSERT OR IGNORE INTO gone_ids SELECT id FROM gone CROSS JOIN records USING (row_id)")
    # A hash tells whoever guesses a text that it was there.
    sql.execute("UPDATE records SET superseded_by = NULL WHERE superseded_by IN (SELECT id FROM gone_ids)")
    sql.execute("DELETE FROM aliases WHERE entity_id IN (SELECT id FROM gone_ids)")
    sql.execute(
        "DELETE FROM merges WHERE entity_id IN (SELECT id FROM gone_ids) OR into_id IN (SELECT id FROM gone_ids)"
    )
    bm25.remove(
        sql,
        (
            (row_id, KINDS[kind].model_validate_json(body))
            for row_id, kind, body in sql.execute(
                "SELECT row_id, kind, body FROM gone CROSS JOIN records USING (row_id)"
            ).fetchall()
        ),
    )
    for table in ("ends", "vectors", "indexed", "pending", "records"):
        sql.execute(f"DELETE FROM {table} WHERE row_id IN (SELECT row_id FROM gone)")
    left = sql.execute("SELECT 1 FROM records WHERE source = ? AND retired IS NULL LIMIT 1", (source,)).fetchone()
    kept = _OF_ALL if left else ()
    sql.execute(f"DELETE FROM inputs WHERE source = ? AND key NOT IN ({', '.join('?' * len(kept))})", (source, *kept))
    if whole:
        sql.execute("DELETE FROM totals WHERE source = ?", (source,))
    sql.execute(  # the sources of links and chains that went may be others
        "UPDATE totals SET live = (SELECT count(*) FROM records WHERE records.source = totals.source "
        "AND records.kind = totals.kind AND retired IS NULL)"
    )
    sql.execute("DELETE FROM meta WHERE name LIKE 'vectors:%'")
    sql.execute(
        "INSERT INTO meta SELECT 'vectors:' || kind, count(*) FROM vectors JOIN records USING (row_id) "
        "WHERE retired IS NULL GROUP BY kind"
    )
    for kind in ("event", "segment"):  # no index has as many: the next that is opened is made anew
        sql.execute("INSERT OR REPLACE INTO meta VALUES (?, -1)", (f"indexed:{kind}",))
    if sql.execute("SELECT 1 FROM vectors LIMIT 1").fetchone() is None:
        sql.execute("DELETE FROM meta WHERE name = 'dim'")
    for table in ("gone", "gone_ids"):
        sql.execute(f"DELETE FROM {table}")
