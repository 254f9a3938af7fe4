"""Wall-clock times of a timeline: `WallTimes`."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Iterable

from tools.media.types import Span


class WallTimes:
    """Media times of a live source and the corresponding Unix times.

    One offset is not enough: media time stops while a machine is suspended, and clocks are set. So each row is valid
    from its media time up to the next one's.

    Args:
        rows: (media time, Unix time) in seconds; none if a source has no time of day.
    """

    def __init__(self, rows: Iterable[tuple[float, float]]) -> None:
        self._rows = sorted(dict(rows).items())

    def at(self, t_s: float) -> float | None:
        """Return the Unix time of a media time, in seconds; None where there are no rows."""
        if not self._rows:
            return None
        row_s, wall_s = self._rows[max(0, bisect_right(self._rows, (t_s, math.inf)) - 1)]
        return wall_s + t_s - row_s

    def before(self, wall_s: float) -> list[Span]:
        """Return the stretches of media time that were seen before a Unix time, oldest first."""
        if not self._rows:
            return []
        spans: list[Span] = []
        ends_s = [math.nextafter(t_s, 0.0) for t_s, _ in self._rows[1:]] + [sys.float_info.max]
        for (t_s, row_wall_s), end_s in zip(self._rows, ends_s, strict=True):
            if row_wall_s >= wall_s:
                continue
            span = Span(t_s, min(end_s, t_s + wall_s - row_wall_s))
            if spans and spans[-1].end_s == math.nextafter(t_s, 0.0):
                spans[-1] = Span(spans[-1].start_s, span.end_s)
            else:
                spans.append(span)
        if spans and spans[0].start_s == self._rows[0][0]:
            spans[0] = Span(0.0, spans[0].end_s)
        return spans
