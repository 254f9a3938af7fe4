"""Paired tests for two sets of scores of the same samples: differences, McNemar's test, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from evals.stats.means import CONFIDENCE, ClusterMean, cluster_mean, score_interval

RESAMPLES = 2_000
"""Bootstrap resamples per interval."""
LEAST_CLUSTERS = 20
"""Minimum number of clusters for a bootstrap; with fewer, its coverage is too low (see `evals.bench.coverage`). Our
choice."""
_CHUNK = 2_000_000
"""Maximum number of values in memory while resampling."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, ours minus the baseline's.

    Ends of intervals and p are NaN with fewer than two clusters.

    Attributes:
        mean: over samples that both were asked.
        low, high: the 95% interval, by square-and-add; contains 0 exactly if p is above 0.05.
        se: the standard error over clusters.
        p: two-sided, of the hypothesis that there is no difference: Student's t over clusters; if all samples differ
            equally, the sign test's with a trial for each cluster; if only the interval contains 0, that of the
            interval.
        n, clusters: of the samples that both were asked.
    """

    mean: float
    low: float
    high: float
    se: float
    p: float
    n: int
    clusters: int


class McNemar(NamedTuple):
    """McNemar's test: two-sided p, exact and mid-p."""

    exact: float
    mid_p: float


def paired_difference(
    ours: Mapping[Key, float], rival: Mapping[Key, float], cluster: Mapping[Key, Hashable]
) -> Difference:
    """Compare scores from 0 to 1 on the samples that both have; `cluster` maps samples to clusters.

    A difference is the mean gain (fixes) minus the mean loss (regressions). Each of these is between 0 and 1 and has
    the interval of `evals.stats.means.score_interval`; the squares of their half-widths add up, minus the part due to
    correlation (Newcombe 1998, Statistics in Medicine 17:2635; Zou and Donner 2008, Statistics in Medicine 27:1693;
    with clusters Yang, Sun and Hardin 2012, J. Biopharmaceutical Statistics 22:1063). Unlike the mean plus or minus
    some standard errors, this is valid if few samples differ, or none.

    With few clusters the interval and Student's t may disagree about whether there is a difference. The more
    conservative of the two then decides: the interval is extended to 0, or p is the one at which it would just contain
    0.
    """
    both = [key for key in ours if key in rival]
    if not both:
        return Difference(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0)
    change = np.array([float(ours[key]) - float(rival[key]) for key in both])
    places = [cluster[key] for key in both]
    gains, losses = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    found = cluster_mean(change.tolist(), places)
    if found.clusters < 2:
        return Difference(found.mean, math.nan, math.nan, math.nan, math.nan, found.n, found.clusters)
    # var(gain - loss) = var(gain) + var(loss) - 2 cov
    spreads = [cluster_mean(part.tolist(), places).se for part in (gains, losses)]
    product = spreads[0] * spreads[1]
    correlation = (spreads[0] ** 2 + spreads[1] ** 2 - found.se**2) / (2 * product) if product > 0 else 0.0

    def ends(confidence: float) -> tuple[float, float]:
        gain, loss = (score_interval(part.tolist(), places, confidence=confidence) for part in (gains, losses))
        down = _reach(_side(gain.value, gain.low), _side(loss.value, loss.high), correlation)
        up = _reach(_side(gain.value, gain.high), _side(loss.value, loss.low), correlation)
        return found.mean - down, found.mean + up

    low, high = ends(CONFIDENCE)
    p = _student_p(found)
    if p > 1 - CONFIDENCE:
        low, high = min(low, 0.0), max(high, 0.0)
    elif low <= 0 <= high:
        p = 1 - _confidence_at_zero(ends)
    return Difference(found.mean, low, high, found.se, p, found.n, found.clusters)


def deciding_p(found: Difference, fixes: int, regressions: int, *, binary: bool) -> float:
    """Return the p that decides about a difference: McNemar's mid-p if scores are 0 or 1 and samples share no clusters,
    else that of `found`; NaN if there is none."""
    return mcnemar(fixes, regressions).mid_p if binary and found.clusters == found.n else found.p


def bootstrap_interval(
    values: Sequence[float], clusters: Sequence[Hashable], *, seed: int = 0
) -> tuple[float, float] | None:
    """Return the studentised bootstrap's 95% interval of a mean, resampling whole clusters.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, 12.5, with the standard error of `cluster_mean`. Of the
    bootstraps it has the best coverage, better than BCa. None with fewer than 20 clusters or no spread.

    Args:
        values: of shape (n,), any finite values.
        clusters: the cluster of each value.
        seed: of the resampling; the same values in the same order give the same interval.
    """
    found = cluster_mean(values, clusters)
    if found.clusters < LEAST_CLUSTERS or not found.se > 0:
        return None
    number = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    place = [number[name] for name in clusters]
    total, count = np.bincount(place, values), np.bincount(place).astype(float)
    random = np.random.default_rng(seed)
    deviations: list[np.ndarray] = []
    rows = max(1, _CHUNK // len(count))
    for start in range(0, RESAMPLES, rows):
        drawn = _draws(random, min(rows, RESAMPLES - start), len(count))
        n = drawn @ count
        mean = drawn @ total / n
        residual = total - mean[:, None] * count
        variance = (drawn * residual**2 / (1 - np.minimum(count / n[:, None], 0.5))).sum(1) / n**2
        spread = variance > 1e-20
        deviations.append((mean[spread] - found.mean) / np.sqrt(variance[spread]))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(deviations), [tail, 1 - tail])
    return found.mean - float(high) * found.se, found.mean - float(low) * found.se


def mcnemar(fixes: int, regressions: int) -> McNemar:
    """Return McNemar's test of paired scores that are 0 or 1, from the numbers of changes in each direction.

    The exact p is binomial and conservative; mid-p counts the observed outcome half and keeps the level (Fagerland,
    Lydersen and Laake 2013, BMC Medical Research Methodology 13:91). Both treat samples as independent.
    """
    from scipy.special import bdtr

    n, fewer = fixes + regressions, min(fixes, regressions)
    if n == 0:
        return McNemar(1.0, 1.0)
    below = float(bdtr(fewer, n, 0.5))
    seen = below - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    return McNemar(min(1.0, 2 * below), min(1.0, 2 * below - seen))


def holm(p: Sequence[float]) -> list[float]:
    """Return p corrected for their number, in their order (Holm 1979, Scandinavian J. of Statistics 6:65)."""
    corrected = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = largest
    return corrected


def _confidence_at_zero(ends: Callable[[float], tuple[float, float]]) -> float:
    """Return the confidence, below the usual one, at which an interval that contains 0 just does."""
    without, holding = 0.0, CONFIDENCE
    while holding - without > 1e-6:
        middle = (without + holding) / 2
        low, high = ends(middle)
        without, holding = (without, middle) if low <= 0 <= high else (middle, holding)
    return without


def _student_p(found: ClusterMean) -> float:
    from scipy.special import stdtr

    if found.se > 0:
        return float(2 * stdtr(found.df, -abs(found.mean) / found.se))
    return 1.0 if found.mean == 0 else 2 * 0.5**found.clusters


def _draws(random: np.random.Generator, rows: int, clusters: int) -> np.ndarray:
    """Return how often each cluster is drawn, (rows, clusters); far faster than multinomial draws for many clusters."""
    places = random.integers(clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(float)


def _side(value: float | None, end: float | None) -> float:
    return abs((end or 0.0) - (value or 0.0))


def _reach(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))
