"""Events and segments by their words, ranked by BM25: SQLite's full-text index, in the transactions of the records.

Words are stemmed (Porter), and words that say nothing, such as "the" and "did", are left out of questions; "no" and
"not" stay. The index holds no text of its own. Internal to `memory.narrative`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from memory.narrative.database import HELD, Database
from memory.narrative.types import Event, Record, Segment
from memory.narrative.vectors import Kind

TABLES: dict[Kind, str] = {"event": "event_words", "segment": "segment_words"}
"""An index for each kind, since BM25 weighs lengths against their mean."""
MOST_TERMS = 32
"""Of a question; our choice: a paragraph has no more that tell it apart."""
_WORD = re.compile(r"[^\W_]+")
_EMPTY = frozenset(
    # Articles, pronouns, prepositions, auxiliaries and question words of English; our choice.
    """
    a an the this that these those it its he his him she her they their them we us our you your i me my
    of to in on at for with by from into after before as and or but if than then so
    is are was were be been being am do does did has have had will would shall should can could may might must
    what who whom whose which when where why how
    """.split()
)


def body(record: Segment | Event) -> str:
    """The text by which a record is found. Another text for the same record needs another version of the schema."""
    if isinstance(record, Segment):
        return record.words
    said = record.summary.casefold()
    named = (
        *record.actors, record.action, *record.objects, record.place, record.goal, record.state_before,
        record.state_after,
    )  # fmt: skip
    return " ".join([record.summary, *(name for name in named if name and name.casefold() not in said)])


def add(sql: sqlite3.Connection, row_id: int, record: Segment | Event) -> None:
    """Put a record into its index, within its transaction."""
    sql.execute(f"INSERT INTO {_table(record)} (rowid, body) VALUES (?, ?)", (row_id, body(record)))


def remove(sql: sqlite3.Connection, rows: Iterable[tuple[int, Record]]) -> None:
    """Take records out of the indexes for good, within a transaction: their words are left in none of the pages."""
    for row_id, record in rows:
        if isinstance(record, (Segment, Event)):
            table = _table(record)
            sql.execute(f"INSERT INTO {table} ({table}, rowid, body) VALUES ('delete', ?, ?)", (row_id, body(record)))
    for table in TABLES.values():  # else they stay until parts of the index happen to be merged
        sql.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")


def _table(record: Segment | Event) -> str:
    return TABLES["segment" if isinstance(record, Segment) else "event"]


def terms(question: str) -> list[str]:
    """The words of a question that are searched for, each once; all of them if none says anything."""
    found = list(dict.fromkeys(_WORD.findall(question.casefold())))
    return ([word for word in found if word not in _EMPTY] or found)[:MOST_TERMS]


def match(
    database: Database, question: str, k: int, kind: Kind, source: str | None, version: int
) -> list[tuple[str, float]]:
    """At most `k` of (id, BM25) of the records that held at a version and share a word, best first, equals by id.

    How rare a word is, is counted over everything that was ever put in.
    """
    wanted = " OR ".join(f'"{term}"' for term in terms(question))
    if not wanted:
        return []
    table = TABLES[kind]
    rows = database.read(
        f"SELECT id, -rank AS score FROM {table} CROSS JOIN records ON records.row_id = {table}.rowid "
        f"WHERE {table} MATCH ? AND (? IS NULL OR source = ?) AND {HELD} ORDER BY score DESC, id LIMIT ?",
        (wanted, source, source, version, version, k),
    )
    return [(id_, float(score)) for id_, score in rows]
