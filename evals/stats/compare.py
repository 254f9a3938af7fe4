"""Comparison of two runs: paired by sample, clustered, corrected for the number of tasks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from evals.results import RunResults, SampleResult
from evals.stats.metrics import Counting, values_of
from evals.stats.paired import bootstrap_interval, deciding_p, holm, mcnemar, paired_difference
from tools.errors import ConfigError

ALPHA = 0.05
"""Significance level, in the total and over all tasks together; by convention.

Tests are two-sided, so half of it goes to each direction: the chance that equal runs are called a regression, in the
total or in any task, is at most this.
"""
Verdict = Literal["better", "worse", "no difference shown"]


class SampleKey(NamedTuple):
    """A sample, regardless of the attempt."""

    task: str
    id: str


class Change(BaseModel):
    """A sample whose score changed: the means over attempts in A and in B, and its first attempt in each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    id: str
    value_a: float
    value_b: float
    a: SampleResult
    b: SampleResult


class Delta(BaseModel):
    """B minus A over the samples that both have; positive is better. Undefined numbers are None.

    Attributes:
        n, clusters: of the samples.
        mean_a, mean_b, difference: means over samples of the means over attempts.
        low, high: the 95% interval over clusters, by square-and-add (see `evals.stats.paired.paired_difference`).
        bootstrap_low, bootstrap_high: that of the studentised bootstrap over clusters, from 20 clusters up.
        fixes, regressions: number of samples whose score rose, and fell.
        mcnemar_p: McNemar's mid-p if every score is 0 or 1; treats samples as independent.
        p: the p that decides: McNemar's if no two samples share a cluster, else Student's t over clusters.
        p_holm: p corrected for the number of tasks; the total is not corrected.
        rerun_se: the standard error from rerunning both alone; needs two attempts each.
        verdict: by `p_holm`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    clusters: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    fixes: int
    regressions: int
    mcnemar_p: float | None
    p: float | None
    p_holm: float | None = None
    rerun_se: float | None
    verdict: Verdict = "no difference shown"


class Comparison(BaseModel):
    """Run B against run A; failures count as wrong everywhere except in `scored`.

    Attributes:
        manifest_a, manifest_b: of the runs.
        overall: all tasks together.
        scored: all tasks together, on samples that both runs scored.
        tasks: by task.
        fixes, regressions: the samples that changed, largest change first.
        only_a, only_b: samples that only one run has.
        warnings: reasons why the runs are less comparable.
        alpha: see `ALPHA`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest_a: dict[str, Any]
    manifest_b: dict[str, Any]
    overall: Delta
    scored: Delta
    tasks: dict[str, Delta]
    fixes: tuple[Change, ...]
    regressions: tuple[Change, ...]
    only_a: tuple[SampleKey, ...]
    only_b: tuple[SampleKey, ...]
    warnings: tuple[str, ...]
    alpha: float

    @property
    def regressed(self) -> bool:
        """Whether B is significantly worse, in the total or in any task."""
        return any(delta.verdict == "worse" for delta in (self.overall, *self.tasks.values()))


Attempts = Mapping[SampleKey, Sequence[SampleResult]]


