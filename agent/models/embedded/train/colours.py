"""Make the table of colour names from the colours that people named in the xkcd survey (CC0).

    python -m agent.models.embedded.train.colours

A colour gets the basic name that the nearest named ones have in CIELAB; what has hardly any chroma is black, grey or
white by its lightness, since the survey's names for those are few. matplotlib brings the survey's 949 commonest names.
"""

from __future__ import annotations

import numpy as np

from agent.models.embedded.rules.colours import NAMES, STEPS, TABLE

NEAREST, SOFT = 5, 3.0
"""Named colours that vote, each by 1 / (distance + `SOFT`)."""
LEAST_CHROMA, BLACK_BELOW, WHITE_ABOVE = 10.0, 22.0, 82.0
"""CIELAB chroma below which a colour is black, grey or white, and the lightness that parts these."""
_ALSO = {
    "violet": "purple", "tan": "brown", "beige": "brown", "teal": "green", "navy": "blue", "maroon": "red",
    "gold": "yellow", "lavender": "purple", "magenta": "pink", "khaki": "green", "olive": "green", "peach": "pink",
    "salmon": "pink", "turquoise": "blue", "cyan": "blue", "lilac": "purple", "mauve": "purple", "rust": "red",
    "burgundy": "red", "crimson": "red", "scarlet": "red", "mustard": "yellow",
}  # fmt: skip
"""Basic names of words that are none."""


def main() -> None:
    """Write the table beside the rules."""
    np.savez_compressed(TABLE, names=table())


def table() -> np.ndarray:
    """Return the index of the basic name of each colour, (STEPS, STEPS, STEPS), uint8, by red, green and blue."""
    named, labels = _survey()
    centres = (np.arange(STEPS) + 0.5) / STEPS
    grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1).reshape(-1, 3)
    known, cells = _lab(named), _lab(grid)
    found = np.empty(len(cells), np.uint8)
    for start in range(0, len(cells), 4096):
        part = cells[start : start + 4096]
        distance = np.linalg.norm(part[:, None] - known[None], axis=2)
        nearest = np.argsort(distance, axis=1)[:, :NEAREST]
        weight = 1 / (np.take_along_axis(distance, nearest, axis=1) + SOFT)
        votes = np.stack([(weight * (labels[nearest] == index)).sum(axis=1) for index in range(len(NAMES))], axis=1)
        found[start : start + 4096] = votes.argmax(axis=1)
    lightness, chroma = cells[:, 0], np.hypot(cells[:, 1], cells[:, 2])
    plain = np.select([lightness < BLACK_BELOW, lightness > WHITE_ABOVE], [0, 1], NAMES.index("grey"))
    found = np.where((chroma < LEAST_CHROMA) | (lightness < BLACK_BELOW / 2), plain, found)
    return found.reshape(STEPS, STEPS, STEPS).astype(np.uint8)


def _survey() -> tuple[np.ndarray, np.ndarray]:
    """The surveyed colours in RGB, 0 to 1, (N, 3), and the index of the basic name that ends each one's name."""
    from matplotlib.colors import XKCD_COLORS, to_rgb

    colours, labels = [], []
    for name, value in XKCD_COLORS.items():
        words = [_ALSO.get(word, word) for word in name.removeprefix("xkcd:").replace("gray", "grey").split()]
        basic = next((word for word in reversed(words) if word in NAMES), None)
        if basic is not None:
            colours.append(to_rgb(value))
            labels.append(NAMES.index(basic))
    return np.array(colours), np.array(labels)


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of RGB colours, 0 to 1, (N, 3)."""
    import cv2

    return np.asarray(cv2.cvtColor(rgb[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0])


if __name__ == "__main__":
    main()
