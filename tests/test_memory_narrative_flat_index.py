"""Many words and vectors are ranked in memory: as FTS5 and NumPy rank them, at any version, within bounds."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.narrative.retrieval import bm25, flat_index
from memory.narrative.retrieval.flat_index import FlatIndex
from memory.narrative.store.database import TOKENIZER
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import Event
from tests.narrative_helpers import embed, event, grounded
from tools.media.types import Span

VOCABULARY = ("king", "Kings", "letter", "über", "door doors", "the", "42", "患者", "a_b", "don't")
TEXTS = st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=9).map(" ".join), min_size=1, max_size=12)


def told(texts: list[str], source: str = "tale", first: int = 0) -> list[Event]:
    return [event(first + number, source, summary=text) for number, text in enumerate(texts)]


def by_fts5(events: list[Event], question: str, among: set[str]) -> list[tuple[str, float]]:
    """What FTS5's own ranking says of some events, those that do not hold included, as far as they are `among`."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE held USING fts5 (body, content='', tokenize='{TOKENIZER}')")
    database.executemany(
        "INSERT INTO held (rowid, body) VALUES (?, ?)", [(n, bm25.body(one)) for n, one in enumerate(events, start=1)]
    )
    wanted = " OR ".join(f'"{term}"' for term in bm25.terms(question))
    found = database.execute("SELECT rowid, -rank FROM held WHERE held MATCH ?", (wanted,)).fetchall() if wanted else []
    database.close()
    ranked = [(events[number - 1].id, score) for number, score in found]
    return sorted((pair for pair in ranked if pair[0] in among), key=lambda pair: (-pair[1], pair[0]))


def by_numpy(events: list[Event], text: str) -> list[str]:
    cosines = embed([one.summary for one in events]) @ embed([text])[0]
    return [id_ for _, id_ in sorted(zip(-cosines.round(5), (one.id for one in events), strict=True))]


@settings(max_examples=40)
@given(TEXTS, TEXTS, st.lists(st.sampled_from((*VOCABULARY, "nobody")), max_size=4).map(" ".join))
def test_words_are_ranked_as_fts5_ranks_them(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], more: list[str], question: str
) -> None:
    first, other, late = told(texts), told(more, "other"), told(more, first=50)
    with NarrativeStore(tmp_path_factory.mktemp("words"), writer=True) as store:
        store.commit(grounded((*first, *other)))
        store.match(question, 99)  # what is known of an older version misleads nobody
        store.commit(grounded(tuple(late), {first[0].id: None}))
        put_in = [*first, *other, *late]
        held = {one.id for one in put_in} - {first[0].id}
        assert store.match(question, 99) == by_fts5(put_in, question, held)
        tale = {one.id for one in (*first, *late)} & held
        of_tale = [*first, *late]
        assert store.match(question, 99, "tale") == by_fts5(of_tale, question, tale)
        assert store.match(question, 2, "tale") == by_fts5(of_tale, question, tale)[:2]
        old = {one.id for one in first}
        assert store.match(question, 99, "tale", as_of=1) == by_fts5(first, question, old)
        assert store.match(question, 99, "unknown") == []


def test_words_that_are_asked_for_again_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = bm25.BM25Index._read
    monkeypatch.setattr(bm25.BM25Index, "_read", lambda self, *given: read.append(given[1]) or whole(self, *given))
    with NarrativeStore(tmp_path, writer=True) as store:
        store.commit(grounded(tuple(told(["a red door", "a red king", "a queen"]))))
        for question in ("red door", "door", "red king"):
            store.match(question, 9)
        assert read == ["red", "door", "king"]
        store.commit(grounded((event(9, summary="a red letter"),)))
        assert len(store.match("red", 9)) == 3
        monkeypatch.setattr(bm25, "MOST_FOUND", 3)
        for question in ("red", "door", "red"):  # there is room for one of them
            store.match(question, 9)
        assert read == ["red", "door", "king", "door", "red"]


