"""Power analysis: number of samples that a comparison needs to detect an effect.

The variance of a difference between two runs has two parts (Miller 2024, Adding Error Bars to Evals, section 5):
between samples, which only more samples reduce, and between attempts at one sample, which more attempts reduce too.
Both are given by shares that can be read off runs. With D the share of samples on which one attempt of A and one of B
disagree, F that on which two attempts of one run disagree, k attempts and the effect d, a sample's difference has the
variance D - d^2 - F (1 - 1 / k); clusters of m add (m - 1) icc (D - d^2). For scores between 0 and 1, D and F are the
mean squares of these differences, which are the shares for 0 and 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from evals.results import RunResults
from evals.stats.metrics import sample_metrics, values_of
from tools.errors import ConfigError

ALPHA, POWER = 0.05, 0.8
"""By convention (Cohen 1988)."""
MOST = 10_000_000
"""Maximum number of samples that is considered."""


class Assumptions(BaseModel):
    """Assumptions about runs before they are compared.

    Attributes:
        baseline: the mean score of A.
        disagreement: the share of samples on which single attempts of A and B disagree, or the mean square of their
            difference; None assumes A and B to be independent, so that pairing gains nothing.
        flip_rate: the same of two attempts of one run; 0 if answers are deterministic.
        spread: the variance of a single attempt's score, over samples and attempts, in either run; None assumes scores
            of 0 or 1.
        samples: number of samples behind estimated assumptions, common to both runs if there are two; None if given.
        cluster_size: mean over samples of the size of their cluster.
        icc: the correlation of two samples' scores within a cluster, single attempts.
        icc_of_differences: the same of differences between A and B; None assumes `icc`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: float = Field(gt=0, lt=1)
    disagreement: float | None = Field(default=None, gt=0, le=1)
    flip_rate: float = Field(default=0.0, ge=0, le=0.5)
    spread: float | None = Field(default=None, gt=0, le=0.25)
    samples: int | None = Field(default=None, ge=1)
    cluster_size: float = Field(default=1.0, ge=1, allow_inf_nan=False)
    icc: float = Field(default=0.0, ge=0, le=1)
    icc_of_differences: float | None = Field(default=None, ge=0, le=1)


