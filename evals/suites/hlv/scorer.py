"""Scores under human label variation: against the annotators' label if they agree, else against their distribution.

Labels are 0 and 1. Protocol of "Rethinking Ground Truth" (arXiv 2603.19744), formulas as in the co-author's repository
agustoslu/simple-inference-benchmark (bench_lib/evaluation.py and notebooks). Entropy is in bits, divergence in nats.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from evals.stats.agreement import FLOOR, krippendorff_alpha
from tools.errors import AttendError

ALPHA_LIMIT = 0.60
"""A post whose labels differ, with a lower alpha of its own, is in the disagreement subset."""

WORDS = {"yes": 1, "no": 0, "1": 1, "0": 0}


class LabelError(AttendError, ValueError):
    """Labels are missing, or not 0 and 1, where a score needs them."""


@dataclass(frozen=True)
class Performance:
    """Comparison of predictions with labels; the positive class is 1, and a ratio without a denominator is 0."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    n_samples: int


@dataclass(frozen=True)
class Soft:
    """One post and question: shares of label 1 among annotators and among sampled runs of a model, and their distance.

    `brier` is the squared difference, `kl` the divergence of the model from the annotators in nats, `entropy` that of
    the annotators in bits with its bin; agreement is 1 for equal labels and 0 for a tie.
    """

    human_soft: float
    model_soft: float
    brier: float
    kl: float
    entropy: float
    bin: str
    agreement_score: float
    model_self_agreement: float


def binary(value: object) -> int | None:
    """Parse a label: yes, no, 0, 1, true or false, in any case; None for anything else."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | int):
        return int(value) if value in (0, 1) else None
    return WORDS.get(value.strip().lower()) if isinstance(value, str) else None


def agreement_score(labels: Sequence[int]) -> float:
    """Return 1 minus twice the share of the rarer label: 1 if all agree, including a single label, 0 at a tie.

    Raises:
        LabelError: if there are no labels, or others than 0 and 1.
    """
    ones = _ones(labels)
    return 1 - 2 * min(ones, len(labels) - ones) / len(labels)


def entropy(labels: Sequence[int]) -> float:
    """Return the entropy of labels in bits, from 0 to 1.

    Raises:
        LabelError: as `agreement_score`.
    """
    share = _ones(labels) / len(labels)
    return sum(-part * math.log2(part) for part in (share, 1 - share) if part)


def entropy_bin(bits: float) -> str:
    """Return Low if all agree, High at a tie, else Moderate."""
    return "Low" if bits == 0 else "High" if bits == 1 else "Moderate"


def divergence(human: float, model: float) -> float:
    """Return the Kullback-Leibler divergence of a model's share of 1 from the annotators', in nats; 0 for equal shares.

    Both shares and their complements are clipped at `FLOOR`, and not normalised again.
    """
    pairs = ((1 - human, 1 - model), (human, model))
    clipped = [(min(max(p, FLOOR), 1.0), min(max(q, FLOOR), 1.0)) for p, q in pairs]
    return sum(p * math.log(p / q) for p, q in clipped)


def soft_scores(human: Sequence[int], runs: Sequence[int]) -> Soft:
    """Compare annotators' labels with those of sampled runs of a model.

    Raises:
        LabelError: if either is empty, or has others than 0 and 1.
    """
    said, guessed, bits = _ones(human) / len(human), _ones(runs) / len(runs), entropy(human)
    return Soft(
        human_soft=said,
        model_soft=guessed,
        brier=(said - guessed) ** 2,
        kl=divergence(said, guessed),
        entropy=bits,
        bin=entropy_bin(bits),
        agreement_score=agreement_score(human),
        model_self_agreement=agreement_score(runs),
    )


def fleiss_kappa(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa; None if it is undefined, as with only one kind of label.

    Raises:
        LabelError: unless all units have equally many labels, two or more.
    """
    if not units or len({len(labels) for labels in units}) != 1 or len(units[0]) < 2:
        raise LabelError("Fleiss' kappa needs equally many labels in each unit.", expected="two or more")
    each, values = len(units[0]), {label for labels in units for label in labels}
    counts = [[sum(label == value for label in labels) for value in values] for labels in units]
    agreed = fmean((sum(n**2 for n in row) - each) / (each * (each - 1)) for row in counts)
    chance = sum((sum(column) / (len(units) * each)) ** 2 for column in zip(*counts, strict=True))
    return (agreed - chance) / (1 - chance) if chance < 1 else None


