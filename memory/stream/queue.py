"""Short tier: a bounded queue of references to kept frames of a stream, and to those evicted from it (`Queue`)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from memory.store.frames import FrameStore
from memory.stream.options import StreamOptions
from memory.stream.policies import Policy
from tools.media.types import Frame, Span


@dataclass(frozen=True, slots=True)
class FrameRef:
    """A remembered frame. Its pixels are in the frame store, at native resolution in either state.

    Attributes:
        frame_id: sha256 of the pixels.
        source: its source, with credentials masked.
        t_s: media time in seconds.
        width_px: native width in pixels.
        height_px: native height in pixels.
        state: the detail at which to show it, `clear` or `fuzzy`.
        score: CS (see `Decision`) when it was captured; None if there was none.
        wall_s: Unix time of capture in seconds for live sources, else None.
    """

    frame_id: str
    source: str
    t_s: float
    width_px: int
    height_px: int
    state: Literal["clear", "fuzzy"]
    score: float | None = None
    wall_s: float | None = None

    @classmethod
    def of(cls, frame: Frame, state: Literal["clear", "fuzzy"], score: float | None) -> FrameRef:
        """Return the reference to `frame` in a state."""
        wall_s = None if frame.wall_s is None else float(frame.wall_s)
        return cls(frame.id, frame.source, float(frame.t_s), frame.width_px, frame.height_px, state, score, wall_s)


HISTORY_LENGTH = 4_096
"""References kept to frames evicted from the queue. Their pixels last as long as the store's quota allows."""


@dataclass(slots=True)
class _Entry:
    kept: FrameRef
    left_s: float = math.inf  # media time of its eviction


class Queue:
    """Kept frames, oldest first, at most `options.capacity` and within `options.token_budget`; pinned in the store.

    Not thread-safe: its owner synchronises access.

    Args:
        options: capacity, budget and token costs.
        policy: selects frames to evict.
        store: the store of pixels.
    """

    def __init__(self, options: StreamOptions, policy: Policy, store: FrameStore) -> None:
        self._options, self._policy, self._store = options, policy, store
        self._entries: list[_Entry] = []
        self._left: deque[_Entry] = deque(maxlen=HISTORY_LENGTH)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[FrameRef]:
        """Return the current items."""
        return [entry.kept for entry in self._entries]

    def items_at(self, t_q: float) -> list[FrameRef]:
        """Return the items at an earlier media time, and the last frame kept by then."""
        known = [entry for entry in (*self._left, *self._entries) if entry.kept.t_s <= t_q]
        latest_s = max((entry.kept.t_s for entry in known), default=0.0)
        return by_time([entry.kept for entry in known if t_q < entry.left_s or entry.kept.t_s == latest_s])

    def known(self) -> list[FrameRef]:
        """Return evicted items that are still referenced, then the current ones."""
        return [entry.kept for entry in (*self._left, *self._entries)]

    def add(self, kept: FrameRef, now_s: float) -> None:
        """Insert an item in time order, or replace the one at that time; evicts others at `now_s` if needed."""
        position = len(self._entries)
        while position and self._entries[position - 1].kept.t_s > kept.t_s:
            position -= 1
        if position and self._entries[position - 1].kept.t_s == kept.t_s:
            self._entries[position - 1].kept = kept
        else:
            self._entries.insert(position, _Entry(kept))
            self._store.pin(kept.frame_id)
        while len(self._entries) > self._options.capacity or self.over_budget(self.items()):
            self._leave(self._policy.evict(len(self._entries)), now_s)

    def evict_one(self, now_s: float) -> bool:
        """Evict an item at `now_s` to make room for another; False if there is none."""
        # The policy has already decided on the new one, which counts as the newest and is never evicted.
        there = [position for position in self._policy.evict(len(self._entries) + 1) if position < len(self._entries)]
        self._leave(there, now_s)
        return bool(there)

    def forget(self, span: Span) -> set[str]:
        """Remove the items of a span, including evicted ones, and return their frame ids."""
        gone = {kept.frame_id for kept in self.known() if kept.t_s in span}
        for entry in [entry for entry in self._entries if entry.kept.t_s in span]:
            self._entries.remove(entry)
            self._store.unpin(entry.kept.frame_id)
        self._left = deque((entry for entry in self._left if entry.kept.t_s not in span), maxlen=HISTORY_LENGTH)
        return gone

    def tokens(self, items: Sequence[FrameRef]) -> int:
        """Count the visual tokens of items."""
        options = self._options
        return sum(options.tokens_clear if kept.state == "clear" else options.tokens_fuzzy for kept in items)

    def over_budget(self, items: Sequence[FrameRef]) -> bool:
        """Return whether items exceed `options.token_budget`."""
        return self._options.token_budget is not None and self.tokens(items) > self._options.token_budget

    def _leave(self, positions: Sequence[int], now_s: float) -> None:
        for position in sorted(positions, reverse=True):
            entry = self._entries.pop(position)
            entry.left_s = now_s
            self._store.unpin(entry.kept.frame_id)
            self._left.append(entry)


def by_time(items: Sequence[FrameRef]) -> list[FrameRef]:
    """Return items oldest first, the last one of each time: a frame may have been evicted and inserted again."""
    at = {kept.t_s: kept for kept in items}
    return [at[t_s] for t_s in sorted(at)]
