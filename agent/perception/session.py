"""`SourceSession`: one source being watched; capture, memory and annotation, each fed by a thread of its own.

source -> Capture (thread) -> Recorder (thread) -> StreamMemory + FrameStore, and Notes for key moments
                                                -> Observer (thread) -> Detections
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from agent.config import Config
from agent.perception.annotator import NoteTaker
from agent.perception.hearing import Hearing, open_hearing
from agent.perception.observer import Observer
from agent.perception.resample import read_times
from agent.perception.source_memory import SourceMemory, open_source_memory
from agent.perception.status import LivePicture, SourceStatus
from agent.perception.timeline import Forgotten
from agent.perception.view import WAIT_S, SourceView
from memory.narrative.options import FILE_NAME, FOLDER
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.policies import Decision
from memory.stream.recorder import Recorder
from tools.errors import ConfigError, StoreError
from tools.media import Capture, CaptureStats, Frame, Source, SourceInfo, Span, open_source
from tools.perception.zones import Zone, parse_zone

if TYPE_CHECKING:
    from agent.narrative.recall import NarrativeRecall

Listener = Callable[[Frame, Decision], None]
"""Called with each frame that shows memory something new, in the recorder's thread, so it must be quick."""


@dataclass(frozen=True)
class SourceSession:
    """One source being watched. Made by `open_source_session`.

    Attributes:
        memory: the streaming memory that frames go into.
        source_memory: all tiers of memory of this source with what is on disk: timeline, pins, export, forgetting.
        view: frames and notes as the loop and the tools see them.
        status: errors, and how capture and memory keep up.
        observer: detects objects and people in sampled frames; None where `perception.detect` is off.
        zones: named zones of the picture.
        hearing: the transcript.
    """

    memory: StreamMemory
    source_memory: SourceMemory
    view: SourceView
    status: SourceStatus
    observer: Observer | None
    zones: tuple[Zone, ...]
    hearing: Hearing
    _source: Source
    _capture: Capture
    _recorder: Recorder
    _note_taker: NoteTaker | None
    _live: LivePicture
    _listeners: list[Listener]
    _narrative: Callable[[], NarrativeRecall | None]
    _stop_waiting: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self) -> SourceInfo:
        """Name, kind and notes of the source."""
        return self._source.info

    @property
    def source(self) -> str:
        """The name of the source for people; credentials are masked."""
        return self.info.name

    @property
    def notes(self) -> Notes:
        """Notes on key moments."""
        return self.source_memory.notes

    @property
    def plays(self) -> bool:
        """Whether time goes on by itself: a live source, or a recording at its own speed."""
        return self._recorder.live

    @property
    def capture_stats(self) -> CaptureStats:
        """Counts and lateness of capture so far."""
        return self._capture.stats

    @property
    def finished(self) -> bool:
        """Whether the source has ended and all of it is in memory."""
        return self._recorder.finished

    def live_frame(self) -> Frame | None:
        """Return the newest picture at the rate of `open_source_session(view_fps=...)`, remembered or not."""
        return self._live.newest()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a function called with each frame that shows memory something new; returns what ends that.

        It is called in the recorder's thread and must be quick: hand the frame on, do not work on it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def pause(self) -> None:
        """Stop looking: nothing is shown or remembered until `resume`; a gap records it. A file read ahead waits."""
        self._capture.pause()
        self._live.pause()
        if self.hearing.live:
            self.hearing.live.paused = True

    def resume(self) -> None:
        """Look again after `pause`."""
        self._live.resume()
        if self.hearing.live:
            self.hearing.live.paused = False
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
        self.status.raise_if_blind()

    def stop_waiting(self) -> None:
        """End the waiting of `watch`, now and later; the source is watched on."""
        self._stop_waiting.set()

    def forget(self, span: Span) -> Forgotten:
        """Remove pictures, vectors, rows and narrative events of a span; StoreError if something is left."""
        try:
            return self.source_memory.forget(span)
        finally:
            if narrative := self._narrative():
                narrative.forget(span)

    def close(self) -> None:
        """Stop capture and memory; frames and notes stay on disk. All is closed, whatever fails on the way."""
        with ExitStack() as stack:
            if narrative := self._narrative():
                stack.callback(narrative.close)
            stack.callback(self.source_memory.close)
            stack.callback(self._end_problem)
            stack.callback(self._source.close)
            stack.callback(self._recorder.close)
            if self.observer:
                stack.callback(self.observer.close)
            if self._note_taker:
                stack.callback(self._note_taker.close)
            if self.hearing.ears:
                stack.callback(self.hearing.ears.close)

    def _end_problem(self) -> None:
        """End a stretch that showed nothing when the watching ends."""
        with suppress(StoreError):  # the disk is full, which was reported while it lasted
            self._live.end_troubles(closing=True)


