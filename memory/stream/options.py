"""Settings of the streaming memory: `StreamOptions`."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PolicyName = Literal["curvestream", "last", "uniform", "alternate", "motion", "curvature", "random"]


class StreamOptions(BaseModel):
    """What is kept of a stream, and how.

    Defaults marked "paper" are those of CurveStream (arXiv 2603.19571, table XI); the paper does not specify the
    others.

    Attributes:
        policy: which frames are kept; see `memory.stream.policies.make_policy`.
        encoder: maps a frame to a feature vector; see `memory.stream.encoders.load_encoder`. The bundled network stands
            in for the paper's DINOv2-small, which `hf:facebook/dinov2-small` selects.
        lam: weight of curvature in the score CS = M + lam * C (paper: 0.2).
        gamma: momentum of the running mean and variance of CS.
        k1: a frame is kept where CS >= mu + k1 * sigma (paper: 0, K_TRANS).
        k2: a frame is kept clear where CS >= mu + k2 * sigma (paper: 1, K_KEY).
        capacity: maximum number of frames kept, including the query frame (paper: 20).
        blur_px: width and height of a fuzzy frame in pixels (paper: 224, TRANSITION_SIZE).
        eps: feature displacements up to this length count as no movement, with C = 0.
        warmup: what happens to the first three frames, which have no score: `clear`, or `skip` to discard them (paper).
        init: the running mean before the first score: `zero` (paper), or `first`, the first score itself.
        noise_gate: a number tau scales C by m / (m + tau), where m is the shorter of the two displacements, so that
            noise in a still scene does not count as a turn. Not in the paper, which None reproduces.
        persist_query: whether the frame a question was asked about stays in memory afterwards.
        token_budget: maximum number of visual tokens of all kept frames; None limits frames only (paper).
        tokens_clear: tokens of a clear frame, for the budget: 448 x 448 pixels at 28 x 28 per token.
        tokens_fuzzy: tokens of a fuzzy frame: 224 x 224 pixels.
        seed: of the policy `random`.
        tiers: whether to keep key moments of the whole stream beside the queue (see `memory.stream.keyframes`), for
            policies that use features. Not in the paper, which False reproduces.
        moments: maximum number of key moments.
        scene_change: 1 - cos to the first frame of a scene above which another scene begins. Our choice: with the
            bundled encoder, unlike pictures are 0.58 or more apart, a street over ten seconds 0.05 to 0.16.
        moment_step: 1 - cos to the last key moment above which a frame is a new one. Our choice: strong noise stays
            below 0.043.
        moment_local_step: greatest change of a part of the picture, 0 to 1, above which a frame is a new key moment.
            Our choice: strong noise stays below 0.025, another word on a small sign makes 0.1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: PolicyName = "curvestream"
    encoder: str = Field(default="efficientnet-lite2", min_length=1)
    lam: float = Field(default=0.2, ge=0, le=100)
    gamma: float = Field(default=0.9, gt=0, lt=1)
    k1: float = Field(default=0.0, description="minus infinity keeps every frame")
    k2: float = Field(default=1.0, description="minus infinity keeps every frame clear")
    capacity: int = Field(default=20, ge=1, le=1024)
    blur_px: int = Field(default=224, ge=8, le=4096)
    eps: float = Field(default=1e-6, ge=0, le=1)
    warmup: Literal["clear", "skip"] = "clear"
    init: Literal["zero", "first"] = "zero"
    noise_gate: float | None = Field(default=0.3, gt=0, le=2)
    persist_query: bool = False
    token_budget: int | None = Field(default=None, ge=1)
    tokens_clear: int = Field(default=256, ge=1)
    tokens_fuzzy: int = Field(default=64, ge=1)
    seed: int = Field(default=0, ge=0)
    tiers: bool = True
    moments: int = Field(default=256, ge=2, le=4096)
    scene_change: float = Field(default=0.3, gt=0, le=2)
    moment_step: float = Field(default=0.05, ge=0, le=2)
    moment_local_step: float = Field(default=0.06, ge=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if math.isnan(self.k1) or math.isnan(self.k2) or self.k1 > self.k2:
            raise ValueError(f"k1 is {self.k1!r} and k2 is {self.k2!r}; k1 must not exceed k2")
        if self.tokens_fuzzy > self.tokens_clear:
            raise ValueError(f"tokens_fuzzy {self.tokens_fuzzy!r} exceeds tokens_clear {self.tokens_clear!r}")
        if self.token_budget is not None and self.token_budget < self.tokens_clear:
            raise ValueError(
                f"token_budget {self.token_budget!r} is less than tokens_clear {self.tokens_clear!r}: "
                "not even the query frame would fit"
            )
        return self
