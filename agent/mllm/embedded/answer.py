"""From a request to an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agent.mllm.embedded.language import turn
from agent.mllm.embedded.mind import Mind
from agent.mllm.embedded.request import Request
from agent.mllm.options import ModelOptions


def reply(
    mind: Mind, request: Request, options: ModelOptions, tools: Sequence[dict[str, Any]], tool_choice: str | None
) -> Iterator[Any]:
    """Yield the pieces of an answer (texts), or one tool call (a `tool_call_chunk`)."""
    if not request.frames:
        yield from chat(mind, request, options)
        return
    prompt = mind.frames_prompt(request.frames, request.question)
    yield from mind.language.generate(
        prompt, pictures=True, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )


SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat(mind: Mind, request: Request, options: ModelOptions) -> Iterator[str]:
    """Answer without pictures, as the base model does, after its own system text."""
    prompt = turn("system", SYSTEM)
    for role, text in request.talk[-4:]:
        prompt += turn(role, text)
    prompt += [*turn("user", request.question), *turn("assistant")]
    yield from mind.language.generate(
        prompt, pictures=False, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )
