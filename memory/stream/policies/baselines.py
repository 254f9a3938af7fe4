"""Baseline policies for CurveStream: none looks at the frames, and all keep a bounded number of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from memory.stream.policies.policy import Decision, State


class LastN:
    """Keep the newest frames, all clear: the recency baseline (SimpleStream, arXiv 2604.02317)."""

    needs_feature = False

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Keep every frame."""
        return Decision(t_s, "clear", "every frame is kept until newer ones need its place")

    def evict(self, count: int) -> Sequence[int]:
        """Evict the oldest frame."""
        return (0,)


class Uniform:
    """Keep `capacity` frames, as far apart as an endless stream allows in bounded space.

    Adds every frame. When there is one too many, evicts the frame whose removal makes the shortest new gap, the oldest
    of several. The first and the newest always stay. Gaps count frames, not seconds.

    Bound: no gap is longer than any two neighbouring gaps together, so none exceeds the total length divided by
    floor((capacity - 1) / 2), about twice the mean. Proof by induction: the new gap is the smallest sum of two
    neighbours, and the remaining sums are at least as large; the newest gap is one frame, and adding it to its
    neighbour gives at least the smallest sum, or that neighbour's frame would have been evicted.

    With `alternate`, frames are alternately clear and fuzzy on arrival (the paper's ablation "HVMM only"), and the
    evicted one has the more frequent state: from a capacity of 3 on, the numbers of clear and fuzzy frames differ by at
    most one. Evictions of single frames break the exact alternation. For capacities from 5 on, no gap longer than twice
    the mean was measured; this is not proven.

    Args:
        alternate: whether half of the frames are fuzzy.
    """

    needs_feature = False

    def __init__(self, alternate: bool) -> None:
        self._alternate = alternate
        self._held: list[tuple[int, State]] = []  # (number of the frame, its state), oldest first
        self._seen = 0

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Keep every frame at first."""
        fuzzy = self._alternate and bool(self._held) and self._held[-1][1] == "clear"
        state: State = "fuzzy" if fuzzy else "clear"
        self._held.append((self._seen, state))
        self._seen += 1
        return Decision(t_s, state, "kept until the frames around it are close enough together")

    def evict(self, count: int) -> Sequence[int]:
        """Evict the frame between the two that are nearest to each other."""
        # A frame that could not be stored was decided on but never queued: forget as many.
        del self._held[: max(0, len(self._held) - count)]
        held = self._held
        if len(held) < 3:
            del held[:1]
            return (0,)
        inner = list(range(1, len(held) - 1))
        if self._alternate:
            more = "clear" if 2 * sum(state == "clear" for _, state in held) >= len(held) else "fuzzy"
            inner = [position for position in inner if held[position][1] == more] or inner
        leaving = min(inner, key=lambda position: held[position + 1][0] - held[position - 1][0])
        del held[leaving]
        return (leaving,)


class Reservoir:
    """Keep a uniform random sample of all frames seen so far, all clear (reservoir sampling, Vitter 1985, algorithm R).

    Args:
        capacity: size of the sample.
        seed: the same seed keeps the same frames.
    """

    needs_feature = False

    def __init__(self, capacity: int, seed: int) -> None:
        self._capacity, self._random, self._seen = capacity, random.Random(seed), 0

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Keep the n-th frame with probability capacity / n."""
        self._seen += 1
        drawn = self._random.random() * self._seen < self._capacity
        return Decision(t_s, "clear" if drawn else "discard", f"{self._capacity} of {self._seen} frames, drawn by lot")

    def evict(self, count: int) -> Sequence[int]:
        """Evict a random one of those before the newest."""
        return (self._random.randrange(max(1, count - 1)),)
