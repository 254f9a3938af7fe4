"""Capture: nothing lost where the reader sets the pace, newest wins where time does, and no error is swallowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from tests.fixtures.clips import number_of, write_clip
from tools.errors import MediaError
from tools.media import Capture, Frame, Gap, MediaOptions, SourceInfo, open_source

EVERY_FRAME = MediaOptions(fps=None)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", [n / 25 for n in range(50)])


class Scripted:
    """A source whose events the test decides; no server can be made to give them in a known order."""

    def __init__(self, events: list[Frame | Gap | Exception], live: bool = True) -> None:
        self.info = SourceInfo("scripted", "stream" if live else "video", live, 8, 8)
        self._events = events
        self.closed = False

    def __iter__(self) -> Iterator[Frame | Gap]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def frame(t_s: float) -> Frame:
    return Frame("scripted", t_s, np.full((8, 8, 3), int(t_s) % 256, np.uint8))


def drain(capture: Capture) -> list[Frame | Gap]:
    events = []
    while not capture.finished:
        event = capture.get(timeout_s=60)
        if event is not None:
            events.append(event)
    return events


def wait_for_end(capture: Capture, captured: int) -> None:
    while capture.stats.captured < captured:
        time.sleep(0.005)


def test_a_recording_waits_for_its_reader_and_loses_nothing(clip: Path) -> None:
    with Capture(open_source(str(clip), EVERY_FRAME)) as capture:
        events = []
        while not capture.finished:
            event = capture.get(timeout_s=60)
            time.sleep(0.002)
            if event is not None:
                events.append(event)
    assert [number_of(event.rgb) for event in events] == list(range(50))
    stats = capture.stats
    assert (stats.captured, stats.delivered, stats.dropped, stats.gaps) == (50, 50, 0, 0)
    assert stats.last_t_s == pytest.approx(1.96)
    assert capture.error is None


def test_a_recording_holds_one_frame_only_while_nobody_reads(clip: Path) -> None:
    with Capture(open_source(str(clip), EVERY_FRAME)) as capture:
        wait_for_end(capture, 1)
        time.sleep(0.3)
        # One waits to be read, and one more may have been decoded.
        assert capture.stats.captured <= 2


def test_real_time_plays_at_media_speed_and_keeps_the_newest(clip: Path) -> None:
    started_s = time.monotonic()
    with Capture(open_source(str(clip), EVERY_FRAME), realtime=True) as capture:
        assert capture.get(timeout_s=60) is not None
        wait_for_end(capture, 50)
        took_s = time.monotonic() - started_s
        last = capture.get(timeout_s=60)
    assert took_s >= 1.9
    stats = capture.stats
    assert (stats.captured, stats.delivered, stats.dropped) == (50, 2, 48)
    # The reader that stopped never delayed the capture, and what it read then was fresh.
    assert isinstance(last, Frame)
    assert number_of(last.rgb) == 49
    assert 0 <= stats.late_mean_s <= stats.late_max_s < took_s


def test_a_loop_goes_on_in_time(clip: Path) -> None:
    source = open_source(str(clip), MediaOptions(fps=5, end_s=0.5))
    with Capture(source, realtime=True, loop=True) as capture:
        times_s = []
        while len(times_s) < 7:
            event = capture.get(timeout_s=60)
            if event is not None:
                times_s.append(event.t_s)
    assert times_s == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2], abs=1e-3)
    assert not any(thread.name.startswith("capture") for thread in threading.enumerate())


@pytest.mark.parametrize("realtime", [False, True])
def test_a_loop_needs_a_recording_in_real_time(realtime: bool) -> None:
    with pytest.raises(MediaError, match="loop"):
        Capture(Scripted([], live=realtime), realtime=realtime, loop=True)


def test_a_live_reader_gets_the_newest_frame_and_every_gap() -> None:
    gap = Gap("scripted", 1.0, 5.0, "outage")
    source = Scripted([frame(0), frame(1), gap, frame(5), frame(6), gap])
    with Capture(source) as capture:
        wait_for_end(capture, 4)
        while capture.stats.gaps < 2:
            time.sleep(0.005)
        events = drain(capture)
    assert [event.t_s if isinstance(event, Frame) else "gap" for event in events] == ["gap", 6, "gap"]
    assert (capture.stats.dropped, capture.stats.delivered) == (3, 1)
    assert source.closed


def test_endless_outages_do_not_fill_the_memory() -> None:
    gaps = [Gap("scripted", float(n), n + 0.5, "outage") for n in range(500)]
    with Capture(Scripted([*gaps, frame(500)])) as capture:
        wait_for_end(capture, 1)
        events = drain(capture)
    assert len(events) <= 65
    assert (events[0].start_s, events[-2].end_s) == (0.0, 499.5)
    assert all(a.end_s <= b.start_s for a, b in pairwise(events[:-1]))


def test_an_error_reaches_the_reader_after_what_was_captured() -> None:
    with Capture(Scripted([frame(0), MediaError("the disk is gone")], live=False)) as capture:
        assert isinstance(capture.get(timeout_s=60), Frame)
        with pytest.raises(MediaError, match="the disk is gone"):
            capture.get(timeout_s=60)
        assert capture.finished
        assert "disk" in str(capture.error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_program_is_no_silent_end() -> None:
    with (
        Capture(Scripted([ZeroDivisionError("oops")])) as capture,
        pytest.raises(MediaError, match="internal error"),
    ):
        capture.get(timeout_s=60)


def test_nothing_yet_is_none(clip: Path) -> None:
    capture = Capture(open_source(str(clip)))
    assert capture.get(timeout_s=0.01) is None
    assert not capture.finished
    capture.close()
    capture.close()


@pytest.mark.parametrize("realtime", [False, True])
def test_closing_ends_the_thread_at_any_moment(clip: Path, realtime: bool) -> None:
    capture = Capture(open_source(str(clip), EVERY_FRAME), realtime=realtime).start()
    capture.get(timeout_s=60)
    capture.close()
    assert capture.finished or capture.get(timeout_s=0) is not None
    assert not any(thread.name.startswith("capture") for thread in threading.enumerate())
    assert capture.error is None


def test_a_loop_without_a_frame_ends_instead_of_spinning() -> None:
    source = Scripted([Gap("scripted", 0.0, 1.0, "nothing but damage")], live=False)
    with Capture(source, realtime=True, loop=True) as capture:
        assert [event.reason for event in drain(capture) if isinstance(event, Gap)] == ["nothing but damage"]
        assert "cannot loop" in str(capture.error)


def test_a_glance_sees_every_frame_and_the_reader_the_picked_ones() -> None:
    glanced: list[float] = []
    source = Scripted([frame(number / 10) for number in range(31)], live=False)
    with Capture(source, fps=1.0, glance=lambda seen: glanced.append(seen.t_s), offset_s=100.0) as capture:
        picked = [event.t_s for event in iter(lambda: capture.get(60), None) if isinstance(event, Frame)]
    assert picked == pytest.approx([100.0, 101.0, 102.0, 103.0])
    assert glanced == pytest.approx([100 + number / 10 for number in range(31)])


def test_a_pause_of_what_plays_is_a_gap_and_a_recording_waits(clip: Path) -> None:
    with Capture(open_source(str(clip), EVERY_FRAME), realtime=True, loop=True) as capture:
        assert isinstance(capture.get(60), Frame)
        capture.pause()
        while capture.get(0.3):
            pass
        assert capture.paused
        capture.resume()
        gap = capture.get(60)
        assert isinstance(gap, Gap)
        assert gap.reason == "paused"
        after = capture.get(60)
        assert isinstance(after, Frame)
        assert after.t_s == gap.end_s
    with Capture(open_source(str(clip), EVERY_FRAME)) as capture:
        capture.pause()
        while capture.get(0.3):
            pass
        capture.resume()
        rest = [event for event in iter(lambda: capture.get(60), None) if event]
        assert not [event for event in rest if isinstance(event, Gap)]
        assert capture.stats.dropped == 0
