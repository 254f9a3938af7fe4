"""Shares with intervals: micro and macro averages, bootstrapped over clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

RESAMPLES = 2_000
"""Bootstrap resamples behind an interval; our choice."""

TAIL = 0.025
"""What an interval of 95% leaves out on each side."""

Average = Literal["micro", "macro", "groups"]


@dataclass(frozen=True)
class Outcome:
    """Whether one sample was right. Samples of one `cluster`, such as a video, are not independent."""

    cluster: str
    group: str
    task: str
    right: bool


class Rate(BaseModel):
    """A share, and its 95% interval; no interval where there are fewer than two clusters, no value where n is 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def rate(outcomes: Sequence[Outcome], average: Average = "micro", *, seed: int = 0) -> Rate:
    """Return the share of right outcomes with a percentile interval from resampling whole clusters.

    Where all outcomes are alike the interval is Clopper and Pearson's, one trial a cluster.

    Args:
        outcomes: one for each sample.
        average: `micro` weighs samples alike, `macro` tasks, and `groups` takes macro in each group, then weighs
            groups alike.
        seed: of the resampling; the same outcomes in the same order give the same interval.
    """
    if not outcomes:
        return Rate(n=0)
    clusters = {name: row for row, name in enumerate(dict.fromkeys(o.cluster for o in outcomes))}
    columns = {key: column for column, key in enumerate(dict.fromkeys((o.group, o.task) for o in outcomes))}
    count = np.zeros((len(clusters), len(columns)))
    right = np.zeros_like(count)
    for o in outcomes:
        place = clusters[o.cluster], columns[o.group, o.task]
        count[place] += 1
        right[place] += o.right
    groups = [group for group, _ in columns]
    value = float(_average(right.sum(0)[None], count.sum(0)[None], groups, average)[0])
    if len(clusters) < 2:
        return Rate(n=len(outcomes), value=value)
    if right.sum() in (0, len(outcomes)):
        # Resampling what is all alike shows no spread: the exact binomial bound, with clusters as the trials.
        slack = 1 - TAIL ** (1 / len(clusters))
        return Rate(n=len(outcomes), value=value, low=max(0.0, value - slack), high=min(1.0, value + slack))
    drawn = np.random.default_rng(seed).multinomial(
        len(clusters), np.full(len(clusters), 1 / len(clusters)), size=RESAMPLES
    )
    values = _average(drawn @ right, drawn @ count, groups, average)
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    return Rate(n=len(outcomes), value=value, low=float(low), high=float(high))


def _average(right: np.ndarray, count: np.ndarray, groups: Sequence[str], average: Average) -> np.ndarray:
    """Averages of shape (B,) of right and count, both (B, tasks); a task that was not drawn takes no part."""
    if average == "micro":
        return right.sum(1) / count.sum(1)
    share = np.divide(right, count, out=np.full(right.shape, np.nan), where=count > 0)
    if average == "macro":
        return np.nanmean(share, axis=1)
    names = list(dict.fromkeys(groups))
    means = np.full((len(right), len(names)), np.nan)
    for column, name in enumerate(names):
        part = share[:, [group == name for group in groups]]
        drawn = ~np.isnan(part).all(axis=1)
        means[drawn, column] = np.nanmean(part[drawn], axis=1)
    return np.nanmean(means, axis=1)
