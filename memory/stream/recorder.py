"""Recorder thread that moves captured frames into a memory, so that no reader waits for a camera."""

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
"""Interval of `on_turn` after the end of the source."""
POLL_S = 0.05
"""Maximum duration of one wait for the capture; `drain` on a quiet live source takes up to twice as long."""
ERRORS_HELD = 100
"""Errors stored until they are taken; further ones are counted."""


class CaptureLike(Protocol):
    """The part of a capture that the recorder uses, such as `tools.media.capture.Capture`."""

    def start(self) -> object:
        """Start reading the source."""

    def get(self, timeout_s: float) -> Frame | Gap | None:
        """Return the next item in time order; None on timeout, or after the end of the source.

        Raises:
            AttendError: if the source failed and everything captured has been returned.
        """

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything has been returned."""

    def close(self) -> None:
        """Stop reading. Idempotent."""


class Recorder:
    """Moves frames and gaps from a capture into a memory, from `start` until the source ends or `close`.

    An `AttendError` of one frame (such as a full disk) is stored for `take_errors`, and recording goes on. Any other
    exception is a defect: it ends the recording, and `drain` and `close` raise it.

    Args:
        capture: the source of frames; started and closed with the recorder.
        memory: their destination.
        on_kept: called in the recorder's thread for each frame that shows something new (a key moment; without key
            moments, a frame kept clear), once it is in memory. Capture continues meanwhile; a live source may drop
            frames if this takes long.
        live: whether the source never ends, or plays in real time. Decides what `drain` waits for.
        on_frame: called in the recorder's thread with every frame that is in memory; must be quick.
        on_turn: called in the recorder's thread about every `POLL_S` seconds, for periodic work; after the end of the
            source, every `AFTER_END_S`, until `close`.
    """

    def __init__(
        self,
        capture: CaptureLike,
        memory: StreamMemory,
        on_kept: Callable[[Frame, Decision], None] | None = None,
        *,
        live: bool = False,
        on_frame: Callable[[Frame], None] | None = None,
        on_turn: Callable[[], None] | None = None,
    ) -> None:
        self.memory, self.live = memory, live
        self._capture, self._on_kept, self._on_turn, self._on_frame = capture, on_kept, on_turn, on_frame
        self._stop = Event()
        self._moved = Condition()  # guards what follows
        self._turns = 0  # waits for the capture that ended with a frame in memory, or with nothing pending
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
        """Whether the source has ended, or was closed, and everything captured is in memory."""
        with self._moved:
            return self._ended

    def drain(self, timeout_s: float, until_s: float | None = None) -> bool:
        """Wait until memory has caught up; return False if that takes longer than `timeout_s`.

        With `until_s`, it has caught up when the frame or gap at that media time is in memory; without, when everything
        captured before the call is (for a live source), or everything (for any other). It always has at the end of the
        source.

        Raises:
            Exception: the defect that ended the recording, if one did.
        """
        deadline = time.monotonic() + timeout_s
        with self._moved:
            target = self._turns + 2  # a wait in progress may have begun before this call

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
        """Return the errors since the last call, oldest first. One that ended the source comes last."""
        with self._moved:
            errors, left_out, end = self._errors, self._errors_left_out, self._end
            self._errors, self._errors_left_out, self._end = [], 0, None
        if left_out:
            errors.append(AttendError(f"{left_out} more errors followed.", remedy=errors[-1].remedy))
        return errors if end is None else [*errors, end]

    def close(self) -> None:
        """Stop recording and close the capture; what was recorded stays in memory. Idempotent.

        Raises:
            Exception: the defect that ended the recording, unless it was already raised.
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
        except Exception as error:  # noqa: BLE001 - a thread has no caller: drain and close raise it
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
            if self._on_frame is not None:
                self._on_frame(frame)
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
