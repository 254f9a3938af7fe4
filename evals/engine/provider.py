"""inspect-ai model provider for our model protocol, through which every call of a run passes and is logged.

The answering model is not fixed for a run: a scripted one is fresh for each attempt, and seeds differ. So inspect-ai
knows one model, `attend/SPEC`, and each call sets the one that answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo
from langchain_core.messages import AIMessage, BaseMessage

from agent.models.protocol import MLLM
from evals.engine.media import Shelf
from evals.engine.messages import to_chat, to_definitions, to_messages, to_output, to_reply, to_tools

NAME = "attend"


@dataclass(frozen=True)
class _Call:
    model: MLLM
    shelf: Shelf


_CALL: ContextVar[_Call] = ContextVar("attend_call")


@modelapi(name=NAME)
class Provider(ModelAPI):
    """Forwards inspect-ai's calls to one of our models."""

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Ask the model of the current call.

        Raises:
            ModelError: if it fails; no retries here, since our backends retry.
        """
        call = _CALL.get()
        settings: dict[str, Any] = {}
        if tools:
            settings = {"tools": to_definitions(tools), "tool_choice": _our_choice(tool_choice)}
        if config.max_tokens is not None:
            settings["max_tokens"] = config.max_tokens
        # Not `ainvoke`: its callbacks would send each token to the agent's stream a second time.
        result = await call.model._agenerate(to_messages(input, call.shelf), **settings)
        reply = result.generations[0].message
        assert isinstance(reply, AIMessage)
        return to_output(reply, self.model_name)

    def tool_result_images(self) -> bool:
        """Keep pictures in place; otherwise inspect-ai would move them into a user message."""
        return True


async def generate(model: MLLM, messages: Sequence[BaseMessage], settings: Mapping[str, Any]) -> AIMessage:
    """Ask a model through inspect-ai; only within a sample of a run.

    Args:
        model: the model.
        messages: the prompt.
        settings: `tools`, `tool_choice` and `max_tokens`, as the model's `_stream` accepts them.

    Raises:
        ModelError: if the model fails.
    """
    shelf: Shelf = {}
    token = _CALL.set(_Call(model, shelf))
    try:
        output = await get_model().generate(
            to_chat(messages, shelf),
            tools=to_tools(settings.get("tools") or []),
            tool_choice=_their_choice(settings.get("tool_choice") or "auto"),
            config=GenerateConfig(max_tokens=settings.get("max_tokens")),
        )
    finally:
        _CALL.reset(token)
    return to_reply(output)


def _their_choice(choice: str) -> ToolChoice:
    if choice == "required":
        return "any"
    return "none" if choice == "none" else "auto" if choice == "auto" else ToolFunction(choice)


def _our_choice(choice: ToolChoice) -> str:
    return choice.name if isinstance(choice, ToolFunction) else "required" if choice == "any" else choice
