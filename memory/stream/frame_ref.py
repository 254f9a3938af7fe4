"""Reference to one remembered frame, small enough for a checkpoint: `FrameRef`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.media.types import Frame


@dataclass(frozen=True, slots=True)
class FrameRef:
    """A remembered frame. Its pixels are in the frame store, at native resolution in either state.

    Attributes:
        frame_id: sha256 of the pixels.
        source: its source, with credentials masked.
        t_s: media time in seconds.
        width_px: native width in pixels.
        height_px: native height in pixels.
        state: the detail at which to show it, `clear` or `fuzzy`.
        score: CS (see `Decision`) when it was captured; None if there was none.
        wall_s: Unix time of capture in seconds for live sources, else None.
    """

    frame_id: str
    source: str
    t_s: float
    width_px: int
    height_px: int
    state: Literal["clear", "fuzzy"]
    score: float | None = None
    wall_s: float | None = None

    @classmethod
    def of(cls, frame: Frame, state: Literal["clear", "fuzzy"], score: float | None) -> FrameRef:
        """Return the reference to `frame` in a state."""
        wall_s = None if frame.wall_s is None else float(frame.wall_s)
        return cls(frame.id, frame.source, float(frame.t_s), frame.width_px, frame.height_px, state, score, wall_s)
