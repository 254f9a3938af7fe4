"""Range of a question's evidence: Short, Medium or Far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Range = Literal["Short", "Medium", "Far"]
RANGES: tuple[Range, ...] = ("Short", "Medium", "Far")
SHORT, MEDIUM = 0.10, 0.40
"""Maximum share of the whole that a range spans. Our choice: NA-VQA's authors have not published theirs."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of a question's evidence in its film, from which ranges with other limits can be computed.

    Attributes:
        span_s: from the start of the first piece to the end of the last, in seconds.
        frac: that as a share of the film.
        max_gap_s: the longest stretch without evidence between the first and the last piece, in seconds.
        range: Short for a single piece, however long; else by `frac`.
    """

    span_s: float
    frac: float
    max_gap_s: float
    range: Range


def spread_of(spans: Sequence[tuple[float, float]], duration_s: float) -> Spread:
    """Compute the distribution of evidence.

    Args:
        spans: start and end of each piece, in seconds, in any order; at least one.
        duration_s: of the film.
    """
    by_start = sorted(spans)
    ends = list(accumulate((end for _, end in by_start), max))
    gaps = [start - end for (start, _), end in zip(by_start[1:], ends, strict=False)]
    span_s = ends[-1] - by_start[0][0]
    of_one = 0.0 if len(spans) == 1 else span_s
    return Spread(span_s, span_s / duration_s, max([0.0, *gaps]), range_of(of_one, duration_s))


def range_of(span: float, whole: float) -> Range:
    """Return the range of evidence that spans so much of a whole, both in the same unit.

    Args:
        span: from the first piece of evidence to the last: of a film, end minus start in seconds; of a story, the
            difference of the positions of sections, which is 0 for one section.
        whole: the maximum span.
    """
    share = span / whole if whole else 0.0
    return "Short" if share <= SHORT else "Medium" if share <= MEDIUM else "Far"
