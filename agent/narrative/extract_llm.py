"""LLM extraction: events, links and chain summaries from a language model, validated by code.

Each segment costs a fixed number of calls with prompts of bounded length, however large the memory is.
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
"""Maximum number of earlier events that new ones may be linked to: in total, the newest, the most similar, and those
that name the same rare thing."""
NEW_AT_ONCE = 12
"""Maximum number of new events per request for links."""
MIN_LINK_CONFIDENCE = 0.6
"""Minimum confidence of a link."""
SAME_EVENT = 0.8
"""Minimum Jaccard similarity of the words of two events of one segment that count as the same."""
MIN_SHARED = 0.5
"""Minimum share of the words of a summary that a supporting sentence contains."""
MAX_SUMMARIES = 50
"""Number of top-scored chains that a model summarises."""
BEFORE_S = 1e-3
"""Offset in story time between an earlier event and the one it precedes."""
_FIELDS = ("dialogue", "caption", "text")
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?\n]+")
Progress = Callable[[str, int, int], None]
"""Called with the current activity, the number of steps done, and the total."""


@dataclass
class AnswerProblems:
    """Counts of unusable answers.

    Attributes:
        by_rules: segments left to rules, and requests for links or summaries skipped, because an answer was invalid.
        unsupported: events left out because no text of their segment supports them.
        refused: links left out because they are impossible, such as a cause after its effect, or not confident enough.
    """

    by_rules: int = 0
    unsupported: int = 0
    refused: int = 0


@dataclass
class Draft:
    """An event before linking; `earlier`: it is shown as a flashback."""

    event: Event
    earlier: bool = False


def max_calls(segments: int) -> dict[prompts.Role, int]:
    """Return the maximum number of calls per role for a source with some number of segments."""
    windows = len(list(_windows(segments)))
    links = segments + windows * prompts.MAX_EVENTS // NEW_AT_ONCE
    return {"extract": windows, "link": links, "chain": MAX_SUMMARIES}


def find_events(
    segments: Sequence[Segment],
    by_rules: Sequence[Event],
    lines: Lines,
    clock: Clock,
    asker: Asker,
    problems: AnswerProblems,
    progress: Progress | None,
) -> list[Draft]:
    """Extract events from each window of segments, by time; use the rules' events where answers are invalid.

    Args:
        segments: of one source, by time.
        by_rules: its events as found by rules.
        lines: the time of each line of the segments.
        clock: unit of times.
        asker: the model.
        problems: updated counts.
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
        if any(len(segment.words) > prompts.MAX_SEGMENT_CHARS for segment in these):
            continue
        try:
            extraction = prompts.extract(asker, these, known, clock)
        except MalformedAnswer:
            continue
        covered |= {segment.id for segment in these}
        for found in extraction.events:
            event = _event(found, these[found.stretch - 1], lines, asker) if found.stretch <= len(these) else None
            if event is None:
                problems.unsupported += 1
            elif not any(_is_same(event, other.event) for other in drafts[-2 * prompts.MAX_EVENTS :]):
                drafts.append(Draft(event, found.earlier))
                met[-1] += event.actors
    problems.by_rules += sum(segment.id not in covered for segment in segments)
    drafts += [Draft(event) for event in by_rules if event.segment_ids[0] not in covered]
    return sorted(drafts, key=lambda draft: draft.event.start_s)