@pytest.mark.parametrize("most_new", [500, 2])
def test_words_of_what_is_new_are_found_as_if_all_were_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_new: int
) -> None:
    monkeypatch.setattr(bm25, "MOST_NEW", most_new)
    dice = random.Random(0)
    vocabulary = ["doors", "door", "red", "king", "kings", "letter", "Lettered", "running", "run"]
    with NarrativeStore(tmp_path, writer=True) as store, NarrativeStore(tmp_path) as reader:
        number = 0
        for turn in range(12):
            texts = [" ".join(dice.choices(vocabulary, k=4)) for _ in range(dice.randrange(1, 6))]
            made = [event(number + place, summary=text) for place, text in enumerate(texts)]
            number += len(made)
            gone = [one.id for one in store.events() if dice.random() < 0.2]
            store.commit(grounded(tuple(made), dict.fromkeys(gone)))
            if turn == 8:
                store.forget("tale", Span(0, 30))
            asked = dice.sample(vocabulary, 3)
            with NarrativeStore(tmp_path) as fresh:
                expected = fresh.match(" ".join(asked), 99)
            assert expected or turn == 8
            assert store.match(" ".join(asked), 99) == expected
            if turn % 2:  # this one has to catch up with several versions
                assert reader.match(" ".join(asked), 99) == expected


@pytest.mark.parametrize("room", [2**30, 16 * 4 * 8 + 64, 100])
def test_a_reader_finds_what_is_nearest_whatever_has_room_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(flat_index, "MAX_BYTES", room)
    monkeypatch.setattr(flat_index, "BLOCK", 3)
    first, other = told([f"scene {n}" for n in range(8)]), told([f"scene {n}" for n in range(8)], "other")
    with NarrativeStore(tmp_path, embed, writer=True) as store, NarrativeStore(tmp_path, embed) as reader:
        store.commit(grounded((*first, *other)))
        store.index()

        def found(source: str | None, as_of: int | None = None) -> list[str]:
            held: FlatIndex = reader._vectors._all
            ids = [id_ for id_, _ in reader.nearest("scene 5", 99, source, as_of=as_of)]
            assert sum(one.bytes for one in held._held.values()) <= room
            return ids

        assert found("tale") == by_numpy(first, "scene 5")
        assert found("other") == by_numpy(other, "scene 5")
        late = told(["scene 5 again", "an end"], first=20)
        store.commit(grounded(tuple(late), {first[5].id: None}))
        assert found("tale") == by_numpy([*first[:5], *first[6:]], "scene 5")  # not embedded yet
        store.index()
        now = [*first[:5], *first[6:], *late]
        assert found("tale") == by_numpy(now, "scene 5")
        assert found(None) == by_numpy([*now, *other], "scene 5")
        assert found("tale", as_of=1) == by_numpy(first, "scene 5")
        assert reader.nearest("scene 5", 2, "tale") == reader.nearest("scene 5", 99, "tale")[:2]
        assert found("unknown") == []


def test_a_reader_finds_nothing_of_what_another_forgot(tmp_path: Path) -> None:
    events = told([f"scene {n}" for n in range(6)])
    with NarrativeStore(tmp_path, embed, writer=True) as store, NarrativeStore(tmp_path, embed) as reader:
        store.commit(grounded(tuple(events)))
        store.index()
        assert len(reader.match("scene", 9)) == len(reader.nearest("scene 3", 9)) == 6
        store.forget("tale", Span(30, 35))
        left = [*events[:3], *events[4:]]
        assert [id_ for id_, _ in reader.nearest("scene 3", 9)] == by_numpy(left, "scene 3")
        assert reader.match("scene 4", 9) == by_fts5(left, "scene 4", {one.id for one in left})
        again = told(["scene 3"], first=30)
        store.commit(grounded(tuple(again)))
        store.index()
        assert reader.nearest("scene 3", 1) == [(again[0].id, pytest.approx(1))]
        assert np.isclose(reader.match("3", 1)[0][1], by_fts5([*left, *again], "3", {again[0].id})[0][1])
