"""Parser of yes, no or maybe from a reply, and PubMedQA's two scores: accuracy and macro-F1.

The authors' script (evaluation.py of pubmedqa/pubmedqa, MIT) requires a decision for exactly the ids of the test, and
computes scikit-learn's `accuracy_score` and `f1_score(average="macro")`. `accuracy` and `macro_f1` are these. The
script does not cover replies without a decision: they count as wrong in one headline, and are left out of the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from evals.stats.agreement import macro_f1
from evals.suites.answers import without_thoughts
from evals.suites.pubmedqa.dataset import DECISIONS, Decision

RESAMPLES = 2_000
"""Bootstrap resamples of the interval of macro-F1."""
_MARKS = re.compile(r"[*_`\"“”#>]+")
_ALONE = re.compile(r"\W*(yes|no|maybe)\W*", re.IGNORECASE)
# "No evidence was found" begins with no as an article, and "Yes and no" with neither.
_LEADING = re.compile(
    r"\W*(?:(yes|maybe)\b(?!\s*(?:,\s*)?(?:/|or\b|and\b|nor\b|no\b|yes\b|maybe\b))"
    r"|(no)(?=\s*[.,;:!)]|\s+[-–—]\s|\s*\n)(?!\s*[,.]?\s*(?:/|or\b|and\b|yes\b|maybe\b)))",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"\b(?:answer|decision|conclusion|verdict|response|say)\b(?:\s+to\s+the\s+question)?"
    r"\s*(?:is|would\s+be|should\s+be|must\s+be|may\s+be)?\s*[:=]?\s*(?:a\s+|that\s+)?(yes|no|maybe)\b"
    r"(?!\s*(?:,\s*)?(?:/|or\b|and\b|nor\b))(?![ \t]+(?!because\b|since\b|as\b|given\b|but\b)\w)",
    re.IGNORECASE,
)


def decision(reply: str) -> Decision | None:
    """Return the decision of a reply, or None.

    Accepts a reply that is one of the three words; one that begins with it; the word that is called the answer; and a
    last line that is one of the words. If these differ, or two words are offered at once, there is none; nor is "no"
    taken from phrases such as "no evidence" or "not enough information".
    """
    text = _MARKS.sub("", without_thoughts(reply)).strip()
    if alone := _ALONE.fullmatch(text):
        return _word(alone[1])
    found = {_word(match[1]) for match in _STATED.finditer(text)}
    if leading := _LEADING.match(text):
        found.add(_word(leading[1] or leading[2]))
    if last := _ALONE.fullmatch(text.rsplit("\n", 1)[-1]):
        found.add(_word(last[1]))
    return found.pop() if len(found) == 1 else None


def _word(text: str) -> Decision:
    return next(one for one in DECISIONS if one == text.casefold())


def accuracy(truth: Sequence[str], said: Sequence[str | None]) -> float:
    """Return the share of right decisions; None is wrong. Both of shape (n,), n at least 1."""
    return sum(one == other for one, other in zip(truth, said, strict=True)) / len(truth)


def official(truth: Mapping[str, str], said: Mapping[str, str]) -> tuple[float, float]:
    """Return accuracy and macro-F1 of decisions by PMID.

    Raises:
        ValueError: unless the decisions are for exactly the ids of the test, as in the authors' script.
    """
    if truth.keys() != said.keys():
        missing, more = sorted(truth.keys() - said.keys()), sorted(said.keys() - truth.keys())
        raise ValueError(f"{len(missing)} ids have no decision ({missing[:3]}), {len(more)} are not ids ({more[:3]})")
    pairs = [(truth[pmid], said[pmid]) for pmid in truth]
    right, decided = [one for one, _ in pairs], [other for _, other in pairs]
    return accuracy(right, decided), macro_f1(right, decided)


def macro_f1_interval(truth: Sequence[str], said: Sequence[str | None], seed: int = 0) -> tuple[float, float] | None:
    """Return the 95% interval of macro-F1 by the percentile bootstrap over questions; None for fewer than 20."""
    if len(truth) < 20:
        return None
    drawn = np.random.default_rng(seed).integers(len(truth), size=(RESAMPLES, len(truth)))
    right, claimed = _codes(truth)[drawn], _codes(said)[drawn]
    scores, kinds = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for kind in range(len(DECISIONS)):
        total = (right == kind).sum(1) + (claimed == kind).sum(1)
        hits = ((right == kind) & (claimed == kind)).sum(1)
        scores += np.where(total > 0, 2 * hits / np.maximum(total, 1), 0.0)
        kinds += total > 0
    low, high = np.quantile(scores / kinds, [0.025, 0.975])
    return float(low), float(high)


def _codes(decisions: Sequence[str | None]) -> np.ndarray:
    place: dict[str, int] = {name: number for number, name in enumerate(DECISIONS)}
    return np.array([-1 if one is None else place[one] for one in decisions])
