"""Permanent deletion of records: `remove`. Internal to `memory.narrative`."""

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
"""A record that only touches the span at its edge is outside it; a point on the edge is inside."""


_OF_ALL = ("kind", "clock", "begun_wall_s", "built_wall_s")
"""Notes about a source as a whole: they reveal nothing of its content, and stay valid for what a span leaves."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many records of each kind were removed, including retired ones, and how many vectors."""

    segments: int = 0
    events: int = 0
    entities: int = 0
    links: int = 0
    chains: int = 0
    vectors: int = 0


def remove(sql: sqlite3.Connection, source: str, span: Span | None) -> Forgotten:
    """Remove the records of a source, or those that overlap a span, within a transaction; makes a new version.

    Removes the events and links of a segment, the links and chains of an event, and an entity that only removed events
    name. Forgets what the source was built from; the clock of its times, and when it began and was built, stay while
    any of it is left.
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
    for _ in range(2):  # what is based on a segment, then what is based on such an event
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
    """Choose the entities, and remove the names, that only removed events name."""
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
    # A hash would confirm a guessed text.
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
    sql.execute(  # links and chains may have belonged to other sources
        "UPDATE totals SET live = (SELECT count(*) FROM records WHERE records.source = totals.source "
        "AND records.kind = totals.kind AND retired IS NULL)"
    )
    sql.execute("DELETE FROM meta WHERE name LIKE 'vectors:%'")
    sql.execute(
        "INSERT INTO meta SELECT 'vectors:' || kind, count(*) FROM vectors JOIN records USING (row_id) "
        "WHERE retired IS NULL GROUP BY kind"
    )
    for kind in ("event", "segment"):  # no index has this count, so the next process that opens it rebuilds it
        sql.execute("INSERT OR REPLACE INTO meta VALUES (?, -1)", (f"indexed:{kind}",))
    if sql.execute("SELECT 1 FROM vectors LIMIT 1").fetchone() is None:
        sql.execute("DELETE FROM meta WHERE name = 'dim'")
    for table in ("gone", "gone_ids"):
        sql.execute(f"DELETE FROM {table}")
