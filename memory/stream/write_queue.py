"""Queue of pending writes, so that a full disk costs pictures but not their order: `WriteQueue`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import RLock

from memory.stream.keyframes import KeyMoment, Ledger, PastLike
from tools.media.types import Gap, Span

MOST_WAITING = 2_000
"""Changes that wait for a writable disk, about 30 MB; the oldest are dropped."""


class WriteQueue:
    """A ledger that accepts changes at once and writes them in order on `write`. Thread-safe.

    Args:
        ledger: the destination; None never writes.
    """

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._lock = RLock()
        self._waiting: dict[tuple[str, float], Callable[[Ledger], None]] = {}

    def save(self, moment: KeyMoment) -> None:
        """Queue a moment, to be written in its state at that time."""
        self._add("save", moment.t_s, lambda ledger: ledger.save(moment))

    def drop(self, times_s: Iterable[float]) -> None:
        """Queue the move of the moments at these times to the long tier."""
        for t_s in times_s:
            self._add("drop", t_s, lambda ledger, t_s=t_s: ledger.drop([t_s]))  # type: ignore[misc]

    def push_gap(self, gap: Gap) -> None:
        """Queue a stretch that was not seen."""
        self._add("gap", gap.start_s, lambda ledger: ledger.push_gap(gap))

    def past(self, span: Span | None = None) -> Sequence[PastLike]:
        """Return the long tier in a span (None: all), oldest first."""
        return self._ledger.past(span) if self._ledger else []

    def write(self) -> None:
        """Write pending changes. Raises StoreError if that fails; the next call retries the rest."""
        if self._ledger is None:
            return
        with self._lock:
            for key, change in list(self._waiting.items()):
                change(self._ledger)
                del self._waiting[key]

    def _add(self, what: str, t_s: float, change: Callable[[Ledger], None]) -> None:
        if self._ledger is None:
            return
        with self._lock:
            self._waiting.pop((what, t_s), None)  # a repeated change moves behind those in between
            self._waiting[what, t_s] = change
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
