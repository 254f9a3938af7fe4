"""Tracks: the same thing followed over sampled frames, so that it is counted once and has a beginning and an end.

Detections of a new frame are assigned to the open tracks by the Hungarian method, as in SORT (Bewley et al., arXiv
1602.00763). Frames are sampled a few times a second at most, so that boxes of one thing need not overlap: the cost is
the distance of the predicted centre in multiples of the box's size; motion is predicted from the last two sightings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tools.perception.detect import Detection

LOST_S = 2.0
"""A track that was not seen for so long has ended."""
REACH = 1.0
"""How far from the predicted centre a sighting may lie, in multiples of the box's diagonal, per second and sample."""
_ALIKE = (
    frozenset({"car", "truck", "bus", "train"}),
    frozenset({"bicycle", "motorcycle"}),
    frozenset({"cat", "dog", "horse", "sheep", "cow", "bear", "bird", "elephant", "zebra", "giraffe"}),
)
"""Classes that the detector confuses: one track may change between them."""


@dataclass(eq=False)
class _Track:
    """One thing that is followed: its number, and its last two sightings as (media time in seconds, detection)."""

    number: int
    sightings: list[tuple[float, Detection]] = field(default_factory=list)

    @property
    def last_s(self) -> float:
        return self.sightings[-1][0]

    def expected(self, t_s: float) -> tuple[float, float]:
        """Where its centre should be at a time, by the motion between its last two sightings."""
        last_s, last = self.sightings[-1]
        x, y = last.centre
        before_s, before = self.sightings[0]
        elapsed_s = last_s - before_s
        if not 0 < elapsed_s <= LOST_S:
            return x, y
        ahead = min(t_s - last_s, LOST_S) / elapsed_s
        return x + (x - before.centre[0]) * ahead, y + (y - before.centre[1]) * ahead


class Tracker:
    """Follows things over the frames of one source. Call `update` for each sampled frame in order of time.

    Args:
        first: number of the first track.
    """

    def __init__(self, first: int = 1) -> None:
        self._open: list[_Track] = []
        self._next = first

    def update(self, t_s: float, detections: Sequence[Detection]) -> list[int]:
        """Assign the detections of the frame at `t_s` seconds to tracks, and begin new ones for the others.

        Returns:
            The number of the track of each detection.
        """
        self._open = [track for track in self._open if t_s - track.last_s <= LOST_S]
        taken = self._assign(t_s, detections)
        for index, detection in enumerate(detections):
            track = taken.get(index)
            if track is None:
                taken[index] = track = _Track(self._next)
                self._next += 1
                self._open.append(track)
            track.sightings = [*track.sightings[-1:], (t_s, detection)]
        return [taken[index].number for index in range(len(detections))]

    def cut(self) -> None:
        """End all tracks: the picture shows something else from here on."""
        self._open = []

    def _assign(self, t_s: float, detections: Sequence[Detection]) -> dict[int, _Track]:
        if not self._open or not detections:
            return {}
        from scipy.optimize import linear_sum_assignment

        cost = np.array([[self._cost(track, t_s, found) for found in detections] for track in self._open])
        rows, columns = linear_sum_assignment(np.minimum(cost, 1e3))
        return {
            int(column): self._open[row]
            for row, column in zip(rows, columns, strict=True)
            if np.isfinite(cost[row, column])
        }

    def _cost(self, track: _Track, t_s: float, found: Detection) -> float:
        """Distance in diagonals; infinite where they cannot be one thing."""
        last = track.sightings[-1][1]
        if found.name != last.name and not any({found.name, last.name} <= alike for alike in _ALIKE):
            return float("inf")
        x, y = track.expected(t_s)
        diagonal = (_diagonal(last) + _diagonal(found)) / 2
        distance = float(np.hypot(found.centre[0] - x, found.centre[1] - y)) / max(diagonal, 1e-6)
        growth = abs(np.log(max(found.area, 1e-6) / max(last.area, 1e-6)))
        if distance > REACH * max(1.0, t_s - track.last_s) or growth > 1.6:
            return float("inf")
        return distance + 0.3 * float(growth)


def _diagonal(detection: Detection) -> float:
    left, top, right, bottom = detection.box
    return float(np.hypot(right - left, bottom - top))
