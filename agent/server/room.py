"""`Room`: one source with its assistant and conversation, whoever looks on. A run belongs to it, not to a page."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from agent.assistant import Assistant, open_assistant
from agent.citations import Answer
from agent.config import Config
from agent.events import Answered, Event, Needs
from agent.mllm.protocol import MLLM
from agent.server.feed import Feed
from agent.server.pictures import LiveView, Thumbnails
from agent.server.shapes import (
    Between,
    Happened,
    Latency,
    Problem,
    Remembrance,
    RoomInfo,
    Status,
    Turn,
    TurnState,
    TurnStates,
)
from agent.server.status import read_status
from agent.timeline import Forgotten, Moment, Timeline
from agent.watches import Alert, Watcher
from tools.errors import AttendError
from tools.media import Span
from tools.media.masking import mask_credentials

log = logging.getLogger(__name__)

ITEMS_HELD = 200
"""Questions and alerts shown on the page, the newest; the conversation on disk holds all questions. Our choice."""

STATUS_S = 1.0
"""How often pages are told how a room stands; our choice."""

FRESH_S = 1.0
"""How old a timeline may be that is handed to the next page; our choice."""


class Busy(AttendError):
    """Something else is going on that must end first."""


class NotOpen(AttendError):
    """The source of a room is not open (yet)."""


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
        self.conversation: deque[Turn | Alert] = deque(maxlen=ITEMS_HELD)
        self.status: Status | None = None
        self.info = RoomInfo(id=room_id, name=mask_credentials(spec), state="opening")
        self._assistant: Assistant | None = None
        self._live: LiveView | None = None
        self._thumbnails: Thumbnails | None = None
        self._watcher: Watcher | None = None
        self._turn: Turn | None = None  # the last question
        self._timeline: tuple[float, Timeline] | None = None
        self._reading_timeline = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._again = asyncio.Event()
        self._settled = asyncio.Event()

    async def live(self) -> None:
        """Open the source and keep it open until `close`; where that fails, say so and wait for `retry`."""
        while not self._closing.is_set():
            self._again.clear()
            try:
                await self._open()
            except AttendError as error:
                self._set(state="failed", problem=Problem.of(error))
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
        if self._live:
            self._live.close()

    async def follow_status(self) -> None:
        """Tell the pages how the room stands, as long as there are any, until `close`."""
        while not self._closing.is_set():
            if self.feed.readers:
                try:
                    await self.refresh_status()
                except AttendError as error:
                    log.warning("%s", mask_credentials(str(error)))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), STATUS_S)

    async def refresh_status(self) -> None:
        """Tell the pages how the room stands now; nothing where it is not open."""
        if self._assistant and self._watcher:
            self.status = await asyncio.to_thread(read_status, self._assistant.eyes, self._watcher)
            self.feed.state("status", self.status)

    async def timeline(self) -> Timeline:
        """What is remembered, read at most once in `FRESH_S` for all pages."""
        eyes = self.assistant.eyes
        async with self._reading_timeline:
            if self._timeline is None or time.monotonic() - self._timeline[0] > FRESH_S:
                self._timeline = (time.monotonic(), await asyncio.to_thread(eyes.timeline))
            return self._timeline[1]

    async def changed_memory(self, change: Callable[[float], Moment], t_s: float) -> Moment:
        """Change a moment, and tell the pages that what they show of the memory is out of date."""
        moment = await asyncio.to_thread(change, t_s)
        self._timeline = None
        self.feed.tell(Remembrance())
        return moment

    async def forget(self, span: Span) -> Forgotten:
        """Remove a stretch from memory, and from what pages show. Raises StoreError if a file cannot be removed."""
        eyes, view, thumbnails = self.assistant.eyes, self.view, self.thumbnails
        forgotten = await asyncio.to_thread(eyes.forget, span)
        view.forget()
        thumbnails.forget()
        self._timeline = None
        self.feed.tell(Remembrance(forgotten=Between(start_s=span.start_s, end_s=span.end_s)))
        return forgotten

    @property
    def assistant(self) -> Assistant:
        """The room's assistant. Raises NotOpen while there is none."""
        if self._assistant is None:
            problem = self.info.problem
            raise NotOpen(
                f"{self.info.name!r} is not open{f': {problem.problem}' if problem else ' yet.'}",
                remedy=problem.remedy if problem else "Wait a moment.",
            )
        return self._assistant

    @property
    def view(self) -> LiveView:
        """The live picture. Raises NotOpen while there is none."""
        if self._live is None:
            raise NotOpen(f"{self.info.name!r} is not open.", remedy="Wait a moment.")
        return self._live

    @property
    def thumbnails(self) -> Thumbnails:
        """Remembered pictures. Raises NotOpen while there are none."""
        if self._thumbnails is None:
            raise NotOpen(f"{self.info.name!r} is not open.", remedy="Wait a moment.")
        return self._thumbnails

    @property
    def watcher(self) -> Watcher:
        """The room's watches. Raises NotOpen while there are none."""
        if self._watcher is None:
            raise NotOpen(f"{self.info.name!r} is not open.", remedy="Wait a moment.")
        return self._watcher

    def ask(self, question: str) -> Turn:
        """Put a question; what happens is told by the feed.

        Raises:
            Busy: if another question is being answered: the page keeps the words, so that they can be put again.
            AttendError: if the question is empty.
        """
        assistant = self.assistant
        if self._running:
            raise Busy(
                "another question is being answered here.", remedy="Wait for the answer, or stop it; then ask again."
            )
        if self._turn and self._turn.state == "waiting":
            raise Busy("the agent waits for a reply.", remedy="Reply to it, or stop that question; then ask again.")
        events = assistant.ask(question)
        turn = Turn(id=uuid.uuid4().hex[:12], question=question.strip(), asked_s=time.time())
        self._turn = turn
        self.conversation.append(turn)
        self.feed.tell(turn)
        self._run(turn, events)
        return turn

    def reply(self, text: str) -> Turn:
        """Answer what the agent asks for.

        Raises:
            Busy: if it asks for nothing, perhaps because another page has replied.
        """
        turn = self._turn
        if self._running or turn is None or turn.state != "waiting":
            raise Busy("the agent asks for nothing now.", remedy="Perhaps another page has replied already.")
        self._tell_state(turn, "running")
        self._run(turn, self.assistant.reply(text))
        return turn

    async def stop(self) -> None:
        """Stop the answer, or give up the question that waits for a reply; nothing happens where there is neither."""
        turn = self._turn
        if self._running:
            self._running.cancel()
        elif turn and turn.state == "waiting":
            await self.assistant.give_up()
            self._rest(turn, "stopped")

    async def _open(self) -> None:
        view_fps = self._config.server.view_fps if self._realtime else None
        opening = open_assistant(
            self._spec,
            self._config,
            thread=self._thread,
            realtime=self._realtime,
            loop=self._loop,
            model=self._model,
            view_fps=view_fps,
        )
        try:
            async with opening as assistant:
                await self._opened(assistant)
                await self._closing.wait()
                if self._running:
                    self._running.cancel()
                    await asyncio.wait([self._running])
                if self._watcher:
                    await asyncio.to_thread(self._watcher.close)
        finally:
            self._assistant = self._watcher = None
            self._settled.set()

    async def _opened(self, assistant: Assistant) -> None:
        eyes, info = assistant.eyes, assistant.eyes.info
        earlier = await assistant.earlier_source()
        await self._remember_turns(assistant)
        self._assistant, self._thread = assistant, assistant.thread
        self._live = LiveView(eyes, self._config.server)
        self._thumbnails = Thumbnails(eyes, self._config.server.jpeg_quality)
        loop = asyncio.get_running_loop()

        def tell(alert: Alert) -> None:
            loop.call_soon_threadsafe(self._alerted, alert)

        self._watcher = Watcher(self._model, eyes, self._config.watch, tell)
        self._set(
            name=info.name,
            state="open",
            kind=info.kind,
            live=info.live,
            plays=eyes.plays,
            width_px=info.width_px,
            height_px=info.height_px,
            duration_s=info.duration_s,
            notes=info.notes,
            findings=tuple(f"{f.problem} {f.remedy}" for f in assistant.findings if f.what != "no tool images"),
            thread=assistant.thread,
            about=f"This conversation was about {earlier} before; times in it belong to that." if earlier else "",
        )
        self._settled.set()
        if self._turn and self._turn.state == "running":
            self._run(self._turn, assistant.resume())

    def _alerted(self, alert: Alert) -> None:
        self.conversation.append(alert)
        self.feed.tell(alert)

    async def _remember_turns(self, assistant: Assistant) -> None:
        """Take over the conversation of an earlier process; a question cut off by its end goes on."""
        self.conversation.clear()
        self._turn = turn = None
        for message in await assistant.history():
            if message.type == "human":
                turn = Turn(id=uuid.uuid4().hex[:12], question=message.text, state="stopped")
                self.conversation.append(turn)
            elif turn:
                turn.take(_told(message.text))
                turn.state = "done"
        pending = await assistant.pending()
        if turn and isinstance(pending, Needs):
            turn.take(pending)
        if turn and pending:
            turn.state = "waiting" if isinstance(pending, Needs) else "running"
        self._turn = turn
        for item in self.conversation:
            self.feed.tell(item)

    def _run(self, turn: Turn, events: AsyncIterator[Event]) -> None:
        self._running = asyncio.create_task(self._follow(turn, events))

    async def _follow(self, turn: Turn, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                turn.take(event)
                self.feed.tell(Happened(turn=turn.id, event=event))
        except asyncio.CancelledError:
            self._rest(turn, "stopped")
            raise
        except AttendError as error:
            turn.error = Problem.of(error)
            self._rest(turn, "failed")
        except Exception:
            # A task has no caller: whoever looks at the page must learn of the defect.
            log.exception("a question broke down")
            turn.error = Problem(problem="The program broke down.", remedy="The terminal of the server says where.")
            self._rest(turn, "failed")
        else:
            last = turn.events[-1] if turn.events else None
            if isinstance(last, Answered):
                turn.latency = self._latency(last)
            self._rest(turn, "waiting" if isinstance(last, Needs) else "done")

    def _rest(self, turn: Turn, state: TurnStates) -> None:
        self._running = None
        self._tell_state(turn, state)

    def _tell_state(self, turn: Turn, state: TurnStates) -> None:
        turn.state = state
        self.feed.tell(TurnState(turn=turn.id, state=state, error=turn.error, latency=turn.latency))

    def _latency(self, answered: Answered) -> Latency:
        stats = self.assistant.eyes.capture_stats
        return Latency(
            capture_s=stats.late_mean_s,
            queue_s=stats.queue_s,
            first_token_s=answered.first_token_s,
            total_s=answered.seconds,
            tokens_in=answered.tokens_in,
            tokens_out=answered.tokens_out,
        )

    def _set(self, **changes: object) -> None:
        self.info = self.info.model_copy(update=changes)
        if self.info.state == "failed":
            self._settled.set()
        self.feed.state("room", self.info)


def _told(text: str) -> Answered:
    """An answer of an earlier process, of which the words alone are known."""
    answer = Answer(text=text)
    return Answered(answer=answer, steps=0, tokens_in=0, tokens_out=0, seconds=0.0, first_token_s=None)


async def _first(*waits: object) -> None:
    """Wait for the first of several waits, and give up the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
