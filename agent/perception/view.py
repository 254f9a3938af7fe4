"""The frames and notes of a watched source as the loop and the tools see them: `SourceView`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.perception.annotator import NoteTaker
from agent.perception.hearing import Hearing
from agent.perception.observer import Observer
from agent.perception.resample import read_again
from agent.perception.source_memory import SourceMemory
from agent.perception.status import LivePicture, SourceStatus
from memory.stream.detections import Sighting
from memory.stream.memory import StreamMemory
from memory.stream.notes import Note, Notes
from memory.stream.queue import FrameRef
from memory.stream.recall import stretches, window
from memory.stream.recorder import Recorder
from tools.base import NEAR_S, Evidence, Heard, SeenFrame
from tools.errors import AttendError, MediaError
from tools.media import Capture, Frame, Gap, MediaOptions, SourceInfo, Span, format_clock

if TYPE_CHECKING:
    from agent.narrative.recall import NarrativeRecall

WAIT_S = 0.2
"""The longest single wait for the recorder, in seconds: progress and a stop are noticed in between."""

CATCH_UP_S = 2.0
"""How long a question waits until captured frames are remembered, in seconds: a few encodings on a busy machine."""

NOTES_S = 30.0
"""How long a search waits for notes on frames of a recording that are still being read, in seconds."""


@dataclass(frozen=True)
class SourceView:
    """Frames, notes and gaps of one source; meets `tools.base.Seen` and `agent.core.graph.Perception`."""

    info: SourceInfo
    memory: StreamMemory
    notes: Notes
    status: SourceStatus
    _source_memory: SourceMemory
    _capture: Capture
    _recorder: Recorder
    _note_taker: NoteTaker | None
    _spec: str
    _options: MediaOptions
    _can_reread: bool
    _live: LivePicture
    _narrative: Callable[[], NarrativeRecall | None]
    _hearing: Hearing
    _observer: Observer | None = None

    @property
    def source(self) -> str:
        """The name of the source for people; credentials are masked."""
        return self.info.name

    @property
    def session(self) -> str:
        """The timeline that media times belong to: one watching of a recording; a live source has one for good."""
        return self._source_memory.session

    @property
    def plays(self) -> bool:
        """Whether time goes on by itself: a live source, or a recording at its own speed."""
        return self._recorder.live

    @property
    def dropped(self) -> int:
        """Frames that capture replaced by newer ones before memory could take them."""
        return self._capture.stats.dropped

    def perceive(self, question: str | None = None) -> list[SeenFrame]:
        """Let memory catch up with capture, then return the frames to show for a question, the newest last.

        Frames are chosen by the question's time expressions (see `memory.stream.recall`); without one, the newest.

        Raises:
            AttendError: if nothing was ever seen because the source failed.
        """
        self._recorder.drain(CATCH_UP_S, self._capture.stats.last_t_s)
        deadline = time.monotonic() + self._options.open_timeout_s
        while not self.memory.stats.seen and time.monotonic() < deadline:
            self.status.raise_if_blind()
            if self._recorder.finished:
                raise MediaError(f"{self.source!r} ended without a picture.", remedy="Check what it shows.")
            self._recorder.drain(WAIT_S, 0.0)
        self._source_memory.heed()
        if question is None:
            chosen = self.memory.snapshot()
        else:
            epoch_wall_s = self._source_memory.clock_epoch_s()
            chosen = window(self.memory, self.notes, question, epoch_wall_s=epoch_wall_s, recorded=not self.plays)
        if chosen:
            self.memory.keep_query(chosen[-1])
        return [_as_seen(kept) for kept in chosen]

    def heard(self, question: str | None, frames: Sequence[SeenFrame]) -> Heard:
        """Return texts about what is heard, each with its place among the frames, and the utterances as evidence."""
        now_s = self.memory.stats.newest_s or 0.0
        return self._hearing.heard(question, frames, now_s, self._source_memory.clock_epoch_s(), not self.plays)

    def gaps(self) -> list[Gap]:
        """Return stretches of the source that could not be read, oldest first; a present problem is the last."""
        trouble = self.status.problem
        now = [Gap(self.source, trouble.since_s, None, trouble.text)] if trouble and trouble.blind else []
        return [*self.memory.gaps, *now]

    def newest(self) -> SeenFrame | None:
        """Return the frame last captured, or None before the first."""
        kept = self.memory.newest()
        return _as_seen(kept) if kept else None

    def kept(self) -> list[SeenFrame]:
        """Return the frames that would be shown now, without waiting."""
        return [_as_seen(kept) for kept in self.memory.snapshot()]

    def frames(self, span: Span | None, limit: int) -> list[SeenFrame]:
        """Return at most `limit` frames of a span, spread over it, oldest first.

        Where memory holds fewer, a video file is opened again at the span, up to the moment watched so far.
        """
        found = [_as_seen(kept) for kept in self.memory.remembered(span)]
        newest_s = self.memory.stats.newest_s
        if len(found) < limit and span and newest_s is not None and self._can_reread:
            seen = Span(min(span.start_s, newest_s), min(span.end_s, newest_s))
            again = read_again(self._spec, self._options, seen, limit, self._live.forgotten)
            found = [self.add_picture(frame.rgb, frame.t_s) for frame in again] or found
        return _spread(found, limit)

    def near(self, t_s: float) -> SeenFrame | None:
        """Return the frame nearest to a moment, within `NEAR_S` seconds; a video file is read again for it."""
        span = Span(max(0.0, t_s - NEAR_S), t_s + NEAR_S)
        found = [_as_seen(kept) for kept in self.memory.remembered(span)] or self.frames(span, 1)
        return min(found, key=lambda frame: abs(frame.t_s - t_s), default=None)

    def picture(self, frame_id: str) -> np.ndarray:
        """Return the pixels of a frame, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""
        return self.memory.pixels(frame_id)

    def shown(self, frame: SeenFrame) -> np.ndarray:
        """Return the pixels of a frame in its detail. Raises StoreError if they are gone."""
        rgb = self.memory.pixels(frame.frame_id)
        return rgb if frame.detail == "clear" else self.memory.blurred(rgb)

    def add_picture(self, rgb: np.ndarray, t_s: float) -> SeenFrame:
        """Store a picture derived from a moment, such as an enlarged part, and return its reference."""
        frame = Frame(self.info.name, t_s, np.ascontiguousarray(rgb))
        return SeenFrame(frame_id=self.memory.store.put(frame), t_s=t_s, source=frame.source)

    def search(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """Return the best matching notes and speech of this source, best first; waits for notes still being taken."""
        self._finish_notes()
        notes = [_as_evidence(note, self.info.name) for note in self.notes.search(query, limit, span)]
        return [*self._hearing.search(query, limit, span), *notes][:limit]

    @property
    def tells(self) -> bool:
        """Whether narrative memory was built of this source."""
        narrative = self._narrative()
        return narrative is not None and narrative.exists

    def told(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """Return the narrative events that match a query, best first, up to the moment watched so far."""
        narrative = self._narrative()
        return narrative.search(query, limit, span, self.memory.stats.newest_s or 0.0) if narrative else []

    def stretches(self, words: str, span: Span | None = None) -> list[Span]:
        """Return the separate stretches of time in which something was noted, oldest first."""
        self._finish_notes()
        return stretches(self.memory, self.notes, words, span)

    def noted(self, frames: Sequence[SeenFrame]) -> list[Evidence]:
        """Return what was noted about frames, in time order."""
        if not frames:
            return []
        self._finish_notes()
        wanted = {frame.frame_id for frame in frames}
        between = self.notes.between(Span(frames[0].t_s, frames[-1].t_s))
        return [_as_evidence(note, self.info.name) for note in between if note.frame_id in wanted]

    def detected(self, frames: Sequence[SeenFrame], anew: bool) -> dict[str, tuple[Sighting, ...]]:
        """Return what was detected in frames as they were captured, by frame id; none where nothing is detected.

        Args:
            frames: whole frames, not parts of them.
            anew: whether to detect in frames that nobody has looked at yet; a frame that fails is left out.
        """
        if self._observer is None:
            return {}
        if not anew and not self.plays:
            self._observer.drain(CATCH_UP_S)
        found: dict[str, tuple[Sighting, ...]] = {}
        for frame in frames:
            with suppress(AttendError):  # the observer reports the failure, and the model looks itself
                look = self._source_memory.detections.of_frame(frame.frame_id, frame.t_s)
                if look is not None:
                    found[frame.frame_id] = look.sightings
                elif anew:
                    rgb = self.memory.pixels(frame.frame_id)
                    found[frame.frame_id] = self._observer.look(frame.frame_id, frame.t_s, rgb)
        return found

    def _finish_notes(self) -> None:
        if self._note_taker and not self.plays:
            self._note_taker.drain(NOTES_S)


def _as_evidence(note: Note, source: str) -> Evidence:
    """A note as evidence of a source."""
    return Evidence(
        id=f"{note.kind}@{format_clock(note.t_s)}",
        kind="text" if note.kind == "text" else "note",
        text=note.text,
        frame_id=note.frame_id,
        t_s=note.t_s,
        source=source,
    )


def _as_seen(kept: FrameRef) -> SeenFrame:
    """A remembered frame by reference."""
    return SeenFrame(frame_id=kept.frame_id, t_s=kept.t_s, detail=kept.state, source=kept.source)


def _spread(frames: list[SeenFrame], limit: int) -> list[SeenFrame]:
    """At most `limit` of them, evenly spaced, the first and the last included."""
    if len(frames) <= limit:
        return frames
    if limit == 1:
        return [frames[len(frames) // 2]]
    return [frames[round(step * (len(frames) - 1) / (limit - 1))] for step in range(limit)]
