"""`Health`: what is wrong with the pictures of a live source now, in words: none come, frozen, black, covered,
damaged.

Cheap enough for every captured picture: a few thousand of its pixels are compared with those of the one before, and
once a second its brightness and detail are measured.

A still picture is no fault by itself: screens and test patterns stand still for hours. It is called frozen only where
the pictures before it changed all the time and all over, as the noise of a sensor makes them do.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Literal

import numpy as np

from tools.media.pyav_decoder import DAMAGED
from tools.media.types import Frame, Gap, SourceInfo

# All thresholds are our choice. Measured on two street scenes, a film and a video call, at 1 and 8 pictures a second,
# and on a street scene squeezed to 100 kbit/s: no two pictures in a row were ever equal, 40 of them changed every cell,
# and at least 59% of the cells had detail.
QUIET_S = 3.0
"""No new picture for so long is told; three times the usual distance of two pictures, where that is longer."""
FROZEN_S = 5.0
"""Pictures that stay equal for so long may be frozen; three times the longest standstill before, where that is longer.
Encoders that save bits send equal pictures between two key frames."""
SETTLED_S = 2.0
"""A picture that is black or without detail for so long is told; films fade to black for less."""
STILL_S = 30.0
"""An unchanged picture is remarked on after so long."""
BLACK_BELOW, BLACK_SHARE = 20, 0.995
"""A black picture: in so many pixels each colour is below this, of 255."""
FLAT_BELOW, FLAT_SHARE = 2.0, 0.98
"""A picture without detail: so many cells have a smaller standard deviation of luminance, 0 to 255."""
PAIRS, EQUAL_SHARE, CHANGED_SHARE = 40, 0.1, 0.75
"""Noise, or motion everywhere: of so many pairs of pictures in a row at most this share was equal, and at least this
share of the cells changed."""
LOOK_EVERY_S = 1.0
"""How often brightness and detail are measured."""
DAMAGE_S = 10.0
"""Damaged pictures are told of for so long."""
_SMOOTH_PX = 5  # averages the noise away, which is no detail
_GRID = (9, 16)
_SAMPLES = (90, 160)


TroubleKind = Literal["silent", "black", "covered", "frozen", "damaged"]
REASONS: dict[TroubleKind, str] = {
    "black": "black picture",
    "covered": "picture without any detail; the lens may be covered",
    "frozen": "frozen picture",
}
"""What the gap of such a stretch is called; the others leave gaps of their own, or none."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a source.

    Attributes:
        kind: no new pictures (`silent`), or `black`, `covered`, `frozen` or `damaged` ones.
        since_s: since when, media time in seconds.
        text: what, in words.
    """

    kind: TroubleKind
    since_s: float
    text: str

    @property
    def blind(self) -> bool:
        """Whether the pictures of now do not show what is there now."""
        return self.kind != "damaged"


@dataclass(frozen=True, slots=True)
class _At:
    t_s: float
    wall_s: float
    now_s: float  # monotonic


class Health:
    """Watches the pictures of one live source. Safe to use from several threads.

    Args:
        info: the source; a screen has no sensor, so it is never called frozen or covered.
        period_s: the usual distance of two pictures in seconds; 0 where they come as fast as they can.
    """

    def __init__(self, info: SourceInfo, period_s: float = 0.0) -> None:
        self._source, self._sensor = info.name, info.kind != "screen"
        self._quiet_s = max(QUIET_S, 3 * period_s)
        self._lock = Lock()
        self._begun_s = time.monotonic()
        self._looked_s = float("-inf")
        self._last: _At | None = None
        self._good: _At | None = None
        self._samples: np.ndarray | None = None
        self._changes: deque[np.ndarray] = deque(maxlen=PAIRS)  # which cells changed, of pairs before the standstill
        self._same_from: _At | None = None  # the first of the equal pictures up to now
        self._same_pairs = 0
        self._longest_still_s = 0.0
        self._black_from: _At | None = None
        self._flat_from: _At | None = None
        self._damage: tuple[Gap, float] | None = None  # and when it was told, monotonic
        self._spoilt: Trouble | None = None  # black, covered or frozen now
        self._gaps: list[Gap] = []  # stretches of these that are over

    def begin(self, now_s: float | None = None) -> None:
        """Wait for the next picture from now on, as after a pause."""
        with self._lock:
            self._begun_s = time.monotonic() if now_s is None else now_s

    def look(self, event: Frame | Gap, now_s: float | None = None) -> None:
        """Take the next picture or gap; takes about half a millisecond. `now_s` is monotonic time, for tests."""
        now_s = time.monotonic() if now_s is None else now_s
        if isinstance(event, Gap):
            with self._lock:
                self._damage = (event, now_s) if event.reason.startswith(DAMAGED) else self._damage
            return
        at = _At(event.t_s, time.time() if event.wall_s is None else event.wall_s, now_s)
        samples = _sample(event.rgb)
        with self._lock:
            self._compare(samples, at)
            if at.now_s - self._looked_s >= LOOK_EVERY_S:
                self._looked_s = at.now_s
                black, flat = _measure(samples)
                self._black_from = (self._black_from or at) if black else None
                self._flat_from = (self._flat_from or at) if flat and not black and self._sensor else None
            self._last = at
            if not (self._black_from or self._flat_from or self._frozen(at.now_s)):
                self._good = at
            before, self._spoilt = self._spoilt, self._find_spoilt(at.now_s)
            if before and (self._spoilt is None or self._spoilt.kind != before.kind):
                self._gaps.append(Gap(self._source, before.since_s, at.t_s, REASONS[before.kind]))

    def take_gaps(self, *, closing: bool = False) -> list[Gap]:
        """Hand over the black, covered and frozen stretches that have ended since the last call; once each.

        Args:
            closing: the one that lasts ends too.
        """
        with self._lock:
            if closing and self._spoilt and self._last:
                self._gaps.append(Gap(self._source, self._spoilt.since_s, self._last.t_s, REASONS[self._spoilt.kind]))
                self._spoilt = None
            gaps, self._gaps = self._gaps, []
        return gaps

    def trouble(self, now_s: float | None = None) -> Trouble | None:
        """What is wrong now; None where nothing is. It ends by itself when good pictures come again."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            last_s = max(self._begun_s, self._last.now_s if self._last else self._begun_s)
            if now_s - last_s > self._quiet_s:
                good = f"last good picture at {_clock(self._good)}" if self._good else "there was no good one before"
                since_s = self._last.t_s if self._last else 0.0
                return Trouble("silent", since_s, f"no new picture for {now_s - last_s:.1f} s; {good}")
            if spoilt := self._find_spoilt(now_s):
                self._spoilt = spoilt  # what was told leaves a gap
                return spoilt
            if self._damage and now_s - self._damage[1] < DAMAGE_S:
                gap = self._damage[0]
                return Trouble("damaged", gap.start_s, f"pictures were left out from {gap.text}")
        return None

    def remark(self, now_s: float | None = None) -> str | None:
        """What a person may want to know though it need not be wrong: that the picture has not changed for long."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            start = self._same_from if self._same_pairs else None
            still = start is not None and now_s - start.now_s >= STILL_S
            return f"the picture has not changed since {_clock(start)}" if still else None

    def _find_spoilt(self, now_s: float) -> Trouble | None:
        """Whether the pictures that come are black, covered or frozen."""
        if (start := self._black_from) and now_s - start.now_s >= SETTLED_S:
            return Trouble("black", start.t_s, f"black picture since {_clock(start)}")
        if (start := self._flat_from) and now_s - start.now_s >= SETTLED_S:
            words = f"picture without any detail since {_clock(start)}; the lens may be covered"
            return Trouble("covered", start.t_s, words)
        if start := self._frozen(now_s):
            words = "not a pixel has changed, and before, all of it always did"
            return Trouble("frozen", start.t_s, f"frozen picture since {_clock(start)}: {words}")
        return None

    def _compare(self, samples: np.ndarray, at: _At) -> None:
        before, self._samples = self._samples, samples
        if before is None or before.shape != samples.shape:
            self._changes.clear()
            self._same_from, self._same_pairs = at, 0
            return
        if np.array_equal(before, samples):
            self._same_pairs += 1
            return
        changed = np.asarray(_cells(before != samples).any(axis=(1, 3, 4)))
        # A standstill that was a fault does not tell how long the source stands still when it is well.
        first, last = self._same_from, self._last
        if first and last and self._same_pairs and not self._find_spoilt(at.now_s):
            self._longest_still_s = max(self._longest_still_s, last.now_s - first.now_s)
            self._changes.extend([np.zeros_like(changed)] * min(self._same_pairs, PAIRS))
        self._changes.append(changed)
        self._same_from, self._same_pairs = at, 0

    def _frozen(self, now_s: float) -> _At | None:
        """The first picture of the standstill, where it is a fault."""
        start = self._same_from
        if not self._sensor or start is None or self._same_pairs < 3 or len(self._changes) < PAIRS:
            return None
        if now_s - start.now_s < max(FROZEN_S, 3 * self._longest_still_s):
            return None
        equal = sum(not change.any() for change in self._changes) / PAIRS
        changed = float(np.any(list(self._changes), axis=0).mean())
        return start if equal <= EQUAL_SHARE and changed >= CHANGED_SHARE else None


def _sample(rgb: np.ndarray) -> np.ndarray:
    """About 90 x 160 pixels spread over the picture, RGB; averaging would hide noise."""
    step_y, step_x = (max(1, side // samples) for side, samples in zip(rgb.shape[:2], _SAMPLES, strict=True))
    return np.ascontiguousarray(rgb[::step_y, ::step_x])


def _cells(samples: np.ndarray) -> np.ndarray:
    """Samples as (rows, height, columns, width, 3) of cells; a rest at the edges is left out."""
    rows, columns = (min(cells, side) for cells, side in zip(_GRID, samples.shape[:2], strict=True))
    height, width = samples.shape[0] // rows, samples.shape[1] // columns
    return samples[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)


def _measure(samples: np.ndarray) -> tuple[bool, bool]:
    """Whether a picture is black, and whether it has no detail."""
    import cv2

    black = float((samples.max(axis=2) < BLACK_BELOW).mean()) >= BLACK_SHARE
    grey = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.blur(grey, (_SMOOTH_PX, _SMOOTH_PX))
    mean, squares = (cv2.resize(values, _GRID[::-1], interpolation=cv2.INTER_AREA) for values in (smooth, smooth**2))
    flat = float((squares - mean**2 < FLAT_BELOW**2).mean()) >= FLAT_SHARE
    return black, flat


def _clock(at: _At | None) -> str:
    """The time of the day, with the date where it is not of the last 24 hours."""
    assert at is not None
    then = datetime.fromtimestamp(at.wall_s).astimezone()
    return f"{then:%H:%M:%S}" if abs(time.time() - at.wall_s) < 86_400 else f"{then:%Y-%m-%d %H:%M:%S}"
