"""CurveStream (arXiv 2603.19571): keep the frames at which the path of features moves far or turns sharply."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from memory.stream.options import StreamOptions
from memory.stream.policies.policy import Decision, State
from tools.errors import ModelError

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
