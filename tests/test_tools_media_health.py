"""What is wrong with a live source: still, frozen, black, covered, silent; and when nothing is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.media import Frame, Gap, SourceInfo
from tools.media.health import Health, Trouble
from tools.media.types import SourceKind

WALL_S = time.time() - 3600
SCENE = np.random.default_rng(1).integers(60, 180, (18, 32, 3), np.uint8).repeat(10, 0).repeat(10, 1)


@cache
def noisy(n: int) -> np.ndarray:
    noise = np.random.default_rng(n).integers(-4, 5, SCENE.shape)
    return (SCENE.astype(int) + noise).astype(np.uint8)


def flat(n: int) -> np.ndarray:
    """A covered lens: a faint gradient and noise."""
    noise = np.random.default_rng(n).integers(-3, 4, SCENE.shape)
    return (np.linspace(70, 90, 320)[None, :, None] + noise).astype(np.uint8)


def black(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 9, SCENE.shape, np.uint8)


def still(n: int) -> np.ndarray:
    return SCENE


def ball(n: int) -> np.ndarray:
    """A small thing that moves over a picture without noise."""
    rgb = SCENE.copy()
    rgb[80:100, 10 * (n % 8) : 10 * (n % 8) + 20] = 255
    return rgb


class Watched:
    """A health whose pictures come four times a second from 10:00:00 on."""

    def __init__(self, kind: SourceKind = "stream", fps: float = 4.0) -> None:
        self.health = Health(SourceInfo("camera", kind, True, 320, 180), 1 / fps)
        self.fps, self.n = fps, 0
        # A start like any other, and exact: at 8192 s and the like, sums of a real clock round to a quarter less.
        self.begin_s = 1000.0
        self.health.begin(self.begin_s)

    @property
    def now_s(self) -> float:
        return self.begin_s + self.n / self.fps

    def see(self, picture: Callable[[int], np.ndarray], seconds: float) -> list[Trouble | None]:
        """Feed pictures for some seconds; what was wrong after each."""
        found = []
        for _ in range(round(seconds * self.fps)):
            t_s = self.n / self.fps
            self.health.look(Frame("camera", t_s, picture(self.n), WALL_S + t_s), self.now_s)
            found.append(self.health.trouble(self.now_s))
            self.n += 1
        return found

    def clock(self, t_s: float) -> str:
        return f"{datetime.fromtimestamp(WALL_S + t_s).astimezone():%H:%M:%S}"


def texts(found: Iterable[Trouble | None]) -> set[str]:
    return {trouble.text for trouble in found if trouble}


@pytest.mark.parametrize("picture", [noisy, still, ball])
@pytest.mark.parametrize("fps", [0.2, 1.0, 8.0])
def test_nothing_is_wrong_with_good_or_still_pictures(picture: Callable[[int], np.ndarray], fps: float) -> None:
    assert texts(Watched(fps=fps).see(picture, 60)) == set()


def test_a_camera_that_freezes_is_told_and_recovers() -> None:
    watched = Watched()
    assert texts(watched.see(noisy, 20)) == set()
    found = watched.see(still, 20)
    assert texts(found[:19]) == set()
    assert found[-1] is not None
    assert found[-1].since_s == 20.0
    assert found[-1].text.startswith(f"frozen picture since {watched.clock(20)}")
    assert texts(watched.see(noisy, 20)) == set()


def test_every_freeze_is_told_however_long_the_one_before_and_whatever_silence_came_between() -> None:
    watched = Watched()
    watched.see(noisy, 12)
    for _ in range(3):
        assert texts(watched.see(noisy, 3)) == set()
        assert "frozen picture" in str(watched.see(still, 60)[-1])
        assert texts(watched.see(noisy, 3)) == set()
        assert "black picture" in str(watched.see(lambda n: np.zeros_like(SCENE), 60)[-1])
        watched.see(noisy, 1)  # brightness is looked at once a second
    watched.see(noisy, 15)
    watched.see(still, 1)
    watched.begin_s += 120  # nothing comes for two minutes, right after two equal pictures
    watched.see(noisy, 15)
    assert "frozen picture" in str(watched.see(still, 10)[-1])


def test_stretches_that_showed_nothing_are_gaps_when_they_are_over() -> None:
    watched = Watched()
    watched.see(noisy, 20)
    assert watched.health.take_gaps(closing=True) == []
    for picture in (still, black, flat):
        watched.see(picture, 10)
        watched.see(noisy, 10)
        watched.see(picture, 1)  # too short to be told
        watched.see(noisy, 9)
    found = watched.health.take_gaps()
    assert [(gap.source, gap.start_s, gap.reason) for gap in found] == [
        ("camera", 20.0, "frozen picture"),
        ("camera", 50.0, "black picture"),
        ("camera", 80.0, "picture without any detail; the lens may be covered"),
    ]
    assert [gap.end_s for gap in found] == pytest.approx([30.0, 60.0, 90.0], abs=1.0)
    watched.see(black, 10)
    (gap,) = watched.health.take_gaps(closing=True)
    assert (gap.start_s, gap.end_s) == (pytest.approx(110.0, abs=1.0), pytest.approx(120.0, abs=0.5))
    assert watched.health.take_gaps(closing=True) == []


def test_a_still_picture_is_remarked_on_but_no_fault() -> None:
    for picture in (still, ball):
        watched = Watched()
        watched.see(picture, 20)
        assert watched.health.remark(watched.now_s) is None
        assert texts(watched.see(lambda n: SCENE, 50)) == set()
        since = watched.clock(0 if picture is still else 20)
        assert watched.health.remark(watched.now_s) == f"the picture has not changed since {since}"
        watched.see(noisy, 1)
        assert watched.health.remark(watched.now_s) is None


def test_an_encoder_that_repeats_pictures_for_seconds_is_not_frozen() -> None:
    watched = Watched()
    assert texts(watched.see(lambda n: noisy(n // 16), 120)) == set()  # a new picture every 4 s


def test_a_screen_stands_still_without_being_frozen_or_covered() -> None:
    watched = Watched("screen")
    watched.see(noisy, 20)
    assert texts(watched.see(still, 60)) == set()
    assert texts(watched.see(lambda n: np.full_like(SCENE, 200), 10)) == set()
    assert texts(watched.see(lambda n: np.zeros_like(SCENE), 10)) == {f"black picture since {watched.clock(90)}"}


@pytest.mark.parametrize(("picture", "words"), [(black, "black picture"), (flat, "without any detail")])
def test_black_and_covered_pictures_are_told_after_a_moment(picture: Callable[[int], np.ndarray], words: str) -> None:
    watched = Watched()
    watched.see(noisy, 10)
    found = watched.see(picture, 10)
    assert texts(found[:7]) == set()
    assert found[-1] is not None
    assert words in found[-1].text
    assert watched.clock(10) in found[-1].text
    assert texts(watched.see(noisy, 10)[4:]) == set()
    assert texts(watched.see(picture, 1.0) + watched.see(noisy, 5)) == set()  # a film fades so


def test_silence_is_told_with_the_last_good_picture() -> None:
    watched = Watched()
    watched.see(noisy, 10)
    watched.see(black, 4)
    told = watched.health.trouble(watched.now_s + 4.25)
    assert told is not None
    assert told.text == f"no new picture for 4.5 s; last good picture at {watched.clock(9.75)}"
    assert told.since_s == 13.75
    watched.health.begin(watched.now_s + 4.25)
    assert watched.health.trouble(watched.now_s + 5) != told  # a pause is no silence
    watched.see(noisy, 1)
    assert watched.health.trouble(watched.now_s) is None


def test_slow_sources_may_take_their_time_and_the_first_picture_is_waited_for() -> None:
    slow = Watched(fps=0.1)
    slow.see(noisy, 30)
    assert slow.health.trouble(slow.now_s + 15) is None
    assert slow.health.trouble(slow.now_s + 25) is not None
    fresh = Watched()
    told = fresh.health.trouble(fresh.begin_s + 60)
    assert told is not None
    assert "there was no good one before" in told.text


def test_a_change_of_size_begins_anew() -> None:
    watched = Watched()
    watched.see(noisy, 20)
    assert texts(watched.see(lambda n: SCENE[:100, :200], 30)) == set()


@settings(max_examples=40)
@given(width=st.integers(1, 400), height=st.integers(1, 300), seed=st.integers(0, 99))
def test_any_size_of_picture_can_be_looked_at(width: int, height: int, seed: int) -> None:
    health = Health(SourceInfo("camera", "stream", True, width, height))
    rng = np.random.default_rng(seed)
    for n in range(4):
        health.look(Frame("camera", float(n), rng.integers(0, 255, (height, width, 3), np.uint8)), float(n))
    assert health.remark(4.0) is None


def test_damage_is_told_for_a_while_but_hides_nothing() -> None:
    watched = Watched()
    watched.see(noisy, 10)
    watched.health.look(Gap("camera", 8.0, 9.5, "damaged packets or pictures: 7"), watched.now_s)
    told = watched.see(noisy, 10)
    left_out = "pictures were left out from 0:08 to 0:09.5: damaged packets or pictures: 7"
    assert told[0] == Trouble("damaged", 8.0, left_out)
    assert not told[0].blind
    assert watched.see(noisy, 1)[-1] is None
    watched.health.look(Gap("camera", 8.0, 9.5, "paused"), watched.now_s)
    assert watched.see(noisy, 1)[-1] is None
