"""Synchronous access to the model under test, for code that runs in a thread beside the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from langchain_core.messages import AIMessageChunk, BaseMessage
from pydantic import PrivateAttr

from agent.models.blocks import text_of
from agent.models.protocol import MLLM, Abilities, Request
from evals.engine.suite import Message, Respond
from tools.errors import ModelError

_Said = TypeVar("_Said")


async def in_thread(work: Callable[[MLLM], _Said], respond: Respond) -> _Said:
    """Run blocking code in a thread, while the event loop asks the model under test on its behalf.

    The thread is separate: those of the event loop drive the model, and would all be waiting for it.

    Raises:
        ModelError: if the model fails; and whatever else `work` raises.
    """
    model = _Asked.of(respond, asyncio.get_running_loop())
    threads = ThreadPoolExecutor(1, "asking")
    context = contextvars.copy_context()  # identifies the attempt
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(work, model))
    finally:
        model.leave()
        threads.shutdown(wait=False)


class _Asked(MLLM):
    """The model under test, for blocking callers."""

    _respond: Any = PrivateAttr()
    _loop: Any = PrivateAttr()
    _pending: Future[str] | None = PrivateAttr(default=None)
    _left: bool = PrivateAttr(default=False)

    @classmethod
    def of(cls, respond: Respond, loop: asyncio.AbstractEventLoop) -> _Asked:
        asked = cls(spec="the model under test")
        asked._respond, asked._loop = respond, loop
        return asked

    def leave(self) -> None:
        """Reject further requests of the thread, once nobody waits for it."""
        self._left = True
        if self._pending is not None:
            self._pending.cancel()

    @property
    def abilities(self) -> Abilities:
        return Abilities(images=False)

    @property
    def _llm_type(self) -> str:
        return "attend-asked"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        if self._left:
            raise ModelError("the attempt is over.")
        put = self._respond(_as_messages(request.messages), max_tokens=request.max_tokens)
        self._pending = asyncio.run_coroutine_threadsafe(put, self._loop)
        yield AIMessageChunk(content=self._pending.result())


def _as_messages(messages: Sequence[BaseMessage]) -> list[Message]:
    roles = {"system": "system", "human": "user", "ai": "assistant"}
    return [Message(roles[message.type], (text_of(message),)) for message in messages]  # type: ignore[arg-type]
