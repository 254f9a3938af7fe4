"""What is observed in a stream of sampled frames: things with their tracks, and what changed since the frame before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.perception.detect import Detection, detect
from tools.perception.motion import Change, compare
from tools.perception.tracks import Tracker


@dataclass(frozen=True, slots=True)
class Thing:
    """A detection with the track that it belongs to.

    Attributes:
        track: number of the track; the same thing has the same one in each frame.
        detection: name, score and box.
    """

    track: int
    detection: Detection


@dataclass(frozen=True, slots=True)
class Observation:
    """What was observed in one frame.

    Attributes:
        t_s: media time in seconds.
        things: what it shows, the surest first.
        change: the difference from the frame before; None for the first.
    """

    t_s: float
    things: tuple[Thing, ...]
    change: Change | None = None


class Observer:
    """Observes the frames of one stream in order of time.

    Args:
        thorough: whether all tiles of each frame are looked at, for recordings; else one a frame, for live sources.
        first_track: number of the first track.
    """

    def __init__(self, thorough: bool = False, first_track: int = 1) -> None:
        self._tracker = Tracker(first_track)
        self._thorough = thorough
        self._before: np.ndarray | None = None
        self._turn = 0

    def observe(self, t_s: float, rgb: np.ndarray) -> Observation:
        """Observe the frame at `t_s` seconds, later than the one before; (height, width, 3), uint8 RGB.

        Raises:
            ModelError: if the weights of the detector are missing.
        """
        change = compare(self._before, rgb) if self._before is not None else None
        if change is not None and change.kind == "cut":
            self._tracker.cut()
        self._before = rgb
        found = detect(rgb, None if self._thorough else self._turn)
        self._turn += 1
        tracks = self._tracker.update(t_s, found)
        return Observation(t_s, tuple(Thing(*pair) for pair in zip(tracks, found, strict=True)), change)
