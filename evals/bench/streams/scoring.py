"""Whether an answer is right, whether a window holds the evidence, and how sure a difference is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evals.bench.streams.questions import Question
from evals.bench.streams.stream import WORDS

LEAST_STREAMS = 5
"""With fewer streams no interval is given; our choice."""
COUNT_WORDS = ("0", "1", "2", "3", "4", "5", "once", "twice", "never", "zero", "one", "two", "three", "four", "five")
Held = Literal["clear", "fuzzy", "no"]


def is_right(question: Question, told: str, names: Sequence[str]) -> bool:
    """Say whether an answer names one of the right answers, and nothing else that was shown.

    Args:
        question: what was asked.
        told: the answer.
        names: what all scenes of the stream are called: naming another one as well is wrong.
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
    """Say in which detail a window of (time, state) holds the evidence; fuzzy where any needed part of it is."""
    best = []
    for start_s, end_s in question.spans:
        states = {state for t_s, state in window if start_s <= t_s < end_s}
        best.append("clear" if "clear" in states else "fuzzy" if "fuzzy" in states else "no")
    order = ("no", "fuzzy", "clear")
    ranks = [order.index(state) for state in best]
    return ("no", "fuzzy", "clear")[min(ranks) if question.all_spans else max(ranks)]


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences and its 95% interval; no interval where there are fewer than five streams."""

    mean: float
    low: float
    high: float
    n: int


def paired_difference(ours: Mapping[int, bool], rival: Mapping[int, bool], cluster: Mapping[int, int]) -> Difference:
    """Compare two rows on the questions that both were asked; `cluster` gives each question's stream.

    Questions of a stream depend on each other, so streams are what is sampled. With m streams, n_s questions and the
    sum D_s of differences in stream s, the mean is r = sum D_s / sum n_s, and its standard error that of a ratio,
    sqrt(m / (m - 1) * sum (D_s - r n_s)^2) / sum n_s (Cochran, Sampling Techniques, 6.3); the interval is Student's t
    with m - 1 degrees of freedom.
    """
    from scipy.stats import t as student

    both = sorted(set(ours) & set(rival))
    if not both:
        return Difference(math.nan, math.nan, math.nan, 0)
    streams = sorted({cluster[key] for key in both})
    totals = np.array([sum(ours[k] - rival[k] for k in both if cluster[k] == s) for s in streams], float)
    counts = np.array([sum(cluster[k] == s for k in both) for s in streams], float)
    mean, m = float(totals.sum() / counts.sum()), len(streams)
    if m < LEAST_STREAMS:
        return Difference(mean, math.nan, math.nan, len(both))
    residual = totals - mean * counts
    error = math.sqrt(m / (m - 1) * float(residual @ residual)) / float(counts.sum())
    reach = float(student.ppf(0.975, m - 1)) * error
    return Difference(mean, mean - reach, mean + reach, len(both))


def _has(text: str, phrase: str) -> bool:
    return re.search(rf"\b{re.escape(phrase.lower())}\b", text.lower()) is not None
