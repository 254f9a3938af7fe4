"""Segmentation: captions, dialogue and read text as segments that tile the time line of a source.

Segments end at pauses in speech where possible, and at scene cuts. A boundary depends only on what is near it, so that
a source that grows changes only its last segments.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from memory.narrative.ingest.cues import Cue, clock_of, shown
from memory.narrative.types import Segment
from tools.errors import StoreError

LENGTH_S = 30.0
"""Target length of segments, after the clips of VideoRAG (HKUDS)."""
PAUSE_S = 1.0
"""Pauses in speech longer than this are equally good boundaries."""
SPARSE_S = 3600.0
"""A longer stretch without content is a single segment: no film is silent for so long, and one mistyped hour in a
subtitle must not create a hundred thousand empty segments."""
MAX_SEGMENTS = 1_000_000
"""Of one source: a year at 30 s each."""
Seen = tuple[float, str, str]
"""(time, frame id or "", words): what is seen or read in a picture."""


def tile(
    cues: Sequence[Cue],
    captions: Iterable[Seen] = (),
    texts: Iterable[Seen] = (),
    *,
    source: str,
    duration_s: float | None = None,
    length_s: float = LENGTH_S,
    cuts: Iterable[float] = (),
) -> list[Segment]:
    """Divide a source into segments, in order, without gaps or overlap, from 0 to its end.

    A segment lasts from half of `length_s` to one and a half. Only the last may be shorter; only the rest of a stretch
    without content that is longer than `SPARSE_S` may be longer. Within that range, a segment ends where no cue is cut
    in two: at a scene cut, else in a pause, preferring longer pauses (up to `PAUSE_S`) and those near `length_s`. A cue
    is cut only if it is longer than `length_s`, or if cues overlap throughout the range; its words then go to the
    segment where it begins. A cue of a text in sections is one segment, and its times are positions.

    The cues' words form the `dialogue` of a segment, in order; sections of a story go to its `caption`, since they are
    narrated and not spoken. Captions and read texts follow in order of time, a line each, without repetition within a
    segment.

    Args:
        cues: what is said, or the sections of a story; sorted here if they are not.
        captions: what is seen, as (time in seconds, frame id or "", words).
        texts: what is read in pictures, likewise.
        source: name for the segments, with credentials masked.
        duration_s: length of the source in seconds; for sections None or their number.
        length_s: target length in seconds.
        cuts: times of scene changes in seconds.

    Raises:
        StoreError: if a number is out of range; if some cues count seconds and others sections; or if words come more
            than `length_s` after the end, and so belong to another source.
    """
    in_order = sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))
    for cue in in_order:
        _check_time(cue.start_s, f"the cue {shown(cue.text)}{_line(cue)} starts at")
        if not cue.start_s < cue.end_s < math.inf:
            raise StoreError(
                f"the cue {shown(cue.text)}{_line(cue)} starts at {cue.start_s!r} and ends at {cue.end_s!r}.",
                expected="an end after the start",
            )
    seen, read = _by_time(captions), _by_time(texts)
    if clock_of(in_order) == "sections":
        bounds = _of_sections(in_order, duration_s)
        late_s = 0.0
    else:
        cut_times = sorted(cuts)
        for cut_s in cut_times:
            _check_time(cut_s, "a scene cut is at")
        # The words of a cue go where it begins, however late it ends.
        known = [(cue.start_s, min(cue.end_s, cue.start_s + length_s)) for cue in in_order]
        known += [(t_s, t_s) for t_s in (*(one[0] for one in (*seen, *read)), *cut_times)]
        bounds = _bounds(in_order, _checked(duration_s, length_s), length_s, cut_times, _unknown(known))
        late_s = length_s
    told = [(cue.start_s, cue.text, f"the cue {shown(cue.text)}{_line(cue)}") for cue in in_order]
    said = _placed(told, bounds, late_s)
    caption, text = (
        _placed([(t_s, words, f"the text {shown(words)}") for t_s, _, words in part], bounds, late_s)
        for part in (seen, read)
    )
    pictures = [(t_s, id_, f"the frame {id_!r}") for t_s, id_, _ in _by_time([*seen, *read])]
    frames = _placed(pictures, bounds, late_s)
    is_story = bool(in_order) and in_order[0].clock == "sections"
    return [
        Segment(
            source=source,
            number=k,
            start_s=start_s,
            end_s=end_s,
            caption="\n".join([*(said[k] if is_story else ()), *dict.fromkeys(caption[k])]),
            dialogue="" if is_story else "\n".join(said[k]),
            text="\n".join(dict.fromkeys(text[k])),
            frame_ids=tuple(dict.fromkeys(frames[k])),
        )
        for k, (start_s, end_s) in enumerate(pairwise(bounds))
    ]


def _line(cue: Cue) -> str:
    return f" (line {cue.line})" if cue.line else ""


def _check_time(t_s: float, what: str) -> None:
    if not 0 <= t_s < math.inf:
        raise StoreError(f"{what} {t_s!r}.", expected="seconds from the start, 0 or more")


def _checked(duration_s: float | None, length_s: float) -> float:
    """Return the duration, if it needs no more than the maximum number of segments."""
    if duration_s is None or not 0 < duration_s < math.inf:
        raise StoreError(
            f"invalid duration {duration_s!r} s of a source.",
            expected="a duration above 0",
            remedy="Give the length of the video, or the end of the last cue.",
        )
    if not 0 < length_s < math.inf or duration_s / length_s > MAX_SEGMENTS / 2:
        raise StoreError(
            f"segments of {length_s!r} s cannot tile {duration_s:g} s.",
            expected=f"a length of at least {2 * duration_s / MAX_SEGMENTS:g} s",
        )
    return duration_s


def _of_sections(sections: list[Cue], duration_s: float | None) -> list[float]:
    for k, cue in enumerate(sections):
        if (cue.start_s, cue.end_s) != (k, k + 1):
            raise StoreError(
                f"invalid times {cue.start_s:g} to {cue.end_s:g} of section {k}{_line(cue)}.",
                expected=f"{k} to {k + 1}, its position among the sections",
            )
    if duration_s not in (None, len(sections)):
        raise StoreError(
            f"invalid duration {duration_s!r} for a story of {len(sections)} sections.",
            expected="none, or the number of sections: their times are positions, not seconds",
        )
    return [float(k) for k in range(len(sections) + 1)]


def _bounds(
    cues: list[Cue], duration_s: float, length_s: float, cut_times: list[float], unknown: list[tuple[float, float]]
) -> list[float]:
    """Return where segments begin, and where the last one ends, in one pass over cues, cuts and empty stretches."""
    pauses = _pauses([cue for cue in cues if cue.end_s - cue.start_s <= length_s])
    pause_at = cut_at = unknown_at = 0
    bounds = [0.0]
    while duration_s - bounds[-1] > 1.5 * length_s:
        while unknown[unknown_at][1] <= bounds[-1]:
            unknown_at += 1
        from_s, until_s = unknown[unknown_at]
        if bounds[-1] >= from_s + SPARSE_S and min(until_s, duration_s) - bounds[-1] > 1.5 * length_s:
            if until_s >= duration_s:
                break
            bounds.append(until_s)
            continue
        rest_s = duration_s - bounds[-1]
        # The last two share the remaining length, to avoid a very short last one.
        target_s = bounds[-1] + (length_s if rest_s > 2 * length_s else rest_s / 2)
        low_s, high_s = bounds[-1] + 0.5 * length_s, bounds[-1] + 1.5 * length_s
        while pauses[pause_at][1] < low_s:
            pause_at += 1
        while cut_at < len(cut_times) and cut_times[cut_at] < low_s:
            cut_at += 1
        free = []
        for start_s, end_s in _from(pauses, pause_at, high_s):
            near_s = min(max(target_s, start_s, low_s), end_s, high_s)
            free.append((-min(end_s - start_s, PAUSE_S), abs(near_s - target_s), near_s))
        free_cuts = _cuts_in_pauses(cut_times, cut_at, pauses, pause_at, high_s)
        if free_cuts:
            bounds.append(min(free_cuts, key=lambda cut_s: (abs(cut_s - target_s), cut_s)))
        else:
            bounds.append(min(free)[2] if free else target_s)
    return [*bounds, duration_s]


def _unknown(known: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the stretches longer than `SPARSE_S` without content, from the (start, end) of all content; the last is
    open-ended."""
    stretches, known_s = [], 0.0
    for start_s, end_s in sorted(known):
        if start_s - known_s > SPARSE_S:
            stretches.append((known_s, start_s))
        known_s = max(known_s, end_s)
    return [*stretches, (known_s, math.inf)]


