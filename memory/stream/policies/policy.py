"""The interface `Policy`, which chooses the frames of a stream that are kept, and its `Decision`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

State = Literal["clear", "fuzzy", "discard"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided about one frame. Symbols are those of CurveStream (arXiv 2603.19571).

    Scores and thresholds are None where a policy, or the warm-up, does not compute them.

    Attributes:
        t_s: media time of the frame in seconds.
        state: kept `clear`, kept `fuzzy`, or `discard`.
        rule: what decided, in words; empty where the thresholds did.
        M: motion, 1 - cos(F_t, F_{t-1}), in [0, 2].
        C: curvature, 1 - cos of successive displacements, in [0, 2], after the noise gate if there is one.
        CS: the score that is compared with the thresholds.
        mu: running mean of the score, this frame included.
        sigma: running standard deviation of the score, this frame included.
        g1: threshold of keeping, mu + k1 * sigma.
        g2: threshold of keeping clear, mu + k2 * sigma.
        key: whether the frame became a key moment (see `memory.stream.keyframes`), whatever its state.
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
        """Why, in one line for people."""
        if self.CS is None or self.g1 is None or self.g2 is None:
            return f"{self.state}: {self.rule}"
        if self.state == "clear":
            return f"clear: score {self.CS:.3f} reaches {self.g2:.3f}"
        if self.state == "fuzzy":
            return f"fuzzy: score {self.CS:.3f} lies from {self.g1:.3f} to {self.g2:.3f}"
        return f"discard: score {self.CS:.3f} stays below {self.g1:.3f}"


class Policy(Protocol):
    """Decides frame by frame, seeing nothing of the future.

    Attributes:
        needs_feature: whether `decide` looks at the feature; where not, frames need not be encoded.
    """

    needs_feature: bool

    def decide(self, feature: np.ndarray, t_s: float) -> Decision:
        """Decide about the next frame, given its L2-normalised feature of shape (D,) and its time in seconds."""

    def evict(self, count: int) -> Sequence[int]:
        """Return the positions that must leave a queue of `count` kept frames, oldest first, that has grown too long.

        At least one position is returned. The caller asks again while the queue is still too long.
        """
