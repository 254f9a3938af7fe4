"""The judge of picture quality tells the defects apart, on photographs that its thresholds were not set on."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import MediaError
from tools.media.quality import measure_quality

PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")


def blur(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), min(rgb.shape[:2]) / 45))


def darken(rgb: np.ndarray) -> np.ndarray:
    return (rgb * 0.12).astype(np.uint8)


def burn_out(rgb: np.ndarray) -> np.ndarray:
    return np.clip(rgb.astype(float) * 5, 0, 255).astype(np.uint8)


def add_noise(rgb: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 70, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8)


def cover(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    covered = rgb.copy()
    covered[height // 12 : -height // 12, width // 12 : -width // 12] = (150, 110, 90)
    return covered


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_good_photograph_has_no_problem(name: str) -> None:
    assert measure_quality(getattr(skimage.data, name)()).problem is None


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(
    ("spoil", "problem"), [(blur, "blurry"), (darken, "too dark"), (add_noise, "noisy"), (cover, "covered")]
)
def test_each_defect_is_named(name: str, spoil: Callable[[np.ndarray], np.ndarray], problem: str) -> None:
    assert measure_quality(spoil(getattr(skimage.data, name)())).problem == problem


@pytest.mark.parametrize("name", ["chelsea", "astronaut"])
def test_a_burnt_out_photograph_is_overexposed(name: str) -> None:
    assert measure_quality(burn_out(getattr(skimage.data, name)())).problem == "overexposed"


def test_white_paper_with_words_is_not_overexposed() -> None:
    page = np.full((360, 640, 3), 250, np.uint8)
    cv2.putText(page, "HEART RATE 72", (40, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (10, 10, 10), 3)
    assert measure_quality(page).problem is None


def test_a_plain_grey_picture_is_covered_a_black_one_dark() -> None:
    assert measure_quality(np.full((90, 120, 3), 128, np.uint8)).problem == "covered"
    assert measure_quality(np.zeros((90, 120, 3), np.uint8)).problem == "too dark"


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 999))
def test_measures_stay_in_their_ranges_for_any_picture(height: int, width: int, seed: int) -> None:
    quality = measure_quality(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    measures = (quality.sharpness, quality.brightness, quality.contrast, quality.clipped, quality.flat)
    assert all(0 <= measure <= 1 for measure in measures)
    assert quality.noise >= 0


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(MediaError, match=r"\(4, 4\)"):
        measure_quality(np.zeros((4, 4), np.uint8))
