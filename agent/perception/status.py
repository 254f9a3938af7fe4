"""The health of a watched source in numbers and words: `SourceStatus`."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from agent.perception.adapters import summary
from agent.perception.annotator import NoteTaker
from agent.perception.live_view import LivePicture
from agent.perception.source_memory import SourceMemory
from agent.perception.timeline import SourceNumbers
from memory.stream.memory import StreamMemory
from memory.stream.recorder import Recorder
from tools.errors import AttendError
from tools.media import Capture
from tools.media.health import Trouble

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
        if self.note_taker and self.note_taker.error:
            troubles.append(self.note_taker.error)
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
            problem=trouble.text if trouble else None,
            troubles=self._counted_troubles(),
            paused=self.capture.paused,
        )

    def summary(self) -> str:
        """Return one line on what was seen, kept, dropped, missed and went wrong, for people."""
        remark = trouble.text if (trouble := self.problem) else self.live.remark()
        seen = summary(self.memory.stats, self.capture.stats.dropped, self.unnoted, remark, self.memory.gaps[-3:])
        return ", ".join([seen, *self._counted_troubles()])

    def _counted_troubles(self) -> list[str]:
        return [f"{text} ({number} times)" if number > 1 else text for text, number in self.troubles().items()]
