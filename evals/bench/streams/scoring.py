"""Scoring of answers, and whether a window contains the evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from evals.bench.streams.questions import Question
from evals.bench.streams.stream import WORDS

COUNT_WORDS = ("0", "1", "2", "3", "4", "5", "once", "twice", "never", "zero", "one", "two", "three", "four", "five")
Held = Literal["clear", "fuzzy", "no"]


def is_right(question: Question, told: str, names: Sequence[str]) -> bool:
    """Return whether an answer names one of the right answers, and nothing else that was shown.

    Args:
        question: the question.
        told: the answer.
        names: the names of all scenes of the stream: naming another one as well is wrong.
    """
    said = re.sub(r"\[[^\]]*\]", " ", told)
    if re.match(r"I can't", said) or not any(_has(said, answer) for answer in question.answers):
        return False
    if question.kind == "times":
        return not any(_has(said, word) for word in COUNT_WORDS if word not in question.answers)
    if question.kind.startswith("word"):
        others = [word for words in WORDS.values() for word in words]
        others = [word for word in others if word not in question.answers and not _has(question.text, word)]
        return not any(_has(said, word) for word in others)
    if question.kind.startswith("scene"):
        others = [name for name in names if not any(_has(answer, name) for answer in question.answers)]
        return not any(_has(said, name) for name in others)
    return True


def held(question: Question, window: Sequence[tuple[float, str]]) -> Held:
    """Return the detail at which a window of (time, state) shows the evidence; fuzzy if any needed part of it is."""
    best = []
    for start_s, end_s in question.spans:
        states = {state for t_s, state in window if start_s <= t_s < end_s}
        best.append("clear" if "clear" in states else "fuzzy" if "fuzzy" in states else "no")
    order = ("no", "fuzzy", "clear")
    ranks = [order.index(state) for state in best]
    return ("no", "fuzzy", "clear")[min(ranks) if question.all_spans else max(ranks)]


def _has(text: str, phrase: str) -> bool:
    return re.search(rf"\b{re.escape(phrase.lower())}\b", text.lower()) is not None
