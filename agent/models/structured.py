"""Answers of a model as checked JSON: `ask_json`. One repair is asked for, then the failure is typed.

What a model says is never taken for an empty answer: an outage is a `ModelError`, and what cannot be read is a
`MalformedAnswer`, so that neither looks like "nothing found".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from agent.core.unicode import well_formed
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from tools.errors import ModelError

MOST_SHOWN = 400
"""Characters of a bad answer that a message shows; our choice."""
_Schema = TypeVar("_Schema", bound=BaseModel)


class MalformedAnswer(ModelError):
    """A model answered twice, and neither answer was what was asked for.

    Attributes:
        answers: what it said, both times.
        tokens: read and written by it, over both; 0 where the backend does not say.
    """

    def __init__(
        self, problem: str, *, answers: tuple[str, ...], tokens: int = 0, expected: str = "", remedy: str = ""
    ) -> None:
        super().__init__(problem, expected=expected, remedy=remedy)
        self.answers, self.tokens = answers, tokens


@dataclass(frozen=True, slots=True)
class Structured(Generic[_Schema]):
    """A checked answer.

    Attributes:
        value: what was asked for.
        text: the model's words that it was read from.
        calls: model calls that it took, 1 or 2.
        tokens_in: tokens read by the model, over its calls; 0 where the backend does not say.
        tokens_out: tokens written by it, likewise.
    """

    value: _Schema
    text: str
    calls: int
    tokens_in: int
    tokens_out: int


def ask_json(
    model: MLLM, prompt: str, schema: type[_Schema], *, images: Sequence[dict[str, Any]] = (), max_tokens: int = 1_024
) -> Structured[_Schema]:
    """Ask a model for one JSON object, and check it; a bad one is asked for once more, with what is wrong with it.

    Args:
        model: any backend.
        prompt: the whole request, which names the fields that are wanted.
        schema: what the object must be.
        images: image blocks shown with the prompt (see `agent.models.protocol.MLLM`).
        max_tokens: the most tokens of an answer.

    Raises:
        MalformedAnswer: if the second answer is no such object either.
        ModelError: if the model fails, or cannot be reached.
    """
    content: Any = [*images, {"type": "text", "text": prompt}] if images else prompt
    messages: list[BaseMessage] = [HumanMessage(content)]
    said: list[str] = []
    tokens_in = tokens_out = 0
    problem = ""
    for _ in range(2):
        message = model.invoke(messages, max_tokens=max_tokens, **bound_to(model, schema))
        text = well_formed(text_of(message))
        said.append(text)
        if message.usage_metadata:
            tokens_in += message.usage_metadata["input_tokens"]
            tokens_out += message.usage_metadata["output_tokens"]
        try:
            value = schema.model_validate(well_formed(read_json(text)))
            return Structured(value, text, len(said), tokens_in, tokens_out)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            problem = f"{where or 'the object'}: {first['msg']}"
        except ValueError as error:
            problem = str(error)
        messages += [AIMessage(text), HumanMessage(_REPAIR.format(problem=problem))]
    raise MalformedAnswer(
        f"the model {model.spec!r} twice answered with something else: {problem}. It said {said[-1][:MOST_SHOWN]!r}.",
        answers=tuple(said),
        tokens=tokens_in + tokens_out,
        expected=f"a JSON object with {', '.join(schema.model_fields)}",
        remedy="Use a model that follows formats, or do without one.",
    )


def bound_to(model: MLLM, schema: type[BaseModel]) -> dict[str, Any]:
    """Return the keywords of a call that bind the answer to a schema, for models that can; else none."""
    return {"json_schema": schema.model_json_schema()} if model.abilities.json_schema else {}


def read_json(text: str) -> dict[str, Any]:
    """The one JSON object in a text, which may stand among other words or in a fenced block.

    Raises:
        ValueError: if there is none, or more than one, or it says two things under one name.
    """
    decoder = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_each_once)
    found: list[dict[str, Any]] = []
    problem = ""
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
            found.append(value)
        except (ValueError, RecursionError) as error:  # the latter where it is nested thousands of times
            end, problem = _closed(text, at), f": {error}"
            if end < 0:  # what it holds is a part of it, and must not stand for it
                raise ValueError(f"the JSON object does not end, or is none{problem}") from error
        at = text.find("{", end)
    if len(found) != 1:
        raise ValueError(f"there are {len(found)} JSON objects in the answer, not one{'' if found else problem}")
    return found[0]


_REPAIR = (
    "That could not be used ({problem}). Answer again, with one JSON object of the fields asked for, and nothing else."
)


def _closed(text: str, at: int) -> int:
    """Where the brace at a place is closed, if quotes are not heeded; -1 where it is not."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return -1


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError(f"a name stands twice among {', '.join(name for name, _ in pairs)}")
    return held


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
