"""Human label variation for any suite: agreement among annotators, and between annotators and a model.

A suite provides its annotators' labels of each sample (`Sample.labels`), and the model's label with each score
(`Scored.label`). Protocol and formulas for two labels are those of "Rethinking Ground Truth" (arXiv 2603.19744); the
generalisation to more labels is ours, and equals them for two. The suite `hlv` handles several questions about one item
itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from evals.engine.suite import Judged

FLOOR = 1e-10
"""Minimum probability in a divergence (authors); a unanimous model on a divided post costs about 11 nats."""


@dataclass(frozen=True)
class ItemAgreement:
    """One item: shares of each label among annotators and among attempts of a model, and their distance.

    Attributes:
        brier: half the sum of the squared differences, 0 to 1; for two labels the square of one's difference.
        kl: divergence of the model from the annotators in nats.
        bin: Low if annotators agree, High if they are tied, else Moderate.
        stability: 1 if all attempts give the same label, 0 if they give all labels equally often.
    """

    brier: float
    kl: float
    bin: str
    stability: float


def agreement(labels: Sequence[str]) -> str:
    """Return the slice of an item: its annotators `agree` or `disagree`, or there is only `one`."""
    return "one" if len(labels) < 2 else "agree" if len(set(labels)) == 1 else "disagree"


def entropy_bin(labels: Sequence[str]) -> str:
    """Return Low if all labels are equal, High if each given label occurs equally often, else Moderate."""
    counts = Counter(labels)
    return "Low" if len(counts) == 1 else "High" if len(set(counts.values())) == 1 else "Moderate"


def item_agreement(human: Sequence[str], runs: Sequence[str], kinds: int) -> ItemAgreement:
    """Compare the labels of annotators with those of attempts of a model.

    Args:
        human: at least one.
        runs: at least one.
        kinds: number of possible labels.
    """
    said, guessed = Counter(human), Counter(runs)
    pairs = [(said[label] / len(human), guessed[label] / len(runs)) for label in {*said, *guessed}]
    kept = [(max(p, FLOOR), max(q, FLOOR)) for p, q in pairs]
    most = max(guessed.values()) / len(runs)
    kinds = max(kinds, len(guessed), 2)
    return ItemAgreement(
        brier=sum((p - q) ** 2 for p, q in pairs) / 2,
        kl=sum(p * math.log(p / q) for p, q in kept),
        bin=entropy_bin(human),
        stability=(most - 1 / kinds) / (1 - 1 / kinds),
    )


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal labels; None if it is undefined, as with only one kind of label.

    Args:
        units: the labels of each unit; units with fewer than two are ignored.
    """
    pairable = [labels for labels in units if len(labels) > 1]
    total = sum(len(labels) for labels in pairable)
    values: dict[Hashable, int] = {}
    observed = 0.0
    for labels in pairable:
        counts: dict[Hashable, int] = {}
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
            values[label] = values.get(label, 0) + 1
        observed += (len(labels) ** 2 - sum(n**2 for n in counts.values())) / (len(labels) - 1)
    expected = total**2 - sum(n**2 for n in values.values())
    return 1 - (total - 1) * observed / expected if expected else None


def macro_f1(truth: Sequence[str], said: Sequence[str | None]) -> float:
    """Return the mean of F1 over the labels that occur in either, as scikit-learn computes it; a label without hits
    counts 0.

    None is wrong, and not a label of its own. Both of shape (n,), n at least 1.
    """
    right, claimed = Counter(truth), Counter(one for one in said if one is not None)
    hits = Counter(one for one, other in zip(truth, said, strict=True) if one == other)
    kinds = sorted({*right, *claimed})
    return fmean(2 * hits[kind] / (right[kind] + claimed[kind]) for kind in kinds)


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the measures of a run over its samples with annotators' labels; none if no sample has any.

    Annotators: Krippendorff's alpha, and the share of items with several labels on which all agree. Where they agree:
    accuracy and macro-F1, per attempt and then averaged, counting an unread answer as wrong. With several attempts:
    Brier score for each bin of the annotators' entropy, divergence over the disputed items, and the stability of the
    attempts. These exclude items without any read answer, and report their number.

    For a suite with several tasks, which may ask about one item in several ways, the annotators are counted once per
    id, and the rest is reported for each task.
    """
    labelled = [one for one in judged if one[0].labels]
    if not labelled:
        return {}
    human = {sample.id: sample.labels for sample, _, _ in labelled}
    several = [labels for labels in human.values() if len(labels) > 1]
    found: dict[str, float] = {}
    if several:
        found["annotators: agreed"] = fmean(agreement(labels) == "agree" for labels in several)
        alpha = krippendorff_alpha(several)
        found["annotators: alpha"] = math.nan if alpha is None else alpha
    tasks = dict.fromkeys(sample.task for sample, _, _ in labelled)
    for task in tasks:
        mine = _of_task([one for one in labelled if one[0].task == task])
        found |= {f"{task}: {name}" if len(tasks) > 1 else name: value for name, value in mine.items()}
    return found


def _of_task(judged: Sequence[Judged]) -> dict[str, float]:
    human = {sample.id: sample.labels for sample, _, _ in judged}
    said: dict[int, dict[str, str]] = {}
    for sample, transcript, scored in judged:
        said.setdefault(transcript.epoch, {})[sample.id] = scored.label
    found: dict[str, float] = {}
    agreed = {key: labels[0] for key, labels in human.items() if agreement(labels) == "agree"}
    if agreed:
        found["agreed: accuracy"] = fmean(run[key] == right for run in said.values() for key, right in agreed.items())
        found["agreed: macro-F1"] = fmean(
            macro_f1(list(agreed.values()), [run[key] or None for key in agreed]) for run in said.values()
        )
    return found | (_soft(human, list(said.values())) if len(said) > 1 else {})


def _soft(human: Mapping[str, Sequence[str]], runs: Sequence[Mapping[str, str]]) -> dict[str, float]:
    kinds = len({label for labels in human.values() for label in labels})
    given = {key: [label for run in runs if (label := run[key])] for key in human}
    read = {key: item_agreement(human[key], labels, kinds) for key, labels in given.items() if labels}
    found: dict[str, float] = {}
    for bin_ in ("Low", "Moderate", "High"):
        if scores := [one.brier for one in read.values() if one.bin == bin_]:
            found[f"brier, {bin_}"] = fmean(scores)
    if disputed := [one.kl for key, one in read.items() if agreement(human[key]) == "disagree"]:
        found |= {"disputed: kl, mean": fmean(disputed), "disputed: kl, median": median(disputed)}
    if read:
        found["agreement of attempts"] = fmean(one.stability for one in read.values())
    return found | {"items without a read answer": float(len(human) - len(read))}
