"""Scoring of replies to OVO-Bench, as pure functions of a moment and a text."""

from __future__ import annotations

import re

from evals.suites.answers import first_letter, first_yes_no, only_number
from evals.suites.moments import Moment, Scores


def score(moment: Moment, text: str, said_s: float | None) -> Scores:
    """Score a reply by the form of its task's answer; ignores `said_s`."""
    if moment.kind == "choice":
        return {"official": moment.target in text, "strict": first_letter(text) == moment.target}
    if moment.kind == "count":
        return {"official": official_count(text, moment.target), "strict": only_number(text) == int(moment.target)}
    return {
        "official": official_yes_no(text, moment.target),
        "strict": first_yes_no(text) is (moment.target == "Yes"),
    }


def official_count(text: str, count: str) -> bool:
    """Count as the authors do: all digits of the reply in sequence are the number, so "1 or 2" is right for 12."""
    return "".join(re.findall(r"\d+", text)) == count


def official_yes_no(text: str, word: str) -> bool:
    """Count as the authors do: the word occurs anywhere in the reply, even inside another one, or its letter by
    itself."""
    return text == word[0] or word in text
