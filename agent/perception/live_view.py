"""The newest picture of a source before memory takes it, and its health: `LivePicture`."""

from __future__ import annotations

from collections import deque

from memory.stream.memory import StreamMemory
from tools.media import Frame, Gap, SourceInfo, Span
from tools.media.health import Health, Trouble


class LivePicture:
    """The newest picture and the health of a source; fed in the capture's thread, read from others.

    Args:
        info: the source; only a live one can be in trouble.
        fps: how many pictures a second it gives; None where that is not known.
        memory: what is told of stretches that showed nothing.

    Attributes:
        forgotten: spans forgotten of what was seen so far: a file still holds them, and is not read again there.
    """

    def __init__(self, info: SourceInfo, fps: float | None, memory: StreamMemory) -> None:
        self.forgotten: list[Span] = []
        self._memory = memory
        self._newest: deque[Frame] = deque(maxlen=1)
        self._health = Health(info, 1 / fps if fps else 0.0) if info.live else None

    def look(self, event: Frame | Gap) -> None:
        """Take what the source gives next; quick enough for the capture's thread."""
        if isinstance(event, Frame):
            self._newest.append(event)
        if self._health:
            self._health.look(event)

    def newest(self) -> Frame | None:
        """The newest picture, whether remembered or not."""
        return next(iter(tuple(self._newest)), None)  # another thread may clear it meanwhile

    def pause(self) -> None:
        """Show nothing from now on."""
        self._newest.clear()

    def resume(self) -> None:
        """Wait for the next picture from now on."""
        if self._health:
            self._health.begin()

    def trouble(self) -> Trouble | None:
        """What is wrong with the picture now."""
        return self._health.trouble() if self._health else None

    def remark(self) -> str | None:
        """What a person may want to know of the picture though nothing need be wrong with it."""
        return self._health.remark() if self._health else None

    def drop(self, span: Span) -> None:
        """Forget a span."""
        newest = self.newest()
        seen_s = max(self._memory.stats.newest_s or 0.0, newest.t_s if newest else 0.0)
        if span.start_s <= seen_s:
            self.forgotten.append(Span(span.start_s, min(span.end_s, seen_s)))
        if newest and newest.t_s in span:
            self._newest.clear()

    def end_troubles(self, *, closing: bool = False) -> None:
        """Have memory know of stretches that showed nothing and are over, so that later questions know of them too.

        Args:
            closing: the one that lasts is over, too.

        Raises:
            StoreError: if that cannot be written down now; it will be with what memory writes next.
        """
        for gap in self._health.take_gaps(closing=closing) if self._health else []:
            self._memory.push_gap(gap)
