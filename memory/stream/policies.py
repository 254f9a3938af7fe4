"""Policies that select the frames of a stream to keep: CurveStream (arXiv 2603.19571), its parts, and baselines."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from memory.stream.options import StreamOptions
from tools.errors import ModelError

State = Literal["clear", "fuzzy", "discard"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's decision about one frame. Symbols are those of CurveStream (arXiv 2603.19571).

    Scores and thresholds are None if a policy, or the warm-up, does not compute them.

    Attributes:
        t_s: media time of the frame in seconds.
        state: kept `clear`, kept `fuzzy`, or `discard`.
        rule: the rule that decided, in words; empty if the thresholds did.
        M: motion, 1 - cos(F_t, F_{t-1}), in [0, 2].
        C: curvature, 1 - cos of successive displacements, in [0, 2], after the noise gate if there is one.
        CS: the score that is compared with the thresholds.
        mu: running mean of the score, including this frame.
        sigma: running standard deviation of the score, including this frame.
        g1: threshold for keeping, mu + k1 * sigma.
        g2: threshold for keeping clear, mu + k2 * sigma.
        key: whether the frame became a key moment (see `memory.stream.keyframes`), in any state.
        surprise: of that moment, 0 to 1.
    """

    t_s: float
    state: State
    rule: str = ""
    M: float | None = None
    C: float | None = None
    CS: float | None = None
    mu: float | None = None
    sigma: float | None = None
    g1: float | None = None
    g2: float | None = None
    key: bool = False
    surprise: float = 0.0

    @property
    def kept(self) -> bool:
        return self.state != "discard"

    @property
    def reason(self) -> str:
        """The reason in one line, for display."""
        if self.CS is None or self.g1 is None or self.g2 is None:
            return f"{self.state}: {self.rule}"
        if self.state == "clear":
            return f"clear: score {self.CS:.3f} reaches {self.g2:.3f}"
        if self.state == "fuzzy":
            return f"fuzzy: score {self.CS:.3f} lies from {self.g1:.3f} to {self.g2:.3f}"
        return f"discard: score {self.CS:.3f} stays below {self.g1:.3f}"