def open_source_session(
    spec: str, config: Config, *, realtime: bool = False, loop: bool = False, view_fps: float | None = None
) -> SourceSession:
    """Open a source and begin to watch it.

    Args:
        spec: see `tools.media.open_source`.
        config: the settings; frames and notes go to its folder.
        realtime: play a recording at its own speed; live sources always do.
        loop: begin a recording again at its end; a live source has none.
        view_fps: pictures a second for `SourceSession.live_frame`; None shows those that memory is given.

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
        source_memory, memory = open_source_memory(spec, info, config)
        stack.callback(source_memory.close)
        plays = info.live or realtime
        can_reread = info.kind == "video" and not info.live and not loop
        observer = _observer(spec, config, source_memory, plays, can_reread)
        if observer:
            stack.callback(observer.close)
            source_memory.on_forget.append(observer.drop)
        taker = None
        if config.take_notes:
            look = observer.look if observer else None
            taker = NoteTaker(source_memory.notes, memory.pixels, memory.moments, plays, look)
        live = LivePicture(info, view_fps if wide else fps, memory)
        source_memory.on_forget.append(live.drop)
        if taker:
            stack.callback(taker.close)
            source_memory.on_forget.append(taker.drop)
        capture = Capture(
            source,
            realtime=realtime,
            loop=loop and not info.live,
            fps=fps if wide else None,
            glance=live.look,
            offset_s=source_memory.offset_s,
        )
        listeners: list[Listener] = []
        if taker:
            listeners.append(lambda frame, decision: taker.submit(frame.t_s, frame.id, decision.surprise))

        def on_kept(frame: Frame, decision: Decision) -> None:
            for listener in tuple(listeners):
                listener(frame, decision)

        caretaker = source_memory.caretaker()

        def look_after() -> None:
            live.end_troubles()
            caretaker()

        on_frame = observer.submit if observer else None
        recorder = Recorder(capture, memory, on_kept, live=plays, on_frame=on_frame, on_turn=look_after)
        hearing = open_hearing(spec, config, source, source_memory, memory, lambda: recorder.finished)
        if hearing.ears:
            stack.callback(hearing.ears.close)
            source_memory.on_forget.append(hearing.ears.drop)
        recorder.start()
        stack.pop_all()
    narrative = _narrative(config, spec, info.name)
    status = SourceStatus(memory, source_memory, capture, recorder, live, taker, hearing, observer)
    view = SourceView(
        info, memory, source_memory.notes, status, source_memory, capture, recorder, taker, spec, config.media,
        can_reread, live, narrative, hearing, observer,
    )  # fmt: skip
    zones = tuple(parse_zone(text) for text in config.perception.zones)
    return SourceSession(
        memory, source_memory, view, status, observer, zones, hearing, source, capture, recorder, taker, live,
        listeners, narrative,
    )  # fmt: skip


def _observer(spec: str, config: Config, remembered: SourceMemory, plays: bool, can_reread: bool) -> Observer | None:
    detect = config.perception.detect
    if not (config.take_notes if detect is None else detect):
        return None
    return Observer(
        remembered.detections,
        plays=plays,
        share=config.perception.share,
        reread=(lambda times_s: read_times(spec, config.media, times_s)) if can_reread else None,
    )


def _narrative(config: Config, spec: str, name: str) -> Callable[[], NarrativeRecall | None]:
    """Return what gives the narrative memory of a source: None until one was built, which may happen meanwhile."""
    path = config.folder / FOLDER / FILE_NAME

    @cache
    def recall() -> NarrativeRecall:
        from agent.narrative.recall import NarrativeRecall

        return NarrativeRecall(config, spec, name)

    return lambda: recall() if path.exists() else None
