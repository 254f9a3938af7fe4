"""`Asker`: a model in the roles of narrative memory, with its answers kept, counted and capped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal, TypeVar

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from agent.models.blocks import image_bytes, text_of
from agent.models.fingerprint import content_of
from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer, ask_json
from memory.narrative.store.llm_cache import Answers, sha_of
from memory.narrative.types import Writer
from tools.errors import ModelError

Role = Literal["caption", "extract", "link", "chain", "decompose", "answer"]
MAX_TOKENS: dict[Role, int] = {
    "caption": 200, "extract": 2_000, "link": 800, "chain": 120, "decompose": 200, "answer": 600,
}  # fmt: skip
"""Of one answer; our choice."""
_Schema = TypeVar("_Schema", bound=BaseModel)


@dataclass
class Spent:
    """What was asked so far.

    Attributes:
        calls: calls of the model.
        kept: answers that were there already, so that nothing was asked.
        tokens: read and written by the model, as far as it says.
        seconds: of waiting for it.
        malformed: answers that could not be used, even repaired, with the role and what was wrong.
    """

    calls: int = 0
    kept: int = 0
    tokens: int = 0
    seconds: float = 0.0
    malformed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Asker:
    """Asks one model about one source.

    Attributes:
        model: any backend.
        source: what it is asked about; its answers are forgotten with it.
        answers: where answers are kept; None keeps none.
        most_calls: more calls than this are refused.
        most_tokens: no call is begun when so many tokens were spent.
        spent: what was asked.
    """

    model: MLLM
    source: str
    answers: Answers | None = None
    most_calls: int | None = None
    most_tokens: int | None = None
    spent: Spent = field(default_factory=Spent)

    def json(self, role: Role, prompt: str, schema: type[_Schema]) -> _Schema:
        """A checked answer (see `agent.models.structured.ask_json`); one that is kept costs nothing.

        One that was kept, but is not what is asked for by now, is asked for again.

        Raises:
            MalformedAnswer: if it cannot be used, even repaired; nothing is kept, so that it is asked again next time.
            ModelError: if the model fails, or a cap is reached.
        """
        sha = sha_of(self.model.spec, self._content, role, prompt, json.dumps(schema.model_json_schema()))
        kept = self._kept(sha)
        if kept is not None:
            with suppress(ValidationError):
                value = schema.model_validate_json(kept)
                self.spent.kept += 1
                return value
        self._refuse_above()
        started = time.monotonic()
        try:
            answer = ask_json(self.model, prompt, schema, max_tokens=MAX_TOKENS[role])
        except MalformedAnswer as error:
            self.spent.calls += len(error.answers)
            self.spent.tokens += error.tokens
            self.spent.seconds += time.monotonic() - started
            self.spent.malformed.append(f"{role}: {error.problem}")
            raise
        tokens = answer.tokens_in + answer.tokens_out
        self._spend(sha, role, answer.value.model_dump_json(by_alias=True), answer.calls, tokens, started)
        return answer.value

    def text(self, role: Role, prompt: str, question: str, blocks: Sequence[Any]) -> str:
        """What the model says to a question on some blocks of pictures, under a system text; kept likewise.

        Raises:
            ModelError: if the model fails, or a cap is reached.
        """
        images = [
            hashlib.sha256(image_bytes(block)).hexdigest() if isinstance(block, dict) else block for block in blocks
        ]
        sha = sha_of(self.model.spec, self._content, role, prompt, question, *images)
        kept = self._kept(sha)
        if kept is not None:
            self.spent.kept += 1
            return kept
        self._refuse_above()
        started = time.monotonic()
        content: list[Any] = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
        asked = [SystemMessage(prompt), HumanMessage([*content, {"type": "text", "text": question}])]
        message = self.model.invoke(asked, max_tokens=MAX_TOKENS[role])
        tokens = message.usage_metadata["total_tokens"] if message.usage_metadata else 0
        self._spend(sha, role, text_of(message), 1, tokens, started)
        return text_of(message)

    def writer(self, role: Role) -> Writer:
        """Who writes what this model says in a role."""
        return Writer(model=self.model.spec, prompt_sha=hashlib.sha256(prompt_of(role).encode()).hexdigest())

    @cached_property
    def _content(self) -> str:
        """What the model is made of, so that another under the same name is asked anew; found once for a build."""
        return content_of(self.model.spec) if self.answers else ""

    def _kept(self, sha: str) -> str | None:
        return self.answers.get(sha, self.source) if self.answers else None

    def _refuse_above(self) -> None:
        if self.most_calls is not None and self.spent.calls >= self.most_calls:
            raise ModelError(
                f"the model was asked {self.spent.calls} times, and may not be asked more often.",
                remedy="Raise [narrative] most_calls; what was answered so far is kept.",
            )
        if self.most_tokens is not None and self.spent.tokens >= self.most_tokens:
            raise ModelError(
                f"{self.spent.tokens} tokens were spent, of at most {self.most_tokens}.",
                remedy="Raise [narrative] most_tokens; what was answered so far is kept.",
            )

    def _spend(self, sha: str, role: Role, body: str, calls: int, tokens: int, started: float) -> None:
        seconds = time.monotonic() - started
        self.spent.calls += calls
        self.spent.tokens += tokens
        self.spent.seconds += seconds
        if self.answers:
            self.answers.put(sha, self.source, role, self.model.spec, body, seconds, tokens)


@cache
def prompt_of(role: Role) -> str:
    """The system text of a role."""
    return files("agent").joinpath("prompts", f"narrative_{role}.md").read_text("utf-8")
