"""Trigger: decides at which moments a watch is evaluated.

These are the key moments (see `memory.stream.keyframes`) or, without key moments, the frames kept clear; and, if there
is none for a while, the newest frame.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.perception.session import SourceSession
from memory.stream.memory import LOG_LENGTH
from memory.stream.policies import Decision
from tools.base import SeenFrame
from tools.media import Frame

MAX_TIMES = 10_000
"""Number of times kept to count missed moments."""


@dataclass(frozen=True)
class Moment:
    """A moment to evaluate.

    Attributes:
        t_s: media time in seconds.
        missed: moments since the last evaluation that were replaced by newer ones.
    """

    t_s: float
    missed: int = 0


class Moments(Protocol):
    """The moments of one source."""

    def next(self, after_s: float | None, pause_s: float) -> Moment | None:
        """Return the next moment for a watch, or None if there is none yet.

        Args:
            after_s: media time of the watch's last evaluation; None before the first.
            pause_s: without a new moment for this long, the newest frame is evaluated.
        """

    def last(self, after_s: float | None) -> Moment | None:
        """Return the last frame of a source that has ended, if it is later than the watch's last evaluation."""

    def frames(self, moment: Moment) -> tuple[SeenFrame, ...]:
        """Return the frames up to a moment, oldest first; none if its picture is gone."""

    def close(self) -> None:
        """Stop listening."""


def open_moments(session: SourceSession, frames: int) -> Moments:
    """Return the moments of a source, each with at most `frames` frames up to it."""
    return PlayedMoments(session, frames) if session.plays else ReadMoments(session, frames)


class PlayedMoments:
    """Moments of a source that plays: the newest replaces earlier ones, which count as missed."""

    def __init__(self, session: SourceSession, frames: int) -> None:
        self._session, self._frames = session, frames
        self._lock = threading.Lock()
        self._kept: deque[SeenFrame] = deque(maxlen=frames)
        self._times: deque[float] = deque(maxlen=MAX_TIMES)
        self._stop: Callable[[], None] = session.listen(self._on_kept)
        for frame in session.view.kept():
            if frame.detail == "clear":
                self._add(frame)

    def _on_kept(self, frame: Frame, decision: Decision) -> None:
        self._add(SeenFrame(frame_id=frame.id, t_s=frame.t_s, source=frame.source))

    def _add(self, frame: SeenFrame) -> None:
        with self._lock:
            if not self._times or frame.t_s > self._times[-1]:
                self._kept.append(frame)
                self._times.append(frame.t_s)

    def next(self, after_s: float | None, pause_s: float) -> Moment | None:
        if after_s is None:
            return self.last(None)
        with self._lock:
            missed = len(self._times) - bisect_right(self._times, after_s) - 1
            if missed >= 0:
                return Moment(self._times[-1], missed)
        newest = self.last(after_s)
        return newest if newest and newest.t_s >= after_s + pause_s else None

    def last(self, after_s: float | None) -> Moment | None:
        newest_s = self._session.memory.stats.newest_s
        return Moment(newest_s) if newest_s is not None and (after_s is None or newest_s > after_s) else None

    def frames(self, moment: Moment) -> tuple[SeenFrame, ...]:
        with self._lock:
            kept = tuple(self._kept)
        if not kept or kept[-1].t_s < moment.t_s:
            newest = self._session.view.newest()
            if newest and (not kept or newest.t_s > kept[-1].t_s):
                kept = (*kept, newest)
        return kept[-self._frames :]

    def close(self) -> None:
        self._stop()


class ReadMoments:
    """Moments of a recording that is read as fast as possible: none is missed, however slow the model is.

    They follow memory's decision log, up to the frame before the newest, whose picture may not be stored yet. Pictures
    no longer in memory are decoded from the file again. Only if the whole log is replaced between two reads, by
    `LOG_LENGTH` frames, are the moments in between lost; they count as missed.
    """

    def __init__(self, session: SourceSession, frames: int) -> None:
        self._session, self._frames = session, frames
        self._times: list[float] = []
        self._first_s = 0.0
        self._logged_s = -1.0
        self._seen = 0
        self._lost: list[tuple[float, int]] = []  # (end time, number of frames)

    def next(self, after_s: float | None, pause_s: float) -> Moment | None:
        newest_s = self._session.memory.stats.newest_s
        if newest_s is None:
            return None
        self._read_log(newest_s)
        place = 0 if after_s is None else bisect_right(self._times, after_s)
        event_s = self._times[place] if place < len(self._times) else math.inf
        due_s = self._first_s if after_s is None else after_s + pause_s
        moment_s = min(event_s, due_s)
        if moment_s >= newest_s:  # `last` handles the end of the source
            return None
        lost = sum(count for end_s, count in self._lost if (after_s or 0.0) < end_s <= moment_s)
        return Moment(moment_s, lost)

    def last(self, after_s: float | None) -> Moment | None:
        newest_s = self._session.memory.stats.newest_s
        return Moment(newest_s) if newest_s is not None and (after_s is None or newest_s > after_s) else None

    def frames(self, moment: Moment) -> tuple[SeenFrame, ...]:
        before = self._times[: bisect_left(self._times, moment.t_s)]
        times = [*(before[1 - self._frames :] if self._frames > 1 else []), moment.t_s]
        found = [self._session.view.near(t_s) for t_s in times]
        if found[-1] is None:
            return ()
        # Show the frames as they were on arrival, though memory may have made them fuzzy since.
        clear = {frame.t_s: frame.model_copy(update={"detail": "clear"}) for frame in found if frame is not None}
        return tuple(clear[t_s] for t_s in sorted(clear))

    def close(self) -> None:
        """Do nothing: there is no listener."""

    def _read_log(self, newest_s: float) -> None:
        if newest_s <= self._logged_s:
            return
        memory = self._session.memory
        log, seen = memory.log, memory.stats.seen
        self._first_s = log[0].t_s if log else newest_s  # the whole log may have been forgotten
        new = [d.t_s for d in log if (d.key if memory.moments is not None else d.state == "clear")]
        if len(log) == LOG_LENGTH:  # entries that left the log may not be judged yet
            new = self._times[: bisect_left(self._times, self._first_s)] + new
            if (lost := seen - self._seen - len(log)) > 0:
                self._lost.append((self._first_s, lost))
        self._times, self._seen, self._logged_s = new, seen, newest_s
