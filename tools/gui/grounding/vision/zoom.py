"""Enlarged parts of a screen, so that a model can locate something more precisely.

A part is placed so that its centre is not the point that the model gave: a model with a constant answer, or another
scale than thousandths, then gives another point in the part than on the whole screen.
"""

from __future__ import annotations

import math

import numpy as np

from tools.gui.types import Point, Rect, Screen

PART = 0.35
"""Side of a part, as a share of the screen's longer side."""
SIDE_PX = 1_000
"""Side of an enlarged part in pixels: one pixel is a thousandth, so both units of a model agree."""
PLACED = (0.4, 0.6)
"""Position of the point within its part, as shares of width and height."""
AGREE = 0.03
"""Maximum distance of two answers that agree, as a share of the screen's longer side; our choice."""
GREY = 128
"""Fill value beyond the edge of the screen, 0 to 255."""


def part_around(point: Point, screen: Screen) -> Rect:
    """Return the square part of a screen around a point, in image pixels; it may exceed the edge."""
    side = max(1, min(SIDE_PX, round(PART * max(screen.rect.width, screen.rect.height))))
    left, top = math.floor(point.x_px - PLACED[0] * side), math.floor(point.y_px - PLACED[1] * side)
    return Rect(left=left, top=top, right=left + side, bottom=top + side)


def enlarged(rgb: np.ndarray, part: Rect) -> np.ndarray:
    """Return an enlarged part of a picture, (`SIDE_PX`, `SIDE_PX`, 3), uint8; grey beyond the edge.

    Args:
        rgb: (height, width, 3), uint8.
        part: as returned by `part_around`.
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
    """Return whether two answers mean the same place."""
    apart = math.hypot(first.x_px - second.x_px, first.y_px - second.y_px)
    return apart <= AGREE * max(screen.rect.width, screen.rect.height)
