"""`Room`: one source with its assistant, its conversation and its watches, whoever looks on."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass

from agent.assistant import Assistant, open_assistant
from agent.config import Config
from agent.models.protocol import MLLM
from agent.perception.session import SourceSession
from agent.perception.timeline import Forgotten, Moment, Timeline
from agent.server.broadcast import Feed
from agent.server.conversation_task import Busy, Dialogue
from agent.server.jpeg import LiveView, Thumbnails
from agent.server.schemas import (
    BROKEN,
    Between,
    Problem,
    Remembrance,
    RoomInfo,
    Status,
    Turn,
)
from agent.server.status import read_status
from agent.watch.monitor import Alert, Watcher
from tools.errors import AttendError
from tools.media import Span
from tools.media.types import mask_credentials

log = logging.getLogger(__name__)

STATUS_S = 1.0
"""How often pages are told how a room stands; our choice."""

FRESH_S = 1.0
"""How old a timeline may be that is handed to the next page; our choice."""


class NotOpen(AttendError):
    """The source of a room is not open (yet)."""


@dataclass(frozen=True)
class Inside:
    """What there is in a room while its source is open."""

    session: SourceSession
    dialogue: Dialogue
    view: LiveView
    thumbnails: Thumbnails
    watcher: Watcher


class Room:
    """One source, its assistant, its conversation. All methods belong to one event loop.

    Args:
        room_id: its name in addresses.
        spec: the source; see `tools.media.open_source`.
        config: the settings.
        model: what answers, shared between rooms.
        thread: the conversation to resume or begin; None begins one.
        realtime: play a recording at its own speed.
        loop: begin a recording again at its end.
    """

    def __init__(
        self,
        room_id: str,
        spec: str,
        config: Config,
        model: MLLM,
        *,
        thread: str | None = None,
        realtime: bool = True,
        loop: bool = False,
    ) -> None:
        self._spec, self._config, self._model = spec, config, model
        self._thread, self._realtime, self._loop = thread, realtime, loop
        self.feed = Feed()
        self.status: Status | None = None
        self.info = RoomInfo(id=room_id, name=mask_credentials(spec), state="opening")
        self._inside: Inside | None = None
        self._timeline: tuple[float, Timeline] | None = None
        self._reading_timeline = asyncio.Lock()
        self._closing = asyncio.Event()
        self._again = asyncio.Event()
        self._settled = asyncio.Event()

    async def live(self) -> None:
        """Open the source and keep it open until `close`; where that fails, say so and wait for `retry`."""
        while not self._closing.is_set():
            self._again.clear()
            try:
                await self._open()
                return
            except AttendError as error:
                problem = Problem.of(error)
            except Exception:
                # A task has no caller, and models and tools may be plug-ins: the page must learn of any defect.
                log.exception("a source broke down")
                problem = BROKEN
            self._set(state="failed", problem=problem)
            await _first(self._closing.wait(), self._again.wait())

    async def settled(self) -> None:
        """Wait until the source was opened, or failed to."""
        await self._settled.wait()

    def retry(self) -> None:
        """Try again to open the source. Raises Busy if it did not fail."""
        if self.info.state != "failed":
            raise Busy(f"{self.info.name!r} is {self.info.state}: there is nothing to try again.")
        self._set(state="opening", problem=None)
        self._again.set()

    def close(self) -> None:
        """Let `live` end and all pages go."""
        self._closing.set()
        self.feed.close()
        if self._inside:
            self._inside.view.close()

    async def follow_status(self) -> None:
        """Tell the pages how the room stands, as long as there are any, until `close`."""
        failing = ""
        while not self._closing.is_set():
            if self.feed.readers:
                try:
                    await self.refresh_status()
                    failing = ""
                except Exception as error:
                    # A task has no caller: one that ended here would leave the page with this status for good, while
                    # the next may be read again.
                    if repr(error) != failing:
                        log.exception("how a room stands cannot be told")
                    failing = repr(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), STATUS_S)

    async def refresh_status(self) -> None:
        """Tell the pages how the room stands now; nothing where it is not open."""
        if self._inside:
            inside = self._inside
            self.status = await asyncio.to_thread(read_status, inside.session, inside.watcher, self._config.folder)
            self.feed.state("status", self.status)

    async def timeline(self) -> Timeline:
        """What is remembered, read at most once in `FRESH_S` for all pages."""
        session = self.inside.session
        async with self._reading_timeline:
            if self._timeline is None or time.monotonic() - self._timeline[0] > FRESH_S:
                self._timeline = (time.monotonic(), await asyncio.to_thread(session.source_memory.timeline))
            return self._timeline[1]

    async def pin(self, t_s: float, pinned: bool) -> Moment:
        """Pin or unpin the moment nearest to a time, and have the pages fetch the timeline again."""
        moment = await asyncio.to_thread(self.inside.session.source_memory.pin, t_s, pinned)
        self._timeline = None
        self.feed.tell(Remembrance())
        return moment

    async def forget(self, span: Span) -> Forgotten:
        """Remove a stretch from memory, and from what pages show. Raises StoreError if a file cannot be removed."""
        inside = self.inside
        forgotten = await asyncio.to_thread(inside.session.forget, span)
        self._drop(inside, span)  # once more: pictures that nothing names any more are removed last
        return forgotten

    def _drop(self, inside: Inside, span: Span) -> None:
        """Drop what is held of a stretch that was forgotten, and have the pages do the same."""
        inside.view.forget(span)
        inside.thumbnails.forget()
        self._timeline = None
        self.feed.tell(Remembrance(forgotten=Between(start_s=span.start_s, end_s=span.end_s)))

    @property
    def inside(self) -> Inside:
        """What there is while the source is open. Raises NotOpen while it is not."""
        if self._inside is None:
            problem = self.info.problem
            raise NotOpen(
                f"{self.info.name!r} is not open{f': {problem.problem}' if problem else ' yet.'}",
                remedy=problem.remedy if problem else "Wait a moment.",
            )
        return self._inside

    @property
    def conversation(self) -> list[Turn | Alert]:
        """Questions and alerts so far, oldest first."""
        return list(self._inside.dialogue.items) if self._inside else []

    async def _open(self) -> None:
        opening = open_assistant(
            self._spec,
            self._config,
            thread=self._thread,
            realtime=self._realtime,
            loop=self._loop,
            model=self._model,
            view_fps=self._config.server.view_fps,
        )
        try:
            async with opening as assistant:
                inside = await self._enter(assistant)
                await self._closing.wait()
                await inside.dialogue.end()
                await asyncio.to_thread(inside.watcher.close)
        finally:
            self._inside = None
            self._settled.set()

    async def _enter(self, assistant: Assistant) -> Inside:
        session, info = assistant.session, assistant.session.info
        earlier = await assistant.earlier_source()
        dialogue = Dialogue(assistant, self.feed)
        await dialogue.take_over()
        loop = asyncio.get_running_loop()

        def tell(alert: Alert) -> None:
            loop.call_soon_threadsafe(dialogue.add_alert, alert)

        options = self._config.server
        self._thread = assistant.thread
        self._inside = inside = Inside(
            session=session,
            dialogue=dialogue,
            view=LiveView(session, options),
            thumbnails=Thumbnails(session, options.jpeg_quality),
            watcher=Watcher(self._model, session, self._config.watch, tell),
        )
        # Other processes may forget too; this is called in another thread.
        session.source_memory.on_forget.append(lambda span: loop.call_soon_threadsafe(self._drop, inside, span))
        self._set(
            name=info.name,
            state="open",
            kind=info.kind,
            live=info.live,
            plays=session.plays,
            width_px=info.width_px,
            height_px=info.height_px,
            duration_s=info.duration_s,
            notes=info.notes,
            findings=tuple(f"{f.problem} {f.remedy}" for f in assistant.findings if f.what != "no tool images"),
            thread=assistant.thread,
            about=f"This conversation was about {earlier} before; times in it belong to that." if earlier else "",
        )
        self._settled.set()
        return inside

    def _set(self, **changes: object) -> None:
        self.info = RoomInfo.model_validate({**self.info.model_dump(), **changes})
        if self.info.state == "failed":
            self._settled.set()
        self.feed.state("room", self.info)


async def _first(*waits: object) -> None:
    """Wait for the first of several waits, and give up the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
