"""Simple policies that CurveStream must beat. None of them looks at the frames; all hold a bounded number of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from memory.stream.policy import Decision, State


class LastN:
    """Keep the newest frames, all clear: the recency baseline (SimpleStream, arXiv 2604.02317)."""

    needs_feature = False

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Keep every frame."""
        return Decision(t_s, "clear", "every frame is kept until newer ones need its place")

    def evict(self, count: int) -> Sequence[int]:
        """The oldest leaves."""
        return (0,)


class Uniform:
    """Keep every n-th frame of all that was seen, where n grows as the stream does.

    An endless stream cannot be sampled uniformly at a fixed rate in bounded space, so the stride starts at 1 and is
    multiplied by `factor` whenever the queue is too long; frames that are off the new stride leave. Between
    capacity / factor and capacity frames are held, always evenly spaced.

    With `alternate` the kept frames are clear and fuzzy in turn: the paper's ablation "HVMM only". The factor must then
    be odd: an even one would leave frames of one state only.
    """

    needs_feature = False

    def __init__(self, factor: int, alternate: bool) -> None:
        self._factor, self._alternate = factor, alternate
        self._stride, self._seen = 1, 0

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Keep the frame if it lies on the stride."""
        index = self._seen
        self._seen += 1
        state: State = "discard"
        if index % self._stride == 0:
            state = "fuzzy" if self._alternate and index % 2 else "clear"
        return Decision(t_s, state, f"one frame in {self._stride} is kept")

    def evict(self, count: int) -> Sequence[int]:
        """Widen the stride; frames off the new one leave."""
        if count < 2:
            return (0,)
        self._stride *= self._factor
        return [position for position in range(count) if position % self._factor]


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
        """One of those that were there before the newest leaves, drawn by lot."""
        return (self._random.randrange(max(1, count - 1)),)
