"""The short tier: a bounded queue of references to kept frames over a stream, and to those that have left it."""

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
class Kept:
    """One remembered frame. Pixels are in the frame store, at native resolution whatever the state.

    Attributes:
        frame_id: sha256 of the pixels.
        source: where it came from, with credentials masked.
        t_s: media time in seconds.
        width_px: native width in pixels.
        height_px: native height in pixels.
        state: the detail in which it is to be shown, `clear` or `fuzzy`.
        score: CS (see `Decision`) when it was decided on; None where there was none.
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
    def of(cls, frame: Frame, state: Literal["clear", "fuzzy"], score: float | None) -> Kept:
        """Return the reference to `frame` in a state."""
        wall_s = None if frame.wall_s is None else float(frame.wall_s)
        return cls(frame.id, frame.source, float(frame.t_s), frame.width_px, frame.height_px, state, score, wall_s)


HISTORY_LENGTH = 4_096
"""References held of frames that have left the queue. Their pixels last as long as the store's quota allows."""


@dataclass(slots=True)
class _Entry:
    kept: Kept
    left_s: float = math.inf  # media time at which it left the queue


class Queue:
    """Kept frames, oldest first, at most `options.capacity` and within `options.token_budget`; pinned in the store.

    Not safe to use from several threads: its owner guards it.

    Args:
        options: capacity, budget and what a frame costs.
        policy: chooses who leaves.
        store: where the pixels are.
    """

    def __init__(self, options: StreamOptions, policy: Policy, store: FrameStore) -> None:
        self._options, self._policy, self._store = options, policy, store
        self._entries: list[_Entry] = []
        self._left: deque[_Entry] = deque(maxlen=HISTORY_LENGTH)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[Kept]:
        """What is in the queue now."""
        return [entry.kept for entry in self._entries]

    def items_at(self, t_q: float) -> list[Kept]:
        """What was in the queue at an earlier media time, and the last frame kept by then."""
        known = [entry for entry in (*self._left, *self._entries) if entry.kept.t_s <= t_q]
        latest_s = max((entry.kept.t_s for entry in known), default=0.0)
        return by_time([entry.kept for entry in known if t_q < entry.left_s or entry.kept.t_s == latest_s])

    def known(self) -> list[Kept]:
        """What has left the queue and is still referred to, then what is in it."""
        return [entry.kept for entry in (*self._left, *self._entries)]

    def add(self, kept: Kept, now_s: float) -> None:
        """Put an item in its place in time, or in place of the one of that time; others leave if need be, at now_s."""
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

    def give_way(self, now_s: float) -> bool:
        """Have an item leave at now_s for one that is about to come; False where there is none."""
        # The policy has decided on the one to come already, so it counts as the newest, which never leaves.
        there = [position for position in self._policy.evict(len(self._entries) + 1) if position < len(self._entries)]
        self._leave(there, now_s)
        return bool(there)

    def forget(self, span: Span) -> set[str]:
        """Remove the items of a span, those that had left too, and return their frame ids."""
        gone = {kept.frame_id for kept in self.known() if kept.t_s in span}
        for entry in [entry for entry in self._entries if entry.kept.t_s in span]:
            self._entries.remove(entry)
            self._store.unpin(entry.kept.frame_id)
        self._left = deque((entry for entry in self._left if entry.kept.t_s not in span), maxlen=HISTORY_LENGTH)
        return gone

    def tokens(self, items: Sequence[Kept]) -> int:
        """Visual tokens that items cost."""
        options = self._options
        return sum(options.tokens_clear if kept.state == "clear" else options.tokens_fuzzy for kept in items)

    def over_budget(self, items: Sequence[Kept]) -> bool:
        """Whether items cost more than `options.token_budget`."""
        return self._options.token_budget is not None and self.tokens(items) > self._options.token_budget

    def _leave(self, positions: Sequence[int], now_s: float) -> None:
        for position in sorted(positions, reverse=True):
            entry = self._entries.pop(position)
            entry.left_s = now_s
            self._store.unpin(entry.kept.frame_id)
            self._left.append(entry)


def by_time(items: Sequence[Kept]) -> list[Kept]:
    """Return items oldest first, the last one of each time: a frame may have left the queue and been put back."""
    at = {kept.t_s: kept for kept in items}
    return [at[t_s] for t_s in sorted(at)]
