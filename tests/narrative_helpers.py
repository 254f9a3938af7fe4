"""Small narratives for the tests of narrative memory, and texts as vectors without a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from memory.narrative.retrieval.retrieve import RetrieveOptions, Scored
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Chain, Event, Link, LinkType, Record, Segment, SourceSpan

DIM = 16
Bond = tuple[int, int, LinkType]
"""A link between two scenes, by their numbers."""
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
"""A story of twelve scenes: why the neighbour's copy matters rests on the second, fifth, eighth and eleventh, of which
the fifth and the eighth share no word with the question."""
GOLD = [1, 4, 7, 10]
BONDS: list[Bond] = [(1, 7, "enables"), (4, 7, "causes"), (1, 10, "enables")]
WHY = "Why does the neighbour's copy of the letter matter?"


def embed(texts: list[str]) -> np.ndarray:
    """Each text as a unit vector that depends on nothing else; no two are near."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    vectors = np.stack([np.random.default_rng(seed).normal(size=DIM) for seed in seeds])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def segment(number: int, source: str = "tale", words: str = "") -> Segment:
    return Segment(
        source=source,
        number=number,
        start_s=10.0 * number,
        end_s=10.0 * number + 10,
        caption=words or f"what is seen {number}",
    )


def event(
    number: float,
    source: str = "tale",
    summary: str = "",
    actors: tuple[str, ...] = (),
    within: Segment | None = None,
) -> Event:
    """Something a second long, in the segment that the `number` falls into."""
    within = within or segment(int(number), source)
    return Event(
        source=source,
        segment_ids=(within.id,),
        start_s=10 * number,
        end_s=10 * number + 1,
        summary=summary or f"event {number} of {source}",
        actors=actors,
        spans=(SourceSpan(segment_id=within.id, field="caption", start=0, end=4),),
    )


def grounded(
    add: Sequence[Record] = (),
    retire: Mapping[str, str | None] | None = None,
    reason: str = "",
    inputs: Mapping[tuple[str, str], str | None] | None = None,
    aliases: tuple[tuple[str, str], ...] = (),
) -> Change:
    """A change that adds the segments that its events lie in, too, if it does not itself."""
    lie_in: dict[str, Segment] = {}
    for one in add:
        if isinstance(one, Event):
            numbers = range(max(0, int(one.start_s // 10) - 1), int(one.end_s // 10) + 1)
            lie_in |= {
                part.id: part for part in (segment(n, one.source) for n in numbers) if part.id in one.segment_ids
            }
    missing = (part for id_, part in lie_in.items() if id_ not in {one.id for one in add})
    return Change((*missing, *add), retire or {}, reason, inputs or {}, aliases)


def link(src: Event, dst: Event, type_: LinkType = "causes", why: str = "") -> Link:
    return Link(src=src.id, dst=dst.id, type=type_, why=why)


def chain(*events: Event, summary: str = "") -> Chain:
    span_s = events[-1].end_s - events[0].start_s
    return Chain(event_ids=tuple(event.id for event in events), score=-0.5, span_s=span_s, summary=summary)


def tell(store: NarrativeStore, scenes: Sequence[str], bonds: Sequence[Bond] = ()) -> list[Event]:
    """Put a story into the memory, an event a scene, and return the events."""
    segments = [segment(number, words=words) for number, words in enumerate(scenes)]
    events = [event(number, summary=words, within=segments[number]) for number, words in enumerate(scenes)]
    store.commit(Change((*segments, *events, *(link(events[src], events[dst], type_) for src, dst, type_ in bonds))))
    return events


def places(events: Sequence[Event], found: Sequence[Scored]) -> list[int]:
    """The numbers of the scenes that were found."""
    number = {one.id: place for place, one in enumerate(events)}
    return [number[scored.event.id] for scored in found]
