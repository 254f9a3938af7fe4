"""Names of colours: of pixels, of the ground that a picture stands on, and how much of a picture may be sky."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

NAMES = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
STEPS = 32
"""Steps of red, green and blue in the table of names."""
TABLE = Path(__file__).parent / "colours.npz"
"""The name of each colour, made by `agent.models.embedded.train.colours` from those that people gave in a survey."""
MOST_PIXELS = 20_000
PLAIN_SHARE, PLAIN_OFF = 0.98, 24
"""A picture is plain where this share of it is at most so far from its middle colour, of 255."""
GROUND_SHARE, GROUND_OFF = 0.6, 48
"""A picture stands on a plain ground where that is this share of it, and two grounds this far apart are not the same:
slides and signs do, photographs hardly ever."""


def shares(pixels: np.ndarray) -> dict[str, float]:
    """Return the share of each colour in RGB pixels (..., 3), uint8, the commonest first."""
    flat = pixels.reshape(-1, 3)
    flat = flat[:: max(1, len(flat) // MOST_PIXELS)] // (256 // STEPS)
    names = _table()[flat[:, 0], flat[:, 1], flat[:, 2]]
    found, numbers = np.unique(names, return_counts=True)
    order = np.argsort(numbers)[::-1]
    return {NAMES[found[index]]: float(numbers[index] / len(names)) for index in order}


@cache
def _table() -> np.ndarray:
    with np.load(TABLE) as data:
        return np.asarray(data["names"])


def main_colour(rgb: np.ndarray, share: np.ndarray) -> str:
    """Return the commonest colour of an RGB picture where a 3 x 3 map of shares is strongest."""
    import cv2

    small = cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA)
    where = np.kron(share >= 0.7 * share.max(), np.ones((16, 16), dtype=bool))
    return next(iter(shares(small[where])))  # the middle of the part counts: its rim is mostly background


def plain_colour(rgb: np.ndarray) -> str | None:
    """Return the colour of an RGB picture that shows nothing else, or None."""
    middle, share = _ground(rgb)
    return next(iter(shares(middle.astype(np.uint8).reshape(1, 3)))) if share >= PLAIN_SHARE else None


def other_ground(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two RGB pictures stand on plain grounds of different colours."""
    (ground, share), (other_ground, other_share) = _ground(one), _ground(other)
    return min(share, other_share) >= GROUND_SHARE and float(np.abs(ground - other_ground).max()) > GROUND_OFF


def sky_share(rgb: np.ndarray) -> float:
    """Return the share of the upper third that may be sky: blue, or bright and nearly without colour, and smooth."""
    import cv2

    top = cv2.resize(rgb[: max(1, len(rgb) // 3)], (64, 24), interpolation=cv2.INTER_AREA)
    hue, saturation, value = (plane.astype(float) for plane in cv2.split(cv2.cvtColor(top, cv2.COLOR_RGB2HSV)))
    blue = (hue > 90) & (hue < 130) & (saturation > 50) & (value > 90)
    pale = (saturation < 30) & (value > 215)
    smooth = np.abs(cv2.Laplacian(value, cv2.CV_64F)) < 12
    return float(((blue | pale) & smooth).mean())


def _ground(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle colour of a picture, and the share of it that is about this colour."""
    import cv2

    small = cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    middle = np.median(small, axis=0)
    return middle, float((np.abs(small - middle).max(axis=1) <= PLAIN_OFF).mean())
