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
from agent.perception.annotator import Backlog, NoteTaker
from agent.perception.session import open_source_session
from memory.stream.notes import Note, Notes
from tests.fixtures.faults import wait_for
from tools.errors import StoreError
from tools.media import Frame, Span

MANY = 48


def pixels(frame_id: str) -> np.ndarray:
    """The store's part: a picture for each frame id but `gone`."""
    if frame_id == "gone":
        raise StoreError("it gave way")
    return np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    with Notes(tmp_path, "s") as made:
        yield made


def noting(monkeypatch: pytest.MonkeyPatch, wait: Callable[[], object] = bool) -> list[float]:
    """Have each note wait first; return the times of those taken."""
    taken: list[float] = []

    def note(notes: Notes, frame: Frame, look: object) -> list[Note]:
        wait()
        taken.append(frame.t_s)
        return [notes.add(frame.t_s, frame.id, "label", f"thing {frame.t_s}")]

    monkeypatch.setattr("agent.perception.annotator.note_frame", note)
    return taken


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=1, max_size=40), st.integers(1, 9))
def test_the_most_surprising_is_taken_and_the_least_surprising_gives_way(surprises: list[float], size: int) -> None:
    backlog = Backlog(size)
    waiting: list[tuple[float, float]] = []
    for number, surprise in enumerate(surprises):
        waiting = sorted([*waiting, (surprise, float(number))])[-size:]
        backlog.add(float(number), f"{number}", surprise)
        assert len(backlog) == len(waiting)
        if number % 3 == 0:
            t_s = waiting.pop()[1]
            assert backlog.take() == (t_s, f"{t_s:.0f}")
    backlog.drop(Span(0.0, 5.0))
    assert len(backlog) == len([entry for entry in waiting if entry[1] > 5])


def test_what_gives_way_is_told() -> None:
    backlog = Backlog(2)
    assert [backlog.add(float(n), "a", surprise) for n, surprise in enumerate((0.3, 0.2, 0.9, 0.1))] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [backlog.take()[0] for _ in range(2)] == [2.0, 0.0]


def test_bringing_a_moment_never_waits_and_all_are_noted_the_most_surprising_first(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    taken = noting(monkeypatch, go.wait)
    taker = NoteTaker(notes, pixels)
    for number in range(200):
        taker.submit(float(number), "f", surprise=1.0 if number % 20 == 10 else 0.1)
    assert (taker.waiting(), taken) == (200, [])
    go.set()
    assert taker.drain(60)
    taker.close()
    assert sorted(taken) == [float(number) for number in range(200)]
    assert {float(number) for number in range(10, 200, 20)} <= set(taken[:11])  # one was in hand already
    assert (taker.unnoted, taker.waiting()) == (0, 0)


def test_what_gave_way_before_it_was_noted_is_counted(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = noting(monkeypatch)
    taker = NoteTaker(notes, pixels)
    taker.submit(1.0, "gone")
    taker.submit(2.0, "here")
    assert taker.drain(60)
    taker.close()
    assert (taken, taker.unnoted, taker.error) == ([2.0], 1, None)


def test_closing_leaves_what_waits(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    taken = noting(monkeypatch, go.wait)
    taker = NoteTaker(notes, pixels)
    for number in range(20):
        taker.submit(float(number), "f")
    closing = threading.Thread(target=taker.close)
    closing.start()
    wait_for(lambda: taker.waiting() <= 1)  # the one in hand
    go.set()
    closing.join()
    taker.submit(100.0, "f")  # nobody takes notes any more
    assert (len(taken) <= 1, taker.waiting()) == (True, 0)


def test_what_is_forgotten_is_not_noted_later(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = noting(monkeypatch)
    taker = NoteTaker(notes, pixels)
    for number in range(20):
        taker.submit(float(number), "f")
    taker.drop(Span(2.0, 100.0))
    before = len(taken)
    assert taker.drain(60)
    taker.close()
    assert set(taken[before:]) <= {0.0, 1.0}


def test_notes_are_embedded_even_where_frames_never_stop_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.perception.annotator.MOST_UNINDEXED", 10)
    monkeypatch.setattr("agent.perception.annotator.LIVE_REST", 0.0)
    go = threading.Event()
    noting(monkeypatch, go.wait)
    embedded: list[int] = []

    def embed(texts: list[str]) -> np.ndarray:
        embedded.append(len(texts))
        return np.ones((len(texts), 3), np.float32)

    with Notes(tmp_path, "s", embed) as notes:
        taker = NoteTaker(notes, pixels, plays=True)
        for number in range(500):
            taker.submit(float(number), "f")
        go.set()
        wait_for(lambda: embedded)
        taker.close()
    assert set(embedded) == {10}


def test_an_error_is_told_until_a_note_can_be_taken_again(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    def note(notes: Notes, frame: Frame, look: object) -> list[Note]:
        if frame.t_s < 3.0:
            raise StoreError("the disk is full")
        return []

    monkeypatch.setattr("agent.perception.annotator.note_frame", note)
    taker = NoteTaker(notes, pixels)
    taker.submit(1.0, "f")
    wait_for(lambda: taker.error is not None)
    assert "disk is full" in str(taker.error)
    taker.submit(3.0, "f")
    wait_for(lambda: taker.error is None)
    taker.close()


def test_every_key_moment_of_a_file_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(MANY):
        coarse = np.random.default_rng(number).integers(0, 255, (9, 16, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number:03d}.png"), cv2.resize(coarse, (320, 180)))
    taken = noting(monkeypatch, lambda: time.sleep(0.1))
    session = open_source_session(str(tmp_path / "pictures"), Config(folder=tmp_path / "f"))
    try:
        session.watch()
        session.view.search("thing", 1, None)
        assert session.status.numbers().key_moments == MANY
        assert sorted(taken) == [float(number) for number in range(MANY)]
        assert (session.status.numbers().unnoted, "not noted" in session.status.summary()) == (0, False)
    finally:
        session.close()


def test_key_moments_that_were_not_noted_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        rgb = np.full((90, 160, 3), 80 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), rgb)
    monkeypatch.setattr("agent.perception.annotator.Backlog.__init__.__defaults__", (1,))
    go = threading.Event()
    noting(monkeypatch, go.wait)
    config = Config(folder=tmp_path / "f")
    session = open_source_session(str(tmp_path / "pictures"), config, realtime=True)
    try:
        session.watch(2.0)
        wait_for(lambda: session.status.numbers().unnoted == 1)
        assert "1 not noted" in session.status.summary()
    finally:
        go.set()
        session.close()
