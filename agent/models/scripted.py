"""The backend `scripted:FILE`: answers that a person wrote, for demonstrations and tests.

The file is YAML or JSON: a list of turns, or a mapping with `turns` and, if wanted, `abilities` (those of `Abilities`)
and `samples`: turns by the id of an evaluation's sample, which take the place of `turns` there.

    turns:
      - say: A cyclist crosses the bridge [0:05].
      - when: red car                # a regular expression, searched in the newest user text; case does not matter
        tool: look                   # calls this tool with these arguments, after saying `say` if there is one
        args: {t_s: 5.0}
      - say: It is parked.
        tokens_per_s: 20             # slows the words down

Each call takes the first turn not yet used whose `when` matches; a turn without `when` always does. A token is a word
with the white space before it.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import yaml
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call_chunk
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from agent.models.blocks import count_images, text_of
from agent.models.protocol import MLLM, Abilities, Request, end
from tools.errors import ModelError

_TOKEN = re.compile(r"\s*\S+|\s+$")
_TOKENS_PER_IMAGE = 1


class Turn(BaseModel):
    """One scripted answer: something said, a tool called, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str | None = None
    say: str = ""
    tool: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    tokens_per_s: float | None = Field(default=None, gt=0)

    @field_validator("when")
    @classmethod
    def _is_a_pattern(cls, when: str | None) -> str | None:
        try:
            re.compile(when or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return when

    @model_validator(mode="after")
    def _does_something(self) -> Turn:
        if not self.say and not self.tool:
            raise ValueError("a turn needs `say` or `tool`")
        if self.args and not self.tool:
            raise ValueError("`args` need a `tool`")
        return self


class Scripted(MLLM):
    """A model that gives written answers in order; it uses each turn once.

    Args:
        turns: the answers.
        declared: the abilities it claims; by default all that the agent's loop uses.
        samples: the answers for single samples of an evaluation, by id; see `for_sample`.
    """

    spec: str = "scripted"
    turns: list[Turn]
    declared: Abilities = Abilities(images=True, tool_calls=True, details=frozenset({"clear", "fuzzy", "glance"}))
    samples: dict[str, list[Turn]] = Field(default_factory=dict)
    _used: set[int] = PrivateAttr(default_factory=set)
    _produced: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def abilities(self) -> Abilities:
        return self.declared

    def for_sample(self, id_: str) -> Scripted:
        """Return a model that has used no turn yet, for one sample: the order of samples then does not matter."""
        return Scripted(spec=self.spec, turns=self.samples.get(id_, self.turns), declared=self.declared)

    @property
    def produced_tokens(self) -> int:
        """How many tokens all answers so far have had; a cancelled answer counts only what was streamed of it."""
        return self._produced

    @property
    def _llm_type(self) -> str:
        return "attend-scripted"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        number, turn = self._next_turn(request.messages)
        seen = sum(len(_TOKEN.findall(text_of(message))) for message in request.messages)
        seen += _TOKENS_PER_IMAGE * count_images(request.messages)
        words = _TOKEN.findall(turn.say)[: request.max_tokens]
        for word in words:
            if turn.tokens_per_s:
                time.sleep(1 / turn.tokens_per_s)
            self._produced += 1
            yield AIMessageChunk(content=word)
        spoken, calls = len(words), []
        if turn.tool:
            arguments = json.dumps(turn.args)
            spoken += len(arguments.split())
            self._produced += len(arguments.split())
            calls = [tool_call_chunk(name=turn.tool, args=arguments, id=f"call_{number + 1}", index=0)]
        yield end(seen, spoken, tool_call_chunks=calls)

    def _next_turn(self, messages: list[BaseMessage]) -> tuple[int, Turn]:
        asked = next((text_of(message) for message in reversed(messages) if isinstance(message, HumanMessage)), "")
        with self._lock:
            for number, turn in enumerate(self.turns):
                fits = turn.when is None or re.search(turn.when, asked, re.IGNORECASE)
                if number not in self._used and fits:
                    self._used.add(number)
                    return number, turn
        left = [turn.when for number, turn in enumerate(self.turns) if number not in self._used]
        raise ModelError(
            f"the script {self.spec!r} has no answer for call {len(self._used) + 1}: {asked[-80:]!r}.",
            expected=f"a text matching one of {left}" if left else f"at most {len(self.turns)} calls",
            remedy="Add a turn to the script.",
        )


def load_scripted(path: Path) -> Scripted:
    """Read a script (see the top of this module for its format).

    Raises:
        ModelError: if the file cannot be read or does not have this format.
    """
    try:
        held = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(
            f"the script {str(path)!r} cannot be read: {error}.", expected="a YAML or JSON file"
        ) from error
    if isinstance(held, list):
        held = {"turns": held}
    known = {"turns", "abilities", "samples"}
    if not isinstance(held, dict) or not (held.get("turns") or held.get("samples")) or not held.keys() <= known:
        raise ModelError(
            f"the script {str(path)!r} holds no turns.",
            expected="a list of turns, or `turns` with `abilities` or `samples` beside it",
        )
    settings = {"declared": held["abilities"]} if "abilities" in held else {}
    try:
        return Scripted(
            spec=f"scripted:{path}",
            turns=held.get("turns", []),
            samples={str(id_): turns for id_, turns in (held.get("samples") or {}).items()},
            **settings,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"the script {str(path)!r} is wrong at {where}: {first['msg']}, not {first['input']!r}."
        ) from error
