"""BM25 ranking of events and segments by SQLite's full-text index, updated in the transactions of the records.

Words are stemmed (Porter); stop words such as "the" and "did" are removed from questions, but "no" and "not" stay. The
index stores no text of its own. Scores equal those of FTS5's `bm25()`, computed for all rows at once: FTS5 looks up the
length of each row, which takes 70 ms for words that occur in 70,000 rows. Internal to `memory.narrative`.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np

from memory.narrative.retrieval.search_cache import RowCache, put
from memory.narrative.retrieval.vectors import Kind
from memory.narrative.store.database import TOKENIZER
from memory.narrative.types import Event, Record, Segment
from tools.sqlite import Database, connect

TABLES: dict[Kind, str] = {"event": "event_words", "segment": "segment_words"}
"""One index per kind, since BM25 normalises by the mean length."""
MOST_TERMS = 32
"""Words of a question that are searched; a paragraph has no more that are distinctive."""
MOST_FOUND = 1_000_000
"""Rows cached with the words that were searched: 12 MB, enough for 20 words of a question that occur in half of 100,000
events."""
MOST_NEW = 500
"""Records whose words are added to the cached postings; if there are more, the index is read again."""
_Found = tuple[np.ndarray, np.ndarray]
"""Row numbers that contain a word (N,), ascending, and its frequency in each (N,)."""
K1, B, LEAST_IDF = 1.2, 0.75, 1e-6
"""BM25 parameters as in FTS5: term-frequency saturation, length normalisation, and minimum weight."""
_WORD = re.compile(r"[^\W_]+")
_EMPTY = frozenset(
    # Articles, pronouns, prepositions, auxiliaries and question words of English.
    """
    a an the this that these those it its he his him she her they their them we us our you your i me my
    of to in on at for with by from into after before as and or but if than then so
    is are was were be been being am do does did has have had will would shall should can could may might must
    what who whom whose which when where why how
    """.split()
)


def body(record: Segment | Event) -> str:
    """Return the text by which a record is found. To change it, raise the schema version."""
    if isinstance(record, Segment):
        return record.words
    said = record.summary.casefold()
    named = (
        *record.actors, record.action, *record.objects, record.place, record.goal, record.state_before,
        record.state_after,
    )  # fmt: skip
    return " ".join([record.summary, *(name for name in named if name and name.casefold() not in said)])


def add(sql: sqlite3.Connection, row_id: int, record: Segment | Event) -> None:
    """Add a record to its index, within its transaction."""
    sql.execute(f"INSERT INTO {_table(record)} (rowid, body) VALUES (?, ?)", (row_id, body(record)))


def remove(sql: sqlite3.Connection, rows: Iterable[tuple[int, Record]]) -> None:
    """Remove records from the indexes for good, within a transaction; none of their words stay in a page."""
    for row_id, record in rows:
        if isinstance(record, (Segment, Event)):
            table = _table(record)
            sql.execute(f"INSERT INTO {table} ({table}, rowid, body) VALUES ('delete', ?, ?)", (row_id, body(record)))
    for table in TABLES.values():  # otherwise they stay until SQLite happens to merge parts of the index
        sql.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")


def _table(record: Segment | Event) -> str:
    return TABLES["segment" if isinstance(record, Segment) else "event"]


def terms(question: str) -> list[str]:
    """Return the search terms of a question, each once; all its words if none is distinctive."""
    found = list(dict.fromkeys(_WORD.findall(question.casefold())))
    return ([word for word in found if word not in _EMPTY] or found)[:MOST_TERMS]


class BM25Index:
    """The word indexes of one memory. Thread-safe."""

    def __init__(self, database: Database, rows: RowCache) -> None:
        self._database, self._rows = database, rows
        self._forgotten = -1
        self._lengths = {kind: np.zeros(1, np.int32) for kind in TABLES}
        self._last = 0  # newest row whose words are in the cached postings
        self._forgotten_before = -1
        self._found_before: dict[tuple[str, str], _Found] = {}  # by table and word, least recently used first

    def match(self, question: str, k: int, source: str | None, kind: Kind, version: int) -> list[tuple[str, float]]:
        """Return at most `k` of (id, BM25) of the records valid at a version that share a word, best first, ties by id.

        Document frequencies count all records of the source added up to that version: neither other films nor later
        records change a ranking.
        """
        found = [(rows, times) for rows, times in self._found(TABLES[kind], _stems(terms(question))) if len(rows)]
        if not found:
            return []
        with self._rows.lock:
            by_row = self._refreshed(kind)
            fits = self._rows.fits(source, version)
            by_row = by_row[: len(fits)]  # a row committed in the meantime waits for the next question
            counted = (by_row > 0) & fits[: len(by_row)]
        if not (count := int(counted.sum())):
            return []
        mean = by_row[counted].mean()
        scores = np.zeros(len(by_row))
        for rows, times in found:
            known = rows < len(by_row)  # rows committed in the meantime are not
            rows, times = rows[known], times[known]
            fits = counted[rows]
            rows, times = rows[fits], times[fits]
            weight = max(math.log((count - len(rows) + 0.5) / (len(rows) + 0.5)), LEAST_IDF)
            scores[rows] += weight * (times * (K1 + 1) / (times + K1 * (1 - B + B * by_row[rows] / mean)))
        rows = np.flatnonzero(scores)
        return self._rows.best(rows, scores[rows], k, source, version)

    def _found(self, table: str, stems: list[str]) -> list[_Found]:
        """Return the postings of each word; for a cached word, reads only new records."""
        with self._rows.lock:
            self._catch_up()
            found = []
            for stem in stems:
                held = self._found_before.pop((table, stem), None)
                held = self._read(table, stem) if held is None else held
                self._found_before[table, stem] = held
                found.append(held)
            room = MOST_FOUND
            for key in reversed(list(self._found_before)):
                room -= len(self._found_before[key][0])
                if room < 0:
                    del self._found_before[key]
            return found

    def _catch_up(self) -> None:
        """Add the words of new records to the cached postings; if there are many, or some were removed, read them
        again.

        A word that was read later than the others already covers the newest records.
        """
        forgotten = self._database.meta("forgotten", 0)
        new = self._database.read(
            "SELECT row_id, kind, body FROM records WHERE row_id > ? AND +kind IN ('segment', 'event') "
            "ORDER BY row_id LIMIT ?",
            (self._last, MOST_NEW + 1),
        )
        if forgotten != self._forgotten_before or len(new) > MOST_NEW:
            self._found_before.clear()
            self._forgotten_before = forgotten
            self._last = self._database.read("SELECT coalesce(max(row_id), 0) FROM records")[0][0]
        elif new:
            self._last = new[-1][0]
            if self._found_before:
                for (table, stem), (at, times) in _words_of(new).items():
                    if (held := self._found_before.get((table, stem))) is not None:
                        later = at > (held[0][-1] if len(held[0]) else 0)
                        joined = (
                            np.concatenate([old, more[later]]) for old, more in zip(held, (at, times), strict=True)
                        )
                        self._found_before[table, stem] = (next(joined), next(joined))

    def _read(self, table: str, stem: str) -> _Found:
        # One group_concat is read in a quarter of the time of as many rows.
        listed = self._database.read(f"SELECT group_concat(doc) FROM temp.{table}_at WHERE term = ?", (stem,))[0][0]
        rows, times = np.unique(np.fromstring(listed or "", np.int64, sep=","), return_counts=True)
        return rows, times.astype(np.int32)

    def _refreshed(self, kind: Kind) -> np.ndarray:
        """Return the length in words of each row (N,), by row number; 0 for rows of another kind."""
        if (forgotten := self._rows.refresh()) != self._forgotten:
            self._lengths = {kind: np.zeros(1, np.int32) for kind in TABLES}
            self._forgotten = forgotten
        lengths = self._lengths[kind]
        new = self._database.read(
            f"SELECT id, sz FROM {TABLES[kind]}_docsize WHERE id > ? ORDER BY id", (len(lengths) - 1,)
        )
        if new:
            lengths = put(lengths, [row_id for row_id, _ in new], [_varint(size) for _, size in new])
            self._lengths[kind] = lengths
        return lengths


def _varint(code: bytes) -> int:
    """Decode FTS5's length of a row: a varint of seven bits per byte, the highest first."""
    number = 0
    for byte in code:
        number = number << 7 | byte & 0x7F
    return number


