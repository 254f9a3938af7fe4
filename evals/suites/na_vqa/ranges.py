"""How far apart the evidence of a question lies: Short, Medium or Far."""

from __future__ import annotations

from typing import Literal

Range = Literal["Short", "Medium", "Far"]
RANGES: tuple[Range, ...] = ("Short", "Medium", "Far")
SHORT, MEDIUM = 0.10, 0.40
"""The greatest share of the whole that a range spans. Our choice: NA-VQA's authors have not published theirs."""


def range_of(span: float, whole: float) -> Range:
    """Return the range of evidence that spans so much of a whole, both in the same unit.

    Args:
        span: from the first piece of evidence to the last: of a film, end minus start in seconds; of a story, the
            difference of the positions of sections, which is 0 for one section.
        whole: the most that it can be.
    """
    share = span / whole if whole else 0.0
    return "Short" if share <= SHORT else "Medium" if share <= MEDIUM else "Far"
