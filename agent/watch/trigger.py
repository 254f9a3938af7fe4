"""Which moments a watch looks at: those that show memory something new, and one now and then where nothing does.

Something new is a key moment (see `memory.stream.keyframes`); without key moments, a frame that is kept clear.
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

TIMES_HELD = 10_000
"""Remembered moments held to count those that were missed; our choice."""


@dataclass(frozen=True)
class Moment:
    """A moment to look at.

    Attributes:
        t_s: media time in seconds.
        missed: moments since the look before that newer ones have replaced.
    """

    t_s: float
    missed: int = 0


class Moments(Protocol):
    """The moments of one source."""

    def next(self, after_s: float | None, pause_s: float) -> Moment | None:
        """The next moment for a watch, or None while there is none.

        Args:
            after_s: media time of the watch's look before; None before its first.
            pause_s: where nothing is remembered for this long, another frame is looked at.
        """

    def last(self, after_s: float | None) -> Moment | None:
        """The last frame of a source that has ended, where it is later than a watch's look before."""

    def frames(self, moment: Moment) -> tuple[SeenFrame, ...]:
        """The frames up to a moment, oldest first; none where its picture is gone."""

    def close(self) -> None:
        """Listen no more."""


def open_moments(session: SourceSession, frames: int) -> Moments:
    """The moments of a source, each with at most `frames` frames up to it."""
    return PlayedMoments(session, frames) if session.plays else ReadMoments(session, frames)


class PlayedMoments:
    """Moments of a source that plays: the newest wins, and those it replaces are counted as missed."""

    def __init__(self, session: SourceSession, frames: int) -> None:
        self._session, self._frames = session, frames
        self._lock = threading.Lock()
        self._kept: deque[SeenFrame] = deque(maxlen=frames)
        self._times: deque[float] = deque(maxlen=TIMES_HELD)
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
    """Moments of a recording that is read as fast as it goes: none is missed, however slow the model is.

    They follow memory's log of decisions, up to the frame before the newest, whose picture may still be on its way to
    the store. Pictures that have left memory are read from the file again. Only where all of the log is replaced
    between two looks at it, by `LOG_LENGTH` frames, what was in between is lost, and counts as missed.
    """

    def __init__(self, session: SourceSession, frames: int) -> None:
        self._session, self._frames = session, frames
        self._times: list[float] = []
        self._first_s = 0.0
        self._logged_s = -1.0
        self._seen = 0
        self._lost: list[tuple[float, int]] = []  # up to when, how many frames

    def next(self, after_s: float | None, pause_s: float) -> Moment | None:
        newest_s = self._session.memory.stats.newest_s
        if newest_s is None:
            return None
        self._read_log(newest_s)
        place = 0 if after_s is None else bisect_right(self._times, after_s)
        event_s = self._times[place] if place < len(self._times) else math.inf
        due_s = self._first_s if after_s is None else after_s + pause_s
        moment_s = min(event_s, due_s)
        if moment_s >= newest_s:  # the end of the source is left to `last`
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
        # Judged as it was when it came, though memory may have made it fuzzy since.
        clear = {frame.t_s: frame.model_copy(update={"detail": "clear"}) for frame in found if frame is not None}
        return tuple(clear[t_s] for t_s in sorted(clear))

    def close(self) -> None:
        """Nothing is listened to."""

    def _read_log(self, newest_s: float) -> None:
        if newest_s <= self._logged_s:
            return
        memory = self._session.memory
        log, seen = memory.log, memory.stats.seen
        self._first_s = log[0].t_s if log else newest_s  # all of it may have been forgotten
        new = [d.t_s for d in log if (d.key if memory.moments is not None else d.state == "clear")]
        if len(log) == LOG_LENGTH:  # what has left it may not be judged yet
            new = self._times[: bisect_left(self._times, self._first_s)] + new
            if (lost := seen - self._seen - len(log)) > 0:
                self._lost.append((self._first_s, lost))
        self._times, self._seen, self._logged_s = new, seen, newest_s
