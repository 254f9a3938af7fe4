"""Chains: the events that lead to one with which something ends, found over links of cause and of coming up again.

A chain ends in a sink, to which links lead and from which none does, and is walked back from there. What makes a sink
worth a chain is what leads to it, so that nothing about an event has to change when the story goes on. A change of the
memory makes anew only the chains whose links it touches (`with_chains`), at a cost that does not grow with the memory.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from memory.narrative.changes import Change
from memory.narrative.order import CAUSAL, order
from memory.narrative.store import NarrativeStore
from memory.narrative.types import LINK_WEIGHTS, Chain, Event, Link, LinkType, Record

WALKED: frozenset[LinkType] = CAUSAL | {"resumes"}
"""Types of links that chains are made of; our choice. Rules find few causes, and so a memory that is built without a
language model has most of its chains from what comes up again."""
BEAM = 64
"""Walks back from one sink that are followed at once; our choice."""
MOST_INTO = 12
"""Links into an event that are followed, the strongest; our choice: as many as there are candidates for one."""
MOST_AFTER = 1_000
"""Events after those that a change touches whose chains are made anew with them; our choice."""
_DIGITS = 6  # of numbers in chains, so that rounding differs on no machine and in no order of a sum

_Made = TypeVar("_Made", bound=Record)
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
    sinks = sorted(graph.sinks(graph.events), key=lambda id_: (order(graph.events[id_]), id_))
    return [chain for sink in sinks for chain in _chains_to(graph, sink, chosen)]


def with_chains(store: NarrativeStore, change: Change, options: ChainOptions | None = None) -> Change:
    """A change that is not yet committed, with the chains that it makes, and those that it ends retired.

    Only chains that end in events that new or retired links touch, or in what these lead to within `hops` links, are
    made anew; the others stay as they are. After each change that is made with this, the memory holds the chains that
    `build_chains` finds in all of it, unless more than `MOST_AFTER` events come after what a change touches. A chain
    that stays the same keeps its summary; another is superseded by the one that shares most of its events.

    Args:
        store: the memory that the change is for, at its newest version.
        change: with events and links; chains that it adds or retires itself are left alone.
        options: see `ChainOptions`; always the same for one memory.
    """
    chosen = options or ChainOptions()
    gone = _gone_links(store, change)
    new = _some(Link, change.add)
    graph = _Graph(_some(Event, change.add), new, store, {*change.retire, *(link.id for link in gone)})
    ends = _after(graph, [*new, *gone], chosen.hops)
    made = {chain.event_ids: chain for sink in graph.sinks(ends) for chain in _chains_to(graph, sink, chosen)}
    last = {*ends, *change.retire}
    held = [
        chain
        for chain in store.chains(event_ids=sorted(last))
        if chain.id not in change.retire and (chain.event_ids[-1] in last or {*chain.event_ids} & change.retire.keys())
    ]
    for old in held:
        if old.summary and old.event_ids in made:
            made[old.event_ids] = made[old.event_ids].model_copy(update={"summary": old.summary})
    wanted = {chain.id: chain for chain in made.values()}
    retire = {old.id: _heir(old, wanted.values()) for old in held if old.id not in wanted}
    kept = {old.id for old in held}
    add = (chain for id_, chain in wanted.items() if id_ not in kept)
    return replace(change, add=(*change.add, *add), retire={**change.retire, **retire})


class _Graph:
    """Links that chains are walked over, read from a store as they are needed, if there is one.

    Args:
        events: those that need not be read.
        links: likewise; those that cannot be walked over are passed over.
        store: what else there is.
        gone: ids of events and links that are read no more.
    """

    def __init__(
        self,
        events: Iterable[Event],
        links: Iterable[Link],
        store: NarrativeStore | None = None,
        gone: Iterable[str] = (),
    ) -> None:
        self.events = {event.id: event for event in events}
        self._store, self._gone = store, frozenset(gone)
        self._into: defaultdict[str, dict[str, Link]] = defaultdict(dict)
        self._out: defaultdict[str, set[str]] = defaultdict(set)
        self._best: dict[str, list[Link]] = {}
        self._read: set[str] = set()
        self._add(links)

    def sinks(self, ids: Iterable[str]) -> list[str]:
        """Those of some events that links lead to and none from."""
        wanted = list(ids)
        self._load(wanted)
        return [id_ for id_ in wanted if id_ in self._into and id_ not in self._out]

    def into(self, ids: Sequence[str]) -> list[list[Link]]:
        """The links into each of some events, the strongest first."""
        self._load(ids)
        for id_ in ids:
            if id_ not in self._best:
                links = sorted(self._into[id_].values() if id_ in self._into else (), key=_by_strength)
                self._best[id_] = links[:MOST_INTO]
        return [self._best[id_] for id_ in ids]

    def after(self, ids: Iterable[str]) -> set[str]:
        """The events that links from some events lead to."""
        wanted = sorted(ids)
        self._load(wanted)
        return {id_ for src in wanted for id_ in self._out.get(src, ())}

    def _load(self, ids: Sequence[str]) -> None:
        if self._store is None:
            return
        new = [id_ for id_ in dict.fromkeys(ids) if id_ not in self._read]
        if new:
            self._read.update(new)
            self._add(self._store.links(new))

    def _add(self, links: Iterable[Link]) -> None:
        walked = [
            link
            for link in links
            if link.type in WALKED and _strength(link) and not {link.id, link.src, link.dst} & self._gone
        ]
        if self._store is not None:
            far = [id_ for link in walked for id_ in (link.src, link.dst) if id_ not in self.events]
            self.events |= {event.id: event for event in self._store.events(ids=far)}
        for link in walked:
            src, dst = self.events.get(link.src), self.events.get(link.dst)
            if src is None or dst is None or src.source != dst.source or not order(src) < order(dst):
                continue
            held = self._into[link.dst].get(link.src)
            if held is None or _by_strength(link) < _by_strength(held):
                self._into[link.dst][link.src] = link
            self._out[link.src].add(link.dst)


def _chains_to(graph: _Graph, sink: str, options: ChainOptions) -> list[Chain]:
    """The chains that end in a sink, best first."""
    front: list[_Walk] = [(0.0, (sink,))]
    whole: list[_Walk] = []
    reached: dict[str, float] = {}
    for _ in range(options.hops):
        longer = []
        for walk, links in zip(front, graph.into([ids[0] for _, ids in front]), strict=True):
            logs, ids = walk
            if not links:
                whole.append(walk)
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
    pairs = zip(events, graph.into([event.id for event in events[1:]]), strict=False)
    if all(link.type in CAUSAL for src, links in pairs for link in links if link.src == src.id):
        return "causal"
    actors = set.intersection(*({name.casefold() for name in event.actors} for event in events))
    return "character" if actors else "theme"


def _gone_links(store: NarrativeStore, change: Change) -> list[Link]:
    """The links that end with a change."""
    gone = [store.record(id_) for id_ in change.retire]
    events = [record.id for record in _some(Event, (record for record in gone if record is not None))]
    return [*(record for record in gone if isinstance(record, Link)), *store.links(events)]


def _after(graph: _Graph, touched: Iterable[Link], hops: int) -> list[str]:
    """The events whose being a sink, or whose chains, some links bear on, by id: their ends, and what comes after."""
    walked = [link for link in touched if link.type in WALKED]
    front = ends = {link.dst for link in walked}
    after: set[str] = set()
    for _ in range(hops - 1):
        front = set(sorted(graph.after(front) - ends - after)[: MOST_AFTER - len(after)])
        after |= front
    return sorted(after | ends | {link.src for link in walked})


def _heir(old: Chain, chains: Iterable[Chain]) -> str | None:
    """The id of the chain that shares most of its events with another; None where none shares any."""
    shared, _, id_ = max(((_jaccard(old, new), new.score, new.id) for new in chains), default=(0.0, 0.0, ""))
    return id_ if shared else None


def _strength(link: Link) -> float:
    return LINK_WEIGHTS[link.type] * link.confidence


def _by_strength(link: Link) -> tuple[float, bool, str, str]:
    """Strongest first; of equals, one that says more than that something comes up again."""
    return -_strength(link), link.type not in CAUSAL, link.src, link.id


def _jaccard(one: Chain, other: Chain) -> float:
    mine, others = {*one.event_ids}, {*other.event_ids}
    return len(mine & others) / len(mine | others)


def _some(made: type[_Made], records: Iterable[Record]) -> list[_Made]:
    return [record for record in records if isinstance(record, made)]
