"""Human label variation on any suite: what annotators agree on, and how they disagree, beside what a model says.

A suite takes part by giving each sample what its annotators said (`Sample.labels`), and each score the label that the
model gave (`Scored.label`). The protocol is that of "Rethinking Ground Truth" (arXiv 2603.19744) with its formulas for
two labels; for more than two they are carried over here, by our choice, so that they give the same for two. Several
questions about one item are the suite `hlv`'s own matter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from evals.engine.suite import Judged
from evals.suites.hlv.scorer import FLOOR, krippendorff_alpha

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Apart:
    """One item: what annotators and attempts of a model say, as shares of each label, and how far apart.

    Attributes:
        brier: half the sum of the squared differences, 0 to 1; for two labels the square of one's difference.
        kl: the divergence of the model from the annotators in nats.
        bin: Low where annotators agree, High where they are at a tie, else Moderate.
        stability: 1 where all attempts say the same, 0 where they say all labels equally often.
    """

    brier: float
    kl: float
    bin: str
    stability: float


def agreement(labels: Sequence[str]) -> str:
    """The slice of an item: its annotators `agree` or `disagree`, or there is `one`."""
    return "one" if len(labels) < 2 else "agree" if len(set(labels)) == 1 else "disagree"


def entropy_bin(labels: Sequence[str]) -> str:
    """Low where all labels are equal, High where each that was given was given equally often, else Moderate."""
    counts = Counter(labels)
    return "Low" if len(counts) == 1 else "High" if len(set(counts.values())) == 1 else "Moderate"


def apart(human: Sequence[str], runs: Sequence[str], kinds: int) -> Apart:
    """Compare the labels of annotators with those of attempts of a model.

    Args:
        human: at least one.
        runs: at least one.
        kinds: how many labels there are to choose from.
    """
    said, guessed = Counter(human), Counter(runs)
    pairs = [(said[label] / len(human), guessed[label] / len(runs)) for label in {*said, *guessed}]
    kept = [(max(p, FLOOR), max(q, FLOOR)) for p, q in pairs]
    most = max(guessed.values()) / len(runs)
    kinds = max(kinds, len(guessed), 2)
    return Apart(
        brier=sum((p - q) ** 2 for p, q in pairs) / 2,
        kl=sum(p * math.log(p / q) for p, q in kept),
        bin=entropy_bin(human),
        stability=(most - 1 / kinds) / (1 - 1 / kinds),
    )


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The mean over the right labels of their F1; pairs are (right, said), and "" is said where nothing was read."""
    said, right = Counter(said for _, said in pairs), Counter(right for right, _ in pairs)
    both = Counter(right for right, said in pairs if right == said)
    return fmean(2 * both[label] / (said[label] + count) for label, count in right.items())


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """The measures of a run over its samples with annotators' labels; none where no sample has any.

    Annotators: Krippendorff's alpha, and the share of items with several labels on which all agree. Where they agree:
    accuracy and macro-F1, each attempt by itself and then averaged, an unread answer as wrong. With several attempts:
    Brier score for each bin of the annotators' entropy, divergence over the items that are disputed, and how stable the
    attempts are. Items without any read answer take no part there; they are counted.
    """
    human = {(one.task, one.id): one.labels for one, _, _ in judged if one.labels}
    if not human:
        return {}
    said: dict[int, dict[tuple[str, str], str]] = {}
    for sample, transcript, scored in judged:
        if sample.labels:
            said.setdefault(transcript.epoch, {})[sample.task, sample.id] = scored.label
    several = [labels for labels in human.values() if len(labels) > 1]
    found: dict[str, float] = {}
    if several:
        found["annotators: agreed"] = fmean(agreement(labels) == "agree" for labels in several)
        alpha = krippendorff_alpha(several)
        found["annotators: alpha"] = math.nan if alpha is None else alpha
    agreed = {key: labels[0] for key, labels in human.items() if agreement(labels) == "agree"}
    if agreed:
        pairs = [[(right, run[key]) for key, right in agreed.items()] for run in said.values()]
        found["agreed: accuracy"] = fmean(right == label for run in pairs for right, label in run)
        found["agreed: macro-F1"] = fmean(map(macro_f1, pairs))
    return found | (_soft(human, list(said.values())) if len(said) > 1 else {})


def _soft(
    human: Mapping[tuple[str, str], Sequence[str]], runs: Sequence[Mapping[tuple[str, str], str]]
) -> dict[str, float]:
    kinds = len({label for labels in human.values() for label in labels})
    given = {key: [label for run in runs if (label := run[key])] for key in human}
    read = {key: apart(human[key], labels, kinds) for key, labels in given.items() if labels}
    found: dict[str, float] = {}
    for bin_ in ("Low", "Moderate", "High"):
        if scores := [one.brier for one in read.values() if one.bin == bin_]:
            found[f"brier, {bin_}"] = fmean(scores)
    if disputed := [one.kl for key, one in read.items() if agreement(human[key]) == "disagree"]:
        found |= {"disputed: kl, mean": fmean(disputed), "disputed: kl, median": median(disputed)}
    if read:
        found["agreement of attempts"] = fmean(one.stability for one in read.values())
    return found | {"items without a read answer": float(len(human) - len(read))}
