"""Scoring of replies to StreamingBench, as pure functions of a moment and a text."""

from __future__ import annotations

from evals.suites.answers import first_letter, says
from evals.suites.moments import Moment, Scores

TOLERANCE_S = 2.0
"""Tolerance of a proactive answer around the time that it was due (authors)."""


def score(moment: Moment, text: str, said_s: float | None) -> Scores:
    """Score a reply. A proactive one has an additional score, `in_time`, and is right only if it was in time."""
    if moment.due_s is not None:
        in_time = said_s is not None and abs(said_s - moment.due_s) <= TOLERANCE_S
        return {
            "official": in_time and moment.target in text,
            "strict": in_time and says(text, moment.target),
            "in_time": in_time,
        }
    return {"official": official_choice(text, moment.target), "strict": strict_choice(text, moment.target)}


def official_choice(text: str, letter: str) -> bool:
    """Count as the authors do: the very first character is the letter, so ` B` and `(B)` are wrong for B."""
    return text[:1] == letter


def strict_choice(text: str, letter: str) -> bool:
    """Count the first isolated letter."""
    return first_letter(text) == letter
