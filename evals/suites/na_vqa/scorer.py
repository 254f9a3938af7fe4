"""Scores of answers about films and of their evidence: by range and by reasoning type, never as one mean.

Pure functions: a judge's verdicts come in as numbers (see `evals.suites.na_vqa.judge`). The paper's own scorer is not
public, so these figures are not comparable with the paper's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evals.stats.means import Rate, score_interval
from evals.suites.na_vqa.dataset import REASONING_TYPES, Question
from evals.suites.na_vqa.ranges import RANGES

KS = (1, 3, 5, 10)
"""Maximum rank at which evidence is searched."""
METRICS: dict[str, tuple[float, float]] = {
    "correctness": (0.0, 100.0),
    "covered": (0.0, 1.0),
    "contradicted": (0.0, 1.0),
    "rouge_l": (0.0, 1.0),
    "recall": (0.0, 1.0),
    **{f"{name}@{k}": (0.0, 1.0) for k in KS for name in ("recall", "all")},
    "all": (0.0, 1.0),
    "order": (-1.0, 1.0),
    "citation_precision": (0.0, 1.0),
    "abstained": (0.0, 1.0),
}
"""Every metric, with its minimum and maximum.

correctness: the judge's 0 to 5, times 20. covered, contradicted: shares of the key points of the reference.
rouge_l: F1 of words against the reference, and recall: share of the evidence that was retrieved; a run without a judge
has only these two. recall@k, all@k: the share of the evidence, and whether all of it, is among the first k retrieved
events; all: whether all of it was retrieved. order, citation_precision: of the citations.
"""
LEAKS = ("correctness", "covered", "rouge_l", "recall", "all", "all@5")
"""Metrics on which a run without the memory must be worse than one with it."""
_WORD = re.compile(r"\w+")
Span = tuple[float, float]
"""Start and end, in seconds of the film; or the position of a section and the next one."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A run's answer to a question.

    Attributes:
        answer: its words.
        told: the events in its context, best first.
        cited: the events that it cites, in the order of the answer.
        abstained: whether it said that it cannot tell.
    """

    answer: str = ""
    told: tuple[Span, ...] = ()
    cited: tuple[Span, ...] = ()
    abstained: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one answer; `values` has them by the names in `METRICS`, None for a missing one."""

    id: str
    film: str
    range: str
    reasoning_type: str
    values: Mapping[str, float | None]


def score(question: Question, prediction: Prediction, judged: Mapping[str, float | None] | None = None) -> Scored:
    """Score an answer.

    Args:
        question: the question.
        prediction: the answer; words are scored only if there are any, or the run abstained.
        judged: `correctness`, `covered` and `contradicted`, None for a missing verdict; None: without a judge.
    """
    gold, spoke = question.spans, bool(prediction.answer.strip()) or prediction.abstained
    values: dict[str, float | None] = {
        **evidence_scores(gold, prediction.told),
        "order": order_agreement(prediction.cited, gold),
        "citation_precision": citation_precision(prediction.cited, gold),
        "rouge_l": rouge_l(prediction.answer, question.reference) if spoke else None,
        "abstained": float(prediction.abstained) if spoke else None,
        **(judged or {}),
    }
    return Scored(question.id, question.film, question.range, question.reasoning_type, values)


def evidence_scores(gold: Sequence[Span], told: Sequence[Span]) -> dict[str, float | None]:
    """Return `recall` and `all` of evidence, over all retrieved events and over the first k, for each k of `KS`.

    A piece of evidence is found if a retrieved event overlaps it at all (an IoU above 0).
    """
    first = [next((rank for rank, span in enumerate(told) if overlaps(span, piece)), len(told)) for piece in gold]
    found = {"": len(told), **{f"@{k}": min(k, len(told)) for k in KS}}
    shares = {name: fmean(rank < depth for rank in first) for name, depth in found.items()}
    return {
        **{f"recall{name}": share for name, share in shares.items()},
        **{f"all{name}": float(share == 1) for name, share in shares.items()},
    }


def overlaps(one: Span, other: Span) -> bool:
    """Return whether two spans share time; one of no length is a point, inside a span from its start on."""
    if one[0] == one[1] or other[0] == other[1]:
        (moment, last), span = sorted((one, other), key=lambda part: part[1] - part[0])
        return span[0] <= moment < span[1] or (moment, last) == span
    return max(one[0], other[0]) < min(one[1], other[1])


