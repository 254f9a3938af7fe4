"""`Recorder`: a thread that moves what a capture delivers into a memory, so that nobody who asks waits for a camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import Protocol, Self

from memory.stream.memory import StreamMemory
from memory.stream.policies import Decision
from tools.errors import AttendError
from tools.media.types import Frame, Gap

AFTER_END_S = 0.5
"""How often things are looked after once the source has ended; our choice."""
POLL_S = 0.05
"""How long one wait for the capture lasts: the most that `drain` on a quiet live source costs, twice. Our choice."""
ERRORS_HELD = 100
"""Errors held until they are taken; further ones are counted. Our choice."""


class CaptureLike(Protocol):
    """What the recorder needs of a capture; `tools.media.capture.Capture` is one."""

    def start(self) -> object:
        """Begin to read the source."""

    def get(self, timeout_s: float) -> Frame | Gap | None:
        """The next item in time order; None where nothing came in time, or the source has ended.

        Raises:
            AttendError: if the source failed and everything captured was taken.
        """

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything was taken."""

    def close(self) -> None:
        """Stop reading; may be called twice."""


class Recorder:
    """Pulls frames and gaps from a capture into a memory, from `start` until the source ends or `close`.

    An `AttendError` of one frame (say, a full disk) is held for `take_errors`, and recording goes on. Anything else is
    a defect: it ends the recording and is raised by `drain` and `close`.

    Args:
        capture: where frames come from; started and closed with the recorder.
        memory: where they go.
        on_kept: called in the recorder's thread for each frame that shows something new (a key moment; without key
            moments, a frame kept clear), after it is in memory. Capture goes on meanwhile; a live source may drop
            frames if this takes long.
        live: whether the source goes on for ever, or plays by the clock. Decides what `drain` waits for.
        on_turn: called in the recorder's thread about every `POLL_S` seconds, for what must be looked after; when the
            source has ended, every `AFTER_END_S`, until `close`.
    """

    def __init__(
        self,
        capture: CaptureLike,
        memory: StreamMemory,
        on_kept: Callable[[Frame, Decision], None] | None = None,
        *,
        live: bool = False,
        on_turn: Callable[[], None] | None = None,
    ) -> None:
        self.memory, self.live = memory, live
        self._capture, self._on_kept, self._on_turn = capture, on_kept, on_turn
        self._stop = Event()
        self._moved = Condition()  # guards what follows
        self._turns = 0  # waits for the capture that ended with a frame in memory, or with nothing to come yet
        self._reached_s = -1.0
        self._ended = False
        self._errors: list[AttendError] = []
        self._errors_left_out = 0
        self._end: AttendError | None = None
        self._defect: Exception | None = None
        self._thread = Thread(target=self._run, name="attend-recorder", daemon=True)

    def start(self) -> Self:
        """Start the capture and the recording."""
        self._capture.start()
        self._thread.start()
        return self

    @property
    def finished(self) -> bool:
        """Whether the source has ended, or was closed, and everything delivered is in memory."""
        with self._moved:
            return self._ended

    def drain(self, timeout_s: float, until_s: float | None = None) -> bool:
        """Wait until memory has caught up; return False if that takes longer than `timeout_s`.

        Caught up means: with `until_s`, the frame or gap at that media time is in memory; without, everything captured
        before the call of a live source, and all of any other source. The end of the source always counts.

        Raises:
            Exception: the defect that ended the recording, if one did.
        """
        deadline = time.monotonic() + timeout_s
        with self._moved:
            target = self._turns + 2  # the wait in progress may have begun before this call

            def caught_up() -> bool:
                if self._ended:
                    return True
                if until_s is not None:
                    return self._reached_s >= until_s
                return self.live and self._turns >= target

            while not caught_up():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._moved.wait(left_s):
                    break
            self._raise_defect()
            return caught_up()

    def take_errors(self) -> list[AttendError]:
        """Hand over the errors since the last call, oldest first. The one that ended the source is the last of all."""
        with self._moved:
            errors, left_out, end = self._errors, self._errors_left_out, self._end
            self._errors, self._errors_left_out, self._end = [], 0, None
        if left_out:
            errors.append(AttendError(f"{left_out} more errors followed.", remedy=errors[-1].remedy))
        return errors if end is None else [*errors, end]

    def close(self) -> None:
        """Stop recording and close the capture; what was recorded stays in memory. May be called twice.

        Raises:
            Exception: the defect that ended the recording, if one did and nobody was told.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._capture.close()
        with self._moved:
            self._raise_defect()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._record()
            self._over()
            while not self._stop.wait(AFTER_END_S):
                self._look_after()
        except Exception as error:  # noqa: BLE001 - a thread has no caller: it is raised by drain and close
            self._defect = error
        finally:
            self._over()

    def _record(self) -> None:
        while not self._stop.is_set():
            try:
                item = self._capture.get(POLL_S)
            except AttendError as error:
                self._end = error
                return
            if item is None and self._capture.finished:
                return
            self._take(item)
            self._look_after()

    def _over(self) -> None:
        with self._moved:
            self._ended = True
            self._moved.notify_all()

    def _take(self, item: Frame | Gap | None) -> None:
        reached_s = -1.0
        if isinstance(item, Frame):
            reached_s = item.t_s
            self._remember(item)
        elif isinstance(item, Gap):
            reached_s = item.start_s if item.end_s is None else item.end_s
            try:
                self.memory.push_gap(item)
            except AttendError as error:
                self._hold(error)
        with self._moved:
            self._turns += not isinstance(item, Gap)
            self._reached_s = max(self._reached_s, reached_s)
            self._moved.notify_all()

    def _remember(self, frame: Frame) -> None:
        try:
            decision = self.memory.push(frame)
            new = decision.key if self.memory.moments is not None else decision.state == "clear"
            if new and self._on_kept is not None:
                self._on_kept(frame, decision)
        except AttendError as error:
            self._hold(error)

    def _look_after(self) -> None:
        try:
            if self._on_turn is not None:
                self._on_turn()
        except AttendError as error:
            self._hold(error)

    def _hold(self, error: AttendError) -> None:
        with self._moved:
            if len(self._errors) < ERRORS_HELD:
                self._errors.append(error)
            else:
                self._errors_left_out += 1

    def _raise_defect(self) -> None:
        if self._defect is not None:
            defect, self._defect = self._defect, None
            raise defect
