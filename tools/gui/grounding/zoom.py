"""A model's point, refined: it is asked on the whole screen, and again on an enlarged part around its answer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tools.gui.types import Point

PART = 0.35
"""The part that is enlarged, as a share of each side; our choice."""
AGREE_PX = 60.0
"""Two answers farther apart than this do not agree, and none is given; our choice, for screens 1280 pixels wide."""


def zoom_in(
    rgb: np.ndarray, instruction: str, ask: Callable[[np.ndarray, str], tuple[float, float] | None]
) -> Point | None:
    """Ask a model for a point twice, the second time on an enlarged part.

    Args:
        rgb: the screenshot (height, width, 3), uint8.
        instruction: what to find.
        ask: returns pixels of the image that it is given, or None.

    Returns:
        The point in pixels of the screenshot; None if either answer is missing, outside, or far from the other.
    """
    import cv2

    height, width = rgb.shape[:2]
    question = f"Where on this screen would you click for this: {instruction}"
    first = _inside(ask(rgb, question), width, height)
    if first is None:
        return None
    part_width, part_height = max(1, round(width * PART)), max(1, round(height * PART))
    left = min(max(0, round(first[0] - part_width / 2)), width - part_width)
    top = min(max(0, round(first[1] - part_height / 2)), height - part_height)
    part = np.ascontiguousarray(rgb[top : top + part_height, left : left + part_width])
    large = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    second = _inside(ask(large, question), width, height)
    if second is None:
        return None
    x, y = left + second[0] * part_width / width, top + second[1] * part_height / height
    far = math.hypot(x - first[0], y - first[1]) > AGREE_PX * max(1.0, width / 1280)
    return None if far else Point(x_px=x, y_px=y)


def _inside(point: tuple[float, float] | None, width: int, height: int) -> tuple[float, float] | None:
    if point is None or not all(math.isfinite(number) for number in point):
        return None
    return point if 0 <= point[0] < width and 0 <= point[1] < height else None
