"""The one protocol that every model backend meets.

A backend is a langchain-core chat model (`BaseChatModel`) with declared abilities. It takes text and image blocks,
streams tokens, may call tools, and reports usage. `tests/mllm_conformance.py` is the suite that each backend passes.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PrivateAttr

from agent.models.blocks import Detail, checked_messages
from tools.errors import ModelError


class Precedence:
    """Counts the questions of people that are being answered; watches begin nothing meanwhile.

    What a watch has begun goes on: it cannot be interrupted everywhere, and takes one short answer.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._questions = 0

    @contextmanager
    def person(self) -> Iterator[None]:
        """While this lasts, a person's question is being answered."""
        with self._changed:
            self._questions += 1
        try:
            yield
        finally:
            with self._changed:
                self._questions -= 1
                self._changed.notify_all()

    def wait_for_people(self, timeout_s: float) -> bool:
        """Wait until no question is being answered; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._questions, timeout_s)


class Abilities(BaseModel):
    """What a backend can do; the agent asks before it relies on it.

    Attributes:
        images: whether image blocks are understood.
        max_images: the most images one request may hold; None where no limit is known.
        tool_calls: whether `bind_tools` works.
        grounding: whether positions can be asked for and come back as boxes.
        embeddings: whether `embed_image` works.
        structured: whether it can be asked for JSON of a given form.
        detections: whether it reads `detections` in the extras of image blocks: [label, confidence, box] each.
        json_schema: whether the keyword `json_schema` of a call binds the answer to a JSON schema.
        details: the levels of detail that differ for this backend; others fall back to the nearest higher one.
        context_tokens: the context window in tokens; None where unknown.
        max_side_px: pictures are scaled down to this longer side before they are handed over; None keeps their size.
        local: whether everything stays on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: bool
    max_images: NonNegativeInt | None = None
    tool_calls: bool = False
    grounding: bool = False
    embeddings: bool = False
    structured: bool = True
    detections: bool = False
    json_schema: bool = False
    details: frozenset[Detail] = frozenset({"clear"})
    context_tokens: int | None = None
    max_side_px: int | None = None
    local: bool = True


@dataclass(frozen=True)
class Finding:
    """Something that a model, the server behind it, or another part of the agent cannot do, and the remedy."""

    what: Literal["no vision", "image limit", "no tools", "no tool images", "no literature"]
    problem: str
    remedy: str


@dataclass(frozen=True)
class Request:
    """What a model is asked, checked.

    Attributes:
        messages: with their content split into text and image blocks; a plain text stays a plain text.
        stop: texts at which the answer ends, without them.
        tools: OpenAI tool definitions of what may be called now.
        tool_choice: `auto`, `required`, `none` or a tool's name.
        max_tokens: the most tokens of this answer; None leaves it to the model's options.
        options: all keywords as they were given.
    """

    messages: list[BaseMessage]
    stop: list[str]
    tools: list[dict[str, Any]]
    tool_choice: str
    max_tokens: int | None
    options: dict[str, Any]


