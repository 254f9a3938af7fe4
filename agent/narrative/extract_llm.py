"""Events, links and summaries of chains as a language model states them, checked by code: `find_events` and the rest.

Each segment costs a fixed number of calls with prompts of bounded length, however much is remembered.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from agent.models.structured import MalformedAnswer
from agent.narrative import prompts
from agent.narrative.cached_llm import Asker
from memory.narrative.causal_order import illegal, story_time
from memory.narrative.ingest.cues import Clock
from memory.narrative.ingest.extract_rules import RARE
from memory.narrative.ingest.line_times import Lines, times_of
from memory.narrative.retrieval.vectors import Embed
from memory.narrative.types import Chain, Event, Link, Segment, SourceSpan

CANDIDATES, RECENT, SIMILAR, NAMED = 12, 5, 6, 6
"""Earlier events that new ones may be linked to: all in all, of the newest, of the most similar, and of those that name
the same rare thing. Our choice, as the specification's."""
NEW_AT_ONCE = 12
"""New events of one request for links; our choice."""
LEAST_LINK = 0.6
"""Confidence that a link of a model needs; our choice, as the specification's."""
SAME_EVENT = 0.8
"""Share of common words (Jaccard) from which on two events of one segment are one; our choice, as the
specification's."""
LEAST_SHARED = 0.5
"""Share of the words of a summary that a sentence must have for the event to rest on it; our choice."""
MOST_SUMMED_UP = 50
"""Chains, the best, that a model sums up; our choice."""
BEFORE_S = 1e-3
"""How much earlier in the story something is put that happened before something else; our choice."""
_FIELDS = ("dialogue", "caption", "text")
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?\n]+")
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass
class Lacks:
    """What a model's answers lacked.

    Attributes:
        by_rules: segments left to the rules, and requests for links or summaries left out, since an answer could not be
            used.
        unsupported: events that no text of their segment supports; they are left out.
        refused: links that cannot be, such as a cause that comes after its effect, or are not sure enough; left out.
    """

    by_rules: int = 0
    unsupported: int = 0
    refused: int = 0


@dataclass
class Draft:
    """An event before it is linked; `earlier`: it is shown as something of before."""

    event: Event
    earlier: bool = False


def most_calls(segments: int) -> dict[prompts.Role, int]:
    """At most how often a model is asked in each role about a source of some segments."""
    windows = len(list(_windows(segments)))
    links = segments + windows * prompts.MOST_EVENTS // NEW_AT_ONCE
    return {"extract": windows, "link": links, "chain": MOST_SUMMED_UP}


def find_events(
    segments: Sequence[Segment],
    by_rules: Sequence[Event],
    lines: Lines,
    clock: Clock,
    asker: Asker,
    lacks: Lacks,
    progress: Progress | None,
) -> list[Draft]:
    """What a model finds in each window of segments, by time; the rules' events where no answer could be used.

    Args:
        segments: of one source, by time.
        by_rules: its events as the rules find them.
        lines: when each line of the segments is told.
        clock: what times count.
        asker: the model.
        lacks: counted on.
        progress: see `Progress`.

    Raises:
        ModelError: if the model fails.
    """
    covered: set[str] = set()
    drafts: list[Draft] = []
    met: list[list[str]] = []  # the names in each window
    windows = list(_windows(len(segments)))
    for done, window in enumerate(windows):
        if progress:
            progress("reading", done, len(windows))
        these = [segments[place] for place in window]
        known = list(dict.fromkeys(name for names in met[:-3:-1] for name in names))
        met.append([])
        if any(len(segment.words) > prompts.MOST_CHARS for segment in these):
            continue
        try:
            extraction = prompts.extract(asker, these, known, clock)
        except MalformedAnswer:
            continue
        covered |= {segment.id for segment in these}
        for found in extraction.events:
            event = _event(found, these[found.stretch - 1], lines, asker) if found.stretch <= len(these) else None
            if event is None:
                lacks.unsupported += 1
            elif not any(_is_same(event, other.event) for other in drafts[-2 * prompts.MOST_EVENTS :]):
                drafts.append(Draft(event, found.earlier))
                met[-1] += event.actors
    lacks.by_rules += sum(segment.id not in covered for segment in segments)
    drafts += [Draft(event) for event in by_rules if event.segment_ids[0] not in covered]
    return sorted(drafts, key=lambda draft: draft.event.start_s)


