"""The backend `openai:MODEL@BASE_URL`: any server that speaks OpenAI's chat completions (vLLM, Ollama, llama.cpp, ...).

langchain-openai's `ChatOpenAI` does the talking; this module prepares the messages, retries, and turns failures into
errors with a remedy. Pictures travel as data URLs, scaled down, and outside tool messages.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Generator
from typing import Any, cast
from urllib.parse import urlsplit

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr, SecretStr

from agent.models.blocks import count_images, limit_images, move_tool_images, shrink_images, strip_extras, text_of
from agent.models.openai.errors import explain, failures, refuses_stream_options, retry_after_s
from agent.models.options import ModelOptions
from agent.models.protocol import MLLM, Abilities, Finding, Request
from tools.errors import ModelError
from tools.loopback import is_local
from tools.media.types import mask_credentials

_CONNECT_TIMEOUT_S = 10.0
_CHARACTERS_PER_TOKEN = 4


class OpenAI(MLLM):
    """A model behind an OpenAI-compatible server; made by `load_openai`. Nothing is sent before the first call."""

    base_url: str = Field(repr=False)
    model_name: str
    options: ModelOptions
    _chat: Any = PrivateAttr()
    _key: SecretStr = PrivateAttr()
    _abilities: Abilities = PrivateAttr()
    _stream_usage: bool = PrivateAttr(default=True)

    def model_post_init(self, context: Any) -> None:
        """Set up the client; the key comes from `OPENAI_API_KEY` and is held as a secret."""
        import openai
        from langchain_openai import ChatOpenAI

        local = is_local(self.base_url)
        self._key = SecretStr(os.environ.get("OPENAI_API_KEY") or "not-needed")
        self._abilities = Abilities(
            images=True,
            max_images=self.options.max_images,
            tool_calls=True,
            details=frozenset({"clear", "fuzzy"}),
            max_side_px=self.options.max_side_px,
            local=local,
        )
        # A proxy set for the web must not catch what is meant for this machine.
        clients: dict[str, Any] = {}
        if local:
            clients["http_client"] = openai.DefaultHttpxClient(trust_env=False)
            clients["http_async_client"] = openai.DefaultAsyncHttpxClient(trust_env=False)
        timeout_s = self.options.timeout_s
        self._chat = ChatOpenAI(
            model=self.model_name,
            base_url=self.base_url,
            api_key=self._key,
            temperature=self.options.temperature,
            seed=self.options.seed,
            timeout=openai.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
            stream_chunk_timeout=timeout_s,
            max_retries=0,
            use_responses_api=False,
            # Connections are not kept, since one from an event loop that has ended breaks the next call.
            default_headers={"Connection": "close"},
            **clients,
        )

    @property
    def abilities(self) -> Abilities:
        """What the server is taken to be able to do: everything, until `preflight` has asked it."""
        return self._abilities

    def reseeded(self, seed: int) -> OpenAI:
        """Return this model with another seed; the client and what `preflight` found are shared."""
        copy = self.model_copy(update={"options": self.options.model_copy(update={"seed": seed})})
        copy._chat = self._chat.model_copy(update={"seed": seed})
        return copy

    def preflight(self) -> list[Finding]:
        """Ask the server what it can do; see `agent.models.openai.preflight.probe_server` for what is raised."""
        from agent.models.openai.preflight import Server, probe_server

        server = Server(self._chat.root_client, self.model_name, self.spec, self._key.get_secret_value())
        self._abilities, findings = probe_server(server, self._abilities)
        return findings

    @property
    def _llm_type(self) -> str:
        return "attend-openai"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        sent, call, attempts = self._prepare(request)
        while True:
            tally = _Tally(self.spec, sent)
            try:
                for chunk in self._chat._stream(sent, stream_usage=self._stream_usage, **call):
                    yield tally.add(chunk)
                yield tally.last()
                return
            except failures() as error:
                wait_s = attempts.wait_s(error, streamed=tally.characters)
            time.sleep(wait_s)

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        sent, call, attempts = self._prepare(self._request(messages, stop, kwargs))
        while True:
            tally = _Tally(self.spec, sent)
            try:
                async for chunk in self._chat._astream(sent, stream_usage=self._stream_usage, **call):
                    yield ChatGenerationChunk(message=tally.add(chunk))
                yield ChatGenerationChunk(message=tally.last())
                return
            except failures() as error:
                wait_s = attempts.wait_s(error, streamed=tally.characters)
            await asyncio.sleep(wait_s)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        sent, call, attempts = self._prepare(self._request(messages, stop, kwargs))
        while True:
            try:
                return _with_usage(self._chat._generate(sent, **call), sent)
            except failures() as error:
                wait_s = attempts.wait_s(error)
            time.sleep(wait_s)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        sent, call, attempts = self._prepare(self._request(messages, stop, kwargs))
        while True:
            try:
                return _with_usage(await self._chat._agenerate(sent, **call), sent)
            except failures() as error:
                wait_s = attempts.wait_s(error)
            await asyncio.sleep(wait_s)

    def _prepare(self, request: Request) -> tuple[list[BaseMessage], dict[str, Any], _Attempts]:
        """Return the messages and keywords for the client, and the attempts, whose time begins now."""
        prepared = limit_images(move_tool_images(request.messages), self.abilities.max_images)
        prepared = strip_extras(shrink_images(prepared, self.options.max_side_px))
        # Plain text goes as a string: servers for text models refuse lists.
        sent = [
            message if count_images([message]) else message.model_copy(update={"content": text_of(message)})
            for message in prepared
        ]
        return sent, self._call(request), _Attempts(self)

    def _call(self, request: Request) -> dict[str, Any]:
        max_tokens = request.max_tokens or self.options.max_tokens
        # OpenAI itself wants the newer name, which several local servers do not know yet.
        openai_itself = (urlsplit(self.base_url).hostname or "").endswith("openai.com")
        call: dict[str, Any] = (
            {"max_tokens": max_tokens} if openai_itself else {"extra_body": {"max_tokens": max_tokens}}
        )
        if request.stop:
            call["stop"] = request.stop
        if request.tools:
            call["tools"] = request.tools
            if request.tool_choice != "auto":
                named = {"type": "function", "function": {"name": request.tool_choice}}
                call["tool_choice"] = "required" if request.tool_choice == "required" else named
        return call


class _Attempts:
    """Decides after each failure whether to try again: at busy servers and broken connections, within the timeout."""

    def __init__(self, model: OpenAI) -> None:
        self.model, self.number = model, 0
        self.deadline = time.monotonic() + model.options.timeout_s

    def wait_s(self, error: Exception, *, streamed: int = 0) -> float:
        """Return the seconds to wait before the next try, or raise the ModelError that explains the failure."""
        if not streamed and self.model._stream_usage and refuses_stream_options(error):
            self.model._stream_usage = False
            return 0.0
        wait_s = None if streamed else retry_after_s(error, self.number)
        self.number += 1
        if wait_s is None or time.monotonic() + wait_s > self.deadline:
            # Not chained: the client's own error may quote the request, and with it the key.
            raise explain(
                error, self.model.spec, self.model._key.get_secret_value(), tries=self.number, streamed=streamed
            ) from None
        return wait_s


class _Tally:
    """Adds up one streamed answer; the usage is taken off the chunks and reported once, at the end."""

    def __init__(self, spec: str, sent: list[BaseMessage]) -> None:
        self.spec, self.sent, self.characters = spec, sent, 0
        self.finished = False
        self.usage: UsageMetadata | None = None

    def add(self, chunk: ChatGenerationChunk) -> AIMessageChunk:
        message = cast(AIMessageChunk, chunk.message)
        self.characters += len(message.text) + sum(len(call["args"] or "") for call in message.tool_call_chunks)
        message.response_metadata |= chunk.generation_info or {}
        self.finished |= bool(message.response_metadata.get("finish_reason"))
        self.usage, message.usage_metadata = message.usage_metadata or self.usage, None
        return message

    def last(self) -> AIMessageChunk:
        """Return the closing chunk with the usage.

        Raises:
            ModelError: if the stream ended before the server said that the answer is finished.
        """
        if not self.finished:
            raise ModelError(
                f"the server of {self.spec!r} broke off within an answer.",
                remedy="Ask again; look at the server's log.",
            )
        usage, how = (self.usage, {}) if self.usage else (_estimate(self.sent, self.characters), {"usage": "estimated"})
        return AIMessageChunk(content="", usage_metadata=usage, response_metadata=how, chunk_position="last")


def load_openai(rest: str, options: ModelOptions) -> OpenAI:
    """Make the backend for `MODEL@BASE_URL`, or `MODEL` with the address in `OPENAI_BASE_URL`.

    Raises:
        ModelError: if there is no address, or it is not an http(s) one.
    """
    match = re.fullmatch(r"(?P<model>.+?)@(?P<url>\w+://.+)", rest)
    name, base_url = match.group("model", "url") if match else (rest, os.environ.get("OPENAI_BASE_URL", ""))
    if not base_url:
        raise ModelError(
            f"the model string {'openai:' + rest!r} has no address.",
            expected="openai:MODEL@BASE_URL, such as openai:qwen3-vl@http://127.0.0.1:8000/v1",
            remedy="Add @http://... with the server's address, or set OPENAI_BASE_URL.",
        )
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = mask_credentials(base_url)
        raise ModelError(f"{shown!r} is not the address of a server.", expected="http://HOST:PORT/v1")
    base_url = base_url.rstrip("/")
    spec = f"openai:{name}@{mask_credentials(base_url)}"
    return OpenAI(spec=spec, base_url=base_url, model_name=name, options=options)


def _with_usage(result: ChatResult, sent: list[BaseMessage]) -> ChatResult:
    message = result.generations[0].message
    if isinstance(message, AIMessage) and not message.usage_metadata:
        spoken = len(message.text) + sum(len(str(call["args"])) for call in message.tool_calls)
        message.usage_metadata = _estimate(sent, spoken)
        message.response_metadata["usage"] = "estimated"
    return result


def _estimate(sent: list[BaseMessage], characters: int) -> UsageMetadata:
    """Guess the usage of a server that reports none, from the text alone."""
    seen = sum(len(text_of(message)) for message in sent) // _CHARACTERS_PER_TOKEN + 1
    spoken = characters // _CHARACTERS_PER_TOKEN + 1
    return {"input_tokens": seen, "output_tokens": spoken, "total_tokens": seen + spoken}
