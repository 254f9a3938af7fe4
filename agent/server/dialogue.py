"""`Dialogue`: the conversation of a room. A run belongs to it, not to a page: pages may come, go and be reloaded."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator

from agent.assistant import Assistant
from agent.citations import Answer
from agent.events import Answered, Event, Needs
from agent.server.feed import Feed
from agent.server.shapes import Happened, Latency, Problem, Turn, TurnState, TurnStates
from agent.watches import Alert
from tools.errors import AttendError

log = logging.getLogger(__name__)

ITEMS_HELD = 200
"""Questions and alerts shown on the page, the newest; the conversation on disk holds all questions. Our choice."""

BROKEN = Problem(problem="the program broke down.", remedy="The terminal of the server says where; please report it.")
"""What people are told of a defect."""


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
        self._running: asyncio.Task[None] | None = None

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
            self._run(turn, self._assistant.resume())

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
        self._turn = turn
        self.items.append(turn)
        self._feed.tell(turn)
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
        self._run(turn, self._assistant.reply(text))
        return turn

    async def stop(self) -> None:
        """Stop the answer, or give up the question that waits for a reply; nothing happens where there is neither."""
        turn = self._turn
        if self._running:
            self._running.cancel()
        elif turn and turn.state == "waiting":
            await self._assistant.give_up()
            self._rest(turn, "stopped")

    async def end(self) -> None:
        """Stop what is being answered, and wait for that."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    def add_alert(self, alert: Alert) -> None:
        """Tell of what a watch has seen."""
        self.items.append(alert)
        self._feed.tell(alert)

    def _run(self, turn: Turn, events: AsyncIterator[Event]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if self._running is task:  # it was cancelled before it began
                self._rest(turn, "stopped")

        self._running = asyncio.create_task(self._follow(turn, events))
        self._running.add_done_callback(ended)

    async def _follow(self, turn: Turn, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                turn.take(event)
                self._feed.tell(Happened(turn=turn.id, event=event))
        except asyncio.CancelledError:
            self._rest(turn, "stopped")
            raise
        except AttendError as error:
            turn.error = Problem.of(error)
            self._rest(turn, "failed")
        except Exception:
            # A task has no caller: whoever looks at the page must learn of the defect.
            log.exception("a question broke down")
            turn.error = BROKEN
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
        self._feed.tell(TurnState(turn=turn.id, state=state, error=turn.error, latency=turn.latency))

    def _latency(self, answered: Answered) -> Latency:
        stats = self._assistant.eyes.capture_stats
        return Latency(
            capture_s=stats.late_mean_s,
            queue_s=stats.queue_s,
            first_token_s=answered.first_token_s,
            total_s=answered.seconds,
            tokens_in=answered.tokens_in,
            tokens_out=answered.tokens_out,
        )


def _told(text: str) -> Answered:
    """An answer of an earlier process, of which the words alone are known."""
    answer = Answer(text=text)
    return Answered(answer=answer, steps=0, tokens_in=0, tokens_out=0, seconds=0.0, first_token_s=None)
