"""Time spans of the lines of a segment's text: `lines_of`, `times_of`."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memory.narrative.ingest.cues import Cue
from memory.narrative.ingest.segments import Seen
from memory.narrative.types import Segment, SourceSpan


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a segment's field: characters `start` to `end`, spoken or shown from `start_s` to `end_s` of media
    time."""

    start: int
    end: int
    start_s: float
    end_s: float


Lines = Mapping[tuple[str, str], Sequence[Line]]
"""The lines of each field, by (id of the segment, name of the field)."""


def lines_of(
    segments: Sequence[Segment], cues: Sequence[Cue] = (), captions: Iterable[Seen] = (), texts: Iterable[Seen] = ()
) -> Lines:
    """Find the time span of each line of some segments.

    A line that repeats within a segment spans its first to its last occurrence. Fields without timed lines, such as
    those of a story, are left out.

    Args:
        segments: all of one source, by time.
        cues: as passed to `memory.narrative.ingest.segments.tile`, like the next two.
        captions: descriptions of what is seen.
        texts: text read in pictures.
    """
    found: dict[tuple[str, str], list[Line]] = {}
    if not segments or any(cue.clock == "sections" for cue in cues):
        return found
    starts = [segment.start_s for segment in segments]
    said = [(cue.start_s, cue.end_s, cue.text) for cue in cues]
    for field, timed in (
        ("dialogue", said),
        ("caption", [(t_s, t_s, words) for t_s, _, words in captions]),
        ("text", [(t_s, t_s, words) for t_s, _, words in texts]),
    ):
        placed: defaultdict[int, list[tuple[float, float, str]]] = defaultdict(list)
        for start_s, end_s, words in sorted(timed, key=lambda one: one[:2]):
            if words:
                placed[max(0, bisect_right(starts, start_s) - 1)].append((start_s, end_s, words))
        for place, these in placed.items():
            if field != "dialogue":
                these = _each_once(these)
            lines, at = [], 0
            for start_s, end_s, words in these:
                lines.append(Line(at, at + len(words), start_s, end_s))
                at += len(words) + 1
            found[segments[place].id, field] = lines
    return found


def times_of(lines: Lines, spans: Iterable[SourceSpan], within: Segment) -> tuple[float, float] | None:
    """Return the first start and last end, in seconds, of the lines that some spans of a segment cover.

    None if they are unknown. A line that continues beyond the segment ends with it.
    """
    touched = [
        line
        for span in spans
        for line in lines.get((span.segment_id, span.field), ())
        if line.start < span.end and line.end > span.start
    ]
    if not touched:
        return None
    start_s = min(max(min(line.start_s for line in touched), within.start_s), within.end_s)
    return start_s, min(max(max(line.end_s for line in touched), start_s), within.end_s)


def _each_once(timed: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    found: dict[str, tuple[float, float, str]] = {}
    for start_s, end_s, words in timed:
        first = found.get(words)
        found[words] = (first[0] if first else start_s, end_s, words)
    return list(found.values())
