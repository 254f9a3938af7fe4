"""The recorder: moves what a capture delivers into memory, and loses neither frames nor errors."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import pytest

from memory.store.frames import FrameStore
from memory.stream.memory import StreamMemory
from memory.stream.options import StreamOptions
from memory.stream.policies import Decision
from memory.stream.recorder import ERRORS_HELD, Recorder
from tests.fixtures.faults import wait_for
from tools.errors import AttendError, MediaError, StoreError
from tools.media.types import Frame, Gap


def frame(t_s: float) -> Frame:
    return Frame("fake", t_s, np.full((8, 8, 3), int(t_s * 10) % 256, np.uint8))


class FakeCapture:
    """A capture fed by the test; `feed(None)` ends the source, `feed(error)` ends it with an error."""

    def __init__(self, *items: Frame | Gap | AttendError | None) -> None:
        self._items: queue.Queue[Frame | Gap | AttendError | None] = queue.Queue()
        self._error: AttendError | None = None
        self.started = self.finished = self.closed = False
        for item in items:
            self.feed(item)

    def feed(self, item: Frame | Gap | AttendError | None) -> None:
        self._items.put(item)

    def start(self) -> None:
        self.started = True

    def get(self, timeout_s: float) -> Frame | Gap | None:
        if self._error is not None:
            raise self._error
        try:
            item = self._items.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, AttendError):
            self._error, self.finished = item, True
            raise item
        self.finished = item is None
        return item

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def memory(tmp_path: Path) -> StreamMemory:
    return StreamMemory(StreamOptions(policy="last", capacity=4), None, FrameStore(tmp_path, 10**9))


def test_a_recording_is_remembered_to_its_end(memory: StreamMemory) -> None:
    gap = Gap("fake", 2.0, 2.5, "a hole")
    capture = FakeCapture(frame(0.0), frame(1.0), gap, frame(3.0), None)
    with Recorder(capture, memory) as recorder:
        assert recorder.drain(60)
        assert recorder.finished
        assert [decision.t_s for decision in memory.log] == [0.0, 1.0, 3.0]
        assert memory.gaps == [gap]
        assert recorder.take_errors() == []
    assert capture.started
    assert capture.closed


def test_drain_waits_for_a_media_time_and_says_when_it_was_too_long(memory: StreamMemory) -> None:
    capture = FakeCapture(frame(0.0), frame(1.0))
    with Recorder(capture, memory) as recorder:
        assert recorder.drain(60, until_s=1.0)
        assert not recorder.drain(0.2, until_s=5.0)
        assert not recorder.drain(0.2)  # a recording has not ended
        threading.Timer(0.1, capture.feed, [Gap("fake", 2.0, 6.0, "a hole")]).start()
        assert recorder.drain(60, until_s=5.0)
        threading.Timer(0.1, capture.feed, [None]).start()
        assert recorder.drain(60, until_s=99.0)  # the end counts


def test_drain_of_a_live_source_waits_for_what_was_captured_before(memory: StreamMemory) -> None:
    capture = FakeCapture()
    with Recorder(capture, memory, live=True) as recorder:
        for second in range(5):
            capture.feed(frame(float(second)))
            assert recorder.drain(60)
            assert memory.stats.newest_s == second
        assert recorder.drain(60)  # nothing new
        assert not recorder.finished


def test_kept_clear_frames_are_announced_and_trouble_there_loses_no_frame(tmp_path: Path) -> None:
    memory = StreamMemory(StreamOptions(policy="alternate", capacity=9), None, FrameStore(tmp_path, 10**9))
    announced: list[tuple[float, str]] = []

    def on_kept(kept: Frame, decision: Decision) -> None:
        assert memory.newest() is not None
        announced.append((kept.t_s, decision.state))
        raise StoreError(f"no note at {kept.t_s}")

    with Recorder(FakeCapture(*map(frame, range(5)), None), memory, on_kept) as recorder:
        assert recorder.drain(60)
        assert announced == [(0, "clear"), (2, "clear"), (4, "clear")]
        assert memory.stats.seen == 5
        assert [str(error) for error in recorder.take_errors()] == ["no note at 0", "no note at 2", "no note at 4"]
        assert recorder.take_errors() == []


def test_the_error_that_ended_the_source_comes_last_and_is_never_crowded_out(memory: StreamMemory) -> None:
    end = MediaError("the camera is gone.")
    early = [frame(0.0)] * (ERRORS_HELD + 6)  # the same time again and again: refused by the memory
    with Recorder(FakeCapture(frame(0.0), *early, frame(1.0), end), memory) as recorder:
        assert recorder.drain(60)
        errors = recorder.take_errors()
    assert errors[-1] is end
    assert str(errors[-2]).startswith("6 more errors")
    assert len(errors) == ERRORS_HELD + 2
    assert memory.stats.newest_s == 1.0


def test_a_defect_is_raised_to_whoever_waits(memory: StreamMemory) -> None:
    def on_kept(kept: Frame, decision: Decision) -> None:
        raise ZeroDivisionError("a defect")

    for wait in (lambda recorder: recorder.drain(60), lambda recorder: recorder.close()):
        recorder = Recorder(FakeCapture(frame(len(memory.log) + 1.0)), memory, on_kept).start()
        wait_for(lambda recorder=recorder: recorder.finished)
        with pytest.raises(ZeroDivisionError):
            wait(recorder)
        recorder.close()


def test_closing_ends_the_thread_at_once_and_keeps_what_was_recorded(memory: StreamMemory) -> None:
    capture = FakeCapture(frame(0.0))
    recorder = Recorder(capture, memory).start()
    assert recorder.drain(60, until_s=0.0)
    recorder.close()
    recorder.close()
    assert recorder.finished
    assert capture.closed
    assert not any(thread.name == "attend-recorder" for thread in threading.enumerate())
    assert len(memory.snapshot()) == 1
