"""Chains: the events that lead to one with which something ends, found over links of cause and of coming up again.

A chain ends in a sink, to which links lead and from which none does, and is walked back from there. What makes a sink
worth a chain is what leads to it, so that nothing about an event has to change when the story goes on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from memory.narrative.causal_order import CAUSAL, order
from memory.narrative.types import LINK_WEIGHTS, Chain, Event, Link, LinkType

WALKED: frozenset[LinkType] = CAUSAL | {"resumes"}
"""Types of links that chains are made of; our choice. Rules find few causes, and so a memory that is built without a
language model has most of its chains from what comes up again."""
BEAM = 64
"""Walks back from one sink that are followed at once; our choice."""
MOST_INTO = 12
"""Links into an event that are followed, the strongest; our choice: as many as there are candidates for one."""
_DIGITS = 6  # of numbers in chains, so that rounding differs on no machine and in no order of a sum

_Walk = tuple[float, tuple[str, ...]]
"""The sum of the logarithms of the strengths of some links, and the ids of the events that they join, in order."""


class ChainOptions(BaseModel):
    """How chains are chosen. All values are our choice.

    Attributes:
        salience: the least of a sink (see `build_chains`), 0 to 1.
        hops: links of a chain, at most.
        per_sink: chains that end in one sink, at most.
        overlap: the Jaccard index of the events of two chains at which only the better is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    salience: float = Field(default=0.6, ge=0, le=1)
    hops: int = Field(default=6, ge=1, le=12)
    per_sink: int = Field(default=3, ge=1)
    overlap: float = Field(default=0.8, gt=0, le=1)


def build_chains(events: Iterable[Event], links: Iterable[Link], options: ChainOptions | None = None) -> list[Chain]:
    """The chains of some events, in the order of the story of their last events; of one such event the best first.

    Walked are links of types in `WALKED` that join two events of one source and lead forward in the order of the story;
    the strength of one is its weight times its confidence, and of several between two events the strongest counts. The
    walk back from a sink is a beam search: at most `BEAM` walks are followed at once, over at most `MOST_INTO` links
    into an event. It ends where nothing leads on, or after `hops` links. The score of a chain is the mean of the
    logarithms of the strengths; of equal chains the longer is the better.

    The salience of a sink is `Event.salience`, or what leads to it if that is more: the sum, at most 1, over the events
    that the walk reaches, of the product of the strengths on the best way from there. (That is Katz's index (1953) with
    the best way for all ways, and a bounded length.) So one cause that is named is enough, and so are two links in
    which something comes up again, one after the other or side by side.

    The work is at most `hops` * `BEAM` * `MOST_INTO` steps a sink, and one pass over the links.

    Args:
        events: of any sources.
        links: between them; others are passed over.
        options: see `ChainOptions`.
    """
    chosen = options or ChainOptions()
    graph = _Graph(events, links)
    sinks = sorted(graph.sinks(), key=lambda id_: (order(graph.events[id_]), id_))
    return [chain for sink in sinks for chain in _chains_to(graph, sink, chosen)]


class _Graph:
    """Links that chains are walked over; those that cannot be are passed over."""

    def __init__(self, events: Iterable[Event], links: Iterable[Link]) -> None:
        self.events = {event.id: event for event in events}
        self._into: defaultdict[str, dict[str, Link]] = defaultdict(dict)
        self._out: set[str] = set()
        self._best: dict[str, list[Link]] = {}
        for link in links:
            src, dst = self.events.get(link.src), self.events.get(link.dst)
            if link.type not in WALKED or not _strength(link) or src is None or dst is None:
                continue
            if src.source != dst.source or not order(src) < order(dst):
                continue
            held = self._into[link.dst].get(link.src)
            if held is None or _by_strength(link) < _by_strength(held):
                self._into[link.dst][link.src] = link
            self._out.add(link.src)

    def sinks(self) -> list[str]:
        """The events that links lead to and none from."""
        return [id_ for id_ in self.events if id_ in self._into and id_ not in self._out]

    def into(self, id_: str) -> list[Link]:
        """The links into an event, the strongest first."""
        if id_ not in self._best:
            links = sorted(self._into[id_].values() if id_ in self._into else (), key=_by_strength)
            self._best[id_] = links[:MOST_INTO]
        return self._best[id_]


def _chains_to(graph: _Graph, sink: str, options: ChainOptions) -> list[Chain]:
    """The chains that end in a sink, best first."""
    front: list[_Walk] = [(0.0, (sink,))]
    whole: list[_Walk] = []
    reached: dict[str, float] = {}
    for _ in range(options.hops):
        longer = []
        for logs, ids in front:
            links = graph.into(ids[0])
            if not links:
                whole.append((logs, ids))
            longer += [(logs + math.log(_strength(link)), (link.src, *ids)) for link in links]
        front = sorted(longer, key=lambda walk: (-round(walk[0], _DIGITS), walk[1]))[:BEAM]
        for logs, ids in front:
            reached[ids[0]] = max(reached.get(ids[0], 0.0), math.exp(logs))
    salience = max(graph.events[sink].salience, sum(reached.values()))
    if round(salience, _DIGITS) < options.salience:
        return []
    kept: list[Chain] = []
    chains = [_chain(graph, walk) for walk in (*whole, *front)]
    for chain in sorted(chains, key=lambda chain: (-chain.score, -len(chain.event_ids), chain.event_ids)):
        if len(kept) < options.per_sink and all(_jaccard(chain, other) < options.overlap for other in kept):
            kept.append(chain)
    return kept


def _chain(graph: _Graph, walk: _Walk) -> Chain:
    logs, ids = walk
    events = [graph.events[id_] for id_ in ids]
    return Chain(
        event_ids=ids,
        kind=_kind(graph, events),
        score=round(logs / (len(ids) - 1), _DIGITS),
        span_s=round(max(event.end_s for event in events) - min(event.start_s for event in events), _DIGITS),
    )


def _kind(graph: _Graph, events: Sequence[Event]) -> Literal["causal", "character", "theme"]:
    """What holds a chain together: causes alone, else someone who acts in all of it, else something that comes up."""
    if all(link.type in CAUSAL for src, dst in pairwise(events) for link in graph.into(dst.id) if link.src == src.id):
        return "causal"
    actors = set.intersection(*({name.casefold() for name in event.actors} for event in events))
    return "character" if actors else "theme"


def _strength(link: Link) -> float:
    return LINK_WEIGHTS[link.type] * link.confidence


def _by_strength(link: Link) -> tuple[float, bool, str, str]:
    """Strongest first; of equals, one that says more than that something comes up again."""
    return -_strength(link), link.type not in CAUSAL, link.src, link.id


def _jaccard(one: Chain, other: Chain) -> float:
    mine, others = {*one.event_ids}, {*other.event_ids}
    return len(mine & others) / len(mine | others)
