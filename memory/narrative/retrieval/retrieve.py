"""Hybrid retrieval of evidence for a question, also where it is far apart in the source: `retrieve`.

Events are ranked by BM25 and by vectors, of themselves and of the segments that contain them; the rankings are fused by
reciprocal rank (Cormack et al. 2009). Events linked to well-ranked ones gain score over several typed links. Every
stretch of the source with good evidence then contributes, within a budget of events and tokens, and the result is in
order of time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from memory.narrative.causal_order import shown_order
from memory.narrative.retrieval.vectors import Kind
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import LINK_WEIGHTS, Chain, Event, Link
from tools.media.types import Span

CHANNELS = ("words", "meaning", "segment words", "segment meaning")
"""Rankings that are fused: of events, and of the segments that contain them."""
TOKENS_PER_WORD = 1.4
"""For the token budget; measured with SmolLM2's tokenizer on English stories."""


class RetrieveOptions(BaseModel):
    """How evidence is chosen. `rrf_k`, `decay` and `beside` are our choice, by cross-validation on FairytaleQA
    (`evals.bench.narrative`).

    Attributes:
        channels: the rankings that are fused.
        rrf_k: constant of reciprocal rank fusion: rank r scores 1 / (rrf_k + r).
        least_cosine: minimum cosine to count as found, so that a search may find nothing.
        depth: maximum number of ranks read of each channel, and of events scored.
        seeds: number of best-ranked events from which links are followed.
        steps: length of the paths followed from a seed.
        decay: factor per link, times its weight and confidence; 0 follows none.
        beside: share that an event gains of the better of its two neighbours.
        bins: number of equal stretches of time that each contribute evidence; 1 uses the ranks alone.
        bin_share: share of the best score that the best event of a stretch needs to be included in any case.
        most_a_bin: maximum number of events per stretch.
        events: maximum number of events in the result.
        tokens: approximate maximum number of tokens of the result.
        chains: maximum number of chains in the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[str, ...] = CHANNELS
    rrf_k: float = Field(default=2.0, gt=0)
    least_cosine: float = Field(default=0.25, ge=-1, le=1)
    depth: int = Field(default=200, ge=1)
    seeds: int = Field(default=50, ge=1)
    steps: int = Field(default=2, ge=0, le=4)
    decay: float = Field(default=0.6, ge=0, le=1)
    beside: float = Field(default=0.8, ge=0, le=1)
    bins: int = Field(default=6, ge=1)
    bin_share: float = Field(default=0.3, ge=0, le=1)
    most_a_bin: int = Field(default=5, ge=1)
    events: int = Field(default=24, ge=1)
    tokens: int = Field(default=1_800, ge=1)
    chains: int = Field(default=3, ge=0)


Ranks = Mapping[str, Mapping[str, int]]
"""The ranks of each event, by channel and number of the query."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An event, its score, and the reasons: its ranks by channel and number of the query, and the link that led to
    it."""

    event: Event
    score: float
    ranks: Mapping[str, int]
    via: Link | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The result of a search.

    Attributes:
        ranked: everything that was scored, best first, ties by id.
        told: what fits the budgets, in order of presentation.
        chains: those with the largest share of their events in `told`, best first.
        tokens: approximate size of `told`.
    """

    ranked: tuple[Scored, ...]
    told: tuple[Scored, ...]
    chains: tuple[Chain, ...]
    tokens: int


def retrieve(
    store: NarrativeStore,
    source: str,
    queries: Sequence[str],
    options: RetrieveOptions | None = None,
    as_of: int | None = None,
    within: Span | None = None,
) -> Retrieved:
    """Find the evidence for some queries, such as the parts of a question, in one source.

    Args:
        store: the memory.
        source: the source to search.
        queries: at least one.
        options: see `RetrieveOptions`.
        as_of: version of the memory to search; None: the newest.
        within: only events shown, at least in part, in this span of seconds. May miss events that rank low in the whole
            source (see `depth`).

    Raises:
        StoreError: if the memory cannot be read.
    """
    chosen = options or RetrieveOptions()
    return gather(store, source, rank(store, source, queries, chosen, as_of), chosen, as_of, within)


def gather(
    store: NarrativeStore,
    source: str,
    ranks: Ranks,
    options: RetrieveOptions,
    as_of: int | None = None,
    within: Span | None = None,
) -> Retrieved:
    """Score ranked events and choose the result; see `retrieve`."""
    scores, via = score(store, ranks, options, as_of)
    order = sorted(scores, key=lambda id_: (-scores[id_], id_))[: options.depth]
    events = {
        event.id: event
        for event in store.events(source, ids=order, as_of=as_of)
        if within is None or (event.start_s <= within.end_s and event.end_s >= within.start_s)
    }
    ranked = tuple(Scored(events[id_], scores[id_], ranks.get(id_, {}), via.get(id_)) for id_ in order if id_ in events)
    told = _quota(ranked, options)
    chains = _chains(store, {scored.event.id for scored in told}, options.chains, as_of)
    return Retrieved(ranked, told, chains, sum(tokens_of(scored.event) for scored in told))