class SampleSize(BaseModel):
    """Number of samples that each run needs, and of their clusters. `paired`: both runs have the same samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: float
    attempts: int
    alpha: float
    power: float
    assumptions: Assumptions
    paired: int
    paired_clusters: int
    unpaired: int
    unpaired_clusters: int


def power(
    effect: float, assumptions: Assumptions, *, attempts: int = 1, alpha: float = ALPHA, power: float = POWER
) -> SampleSize:
    """Return the number of samples that detects an effect with the given power, by a two-sided t-test over clusters.

    Args:
        effect: the difference of mean scores to detect, B minus A.
        assumptions: see there.
        attempts: per sample, in both runs.
        alpha: the chance of a false alarm.
        power: the chance of detecting the effect if it exists.

    Raises:
        ConfigError: if a value is out of range, or the assumptions contradict one another.
    """
    _check(effect, assumptions, attempts, alpha, power)
    a = assumptions
    other = a.baseline + effect
    spread_a, spread_b = _spreads(a, other)
    repeated = a.flip_rate * (1 - 1 / attempts)
    disagreement = spread_a + spread_b + effect**2 if a.disagreement is None else a.disagreement
    shared = (a.icc if a.icc_of_differences is None else a.icc_of_differences) * (a.cluster_size - 1)
    within = (disagreement - effect**2) * (1 + shared) - repeated
    apart = (spread_a + spread_b) * (1 + a.icc * (a.cluster_size - 1)) - repeated
    paired = _samples(within, effect, a.cluster_size, alpha, power, groups=1)
    unpaired = _samples(apart, effect, a.cluster_size, alpha, power, groups=2)
    return SampleSize(
        effect=effect,
        attempts=attempts,
        alpha=alpha,
        power=power,
        assumptions=a,
        paired=paired,
        paired_clusters=_clusters(paired, a.cluster_size),
        unpaired=unpaired,
        unpaired_clusters=_clusters(unpaired, a.cluster_size),
    )


def assume(pilot: RunResults, rival: RunResults | None = None) -> Assumptions:
    """Estimate assumptions from a pilot run, and from a second one of the same samples; failures count as wrong.

    Without a second run, assumes that A and B are independent. The flip rate is the mean over the runs with several
    attempts; without any, assumes deterministic answers.

    Raises:
        ConfigError: if all of the pilot is right or all wrong, or the two runs have no sample in common.
    """
    if rival is not None and pilot.suite != rival.suite:
        raise ConfigError(
            f"the pilot runs are of different suites: {pilot.suite!r} and {rival.suite!r}.",
            remedy="Pass two runs of one suite.",
        )
    found = sample_metrics(pilot.samples).as_wrong
    if found.mean.value is None or not 0 < found.mean.value < 1:
        raise ConfigError(
            f"the pilot's mean score is {found.mean.value}.", expected="a mean above 0 and below 1", remedy="Run more."
        )
    values, cluster = _by_sample(pilot)
    rate = {key: float(np.mean(one)) for key, one in values.items()}
    measured = _squares_between_attempts(values)
    disagreement, icc_of_differences, common = None, None, len(rate)
    if rival is not None:
        others, _ = _by_sample(rival)
        both = [key for key in rate if key in others]
        common = len(both)
        if 2 * common < min(len(rate), len(others)):
            raise ConfigError(
                f"the pilot runs have {common} samples in common, of {len(rate)} and {len(others)}.",
                expected="at least half of the smaller one",
                remedy="Pass two runs of the same samples.",
            )
        a, b = np.array([rate[key] for key in both]), np.array([float(np.mean(others[key])) for key in both])
        measured += _squares_between_attempts(others)
    flips = sum(measured) / len(measured) if measured else 0.0
    if rival is not None:
        # Attempts are independent, given the sample.
        apart = (a - b) ** 2 + [float(np.var(values[key]) + np.var(others[key])) for key in both]
        disagreement = max(float(np.mean(apart)), flips) or None
        if disagreement is not None:
            single = disagreement - float(np.mean(a - b)) ** 2
            icc_of_differences = _single_icc(a - b, [cluster[key] for key in both], single)
    mean = found.mean.value
    sizes = Counter(cluster.values())
    single_values = [value for one in values.values() for value in one]
    graded = any(value not in (0.0, 1.0) for value in single_values)
    spread = float(np.var(single_values)) if graded else mean * (1 - mean)
    return Assumptions(
        baseline=mean,
        disagreement=disagreement,
        flip_rate=min(0.5, flips),
        spread=spread if graded else None,
        samples=common,
        cluster_size=sum(n * n for n in sizes.values()) / len(rate),
        icc=_single_icc(np.array(list(rate.values())), list(cluster.values()), spread),
        icc_of_differences=icc_of_differences,
    )


def _squares_between_attempts(values: Mapping[tuple[str, str], Sequence[float]]) -> list[float]:
    """Return the mean square of the difference of two attempts, over the samples that have two; empty if none has."""
    several = [2 * float(np.var(one, ddof=1)) for one in values.values() if len(one) > 1]
    return [float(np.mean(several))] if several else []


def _spreads(a: Assumptions, other: float) -> tuple[float, float]:
    """Return the variance of a single attempt's score in A, and in B with another mean."""
    return (a.baseline * (1 - a.baseline), other * (1 - other)) if a.spread is None else (a.spread, a.spread)


def _single_icc(means: np.ndarray, clusters: Sequence[str], single: float) -> float:
    """Return the correlation of single attempts within clusters, from means over attempts and a single attempt's
    variance."""
    if single <= 0:
        return 0.0
    return min(1.0, intraclass_correlation(means.tolist(), clusters) * float(means.var()) / single)


