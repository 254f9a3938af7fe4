"""Means of scores with cluster-robust intervals, and statistics over several attempts at a sample.

Samples about one video, picture or patient are not independent, so an interval has to count clusters. The standard
error of a mean over clusters is that of a ratio (Cochran, Sampling Techniques, 6.3; Miller 2024, Adding Error Bars to
Evals, 2.2), with the correction CR2 and its degrees of freedom (Bell and McCaffrey 2002, Survey Methodology 28:169),
which do not assume many clusters or equal ones. The interval is Wilson's (1927) at the effective sample size given by
the standard error: it stays within 0 and 1 and is valid near both ends (Franco et al. 2019, J. Survey Statistics and
Methodology 7:334). Of the methods compared by `evals.bench.coverage`, this one keeps closest to 95%.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

CONFIDENCE = 0.95
"""Confidence level of every interval."""
_NONE = 1e-20
"""Smaller variances are rounding errors."""

Average = Literal["micro", "macro", "groups"]


@dataclass(frozen=True)
class Outcome:
    """Whether one sample was right. Samples of one `cluster`, such as a video, are not independent."""

    cluster: str
    group: str
    task: str
    right: bool


class Rate(BaseModel):
    """A mean of scores from 0 to 1 and its 95% interval.

    There is no interval with fewer than two clusters, and no value if n is 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ClusterMean:
    """A mean over clustered samples with its standard error.

    Attributes:
        n: number of samples.
        clusters: number of their clusters.
        mean: the weighted mean.
        se: the standard error CR2; NaN for a single cluster.
        df: Bell and McCaffrey's degrees of freedom of `se`.
    """

    n: int
    clusters: int
    mean: float
    se: float
    df: float


def rate(outcomes: Sequence[Outcome], average: Average = "micro") -> Rate:
    """Return the share of right outcomes with its interval.

    Args:
        outcomes: one per sample.
        average: `micro` weights samples equally, `macro` tasks, and `groups` averages macro means with equal weights of
            groups.
    """
    values, clusters = [float(o.right) for o in outcomes], [o.cluster for o in outcomes]
    if average == "micro":
        return score_interval(values, clusters)
    strata = [(o.group, o.task) for o in outcomes]
    size = Counter(strata)
    tasks = Counter(group for group, _ in size)
    share = {
        (group, task): 1 / n / (len(size) if average == "macro" else len(tasks) * tasks[group])
        for (group, task), n in size.items()
    }
    return score_interval(values, clusters, weights=[share[stratum] for stratum in strata], strata=strata)


def score_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    weights: Sequence[float] | None = None,
    strata: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
) -> Rate:
    """Return the mean of scores from 0 to 1 with its interval.

    Args:
        values: of shape (n,), each from 0 to 1.
        clusters: the cluster of each value. If each value is its own cluster, 0 or 1, and equally weighted, the
            interval is Wilson's own.
        weights: of shape (n,); None weights all equally.
        strata: parts with fixed shares of the weight, such as tasks in a macro average.
        confidence: of the interval.
    """
    if not values:
        return Rate(n=0)
    found = cluster_mean(values, clusters, weights=weights, strata=strata)
    if found.clusters < 2:
        return Rate(n=found.n, value=found.mean)
    if weights is None and found.clusters == found.n and all(value in (0, 1) for value in values):
        low, high = wilson(sum(values), found.n, _normal(confidence))
    else:
        low, high = _score_ends(found, float(np.var(values)) / found.n, confidence)
    return Rate(n=found.n, value=found.mean, low=low, high=high)


def cluster_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    weights: Sequence[float] | None = None,
    strata: Sequence[Hashable] | None = None,
) -> ClusterMean:
    """Return a mean with its standard error over clusters; any finite values, n at least 1, else as `score_interval`.

    With the weights w of a cluster g adding up to W_g, 1 in total, and e the difference of each value from the mean of
    its stratum, the variance is sum_g (sum_g w e)^2 / (1 - W_g). For equal clusters the degrees of freedom are their
    number minus one.
    """
    x = np.asarray(values, float)
    w = np.full(len(x), 1 / len(x)) if weights is None else np.asarray(weights, float) / math.fsum(weights)
    place = _places(clusters)
    mean = math.fsum(x) / len(x) if weights is None else math.fsum(w * x)
    centre = mean
    if strata is not None:
        layer = _places(strata)
        centre = (np.bincount(layer, w * x) / np.bincount(layer, w))[layer]
    share = np.bincount(place, w)
    if len(share) < 2:
        return ClusterMean(len(x), len(share), mean, math.nan, math.nan)
    residual = np.bincount(place, w * (x - centre))
    variance = float((residual**2 / (1 - share)).sum())
    se = math.sqrt(variance) if variance > _NONE else 0.0
    return ClusterMean(len(x), len(share), mean, se, _degrees(share))


def wilson(right: float, n: float, quantile: float | None = None) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927, J. American Statistical Association 22:209).

    Args:
        right: number of right ones.
        n: total number; both may be fractional, as effective sample sizes.
        quantile: of the reference distribution; None is that of the normal distribution at 95%.
    """
    z = _normal(CONFIDENCE) if quantile is None else quantile
    share, spread = right / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def pass_at_k(values: Sequence[float], k: int) -> float:
    """Return the best of k attempts, averaged over all choices of k of them.

    For scores of 0 and 1 it is an unbiased estimate of the chance that one of k is right (Chen et al. 2021, arXiv
    2107.03374).
    """
    return _extreme(sorted(values), k)


def pass_hat_k(values: Sequence[float], k: int) -> float:
    """Return the worst of k attempts, averaged over all choices; for 0 and 1 the chance that all are right
    (tau-bench)."""
    return _extreme(sorted(values, reverse=True), k)


def flip_rate(values: Sequence[float]) -> float:
    """Return the chance that two of the attempts, at least two, have different scores."""
    pairs = len(values) * (len(values) - 1)
    return 1 - sum(count * (count - 1) for count in Counter(values).values()) / pairs


def _extreme(in_order: Sequence[float], k: int) -> float:
    """Return the last of k values, averaged over all choices of k of these, in their order."""
    ways = math.comb(len(in_order), k)
    return sum(value * math.comb(place, k - 1) for place, value in enumerate(in_order)) / ways


def _normal(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))


def _score_ends(found: ClusterMean, unclustered: float, confidence: float) -> tuple[float, float]:
    """Return Wilson's interval at the sample size with the same variance.

    If clusters do not differ at all, the variance is that of unclustered samples; if samples do not differ either, the
    size is the number of clusters: it is then only known that so many agreed, and samples within them may be mere
    repetitions.
    """
    from scipy.special import stdtrit

    variance = found.se**2 or unclustered
    mean = min(1.0, max(0.0, found.mean))
    n = mean * (1 - mean) / variance if variance > _NONE else found.clusters
    return wilson(mean * n, n, float(stdtrit(found.df, 0.5 + confidence / 2)))


def _degrees(share: np.ndarray) -> float:
    """Return Bell and McCaffrey's degrees of freedom for a mean, from the share of the weight in each cluster, (G,).

    With p_g the vector that yields the g-th term of the variance, they are (sum_g p_g'p_g)^2 / sum_gh (p_g'p_h)^2; for
    equal weights p_g'p_g = share_g, and p_g'p_h = -share_g share_h / sqrt((1 - share_g)(1 - share_h)).
    """
    b = share**2 / (1 - share)
    return float(1 / ((share**2).sum() + b.sum() ** 2 - (b**2).sum()))


def _places(labels: Sequence[Hashable]) -> np.ndarray:
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels])
