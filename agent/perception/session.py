"""The agent's eyes on one source: capture, memory and notes, composed; threads of their own feed them.

source -> Capture (thread) -> Recorder (thread) -> StreamMemory + FrameStore, and Notes for key moments
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.config import Config
from agent.narrative.recall import Told
from agent.perception.adapters import as_evidence, as_seen, spread, summary
from agent.perception.annotator import NoteTaker
from agent.perception.live_view import Glance
from agent.perception.resample import read_again
from agent.perception.source_memory import Remembered, open_remembered
from agent.perception.timeline import EyesStatus, Forgotten, Moment, Timeline
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.policies.policy import Decision
from memory.stream.recall import stretches, window
from memory.stream.recorder import Recorder
from tools.base import NEAR_S, Evidence, SeenFrame
from tools.errors import AttendError, ConfigError, MediaError, StoreError
from tools.media import Capture, CaptureStats, Frame, Gap, MediaOptions, Source, SourceInfo, Span, open_source
from tools.media.health import Trouble

WAIT_S = 0.2
"""How long one look at the recorder may last before progress is shown and a stop is heeded; our choice."""

NOTES_S = 30.0
"""How long a search waits for notes on frames of a recording that are still being read; our choice."""

TROUBLES_HELD = 20

Listener = Callable[[Frame, Decision], None]
"""Told of each frame that shows memory something new, in the recorder's thread, so it must be quick."""

CATCH_UP_S = 2.0
"""How long a question waits for captured frames to be remembered; our choice: a few encodings on a busy machine."""


