"""`CachedModel`: a model whose answers are kept in an SQLite file, so that nothing is asked twice.

An answer is found by a hash of the model and of everything that it was asked. What was interrupted goes on from the
answers that it has, and the same input gives the same result, at no cost.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from agent.models.blocks import Block, text_of
from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer, ask_json
from tools.errors import ModelError
from tools.sqlite import Database

_Value = TypeVar("_Value")
_Schema = TypeVar("_Schema", bound=BaseModel)
Row = Mapping[str, str]
"""What identifies an answer, by column: those of `AnswerCache.key` find it, others describe it."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Value]):
    """An answer, or why there is none.

    Attributes:
        value: the checked object, its JSON, or a text; None where there is an error.
        error: of a model that twice answered with something else, or failed.
        calls: model calls that it took when it was given.
        tokens_in: tokens read by the model over these calls, with an error those written too; 0 where it does not say.
        tokens_out: tokens written by it, likewise.
        seconds: of waiting for it.
        cached: whether it was given before; then nothing was asked.
    """

    value: _Value | None
    error: ModelError | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cached: bool = False


class AnswerCache(Database, ABC):
    """Answers in a table of an SQLite file, which threads and processes may share.

    A subclass states its table: the columns that find an answer (`key`), and how one is packed into the others, of
    which one is `body`.

    Args:
        path: the file; it and its folder are made if missing.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or is of a newer version.
    """

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    schema: ClassVar[str]
    version: ClassVar[int] = 0

    def __init__(self, path: Path) -> None:
        damaged = "Move it away, or delete it: the model is then asked anew."
        super().__init__(path, f"the {self.table}", self.schema, self.version, damaged=damaged, secure_delete=True)

    @staticmethod
    @abstractmethod
    def pack(answer: Answer[str]) -> Mapping[str, object]:
        """Return the columns that keep an answer, beside those of its row."""

    @staticmethod
    @abstractmethod
    def unpack(body: str) -> Answer[str]:
        """Return the answer that a body keeps. Raises ValueError if it keeps none."""

    def get(self, row: Row) -> str | None:
        """Return the body of a row, or None. Raises StoreError if it cannot be read."""
        where = " AND ".join(f"{column} = ?" for column in self.key)
        bodies = self.read(f"SELECT body FROM {self.table} WHERE {where}", [row[column] for column in self.key])
        return str(bodies[0][0]) if bodies else None

    def put(self, row: Row, answer: Answer[str], *, anew: bool = False) -> None:
        """Keep an answer, unless its row has one already and it is not made anew.

        Raises:
            StoreError: if it cannot be written.
        """
        columns = {**row, **self.pack(answer)}
        insert, places = f"INSERT OR {'REPLACE' if anew else 'IGNORE'}", ", ".join("?" * len(columns))
        with self.transaction() as sql:
            sql.execute(f"{insert} INTO {self.table} ({', '.join(columns)}) VALUES ({places})", [*columns.values()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class CachedModel:
    """A model whose answers are kept.

    Attributes:
        model: any backend.
        cache: where answers are kept; None keeps none.
        before_call: called before the model is; may refuse by raising.
        keeps_errors: whether a model that twice answered with something else has answered, or is asked again.
    """

    model: MLLM
    cache: AnswerCache | None
    before_call: Callable[[], None] = lambda: None
    keeps_errors: bool = True

    def json(
        self, row: Row, prompt: str, schema: type[_Schema], *, images: Sequence[Block] = (), max_tokens: int
    ) -> Answer[_Schema]:
        """Return a checked answer (see `agent.models.structured.ask_json`); one that no longer fits is made anew.

        Raises:
            ModelError: if the model fails, or cannot be reached.
            StoreError: if the cache cannot be read or written.
        """

        def ask() -> Answer[str]:
            try:
                said = ask_json(self.model, prompt, schema, images=images, max_tokens=max_tokens)
            except MalformedAnswer as error:
                return Answer(None, error, len(error.answers), error.tokens)
            body = said.value.model_dump_json(by_alias=True)
            return Answer(body, None, said.calls, said.tokens_in, said.tokens_out)

        return self._answer(row, ask, schema.model_validate_json)

    def text(self, row: Row, messages: list[BaseMessage], *, max_tokens: int) -> Answer[str]:
        """Return what the model says to some messages. Raises likewise."""

        def ask() -> Answer[str]:
            message = self.model.invoke(messages, max_tokens=max_tokens)
            usage = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
            return Answer(text_of(message), None, 1, usage["input_tokens"], usage["output_tokens"])

        return self._answer(row, ask, str)

    def _answer(self, row: Row, ask: Callable[[], Answer[str]], read: Callable[[str], _Value]) -> Answer[_Value]:
        held = self.cache.get(row) if self.cache else None
        if self.cache and held is not None:
            with suppress(ValueError):  # such as pydantic's ValidationError
                return _read(replace(self.cache.unpack(held), cached=True), read)
        self.before_call()
        started = time.monotonic()
        answer = replace(ask(), seconds=time.monotonic() - started)
        if self.cache and (self.keeps_errors or not answer.error):
            self.cache.put(row, answer, anew=held is not None)
            if kept := self.cache.get(row):  # of two given at once, the first is kept
                first = self.cache.unpack(kept)
                answer = replace(answer, value=first.value, error=first.error)
        return _read(answer, read)


def sha_of(*parts: str) -> str:
    """The sha256 of some texts, told apart from every other way to cut the same characters."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        whole.update(f"{len(encoded)}:".encode() + encoded)
    return whole.hexdigest()


def _read(answer: Answer[str], read: Callable[[str], _Value]) -> Answer[_Value]:
    value = None if answer.value is None else read(answer.value)
    numbers = answer.calls, answer.tokens_in, answer.tokens_out, answer.seconds
    return Answer(value, answer.error, *numbers, answer.cached)
