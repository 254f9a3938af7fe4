"""Selection of frames for a question: `window` mixes the tiers of memory by the question's time expressions.

A question about the present gets the short tier alone, as CurveStream was published. Others get a few of the newest
frames and, in order of priority: moments of the stretch that is named, moments whose notes match the question's words
with those before or after them, and key moments spread over the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes, has_words, tokenize
from memory.stream.queue import FrameRef
from memory.stream.time_expressions import PRESENT, TimeExpression, content_words, parse_time_expression
from tools.media.types import Span

NEWEST_SHARE = 0.2
"""Share of a window for the present when the question is about the past."""
NEAR_FRAMES = 3
"""Moments shown before or after a named one, or of the long tier near a named time."""
HITS = 12
"""Notes examined for the words of a question."""
CLEAR_HITS = 6
"""Moments shown at full detail, which small text needs; the rest are fuzzy, to save tokens."""


def window(
    memory: StreamMemory,
    notes: Notes | None,
    question: str | None,
    t_q: float | None = None,
    epoch_wall_s: float | None = None,
    recorded: bool = False,
) -> list[FrameRef]:
    """Return the frames to show for a question, oldest first, ending with the newest.

    Returns at most `memory.options.capacity` frames within `token_budget`.

    Args:
        memory: the tiers of one stream; without key moments, the result is its snapshot.
        notes: the notes about it; None disables the search by words.
        question: the question; None returns half the newest frames and half key moments of the whole stream.
        t_q: when it is asked, media time in seconds; None is now. Does not restore key moments evicted since.
        epoch_wall_s: Unix time of media time 0 of a live source (see `parse_time_expression`).
        recorded: whether the source is a recording; a question that does not say `now` then covers all of it.

    Raises:
        StoreError: if the newest frame cannot be stored, or the notes cannot be read.
    """
    recent = memory.snapshot(t_q)
    if memory.moments is None or not recent:
        return recent
    now_s = recent[-1].t_s
    room = memory.options.capacity
    if question is None:
        return _fit(memory, recent, _spread(memory, now_s, room), room // 2, clear=0)
    hint = parse_time_expression(question, now_s, epoch_wall_s)
    if hint.kind == "present" and recorded and not PRESENT.search(question.lower()):
        return _fit(memory, recent, _spread(memory, now_s, room), 1, clear=room)
    if hint.kind == "present":
        return recent
    newest = max(1, round(NEWEST_SHARE * room))
    return _fit(memory, recent, _wanted(memory, notes, hint, now_s, room), newest, clear=CLEAR_HITS)


def _wanted(
    memory: StreamMemory, notes: Notes | None, hint: TimeExpression, now_s: float, room: int
) -> Iterator[FrameRef]:
    """Yield the moments relevant to a question about the past, the most relevant first."""
    yield from _named(memory, notes, hint, now_s)
    if hint.span:
        yield from _spread(memory, now_s, room, hint.span)
    yield from _spread(memory, now_s, room)


def _named(memory: StreamMemory, notes: Notes | None, hint: TimeExpression, now_s: float) -> Iterator[FrameRef]:
    if hint.span:
        within = moments_in(memory, hint.span)
        # Evicted moments whose representative is shown, but which may show what was there at the time that is named.
        near = islice(memory.past(hint.span, hint.middle_s), NEAR_FRAMES)
        within += [kept for kept in near if kept not in within]
        hits = _hits(memory, notes, hint.words, hint.span)
        yield from (kept for kept in hits if kept in within or kept.t_s in hint.span)
        yield from sorted(within, key=lambda kept: abs(kept.t_s - hint.middle_s))
    elif hint.edge:
        held = [moment.kept for moment in memory.moments.all()] if memory.moments else []
        for hit in _hits(memory, notes, hint.edge, Span(0.0, now_s))[:NEAR_FRAMES]:
            yield hit
            if hint.kind == "before":
                yield from [kept for kept in held if kept.t_s < hit.t_s][: -NEAR_FRAMES - 1 : -1]
            else:
                yield from [kept for kept in held if kept.t_s > hit.t_s][:NEAR_FRAMES]
    else:
        yield from _hits(memory, notes, hint.words, Span(0.0, now_s))


def moments_in(memory: StreamMemory, span: Span) -> list[FrameRef]:
    """Return the moments that represent a stretch: key moments whose own stretch overlaps it, and all frames kept in
    it.

    Falls back to the long tier if the middle tier has none.
    """
    stands = [moment.kept for moment in memory.moments.all(span)] if memory.moments else []
    found = {kept.t_s: kept for kept in (*memory.remembered(span), *stands)}
    if not found:
        found = {kept.t_s: kept for kept in memory.past(span)}
    return [found[t_s] for t_s in sorted(found) if memory.store.has(found[t_s].frame_id)]


def stretches(memory: StreamMemory, notes: Notes, words: str, span: Span | None = None) -> list[Span]:
    """Return the separate stretches of time in which all of some words were noted, oldest first.

    Joins two moments unless a key moment between them lacks the words.
    """
    wanted = set(tokenize(content_words(words)))
    told = {note.t_s for note in notes.each(span) if has_words(note.text, wanted)} if wanted else set()
    moments = {kept.t_s: (kept.t_s, kept.t_s) for kept in memory.past(span or Span(0.0, sys.float_info.max))}
    moments |= {
        moment.t_s: (moment.start_s, moment.end_s) for moment in (memory.moments.all() if memory.moments else [])
    }
    found: list[Span] = []
    open_ = False
    for t_s in sorted({*moments, *told}):
        start_s, end_s = moments.get(t_s, (t_s, t_s))
        if t_s in told and open_:
            found[-1] = Span(found[-1].start_s, end_s)
        elif t_s in told:
            found.append(Span(start_s, end_s))
        open_ = t_s in told
    return found


def _hits(memory: StreamMemory, notes: Notes | None, words: str, span: Span) -> list[FrameRef]:
    """Return the moments whose notes match some words, best first, each once."""
    if notes is None or not words:
        return []
    found: dict[float, FrameRef] = {}
    for note in notes.search(words, HITS, span):
        at = Span(note.t_s, note.t_s)
        representatives = moments_in(memory, at)  # they represent the time, but may show something else
        own = _of_frame(representatives, note.frame_id) or _of_frame(memory.past(at), note.frame_id)
        for kept in [own] if own else representatives[:1]:
            found.setdefault(kept.t_s, kept)
    return list(found.values())


def _of_frame(moments: Iterable[FrameRef], frame_id: str) -> FrameRef | None:
    return next((kept for kept in moments if kept.frame_id == frame_id), None)


def _spread(memory: StreamMemory, now_s: float, count: int, span: Span | None = None) -> list[FrameRef]:
    """Return at most `count` key moments, evenly spread in time over a span (None: all), the middle of each gap
    first."""
    held = [moment.kept for moment in memory.moments.all(span)] if memory.moments else []
    held = [kept for kept in held if kept.t_s <= now_s]
    if len(held) <= count:
        return held
    start_s, end_s = held[0].t_s, held[-1].t_s
    targets = [start_s + (end_s - start_s) * (step + 0.5) / count for step in range(count)]
    nearest = [min(held, key=lambda kept: abs(kept.t_s - target_s)) for target_s in targets]
    return list(dict.fromkeys(nearest))


def _fit(
    memory: StreamMemory, recent: list[FrameRef], wanted: Iterable[FrameRef], newest: int, clear: int
) -> list[FrameRef]:
    """Return the newest frames and as many relevant ones as fit, filling up with more of the newest."""
    options = memory.options
    budget = options.token_budget if options.token_budget is not None else options.capacity * options.tokens_clear
    chosen: dict[float, FrameRef] = {}

    def take(kept: FrameRef) -> None:
        nonlocal budget
        cost = options.tokens_clear if kept.state == "clear" else options.tokens_fuzzy
        if kept.t_s not in chosen and len(chosen) < options.capacity and cost <= budget:
            chosen[kept.t_s], budget = kept, budget - cost

    for kept in reversed(recent[-newest:]):
        take(kept)
    for number, kept in enumerate(wanted):
        take(replace(kept, state="clear" if number < clear else "fuzzy"))
    for kept in reversed(recent):
        take(kept)
    return [chosen[t_s] for t_s in sorted(chosen)]
