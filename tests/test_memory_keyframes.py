"""Key moments: a fixed budget that keeps the turning points of a stream, and every scene's witness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.store.frames import FrameStore
from memory.stream.keyframes import KeyMoment, KeyMoments, distance, local_change, make_sketch
from memory.stream.memory import StreamMemory
from memory.stream.options import StreamOptions
from memory.stream.queue import FrameRef
from tools.media.types import Frame, Span

DIM = 16
OPTIONS = StreamOptions()


def make(budget: int = 256) -> KeyMoments:
    return KeyMoments(budget, OPTIONS.scene_change, OPTIONS.moment_step, OPTIONS.moment_local_step)


def kept(t_s: float) -> FrameRef:
    return FrameRef(f"{int(t_s * 1000):064x}", "s", t_s, 64, 36, "clear")


def direction(index: int, dim: int = DIM) -> np.ndarray:
    return np.eye(dim, dtype=np.float32)[index]


def picture(seed: int | None = None) -> np.ndarray:
    if seed is None:
        return np.full((90, 160, 3), 100, np.uint8)
    return np.random.default_rng(seed).integers(0, 256, (90, 160, 3), np.uint8)


def moment(t_s: float, feature: np.ndarray, rgb: np.ndarray | None = None) -> KeyMoment:
    sketch = make_sketch(picture() if rgb is None else rgb)
    return KeyMoment(kept(t_s), feature.astype(np.float32), sketch, t_s, t_s, 1, 1)


vectors = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(lambda v: float(np.linalg.norm(v)) > 0.1)


@given(vectors, vectors, vectors, st.tuples(*[st.integers(0, 50)] * 3))
@settings(max_examples=100)
def test_the_distance_is_a_metric_so_no_detour_is_negative(
    a: list[float], b: list[float], c: list[float], seeds
) -> None:
    x, y, z = (
        moment(0, np.array(v) / np.linalg.norm(v), picture(seed)) for v, seed in zip((a, b, c), seeds, strict=True)
    )
    assert distance(x, x) == pytest.approx(0, abs=1e-3)
    assert distance(x, y) == pytest.approx(distance(y, x))
    assert distance(x, y) + distance(y, z) - distance(x, z) >= -2 / 255


def test_a_word_on_a_sign_is_a_local_change_and_noise_is_not() -> None:
    import cv2

    rng = np.random.default_rng(0)

    def street(word: str) -> np.ndarray:
        rgb = cv2.resize(np.random.default_rng(1).integers(60, 200, (9, 16, 3), np.uint8), (640, 360))
        cv2.rectangle(rgb, (20, 300), (110, 330), (255, 255, 255), -1)
        cv2.putText(rgb, word, (24, 322), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
        return np.clip(rgb + rng.normal(0, 15, rgb.shape), 0, 255).astype(np.uint8)

    gate, again, lamp = make_sketch(street("GATE")), make_sketch(street("GATE")), make_sketch(street("LAMP"))
    assert local_change(gate, again) < OPTIONS.moment_local_step < local_change(gate, lamp)


def test_a_still_scene_is_one_moment_that_stands_for_all_of_it() -> None:
    moments = make()
    assert moments.offer(kept(0.0), direction(0), picture()) == []
    for second in range(1, 3600):
        assert moments.offer(kept(float(second)), direction(0), picture()) is None
    (only,) = moments.all()
    assert (only.start_s, only.end_s, only.frames) == (0.0, 3599.0, 3600)
    assert moments.all(Span(1800.0, 1801.0)) == [only]


def test_turns_stay_and_what_lies_on_the_way_gives_way() -> None:
    moments = make(budget=4)
    corner = [(1.0, 0.0), (0.95, 0.31), (0.81, 0.59), (0.59, 0.81), (0.31, 0.95), (0.0, 1.0)]
    path = [np.array([x, y, 0.0]) for x, y in corner] + [np.array([0.0, 0.81, 0.59]), np.array([0.0, 0.31, 0.95])]
    for second, point in enumerate(path):
        point = point / np.linalg.norm(point)
        moments.offer(kept(float(second)), np.pad(point, (0, DIM - 3)).astype(np.float32), picture())
    times = [held.t_s for held in moments.all()]
    assert len(times) == 4
    assert 5.0 in times  # where the path turns from the x-y plane into the y-z plane
    assert times[-1] == 7.0


def test_the_only_witness_of_a_scene_outlives_any_number_of_moments_of_busy_scenes() -> None:
    moments = make(budget=20)
    rng = np.random.default_rng(0)
    for scene in range(10):
        for second in range(100 if scene % 2 else 1):
            wobble = direction(scene) + 0.1 * np.pad(rng.standard_normal(4), (DIM - 4, 0)).astype(np.float32)
            t_s = float(scene * 100 + second)
            moments.offer(kept(t_s), wobble / np.linalg.norm(wobble), picture(int(t_s)))
    assert len(moments) == 20
    assert {held.scene for held in moments.all()} == set(range(1, 11))


def test_beyond_a_moment_a_scene_the_one_most_like_another_gives_way() -> None:
    moments = make(budget=3)
    alike = (direction(1) + 0.6 * direction(2)) / np.linalg.norm([1, 0.6])
    for second, feature in enumerate([direction(0), direction(1), direction(3), alike, direction(4)]):
        moments.offer(kept(float(second)), feature.astype(np.float32), picture())
    times = [held.t_s for held in moments.all()]
    assert len(times) == 3
    assert not {1.0, 3.0} <= set(times)  # one of the two that look alike went first
    assert 4.0 in times


@given(st.lists(st.tuples(st.integers(0, DIM - 1), st.booleans()), min_size=1, max_size=80), st.integers(2, 9))
@settings(max_examples=60)
def test_the_budget_holds_times_increase_and_pinned_moments_stay(steps: list[tuple[int, bool]], budget: int) -> None:
    moments, pinned = make(budget), []
    for second, (index, pin) in enumerate(steps):
        gone = moments.offer(kept(float(second)), direction(index), picture())
        if gone is not None and pin and len(pinned) < budget - 1:
            newest = moments.all()[-1]
            moments.pin(newest, True)
            pinned.append(newest.t_s)
        held = [m.t_s for m in moments.all()]
        assert len(held) <= budget
        assert held == sorted(set(held))
        assert set(pinned) <= set(held)
    assert all(m.start_s <= m.t_s <= m.end_s for m in moments.all())


def test_words_make_a_moment_worth_more_and_forgetting_takes_it_all_the_same() -> None:
    moments = make(budget=3)
    near = [direction(0) + 0.4 * second * direction(1) for second in range(3)]
    for second, feature in enumerate(near):
        moments.offer(kept(float(second)), (feature / np.linalg.norm(feature)).astype(np.float32), picture())
    moments.value(1.0, 5.0)
    moments.offer(kept(3.0), direction(2), picture())
    assert 1.0 in [m.t_s for m in moments.all()]
    assert [m.t_s for m in moments.forget(Span(0.5, 1.5))] == [1.0]
    assert 1.0 not in [m.t_s for m in moments.all()]


def test_a_sign_that_lights_up_is_more_of_a_surprise_than_a_pan_and_a_cut_is_most(tmp_path: Path) -> None:
    import cv2

    class Flat:
        """Tells cuts by the first pixel only."""

        name, dim = "flat", DIM

        def embed(self, rgb: np.ndarray) -> np.ndarray:
            return direction(int(rgb[0, 0, 0]) % DIM)

    street = cv2.resize(np.random.default_rng(1).integers(40, 220, (18, 40, 3), np.uint8), (800, 360))

    def frame(second: int, left: int, sign: bool = False, scene: int = 0) -> Frame:
        rgb = np.ascontiguousarray(street[:, left : left + 640])
        rgb[200:240, 300:400] = 250 if sign else 60
        rgb[0, 0] = scene
        return Frame("s", float(second), rgb)

    memory = StreamMemory(OPTIONS, Flat(), FrameStore(tmp_path, 10**9))
    first, pan, sign, still, cut = (
        memory.push(pushed)
        for pushed in (frame(0, 0), frame(1, 60), frame(2, 60, True), frame(3, 60, True), frame(4, 60, True, 5))
    )
    assert (first.key, pan.key, sign.key, still.key, cut.key) == (True, True, True, False, True)
    assert (first.surprise, still.surprise, cut.surprise) == (1.0, 0.0, 1.0)
    assert 0 < pan.surprise < 0.6 * sign.surprise < sign.surprise < 1
    assert memory.log == [first, pan, sign, still, cut]
