"""Sampling, scaling and closing, shared by all sources."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Self

import numpy as np

from tools.media.options import MediaOptions
from tools.media.types import Frame, Gap, SourceInfo

if TYPE_CHECKING:
    from tools.media.sound import SoundTap

TICK_TOLERANCE_S = 5e-4
"""Containers such as Matroska round times to 1 ms, so a frame up to half of that early still belongs to its tick."""

Events = Generator[Frame | Gap, None, None]


class ReadableSource:
    """A `Source` built from its description and a function that reads it.

    Args:
        info: the description.
        read: starts one iteration; takes an event that is set when the source is closed.
        release: frees what was opened before the first iteration.
        tap: where a live source leaves its sound; None for others.
    """

    def __init__(
        self,
        info: SourceInfo,
        read: Callable[[threading.Event], Events],
        release: Callable[[], None] = lambda: None,
        tap: SoundTap | None = None,
    ) -> None:
        self.info, self.tap = info, tap
        self._read, self._release = read, release
        self._closed = threading.Event()
        self._step = threading.RLock()
        self._events: Events | None = None

    def __iter__(self) -> Iterator[Frame | Gap]:
        with self._step:
            if self._events is not None:
                self._events.close()
            events = self._events = self._read(self._closed)
        try:
            while True:
                with self._step:
                    event = None if self._closed.is_set() else next(events, None)
                if event is None or self._closed.is_set():
                    return
                yield event
        finally:
            with self._step:
                events.close()
            if self._closed.is_set():
                self.close()

    def close(self) -> None:
        self._closed.set()
        # A step running in another thread frees everything itself when it sees the event.
        if self._step.acquire(blocking=False):
            try:
                if self._events is not None:
                    self._events.close()
                self._release()
            finally:
                self._step.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Sampler:
    """Selects frames: for each tick start_s + k/fps the first one at or after it.

    Args:
        fps: ticks per second; None takes every frame at or after start_s.
        start_s: the first tick, in seconds.
    """

    def __init__(self, fps: float | None, start_s: float = 0.0) -> None:
        self._fps, self._start_s, self._next_s = fps, start_s, start_s

    def wants(self, t_s: float) -> bool:
        """Return whether the frame at t_s is due."""
        return t_s >= self._next_s - TICK_TOLERANCE_S

    def took(self, t_s: float) -> None:
        """Advance to the first tick after t_s."""
        if self._fps is None:
            self._next_s = t_s + 2 * TICK_TOLERANCE_S
        else:
            ticks_done = int((t_s + TICK_TOLERANCE_S - self._start_s) * self._fps)
            self._next_s = self._start_s + (ticks_done + 1) / self._fps


class Timeline:
    """Maps container times to seconds that strictly increase from 0.

    Args:
        zero_s: the container time that counts as 0.
        period_s: usual interval of frames, for frames without a time.
        restarts: whether the container's clock may restart, as in joined transport streams; the second part
            then follows the first.
    """

    RESTART_S = 0.5

    def __init__(self, zero_s: float, period_s: float, restarts: bool) -> None:
        self._zero_s, self._period_s, self._restarts = zero_s, period_s, restarts
        self.last_s: float | None = None

    def place(self, pts_s: float | None) -> float | None:
        """Return the media time of the frame with this container time; a frame without one follows the last.

        None means that the frame is out of order, as happens after damage, and should be skipped.
        """
        follow_s = 0.0 if self.last_s is None else self.last_s + self._period_s
        if pts_s is None:
            pts_s = self._zero_s + follow_s
        t_s = pts_s - self._zero_s
        if self.last_s is None:
            t_s = max(t_s, 0.0)
        elif self._restarts and t_s < self.last_s - self.RESTART_S:
            self._zero_s = pts_s - follow_s
            t_s = follow_s
        elif t_s <= self.last_s:
            return None
        self.last_s = t_s
        return t_s


def fitted_size(width_px: int, height_px: int, options: MediaOptions) -> tuple[int, int]:
    """Return (width, height) in pixels after `options.max_side_px`, proportions kept, at least 1."""
    limit = options.max_side_px
    longer = max(width_px, height_px)
    if limit is None or longer <= limit:
        return width_px, height_px
    return max(1, round(width_px * limit / longer)), max(1, round(height_px * limit / longer))


def fit(rgb: np.ndarray, options: MediaOptions) -> np.ndarray:
    """Scale a picture (height, width, 3), uint8, down to `options.max_side_px`; return a smaller one unchanged."""
    size = fitted_size(rgb.shape[1], rgb.shape[0], options)
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb
    from PIL import Image

    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))
