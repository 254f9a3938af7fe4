"""Colours of controls, for instructions such as "the blue button"."""

from __future__ import annotations

import re

import numpy as np

from tools.gui.types import Rect, Screen

NAMES: dict[str, str] = {
    "blue": r"blue|blaue?[nrsm]?|azul|bleue?",
    "red": r"red|rote?[nrsm]?|roj[oa]|rouge",
    "green": r"green|grüne?[nrsm]?|verde|verte?",
    "yellow": r"yellow|gelbe?[nrsm]?|amarill[oa]|jaune",
    "orange": r"orange[nrsm]?",
    "purple": r"purple|violet|lila|violette?[nrsm]?",
    "grey": r"gr[ea]y|graue?[nrsm]?|gris",
    "white": r"white|weiße?[nrsm]?|blanc[oa]?",
    "black": r"black|schwarze?[nrsm]?|negr[oa]|noire?",
}
"""Names of colours in instructions."""
_HUES = ((10, "red"), (22, "orange"), (35, "yellow"), (85, "green"), (130, "blue"), (169, "purple"), (180, "red"))
"""Upper bounds of the hues (OpenCV's, 0 to 179) of each colour."""


def take_colour(text: str) -> tuple[str, str]:
    """Split the first colour name from a text; "" for none."""
    for colour, words in NAMES.items():
        if found := re.search(rf"\b(?:{words})\s+", text, re.IGNORECASE):
            return text[: found.start()] + text[found.end() :], colour
    return text, ""


def is_drawn_in(colour: str, screen: Screen, rect: Rect) -> bool:
    """Return whether most of a place has a colour that its surroundings above and below do not have."""
    above = Rect(left=rect.left, top=rect.top - 5, right=rect.right, bottom=rect.top - 1)
    below = Rect(left=rect.left, top=rect.bottom + 1, right=rect.right, bottom=rect.bottom + 5)
    around = [colour_of(screen.crop(strip)) for strip in (above, below)]
    return colour_of(screen.crop(rect)) == colour and colour not in around


def summed(rgb: np.ndarray) -> np.ndarray:
    """Sum the channels of a picture (height, width, 3), uint8, to (height, width), uint16."""
    # NumPy's own sum over such a short axis takes ten times as long.
    return np.add(rgb[..., 0], rgb[..., 1], dtype=np.uint16) + rgb[..., 2]


def colour_of(rgb: np.ndarray) -> str:
    """Return the dominant colour of a picture (height, width, 3), uint8; drawings on it cover less."""
    import cv2

    if not rgb.size:
        return ""
    most = np.median(rgb.reshape(-1, 3), axis=0).astype(np.uint8)
    hue, saturation, value = (int(part) for part in cv2.cvtColor(most.reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0])
    if saturation < 45 or value < 45:
        return "black" if value < 70 else "white" if value > 225 else "grey"
    return next(name for up_to, name in _HUES if hue <= up_to)