def _stems(words: list[str]) -> list[str]:
    """Return words as the index stores them."""
    return [stem for _, stem in _tokens(list(enumerate(words)))]


def _words_of(rows: list[tuple[int, str, str]]) -> dict[tuple[str, str], _Found]:
    """Return the postings of some records, given as (row number, kind, body as JSON), by table and word."""
    found: dict[tuple[str, str], _Found] = {}
    forms: dict[Kind, type[Segment] | type[Event]] = {"segment": Segment, "event": Event}
    for kind, form in forms.items():
        texts = [(row_id, body(form.model_validate_json(text))) for row_id, of, text in rows if of == kind]
        counts: dict[str, Counter[int]] = {}
        for row_id, stem in _tokens(texts):
            counts.setdefault(stem, Counter())[row_id] += 1
        for stem, times in counts.items():
            at = sorted(times)
            found[TABLES[kind], stem] = (
                np.array(at, np.int64), np.array([times[row_id] for row_id in at], np.int32)
            )  # fmt: skip
    return found


def _tokens(texts: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the indexed words of numbered texts, each with the number of its text, in order."""
    with closing(connect(":memory:")) as sql:
        sql.execute("BEGIN")  # the index is written once, not after each text
        sql.execute(f"CREATE VIRTUAL TABLE words USING fts5 (body, content='', tokenize='{TOKENIZER}')")
        sql.execute("CREATE VIRTUAL TABLE stems USING fts5vocab (words, 'instance')")
        sql.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", texts)
        yield from sql.execute("SELECT doc, term FROM stems ORDER BY doc, offset")
