"""`Policy`, the interface that selects which frames of a stream are kept, and its `Decision`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

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