def rank(
    store: NarrativeStore, source: str, queries: Sequence[str], options: RetrieveOptions, as_of: int | None = None
) -> Ranks:
    """Return the rank, from 1, of each event in each ranking; a segment passes its rank to its events."""
    ranks: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for number, query in enumerate(queries):
        vector = store.vector_of(query) if any(name.endswith("meaning") for name in options.channels) else None
        found: dict[str, list[str]] = {}
        for channel in options.channels:
            kind: Kind = "segment" if channel.startswith("segment") else "event"
            if channel.endswith("words"):
                matched = store.match(query, options.depth, source, kind, as_of)
            else:
                assert vector is not None
                near = store.nearest(vector, options.depth, source, kind, as_of)
                matched = [(id_, cosine) for id_, cosine in near if cosine >= options.least_cosine]
            found[channel] = [id_ for id_, _ in matched]
        of_segments = [id_ for channel, ids in found.items() if channel.startswith("segment") for id_ in ids]
        events_in = store.event_ids_in(list(dict.fromkeys(of_segments)), as_of)
        for channel, ids in found.items():
            name = f"{channel} {number}"
            for place, id_ in enumerate(ids, start=1):
                for event_id in events_in.get(id_, ()) if channel.startswith("segment") else (id_,):
                    ranks[event_id].setdefault(name, place)
    return ranks


def score(
    store: NarrativeStore, ranks: Ranks, options: RetrieveOptions, as_of: int | None = None
) -> tuple[dict[str, float], dict[str, Link]]:
    """Fuse ranks, and pass score along links.

    From a seed, the best path counts: the product of weight, confidence and decay of its links, in either direction.

    Returns:
        The score of each event that has any, and for events that gained by a link, the one that contributed most.
    """
    fused: defaultdict[str, float] = defaultdict(float)
    for id_, places in ranks.items():
        for name, place in places.items():
            if name.rsplit(" ", 1)[0] in options.channels:
                fused[id_] += 1 / (options.rrf_k + place)
    seeds = sorted(fused, key=lambda id_: (-fused[id_], id_))[: options.seeds]
    gained: dict[str, float] = {}
    beside: dict[str, float] = {}
    via: dict[str, Link] = {}
    front = {id_: fused[id_] for id_ in seeds}
    for step in range(max(options.steps, 1)):
        after: dict[str, float] = {}
        for link in store.links(list(front), as_of):
            for here, there in ((link.src, link.dst), (link.dst, link.src)):
                if here not in front:
                    continue
                if link.type == "next":
                    if step == 0 and front[here] * options.beside > beside.get(there, 0.0):
                        beside[there] = front[here] * options.beside
                    continue
                value = front[here] * options.decay * LINK_WEIGHTS[link.type] * link.confidence
                if options.steps and value > max(gained.get(there, 0.0), after.get(there, 0.0)):
                    after[there], via[there] = value, link
        gained.update(after)
        front = after
        if not front:
            break
    ids = fused.keys() | gained.keys() | beside.keys()
    scores = {id_: fused.get(id_, 0.0) + gained.get(id_, 0.0) + beside.get(id_, 0.0) for id_ in ids}
    return {id_: score for id_, score in scores.items() if score > 0}, via


def _quota(ranked: Sequence[Scored], options: RetrieveOptions) -> tuple[Scored, ...]:
    """Select the result within the budgets: the best of each stretch of time first, then the best overall; by time."""
    if not ranked:
        return ()
    start_s = min(scored.event.start_s for scored in ranked)
    lasts_s = max(scored.event.start_s for scored in ranked) - start_s

    def bin_of(scored: Scored) -> int:
        share = (scored.event.start_s - start_s) / lasts_s if lasts_s else 0.0
        return min(int(share * options.bins), options.bins - 1)

    best: dict[int, Scored] = {}
    for scored in ranked:
        best.setdefault(bin_of(scored), scored)
    worth = options.bin_share * ranked[0].score
    first = [scored for scored in best.values() if options.bins > 1 and scored.score >= worth]
    taken: dict[str, Scored] = {}
    held: defaultdict[int, int] = defaultdict(int)
    tokens = 0
    for scored in (*first, *ranked):
        cost, place = tokens_of(scored.event), bin_of(scored)
        full = options.bins > 1 and held[place] >= options.most_a_bin
        if scored.event.id in taken or full or len(taken) >= options.events or tokens + cost > options.tokens:
            continue
        taken[scored.event.id] = scored
        held[place] += 1
        tokens += cost
    return tuple(sorted(taken.values(), key=lambda scored: shown_order(scored.event)))


def _chains(store: NarrativeStore, told: set[str], most: int, as_of: int | None) -> tuple[Chain, ...]:
    chains = store.chains(event_ids=sorted(told), as_of=as_of) if told and most else []
    shares = {chain.id: len(told.intersection(chain.event_ids)) / len(chain.event_ids) for chain in chains}
    return tuple(sorted(chains, key=lambda chain: (-shares[chain.id], -chain.score, chain.id))[:most])


def tokens_of(event: Event) -> int:
    """Estimate the tokens of an event in a prompt."""
    return round(TOKENS_PER_WORD * len(event.summary.split())) + 8  # its time and its number
