"""Picture quality: each synthetic defect is named on pictures on which no threshold was set, and good ones pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evals.bench.vision import picture, screen
from tools.errors import MediaError
from tools.media.quality import measure_quality

GOOD = ("cat", "coffee", "rocket", "astronaut", "cameraman", "palace", "flower")


@pytest.mark.parametrize("name", GOOD)
def test_good_pictures_have_no_problem(name: str) -> None:
    assert measure_quality(picture(name)).problem is None


def test_a_screen_has_no_problem() -> None:
    assert measure_quality(screen("Save changes", 1)).problem is None


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("problem", ["blurry", "too dark", "noisy", "covered"])
def test_a_defect_is_named(name: str, problem: str) -> None:
    rgb = picture(name)
    noise = np.random.default_rng(0).normal(0, 50, rgb.shape)
    spoilt = {
        "blurry": cv2.GaussianBlur(rgb, (0, 0), max(rgb.shape) / 30),
        "too dark": (rgb * 0.07).astype(np.uint8),
        "noisy": np.clip(rgb + noise, 0, 255).astype(np.uint8),
        "covered": np.full_like(rgb, (120, 90, 70)),
    }[problem]
    assert measure_quality(np.ascontiguousarray(spoilt)).problem == problem


def test_measures_follow_the_picture() -> None:
    rgb = picture("cat")
    blurred = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 4))
    dimmed = (rgb * 0.5).astype(np.uint8)
    assert measure_quality(blurred).sharpness < measure_quality(rgb).sharpness
    assert measure_quality(dimmed).brightness < measure_quality(rgb).brightness


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(MediaError, match="cannot measure"):
        measure_quality(bad)
