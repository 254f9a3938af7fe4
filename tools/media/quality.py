"""Picture quality: sharpness, brightness, contrast, noise, and the worst defect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.errors import MediaError

Problem = Literal["blurry", "too dark", "overexposed", "noisy", "covered"]

# Our thresholds, set on 500 natural pictures (one ImageNet class each) and their synthetic degradations, so that few
# good pictures are called bad; `tests/test_tools_quality.py` checks the separation on other pictures.
BLURRY_BELOW = 0.25
DARK_BELOW = 0.125
BURNT_ABOVE, BURNT_UNEVEN_ABOVE, BURNT_DARK_BELOW = 0.5, 0.02, 0.25
NOISY_ABOVE = 0.075
COVERED_ABOVE, COVERED_WHOLLY_ABOVE = 0.43, 0.9
_SIDE_PX, _MIN_SIDE_PX = 256, 8


@dataclass(frozen=True)
class Quality:
    """Quality measures of a picture.

    Attributes:
        sharpness: share of fine detail that a slight blur removes, 0 (none to lose) to 1.
        brightness: mean luminance, 0 to 1.
        contrast: standard deviation of the luminance, 0 to 0.5.
        noise: estimated standard deviation of pixel noise, 0 to 1.
        clipped: share of pixels with a burnt-out channel.
        flat: area of the largest rectangle without detail, as a share of the picture.
        problem: the worst defect, or None.
    """

    sharpness: float
    brightness: float
    contrast: float
    noise: float
    clipped: float
    flat: float
    problem: Problem | None


def measure_quality(rgb: np.ndarray) -> Quality:
    """Measure an RGB picture (height, width, 3), uint8; takes about 20 ms.

    Raises:
        MediaError: if the shape or type differs.
    """
    import cv2

    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise MediaError(
            f"cannot measure a picture of shape {rgb.shape} and type {rgb.dtype}.",
            expected="RGB pixels of shape (height, width, 3) and type uint8",
        )
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    scale = _SIDE_PX / min(grey.shape)
    small = grey
    if scale < 1 or min(grey.shape) < _MIN_SIDE_PX:
        size = (
            max(_MIN_SIDE_PX, round(grey.shape[1] * min(1.0, scale))),
            max(_MIN_SIDE_PX, round(grey.shape[0] * min(1.0, scale))),
        )
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    noise = _noise(grey)
    sharpness = _sharpness(small, noise)
    burnt = rgb >= 250
    clipped = float(burnt.any(axis=2).mean())
    # White paper is white in all channels; burnt-out light differs between them.
    uneven = clipped - float(burnt.all(axis=2).mean())
    dark = float((grey < 0.3).mean())
    overexposed = clipped > BURNT_ABOVE and dark < BURNT_DARK_BELOW and (uneven > BURNT_UNEVEN_ABOVE or clipped > 0.98)
    flat, level = _flat(small)
    brightness, contrast = float(small.mean()), float(small.std())
    problem: Problem | None = None
    if brightness < DARK_BELOW and contrast < DARK_BELOW:
        problem = "too dark"
    elif noise > NOISY_ABOVE:
        problem = "noisy"
    elif overexposed:
        problem = "overexposed"
    elif flat > COVERED_WHOLLY_ABOVE and level < 0.93:
        problem = "covered"
    elif sharpness < BLURRY_BELOW:
        problem = "blurry"
    elif flat > COVERED_ABOVE and 0.1 < level < 0.93:
        problem = "covered"
    return Quality(sharpness, brightness, contrast, noise, clipped, flat, problem)


def _noise(grey: np.ndarray) -> float:
    """Estimate noise from the diagonal details of 2 x 2 pixels: their median magnitude / 0.6745 (Donoho 1995)."""
    if min(grey.shape) < 4:
        return 0.0
    even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    diagonal = (even[::2, ::2] - even[::2, 1::2] - even[1::2, ::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6745)


def _sharpness(grey: np.ndarray, noise: float) -> float:
    """Compare gradients before and after a blur (after Crete et al. 2007), at pixels with a gradient."""
    import cv2

    blurred = cv2.GaussianBlur(grey, (0, 0), 2.0)
    before = _gradient(grey)
    after = _gradient(blurred)
    # The strongest edges decide: a sharp object before a soft background is sharp.
    strong = before >= max(float(np.quantile(before, 0.97)), 0.004 + noise)
    total = float(before[strong].sum())
    return 0.0 if total <= 0 else max(0.0, 1 - float(after[strong].sum()) / total)


def _gradient(grey: np.ndarray) -> np.ndarray:
    dx = np.abs(np.diff(grey, axis=1))[:-1]
    dy = np.abs(np.diff(grey, axis=0))[:, :-1]
    return np.maximum(dx, dy)


def _flat(grey: np.ndarray) -> tuple[float, float]:
    """Return the largest rectangle of cells without detail, as a share of the picture, and its mean luminance."""
    import cv2

    cells = 24
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    local = cv2.GaussianBlur(smooth**2, (0, 0), 2.0) - cv2.GaussianBlur(smooth, (0, 0), 2.0) ** 2
    plain = cv2.resize(np.sqrt(np.maximum(local, 0)), (cells, cells), interpolation=cv2.INTER_AREA) < 0.008
    best, place = 0, (0, 1, 0, 1)
    heights = np.zeros(cells, dtype=int)
    for row in range(cells):
        heights = np.where(plain[row], heights + 1, 0)
        for left in range(cells):
            lowest = cells
            for right in range(left, cells):
                lowest = min(lowest, int(heights[right]))
                if lowest == 0:
                    break
                if lowest * (right - left + 1) > best:
                    best, place = lowest * (right - left + 1), (row - lowest + 1, row + 1, left, right + 1)
    coarse = cv2.resize(grey, (cells, cells), interpolation=cv2.INTER_AREA)
    top, bottom, left, right = place
    return best / cells**2, float(coarse[top:bottom, left:right].mean())
