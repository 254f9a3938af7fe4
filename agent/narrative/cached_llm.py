"""`Asker`: a model in the roles of narrative memory, with its answers kept (`Answers`), counted and capped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar, cast

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel

from agent.models.blocks import Block, image_sha256, split_content
from agent.models.cached import Answer, AnswerCache, CachedModel, Row, sha_of
from agent.models.fingerprint import content_of
from agent.models.protocol import MLLM
from memory.narrative.types import Writer
from memory.store.secure_delete import wipe
from tools.errors import ModelError

Role = Literal["caption", "extract", "link", "chain", "decompose", "answer"]
MAX_TOKENS: dict[Role, int] = {
    "caption": 200, "extract": 2_000, "link": 800, "chain": 120, "decompose": 200, "answer": 600,
}  # fmt: skip
"""Of one answer; our choice."""
FILE_NAME = "answers.sqlite"
_Schema = TypeVar("_Schema", bound=BaseModel)
_Said = TypeVar("_Said", bound=BaseModel | str)


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


class Answers(AnswerCache):
    """The answers in a folder, by what was asked and the source that it was asked about."""

    table = "answers"
    key = ("sha", "source")
    schema = """
        CREATE TABLE IF NOT EXISTS answers (
            sha TEXT NOT NULL, source TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, body TEXT NOT NULL,
            seconds REAL NOT NULL, tokens INTEGER NOT NULL, wall_s REAL NOT NULL, PRIMARY KEY (sha, source)
        );
        CREATE INDEX IF NOT EXISTS answers_by_role ON answers (model, role);
        CREATE INDEX IF NOT EXISTS answers_by_source ON answers (source)
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE_NAME)

    @staticmethod
    def pack(answer: Answer[str]) -> Mapping[str, object]:
        tokens = answer.tokens_in + answer.tokens_out
        return {"body": answer.value, "seconds": answer.seconds, "tokens": tokens, "wall_s": time.time()}

    @staticmethod
    def unpack(body: str) -> Answer[str]:
        return Answer(body)

    def seconds_a_call(self, model: str, role: str) -> float | None:
        """Return the mean of the calls that were made; None where none was."""
        (row,) = self.read("SELECT avg(seconds) FROM answers WHERE model = ? AND role = ?", (model, role))
        return cast("float | None", row[0])

    def forget(self, source: str) -> None:
        """Remove the answers on a source from the file for good."""
        with self.transaction() as sql:
            sql.execute("DELETE FROM answers WHERE source = ?", (source,))
        wipe(self.path)


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
        """Return a checked answer (see `agent.models.structured.ask_json`); one that is kept costs nothing.

        Raises:
            MalformedAnswer: if it cannot be used, even repaired; nothing is kept, so that it is asked again next time.
            ModelError: if the model fails, or a cap is reached.
        """
        row = self._row(role, prompt, json.dumps(schema.model_json_schema()))
        return self._spend(role, self._cached.json(row, prompt, schema, max_tokens=MAX_TOKENS[role]))

    def text(self, role: Role, prompt: str, question: str, blocks: Sequence[str | Block]) -> str:
        """What the model says to a question on some blocks of pictures, under a system text; kept likewise.

        Raises:
            ModelError: if the model fails, or a cap is reached.
        """
        row = self._row(
            role, prompt, question, *(block if isinstance(block, str) else image_sha256(block) for block in blocks)
        )
        asked = [SystemMessage(prompt), HumanMessage([*split_content([*blocks, question])])]
        return self._spend(role, self._cached.text(row, asked, max_tokens=MAX_TOKENS[role]))

    def writer(self, role: Role) -> Writer:
        """Who writes what this model says in a role."""
        return Writer(model=self.model.spec, prompt_sha=hashlib.sha256(prompt_of(role).encode()).hexdigest())

    @cached_property
    def _cached(self) -> CachedModel:
        return CachedModel(self.model, self.answers, self._refuse_above, keeps_errors=False)

    @cached_property
    def _content(self) -> str:
        """What the model is made of, so that another under the same name is asked anew; found once for a build."""
        return content_of(self.model.spec) if self.answers else ""

    def _row(self, role: Role, *asked: str) -> Row:
        sha = sha_of(self.model.spec, self._content, role, *asked)
        return {"sha": sha, "source": self.source, "role": role, "model": self.model.spec}

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

    def _spend(self, role: Role, answer: Answer[_Said]) -> _Said:
        self.spent.kept += answer.cached
        self.spent.calls += answer.calls
        self.spent.tokens += answer.tokens_in + answer.tokens_out
        self.spent.seconds += answer.seconds
        if answer.error:
            self.spent.malformed.append(f"{role}: {answer.error.problem}")
            raise answer.error
        return cast(_Said, answer.value)


@cache
def prompt_of(role: Role) -> str:
    """The system text of a role."""
    return files("agent").joinpath("prompts", f"narrative_{role}.md").read_text("utf-8")