def intraclass_correlation(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the correlation of values within clusters, by analysis of variance, at least 0 (Donner 1986).

    Args:
        values: of shape (n,).
        clusters: the cluster of each; returns 0 if each is its own cluster, or all share one.
    """
    names = list(dict.fromkeys(clusters))
    n, groups = len(values), len(names)
    if groups in (1, n):
        return 0.0
    number = {name: place for place, name in enumerate(names)}
    place = np.array([number[name] for name in clusters])
    x = np.asarray(values, float)
    size = np.bincount(place)
    means = np.bincount(place, x) / size
    between = float((size * (means - x.mean()) ** 2).sum()) / (groups - 1)
    within = float(((x - means[place]) ** 2).sum()) / (n - groups)
    typical = (n - float((size**2).sum()) / n) / (groups - 1)
    total = between + (typical - 1) * within
    return min(1.0, max(0.0, (between - within) / total)) if total > 0 else 0.0


def _check(effect: float, a: Assumptions, attempts: int, alpha: float, power: float) -> None:
    if effect == 0 or not 0 < a.baseline + effect < 1:
        raise ConfigError(
            f"invalid effect {effect!r} on a baseline of {a.baseline:.3g}.",
            expected="an effect that is not 0 and leaves a mean between 0 and 1",
        )
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} is {value!r}.", expected="a number between 0 and 1")
    if power <= alpha:
        raise ConfigError(f"invalid power {power!r} with alpha {alpha!r}.", expected="a power above alpha")
    if attempts < 1:
        raise ConfigError(f"invalid number of attempts {attempts!r}.", expected="1 or more")
    # Scores of 0 and 1 that differ by d on average differ in a share d of the samples; others by as little as d each.
    least = abs(effect) if a.spread is None else effect**2
    if a.disagreement is not None and a.disagreement < max(least, a.flip_rate):
        raise ConfigError(
            f"invalid disagreement {a.disagreement:.3g}, with an effect of {effect:.3g} and a flip rate of "
            f"{a.flip_rate:.3g}.",
            expected="a disagreement of at least both: runs that differ by an effect disagree that often",
        )
    other = a.baseline + effect
    if a.flip_rate > (most := sum(_spreads(a, other)) * (1 + 1e-9)):
        raise ConfigError(
            f"invalid flip rate {a.flip_rate:.3g}, with means of {a.baseline:.3g} and {other:.3g}.",
            expected=f"at most {most:.3g}: scores that are mostly alike cannot flip more often",
        )


def _samples(variance: float, effect: float, size: float, alpha: float, power: float, groups: int) -> int:
    """Return the minimum number of samples per run for a t-test over clusters with the power; at least two clusters."""
    low, high = 0, 1
    while _power(_spread_out(high, size), variance, effect, size, alpha, groups) < power:
        low, high = high, 2 * high
        if high > MOST:
            raise ConfigError(
                f"detecting an effect of {effect!r} takes over {MOST:,} samples.", remedy="Look for a larger effect."
            )
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(_spread_out(middle, size), variance, effect, size, alpha, groups) >= power
        low, high = (low, middle) if enough else (middle, high)
    return int(np.ceil(_spread_out(high, size)))


def _spread_out(n: float, size: float) -> float:
    """Round up to at least two whole clusters."""
    return max(float(n), 2 * size)


def _power(n: float, variance: float, effect: float, size: float, alpha: float, groups: int) -> float:
    from scipy.special import stdtrit
    from scipy.stats import nct

    df = groups * (n / size - 1)
    shift = abs(effect) / np.sqrt(max(variance, 1e-12) / n)
    return float(nct.sf(stdtrit(df, 1 - alpha / 2), df, shift))


def _clusters(n: int, size: float) -> int:
    return int(np.ceil(n / size))


def _by_sample(results: RunResults) -> tuple[Mapping[tuple[str, str], list[float]], Mapping[tuple[str, str], str]]:
    values: dict[tuple[str, str], list[float]] = {}
    cluster: dict[tuple[str, str], str] = {}
    for sample in results.samples:
        values.setdefault((sample.task, sample.id), []).extend(values_of([sample], "as_wrong"))
        cluster.setdefault((sample.task, sample.id), sample.cluster)
    return values, cluster
