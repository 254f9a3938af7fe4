"""Which frames answer a question: `window` mixes the tiers of memory by what the question says about time.

A question about the present is shown the short tier alone, as CurveStream published it. Others are shown a few of the
newest frames and, in their order of use: moments of the stretch that is named, moments noted for the words of the
question with what came before or after them, and key moments spread over the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes, has_words, tokenize
from memory.stream.queue import Kept
from memory.stream.time_expressions import Hint, content_words, read_hint
from tools.media.types import Span

NEWEST_SHARE = 0.2
"""The share of a window that shows the present when the question is about the past; our choice."""
NEAR_FRAMES = 3
"""Moments shown before or after one that is named, or of the long tier near a time that is; our choice."""
HITS = 12
"""Notes looked at for the words of a question; our choice."""
CLEAR_HITS = 6
"""Moments shown in full detail; those after them are fuzzy. Our choice: small words need the detail, and it costs."""


def window(
    memory: StreamMemory,
    notes: Notes | None,
    question: str | None,
    t_q: float | None = None,
    epoch_wall_s: float | None = None,
) -> list[Kept]:
    """Return the frames to show for a question, oldest first, the newest last.

    At most `memory.options.capacity` frames are returned, and their tokens fit `token_budget`.

    Args:
        memory: the tiers of one stream; without key moments, the result is its snapshot.
        notes: what was noted about it; None finds nothing by words.
        question: what is asked; None shows half the newest frames and half key moments over all that was seen.
        t_q: the moment of asking, media time in seconds; None is now. Key moments that have given way since are not
            brought back.
        epoch_wall_s: Unix time of media time 0 of a live source (see `read_hint`).

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
    hint = read_hint(question, now_s, epoch_wall_s)
    if hint.kind == "present":
        return recent
    newest = max(1, round(NEWEST_SHARE * room))
    return _fit(memory, recent, _wanted(memory, notes, hint, now_s, room), newest, clear=CLEAR_HITS)


def _wanted(memory: StreamMemory, notes: Notes | None, hint: Hint, now_s: float, room: int) -> Iterator[Kept]:
    """The moments that a question about the past wants to see, the most wanted first."""
    yield from _named(memory, notes, hint, now_s)
    if hint.span:
        yield from _spread(memory, now_s, room, hint.span)
    yield from _spread(memory, now_s, room)


def _named(memory: StreamMemory, notes: Notes | None, hint: Hint, now_s: float) -> Iterator[Kept]:
    if hint.span:
        within = moments_in(memory, hint.span)
        # Those that gave way to one that stands for them too, but may show what was there at the moment that is named.
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


def moments_in(memory: StreamMemory, span: Span) -> list[Kept]:
    """Return the moments that stand for a stretch: key moments whose own stretch meets it, and all frames kept in it.

    Where the middle tier holds none, the long tier is asked.
    """
    stands = [moment.kept for moment in memory.moments.all(span)] if memory.moments else []
    found = {kept.t_s: kept for kept in (*memory.remembered(span), *stands)}
    if not found:
        found = {kept.t_s: kept for kept in memory.past(span)}
    return [found[t_s] for t_s in sorted(found) if memory.store.has(found[t_s].frame_id)]


def stretches(memory: StreamMemory, notes: Notes, words: str, span: Span | None = None) -> list[Span]:
    """Return the separate stretches of time in which all of some words were noted, oldest first.

    Two moments belong together where no key moment between them lacks the words.
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


def _hits(memory: StreamMemory, notes: Notes | None, words: str, span: Span) -> list[Kept]:
    """The moments noted for some words, best first, each once."""
    if notes is None or not words:
        return []
    found: dict[float, Kept] = {}
    for note in notes.search(words, HITS, span):
        at = Span(note.t_s, note.t_s)
        heirs = moments_in(memory, at)  # they stand for the time, and may show something else
        own = _of_frame(heirs, note.frame_id) or _of_frame(memory.past(at), note.frame_id)
        for kept in [own] if own else heirs[:1]:
            found.setdefault(kept.t_s, kept)
    return list(found.values())


def _of_frame(moments: Iterable[Kept], frame_id: str) -> Kept | None:
    return next((kept for kept in moments if kept.frame_id == frame_id), None)


def _spread(memory: StreamMemory, now_s: float, count: int, span: Span | None = None) -> list[Kept]:
    """At most `count` key moments, evenly spread in time over a span (None: all), the middle of each gap first."""
    held = [moment.kept for moment in memory.moments.all(span)] if memory.moments else []
    held = [kept for kept in held if kept.t_s <= now_s]
    if len(held) <= count:
        return held
    start_s, end_s = held[0].t_s, held[-1].t_s
    targets = [start_s + (end_s - start_s) * (step + 0.5) / count for step in range(count)]
    nearest = [min(held, key=lambda kept: abs(kept.t_s - target_s)) for target_s in targets]
    return list(dict.fromkeys(nearest))


def _fit(memory: StreamMemory, recent: list[Kept], wanted: Iterable[Kept], newest: int, clear: int) -> list[Kept]:
    """The newest frames and the most wanted ones that there is room for; what room is left shows more of the newest."""
    options = memory.options
    budget = options.token_budget if options.token_budget is not None else options.capacity * options.tokens_clear
    chosen: dict[float, Kept] = {}

    def take(kept: Kept) -> None:
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
