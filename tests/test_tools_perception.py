"""Objects, tracks and changes: the detector on pictures of scikit-image, the rest on drawn frames and boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evals.bench.vision import picture
from tools.errors import ModelError
from tools.perception import efficientdet
from tools.perception.detect import MIN_SCORE, Detection, detect
from tools.perception.motion import compare
from tools.perception.observe import Sampled, observe
from tools.perception.tracks import LOST_S, Tracker


def noise(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A picture with structure everywhere: blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((20, 20, 1), np.uint8))


def walker(x: float, name: str = "person", score: float = 0.9, y: float = 0.5) -> Detection:
    return Detection(name, score, (x - 0.05, y - 0.2, x + 0.05, y + 0.2))


@pytest.mark.parametrize(("name", "shown"), [("cat", "cat"), ("coffee", "cup"), ("astronaut", "person")])
def test_a_plain_thing_is_found_with_its_box(name: str, shown: str) -> None:
    found = [one for one in detect(picture(name)) if one.name == shown]
    assert found
    assert found[0].score >= MIN_SCORE
    left, top, right, bottom = found[0].box
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


def test_a_small_thing_in_a_wide_picture_is_found_in_one_of_its_squares() -> None:
    wide = np.full((300, 1500, 3), 200, np.uint8)
    wide[30:270, 1220:1460] = np.asarray(Image.fromarray(picture("cat")).resize((240, 240)))
    found = [one for one in detect(wide) if one.name == "cat"]
    assert found
    assert found[0].centre[0] > 0.7


def test_a_plain_picture_shows_nothing() -> None:
    assert detect(np.full((240, 320, 3), 128, np.uint8)) == []


def test_a_small_thing_in_a_large_square_picture_is_found_in_one_of_its_quarters() -> None:
    large = np.full((1000, 1000, 3), 200, np.uint8)
    large[620:720, 700:800] = np.asarray(Image.fromarray(picture("cat")).resize((100, 100)))
    found = [one for one in detect(large) if one.name == "cat"]
    assert found
    assert found[0].centre == pytest.approx((0.75, 0.67), abs=0.03)


def test_a_high_picture_is_not_distorted() -> None:
    high = np.full((900, 300, 3), 200, np.uint8)
    high[300:600] = np.asarray(Image.fromarray(picture("cat")).resize((300, 300)))
    found = [one for one in detect(high) if one.name == "cat"]
    assert found
    assert 0.3 < found[0].box[1] < found[0].box[3] < 0.7


def test_anchors_cover_the_picture_as_the_network_expects() -> None:
    boxes = efficientdet.anchors()
    assert boxes.shape == (19206, 4)
    assert np.allclose(boxes[0], (0.0125, 0.0125, 0.075, 0.075))
    assert np.allclose(boxes[:9, :2], 0.0125)
    assert np.allclose(boxes[-1], (5 / 6, 5 / 6, 1.2 * 2 ** (2 / 3) * 1.4, 1.2 * 2 ** (2 / 3) * 0.7))


@pytest.fixture
def unloaded() -> Iterator[None]:
    """A process in which the network is not loaded yet, before and after the test."""
    efficientdet.network.cache_clear()
    yield
    efficientdet.network.cache_clear()


@pytest.mark.usefixtures("unloaded")
def test_missing_and_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "network.onnx"
    weights = bytearray(efficientdet.FILE.read_bytes())
    monkeypatch.setattr(efficientdet, "FILE", damaged)
    with pytest.raises(ModelError, match="missing"):
        detect(noise(1))
    weights[len(weights) // 2] ^= 1
    damaged.write_bytes(weights)
    with pytest.raises(ModelError, match="SHA-256") as caught:
        detect(noise(1))
    assert caught.value.expected == efficientdet.SHA256
    assert "pip install" in str(caught.value.remedy)


def test_things_that_cross_keep_their_tracks() -> None:
    tracker = Tracker()
    numbers = []
    for step in range(9):
        t_s, x = 0.5 * step, 0.1 + 0.1 * step
        numbers.append(tracker.update(t_s, [walker(x, y=0.3), walker(1 - x, y=0.7)]))
    assert numbers == [[1, 2]] * 9


def test_a_thing_that_was_away_for_long_is_another_one() -> None:
    tracker = Tracker()
    assert tracker.update(0.0, [walker(0.5)]) == [1]
    assert tracker.update(LOST_S, [walker(0.5)]) == [1]
    assert tracker.update(2 * LOST_S + 0.1, [walker(0.5)]) == [2]


def test_a_car_may_be_called_a_truck_but_never_a_person() -> None:
    tracker = Tracker()
    tracker.update(0.0, [walker(0.5, "car")])
    assert tracker.update(0.5, [walker(0.5, "truck"), walker(0.5, "person")]) == [1, 2]


@given(st.lists(st.lists(st.floats(0.1, 0.9), max_size=5), max_size=8))
def test_no_track_is_given_twice_in_a_frame(frames: list[list[float]]) -> None:
    tracker = Tracker()
    for step, places in enumerate(frames):
        numbers = tracker.update(0.5 * step, [walker(x) for x in places])
        assert len(set(numbers)) == len(places)


def test_a_still_picture_with_sensor_noise_is_still() -> None:
    one = noise(1).astype(int)
    other = np.clip(one + np.random.default_rng(2).normal(0, 6, one.shape), 0, 255)
    assert compare(one.astype(np.uint8), other.astype(np.uint8)).kind == "still"


def test_what_moves_is_located() -> None:
    before, after = noise(1), noise(1)
    after[150:200, 240:300] = 255 - after[150:200, 240:300]
    change = compare(before, after)
    assert change.kind == "motion"
    assert change.box is not None
    assert change.box[0] > 0.5
    assert change.box[1] > 0.4


def test_cuts_light_and_the_camera_are_told_apart() -> None:
    one = noise(1)
    assert compare(one, noise(2) // 3).kind == "cut"
    assert compare(one, noise(2), likeness=0.9).kind != "cut"
    red, green = (np.full((120, 160, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 160, 60)))
    red[:, 20:26], green[:, 90:96] = 255, 255
    assert compare(red, green, likeness=0.9).kind == "cut"
    light = compare((one * 0.5).astype(np.uint8), (one * 0.8).astype(np.uint8))
    assert light.kind == "light"
    assert light.brighter > 0
    wide = noise(3, 240, 400)
    panned = compare(wide[:, :320], wide[:, 24:344])
    assert panned.kind == "camera"
    assert panned.shift[0] < -0.03


def test_a_cut_ends_all_tracks() -> None:
    pictures = (noise(1), noise(1), noise(2) // 3)
    seen = observe(Sampled(0.5 * step, rgb, [walker(0.5)]) for step, rgb in enumerate(pictures))
    assert [one.things[0].track for one in seen] == [1, 1, 2]
    assert [one.change.kind if one.change else None for one in seen] == [None, "still", "cut"]
