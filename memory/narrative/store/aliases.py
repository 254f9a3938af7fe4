"""Entity resolution: alias names and merged entities. Internal to `memory.narrative`.

A merge only records that one entity is another from some version on. Links and events stay as they are, so a merge can
be undone.
"""

from __future__ import annotations

import re
import sqlite3

from memory.narrative.store.database import HELD, latest_version
from memory.narrative.store.transaction import fold, live_row, log_version
from tools.errors import StoreError
from tools.sqlite import Database

_WORD = re.compile(r"\w+")


def merge(sql: sqlite3.Connection, entity_id: str, into_id: str, reason: str) -> int:
    """Merge an entity into another, within a transaction, and return the new version.

    Raises:
        StoreError: if one of them does not exist, the first is already merged, or the second already resolves to the
            first.
    """
    for id_ in (entity_id, into_id):
        found = live_row(sql, id_)
        if found is None or found[1] != "entity":
            raise StoreError(f"cannot merge unknown entity {id_!r}.")
    if _target(sql, entity_id) is not None:
        raise StoreError(f"the entity {entity_id!r} is merged already.", remedy="Undo that merge first.")
    at: str | None = into_id
    while at is not None:
        if at == entity_id:
            raise StoreError(f"cannot merge {entity_id!r} into {into_id!r}, which is already merged into it.")
        at = _target(sql, at)
    version = latest_version(sql) + 1
    sql.execute("INSERT INTO merges (entity_id, into_id, added) VALUES (?, ?, ?)", (entity_id, into_id, version))
    log_version(sql, version, reason)
    return version


def unmerge(sql: sqlite3.Connection, entity_id: str, reason: str) -> int:
    """Undo a merge, within a transaction, and return the new version.

    Raises:
        StoreError: if the entity is not merged.
    """
    if _target(sql, entity_id) is None:
        raise StoreError(f"the entity {entity_id!r} is not merged.")
    version = latest_version(sql) + 1
    sql.execute("UPDATE merges SET retired = ? WHERE entity_id = ? AND retired IS NULL", (version, entity_id))
    log_version(sql, version, reason)
    return version


def merged_into(database: Database, entity_id: str) -> str | None:
    """Return the id of the entity that another is merged into; None if it is not merged now."""
    rows = database.read("SELECT into_id FROM merges WHERE entity_id = ? AND retired IS NULL", (entity_id,))
    return rows[0][0] if rows else None


def resolve(database: Database, name: str, source: str, version: int) -> str | None:
    """Resolve a name of a source at a version to an entity id, following merges; None if there is none.

    An alias takes precedence over the entities' own names. Of several entities with one name, the smallest id wins.
    """
    rows = database.read(
        f"SELECT entity_id FROM aliases WHERE source = ? AND name = ? AND {HELD}",
        (source, fold(name), version, version),
    ) or database.read(
        f"SELECT id FROM records WHERE source = ? AND name = ? AND {HELD} ORDER BY id LIMIT 1",
        (source, fold(name), version, version),
    )
    if not rows:
        return None
    at: str = rows[0][0]
    while rows := database.read(f"SELECT into_id FROM merges WHERE entity_id = ? AND {HELD}", (at, version, version)):
        at = rows[0][0]
    return at


def other_names(database: Database, text: str, source: str, version: int) -> list[str]:
    """Return the other names, by merges and aliases of a source at a version, of the entities that a text names;
    sorted."""
    held = (source, version, version)
    pairs = database.read(
        "SELECT merges.entity_id, merges.into_id FROM merges JOIN records ON records.id = merges.entity_id "
        "WHERE records.source = ? AND merges.added <= ? AND (merges.retired IS NULL OR merges.retired > ?)",
        held,
    )
    given = database.read(f"SELECT entity_id, name FROM aliases WHERE source = ? AND {HELD}", held)
    into = dict(pairs)

    def last(id_: str) -> str:
        while id_ in into:
            id_ = into[id_]
        return id_

    names: dict[str, set[str]] = {}
    for id_ in {id_ for pair in pairs for id_ in pair} | {id_ for id_, _ in given}:
        for (name,) in database.read("SELECT name FROM records WHERE id = ? LIMIT 1", (id_,)):
            names.setdefault(last(id_), set()).add(name)
    for id_, name in given:
        names.setdefault(last(id_), set()).add(name)
    folded = f" {' '.join(_WORD.findall(text.casefold()))} "
    found: set[str] = set()
    for group in names.values():
        named = {name for name in group if f" {' '.join(_WORD.findall(name))} " in folded}
        if named:
            found |= group - named
    return sorted(found)


def _target(sql: sqlite3.Connection, entity_id: str) -> str | None:
    row = sql.execute("SELECT into_id FROM merges WHERE entity_id = ? AND retired IS NULL", (entity_id,)).fetchone()
    return None if row is None else row[0]
