"""What is observed in a stream of sampled frames: things with their tracks, and what changed since the frame before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.perception.detect import Detection
from tools.perception.motion import Change, compare
from tools.perception.tracks import Tracker


@dataclass(frozen=True, eq=False)
class Sampled:
    """A frame to observe.

    Attributes:
        t_s: media time in seconds.
        rgb: pixels, (height, width, 3), uint8.
        detections: what it shows.
        vector: unit-length features by a vision network; None leaves cuts to the pixels.
    """

    t_s: float
    rgb: np.ndarray
    detections: Sequence[Detection]
    vector: np.ndarray | None = None


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


def observe(frames: Iterable[Sampled]) -> list[Observation]:
    """Follow things over frames in order of time, and compare each frame with the one before."""
    tracker = Tracker()
    before: Sampled | None = None
    found = []
    for frame in frames:
        change = None
        if before is not None:
            known = frame.vector is not None and before.vector is not None
            likeness = float(np.dot(frame.vector, before.vector)) if known else None  # type: ignore[arg-type]
            change = compare(before.rgb, frame.rgb, likeness)
        if change is not None and change.kind == "cut":
            tracker.cut()
        tracks = tracker.update(frame.t_s, frame.detections)
        things = tuple(Thing(track, one) for track, one in zip(tracks, frame.detections, strict=True))
        found.append(Observation(frame.t_s, things, change))
        before = frame
    return found
