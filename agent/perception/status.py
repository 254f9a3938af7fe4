"""The newest picture of a watched source and its health, in numbers and words."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from agent.perception.annotator import NoteTaker
from agent.perception.hearing import Hearing
from agent.perception.observer import Observer
from agent.perception.source_memory import SourceMemory
from agent.perception.timeline import SourceNumbers
from memory.stream.memory import StreamMemory
from memory.stream.recorder import Recorder
from tools.errors import AttendError
from tools.media import Capture, Frame, Gap, SourceInfo, Span, format_clock
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


TROUBLES_HELD = 20


@dataclass(frozen=True)
class SourceStatus:
    """What is wrong with a source, and how capture and memory keep up with it; read from any thread."""

    memory: StreamMemory
    source_memory: SourceMemory
    capture: Capture
    recorder: Recorder
    live: LivePicture
    note_taker: NoteTaker | None
    hearing: Hearing
    observer: Observer | None = None
    _troubles: deque[AttendError] = field(default_factory=lambda: deque(maxlen=TROUBLES_HELD))

    @property
    def problem(self) -> Trouble | None:
        """What is wrong with the picture of a live source now; None while paused or at its end."""
        return None if self.capture.paused or self.recorder.finished else self.live.trouble()

    @property
    def unnoted(self) -> int:
        """Key moments that others replaced before they could be annotated."""
        return self.note_taker.unnoted if self.note_taker else 0

    def troubles(self) -> dict[str, int]:
        """Return recent errors in words with their counts; errors of annotation only while they last."""
        self._troubles.extend(self.recorder.take_errors())
        troubles = [*self.source_memory.troubles, *self._troubles]
        troubles += [one.error for one in (self.note_taker, self.observer) if one and one.error]
        ears = self.hearing.ears
        if ears and ears.error and not (ears.silent or ears.lacking):
            troubles.append(ears.error)
        return Counter(str(trouble).rstrip(".") for trouble in troubles)

    def raise_if_blind(self) -> None:
        """Raise the error that stopped the source if no frame was ever seen; `summary` reports later ones."""
        self._troubles.extend(self.recorder.take_errors())
        if self._troubles and self.memory.stats.newest_s is None:
            raise self._troubles[-1]

    def numbers(self) -> SourceNumbers:
        """Return how capture and memory are doing, for people."""
        trouble, stats, capture, store = self.problem, self.memory.stats, self.capture.stats, self.memory.store
        return SourceNumbers(
            seen=stats.seen,
            kept=stats.kept_now,
            dropped=capture.dropped,
            key_moments=len(self.memory.moments or ()),
            notes=len(self.source_memory.notes),
            quiet_s=capture.quiet_s,
            capture_late_s=capture.late_max_s,
            queue_s=capture.queue_s,
            encode_ms=1000 * stats.encode_s / max(1, stats.seen),
            disk_mb=store.bytes_used / 2**20,
            quota_mb=store.quota_bytes / 2**20,
            lost=stats.lost,
            unnoted=self.unnoted,
            detections=len(self.source_memory.detections),
            not_detected=self.observer.skipped if self.observer else 0,
            problem=trouble.text if trouble else None,
            troubles=self._counted_troubles(),
            paused=self.capture.paused,
        )

    def summary(self) -> str:
        """Return one line on what was seen, kept, dropped, missed and went wrong, for people."""
        stats, remark = self.memory.stats, trouble.text if (trouble := self.problem) else self.live.remark()
        parts = [
            f"{stats.seen} frame{'s' * (stats.seen != 1)} seen",
            f"{stats.kept_now} kept",
            f"{self.capture.stats.dropped} dropped",
        ]
        parts += [f"{stats.lost} lost"] if stats.lost else []
        parts += [f"{self.unnoted} not noted"] if self.unnoted else []
        parts += [f"now at {format_clock(stats.newest_s)}"] if stats.newest_s is not None else []
        parts += [remark] if remark else []
        parts += [f"no picture from {gap.text}" for gap in self.memory.gaps[-3:]]
        return ", ".join([*parts, *self._counted_troubles()])

    def _counted_troubles(self) -> list[str]:
        return [f"{text} ({number} times)" if number > 1 else text for text, number in self.troubles().items()]