def _pauses(cues: list[Cue]) -> list[tuple[float, float]]:
    """Return the pauses between cues, from 0 to infinity; of length 0 where one cue ends as the next begins."""
    pauses, said_s = [], 0.0
    for cue in cues:
        if cue.start_s >= said_s:
            pauses.append((said_s, cue.start_s))
        said_s = max(said_s, cue.end_s)
    return [*pauses, (said_s, math.inf)]


def _from(pauses: list[tuple[float, float]], at: int, high_s: float) -> Iterable[tuple[float, float]]:
    while at < len(pauses) and pauses[at][0] <= high_s:
        yield pauses[at]
        at += 1


def _cuts_in_pauses(
    cuts: list[float], cut_at: int, pauses: list[tuple[float, float]], pause_at: int, high_s: float
) -> list[float]:
    """Return the cuts up to a time that fall in pauses."""
    free = []
    while cut_at < len(cuts) and cuts[cut_at] <= high_s:
        while pauses[pause_at][1] < cuts[cut_at]:
            pause_at += 1
        if pauses[pause_at][0] <= cuts[cut_at]:
            free.append(cuts[cut_at])
        cut_at += 1
    return free


def _by_time(seen: Iterable[Seen]) -> list[Seen]:
    return sorted(seen, key=lambda one: one[0])


def _placed(timed: list[tuple[float, str, str]], bounds: list[float], late_s: float) -> list[list[str]]:
    """Assign words to segments, from (time, words, description for messages) in order of time."""
    found: list[list[str]] = [[] for _ in bounds[1:]]
    for t_s, words, what in timed:
        _check_time(t_s, f"{what} is at")
        if t_s > bounds[-1] + late_s:
            after = sum(1 for other, *_ in timed if other >= t_s)
            raise StoreError(
                f"{what} is at {t_s:g} s, but the source ends at {bounds[-1]:g} s ({after - 1} more come later).",
                expected="words of this source",
                remedy="Check that the subtitles or the transcript belong to it, or cut what comes after its end.",
            )
        if words:
            found[min(bisect_right(bounds, t_s), len(found)) - 1].append(words)
    return found
