"""The name of the main colour of a part of a picture."""

from __future__ import annotations

import numpy as np

# Hue limits in degrees; our choice.
_HUES = (
    (15, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (255, "blue"),
    (320, "purple"),
    (345, "pink"),
    (360, "red"),
)


def main_colour(rgb: np.ndarray, share: np.ndarray) -> str:
    """Return the commonest colour of an RGB picture where a 3 x 3 map of shares is strongest."""
    import cv2

    small = cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA)
    where = np.kron(share >= 0.7 * share.max(), np.ones((16, 16), dtype=bool))
    # The middle of the part counts: its rim is mostly background.
    names = [_name(*pixel) for pixel in cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[where].astype(float)]
    kinds, counts = np.unique(names, return_counts=True)
    return str(kinds[np.argmax(counts)])


PLAIN_SHARE, PLAIN_OFF = 0.98, 24
"""A picture is plain where this share of it is at most so far from its middle colour, of 255; our choice."""
GROUND_SHARE, GROUND_OFF = 0.6, 48
"""A picture stands on a plain ground where that is this share of it, and two grounds this far apart are not the same;
our choice: slides and signs do, photographs hardly ever."""


def plain_colour(rgb: np.ndarray) -> str | None:
    """Return the colour of an RGB picture that shows nothing else, or None."""
    import cv2

    middle, share = _ground(rgb)
    if share < PLAIN_SHARE:
        return None
    return _name(*cv2.cvtColor(middle.astype(np.uint8).reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0].astype(float))


def other_ground(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two RGB pictures stand on plain grounds of different colours."""
    (ground, share), (other_ground, other_share) = _ground(one), _ground(other)
    return min(share, other_share) >= GROUND_SHARE and float(np.abs(ground - other_ground).max()) > GROUND_OFF


def _ground(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle colour of a picture, and the share of it that is about this colour."""
    import cv2

    small = cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    middle = np.median(small, axis=0)
    return middle, float((np.abs(small - middle).max(axis=1) <= PLAIN_OFF).mean())


def _name(hue: float, saturation: float, value: float) -> str:
    if value < 50:
        return "black"
    if saturation < 45:
        return "white" if value > 200 else "grey"
    name = next(name for limit, name in _HUES if 2 * hue <= limit)
    return "brown" if name in ("orange", "red", "yellow") and value < 170 and saturation < 200 else name
