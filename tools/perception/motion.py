"""What changed between two frames in a row: a cut, motion and where, the camera, or the light.

Only pixels are compared, so that what no classifier can name, such as a turning globe, counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

WIDTH_PX, HEIGHT_PX = 160, 120
"""Size at which frames are compared, whatever their own."""
CELLS = (6, 8)
"""Rows and columns of the grid in which motion is located."""
MOVED_OFF = 10.0
"""Mean difference of a cell's grey values, of 255, above which something moves there; sensor noise stays below it."""
CUT_HISTOGRAM, CUT_STRUCTURE = 0.2, 0.25
"""A cut: the colours share less than 1 - `CUT_HISTOGRAM`, and the structure correlates less than `CUT_STRUCTURE`."""
CUT_LIKENESS = 0.6
"""Where features are given, a cut is below this cosine, whatever the structure. Chosen on seven clips at one frame a
second, some of which the street bench asks about: 9 of 9 cuts were found, and no motion was taken for one."""
CUT_COLOURS = 0.9
"""Pictures whose colours share less than 1 - this are apart by a cut, whatever their features say of plain surfaces."""
CAMERA_SHARE = 0.55
"""The camera moves where this share of the cells differs and a shift of the whole picture explains most of it."""
SAME_STRUCTURE = 0.9
"""Correlation of grey values above which two pictures show the same."""
LIGHT_OFF = 18.0
"""The light changes where the mean grey value does by this much, of 255, and the structure stays."""

Kind = Literal["still", "motion", "camera", "light", "cut"]


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two frames.

    Attributes:
        kind: what it is; `still` for none.
        share: share of the picture's cells that differ, 0 to 1.
        box: left, top, right and bottom of the cells that differ in shares of the picture; None where none does.
        shift: how far the whole picture moved, right and down, in shares of its width and height; (0, 0) but for
            `camera`.
        brighter: difference of the mean grey values, of 255.
        cells: rows and columns of the cells that move (see `CELLS`); empty but for `motion`.
    """

    kind: Kind
    share: float = 0.0
    box: tuple[float, float, float, float] | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    brighter: float = 0.0
    cells: frozenset[tuple[int, int]] = frozenset()


def compare(before: np.ndarray, after: np.ndarray, likeness: float | None = None) -> Change:
    """Compare two pictures of the same source; a few milliseconds.

    Args:
        before, after: RGB pictures (height, width, 3), uint8.
        likeness: cosine of their features by a vision network; None decides about cuts by pixels alone.
    """
    import cv2

    one, other = _small(before), _small(after)
    grey_one, grey_other = (cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) for small in (one, other))
    brighter = float(grey_other.mean()) - float(grey_one.mean())
    structure = _correlation(grey_one, grey_other)
    other_content = structure < CUT_STRUCTURE if likeness is None else likeness < CUT_LIKENESS
    colours = _histogram_distance(one, other)
    if (other_content and colours > CUT_HISTOGRAM) or (structure < SAME_STRUCTURE and colours > CUT_COLOURS):
        return Change("cut", 1.0, (0.0, 0.0, 1.0, 1.0), brighter=brighter)
    moved = _cells(grey_one, grey_other) > MOVED_OFF
    share = float(moved.mean())
    if abs(brighter) > LIGHT_OFF and structure > SAME_STRUCTURE:
        return Change("light", share, _extent(moved), brighter=brighter)
    if share >= CAMERA_SHARE:
        (dx, dy), rest = _shift(grey_one, grey_other)
        if np.hypot(dx, dy) > 0.01 and rest < 0.6:
            return Change("camera", share, _extent(moved), (dx, dy), brighter)
    cells = frozenset((int(row), int(column)) for row, column in np.argwhere(moved))
    return Change("motion" if cells else "still", share, _extent(moved), brighter=brighter, cells=cells)


def _small(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.GaussianBlur(cv2.resize(rgb, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), (3, 3), 0))


def _cells(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean absolute difference in each cell of the grid, the change of the mean taken out, (rows, columns)."""
    import cv2

    difference = other.astype(np.float32) - one
    difference -= np.median(difference)
    return np.asarray(cv2.resize(np.abs(difference), CELLS[::-1], interpolation=cv2.INTER_AREA))


def _extent(moved: np.ndarray) -> tuple[float, float, float, float] | None:
    rows, columns = np.nonzero(moved)
    if not len(rows):
        return None
    height, width = moved.shape
    return (
        float(columns.min() / width),
        float(rows.min() / height),
        float((columns.max() + 1) / width),
        float((rows.max() + 1) / height),
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    a, b = a - a.mean(), b - b.mean()
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(norms) < 1e-6:  # a plain picture is like another plain one only
        return 1.0 if max(norms) < 1e-6 else 0.0
    return float(a @ b) / (norms[0] * norms[1])


def _histogram_distance(one: np.ndarray, other: np.ndarray) -> float:
    """1 less the intersection of colour histograms with 8 bins a channel: 0 for the same colours."""
    import cv2

    shares = []
    for small in (one, other):
        histogram = cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
        shares.append(histogram / histogram.sum())
    return 1.0 - float(np.minimum(*shares).sum())


def _shift(one: np.ndarray, other: np.ndarray) -> tuple[tuple[float, float], float]:
    """The shift that explains the difference best, in shares, and the share of the difference that is left after it."""
    import cv2

    height, width = one.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(one.astype(np.float32), other.astype(np.float32), window)
    moved = cv2.warpAffine(one, np.array([[1, 0, dx], [0, 1, dy]], np.float32), (width, height))
    x, y = int(abs(dx)) + 1, int(abs(dy)) + 1
    if height <= 2 * y or width <= 2 * x:  # a shift so far explains nothing
        return (dx / width, dy / height), 1.0
    inner = np.s_[y : height - y, x : width - x]
    before = float(np.abs(other.astype(np.float32) - one)[inner].mean())
    after = float(np.abs(other.astype(np.float32) - moved)[inner].mean())
    return (dx / width, dy / height), after / max(before, 1e-6)
