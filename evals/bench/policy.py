"""Throughput and memory growth of the streaming memory's policies.

    python -m evals.bench.policy [--features 1000000] [--dim 384] [--capacity 20] [--json]

Streams synthetic features through each policy's public interface, with a queue that evicts as it asks. The features
imitate a video: scenes of a few hundred frames, each a slow walk with noise, joined by cuts. Speed is the best of the
blocks, since other programs can only slow a block down; the median is printed beside it. Allocation is traced in a
shorter run of its own, because tracing slows Python down.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np
import psutil

from memory.stream.options import PolicyName, StreamOptions
from memory.stream.policies import Policy, make_policy

BLOCK = 20_000
"""Features made at once and reused in a shuffled order of scenes: 31 MB at D = 384."""
SCENE = 200
TRACED = 100_000
"""Maximum number of features of the run that traces allocation."""


@dataclass(frozen=True)
class Row:
    """The result of one policy; the ratio is to the speed of last-N, RSS growth is from the second block on."""

    policy: str
    features: int
    features_per_s_best: float
    features_per_s_median: float
    ratio_to_last: float
    keep_rate: float
    clear_share: float
    queue_peak: int
    rss_mb: float
    rss_growth_mb: float
    traced_growth_kb: float


def make_features(count: int, dim: int, seed: int) -> np.ndarray:
    """Return `count` unit features (count, dim), float32: scenes of `SCENE` frames, a slow walk with noise in each."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, dim), dtype=np.float32)
    features *= np.float32(0.02)
    for start in range(0, count, SCENE):
        scene = features[start : start + SCENE]
        centre, drift = random.standard_normal((2, dim), dtype=np.float32)
        scene += centre / np.linalg.norm(centre)
        scene += np.linspace(0, 0.5, len(scene), dtype=np.float32)[:, None] * drift / np.linalg.norm(drift)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features


class Stream:
    """A policy with its queue; times count frames at one a second."""

    def __init__(self, policy: Policy, capacity: int) -> None:
        self._policy, self._capacity = policy, capacity
        self.queue: list[int] = []
        self.seen = self.kept = self.clear = self.peak = 0

    def run(self, features: np.ndarray) -> None:
        """Push every feature of (N, D) in turn."""
        policy, queue, capacity = self._policy, self.queue, self._capacity
        for feature in features:
            state = policy.decide(feature, float(self.seen)).state
            if state != "discard":
                queue.append(self.seen)
                self.kept += 1
                self.clear += state == "clear"
                while len(queue) > capacity:
                    for position in sorted(policy.evict(len(queue)), reverse=True):
                        del queue[position]
                self.peak = max(self.peak, len(queue))
            self.seen += 1


def measure(name: PolicyName, features: int, block: np.ndarray, capacity: int, traced: int) -> Row:
    """Stream `features` features, the block over and over, through one policy."""
    stream = Stream(make_policy(StreamOptions(policy=name, capacity=capacity)), capacity)
    process = psutil.Process()
    speeds, rss = [], []
    while stream.seen < features:
        part = block[: features - stream.seen]
        started = time.perf_counter()
        stream.run(part)
        speeds.append(len(part) / (time.perf_counter() - started))
        rss.append(process.memory_info().rss / 1e6)
    return Row(
        policy=name,
        features=stream.seen,
        features_per_s_best=max(speeds),
        features_per_s_median=statistics.median(speeds),
        ratio_to_last=1.0,
        keep_rate=stream.kept / stream.seen,
        clear_share=stream.clear / stream.kept if stream.kept else 0.0,
        queue_peak=stream.peak,
        rss_mb=rss[-1],
        rss_growth_mb=rss[-1] - rss[min(1, len(rss) - 1)],
        traced_growth_kb=_traced_growth_kb(name, block, capacity, traced),
    )


def _traced_growth_kb(name: PolicyName, block: np.ndarray, capacity: int, features: int) -> float:
    """Return the growth of allocated memory between the first tenth of `features` and their end."""
    stream = Stream(make_policy(StreamOptions(policy=name, capacity=capacity)), capacity)
    tracemalloc.start()
    try:
        warm = 0
        while stream.seen < features:
            stream.run(block[: features // 10])
            warm = warm or tracemalloc.get_traced_memory()[0]
        return (tracemalloc.get_traced_memory()[0] - warm) / 1e3
    finally:
        tracemalloc.stop()


def run(features: int, dim: int, capacity: int) -> list[Row]:
    """Measure every policy, with ratios to last-N, the simplest."""
    block = make_features(min(BLOCK, features), dim, seed=0)
    names: list[PolicyName] = sorted(get_args(PolicyName), key=lambda name: name != "last")
    rows = [measure(name, features, block, capacity, min(TRACED, features)) for name in names]
    unit = rows[0].features_per_s_median
    return [Row(**{**asdict(row), "ratio_to_last": row.features_per_s_median / unit}) for row in rows]


def table(rows: list[Row]) -> str:
    """Return the rows as text in columns."""
    lines = [
        f"{'policy':<12}{'features/s':>12}{'median':>12}{'x last-N':>10}{'kept':>8}{'clear':>8}{'queue':>7}"
        f"{'RSS MB':>9}{'grew MB':>9}{'traced kB':>11}"
    ]
    lines += [
        f"{row.policy:<12}{row.features_per_s_best:>12,.0f}{row.features_per_s_median:>12,.0f}"
        f"{row.ratio_to_last:>10.3f}{row.keep_rate:>8.3f}{row.clear_share:>8.3f}{row.queue_peak:>7}"
        f"{row.rss_mb:>9.1f}{row.rss_growth_mb:>9.2f}{row.traced_growth_kb:>11.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.policy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--features", type=int, default=1_000_000, help="number of features per policy")
    parser.add_argument("--dim", type=int, default=384, help="length of a feature")
    parser.add_argument("--capacity", type=int, default=20, help="frames kept")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args(arguments)
    if min(chosen.features, chosen.dim, chosen.capacity) < 1:
        parser.error("--features, --dim and --capacity must be 1 or more")
    rows = run(chosen.features, chosen.dim, chosen.capacity)
    sys.stdout.write((json.dumps([asdict(row) for row in rows], indent=2) if chosen.json else table(rows)) + "\n")


if __name__ == "__main__":
    main()
