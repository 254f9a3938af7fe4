"""Which frames are noted, when, and what is lost where there is no time for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Config
from agent.eyes import open_eyes
from agent.notes import BACKLOG, Backlog, NoteTaker
from memory.stream.notes import Note, Notes
from tests.fixtures.faults import wait_for
from tools.errors import StoreError
from tools.media import Frame, Span

PIXELS = np.zeros((4, 4, 3), np.uint8)
Noting = Callable[[Notes, Frame], list[Note]]


def frame(t_s: float) -> Frame:
    return Frame("s", t_s, PIXELS)


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    with Notes(tmp_path, "s") as made:
        yield made


def noting(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Have a note take some time; return the times of those taken."""
    taken: list[float] = []

    def note(notes: Notes, frame: Frame) -> list[Note]:
        time.sleep(seconds)
        taken.append(frame.t_s)
        return [notes.add(frame.t_s, frame.id, "label", f"thing {frame.t_s}")]

    monkeypatch.setattr("agent.notes.note_frame", note)
    return taken


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=1, max_size=40), st.integers(1, 9))
def test_the_most_surprising_is_taken_and_the_least_surprising_gives_way(surprises: list[float], size: int) -> None:
    backlog = Backlog(size)
    waiting: list[tuple[float, float]] = []
    for number, surprise in enumerate(surprises):
        waiting = sorted([*waiting, (surprise, float(number))])
        gone = backlog.add(frame(float(number)), surprise)
        assert (gone.t_s if gone else None) == (waiting.pop(0)[1] if len(waiting) > size else None)
        assert len(backlog) == len(waiting)
        assert backlog.full == (len(waiting) == size)
        if number % 3 == 0:
            assert backlog.take().t_s == waiting.pop()[1]
    backlog.drop(Span(0.0, 5.0))
    assert len(backlog) == len([entry for entry in waiting if entry[1] > 5])


def test_a_recording_is_noted_whole_and_in_order_however_fast_it_is_read(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = noting(monkeypatch, 0.005)
    taker = NoteTaker(notes)
    for number in range(5 * BACKLOG):
        taker.submit(frame(float(number)), surprise=(number * 7 % 10) / 10)
    assert taker.drain(10)
    taker.close()
    assert taken == [float(number) for number in range(5 * BACKLOG)]
    assert taker.unnoted == 0


def test_where_time_plays_nothing_waits_and_what_is_surprising_is_noted(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.notes.LIVE_REST", 0.0)
    taken = noting(monkeypatch, 0.05)
    taker = NoteTaker(notes, plays=True)
    started_s = time.monotonic()
    for number in range(200):
        taker.submit(frame(float(number)), surprise=1.0 if number % 20 == 10 else 0.1)
    assert time.monotonic() - started_s < 1.0
    assert taker.drain(10)
    taker.close()
    assert {float(number) for number in range(10, 200, 20)} <= set(taken)
    assert taker.unnoted == 200 - len(taken)
    assert taker.unnoted > 0


def full(taker: NoteTaker) -> threading.Thread:
    """Somebody who waits to bring one frame more than there is room for."""
    for number in range(BACKLOG + 1):  # one in hand
        taker.submit(frame(float(number)))
        time.sleep(0.05 if number == 0 else 0.0)
    waiting = threading.Thread(target=taker.submit, args=(frame(99.0),))
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    return waiting


def test_closing_lets_go_who_waits_for_room(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = noting(monkeypatch, 0.5)
    taker = NoteTaker(notes)
    waiting = full(taker)
    started_s = time.monotonic()
    taker.close()
    waiting.join(1.0)
    assert not waiting.is_alive()
    assert time.monotonic() - started_s < 1.5
    taker.submit(frame(100.0))  # nobody takes notes any more, and nobody waits
    assert taken == [0.0]


def test_what_waits_for_room_is_forgotten_too(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = noting(monkeypatch, 0.3)
    taker = NoteTaker(notes)
    waiting = full(taker)
    taker.drop(Span(50.0, 100.0))
    waiting.join(1.0)
    assert not waiting.is_alive()
    taker.drop(Span(2.0, 100.0))
    assert taker.drain(5)
    taker.close()
    assert set(taken) <= {0.0, 1.0}


def test_notes_are_embedded_even_where_frames_never_stop_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.notes.MOST_UNINDEXED", 10)
    monkeypatch.setattr("agent.notes.LIVE_REST", 0.0)
    noting(monkeypatch, 0.01)
    embedded: list[int] = []

    def embed(texts: list[str]) -> np.ndarray:
        embedded.append(len(texts))
        return np.ones((len(texts), 3), np.float32)

    with Notes(tmp_path, "s", embed) as notes:
        taker = NoteTaker(notes, plays=True)
        for number in range(500):
            taker.submit(frame(float(number)))
            time.sleep(0.002)
        waiting = taker.unnoted
        taker.close()
    assert waiting > 0, "there were always frames that waited"
    assert embedded
    assert set(embedded) == {10}


def test_an_error_is_told_until_a_note_can_be_taken_again(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    def note(notes: Notes, frame: Frame) -> list[Note]:
        if frame.t_s < 3.0:
            raise StoreError("the disk is full")
        return []

    monkeypatch.setattr("agent.notes.note_frame", note)
    taker = NoteTaker(notes)
    taker.submit(frame(1.0))
    wait_for(lambda: taker.error is not None)
    assert "disk is full" in str(taker.error)
    taker.submit(frame(3.0))
    wait_for(lambda: taker.error is None)
    taker.close()


def test_every_key_moment_of_a_file_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3 * BACKLOG):
        coarse = np.random.default_rng(number).integers(0, 255, (9, 16, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number:03d}.png"), cv2.resize(coarse, (320, 180)))
    taken = noting(monkeypatch, 0.1)
    eyes = open_eyes(str(tmp_path / "pictures"), Config(folder=tmp_path / "f"))
    try:
        eyes.watch()
        eyes.search("thing", 1, None)
        assert eyes.status().key_moments == 3 * BACKLOG
        assert taken == [float(number) for number in range(3 * BACKLOG)]
        assert (eyes.status().unnoted, "not noted" in eyes.summary()) == (0, False)
    finally:
        eyes.close()


def test_key_moments_that_were_not_noted_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        rgb = np.full((90, 160, 3), 80 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), rgb)
    monkeypatch.setattr("agent.notes.Backlog.__init__.__defaults__", (1,))
    noting(monkeypatch, 3.0)
    config = Config(folder=tmp_path / "f")
    eyes = open_eyes(str(tmp_path / "pictures"), config, realtime=True)
    try:
        eyes.watch(2.0)
        wait_for(lambda: eyes.status().unnoted == 1)
        assert "1 not noted" in eyes.summary()
    finally:
        eyes.close()
