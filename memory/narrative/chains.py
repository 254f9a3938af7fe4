"""Causal and recurrence chains: paths over links that end in an outcome.

A chain ends in a sink, an event with incoming but no outgoing links, and is found by walking back from it. A sink's
salience comes from the events that lead to it, so no event has to be rewritten when the story goes on.
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
"""Link types that chains follow. The rules find few causes, so without a language model most chains come from
recurrence (`resumes`)."""
BEAM = 64
"""Beam width of the walk back from one sink."""
MOST_INTO = 12
"""Strongest incoming links followed per event; as many as there are candidates for one."""
_DIGITS = 6  # decimal places in chains: hides differences of rounding between machines and summation orders

_Walk = tuple[float, tuple[str, ...]]
"""Sum of the log strengths of some links, and the ids of the events they join, in order."""


class ChainOptions(BaseModel):
    """How chains are chosen.

    Attributes:
        salience: minimum salience of a sink (see `build_chains`), 0 to 1.
        hops: maximum number of links in a chain.
        per_sink: maximum number of chains that end in one sink.
        overlap: Jaccard index of the events of two chains from which only the better is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    salience: float = Field(default=0.6, ge=0, le=1)
    hops: int = Field(default=6, ge=1, le=12)
    per_sink: int = Field(default=3, ge=1)
    overlap: float = Field(default=0.8, gt=0, le=1)


def build_chains(events: Iterable[Event], links: Iterable[Link], options: ChainOptions | None = None) -> list[Chain]:
    """Build the chains of some events, in story order of their last events; for one such event, best first.

    Follows links of types in `WALKED` that join two events of one source and lead forward in story order. The strength
    of a link is its weight times its confidence; of several between two events, the strongest counts. The walk back
    from a sink is a beam search over at most `BEAM` paths and `MOST_INTO` links into an event. It stops where no link
    leads on, or after `hops` links. The score of a chain is the mean of its log strengths; of equal chains, the longer
    is better.

    The salience of a sink is the larger of `Event.salience` and the sum, capped at 1, over the events that the walk
    reaches, of the product of strengths on the best path from there. (This is Katz's index (1953) with the best path
    instead of all paths, and a bounded length.) So one explicit cause is enough, and so are two `resumes` links, in
    sequence or side by side.

    Takes at most `hops` * `BEAM` * `MOST_INTO` steps per sink, and one pass over the links.

    Args:
        events: of any sources.
        links: between the events; others are ignored.
        options: see `ChainOptions`.
    """
    chosen = options or ChainOptions()
    graph = _Graph(events, links)
    sinks = sorted(graph.sinks(), key=lambda id_: (order(graph.events[id_]), id_))
    return [chain for sink in sinks for chain in _chains_to(graph, sink, chosen)]


class _Graph:
    """The links that chains can follow; others are ignored."""

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
        """Return the events with incoming but no outgoing links."""
        return [id_ for id_ in self.events if id_ in self._into and id_ not in self._out]

    def into(self, id_: str) -> list[Link]:
        """Return the links into an event, strongest first."""
        if id_ not in self._best:
            links = sorted(self._into[id_].values() if id_ in self._into else (), key=_by_strength)
            self._best[id_] = links[:MOST_INTO]
        return self._best[id_]


def _chains_to(graph: _Graph, sink: str, options: ChainOptions) -> list[Chain]:
    """Build the chains that end in a sink, best first."""
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
    """Return what unites a chain: only causes, else one actor throughout, else a recurring theme."""
    if all(link.type in CAUSAL for src, dst in pairwise(events) for link in graph.into(dst.id) if link.src == src.id):
        return "causal"
    actors = set.intersection(*({name.casefold() for name in event.actors} for event in events))
    return "character" if actors else "theme"


def _strength(link: Link) -> float:
    return LINK_WEIGHTS[link.type] * link.confidence


def _by_strength(link: Link) -> tuple[float, bool, str, str]:
    """Sort key: strongest first; of equals, `resumes` last."""
    return -_strength(link), link.type not in CAUSAL, link.src, link.id


def _jaccard(one: Chain, other: Chain) -> float:
    mine, others = {*one.event_ids}, {*other.event_ids}
    return len(mine & others) / len(mine | others)