def find_links(
    drafts: Sequence[Draft],
    clock: Clock,
    asker: Asker,
    embed: Embed | None,
    problems: AnswerProblems,
    progress: Progress | None,
) -> tuple[list[Event], list[Link]]:
    """Link the events of each segment to earlier ones, and give flashbacks their story time.

    Returns:
        The events, by time, and the valid links between them.

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
            problems.by_rules += 1
            continue
        _set_story_times(linking.before, numbered, drafts, events)
        for one in linking.links:
            # Links between two earlier events were requested when the later of them was new.
            if len(near) < max(one.src, one.dst) <= len(numbered) and one.confidence >= MIN_LINK_CONFIDENCE:
                stated.append((numbered[one.src - 1], numbered[one.dst - 1], one))
            else:
                problems.refused += 1
    links = [_link(events[src], events[dst], one) for src, dst, one in stated]
    problems.refused += links.count(None)
    return events, [one for one in links if one is not None]


def summarise_chains(
    chains: Sequence[Chain],
    events: Sequence[Event],
    clock: Clock,
    asker: Asker,
    problems: AnswerProblems,
    progress: Progress | None,
) -> list[Chain]:
    """Return the chains, the best `MAX_SUMMARIES` with summaries. Raises ModelError if the model fails."""
    by_id = {event.id: event for event in events}
    best = sorted(chains, key=lambda chain: (-chain.score, chain.id))[:MAX_SUMMARIES]
    summaries: dict[str, str] = {}
    for done, chain in enumerate(best):
        if progress:
            progress("summarising", done, len(best))
        try:
            summaries[chain.id] = prompts.summarise(asker, [by_id[id_] for id_ in chain.event_ids], clock)
        except MalformedAnswer:
            problems.by_rules += 1
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
    """Yield the indices of the events of each segment, in groups of at most `NEW_AT_ONCE`."""
    for _, places in groupby(range(len(events)), key=lambda place: events[place].segment_ids[0]):
        group = list(places)
        yield from (group[start : start + NEW_AT_ONCE] for start in range(0, len(group), NEW_AT_ONCE))


def _event(found: prompts.FoundEvent, segment: Segment, lines: Lines, asker: Asker) -> Event | None:
    """Convert a found event to a record; return None if no text of the segment supports it."""
    span = _find_support(found, segment)
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


def _find_support(found: prompts.FoundEvent, segment: Segment) -> SourceSpan | None:
    """Return the text span that supports an event: its quote, else the sentence that shares most of its words."""
    quoted = r"\W+".join(map(re.escape, _WORD.findall(found.quote)))
    wanted = _content(found.summary)
    best: tuple[float, SourceSpan] | None = None
    for field in _FIELDS:
        text: str = getattr(segment, field)
        if quoted and (match := re.search(quoted, text, re.IGNORECASE)):
            return _span(segment, field, match)
        for match in _SENTENCE.finditer(text):
            share = len(wanted & _content(match[0])) / max(1, len(wanted))
            if share >= MIN_SHARED and (best is None or share > best[0]):
                best = share, _span(segment, field, match)
    return best[1] if best else None


def _span(segment: Segment, field: str, match: re.Match[str]) -> SourceSpan:
    return SourceSpan.model_validate(
        {"segment_id": segment.id, "field": field, "start": match.start(), "end": match.end()}
    )


def _share(segment: Segment, span: SourceSpan) -> tuple[float, float]:
    """Interpolate the times of a text span from its position in its field."""
    length, lasts_s = max(1, len(getattr(segment, span.field))), segment.end_s - segment.start_s
    start_s, end_s = (segment.start_s + lasts_s * place / length for place in (span.start, span.end))
    return round(start_s, 3), round(end_s, 3)


def _content(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) > 2}


def _is_same(event: Event, other: Event) -> bool:
    """Return whether two events of one segment are duplicates from overlapping windows."""
    if event.segment_ids != other.segment_ids:
        return False
    one, two = _content(event.summary), _content(other.summary)
    return len(one & two) >= SAME_EVENT * max(1, len(one | two))


def _candidates(
    group: Sequence[int], events: Sequence[Event], vectors: np.ndarray | None, naming: Mapping[str, Sequence[int]]
) -> list[int]:
    """Return the indices of at most `CANDIDATES` earlier events that a group may be linked to, by time."""
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


def _set_story_times(
    precedences: Sequence[prompts.Earlier], numbered: Sequence[int], drafts: Sequence[Draft], events: list[Event]
) -> None:
    """Set the story time of flashbacks that the model placed before another event."""
    for one in precedences:
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
