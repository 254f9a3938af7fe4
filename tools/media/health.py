"""Health of a live source: detects pictures that are missing, frozen, black, covered or damaged.

Cheap enough for every captured picture: it compares a few thousand pixels with those of the previous picture, and
measures brightness and detail once a second.

A still picture is not a fault in itself: screens and test patterns do not change for hours. It counts as frozen only if
the pictures before it changed all the time and everywhere, as sensor noise makes them do.
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
# and on a street scene compressed to 100 kbit/s: no two consecutive pictures were ever equal, 40 of them changed every
# cell, and at least 59% of the cells had detail.
QUIET_S = 3.0
"""Time without a new picture before it is reported; three times the usual picture interval, if that is longer."""
FROZEN_S = 5.0
"""Time of equal pictures before they count as frozen; three times the longest earlier standstill, if that is longer.
Encoders that save bits send equal pictures between two key frames."""
SETTLED_S = 2.0
"""Time before a black picture, or one without detail, is reported; fades to black in films are shorter."""
STILL_S = 30.0
"""Time before an unchanged picture is remarked on."""
BLACK_BELOW, BLACK_SHARE = 20, 0.995
"""A black picture: in this share of the pixels, every channel is below this value (of 255)."""
FLAT_BELOW, FLAT_SHARE = 2.0, 0.98
"""A picture without detail: this share of the cells has a smaller standard deviation of luminance, 0 to 255."""
PAIRS, EQUAL_SHARE, CHANGED_SHARE = 40, 0.1, 0.75
"""Noise, or motion everywhere: of this many consecutive picture pairs at most this share was equal, and at least this
share of the cells changed."""
LOOK_EVERY_S = 1.0
"""Interval of measuring brightness and detail."""
DAMAGE_S = 10.0
"""How long damaged pictures are reported."""
_SMOOTH_PX = 5  # averages out noise, which is not detail
_GRID = (9, 16)
_SAMPLES = (90, 160)


TroubleKind = Literal["silent", "black", "covered", "frozen", "damaged"]
REASONS: dict[TroubleKind, str] = {
    "black": "black picture",
    "covered": "picture without any detail; the lens may be covered",
    "frozen": "frozen picture",
}
"""Reasons of the gaps of such spans; the other kinds leave their own gaps, or none."""


@dataclass(frozen=True)
class Trouble:
    """A fault of a source.

    Attributes:
        kind: no new pictures (`silent`), or `black`, `covered`, `frozen` or `damaged` ones.
        since_s: its start, media time in seconds.
        text: a description for people.
    """

    kind: TroubleKind
    since_s: float
    text: str

    @property
    def blind(self) -> bool:
        """Whether the current pictures do not show the current scene."""
        return self.kind != "damaged"


@dataclass(frozen=True, slots=True)
class _At:
    t_s: float
    wall_s: float
    now_s: float  # monotonic


class Health:
    """Monitors the pictures of one live source. Thread-safe.

    Args:
        info: the source; a screen has no sensor, so it never counts as frozen or covered.
        period_s: usual picture interval in seconds; 0 if pictures come as fast as possible.
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
        self._same_from: _At | None = None  # first of the equal pictures up to now
        self._same_pairs = 0
        self._longest_still_s = 0.0
        self._black_from: _At | None = None
        self._flat_from: _At | None = None
        self._damage: tuple[Gap, float] | None = None  # and when it was reported, monotonic
        self._spoilt: Trouble | None = None  # current black, covered or frozen span
        self._gaps: list[Gap] = []  # ended spans of these kinds

    def begin(self, now_s: float | None = None) -> None:
        """Start waiting for the next picture, as after a pause."""
        with self._lock:
            self._begun_s = time.monotonic() if now_s is None else now_s

    def look(self, event: Frame | Gap, now_s: float | None = None) -> None:
        """Process the next picture or gap; takes about half a millisecond. `now_s` is monotonic time, for tests."""
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
        """Return the black, covered and frozen spans that have ended since the last call; each only once.

        Args:
            closing: end the current span as well.
        """
        with self._lock:
            if closing and self._spoilt and self._last:
                self._gaps.append(Gap(self._source, self._spoilt.since_s, self._last.t_s, REASONS[self._spoilt.kind]))
                self._spoilt = None
            gaps, self._gaps = self._gaps, []
        return gaps

    def trouble(self, now_s: float | None = None) -> Trouble | None:
        """Return the current fault, or None. It ends by itself when good pictures come again."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            last_s = max(self._begun_s, self._last.now_s if self._last else self._begun_s)
            if now_s - last_s > self._quiet_s:
                good = f"last good picture at {_clock(self._good)}" if self._good else "there was no good one before"
                since_s = self._last.t_s if self._last else 0.0
                return Trouble("silent", since_s, f"no new picture for {now_s - last_s:.1f} s; {good}")
            if spoilt := self._find_spoilt(now_s):
                self._spoilt = spoilt  # what was reported leaves a gap
                return spoilt
            if self._damage and now_s - self._damage[1] < DAMAGE_S:
                gap = self._damage[0]
                return Trouble("damaged", gap.start_s, f"pictures were left out from {gap.text}")
        return None

    def remark(self, now_s: float | None = None) -> str | None:
        """Return a remark that need not be a fault: that the picture has not changed for long."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            start = self._same_from if self._same_pairs else None
            still = start is not None and now_s - start.now_s >= STILL_S
            return f"the picture has not changed since {_clock(start)}" if still else None

    def _find_spoilt(self, now_s: float) -> Trouble | None:
        """Return the fault if the current pictures are black, covered or frozen."""
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
        # The length of a standstill by a fault says nothing about those of a healthy source.
        first, last = self._same_from, self._last
        if first and last and self._same_pairs and not self._find_spoilt(at.now_s):
            self._longest_still_s = max(self._longest_still_s, last.now_s - first.now_s)
            self._changes.extend([np.zeros_like(changed)] * min(self._same_pairs, PAIRS))
        self._changes.append(changed)
        self._same_from, self._same_pairs = at, 0

    def _frozen(self, now_s: float) -> _At | None:
        """Return the first picture of the standstill if it is a fault."""
        start = self._same_from
        if not self._sensor or start is None or self._same_pairs < 3 or len(self._changes) < PAIRS:
            return None
        if now_s - start.now_s < max(FROZEN_S, 3 * self._longest_still_s):
            return None
        equal = sum(not change.any() for change in self._changes) / PAIRS
        changed = float(np.any(list(self._changes), axis=0).mean())
        return start if equal <= EQUAL_SHARE and changed >= CHANGED_SHARE else None