@dataclass(frozen=True)
class Eyes:
    """What was and is seen of one source. Meets `tools.base.Seen` and `agent.core.graph.Perception`."""

    memory: StreamMemory
    notes: Notes
    remembered: Remembered
    _source: Source
    _capture: Capture
    _recorder: Recorder
    _note_taker: NoteTaker | None
    _spec: str
    _options: MediaOptions
    _can_reread: bool
    _glance: Glance
    _listeners: list[Listener]
    _told: Told
    _stop_waiting: threading.Event = field(default_factory=threading.Event)
    _troubles: deque[AttendError] = field(default_factory=lambda: deque(maxlen=TROUBLES_HELD))

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        return self._source.info

    @property
    def source(self) -> str:
        """What is watched, for people; credentials are masked."""
        return self.info.name

    @property
    def session(self) -> str:
        """The timeline that media times belong to: a watching of a recording; a live source has one for good."""
        return self.remembered.session

    @property
    def plays(self) -> bool:
        """Whether time goes on by itself: a live source, or a recording at its own speed."""
        return self._recorder.live

    @property
    def dropped(self) -> int:
        """Frames that capture replaced by newer ones before memory could take them."""
        return self._capture.stats.dropped

    @property
    def capture_stats(self) -> CaptureStats:
        """Counts and lateness of capture so far."""
        return self._capture.stats

    @property
    def finished(self) -> bool:
        """Whether the source has ended and all of it is in memory."""
        return self._recorder.finished

    def live_frame(self) -> Frame | None:
        """The newest picture of the source, at the rate of `open_eyes(view_fps=...)`, whether remembered or not."""
        return self._glance.newest()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a function called with each frame that shows memory something new; returns what ends that.

        It is called in the recorder's thread and must be quick: hand the frame on, do not work on it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def pause(self) -> None:
        """Stop looking: nothing is shown or remembered until `resume`; a gap tells of it. A file read ahead waits."""
        self._capture.pause()
        self._glance.pause()

    def resume(self) -> None:
        """Look again after `pause`."""
        self._glance.resume()
        self._capture.resume()

    @property
    def paused(self) -> bool:
        return self._capture.paused

    def watch(self, until_s: float | None = None, progress: Callable[[float], None] | None = None) -> None:
        """Wait until the source was watched up to a media time in seconds, or to its end, or `stop_waiting` is called.

        A live source is waited for until its first frame at least.

        Raises:
            MediaError: if the source fails before its first frame.
        """
        while not self._recorder.drain(WAIT_S, until_s):
            newest_s = self.memory.stats.newest_s
            if progress and newest_s is not None:
                progress(newest_s)
            if self._stop_waiting.is_set():
                return
        self._raise_errors()

    def stop_waiting(self) -> None:
        """End the waiting of `watch`, now and later; what was seen stays, and the source is watched on."""
        self._stop_waiting.set()

    def perceive(self, question: str | None = None) -> list[SeenFrame]:
        """Let memory catch up with capture, then return the frames to show for a question, the newest last.

        Frames are chosen by what the question says about time (see `memory.stream.recall`); without one, the newest.

        Raises:
            AttendError: if nothing was ever seen because the source failed.
        """
        self._recorder.drain(CATCH_UP_S, self._capture.stats.last_t_s)
        deadline = time.monotonic() + self._options.open_timeout_s
        while not self.memory.stats.seen and time.monotonic() < deadline:
            self._raise_errors()
            if self._recorder.finished:
                raise MediaError(f"{self.source!r} ended without a picture.", remedy="Check what it shows.")
            self._recorder.drain(WAIT_S, 0.0)
        self.remembered.heed()
        if question is None:
            chosen = self.memory.snapshot()
        else:
            chosen = window(self.memory, self.notes, question, epoch_wall_s=self.remembered.clock_epoch_s())
        if chosen:
            self.memory.keep_query(chosen[-1])
        return [as_seen(kept) for kept in chosen]

    def gaps(self) -> list[Gap]:
        """Stretches of the source that could not be read, oldest first; what is wrong with it now is the last."""
        trouble = self.problem
        now = [Gap(self.source, trouble.since_s, None, trouble.text)] if trouble and trouble.blind else []
        return [*self.memory.gaps, *now]

    def newest(self) -> SeenFrame | None:
        """The frame last captured, or None before the first."""
        kept = self.memory.newest()
        return as_seen(kept) if kept else None

    def kept(self) -> list[SeenFrame]:
        """The frames that would be shown now; nothing is waited for."""
        return [as_seen(kept) for kept in self.memory.snapshot()]

    def frames(self, span: Span | None, limit: int) -> list[SeenFrame]:
        """At most `limit` frames of a span, spread over it, oldest first.

        Where memory holds fewer, a video file is opened again at the span, up to the moment watched so far.
        """
        found = [as_seen(kept) for kept in self.memory.remembered(span)]
        newest_s = self.memory.stats.newest_s
        if len(found) < limit and span and newest_s is not None and self._can_reread:
            seen = Span(min(span.start_s, newest_s), min(span.end_s, newest_s))
            again = read_again(self._spec, self._options, seen, limit, self._glance.forgotten)
            found = [self.add_picture(frame.rgb, frame.t_s) for frame in again] or found
        return spread(found, limit)

    def near(self, t_s: float) -> SeenFrame | None:
        """The frame nearest to a moment, at most `NEAR_S` seconds away; in a video file, whether remembered or not."""
        span = Span(max(0.0, t_s - NEAR_S), t_s + NEAR_S)
        found = [as_seen(kept) for kept in self.memory.remembered(span)] or self.frames(span, 1)
        return min(found, key=lambda frame: abs(frame.t_s - t_s), default=None)

    def picture(self, frame_id: str) -> np.ndarray:
        """The pixels of a frame, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""
        return self.memory.pixels(frame_id)

    def shown(self, frame: SeenFrame) -> np.ndarray:
        """The pixels of a frame in its detail. Raises StoreError if they are gone."""
        rgb = self.memory.pixels(frame.frame_id)
        return rgb if frame.detail == "clear" else self.memory.blurred(rgb)

    def add_picture(self, rgb: np.ndarray, t_s: float) -> SeenFrame:
        """Store a picture derived from a moment, such as an enlarged part, and return its reference."""
        frame = Frame(self.info.name, t_s, np.ascontiguousarray(rgb))
        return SeenFrame(frame_id=self.memory.store.put(frame), t_s=t_s, source=frame.source)

    def search(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """The best matching notes of this source, best first; those still being taken are waited for."""
        self._finish_notes()
        return [as_evidence(note, self.info.name) for note in self.notes.search(query, limit, span)]

    @property
    def tells(self) -> bool:
        """Whether narrative memory was built of this source."""
        return self._told.exists

    def told(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """The events told that bear on a query, best first, as far as the source was watched."""
        return self._told.search(query, limit, span, self.memory.stats.newest_s or 0.0)

    def stretches(self, words: str, span: Span | None = None) -> list[Span]:
        """The separate stretches of time in which something was noted, oldest first: how often it was there."""
        self._finish_notes()
        return stretches(self.memory, self.notes, words, span)

    def timeline(self, points: int = 600) -> Timeline:
        """All that is remembered, for people; the score curve thinned to at most `points` frames."""
        self.remembered.heed()
        return self.remembered.timeline(points)

    def forget(self, span: Span) -> Forgotten:
        """Remove pictures, vectors, rows and what is told in a span; StoreError if something is left."""
        try:
            return self.remembered.forget(span)
        finally:
            self._told.forget(span)

    def pin(self, t_s: float) -> Moment:
        """Keep the moment nearest to a time for good. Raises StoreError if nothing is remembered near it."""
        return self.remembered.pin(t_s, True)

    def unpin(self, t_s: float) -> Moment:
        """Let a pinned moment give way again. Raises StoreError if nothing is remembered near it."""
        return self.remembered.pin(t_s, False)

    def export(self, path: Path, span: Span | None = None) -> Path:
        """Write pictures, moments and notes of a span (None: all) to a zip file. Raises StoreError if it cannot be."""
        return self.remembered.export(path, span)

    @property
    def problem(self) -> Trouble | None:
        """What is wrong with the picture of a live source now; nothing is, while nobody looks."""
        return None if self.paused or self.finished else self._glance.trouble()

    def troubles(self) -> dict[str, int]:
        """The errors of late in words, and how often each came; those of taking notes only while they last."""
        self._troubles.extend(self._recorder.take_errors())
        troubles = [*self.remembered.troubles, *self._troubles]
        if self._note_taker and self._note_taker.error:
            troubles.append(self._note_taker.error)
        return Counter(str(trouble).rstrip(".") for trouble in troubles)

    def status(self) -> EyesStatus:
        """How capture and memory are doing, in numbers, for people."""
        trouble, stats, capture, store = self.problem, self.memory.stats, self._capture.stats, self.memory.store
        return EyesStatus(
            seen=stats.seen,
            kept=stats.kept_now,
            dropped=capture.dropped,
            key_moments=len(self.memory.moments or ()),
            notes=len(self.notes),
            quiet_s=capture.quiet_s,
            capture_late_s=capture.late_max_s,
            queue_s=capture.queue_s,
            encode_ms=1000 * stats.encode_s / max(1, stats.seen),
            disk_mb=store.bytes_used / 2**20,
            quota_mb=store.quota_bytes / 2**20,
            lost=stats.lost,
            unnoted=self._unnoted,
            problem=trouble.text if trouble else None,
            troubles=self._counted_troubles(),
            paused=self.paused,
        )

    def noted(self, frames: Sequence[SeenFrame]) -> list[Evidence]:
        """What was noted about frames, in time order."""
        if not frames:
            return []
        self._finish_notes()
        wanted = {frame.frame_id for frame in frames}
        between = self.notes.between(Span(frames[0].t_s, frames[-1].t_s))
        return [as_evidence(note, self.info.name) for note in between if note.frame_id in wanted]

    def summary(self) -> str:
        """One line on what was seen, kept, dropped, missed and went wrong, for people."""
        remark = trouble.text if (trouble := self.problem) else self._glance.remark()
        seen = summary(self.memory.stats, self.dropped, self._unnoted, remark, self.memory.gaps[-3:])
        return ", ".join([seen, *self._counted_troubles()])

    def close(self) -> None:
        """Stop capture and memory; the frames and notes stay on disk. All is closed, whatever fails on the way."""
        with ExitStack() as stack:
            stack.callback(self._told.close)
            stack.callback(self.remembered.close)
            stack.callback(self._end_problem)
            stack.callback(self._source.close)
            stack.callback(self._recorder.close)
            if self._note_taker:
                stack.callback(self._note_taker.close)

    @property
    def _unnoted(self) -> int:
        return self._note_taker.unnoted if self._note_taker else 0

    def _counted_troubles(self) -> list[str]:
        return [f"{text} ({number} times)" if number > 1 else text for text, number in self.troubles().items()]

    def _end_problem(self) -> None:
        """Let a stretch that showed nothing end with the watching."""
        with suppress(StoreError):  # the disk is full, and it was told while it lasted
            self._glance.end_troubles(closing=True)

    def _finish_notes(self) -> None:
        if self._note_taker and not self.plays:
            self._note_taker.drain(NOTES_S)

    def _raise_errors(self) -> None:
        """Raise what stopped the source if nothing at all was seen; later troubles are told by `summary`."""
        self._troubles.extend(self._recorder.take_errors())
        if self._troubles and self.memory.stats.newest_s is None:
            raise self._troubles[-1]


def open_eyes(
    spec: str, config: Config, *, realtime: bool = False, loop: bool = False, view_fps: float | None = None
) -> Eyes:
    """Open a source and begin to watch it.

    Args:
        spec: see `tools.media.open_source`.
        config: the settings; frames and notes go to its folder.
        realtime: play a recording at its own speed; live sources always do.
        loop: begin a recording again at its end; a live source has none.
        view_fps: pictures a second for `Eyes.live_frame`; None shows those that memory is given.

    Raises:
        MediaError, ModelError, StoreError: if the source, the encoder or the folder cannot be opened.
    """
    if loop and not realtime:
        raise ConfigError("--loop repeats a recording as it plays.", remedy="Add --realtime.")
    with ExitStack() as stack:
        fps = config.media.fps
        wide = view_fps is not None and fps is not None and view_fps > fps
        source = open_source(spec, config.media.model_copy(update={"fps": view_fps}) if wide else config.media)
        stack.callback(source.close)
        info = source.info
        remembered, memory = open_remembered(spec, info, config)
        stack.callback(remembered.close)
        plays = info.live or realtime
        taker = NoteTaker(remembered.notes, memory.pixels, memory.moments, plays) if config.take_notes else None
        glance = Glance(info, view_fps if wide else fps, memory)
        remembered.on_forget.append(glance.drop)
        if taker:
            stack.callback(taker.close)
            remembered.on_forget.append(taker.drop)
        capture = Capture(
            source,
            realtime=realtime,
            loop=loop and not info.live,
            fps=fps if wide else None,
            glance=glance.look,
            offset_s=remembered.offset_s,
        )
        listeners: list[Listener] = []
        if taker:
            listeners.append(lambda frame, decision: taker.submit(frame.t_s, frame.id, decision.surprise))

        def on_kept(frame: Frame, decision: Decision) -> None:
            for listener in tuple(listeners):
                listener(frame, decision)

        caretaker = remembered.caretaker()

        def look_after() -> None:
            glance.end_troubles()
            caretaker()

        recorder = Recorder(capture, memory, on_kept, live=plays, on_turn=look_after).start()
        stack.pop_all()
    can_reread, told = info.kind == "video" and not info.live and not loop, Told(config, spec, info.name)
    return Eyes(
        memory, remembered.notes, remembered, source, capture, recorder, taker, spec, config.media, can_reread, glance,
        listeners, told,
    )  # fmt: skip