def compare(a: RunResults, b: RunResults, *, alpha: float = ALPHA, seed: int = 0) -> Comparison:
    """Compare two runs of a suite, aligned by task and sample; attempts at a sample are averaged.

    Args:
        a: the baseline.
        b: the run under test.
        alpha: see `ALPHA`.
        seed: of the bootstrap.

    Raises:
        ConfigError: if the runs are of different suites or versions of a suite, or have no sample in common.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"invalid alpha {alpha!r}.", expected="a number between 0 and 1, such as 0.05")
    _refuse(a, b)
    attempts_a, attempts_b = _by_sample(a), _by_sample(b)
    both = [key for key in attempts_a if key in attempts_b]
    if not both:
        raise ConfigError(
            f"the runs have no sample in common: A has, for example, {_named(attempts_a)}, B {_named(attempts_b)}.",
            remedy="Compare two runs of the same samples.",
        )
    by_task: defaultdict[str, list[SampleKey]] = defaultdict(list)
    for key in both:
        by_task[key.task].append(key)
    tasks = {task: _delta(attempts_a, attempts_b, keys, "as_wrong", seed) for task, keys in by_task.items()}
    overall = _delta(attempts_a, attempts_b, both, "as_wrong", seed)
    changes = sorted(_changes(attempts_a, attempts_b, both), key=lambda c: (-abs(c.value_b - c.value_a), c.task, c.id))
    only_a = tuple(key for key in attempts_a if key not in attempts_b)
    only_b = tuple(key for key in attempts_b if key not in attempts_a)
    return Comparison(
        manifest_a=a.manifest,
        manifest_b=b.manifest,
        overall=_judged([overall], alpha)[0],
        scored=_judged([_delta(attempts_a, attempts_b, both, "scored", seed)], alpha)[0],
        tasks=dict(zip(tasks, _judged(list(tasks.values()), alpha), strict=True)),
        fixes=tuple(change for change in changes if change.value_b > change.value_a),
        regressions=tuple(change for change in changes if change.value_b < change.value_a),
        only_a=only_a,
        only_b=only_b,
        warnings=tuple(_warnings(a, b, attempts_a, attempts_b, both, only_a, only_b)),
        alpha=alpha,
    )


def _refuse(a: RunResults, b: RunResults) -> None:
    suites, versions = [run.suite for run in (a, b)], [_scoring(run, "version") for run in (a, b)]
    if suites[0] != suites[1]:
        raise ConfigError(
            f"the runs are of different suites: A is {suites[0]!r}, B is {suites[1]!r}.",
            expected="two runs of one suite",
        )
    if versions[0] != versions[1]:
        raise ConfigError(
            f"the runs were scored by different versions of the suite: A by {versions[0]!r}, B by {versions[1]!r}.",
            expected="two runs of one suite, scored alike",
            remedy="Score the older one again with `attend eval score RUN`.",
        )


def _scoring(run: RunResults, name: str) -> Any:
    """Return what a run was scored with, which may have been later than the run."""
    return run.manifest.get("scored", run.manifest).get(name)


def _by_sample(results: RunResults) -> dict[SampleKey, list[SampleResult]]:
    found: dict[SampleKey, list[SampleResult]] = {}
    for sample in results.samples:
        found.setdefault(SampleKey(sample.task, sample.id), []).append(sample)
    return found


def _delta(a: Attempts, b: Attempts, keys: Sequence[SampleKey], counting: Counting, seed: int) -> Delta:
    values_a = {key: values for key in keys if (values := values_of(a[key], counting))}
    values_b = {key: values for key in keys if (values := values_of(b[key], counting))}
    both = [key for key in keys if key in values_a and key in values_b]
    mean_a = {key: sum(values_a[key]) / len(values_a[key]) for key in both}
    mean_b = {key: sum(values_b[key]) / len(values_b[key]) for key in both}
    cluster: dict[SampleKey, Hashable] = {key: a[key][0].cluster for key in both}
    found = paired_difference(mean_b, mean_a, cluster)
    change = [mean_b[key] - mean_a[key] for key in both]
    fixes, regressions = sum(d > 0 for d in change), sum(d < 0 for d in change)
    binary = bool(both) and all(value in (0, 1) for mean in (mean_a, mean_b) for value in mean.values())
    mid_p = mcnemar(fixes, regressions).mid_p if binary else None
    bootstrap = bootstrap_interval(change, list(cluster.values()), seed=seed) if both else None
    return Delta(
        n=found.n,
        clusters=found.clusters,
        mean_a=math.fsum(mean_a.values()) / len(both) if both else None,
        mean_b=math.fsum(mean_b.values()) / len(both) if both else None,
        difference=_number(found.mean),
        low=_number(found.low),
        high=_number(found.high),
        bootstrap_low=bootstrap[0] if bootstrap else None,
        bootstrap_high=bootstrap[1] if bootstrap else None,
        fixes=fixes,
        regressions=regressions,
        mcnemar_p=mid_p,
        p=_number(deciding_p(found, fixes, regressions, binary=binary)),
        rerun_se=_rerun_se([values_a[key] for key in both], [values_b[key] for key in both]),
    )


def _rerun_se(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float | None:
    """Return the root of the sum over samples of both runs' within-sample variances, over n (Miller 2024, section
    3)."""
    if not a or any(len(values) < 2 for values in (*a, *b)):
        return None
    total = 0.0
    for values in (*a, *b):
        mean = sum(values) / len(values)
        total += sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)
    return math.sqrt(total) / len(a)


def _judged(deltas: Sequence[Delta], alpha: float) -> list[Delta]:
    known = [delta.p for delta in deltas if delta.p is not None]
    corrected = iter(holm(known))
    judged = []
    for delta in deltas:
        p = None if delta.p is None else next(corrected)
        verdict: Verdict = "no difference shown"
        if p is not None and p <= alpha and delta.difference:
            verdict = "better" if delta.difference > 0 else "worse"
        judged.append(delta.model_copy(update={"p_holm": p, "verdict": verdict}))
    return judged


def _changes(a: Attempts, b: Attempts, keys: Sequence[SampleKey]) -> list[Change]:
    changes = []
    for key in keys:
        before, after = (sum(values) / len(values) for values in (values_of(run[key], "as_wrong") for run in (a, b)))
        if before != after:
            changes.append(
                Change(task=key.task, id=key.id, value_a=before, value_b=after, a=_typical(a[key]), b=_typical(b[key]))
            )
    return changes


def _typical(attempts: Sequence[SampleResult]) -> SampleResult:
    """Return the attempt whose value is nearest to the mean, the first of several."""
    mean = sum(values_of(attempts, "as_wrong")) / len(attempts)
    return min(attempts, key=lambda one: (abs((one.value or 0.0) - mean), one.epoch))


def _warnings(
    a: RunResults,
    b: RunResults,
    attempts_a: Attempts,
    attempts_b: Attempts,
    both: Sequence[SampleKey],
    only_a: Sequence[SampleKey],
    only_b: Sequence[SampleKey],
) -> list[str]:
    found = []
    parts = {"prompts": "the prompts", "files": "the data files", "options": "the suite's options"}
    for name, what in parts.items():
        first, second = a.manifest.get(name), b.manifest.get(name)
        if first != second:
            found.append(
                f"{what} differ{_where(first, second)}: the difference may come from them, not from the model."
            )
    revisions = {"the runs were made": [run.manifest.get("git") for run in (a, b)]}
    revisions["the runs were scored"] = [_scoring(run, "git") for run in (a, b)]
    for did, (first, second) in revisions.items():
        if first != second:
            found.append(f"{did} by different code, A by {first or 'an unknown revision'}, B by {second or 'one'}.")
    versions = [run.manifest.get("version") for run in (a, b)]
    if versions[0] != versions[1]:
        found.append(f"A was asked by version {versions[0]} of the suite, B by version {versions[1]}.")
    for run, keys in (("A", only_a), ("B", only_b)):
        if keys:
            found.append(f"{len(keys)} samples are only in {run} and are ignored, such as {_named(keys)}.")
    changed = [key for key in both if _content(attempts_a[key][0]) != _content(attempts_b[key][0])]
    if changed:
        found.append(f"{len(changed)} samples ask or expect something else in B, such as {_named(changed)}.")
    moved = [key for key in both if attempts_a[key][0].cluster != attempts_b[key][0].cluster]
    if moved:
        found.append(
            f"{len(moved)} samples are in another cluster in B, such as {_named(moved)}; A's clusters are used."
        )
    counts = [Counter(len(run[key]) for key in both) for run in (attempts_a, attempts_b)]
    if counts[0] != counts[1]:
        found.append(
            f"attempts at a sample differ, A has {_spread(counts[0])}, B has {_spread(counts[1])}: they are averaged."
        )
    return found


def _where(first: object, second: object) -> str:
    """Return which of two sets of hashes or settings by name differ."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return ""
    return " in " + ", ".join(name for name in sorted({*first, *second}) if first.get(name) != second.get(name))


def _content(sample: SampleResult) -> tuple[str, str]:
    return sample.question, sample.reference


def _named(keys: Mapping[SampleKey, object] | Sequence[SampleKey]) -> str:
    return ", ".join(f"{key.task}/{key.id}" for key in list(keys)[:3])


def _spread(counts: Counter[int]) -> str:
    return " or ".join(str(number) for number in sorted(counts))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
