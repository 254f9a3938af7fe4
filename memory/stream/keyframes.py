"""Middle tier of the streaming memory: key moments of hours of video under a fixed budget.

CurveStream's queue reaches back about twenty kept frames. `KeyMoments` reaches back to the beginning: it keeps the
turning points of the path of the pictures in feature space, and drops moments that lie on the way between two others.

The distance of two moments is a metric: the chord between their unit features, plus the greatest change of a part of
the picture (for local changes, such as a new word on a sign, which hardly move a global feature):

    d(a, b) = |F_a - F_b| + LOCAL_WEIGHT * max over 9 x 16 cells of the mean |S_a - S_b|

with S the luminance, 90 x 160, 0 to 1.

Removing moment i between its neighbours p and n shortens the path by its *detour*

    e_i = d(p, i) + d(i, n) - d(p, n) >= 0,

which is 0 on a straight stretch and largest at a turn: the discrete curvature of the path. When the budget is exceeded,
the moment with the smallest detour is merged into its nearer neighbour of the same scene, unless it is the only one of
its scene. Once every scene has a single moment, the one most similar to another is evicted. This tier is not part of
CurveStream's paper (arXiv 2603.19571).

A jump of the wall clock begins a new scene, so that times of day are accurate to the frame on both sides: what was seen
after a suspend is not attributed to the day before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Protocol

import numpy as np

from memory.stream.queue import FrameRef
from tools.media.types import Gap, Span

SKETCH_SHAPE = (90, 160)
LOCAL_WEIGHT = 1.0
"""Weight of the greatest local change in the distance."""
SCENE_JUMP_S = 15.0
"""Difference between wall clock and media time that begins a scene, as after a suspend. A stall with the burst after it
stays below: at most twice `tools.media.live.DRIFT_S`."""
_CELLS = (16, 9)
_SAVE_EVERY_S = 30.0


@dataclass(eq=False, slots=True)
class KeyMoment:
    """A moment that represents a stretch of the stream.

    Attributes:
        kept: the frame; its pixels are in the frame store.
        feature: unit vector of the whole picture, float32 (D,).
        sketch: luminance of the picture, uint8 (90, 160).
        start_s: start of the stretch, media time in seconds.
        end_s: end of the stretch; nothing new was seen within it.
        frames: number of frames of the stream it represents.
        scene: number of the scene; it increases with each cut.
        surprise: how much it differs from the moment before: 1 for another scene, else by how much the greatest local
            change exceeds the usual one, 0 to 1. High for a sign that lights up, low for a pan.
        pinned: whether it is protected from eviction.
        worth: added to its detour, for information outside the pictures, such as words noted about it.
    """

    kept: FrameRef
    feature: np.ndarray
    sketch: np.ndarray
    start_s: float
    end_s: float
    frames: int
    scene: int
    surprise: float = 0.0
    pinned: bool = False
    worth: float = 0.0

    @property
    def t_s(self) -> float:
        return self.kept.t_s


class PastLike(Protocol):
    """A moment of the long tier."""

    @property
    def kept(self) -> FrameRef: ...


class Ledger(Protocol):
    """Persistent store of moments, such as `memory.stream.archive.Archive`."""

    def save(self, moment: KeyMoment) -> None:
        """Write a moment, or overwrite it."""

    def drop(self, times_s: Iterable[float]) -> None:
        """Move the moments at these times to the long tier."""

    def push_gap(self, gap: Gap) -> None:
        """Write a stretch that was not seen."""

    def past(self, span: Span | None = None) -> Sequence[PastLike]:
        """Return the long tier in a span (None: all), oldest first."""


def make_sketch(rgb: np.ndarray) -> np.ndarray:
    """Return the luminance of a picture (height, width, 3), uint8, shrunk to 90 x 160."""
    import cv2

    height, width = SKETCH_SHAPE
    # Subsample large pictures: fewer pixels suffice.
    step = max(1, min(rgb.shape[0] // (3 * height), rgb.shape[1] // (3 * width)))
    small = cv2.resize(rgb[::step, ::step], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def local_change(a: np.ndarray, b: np.ndarray) -> float:
    """Return the maximum over cells of the mean difference of two sketches, 0 to 1; a metric."""
    return float(_cells(a, b).max())


def _cells(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean difference in each of 9 x 16 cells, 0 to 1."""
    import cv2

    return cv2.resize(cv2.absdiff(a, b), _CELLS, interpolation=cv2.INTER_AREA) / np.float32(255)


