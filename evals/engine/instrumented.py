"""Model wrapper that routes calls through a function and counts them, transparently for the agent's loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from agent.models.protocol import MLLM, Abilities, Request
from evals.engine.media import shown_ids

Generate = Callable[[MLLM, Sequence[BaseMessage], Mapping[str, Any]], Awaitable[AIMessage]]
"""Calls a model with a prompt and the settings `tools`, `tool_choice` and `max_tokens`, and returns its whole reply."""


async def generate_directly(model: MLLM, messages: Sequence[BaseMessage], settings: Mapping[str, Any]) -> AIMessage:
    """Call a model directly, as an evaluation without a framework would."""
    result = await model._agenerate(list(messages), **settings)
    reply = result.generations[0].message
    assert isinstance(reply, AIMessage)
    return reply


@dataclass
class CallTotals:
    """Totals of the calls of one attempt; `frame_ids` are the pictures shown, in order, each once."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    frame_ids: dict[str, None] = field(default_factory=dict)

    def add(self, messages: Sequence[BaseMessage], reply: AIMessage) -> None:
        """Count one call."""
        usage = reply.usage_metadata
        self.calls += 1
        self.tokens_in += usage["input_tokens"] if usage else 0
        self.tokens_out += usage["output_tokens"] if usage else 0
        self.frame_ids.update(dict.fromkeys(shown_ids(messages)))


class InstrumentedModel(MLLM):
    """A model called through `Generate`; made by `InstrumentedModel.over`. Its replies come in one piece."""

    inner: MLLM
    _generate_with: Any = PrivateAttr()
    _account: Any = PrivateAttr()

    @classmethod
    def over(cls, inner: MLLM, generate: Generate, account: CallTotals) -> InstrumentedModel:
        """Wrap a model for one attempt."""
        observed = cls(spec=inner.spec, inner=inner)
        observed._generate_with, observed._account = generate, account
        return observed

    @property
    def abilities(self) -> Abilities:
        return self.inner.abilities

    def embed_image(self, rgb: np.ndarray) -> np.ndarray:
        """Have the model embed a picture, without counting."""
        return self.inner.embed_image(rgb)

    @property
    def _llm_type(self) -> str:
        return "attend-observed"

    async def ask(self, messages: list[BaseMessage], settings: dict[str, Any]) -> AIMessage:
        """Return the reply to a prompt.

        Raises:
            ModelError: if the model fails, or does not accept images and there are some.
        """
        request = self._request(messages, None, settings)
        reply: AIMessage = await self._generate_with(self.inner, request.messages, request.options)
        self._account.add(request.messages, reply)
        return reply

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=_as_chunk(await self.ask(messages, kwargs)))

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        raise NotImplementedError("an evaluation asks its model asynchronously")


def _as_chunk(reply: AIMessage) -> AIMessageChunk:
    calls = [(call["name"], json.dumps(call["args"]), call["id"]) for call in reply.tool_calls]
    calls += [(call["name"] or "", call["args"] or "", call["id"]) for call in reply.invalid_tool_calls]
    return AIMessageChunk(
        content=reply.content,
        additional_kwargs=reply.additional_kwargs,
        tool_call_chunks=[
            tool_call_chunk(name=name, args=args, id=id_, index=index) for index, (name, args, id_) in enumerate(calls)
        ],
        usage_metadata=reply.usage_metadata,
        chunk_position="last",
    )