def _sample(rgb: np.ndarray) -> np.ndarray:
    """Sample about 90 x 160 pixels spread over the picture, RGB; averaging would hide noise."""
    step_y, step_x = (max(1, side // samples) for side, samples in zip(rgb.shape[:2], _SAMPLES, strict=True))
    return np.ascontiguousarray(rgb[::step_y, ::step_x])


def _cells(samples: np.ndarray) -> np.ndarray:
    """Reshape samples to cells (rows, height, columns, width, 3); the remainder at the edges is left out."""
    rows, columns = (min(cells, side) for cells, side in zip(_GRID, samples.shape[:2], strict=True))
    height, width = samples.shape[0] // rows, samples.shape[1] // columns
    return samples[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)


def _measure(samples: np.ndarray) -> tuple[bool, bool]:
    """Return whether a picture is black, and whether it has no detail."""
    import cv2

    black = float((samples.max(axis=2) < BLACK_BELOW).mean()) >= BLACK_SHARE
    grey = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.blur(grey, (_SMOOTH_PX, _SMOOTH_PX))
    mean, squares = (cv2.resize(values, _GRID[::-1], interpolation=cv2.INTER_AREA) for values in (smooth, smooth**2))
    flat = float((squares - mean**2 < FLAT_BELOW**2).mean()) >= FLAT_SHARE
    return black, flat


def _clock(at: _At | None) -> str:
    """Format the time of day, with the date if it is more than 24 hours ago."""
    assert at is not None
    then = datetime.fromtimestamp(at.wall_s).astimezone()
    return f"{then:%H:%M:%S}" if abs(time.time() - at.wall_s) < 86_400 else f"{then:%Y-%m-%d %H:%M:%S}"
