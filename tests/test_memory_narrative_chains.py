"""The order of the story, and chains: through the public functions, on small graphs, and against plain enumeration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.narrative.causal_order import illegal, order
from memory.narrative.chains import WALKED, ChainOptions, build_chains
from memory.narrative.ingest.extract_rules import extract
from memory.narrative.ingest.extract_rules import link as links_of
from memory.narrative.types import LINK_WEIGHTS, Chain, Event, Link, LinkType
from tests.narrative_helpers import BONDS, LETTER, Bond, event, link, segment


def scenes(number: int) -> list[Event]:
    return [event(place) for place in range(number)]


def joined(events: Sequence[Event], *bonds: Bond, confidence: float = 1.0) -> list[Link]:
    return [
        link(events[src], events[dst], type_).model_copy(update={"confidence": confidence})
        for src, dst, type_ in bonds
    ]  # fmt: skip


def numbers(events: Sequence[Event], chains: Sequence[Chain]) -> list[list[int]]:
    place = {one.id: number for number, one in enumerate(events)}
    return [[place[id_] for id_ in chain.event_ids] for chain in chains]


# The order of the story


def test_two_sentences_of_one_subtitle_are_in_the_order_of_their_words() -> None:
    one = segment(0, words="The fire burns down the desk. Nothing is left of the letter.")
    first, second = (each.model_copy(update={"start_s": 0.0, "end_s": 9.0}) for each in extract([one]))
    assert order(first) < order(second)
    assert illegal(first, second, "causes") is None
    assert (
        illegal(second, first, "causes") == "leads from 0 to 0, and the first event is shown or told after the second"
    )
    again = first.model_copy(update={"summary": "The desk burns."})
    for src, dst in ((first, again), (again, first)):
        assert "begin at once with the same words, so that neither comes first" in str(illegal(src, dst, "enables"))


def test_what_is_seen_comes_before_what_is_said_at_once() -> None:
    seen = event(1)
    said = seen.model_copy(update={"spans": (seen.spans[0].model_copy(update={"field": "dialogue"}),)})
    assert order(seen) < order(said)


@pytest.mark.parametrize("type_", sorted(LINK_WEIGHTS))
def test_only_causes_have_to_lead_forward_and_nothing_leads_to_itself(type_: LinkType) -> None:
    first, second = scenes(2)
    assert illegal(first, second, type_) is None
    assert (illegal(second, first, type_) is None) is (type_ not in {"causes", "motivates", "enables", "blocks"})
    assert illegal(first, first, type_) == "leads from an event to itself"


def test_two_sources_share_a_clock_where_story_times_say_so() -> None:
    first, second = event(1), event(2, "other")
    assert illegal(first, second, "reveals") is None
    assert "10 to 20, which are times of two sources, 'tale' and 'other'" in str(illegal(first, second, "causes"))
    first, second = (one.model_copy(update={"story_s": one.start_s}) for one in (first, second))
    assert illegal(first, second, "causes") is None
    assert illegal(second, first, "causes") == "leads back in the story, from 20 to 10"


# Chains


def test_the_letter_has_a_chain_for_each_way_to_its_ends() -> None:
    events = scenes(len(LETTER))
    chains = build_chains(events, joined(events, *BONDS))
    assert numbers(events, chains) == [[4, 7], [1, 7], [1, 10]]
    assert [chain.kind for chain in chains] == ["causal"] * 3
    assert [chain.score for chain in chains] == [0.0, round(math.log(0.8), 6), round(math.log(0.8), 6)]
    assert [chain.span_s for chain in chains] == [31.0, 61.0, 91.0]


def test_what_comes_up_again_and_again_is_a_chain_and_once_again_is_none() -> None:
    events = extract(
        [segment(n, words=f"A man holds the {'letter' if n % 3 == 0 else f'sword of Hill{n}'} up.") for n in range(10)],
        {"letter": 4},
    )
    chains = build_chains(events, links_of(events))
    assert numbers(events, chains) == [[0, 3, 6, 9]]
    assert chains[0].kind == "theme"
    assert chains[0].score == round(math.log(0.6 * 0.8), 6)
    assert build_chains(events[:4], links_of(events[:4])) == []
    assert len(build_chains(events[:7], links_of(events[:7]))) == 1


def test_what_matters_by_itself_needs_less_to_lead_to_it() -> None:
    events = scenes(2)
    weak = joined(events, (0, 1, "resumes"), confidence=0.5)
    assert build_chains(events, weak) == []
    events[1] = events[1].model_copy(update={"salience": 0.6})
    assert numbers(events, build_chains(events, joined(events, (0, 1, "resumes"), confidence=0.5))) == [[0, 1]]
    assert build_chains(events, joined(events, (0, 1, "resumes"), confidence=0.5), ChainOptions(salience=0.61)) == []


def test_a_chain_is_of_a_character_who_acts_in_all_of_it() -> None:
    bonds: list[Bond] = [(0, 1, "causes"), (1, 2, "resumes")]
    for actors, kind in ((("the Fox", "a crow"), "character"), (("an owl",), "theme")):
        events = [event(0, actors=("The fox",)), event(1, actors=("the fox", "a hen")), event(2, actors=actors)]
        assert [chain.kind for chain in build_chains(events, joined(events, *bonds))] == [kind]
    events = [event(number, actors=("the fox",)) for number in range(3)]
    assert [chain.kind for chain in build_chains(events, joined(events, (0, 1, "causes"), (1, 2, "blocks")))] == [
        "causal"
    ]


def test_a_flashback_stands_first_in_its_chain() -> None:
    thrown_out, forged = event(0), event(6).model_copy(update={"story_s": -5.0})
    (chain,) = build_chains([thrown_out, forged], [link(forged, thrown_out)])
    assert chain.event_ids == (forged.id, thrown_out.id)
    assert chain.span_s == 61.0


def test_links_that_lead_nowhere_are_not_walked() -> None:
    events = [*scenes(3), event(3, "other")]
    links = [
        *joined(events, (0, 1, "causes"), confidence=0.0),
        *joined(events, (1, 2, "next"), (0, 2, "reveals"), (0, 2, "contradicts"), (2, 1, "resumes"), (2, 3, "resumes")),
        link(events[0], event(9)),
    ]  # fmt: skip
    assert build_chains(events, links) == []


def test_of_two_links_between_two_events_the_stronger_counts() -> None:
    events = scenes(2)
    links = joined(events, (0, 1, "resumes"), (0, 1, "blocks"), (0, 1, "enables"))
    (chain,) = build_chains(events, links)
    assert (chain.kind, chain.score) == ("causal", round(math.log(0.8), 6))
    even = [*joined(events, (0, 1, "resumes")), *joined(events, (0, 1, "enables"), confidence=0.75)]
    assert [one.kind for one in build_chains(events, even)] == ["causal"]


def test_a_chain_has_so_many_links_and_no_sink_too_many_chains() -> None:
    events = scenes(12)
    row: list[Bond] = [(number, number + 1, "causes") for number in range(11)]
    assert numbers(events, build_chains(events, joined(events, *row))) == [[5, 6, 7, 8, 9, 10, 11]]
    assert numbers(events, build_chains(events, joined(events, *row), ChainOptions(hops=2))) == [[9, 10, 11]]
    many: list[Bond] = [(number, 11, "causes") for number in range(11)]
    assert len(build_chains(events, joined(events, *many))) == 3
    assert len(build_chains(events, joined(events, *many), ChainOptions(per_sink=5))) == 5


def test_a_chain_that_is_nearly_a_better_one_is_left_out() -> None:
    events = scenes(5)
    row: list[Bond] = [(0, 1, "causes"), (1, 2, "causes"), (2, 3, "causes"), (3, 4, "causes"), (1, 3, "blocks")]
    assert numbers(events, build_chains(events, joined(events, *row))) == [[0, 1, 2, 3, 4]]
    both = build_chains(events, joined(events, *row), ChainOptions(overlap=0.81))
    assert numbers(events, both) == [[0, 1, 2, 3, 4], [0, 1, 3, 4]]


GRAPHS = st.lists(
    st.tuples(
        st.integers(0, 8), st.integers(0, 8), st.sampled_from(["causes", "enables", "blocks", "resumes", "next"]),
        st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    ),
    max_size=18,
)  # fmt: skip


def made_links(events: Sequence[Event], graph: Sequence[tuple[int, int, LinkType, float]]) -> list[Link]:
    return [
        *{
            one.id: one
            for src, dst, type_, confidence in graph
            if src != dst
            for one in joined(events, (min(src, dst), max(src, dst), type_), confidence=confidence)
        }.values()
    ]


@given(GRAPHS, st.integers(1, 6), st.integers(1, 3))
def test_chains_are_those_that_a_plain_enumeration_finds(
    graph: list[tuple[int, int, LinkType, float]], hops: int, per_sink: int
) -> None:
    events = scenes(9)
    links = made_links(events, graph)
    into: dict[str, dict[str, float]] = {one.id: {} for one in events}
    for one in links:
        strength = LINK_WEIGHTS[one.type] * one.confidence
        if one.type in WALKED and strength:
            into[one.dst][one.src] = max(strength, into[one.dst].get(one.src, 0.0))
    sources = {src for by_src in into.values() for src in by_src}

    def ways(end: str, left: int) -> list[tuple[list[str], list[float]]]:
        """All ways to an event, of the most links, or from where nothing leads on."""
        if not left or not into[end]:
            return [([end], [])]
        return [
            ([*ids, end], [*strengths, strength])
            for src, strength in into[end].items()
            for ids, strengths in ways(src, left - 1)
        ]

    expected = []
    for sink in (one.id for one in events if into[one.id] and one.id not in sources):
        found = ways(sink, hops)
        reached: dict[str, float] = {}
        for ids, strengths in found:
            for place, id_ in enumerate(ids[:-1]):
                reached[id_] = max(reached.get(id_, 0.0), math.prod(strengths[place:]))
        if sum(reached.values()) < 0.6 - 1e-9:
            continue
        scored = sorted((-round(sum(map(math.log, s)) / len(s), 6), -len(s), ids) for ids, s in found)
        kept: list[list[str]] = []
        for *_, ids in scored:
            if len(kept) < per_sink and all(len({*ids} & {*k}) / len({*ids} | {*k}) < 0.8 for k in kept):
                kept.append(ids)
        expected += kept
    options = ChainOptions(hops=hops, per_sink=per_sink)
    chains = build_chains(events, links, options)
    assert [list(chain.event_ids) for chain in chains] == expected
    assert build_chains(events[::-1], links[::-1], options) == chains


def test_a_dense_graph_is_walked_in_bounded_steps_and_its_best_chain_found() -> None:
    """Plain enumeration would take twenty to the power of six walks."""
    layers = [[event(layer + place / 100) for place in range(20)] for layer in range(7)]
    events = [one for layer in layers for one in layer]
    links = [
        Link(src=src.id, dst=dst.id, type="causes", confidence=0.9 if src is one[17] and dst is other[17] else 0.5)
        for one, other in pairwise(layers)
        for src in one
        for dst in other
    ]
    chains = build_chains(events, links)
    assert 20 <= len(chains) <= 3 * 20
    best = max(chains, key=lambda chain: chain.score)
    assert best.event_ids == tuple(layer[17].id for layer in layers)
