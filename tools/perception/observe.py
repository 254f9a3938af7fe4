"""What is observed in a stream of sampled frames: things with their tracks, and what changed since the frame before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.perception.detect import Detection
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


def observe(frames: Iterable[tuple[float, np.ndarray, Sequence[Detection]]]) -> list[Observation]:
    """Follow things over frames in order of time, and compare each frame with the one before.

    Args:
        frames: media time in seconds, RGB pixels (height, width, 3), and the detections of each.
    """
    tracker = Tracker()
    before: np.ndarray | None = None
    found = []
    for t_s, rgb, detections in frames:
        change = compare(before, rgb) if before is not None else None
        if change is not None and change.kind == "cut":
            tracker.cut()
        tracks = tracker.update(t_s, detections)
        things = tuple(Thing(track, one) for track, one in zip(tracks, detections, strict=True))
        found.append(Observation(t_s, things, change))
        before = rgb
    return found
