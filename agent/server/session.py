"""Room: one source with its assistant, conversation and watches, independent of the pages that view it."""

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
from agent.server.broadcast import Broadcast
from agent.server.conversation_task import Busy, Conversation
from agent.server.jpeg import LiveView, Thumbnails
from agent.server.schemas import (
    INTERNAL_ERROR,
    MemoryChanged,
    Problem,
    RoomInfo,
    SpanInput,
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
"""Seconds between status updates to the pages."""

FRESH_S = 1.0
"""Maximum age of a cached timeline, in seconds."""


class NotOpen(AttendError):
    """Raised when the source of a room is not open (yet)."""


@dataclass(frozen=True)
class OpenRoom:
    """Objects of a room that exist while its source is open."""

    session: SourceSession
    conversation: Conversation
    view: LiveView
    thumbnails: Thumbnails
    watcher: Watcher


class SourceRoom:
    """A source with its assistant and conversation. Use it from one event loop only.

    Args:
        room_id: its id in URLs.
        spec: the source; see `tools.media.open_source`.
        config: the settings.
        model: the model, shared between rooms.
        thread: name of the conversation to resume or start; None starts a new one.
        realtime: play a recording in real time.
        loop: restart a recording when it ends.
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
        self.broadcast = Broadcast()
        self.status: Status | None = None
        self.info = RoomInfo(id=room_id, name=mask_credentials(spec), state="opening")
        self._opened: OpenRoom | None = None
        self._timeline: tuple[float, Timeline] | None = None
        self._reading_timeline = asyncio.Lock()
        self._closing = asyncio.Event()
        self._again = asyncio.Event()
        self._settled = asyncio.Event()

    async def live(self) -> None:
        """Open the source and keep it open until `close`; if that fails, report it and wait for `retry`."""
        while not self._closing.is_set():
            self._again.clear()
            try:
                await self._open()
                return
            except AttendError as error:
                problem = Problem.of(error)
            except Exception:
                # A task has no caller, and models and tools may be plug-ins: report any defect to the page.
                log.exception("unhandled error in a source")
                problem = INTERNAL_ERROR
            self._set(state="failed", problem=problem)
            await _first(self._closing.wait(), self._again.wait())

    async def settled(self) -> None:
        """Wait until the source has opened or failed to."""
        await self._settled.wait()

    def retry(self) -> None:
        """Try to open the source again. Raises Busy if it has not failed."""
        if self.info.state != "failed":
            raise Busy(f"cannot retry {self.info.name!r}: it is {self.info.state}.")
        self._set(state="opening", problem=None)
        self._again.set()

    def close(self) -> None:
        """End `live` and disconnect all pages."""
        self._closing.set()
        self.broadcast.close()
        if self._opened:
            self._opened.view.close()

    async def follow_status(self) -> None:
        """Send the status to the pages, if there are any, until `close`."""
        failing = ""
        while not self._closing.is_set():
            if self.broadcast.readers:
                try:
                    await self.refresh_status()
                    failing = ""
                except Exception as error:
                    # A task has no caller: ending this one would freeze the status on the pages, while the next read
                    # may succeed.
                    if repr(error) != failing:
                        log.exception("cannot read the status of a room")
                    failing = repr(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), STATUS_S)

    async def refresh_status(self) -> None:
        """Send the current status to the pages, if the room is open."""
        if self._opened:
            opened = self._opened
            self.status = await asyncio.to_thread(read_status, opened.session, opened.watcher, self._config.folder)
            self.broadcast.send_state("status", self.status)

    async def timeline(self) -> Timeline:
        """Return the timeline, read at most once per `FRESH_S` for all pages."""
        session = self.opened.session
        async with self._reading_timeline:
            if self._timeline is None or time.monotonic() - self._timeline[0] > FRESH_S:
                self._timeline = (time.monotonic(), await asyncio.to_thread(session.source_memory.timeline))
            return self._timeline[1]

    async def pin(self, t_s: float, pinned: bool) -> Moment:
        """Pin or unpin the moment nearest to a time, and tell the pages to reload the timeline."""
        moment = await asyncio.to_thread(self.opened.session.source_memory.pin, t_s, pinned)
        self._timeline = None
        self.broadcast.send(MemoryChanged())
        return moment

    async def forget(self, span: Span) -> Forgotten:
        """Delete a span from memory and from the pages. Raises StoreError if a file cannot be deleted."""
        opened = self.opened
        forgotten = await asyncio.to_thread(opened.session.forget, span)
        self._drop(opened, span)  # again, because unreferenced pictures are deleted last
        return forgotten

    def _drop(self, opened: OpenRoom, span: Span) -> None:
        """Drop cached data of a forgotten span, here and on the pages."""
        opened.view.forget(span)
        opened.thumbnails.forget()
        self._timeline = None
        self.broadcast.send(MemoryChanged(forgotten=SpanInput(start_s=span.start_s, end_s=span.end_s)))

    @property
    def opened(self) -> OpenRoom:
        """The objects that exist while the source is open. Raises NotOpen."""
        if self._opened is None:
            problem = self.info.problem
            raise NotOpen(
                f"{self.info.name!r} is not open{f': {problem.problem}' if problem else ' yet.'}",
                remedy=problem.remedy if problem else "Wait a moment.",
            )
        return self._opened

    @property
    def conversation(self) -> list[Turn | Alert]:
        """Questions and alerts so far, oldest first."""
        return list(self._opened.conversation.items) if self._opened else []

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
                opened = await self._enter(assistant)
                await self._closing.wait()
                await opened.conversation.end()
                await asyncio.to_thread(opened.watcher.close)
        finally:
            self._opened = None
            self._settled.set()

    async def _enter(self, assistant: Assistant) -> OpenRoom:
        session, info = assistant.session, assistant.session.info
        earlier = await assistant.earlier_source()
        conversation = Conversation(assistant, self.broadcast)
        await conversation.restore()
        loop = asyncio.get_running_loop()

        def on_alert(alert: Alert) -> None:
            loop.call_soon_threadsafe(conversation.add_alert, alert)

        options = self._config.server
        self._thread = assistant.thread
        self._opened = opened = OpenRoom(
            session=session,
            conversation=conversation,
            view=LiveView(session, options),
            thumbnails=Thumbnails(session, options.jpeg_quality),
            watcher=Watcher(self._model, session, self._config.watch, on_alert),
        )
        # Other processes can forget too; the callback runs in another thread.
        session.source_memory.on_forget.append(lambda span: loop.call_soon_threadsafe(self._drop, opened, span))
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
        return opened

    def _set(self, **changes: object) -> None:
        self.info = RoomInfo.model_validate({**self.info.model_dump(), **changes})
        if self.info.state == "failed":
            self._settled.set()
        self.broadcast.send_state("room", self.info)


async def _first(*waits: object) -> None:
    """Wait for the first of several awaitables, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
