"""Parts of a screen, enlarged, so that a model can say more exactly where something is.

A part is laid so that its middle is not the place that the model pointed at: a model that always says the same, or that
does not count in thousandths, then names another place in the part than on the whole screen.
"""

from __future__ import annotations

import math

import numpy as np

from tools.gui.types import Point, Rect, Screen

PART = 0.35
"""The side of a part, as a share of the screen's longer side; our choice."""
SIDE_PX = 1_000
"""The side of an enlarged part in pixels: there a pixel is a thousandth, whichever a model counts in. Our choice."""
PLACED = (0.4, 0.6)
"""Where in a part the place is that it is laid around, as shares of its width and height; our choice."""
AGREE = 0.03
"""Two answers farther apart than this share of the screen's longer side do not agree; our choice."""
GREY = 128
"""What is shown beyond the edge of the screen, 0 to 255; our choice."""


def part_around(point: Point, screen: Screen) -> Rect:
    """The square part of a screen to be enlarged around a place, in image pixels; it may reach over the edge."""
    side = max(1, min(SIDE_PX, round(PART * max(screen.rect.width, screen.rect.height))))
    left, top = math.floor(point.x_px - PLACED[0] * side), math.floor(point.y_px - PLACED[1] * side)
    return Rect(left=left, top=top, right=left + side, bottom=top + side)


def enlarged(rgb: np.ndarray, part: Rect) -> np.ndarray:
    """A part of a picture, (`SIDE_PX`, `SIDE_PX`, 3), uint8; grey where it reaches over the edge.

    Args:
        rgb: (height, width, 3), uint8.
        part: as `part_around` gives it.
    """
    import cv2

    height, width = rgb.shape[:2]
    left, top, right, bottom = (round(side) for side in (part.left, part.top, part.right, part.bottom))
    shown = np.full((bottom - top, right - left, 3), GREY, np.uint8)
    inside = rgb[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    down, across = max(0, -top), max(0, -left)
    shown[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    return cv2.resize(shown, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)


def agree(first: Point, second: Point, screen: Screen) -> bool:
    """Whether two answers mean one place."""
    apart = math.hypot(first.x_px - second.x_px, first.y_px - second.y_px)
    return apart <= AGREE * max(screen.rect.width, screen.rect.height)
