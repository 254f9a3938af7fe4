"""Capture of a source in its own thread, so that a slow reader never delays the source."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from tools.errors import MediaError
from tools.media.sampling import Sampler
from tools.media.types import Frame, Gap, Source

MAX_GAPS = 64
"""Maximum number of unread gaps; beyond it, the two oldest are merged."""

PAUSED = "paused"
"""Reason of the gap that a pause leaves."""

CLOSE_S = 3.0
"""How long `close` waits for a blocked read. The thread frees its resources when the read times out."""


@dataclass(frozen=True)
class CaptureStats:
    """A snapshot of capture counters.

    Attributes:
        captured: frames that the source yielded.
        delivered: frames that the reader took.
        dropped: frames replaced by a newer one before they were read.
        gaps: gaps that the source reported.
        last_t_s: media time of the last frame captured, in seconds; None before the first.
        quiet_s: seconds since the source last yielded anything; large for a stalled stream.
        late_max_s: maximum lateness of a frame of a recording played in real time, in seconds.
        late_mean_s: mean lateness.
        queue_s: how long the latest frame waited for its reader, in seconds.
    """

    captured: int
    delivered: int
    dropped: int
    gaps: int
    last_t_s: float | None
    quiet_s: float
    late_max_s: float
    late_mean_s: float
    queue_s: float = 0.0


class Capture:
    """Reads a source in its own thread and passes its frames to one reader.

    Live sources, and recordings with realtime=True, keep only the newest frame: an unread one is replaced and counted
    as dropped. Other recordings wait for the reader and lose nothing. Gaps are never lost. At most one frame is
    buffered.

    Args:
        source: the source; closed together with the capture.
        realtime: play a recording at its own speed. Live sources always do.
        loop: restart a recording at its end, with times that continue; needs realtime.
        fps: frames per second for the reader, sampled from the source; None passes all.
        glance: called in the capture's thread with every gap and frame of the source, sampled or not; must be quick.
        offset_s: media time of the source's first frame, in seconds, for a source resumed after a pause.
    """

    def __init__(
        self,
        source: Source,
        *,
        realtime: bool = False,
        loop: bool = False,
        fps: float | None = None,
        glance: Callable[[Frame | Gap], None] | None = None,
        offset_s: float = 0.0,
    ) -> None:
        if loop and (source.info.live or not realtime):
            raise MediaError(
                "cannot loop: loop=True needs a recording in real time.", expected="a recording and realtime=True"
            )
        self.source = source
        self._paced = realtime and not source.info.live
        self._newest_wins = realtime or source.info.live
        self._loop = loop
        self._sampler = Sampler(fps, offset_s) if fps else None
        self._glance, self._offset_s = glance, offset_s
        self._paused = threading.Event()
        self._paused_from_s: float | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._waiting: deque[Frame | Gap] = deque()
        self._ended = False
        self._error: MediaError | None = None
        self._captured = self._delivered = self._dropped = self._gaps = 0
        self._late_max_s = self._late_sum_s = 0.0
        self._last_t_s: float | None = None
        self._put_s = self._queue_s = 0.0
        self._last_event_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"capture {source.info.name}", daemon=True)

    def start(self) -> Self:
        """Start the thread. Call it once."""
        self._last_event_s = time.monotonic()
        self._thread.start()
        return self

    def get(self, timeout_s: float) -> Frame | Gap | None:
        """Return the next frame or gap; None if there is none within timeout_s, or the source has ended.

        Raises:
            MediaError: if the source failed, once everything captured was read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended, timeout=timeout_s)
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return None
            event = self._waiting.popleft()
            if isinstance(event, Frame):
                self._delivered += 1
                self._queue_s = time.monotonic() - self._put_s
            self._changed.notify_all()
            return event

    def pause(self) -> None:
        """Take no frames until `resume`. Frames of a playing source are lost and reported as a gap; a file waits."""
        self._paused.set()

    def resume(self) -> None:
        """Resume after `pause`."""
        self._paused.clear()
        with self._changed:
            self._changed.notify_all()

    @property
    def paused(self) -> bool:
        return self._paused.is_set()

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything was read; `error` says why."""
        with self._changed:
            return self._ended and not self._waiting

    @property
    def error(self) -> MediaError | None:
        """The failure of the source; None while it runs and after a regular end."""
        with self._changed:
            return self._error

    @property
    def stats(self) -> CaptureStats:
        with self._changed:
            return CaptureStats(
                captured=self._captured,
                delivered=self._delivered,
                dropped=self._dropped,
                gaps=self._gaps,
                last_t_s=self._last_t_s,
                quiet_s=time.monotonic() - self._last_event_s,
                late_max_s=self._late_max_s,
                late_mean_s=self._late_sum_s / self._captured if self._captured else 0.0,
                queue_s=self._queue_s,
            )

    def close(self) -> None:
        """Stop, and wait `CLOSE_S` for the thread; a read blocked on the network ends with its own timeout."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        self.source.close()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        outcome: MediaError | None = None
        try:
            self._pull()
        except MediaError as error:
            outcome = error
        except BaseException:
            outcome = MediaError(
                f"cannot continue reading {self.source.info.name!r}: internal error.",
                remedy="Report the traceback above.",
            )
            raise
        finally:
            with self._changed:
                self._error, self._ended = outcome, True
                self._changed.notify_all()

    def _pull(self) -> None:
        shift_s = self._offset_s
        started_s: float | None = None
        while not self._closed.is_set():
            end_s, step_s, empty = shift_s, 1.0, True
            for event in self.source:
                event = _shifted(event, shift_s)
                late_s = 0.0
                if isinstance(event, Frame):
                    empty = False
                    step_s = event.t_s - end_s or step_s
                    end_s = event.t_s
                    if started_s is None:
                        started_s = time.monotonic() - event.t_s
                    if self._paced:
                        self._closed.wait(started_s + event.t_s - time.monotonic())
                        late_s = time.monotonic() - started_s - event.t_s
                if self._closed.is_set():
                    return
                if isinstance(event, Frame):
                    wanted = self._picked(event)
                else:
                    wanted = True
                    self._show(event)
                if wanted:
                    self._put(event, late_s)
            if not self._loop:
                return
            if empty:
                raise MediaError(
                    f"cannot loop {self.source.info.name!r}: it has no frames.", remedy="Play it without looping."
                )
            # The last frame is shown as long as the one before it.
            shift_s = end_s + step_s

    def _picked(self, frame: Frame) -> bool:
        """Pass a frame to `glance`, and return whether the reader gets it; report frames lost to a pause as a gap."""
        if self._paused.is_set():
            if self._newest_wins:
                if self._paused_from_s is None:
                    self._paused_from_s = frame.t_s
                return False
            with self._changed:
                self._changed.wait_for(lambda: not self._paused.is_set() or self._closed.is_set())
            if self._closed.is_set():
                return False
        if self._paused_from_s is not None:
            self._put(Gap(frame.source, self._paused_from_s, frame.t_s, PAUSED), 0.0)
            self._paused_from_s = None
        self._show(frame)
        if self._sampler is None:
            return True
        wanted = self._sampler.wants(frame.t_s)
        if wanted:
            self._sampler.took(frame.t_s)
        return wanted

    def _show(self, event: Frame | Gap) -> None:
        if self._glance:
            self._glance(event)

    def _put(self, event: Frame | Gap, late_s: float) -> None:
        with self._changed:
            self._last_event_s = time.monotonic()
            if isinstance(event, Gap):
                self._gaps += 1
            else:
                self._captured += 1
                self._last_t_s = event.t_s
                self._late_max_s = max(self._late_max_s, late_s)
                self._late_sum_s += max(0.0, late_s)
            if self._newest_wins:
                self._make_room(event)
            else:
                self._changed.wait_for(lambda: not self._waiting or self._closed.is_set())
            self._waiting.append(event)
            if isinstance(event, Frame):
                self._put_s = time.monotonic()
            self._changed.notify_all()

    def _make_room(self, event: Frame | Gap) -> None:
        """Drop the frame that the new one replaces, and bound the number of waiting gaps."""
        if isinstance(event, Frame):
            kept = [waiting for waiting in self._waiting if isinstance(waiting, Gap)]
            self._dropped += len(self._waiting) - len(kept)
            self._waiting = deque(kept)
        elif sum(isinstance(waiting, Gap) for waiting in self._waiting) >= MAX_GAPS:
            gaps = [waiting for waiting in self._waiting if isinstance(waiting, Gap)]
            merged = Gap(gaps[0].source, gaps[0].start_s, gaps[1].end_s, "several gaps in a row that nobody read")
            rest = [waiting for waiting in self._waiting if waiting is not gaps[0] and waiting is not gaps[1]]
            self._waiting = deque([merged, *rest])


def _shifted(event: Frame | Gap, shift_s: float) -> Frame | Gap:
    if not shift_s:
        return event
    if isinstance(event, Frame):
        return replace(event, t_s=event.t_s + shift_s)
    return replace(event, start_s=event.start_s + shift_s, end_s=None if event.end_s is None else event.end_s + shift_s)