def find_links(
    drafts: Sequence[Draft],
    clock: Clock,
    asker: Asker,
    embed: Embed | None,
    lacks: Lacks,
    progress: Progress | None,
) -> tuple[list[Event], list[Link]]:
    """How the events of each segment bear on those before; one that is shown late is put where it happened.

    Returns:
        The events, by time, and the links between them that may be.

    Raises:
        ModelError: if the model fails.
    """
    events = [draft.event for draft in drafts]
    vectors = embed([event.summary for event in events]) if embed and events else None
    naming: defaultdict[str, list[int]] = defaultdict(list)
    stated: list[tuple[int, int, prompts.FoundLink]] = []
    groups = list(_groups(events))
    for done, group in enumerate(groups):
        if progress:
            progress("linking", done, len(groups))
        near = _candidates(group, events, vectors, naming)
        for place in group:
            for name in _names(events[place]):
                naming[name].append(place)
        numbered = [*near, *group]
        if len(numbered) < 2:
            continue
        earlier = [drafts[place].earlier for place in group]
        shown = [events[place] for place in numbered]
        try:
            linking = prompts.link(asker, shown[: len(near)], shown[len(near) :], earlier, clock)
        except MalformedAnswer:
            lacks.by_rules += 1
            continue
        _put_earlier(linking.before, numbered, drafts, events)
        for one in linking.links:
            # A link between two earlier events was looked for when the later of them was new.
            if len(near) < max(one.src, one.dst) <= len(numbered) and one.confidence >= LEAST_LINK:
                stated.append((numbered[one.src - 1], numbered[one.dst - 1], one))
            else:
                lacks.refused += 1
    links = [_link(events[src], events[dst], one) for src, dst, one in stated]
    lacks.refused += links.count(None)
    return events, [one for one in links if one is not None]


def sum_up(
    chains: Sequence[Chain],
    events: Sequence[Event],
    clock: Clock,
    asker: Asker,
    lacks: Lacks,
    progress: Progress | None,
) -> list[Chain]:
    """The chains, the best `MOST_SUMMED_UP` of them in words. Raises ModelError if the model fails."""
    by_id = {event.id: event for event in events}
    best = sorted(chains, key=lambda chain: (-chain.score, chain.id))[:MOST_SUMMED_UP]
    summaries: dict[str, str] = {}
    for done, chain in enumerate(best):
        if progress:
            progress("summing up", done, len(best))
        try:
            summaries[chain.id] = prompts.sum_up(asker, [by_id[id_] for id_ in chain.event_ids], clock)
        except MalformedAnswer:
            lacks.by_rules += 1
    return [
        chain.model_copy(update={"summary": summaries[chain.id]}) if chain.id in summaries else chain
        for chain in chains
    ]


def _windows(segments: int) -> Iterator[range]:
    start = 0
    while True:
        yield range(start, min(start + prompts.WINDOW, segments))
        if start + prompts.WINDOW >= segments:
            return
        start += prompts.STRIDE


def _groups(events: Sequence[Event]) -> Iterator[list[int]]:
    """The places of the events of each segment, some at a time."""
    for _, places in groupby(range(len(events)), key=lambda place: events[place].segment_ids[0]):
        group = list(places)
        yield from (group[start : start + NEW_AT_ONCE] for start in range(0, len(group), NEW_AT_ONCE))


def _event(found: prompts.FoundEvent, segment: Segment, lines: Lines, asker: Asker) -> Event | None:
    """What a model found as a record; None where no text of the segment supports it."""
    span = _support(found, segment)
    if span is None:
        return None
    start_s, end_s = times_of(lines, [span], segment) or _share(segment, span)
    return Event(
        source=segment.source,
        segment_ids=(segment.id,),
        start_s=start_s,
        end_s=end_s,
        summary=found.summary,
        actors=found.actors,
        action=found.action,
        objects=found.objects,
        place=found.place or None,
        goal=found.goal or None,
        state_before=found.state_before or None,
        state_after=found.state_after or None,
        salience=found.salience,
        confidence=found.confidence,
        spans=(span,),
        writer=asker.writer("extract"),
    )