def is_disputed(questions: Sequence[Sequence[int]]) -> bool:
    """Return whether a post, with all its questions, is in the disagreement subset, from its labels for each
    question."""
    return any(len(set(labels)) > 1 and _below(krippendorff_alpha([labels])) for labels in questions)


def performance(labels: Sequence[int], predictions: Sequence[int]) -> Performance:
    """Compare predictions with labels, one each.

    Raises:
        LabelError: if there are none, or their numbers differ.
    """
    if not labels or len(labels) != len(predictions):
        raise LabelError(f"there are {len(labels)} labels and {len(predictions)} predictions.", expected="equally many")
    pairs = list(zip(labels, predictions, strict=True))
    both, called, true = sum(a == b == 1 for a, b in pairs), sum(predictions), sum(labels)
    return Performance(
        accuracy=fmean(a == b for a, b in pairs),
        precision=both / called if called else 0.0,
        recall=both / true if true else 0.0,
        f1=2 * both / (called + true) if called + true else 0.0,
        n_samples=len(pairs),
    )


def agreement_performance(
    human: Mapping[str, Sequence[int]],
    predicted: Mapping[str, int],
    *,
    each_annotation: bool = False,
    least_annotators: int = 2,
) -> Performance | None:
    """Compare predictions with what annotators agree on, for one question; None if there is nothing to compare.

    Args:
        human: the labels of each post.
        predicted: a label for each post; posts without one are ignored.
        each_annotation: whether a post counts once for each of its annotators, as in the authors' later notebook.
        least_annotators: minimum number per post; the authors also count posts with one.
    """
    kept = [
        (labels[0], predicted[post], len(labels) if each_annotation else 1)
        for post, labels in human.items()
        if post in predicted and len(labels) >= max(1, least_annotators) and agreement_score(labels) == 1
    ]
    pairs = [(label, guess) for label, guess, times in kept for _ in range(times)]
    return performance([label for label, _ in pairs], [guess for _, guess in pairs]) if pairs else None


def summarise(items: Sequence[tuple[str, Soft]], disputed: Sequence[str]) -> dict[str, Any]:
    """Return the Brier score for each bin of entropy, and the divergence over disputed posts: mean and median.

    Args:
        items: pairs of a post and its scores, one for each question.
        disputed: the posts of the disagreement subset.
    """
    bins: dict[str, list[float]] = {}
    for _, soft in items:
        bins.setdefault(soft.bin, []).append(soft.brier)
    apart = [soft.kl for post, soft in items if post in disputed]
    return {
        "mean_brier_by_bin": {name: fmean(values) for name, values in bins.items()},
        "mean_kl_disagreement": fmean(apart) if apart else None,
        "median_kl_disagreement": median(apart) if apart else None,
    }


def consistency(runs: Sequence[Sequence[int]]) -> float | None:
    """Return 1 minus the share of changes between successive runs; None with fewer than two runs.

    Args:
        runs: the labels of each run, over the same posts and questions in the same order.

    Raises:
        LabelError: if runs differ in length, or are empty.
    """
    if len(runs) < 2:
        return None
    if len({len(run) for run in runs}) != 1 or not runs[0]:
        raise LabelError("runs have unequally many labels, or none.")
    flips = sum(a != b for one, other in pairwise(runs) for a, b in zip(one, other, strict=True))
    return 1 - flips / ((len(runs) - 1) * len(runs[0]))


def _ones(labels: Sequence[int]) -> int:
    if not labels or any(label not in (0, 1) for label in labels):
        raise LabelError(f"invalid labels {list(labels)!r}.", expected="one or more, each 0 or 1")
    return sum(labels)


def _below(alpha: float | None) -> bool:
    return alpha is not None and alpha < ALPHA_LIMIT
