"""`Dialogue`: the conversation of a room. A run belongs to it, not to a page: pages may come, go and be reloaded."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from agent.assistant import Assistant
from agent.core.citations import Answer
from agent.core.events import Answered, Event, Needs, Perceived
from agent.server.broadcast import Feed
from agent.server.schemas import BROKEN, Happened, Latency, Problem, Turn, TurnState, TurnStates
from agent.watch.monitor import Alert
from tools.errors import AttendError

log = logging.getLogger(__name__)

ITEMS_HELD = 200
"""Questions and alerts shown on the page, the newest; the conversation on disk holds all questions. Our choice."""


class Busy(AttendError):
    """Something else is going on that must end first."""


class Dialogue:
    """Questions, answers and alerts, one question at a time. All methods belong to one event loop.

    Args:
        assistant: what answers.
        feed: where everything is told.
    """

    def __init__(self, assistant: Assistant, feed: Feed) -> None:
        self._assistant, self._feed = assistant, feed
        self.items: deque[Turn | Alert] = deque(maxlen=ITEMS_HELD)
        self._turn: Turn | None = None  # the last question
        self._running: asyncio.Task[TurnStates] | None = None
        self._stopping = False  # what runs is coming to its end

    async def take_over(self) -> None:
        """Take over the conversation of an earlier process; a question cut off by its end goes on."""
        turn: Turn | None = None
        for message in await self._assistant.history():
            if message.type == "human":
                turn = Turn(id=uuid.uuid4().hex[:12], question=message.text, state="stopped")
                self.items.append(turn)
            elif turn:
                turn.take(_told(message.text))
                turn.state = "done"
        pending = await self._assistant.pending()
        if turn and isinstance(pending, Needs):
            turn.take(pending)
        if turn and pending:
            turn.state = "waiting" if isinstance(pending, Needs) else "running"
        self._turn = turn
        for item in self.items:
            self._feed.tell(item)
        if turn and turn.state == "running":
            self._run(turn, self._follow(turn, self._assistant.resume()))

    def ask(self, question: str) -> Turn:
        """Put a question; what happens is told by the feed.

        Raises:
            Busy: if another question is being answered: the page keeps the words, so that they can be put again.
            AttendError: if the question is empty.
        """
        if self._running:
            raise Busy(
                "another question is being answered here.", remedy="Wait for the answer, or stop it; then ask again."
            )
        if self._turn and self._turn.state == "waiting":
            raise Busy("the agent waits for a reply.", remedy="Reply to it, or stop that question; then ask again.")
        events = self._assistant.ask(question)
        turn = Turn(id=uuid.uuid4().hex[:12], question=question.strip(), asked_s=time.time())
        self._feed.tell(turn)
        self._turn = turn
        self.items.append(turn)
        self._run(turn, self._follow(turn, events))
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
        self._run(turn, self._follow(turn, self._assistant.reply(text)))
        return turn

    def stop(self) -> None:
        """Stop the answer, or give up the question that waits for a reply; nothing happens where there is neither."""
        turn = self._turn
        if self._running:
            self._cancel(self._running)
        elif turn and turn.state == "waiting":
            self._run(turn, self._give_up())
            self._stopping = True

    async def end(self) -> None:
        """Stop what is being answered, and wait for that."""
        if self._running:
            self._cancel(self._running)
            await asyncio.wait([self._running])

    def add_alert(self, alert: Alert) -> None:
        """Tell of what a watch has seen."""
        self._feed.tell(alert)
        self.items.append(alert)

    def _cancel(self, running: asyncio.Task[TurnStates]) -> None:
        # Once: a second time would cut off the end of the question, which is being written down.
        if not self._stopping:
            self._stopping = True
            running.cancel()

    def _run(self, turn: Turn, work: Coroutine[Any, Any, TurnStates]) -> None:
        """Begin work on a turn, of which there is one at a time; it returns the state that the turn is left in."""

        def ended(task: asyncio.Task[TurnStates]) -> None:
            self._running, self._stopping = None, False
            error = None if task.cancelled() else task.exception()
            if isinstance(error, AttendError):
                turn.error = Problem.of(error)
            elif error:
                # A task has no caller: whoever looks at the page must learn of the defect.
                log.error("a question broke down", exc_info=error)
                turn.error = BROKEN
            self._tell_state(turn, "stopped" if task.cancelled() else "failed" if error else task.result())

        self._running = asyncio.create_task(work)
        self._running.add_done_callback(ended)

    async def _follow(self, turn: Turn, events: AsyncIterator[Event]) -> TurnStates:
        delays: dict[str, float | None] = {}
        async for event in events:
            self._feed.tell(Happened(turn=turn.id, event=event))
            turn.take(event)
            if isinstance(event, Perceived):
                delays = self._delays(event)
            if isinstance(event, Answered):
                turn.latency = Latency(
                    **delays,
                    first_token_s=event.first_token_s,
                    total_s=event.seconds,
                    tokens_in=event.tokens_in,
                    tokens_out=event.tokens_out,
                )
        return "waiting" if turn.events and isinstance(turn.events[-1], Needs) else "done"

    async def _give_up(self) -> TurnStates:
        await self._assistant.give_up()
        return "stopped"

    def _tell_state(self, turn: Turn, state: TurnStates) -> None:
        turn.state = state
        self._feed.tell(TurnState(turn=turn.id, state=state, error=turn.error, latency=turn.latency))

    def _delays(self, perceived: Perceived) -> dict[str, float | None]:
        """How far behind the world the model is that is just given frames; see `Latency`."""
        session = self._assistant.session
        stats, newest = session.capture_stats, session.live_frame()
        age_s = None
        if newest and newest.wall_s is not None and perceived.newest_s is not None:
            age_s = max(0.0, time.time() - newest.wall_s + newest.t_s - perceived.newest_s)
        return {
            "age_s": age_s,
            "late_s": stats.late_mean_s if session.plays and not session.info.live else None,
            "queue_s": stats.queue_s if session.plays else None,
        }


def _told(text: str) -> Answered:
    """An answer of an earlier process, of which the words alone are known."""
    answer = Answer(text=text)
    return Answered(answer=answer, steps=0, tokens_in=0, tokens_out=0, seconds=0.0, first_token_s=None)
