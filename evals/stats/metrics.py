"""Summary metrics of a scored run, always in two ways: failures as wrong and scored only, by task and by slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evals.results import RunResults, SampleResult
from evals.stats.means import Rate, flip_rate, pass_at_k, pass_hat_k, score_interval

Counting = Literal["as_wrong", "scored"]
"""Whether failures count as wrong, or are left out."""


class Scores(BaseModel):
    """Scores in one way of counting; every rate has its 95% interval over clusters.

    Attributes:
        attempts: number of attempts that count.
        mean: over samples of the mean over their attempts; its n is the number of samples.
        pass_at_k: by k, the best of k attempts; for scores of 0 or 1, the chance that one of k is right.
        pass_hat_k: by k, the worst of k attempts; for scores of 0 or 1, the chance that all of k are right.
        flip_rate: the chance that two attempts at a sample differ in score; ignores samples with one attempt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int
    mean: Rate
    pass_at_k: dict[int, Rate]
    pass_hat_k: dict[int, Rate]
    flip_rate: Rate


class Metrics(BaseModel):
    """The two ways of counting, and the number of failed attempts by cause."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_wrong: Scores
    scored: Scores
    failures: dict[str, int]


class RunMetrics(BaseModel):
    """Metrics of a run in total, by task, and by name and value of each slice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overall: Metrics
    tasks: dict[str, Metrics]
    slices: dict[str, dict[str, Metrics]]


def run_metrics(results: RunResults) -> RunMetrics:
    """Summarise a run; tasks and slices come in the order of the run."""
    tasks: defaultdict[str, list[SampleResult]] = defaultdict(list)
    slices: defaultdict[str, defaultdict[str, list[SampleResult]]] = defaultdict(lambda: defaultdict(list))
    for sample in results.samples:
        tasks[sample.task].append(sample)
        for name, value in sample.slices.items():
            slices[name][value].append(sample)
    return RunMetrics(
        overall=sample_metrics(results.samples),
        tasks={task: sample_metrics(samples) for task, samples in tasks.items()},
        slices={name: {value: sample_metrics(found) for value, found in by.items()} for name, by in slices.items()},
    )


def sample_metrics(samples: Iterable[SampleResult]) -> Metrics:
    """Summarise some results of one run."""
    attempts: defaultdict[tuple[str, str], list[SampleResult]] = defaultdict(list)
    for sample in samples:
        attempts[sample.task, sample.id].append(sample)
    groups = list(attempts.values())
    failures = Counter(one.failure for group in groups for one in group if one.failure)
    return Metrics(
        as_wrong=_scores(groups, "as_wrong"), scored=_scores(groups, "scored"), failures=dict(failures.most_common())
    )


def values_of(samples: Sequence[SampleResult], counting: Counting) -> list[float]:
    """Return the values that count; a failure is 0 or is left out."""
    if counting == "as_wrong":
        return [sample.value or 0.0 for sample in samples]
    return [sample.value for sample in samples if sample.value is not None]


def _scores(groups: Sequence[Sequence[SampleResult]], counting: Counting) -> Scores:
    counted = [(values_of(group, counting), group[0].cluster) for group in groups]
    counted = [(values, cluster) for values, cluster in counted if values]
    most = max((len(values) for values, _ in counted), default=0)

    def over(statistic: Callable[[list[float]], float], least: int = 1) -> Rate:
        taken = [(statistic(values), cluster) for values, cluster in counted if len(values) >= least]
        return score_interval([value for value, _ in taken], [cluster for _, cluster in taken])

    return Scores(
        attempts=sum(len(values) for values, _ in counted),
        mean=over(lambda values: sum(values) / len(values)),
        pass_at_k={k: over(partial(pass_at_k, k=k), k) for k in _steps(most)},
        pass_hat_k={k: over(partial(pass_hat_k, k=k), k) for k in _steps(most)},
        flip_rate=over(flip_rate, 2),
    )


def _steps(attempts: int) -> list[int]:
    """Return the k to report: powers of two, and the number of attempts itself; none for single attempts."""
    return sorted({k for k in (1, 2, 4, 8, 16, 32, 64, attempts) if k <= attempts}) if attempts > 1 else []
