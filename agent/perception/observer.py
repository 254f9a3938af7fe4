"""Observer: detects objects and people in the sampled frames of a source, in a thread of its own.

A source that plays is never delayed: the newest frame replaces one that waits, and detection rests so that it takes
a set share of a core. A file that is read ahead loses nothing: frames beyond a small queue are read from it again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from memory.stream.detections import Detections, Look, Sighting
from tools.errors import AttendError, ModelError
from tools.media import Frame, Span
from tools.perception.detect import Detection
from tools.perception.motion import Change, compare
from tools.perception.tracks import Tracker

STEP_S = 0.95
"""Frames closer than this to the one before are left out, which makes it one a second."""
MAX_PICTURES = 8
"""Frames of a file that wait with their pixels; of later ones only the time waits."""
MAX_TIMES = 100_000
"""Frames of a file that wait altogether, more than a day of one a second; later ones are skipped."""
REREAD_BATCH = 16
"""Frames that are read again at once."""

Detector = Callable[[np.ndarray], Sequence[Detection]]
Listener = Callable[[Look, Change | None], None]
"""Called with each look in time order and what changed since the one before, one call at a time; must be quick."""
HISTORY = 1_000
"""Looks at a file that a listener who comes later is still told of."""


class Observer:
    """Detects in submitted frames and stores what it finds. Thread-safe.

    Args:
        detections: where it goes.
        plays: whether frames come at their own speed and cannot be had again.
        share: share of one core that detection may take of a source that plays.
        reread: reads the frames at some times of a file again, oldest first; None where that cannot be done.
        detector: finds things in RGB pixels (height, width, 3); None is that of the embedded model, loaded with the
            first frame.

    Attributes:
        error: what went wrong with the last frame; None if nothing did.
        skipped: frames that newer ones replaced, or that could not be read again.
        still: frames that were left out because nothing had changed.
    """

    def __init__(
        self,
        detections: Detections,
        *,
        plays: bool,
        share: float = 1.0,
        reread: Callable[[Sequence[float]], Iterable[Frame]] | None = None,
        detector: Detector | None = None,
    ) -> None:
        self.error: AttendError | None = None
        self.skipped = self.still = 0
        self.detections = detections
        self._plays, self._share, self._reread = plays, share, reread
        self._detector = detector or _default_detector
        self._telling = threading.Lock()  # guards the listeners and what they were told
        self._listeners: list[Listener] = []
        self._told: deque[tuple[Look, Change | None]] = deque(maxlen=1 if plays else HISTORY)
        self._forgotten: list[Span] = []
        self._detecting = threading.Lock()  # one detection at a time, so that none is done twice
        self._changed = threading.Condition()  # guards what follows
        self._waiting: deque[tuple[float, Frame | None]] = deque()
        self._pictures = 0
        self._submitted_s = float("-inf")
        self._in_hand: Span | None = None
        self._closed = self._broken = False
        self._tracker = Tracker(detections.last_track() + 1)
        self._before: Frame | None = None
        self._thread = threading.Thread(target=self._run, name="attend-observer", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame) -> None:
        """Have a frame looked at when there is time; never waits."""
        with self._changed:
            if self._closed or self._broken or frame.t_s - self._submitted_s < STEP_S:
                return
            self._submitted_s = frame.t_s
            if self._plays and self._waiting:
                self._waiting.clear()
                self._pictures = 0
                self.skipped += 1
            elif len(self._waiting) >= MAX_TIMES:
                self.skipped += 1
                return
            picture = frame if self._pictures < MAX_PICTURES else None
            self._pictures += picture is not None
            self._waiting.append((frame.t_s, picture))
            self._changed.notify_all()

    def look(self, frame_id: str, t_s: float, rgb: np.ndarray) -> tuple[Sighting, ...]:
        """Return what a frame shows: stored detections, or new ones, which are stored.

        Raises:
            ModelError, StoreError: if the detector or the file cannot be used.
        """
        with self._detecting:
            known = self.detections.of_frame(frame_id, t_s)
            if known is not None and known.t_s == t_s:
                return known.sightings
            if known is not None:  # the same picture at another time
                found = tuple(replace(one, track=None) for one in known.sightings)
            else:
                found = tuple(Sighting(one.name, one.score, one.box) for one in self._detector(rgb))
            if not any(t_s in span for span in self._forgotten):
                self.detections.add(t_s, frame_id, found)
            return found

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a function called with each look, of a file also with those so far; returns what ends that."""
        with self._telling:
            for look, change in self._told if not self._plays else ():
                listener(look, change)
            self._listeners.append(listener)

        def stop() -> None:
            with self._telling:
                self._listeners.remove(listener)

        return stop

    def waiting(self) -> int:
        """Return how many frames are still to be looked at."""
        with self._changed:
            return len(self._waiting) + (self._in_hand is not None)

    def drain(self, timeout_s: float) -> bool:
        """Wait until every submitted frame was looked at; return False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._in_hand is None, timeout_s)

    def drop(self, span: Span) -> None:
        """Leave out the frames of a span; when this returns, none of them is in hand any more."""
        with self._detecting:  # no frame of the span is stored from now on
            self._forgotten.append(span)
        with self._telling:
            self._told = deque((told for told in self._told if told[0].t_s not in span), maxlen=self._told.maxlen)
        with self._changed:
            self._waiting = deque(entry for entry in self._waiting if entry[0] not in span)
            self._pictures = sum(frame is not None for _, frame in self._waiting)
            if self._before is not None and self._before.t_s in span:
                self._before = None
            self._changed.wait_for(lambda: self._in_hand is None or not _overlap(self._in_hand, span))

    def close(self) -> None:
        """Finish the frame in hand, drop the waiting ones and end the thread. Idempotent."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                times, frame = self._take()
                self._in_hand = Span(times[0], times[-1])
            started = time.monotonic()
            error: AttendError | None = None
            try:
                self._observe_all(times, frame)
            except AttendError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001 - a thread has no caller: the summary reports it
                error = AttendError(f"the frame at {times[0]:.1f} s could not be looked at: {failure!r}.")
            self.error = error
            with self._changed:
                self._in_hand = None
                if isinstance(error, ModelError):  # it would fail for every frame
                    self._broken = True
                    self._waiting.clear()
                self._changed.notify_all()
                if self._plays:
                    took_s = time.monotonic() - started
                    self._changed.wait_for(lambda: self._closed, took_s / self._share - took_s)

    def _take(self) -> tuple[list[float], Frame | None]:
        """Take out the next frame, or the times of the next frames whose pixels are not held."""
        t_s, frame = self._waiting.popleft()
        if frame is not None:
            self._pictures -= 1
            return [t_s], frame
        times = [t_s]
        while self._waiting and self._waiting[0][1] is None and len(times) < REREAD_BATCH:
            times.append(self._waiting.popleft()[0])
        return times, None

    def _observe_all(self, times: Sequence[float], frame: Frame | None) -> None:
        if frame is not None:
            self._observe(frame)
            return
        missing = len(times)
        for again in self._reread(times) if self._reread else ():
            if self._closed:
                return
            if not any(again.t_s in span for span in self._forgotten):
                self._observe(again)
            missing -= 1
        self.skipped += max(0, missing)

    def _observe(self, frame: Frame) -> None:
        before = self._before
        change = compare(before.rgb, frame.rgb) if before is not None else None
        if before is not None and change is not None and change.kind == "still":
            self.still += 1
            self.detections.extend(before.t_s, frame.t_s)
            self._tell(Look(frame.t_s, frame.t_s, frame.id, self.detections.at(before.t_s)), change)
            return
        found = self.look(frame.id, frame.t_s, frame.rgb)
        if change is not None and change.kind == "cut":
            self._tracker.cut()
        tracks = self._tracker.update(frame.t_s, [Detection(one.label, one.confidence, one.box) for one in found])
        self.detections.assign(frame.t_s, tracks)
        with self._changed:
            gone = any(frame.t_s in span for span in self._forgotten)
            self._before = None if gone else frame
        tracked = tuple(replace(one, track=track) for one, track in zip(found, tracks, strict=True))
        self._tell(Look(frame.t_s, frame.t_s, frame.id, tracked), change)

    def _tell(self, look: Look, change: Change | None) -> None:
        with self._telling:
            if any(look.t_s in span for span in self._forgotten):
                return
            self._told.append((look, change))
            for listener in self._listeners:
                listener(look, change)


def _overlap(one: Span, other: Span) -> bool:
    return one.start_s <= other.end_s and other.start_s <= one.end_s


def _default_detector(rgb: np.ndarray) -> Sequence[Detection]:
    """Detect as in a frame that a model is shown: what is found must not depend on who looked first."""
    from agent.models.blocks import decode_image, image_block
    from agent.models.embedded.model import things

    return things(decode_image(image_block(rgb)))