def order_agreement(cited: Sequence[Span], gold: Sequence[Span]) -> float | None:
    """Return Kendall's tau-b between the order in which events are cited and that of the chain of evidence.

    A cited event counts as the piece of evidence that it shares most time with, the earlier of equals; one without
    overlap is ignored. None if fewer than two different pieces are cited.
    """
    from scipy.stats import kendalltau

    places = []
    for span in cited:
        found = [place for place, piece in enumerate(gold) if overlaps(span, piece)]
        if found:
            places.append(max(found, key=lambda place: (_shared(span, gold[place]), -place)))
    if len(set(places)) < 2:
        return None
    return float(kendalltau(range(len(places)), places).statistic)


def citation_precision(cited: Sequence[Span], gold: Sequence[Span]) -> float | None:
    """Return the share of cited events that overlap evidence; None without citations."""
    return fmean(any(overlaps(span, piece) for piece in gold) for span in cited) if cited else None


def rouge_l(answer: str, reference: str) -> float:
    """Return ROUGE-L of words (Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries, section 3): F1, from 0
    to 1.

    Precision and recall are the length of the longest common subsequence, as a share of the words of each text, equally
    weighted. Ignores case, without stemming.
    """
    said, wanted = _WORD.findall(answer.casefold()), _WORD.findall(reference.casefold())
    if not said or not wanted:
        return 0.0
    row = [0] * (len(wanted) + 1)
    for word in said:
        before = row
        row = [0]
        for place, other in enumerate(wanted):
            row.append(before[place] + 1 if word == other else max(row[place], before[place + 1]))
    return 2 * row[-1] / (len(said) + len(wanted))


@dataclass(frozen=True, slots=True)
class Summary:
    """Means with 95% intervals by range and by reasoning type, for each metric; `n` counts what has a value."""

    by_range: Mapping[str, Mapping[str, Rate]]
    by_reasoning_type: Mapping[str, Mapping[str, Rate]]


def summarise(scored: Iterable[Scored]) -> Summary:
    """Average each metric over the questions of each range and of each reasoning type, with films as clusters.

    Missing values, such as those of a failed judge, are left out; the mean's `n` counts the rest.
    """
    all_ = list(scored)
    return Summary(
        {name: _means([one for one in all_ if one.range == name]) for name in RANGES},
        {name: _means([one for one in all_ if one.reasoning_type == name]) for name in REASONING_TYPES},
    )


def leak_warnings(memory: Sequence[Scored], floors: Mapping[str, Sequence[Scored]]) -> list[str]:
    """Report where a run without the memory scores as high as the run with it, so that the questions reveal the
    answers.

    Args:
        memory: the run with the memory.
        floors: runs without knowledge of the film, such as `question only` and `shuffled memory`, by name.

    Returns:
        A sentence for each floor, range and metric of `LEAKS` on which it is no worse, over the questions that both
            have; and one for each floor without scores in common with the run.
    """
    warnings = []
    ours = {one.id: one for one in memory}
    for floor, run in floors.items():
        compared = False
        for range_ in RANGES:
            for metric in LEAKS:
                pairs = [
                    (value, other)
                    for one in run
                    if one.range == range_
                    and one.id in ours
                    and (value := ours[one.id].values.get(metric)) is not None
                    and (other := one.values.get(metric)) is not None
                ]
                if not pairs:
                    continue
                compared = True
                with_memory, without = fmean(value for value, _ in pairs), fmean(other for _, other in pairs)
                if without >= with_memory:
                    warnings.append(
                        f"{range_}, {metric}: {floor} reaches {without:.3f}, the memory {with_memory:.3f} "
                        f"(n = {len(pairs)}); these questions can be answered without the memory."
                    )
        if not compared:
            warnings.append(f"{floor}: no scores in common with the run, so a leak would go unnoticed.")
    return warnings


def _means(scored: Sequence[Scored]) -> dict[str, Rate]:
    means = {}
    for metric, (least, most) in METRICS.items():
        kept = [(value, one.film) for one in scored if (value := one.values.get(metric)) is not None]
        if not kept:
            continue
        rate = score_interval([(value - least) / (most - least) for value, _ in kept], [film for _, film in kept])
        scaled = {
            name: None if share is None else least + share * (most - least)
            for name, share in (("value", rate.value), ("low", rate.low), ("high", rate.high))
        }
        means[metric] = rate.model_copy(update=scaled)
    return means


def _shared(one: Span, other: Span) -> float:
    return min(one[1], other[1]) - max(one[0], other[0])
