"""Detection of control bounds in pixels: frames and fills with four straight sides, by OpenCV without a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tools.gui.grounding.geometry import contains
from tools.gui.types import Rect

SIDE_SHARE = 0.8
"""Minimum share of each side that must be an edge; corners may be round. Our choice."""
SMALLEST_PX, CHECK_PX, TALLEST_PX = 9, 26, 64
"""Minimum side of a frame, maximum side of a check box, and maximum height of a field or button; our choice."""
MIDDLE = 0.3
"""Share of a check box or radio button at each side that does not count as its middle; our choice."""
DOT_PX = 1.5
"""Maximum distance of a radio button's dot from its middle; our choice."""
ROUND, BLANK = 0.9, 12
"""Share of its bounds above which a shape is not a circle, and grey levels allowed in a blank; our choice."""


@dataclass(frozen=True)
class Frames:
    """Rectangles of a screen, by kind.

    Attributes:
        boxes: all, small ones first.
        checks: with the size of a check box or radio button, square or round.
        blank: those of them that are empty, or have only the dot of a radio button.
    """

    boxes: tuple[Rect, ...]
    checks: tuple[Rect, ...]
    blank: frozenset[Rect] = frozenset()

    def around(self, rect: Rect, most_height: float) -> Rect | None:
        """Return the smallest box around a place of at most this height, or None."""
        return next(
            (
                box
                for box in self.boxes
                if box.height <= most_height and contains(box, rect, 3.0) and box.area > 1.05 * rect.area
            ),
            None,
        )


def find_frames(rgb: np.ndarray) -> Frames:
    """Find the frames of an image (height, width, 3), uint8: outlines, or fills of another colour."""
    import cv2

    edges = np.max([cv2.Canny(np.ascontiguousarray(rgb[:, :, channel]), 8, 24) for channel in range(3)], axis=0)
    # Lines of one pixel have two edges; joining them connects the pieces of a rounded corner.
    contours, _ = cv2.findContours(cv2.dilate(edges, np.ones((2, 2), np.uint8)), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    across = cv2.dilate(edges, np.ones((5, 1), np.uint8)) > 0
    down = cv2.dilate(edges, np.ones((1, 5), np.uint8)) > 0
    boxes: list[Rect] = []
    checks: list[Rect] = []
    rounds: set[Rect] = set()
    for contour in contours:
        left, top, width, height = cv2.boundingRect(contour)
        if min(width, height) < SMALLEST_PX:
            continue
        rect = Rect(left=left, top=top, right=left + width, bottom=top + height)
        square = max(width, height) <= CHECK_PX and abs(width - height) <= 2
        if square and cv2.contourArea(contour) < ROUND * (width - 1) * (height - 1):
            rounds.add(rect)
        if _framed(across, down, left, top, width, height):
            boxes.append(rect)
            if square:
                checks.append(rect)
        elif square and 0.68 < cv2.contourArea(contour) / (width * height) < 0.86:
            checks.append(rect)
    distinct = _distinct(checks)
    blank = frozenset(check for check in distinct if _is_blank(rgb, check))
    # A selected radio button contains a dot, which is not a control itself.
    rings = frozenset(
        check for check in distinct if check in rounds and (check in blank or any(_is_dot(dot, check) for dot in blank))
    )
    alone = tuple(check for check in distinct if not any(_is_dot(check, ring) for ring in rings))
    return Frames(_distinct(boxes), alone, blank | rings)


def _is_dot(inner: Rect, ring: Rect) -> bool:
    """Return whether a circle or similar shape is in the middle of another."""
    return (
        inner.area < ring.area
        and math.dist((inner.center.x_px, inner.center.y_px), (ring.center.x_px, ring.center.y_px)) <= DOT_PX
    )


def _is_blank(rgb: np.ndarray, check: Rect) -> bool:
    """Return whether the middle of a check box or radio button is empty."""
    aside = math.ceil(MIDDLE * check.width)
    # Edges are detected a pixel too far to the right and too low.
    rows, columns = (
        slice(int(start) + aside, int(end) - aside - 1)
        for start, end in ((check.top, check.bottom), (check.left, check.right))
    )
    cut = rgb[rows, columns].astype(int)
    return bool(cut.size and np.ptp(cut, axis=(0, 1)).max() <= BLANK)


def _framed(across: np.ndarray, down: np.ndarray, left: int, top: int, width: int, height: int) -> bool:
    """Return whether all four sides are edges, except at the corners."""
    corner = min(10, width // 4, height // 4)
    xs, ys = slice(left + corner, left + width - corner), slice(top + corner, top + height - corner)
    last_x, last_y = left + width - 1, top + height - 1
    return bool(
        across[top, xs].mean() >= SIDE_SHARE
        and across[last_y, xs].mean() >= SIDE_SHARE
        and down[ys, left].mean() >= SIDE_SHARE
        and down[ys, last_x].mean() >= SIDE_SHARE
    )


def _distinct(rects: list[Rect]) -> tuple[Rect, ...]:
    """Remove near duplicates, small ones first: of a frame's two edges the inner one remains."""
    kept: list[Rect] = []
    places: set[tuple[int, ...]] = set()
    for rect in sorted(rects, key=lambda rect: rect.area):
        edges = (rect.left, rect.top, rect.right, rect.bottom)
        # Two grids, shifted by half a cell, match neighbours on both sides of a cell's border.
        cells = {(shift, *(int(edge + shift) // 8 for edge in edges)) for shift in (0, 4)}
        if not cells & places:
            kept.append(rect)
        places |= cells
    return tuple(kept)
