"""Conversation of a room. A running answer belongs to it, not to a page: pages can connect, leave and reload."""

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
from agent.server.broadcast import Broadcast
from agent.server.schemas import INTERNAL_ERROR, Latency, Problem, Turn, TurnEvent, TurnState, TurnStates
from agent.watch.monitor import Alert
from tools.errors import AttendError

log = logging.getLogger(__name__)

MAX_ITEMS = 200
"""Number of recent questions and alerts shown on the page; the conversation on disk is complete."""


class Busy(AttendError):
    """Raised when another operation must end first."""


class Conversation:
    """Questions, answers and alerts, one question at a time. Use it from one event loop only.

    Args:
        assistant: answers the questions.
        broadcast: sends events to the pages.
    """

    def __init__(self, assistant: Assistant, broadcast: Broadcast) -> None:
        self._assistant, self._broadcast = assistant, broadcast
        self.items: deque[Turn | Alert] = deque(maxlen=MAX_ITEMS)
        self._turn: Turn | None = None  # the last question
        self._running: asyncio.Task[TurnStates] | None = None
        self._stopping = False  # the running task is being cancelled

    async def restore(self) -> None:
        """Restore the conversation of an earlier process, and resume a question that was interrupted."""
        turn: Turn | None = None
        for message in await self._assistant.history():
            if message.type == "human":
                turn = Turn(id=uuid.uuid4().hex[:12], question=message.text, state="stopped")
                self.items.append(turn)
            elif turn:
                turn.take(_restored_answer(message.text))
                turn.state = "done"
        pending = await self._assistant.pending()
        if turn and isinstance(pending, Needs):
            turn.take(pending)
        if turn and pending:
            turn.state = "waiting" if isinstance(pending, Needs) else "running"
        self._turn = turn
        for item in self.items:
            self._broadcast.send(item)
        if turn and turn.state == "running":
            self._run(turn, self._follow(turn, self._assistant.resume()))

    def ask(self, question: str) -> Turn:
        """Ask a question; its events are broadcast.

        Raises:
            Busy: if another question is being answered; the page keeps the text, so that it can be sent again.
            AttendError: if the question is empty.
        """
        if self._running:
            raise Busy("another question is being answered.", remedy="Wait for the answer, or stop it; then ask again.")
        if self._turn and self._turn.state == "waiting":
            raise Busy("the agent is waiting for a reply.", remedy="Reply, or stop that question; then ask again.")
        events = self._assistant.ask(question)
        turn = Turn(id=uuid.uuid4().hex[:12], question=question.strip(), asked_s=time.time())
        self._broadcast.send(turn)
        self._turn = turn
        self.items.append(turn)
        self._run(turn, self._follow(turn, events))
        return turn

    def reply(self, text: str) -> Turn:
        """Reply to a request of the agent.

        Raises:
            Busy: if there is no request, perhaps because another page has replied.
        """
        turn = self._turn
        if self._running or turn is None or turn.state != "waiting":
            raise Busy("the agent is not waiting for a reply.", remedy="Another page may have replied already.")
        self._set_state(turn, "running")
        self._run(turn, self._follow(turn, self._assistant.reply(text)))
        return turn

    def stop(self) -> None:
        """Stop the answer, or abandon the question that waits for a reply, if there is one."""
        turn = self._turn
        if self._running:
            self._cancel(self._running)
        elif turn and turn.state == "waiting":
            self._run(turn, self._give_up())
            self._stopping = True

    async def end(self) -> None:
        """Stop the answer, and wait until it has stopped."""
        if self._running:
            self._cancel(self._running)
            await asyncio.wait([self._running])

    def add_alert(self, alert: Alert) -> None:
        """Add an alert and broadcast it."""
        self._broadcast.send(alert)
        self.items.append(alert)

    def _cancel(self, running: asyncio.Task[TurnStates]) -> None:
        # Cancel only once: a second time would interrupt storing the end of the question.
        if not self._stopping:
            self._stopping = True
            running.cancel()

    def _run(self, turn: Turn, work: Coroutine[Any, Any, TurnStates]) -> None:
        """Start work on a turn, one at a time; the work returns the final state of the turn."""

        def ended(task: asyncio.Task[TurnStates]) -> None:
            self._running, self._stopping = None, False
            error = None if task.cancelled() else task.exception()
            if isinstance(error, AttendError):
                turn.error = Problem.of(error)
            elif error:
                # A task has no caller, so show the defect on the page.
                log.error("unhandled error while answering a question", exc_info=error)
                turn.error = INTERNAL_ERROR
            self._set_state(turn, "stopped" if task.cancelled() else "failed" if error else task.result())

        self._running = asyncio.create_task(work)
        self._running.add_done_callback(ended)

    async def _follow(self, turn: Turn, events: AsyncIterator[Event]) -> TurnStates:
        delays: dict[str, float | None] = {}
        async for event in events:
            self._broadcast.send(TurnEvent(turn=turn.id, event=event))
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

    def _set_state(self, turn: Turn, state: TurnStates) -> None:
        turn.state = state
        self._broadcast.send(TurnState(turn=turn.id, state=state, error=turn.error, latency=turn.latency))

    def _delays(self, perceived: Perceived) -> dict[str, float | None]:
        """Return the delays of the frames just given to the model; see `Latency`."""
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


def _restored_answer(text: str) -> Answered:
    """Return an answer of an earlier process, of which only the text is known."""
    answer = Answer(text=text)
    return Answered(answer=answer, steps=0, tokens_in=0, tokens_out=0, seconds=0.0, first_token_s=None)