class Policy(Protocol):
    """Decides frame by frame, without access to later frames.

    Attributes:
        needs_feature: whether `decide` uses the feature; if not, frames need not be encoded.
    """

    needs_feature: bool

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Decide about the next frame, given its L2-normalised feature of shape (D,) and its time in seconds."""

    def evict(self, count: int) -> Sequence[int]:
        """Return the positions to evict from a queue of `count` kept frames, oldest first, that has grown too long.

        Returns at least one position. The caller asks again while the queue is still too long.
        """


def make_policy(options: StreamOptions) -> Policy:
    """Build the policy that `options.policy` names.

    `curvestream` scores motion and curvature; `motion` and `curvature` score one of them alone; `last` keeps the newest
    frames; `uniform` and `alternate` spread over the whole stream; `random` is a uniform sample of it.
    """
    match options.policy:
        case "curvestream":
            return CurveStream(options)
        case "motion":
            return CurveStream(options, motion_weight=1.0, curvature_weight=0.0)
        case "curvature":
            return CurveStream(options, motion_weight=0.0, curvature_weight=1.0)
        case "last":
            return LastN()
        case "uniform":
            return Uniform(alternate=False)
        case "alternate":
            return Uniform(alternate=True)
        case "random":
            return Reservoir(options.capacity, options.seed)


WARMUP_FRAMES = 3
"""Frames before the first score: Algorithm 1 of the paper scores frames t > 3."""


class CurveStream:
    """The paper's curvature-aware scorer with its K-sigma routing, and first-in-first-out eviction.

    With unit features F, displacements d_t = F_t - F_{t-1}:
        M_t = 1 - cos(F_t, F_{t-1}),  C_t = 1 - cos(d_t, d_{t-1}),  CS_t = M_t + lam * C_t
        mu_t = gamma * mu_{t-1} + (1 - gamma) * CS_t
        var_t = gamma * var_{t-1} + (1 - gamma) * (CS_t - mu_t)^2
    The frame is clear where CS_t >= mu_t + k2 * sigma_t, else fuzzy where CS_t >= mu_t + k1 * sigma_t, else discarded.

    Args:
        options: uses `lam`, `gamma`, `k1`, `k2`, `eps`, `warmup`, `init` and `noise_gate`.
        motion_weight: weight of M in CS; 0 scores curvature alone.
        curvature_weight: weight of C in CS; None takes `options.lam`.
    """

    needs_feature = True

    def __init__(
        self, options: StreamOptions, motion_weight: float = 1.0, curvature_weight: float | None = None
    ) -> None:
        self._motion_weight = motion_weight
        self._curvature_weight = options.lam if curvature_weight is None else curvature_weight
        self._gain = 1.0 - options.gamma
        self._k1, self._k2 = options.k1, options.k2
        self._eps, self._gate = options.eps, options.noise_gate
        self._warmup: State = "clear" if options.warmup == "clear" else "discard"
        self._init_first = options.init == "first"
        self._seen = 0
        self._last: np.ndarray | None = None  # F_{t-1}
        self._move: np.ndarray | None = None  # d_{t-1}
        self._move_length = 0.0
        self._mu = self._var = 0.0

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Score the next feature, shape (D,), L2-normalised, and route its frame.

        Raises:
            ModelError: if the feature has another shape than those before, or has a value that is not finite; it then
                has no effect.
        """
        if self._last is None:
            if feature.ndim != 1 or not np.isfinite(feature).all():
                raise _bad_feature(feature, t_s)
            self._last, self._seen = feature.copy(), 1
            return Decision(t_s, self._warmup, "one of the first three frames")
        if feature.shape != self._last.shape:
            raise _bad_feature(feature, t_s)
        move = feature - self._last
        squared = float(move @ move)
        if not math.isfinite(squared):
            raise _bad_feature(feature, t_s)
        length = math.sqrt(squared)
        self._seen += 1
        if self._seen <= WARMUP_FRAMES or self._move is None:
            decision = Decision(t_s, self._warmup, "one of the first three frames")
        else:
            # |F_t - F_{t-1}|^2 / 2 is 1 - cos for unit vectors, and exact where the two are equal.
            decision = self._route(0.5 * squared, self._curvature(move, length), t_s)
        self._last, self._move, self._move_length = feature.copy(), move, length
        return decision

    def evict(self, count: int) -> Sequence[int]:
        """Evict the oldest frame, whatever its state."""
        return (0,)

    def _curvature(self, move: np.ndarray, length: float) -> float:
        shorter = min(length, self._move_length)
        if shorter <= self._eps:
            return 0.0
        cosine = float(move @ self._move) / (length * self._move_length)
        curvature = 1.0 - max(-1.0, min(1.0, cosine))
        return curvature if self._gate is None else curvature * shorter / (shorter + self._gate)

    def _route(self, motion: float, curvature: float, t_s: float) -> Decision:
        score = self._motion_weight * motion + self._curvature_weight * curvature
        if self._init_first and self._seen == WARMUP_FRAMES + 1:
            self._mu = score
        # Both lines equal the paper's weighted sums; in this form a constant score leaves mu exactly unchanged.
        self._mu += self._gain * (score - self._mu)
        self._var += self._gain * ((score - self._mu) ** 2 - self._var)
        sigma = math.sqrt(self._var)
        g1, g2 = _threshold(self._mu, self._k1, sigma), _threshold(self._mu, self._k2, sigma)
        state: State = "clear" if score >= g2 else "fuzzy" if score >= g1 else "discard"
        return Decision(t_s, state, "", motion, curvature, score, self._mu, sigma, g1, g2)


def _threshold(mu: float, k: float, sigma: float) -> float:
    return k if math.isinf(k) else mu + k * sigma  # not -inf * 0


def _bad_feature(feature: np.ndarray, t_s: float) -> ModelError:
    return ModelError(
        f"the feature of the frame at {t_s!r} s has shape {feature.shape} and "
        f"{int(np.count_nonzero(~np.isfinite(feature)))} values that are not finite.",
        expected="finite numbers of shape (D,), the same D for every frame of a stream",
        remedy="Check the encoder.",
    )


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
