"""What a question rests on is found: planted stories, through the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from memory.narrative.retrieval.retrieve import retrieve
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Link
from tests.narrative_helpers import LETTER, WHY, WORDS, chain, embed, event, grounded, places, segment, tell


def test_an_old_version_tells_what_it_told(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        events = tell(store, LETTER, ((1, 10, "enables"),))
        before, version = retrieve(store, "tale", [WHY]), store.version
        store.commit(grounded((event(20, summary="a second letter of the neighbour"),), {events[10].id: None}))
        after = retrieve(store, "tale", [WHY])
        assert events[10] not in [scored.event for scored in after.ranked]
        assert retrieve(store, "tale", [WHY], as_of=version) == before


def test_budgets_hold_and_every_stretch_with_evidence_gives_some(tmp_path: Path) -> None:
    scenes = tuple(f"the bell rings {'bell ' * (40 - n > 20)}number {n}" for n in range(40))
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, scenes)
        few = WORDS.model_copy(update={"events": 8, "bins": 4, "most_a_bin": 3, "bin_share": 0.05})
        told = places(events, retrieve(store, "tale", ["the bell"], few).told)
        assert len(told) == 8
        assert {place // 10 for place in told} == {0, 1, 2, 3}
        assert max(sum(place // 10 == part for place in told) for part in range(4)) == 3
        free = places(events, retrieve(store, "tale", ["the bell"], few.model_copy(update={"bins": 1})).told)
        assert max(free) < 20
        short = retrieve(store, "tale", ["the bell"], WORDS.model_copy(update={"tokens": 60}))
        assert 0 < short.tokens <= 60


def test_chains_that_are_told_most_of_come_first(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, LETTER, ((1, 10, "enables"), (4, 7, "causes")))
        whole, part = chain(events[1], events[10]), chain(events[10], events[11])
        store.commit(Change((whole, part)))
        assert retrieve(store, "tale", [WHY], WORDS).chains == (whole, part)
        assert retrieve(store, "tale", [WHY], WORDS.model_copy(update={"chains": 1})).chains == (whole,)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        tell(store, LETTER)
        for question in ("zebra", "", "?!"):
            found = retrieve(store, "tale", [question], WORDS)
            assert (found.ranked, found.told, found.chains, found.tokens) == ((), (), (), 0)
        assert retrieve(store, "another", [WHY], WORDS).ranked == ()


def test_meaning_finds_what_words_do_not(tmp_path: Path) -> None:
    def near(texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "sea" in text or "ocean" in text else [0.0, 1.0] for text in texts], np.float32)

    with NarrativeStore(tmp_path, near, writer=True) as store:
        events = tell(store, ("a hill", "the ocean", "a town"))
        assert places(events, retrieve(store, "tale", ["sea"]).ranked)[0] == 1
        assert retrieve(store, "tale", ["sea"], WORDS).ranked == ()


def test_forgotten_words_are_found_no_more(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        tell(store, LETTER)
        store.forget("tale")
        assert store.match("letter", 5) == []
        assert store.event_ids_in([segment(1).id]) == {}
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("narrative.sqlite*"))
    assert not [word for word in (b"neighbour", b"letter", b"harvest") if word in raw]


def test_links_that_say_nothing_new_are_no_gain(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, ("the bell", "the bell"), ())
        one = Link(src=events[0].id, dst=events[1].id, type="causes", confidence=0.0)
        before = [scored.score for scored in retrieve(store, "tale", ["bell"], WORDS).ranked]
        store.commit(Change((one,)))
        assert [scored.score for scored in retrieve(store, "tale", ["bell"], WORDS).ranked] == before