class MLLM(BaseChatModel):
    """A multimodal language model behind Attend's agent.

    Image blocks follow langchain-core: `{"type": "image", "base64": ..., "mime_type": "image/jpeg"}`; the key `extras`
    may hold `t_s` (seconds), `detail` (see `Detail`) and `frame_id` (sha256), which a backend may use and must
    tolerate. Streaming stops between tokens when the consumer closes the iterator or cancels the task. The last
    streamed chunk, and the message of a plain call, carry `usage_metadata`.

    A backend writes `abilities`, `_llm_type` and `_answer`, which yields the pieces of an answer to a `Request`; the
    rest follows.
    """

    spec: str
    """The model string that this backend was made from, such as `embedded` or `openai:qwen3-vl@http://127.0.0.1:8000/v1`."""

    _precedence: Precedence = PrivateAttr(default_factory=Precedence)

    @property
    def precedence(self) -> Precedence:
        """Lets people's questions go before watches, over all that share this model."""
        return self._precedence

    def unjudgeable(self, condition: str) -> str:
        """Say why this model can never tell whether a watch's condition holds, and the remedy; "" where it may try.

        A model that was asked all the same answers `cannot judge`; see `agent.watch.evaluator` for the request.
        """
        return ""

    def preflight(self) -> list[Finding]:
        """Find out what works, where that takes asking a server; `abilities` states it from then on.

        Raises:
            ModelError: if the model cannot be used at all.
        """
        return []

    def reseeded(self, seed: int) -> MLLM:
        """Return this model with another seed for sampling; itself where nothing is drawn. Weights are shared."""
        return self

    def embed_image(self, rgb: np.ndarray) -> np.ndarray:
        """Return a unit vector, float32 of shape (D,), of a picture (height, width, 3), uint8; like pictures lie near.

        Raises:
            ModelError: if `abilities.embeddings` says that the model has none.
        """
        raise ModelError(f"the model {self.spec!r} embeds no pictures.", remedy="Use `embedded` for that.")

    @property
    @abstractmethod
    def abilities(self) -> Abilities:
        """What this model can do."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools it may call.

        Args:
            tools: langchain tools, pydantic classes, functions or OpenAI tool definitions.
            tool_choice: None or `auto` leaves it to the model; `any`, `required` or True asks for at least one call;
                `none` forbids calls; a tool's name asks for that tool.

        Raises:
            ModelError: if this model cannot call tools, or `tool_choice` names none of them.
        """
        if tools and not self.abilities.tool_calls:
            raise ModelError(f"the model {self.spec!r} cannot call tools.", remedy="Choose a model that can.")
        definitions = [convert_to_openai_tool(tool) for tool in tools]
        names = [definition["function"]["name"] for definition in definitions]
        words = {None: "auto", False: "auto", "auto": "auto", "any": "required", "required": "required"}
        choice = {**words, True: "required", "none": "none"}.get(tool_choice, tool_choice)
        if choice not in ("auto", "required", "none", *names):
            raise ModelError(f"the tool choice {tool_choice!r} names no bound tool.", expected=f"one of {names}")
        return self.bind(tools=definitions, tool_choice=choice, **kwargs)

    @abstractmethod
    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        """Yield the pieces of an answer; see `end` for the last. The iterator is closed when nobody reads on."""

    def _request(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> Request:
        """Check a call and read its keywords.

        Raises:
            ModelError: if there are no messages, or one of them, or a tool, is nothing that this model takes.
        """
        choice = options.get("tool_choice") or "auto"
        tools = options.get("tools") if choice != "none" else None
        if tools and not self.abilities.tool_calls:
            raise ModelError(f"the model {self.spec!r} does not call tools.", remedy="See `attend doctor`.")
        checked = checked_messages(messages, self.abilities)
        return Request(checked, stop or [], tools or [], choice, options.get("max_tokens"), options)

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with closing(self._answer(self._request(messages, stop, kwargs))) as pieces:
            for message in pieces:
                yield ChatGenerationChunk(message=message)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return _merge(self.spec, list(self._stream(messages, stop, **kwargs)))

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        iterator = self._stream(messages, stop, **kwargs)
        lock = threading.Lock()

        def advance() -> ChatGenerationChunk | None:
            with lock:
                return next(iterator, None)

        def close() -> None:
            with lock:
                if isinstance(iterator, Generator):
                    iterator.close()

        try:
            while (chunk := await asyncio.to_thread(advance)) is not None:
                yield chunk
        finally:
            # A thread cannot be interrupted: after a cancellation its step ends first, and nobody waits for it here.
            asyncio.get_running_loop().run_in_executor(None, close)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return _merge(self.spec, [chunk async for chunk in self._astream(messages, stop, **kwargs)])


def end(tokens_in: int, tokens_out: int, **more: Any) -> AIMessageChunk:
    """Return the last piece of an answer, with its usage and what else it holds."""
    usage = UsageMetadata(input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=tokens_in + tokens_out)
    return AIMessageChunk(**{"content": "", "usage_metadata": usage, "chunk_position": "last", **more})


def _merge(spec: str, chunks: list[ChatGenerationChunk]) -> ChatResult:
    if not chunks:
        raise ModelError(f"the model {spec!r} ended without an answer.")
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    message = message_chunk_to_message(whole.message)
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=whole.generation_info)])