def _support(found: prompts.FoundEvent, segment: Segment) -> SourceSpan | None:
    """The characters that an event rests on: its quote, else the sentence that has most of its words."""
    quoted = r"\W+".join(map(re.escape, _WORD.findall(found.quote)))
    wanted = _content(found.summary)
    best: tuple[float, SourceSpan] | None = None
    for field in _FIELDS:
        text: str = getattr(segment, field)
        if quoted and (match := re.search(quoted, text, re.IGNORECASE)):
            return _span(segment, field, match)
        for match in _SENTENCE.finditer(text):
            share = len(wanted & _content(match[0])) / max(1, len(wanted))
            if share >= LEAST_SHARED and (best is None or share > best[0]):
                best = share, _span(segment, field, match)
    return best[1] if best else None


def _span(segment: Segment, field: str, match: re.Match[str]) -> SourceSpan:
    return SourceSpan.model_validate(
        {"segment_id": segment.id, "field": field, "start": match.start(), "end": match.end()}
    )


def _share(segment: Segment, span: SourceSpan) -> tuple[float, float]:
    """The times of characters, as their share of their field."""
    length, lasts_s = max(1, len(getattr(segment, span.field))), segment.end_s - segment.start_s
    start_s, end_s = (segment.start_s + lasts_s * place / length for place in (span.start, span.end))
    return round(start_s, 3), round(end_s, 3)


def _content(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) > 2}


def _is_same(event: Event, other: Event) -> bool:
    """Whether two events of one segment are one, told twice by windows that overlap."""
    if event.segment_ids != other.segment_ids:
        return False
    one, two = _content(event.summary), _content(other.summary)
    return len(one & two) >= SAME_EVENT * max(1, len(one | two))


def _candidates(
    group: Sequence[int], events: Sequence[Event], vectors: np.ndarray | None, naming: Mapping[str, Sequence[int]]
) -> list[int]:
    """Earlier events that those of a group may be linked to, at most `CANDIDATES`, by time."""
    first = group[0]
    recent = range(first - 1, max(-1, first - 1 - RECENT), -1)
    similar: Sequence[int] = ()
    if vectors is not None and first:
        cosines = (vectors[list(group)] @ vectors[:first].T).max(axis=0)
        similar = [int(place) for place in np.argsort(-cosines, kind="stable")[: SIMILAR + RECENT]]
    names = Counter(name for place in group for name in _names(events[place]))
    rare = [name for name in names if 0 < len(naming.get(name, ())) <= RARE]
    named = [place for name in sorted(rare, key=lambda name: (len(naming[name]), name)) for place in naming[name][::-1]]
    chosen: list[int] = []
    for places, most in ((recent, RECENT), (similar, SIMILAR), (named, NAMED)):
        fresh = [place for place in dict.fromkeys(places) if place not in chosen]
        chosen += fresh[: min(most, CANDIDATES - len(chosen))]
    return sorted(chosen)


def _names(event: Event) -> set[str]:
    return {name.casefold() for name in (*event.actors, *event.objects)}


def _put_earlier(
    told: Sequence[prompts.Earlier], numbered: Sequence[int], drafts: Sequence[Draft], events: list[Event]
) -> None:
    """Give events that are shown as something of before their time in the story, where a model could tell it."""
    for one in told:
        if max(one.event, one.before) <= len(numbered) and one.event != one.before:
            place, other = numbered[one.event - 1], numbered[one.before - 1]
            if drafts[place].earlier and events[place].story_s is None:
                at_s = story_time(events[other]) - BEFORE_S
                events[place] = events[place].model_copy(update={"story_s": at_s})


def _link(src: Event, dst: Event, one: prompts.FoundLink) -> Link | None:
    if illegal(src, dst, one.type):
        return None
    return Link(
        src=src.id,
        dst=dst.id,
        type=one.type,
        confidence=one.confidence,
        method="llm",
        segment_ids=tuple(dict.fromkeys((*src.segment_ids, *dst.segment_ids))),
        why=one.why,
    )
