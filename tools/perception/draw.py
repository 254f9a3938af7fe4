"""Drawing of detections: boxes with labels on a picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

COLOUR, SHADOW = (255, 214, 0), (0, 0, 0)
"""Of lines and letters, RGB; the shadow keeps them legible on any picture."""
LINE_SHARE = 1 / 320
"""Width of a line, as a share of the picture's longer side."""

Box = tuple[float, float, float, float]


def draw_boxes(rgb: np.ndarray, found: Iterable[tuple[str, float, Box]]) -> np.ndarray:
    """Return a copy of a picture (height, width, 3), uint8 RGB, with boxes.

    Args:
        rgb: the picture.
        found: (label, confidence, box) of each thing; the box is left, top, right and bottom in shares.
    """
    import cv2

    drawn = np.array(rgb)
    height, width = drawn.shape[:2]
    line = max(1, round(LINE_SHARE * max(width, height)))
    scale = 0.35 + 0.12 * line
    for label, confidence, (left, top, right, bottom) in found:
        start, end = (round(left * width), round(top * height)), (round(right * width), round(bottom * height))
        at = (start[0] + 2 * line, max(start[1] - 2 * line, round(30 * scale)))
        text = f"{label} {confidence:.0%}"
        for colour, more in ((SHADOW, 2), (COLOUR, 0)):
            cv2.rectangle(drawn, start, end, colour, line + more)
            cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, line + more, cv2.LINE_AA)
    return drawn
