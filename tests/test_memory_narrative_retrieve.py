"""What a question rests on is found: planted stories, through the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.narrative.changes import Change
from memory.narrative.retrieve import RetrieveOptions, retrieve
from memory.narrative.store import NarrativeStore
from memory.narrative.types import Event, Link, LinkType
from tests.narrative_helpers import chain, embed, event, link, segment

WORDS = RetrieveOptions(channels=("words", "segment words"))

LETTER = (
    "a garden in the morning sun",
    "a man in a grey coat hides a letter under the floor",
    "two women talk about the harvest",
    "a train leaves the station",
    "a fire burns down the desk of the house",
    "children play by the river",
    "a dog sleeps in the yard",
    "the heir is refused by the lawyer",
    "it rains on the market",
    "a horse is led to the stable",
    "the neighbour shows a copy of the letter",
    "the village dances at night",
)
"""A story of twelve scenes: why the neighbour's copy matters rests on the second, fifth, eighth and eleventh."""
GOLD = (1, 4, 7, 10)
WHY = "Why does the neighbour's copy of the letter matter?"


def tell(
    store: NarrativeStore, scenes: tuple[str, ...], bonds: tuple[tuple[int, int, LinkType], ...] = ()
) -> list[Event]:
    segments = [segment(number, words=words) for number, words in enumerate(scenes)]
    events = [event(number, summary=words, within=segments[number]) for number, words in enumerate(scenes)]
    links = [link(events[src], events[dst], type_) for src, dst, type_ in bonds]
    store.commit(Change((*segments, *events, *links)))
    return events


def places(events: list[Event], found: tuple) -> list[int]:
    number = {one.id: place for place, one in enumerate(events)}
    return [number[scored.event.id] for scored in found]


@pytest.mark.parametrize("linked", [True, False])
def test_far_evidence_is_found_by_links_and_only_by_them(tmp_path: Path, linked: bool) -> None:
    bonds: tuple[tuple[int, int, LinkType], ...] = ((1, 7, "enables"), (4, 7, "causes"), (1, 10, "enables"))
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, LETTER, bonds if linked else ())
        found = retrieve(store, "tale", [WHY], WORDS)
        told = places(events, found.told)
        assert told == sorted(told)
        assert ({*GOLD} <= set(told[:6])) is linked
        best = {scored.event.id: scored for scored in found.ranked}
        if linked:
            assert best[events[7].id].via is not None
            assert best[events[7].id].ranks == {}
            assert best[events[10].id].ranks["words 0"] == 1


def test_a_cause_and_its_effect_at_both_ends_are_found_over_two_links(tmp_path: Path) -> None:
    scenes = ("a key is forged", *("nothing of note" for _ in range(8)), "a door stands open", "the vault is empty")
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, scenes, ((0, 9, "enables"), (9, 10, "causes")))
        two = retrieve(store, "tale", ["Why is the vault empty?"], WORDS)
        assert places(events, two.told) == [0, 9, 10]
        one = retrieve(store, "tale", ["Why is the vault empty?"], WORDS.model_copy(update={"steps": 1}))
        assert places(events, one.told) == [9, 10]


def test_what_happened_twice_is_told_twice(tmp_path: Path) -> None:
    scenes = tuple("a boy rings the bell" if n in (3, 9) else f"scene {n} of the day" for n in range(12))
    with NarrativeStore(tmp_path, writer=True) as store:
        events = tell(store, scenes)
        assert places(events, retrieve(store, "tale", ["How many times does the bell ring?"], WORDS).told) == [3, 9]


def test_an_old_version_tells_what_it_told(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        events = tell(store, LETTER, ((1, 10, "enables"),))
        before, version = retrieve(store, "tale", [WHY]), store.version
        store.commit(Change((event(20, summary="a second letter of the neighbour"),), {events[10].id: None}))
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


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from(["causes", "reveals", "next"])), max_size=12
    ),
    st.sampled_from([WHY, "the fire", "a dog and a horse"]),
)
def test_any_links_keep_order_and_budget(
    tmp_path_factory: pytest.TempPathFactory, bonds: list[tuple[int, int, LinkType]], question: str
) -> None:
    with NarrativeStore(tmp_path_factory.mktemp("any"), writer=True) as store:
        events = tell(store, LETTER, tuple(bond for bond in dict.fromkeys(bonds) if bond[0] != bond[1]))
        found = retrieve(store, "tale", [question], WORDS)
        assert retrieve(store, "tale", [question], WORDS) == found
        scores = [scored.score for scored in found.ranked]
        assert scores == sorted(scores, reverse=True)
        told = places(events, found.told)
        assert told == sorted(told)
        assert found.tokens <= WORDS.tokens
        assert {scored.event.id for scored in found.told} <= {scored.event.id for scored in found.ranked}
        direct = retrieve(store, "tale", [question], WORDS.model_copy(update={"decay": 0.0, "beside": 0.0}))
        assert {scored.event.id for scored in direct.ranked} <= {scored.event.id for scored in found.ranked}


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