def _surprise(before: np.ndarray, now: np.ndarray) -> float:
    cells = np.sort(_cells(before, now), axis=None)
    return float(cells[-1] - cells[cells.size // 2])


def _clock_jumped(before: FrameRef, now: FrameRef) -> bool:
    """Return whether the wall clock moved differently from media time, as it does while a machine is suspended."""
    if before.wall_s is None or now.wall_s is None:
        return False
    return abs((now.wall_s - before.wall_s) - (now.t_s - before.t_s)) > SCENE_JUMP_S


def distance(a: KeyMoment, b: KeyMoment) -> float:
    """Return the distance of two moments (see the top of this module)."""
    chord = math.sqrt(max(0.0, 2 - 2 * float(a.feature @ b.feature)))
    return chord + LOCAL_WEIGHT * local_change(a.sketch, b.sketch)


class KeyMoments:
    """At most `budget` key moments of a stream, oldest first. Thread-safe.

    The time per frame does not depend on the length of the stream; the arrays take `budget` times (4 D + 14,400) bytes.

    Args:
        budget: maximum number of moments.
        scene_change: 1 - cos between a frame and the first of its scene, above which a new scene begins.
        step: 1 - cos to the last moment above which a frame is a new moment.
        local_step: local change since the last moment above which a frame is a new moment.
        ledger: where moments are written; None keeps them in the process only.
    """

    def __init__(
        self, budget: int, scene_change: float, step: float, local_step: float, ledger: Ledger | None = None
    ) -> None:
        self.budget = budget
        self._scene_change, self._step, self._local_step = scene_change, step, local_step
        self._ledger = ledger
        self._lock = RLock()
        self._held: list[KeyMoment] = []
        self._detours: list[float] = []
        self._witnesses: Counter[int] = Counter()
        self._likeness = _Likeness()
        self._anchor: np.ndarray | None = None  # the feature of the current scene's first frame
        self._scene = 0
        self._saved_s = -math.inf

    def restore(self, moments: Sequence[KeyMoment]) -> None:
        """Load moments of an earlier process, oldest first, and evict those beyond the budget.

        The next frame begins a new scene.
        """
        with self._lock:
            self._held = list(moments)
            for moment in self._held:
                self._likeness.join(moment)
            self._witnesses = Counter(moment.scene for moment in self._held)
            self._scene = max(self._witnesses, default=0)
            self._detours = [self._detour(index) for index in range(len(self._held))]
            while len(self._held) > self.budget and self.evict_one():
                pass

    def offer(
        self, kept: FrameRef, feature: np.ndarray, rgb: np.ndarray, keep: Callable[[], object] = lambda: None
    ) -> list[KeyMoment] | None:
        """Process the next frame of the stream, with its unit feature (D,).

        Args:
            keep: called before a frame becomes a moment, to store its pixels first. If it raises, the frame has no
                effect.

        Returns:
            None if the frame shows nothing new: the last moment now represents it too. Otherwise it is a new moment,
                and the list contains those evicted for it.
        """
        sketch = make_sketch(rgb)
        with self._lock:
            last = self._held[-1] if self._held else None
            cut = self._anchor is None or 1 - float(feature @ self._anchor) > self._scene_change
            cut = cut or (last is not None and _clock_jumped(last.kept, kept))
            if last is not None and not cut and not self._is_new(last, feature, sketch):
                last.end_s, last.frames = kept.t_s, last.frames + 1
                if self._ledger and kept.t_s - self._saved_s >= _SAVE_EVERY_S:
                    self._save(last)
                return None
            keep()
            if cut:
                self._scene, self._anchor = self._scene + 1, feature
            moment = KeyMoment(kept, feature.astype(np.float32), sketch, kept.t_s, kept.t_s, 1, self._scene)
            moment.surprise = 1.0 if cut or last is None else _surprise(last.sketch, sketch)
            if last is not None:
                self._save(last)  # its stretch is now complete
            self._append(moment)
            gone = []
            while len(self._held) > self.budget and (given := self.evict_one()):
                gone.append(given)
            self._save(moment)
            return gone

    def evict_one(self) -> KeyMoment | None:
        """Evict the least important moment, and return it; None if all others are pinned."""
        with self._lock:
            index = self._least()
            if index is None:
                return None
            moment = self._held[index]
            near = [n for n in (index - 1, index + 1) if 0 <= n < len(self._held)]
            same = [n for n in near if self._held[n].scene == moment.scene]
            if same:
                heir = self._held[min(same, key=lambda n: distance(self._held[n], moment))]
                heir.start_s, heir.end_s = min(heir.start_s, moment.start_s), max(heir.end_s, moment.end_s)
                heir.frames += moment.frames
                self._save(heir)
            self._remove([index])
            return moment

    @property
    def newest(self) -> KeyMoment | None:
        """The moment whose stretch is still growing; None if there is none yet."""
        with self._lock:
            return self._held[-1] if self._held else None

    def all(self, span: Span | None = None) -> list[KeyMoment]:
        """Return the moments whose stretches overlap a span (None: all), oldest first."""
        with self._lock:
            return [m for m in self._held if span is None or (m.start_s <= span.end_s and m.end_s >= span.start_s)]

    def forget(self, span: Span) -> list[KeyMoment]:
        """Remove the moments of a span, including pinned ones, and return them; trims stretches that reach into it."""
        with self._lock:
            indices = [index for index, moment in enumerate(self._held) if moment.t_s in span]
            gone = [self._held[index] for index in indices]
            self._remove(indices)
            for moment in self.all(span):
                if moment.t_s < span.start_s:
                    moment.end_s = max(moment.t_s, min(moment.end_s, span.start_s))
                else:
                    moment.start_s = min(moment.t_s, max(moment.start_s, span.end_s))
                self._save(moment)
            return gone

    def pin(self, moment: KeyMoment, pinned: bool) -> None:
        """Protect a moment from eviction, or undo that."""
        with self._lock:
            moment.pinned = pinned
            self._save(moment)

    def add_pinned(self, kept: FrameRef, feature: np.ndarray, rgb: np.ndarray) -> None:
        """Insert a frame that a person wants to keep, pinned, at its place in time."""
        with self._lock:
            position = sum(held.t_s < kept.t_s for held in self._held)
            scene = self._held[max(0, position - 1)].scene if self._held else 0
            moment = KeyMoment(kept, feature, make_sketch(rgb), kept.t_s, kept.t_s, 1, scene, pinned=True)
            self._append(moment)
            self._held.sort(key=lambda held: held.t_s)
            self._renew(0, len(self._held))
            self._save(moment)

    def value(self, t_s: float, worth: float) -> None:
        """Raise the worth of the moment at `t_s`; does nothing if it was evicted."""
        with self._lock:
            for moment in self._held:
                if moment.t_s == t_s:
                    moment.worth = max(moment.worth, worth)

    def __len__(self) -> int:
        return len(self._held)

    def _is_new(self, last: KeyMoment, feature: np.ndarray, sketch: np.ndarray) -> bool:
        if 1 - float(feature @ last.feature) > self._step:
            return True
        return local_change(sketch, last.sketch) > self._local_step

    def _append(self, moment: KeyMoment) -> None:
        self._held.append(moment)
        self._likeness.join(moment)
        self._witnesses[moment.scene] += 1
        self._detours.append(0.0)
        self._renew(len(self._held) - 2, len(self._held) - 1)

    def _remove(self, indices: Sequence[int]) -> None:
        for index in sorted(indices, reverse=True):
            moment = self._held.pop(index)
            self._detours.pop(index)
            self._witnesses[moment.scene] -= 1
            if self._ledger:
                self._ledger.drop([moment.t_s])
            self._likeness.leave(moment)
        if len(indices) == 1:
            self._renew(indices[0] - 1, indices[0])
        elif indices:
            self._renew(0, len(self._held))

    def _renew(self, first: int, last: int) -> None:
        for index in range(max(0, first), min(last + 1, len(self._held))):
            self._detours[index] = self._detour(index)

    def _detour(self, index: int) -> float:
        moment = self._held[index]
        before = self._held[index - 1] if index else None
        after = self._held[index + 1] if index + 1 < len(self._held) else None
        if before is None or after is None:
            neighbour = before or after
            return distance(moment, neighbour) if neighbour else math.inf
        return distance(before, moment) + distance(moment, after) - distance(before, after)

    def _least(self) -> int | None:
        """Return the least important moment; never the newest, whose stretch is still growing."""
        free = [index for index, moment in enumerate(self._held[:-1]) if not moment.pinned]
        several = [index for index in free if self._witnesses[self._held[index].scene] > 1]
        if several:
            return min(several, key=lambda index: self._detours[index] + self._held[index].worth)
        if not free:
            return None
        held = self._held
        return min(free, key=lambda index: held[index].worth - self._likeness.of(held[index]))

    def _save(self, moment: KeyMoment) -> None:
        if self._ledger:
            self._ledger.save(moment)
            self._saved_s = max(self._saved_s, moment.end_s)


class _Likeness:
    """The similarity of each moment to its most similar one, updated as moments come and go."""

    def __init__(self) -> None:
        self._features = np.empty((0, 0), np.float32)  # one row per moment; rows are reused
        self._rows: dict[int, int] = {}  # by id(moment)
        self._free: list[int] = []
        self._best = np.empty(0, np.float32)
        self._other = np.empty(0, np.int64)  # the most similar row; -1 if there is none, and for free rows

    def of(self, moment: KeyMoment) -> float:
        """Return the cosine to the most similar moment; -1 if there is no other."""
        return float(self._best[self._rows[id(moment)]])

    def join(self, moment: KeyMoment) -> None:
        if not self._free:
            self._grow(len(moment.feature))
        row = self._free.pop()
        self._features[row] = moment.feature
        cosines = self._cosines(row)
        nearer = cosines > self._best
        self._best[nearer], self._other[nearer] = cosines[nearer], row
        self._rows[id(moment)] = row
        self._find(row, cosines)

    def leave(self, moment: KeyMoment) -> None:
        row = self._rows.pop(id(moment))
        self._free.append(row)
        self._best[row], self._other[row] = -1.0, -1
        for orphan in np.flatnonzero(self._other == row):
            self._find(int(orphan), self._cosines(int(orphan)))

    def _cosines(self, row: int) -> np.ndarray:
        """Return the cosines to every moment but the row's own; -1 for free rows."""
        # Not `@`: its threads spin while they wait for each other, which costs a hundred times as much on a busy
        # machine.
        cosines = np.einsum("ij,j->i", self._features, self._features[row])
        cosines[self._free] = -1.0
        cosines[row] = -1.0
        return cosines

    def _find(self, row: int, cosines: np.ndarray) -> None:
        other = int(cosines.argmax())
        self._best[row] = cosines[other]
        self._other[row] = other if cosines[other] > -1 else -1

    def _grow(self, dim: int) -> None:
        old = len(self._features)
        new = max(32, 2 * old)
        features = np.zeros((new, dim), np.float32)
        if old:
            features[:old] = self._features
        self._features = features
        self._best = np.concatenate([self._best, np.full(new - old, -1.0, np.float32)])
        self._other = np.concatenate([self._other, np.full(new - old, -1, np.int64)])
        self._free = list(range(new - 1, old - 1, -1))
