"""Films as narrative memory remembers them, for a run: each is built once, and then asked by any number of threads."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from filelock import FileLock
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr
from rich.console import Console

from agent.config import Config
from agent.mllm.blocks import text_of
from agent.mllm.protocol import MLLM, Abilities
from agent.narrative.answering import NarrativeAnswer, answer_question, search
from agent.narrative.asking import Asker
from agent.narrative.commands import BuildOptions, build_narrative, built_source, open_store
from evals.engine.suite import Message, Respond
from evals.suites.judges import own_folder
from evals.suites.na_vqa.evidence import told_spans
from evals.suites.na_vqa.scorer import Span
from tools.errors import ModelError

_Said = TypeVar("_Said")


@dataclass(frozen=True)
class Remembered:
    """An answer from memory.

    Attributes:
        answer: what narrative memory answered.
        clock: what its times count, `seconds` or `sections`.
        told: when the events are that were shown, best first.
        cited: when those are that the answer cites, in its order.
    """

    answer: NarrativeAnswer
    clock: str
    told: tuple[Span, ...]
    cited: tuple[Span, ...]


class Films:
    """The memories of a run's films, each in a folder of its own.

    Args:
        folder: where they are kept, for other runs too; None keeps them as long as this object lives.
        builder: the model string of who says what pictures show and finds events; `embedded` leaves events to rules.
    """

    def __init__(self, folder: Path | None, builder: str) -> None:
        self.builder, self._folder = builder, folder
        self._lock = Lock()
        self._films: dict[Path, Lock] = {}
        self._built: set[Path] = set()

    def ask(self, path: Path, question: str, model: MLLM | None) -> Remembered:
        """Answer a question from the memory of a film, which is built by whoever asks first; others wait for it.

        Args:
            path: the film, or its words.
            question: what is asked.
            model: who answers; None quotes the evidence.

        Raises:
            MediaError: if the film cannot be read.
            StoreError: if the memory cannot be written or read.
            ModelError: if a model fails; MalformedAnswer, one of them, if its answer cannot be used.
        """
        config = self._built_of(path)
        with open_store(config) as store:
            source, clock = built_source(store, str(path), config)
            asker = Asker(model, source) if model is not None else None
            answer = answer_question(store, source, question, clock, asker)
            ranked = told_spans(store, source, search(store, source, [question]))
        shown = [(told.start_s, told.end_s) for told in answer.shown]
        first = {span: place for place, span in reversed(list(enumerate(ranked)))}
        best = sorted(shown, key=lambda span: (first.get(span, len(ranked)), span))
        return Remembered(answer, clock, tuple(best), tuple((told.start_s, told.end_s) for told in answer.cited))

    def _built_of(self, path: Path) -> Config:
        """The settings with which the memory of a film is opened, once it is built."""
        whole = path.resolve()
        with self._lock:
            self._folder = self._folder or own_folder(self, "attend-films-")
            film = self._films.setdefault(whole, Lock())
        place = self._folder / f"{path.stem}-{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}"
        config = Config(model=self.builder, folder=place)
        with film:
            if whole not in self._built:
                place.mkdir(parents=True, exist_ok=True)
                with FileLock(place / ".building"):  # another run may build in the same folder
                    build_narrative(str(path), config, Console(file=io.StringIO()), BuildOptions())
                self._built.add(whole)
        return config


async def in_thread(work: Callable[[MLLM], _Said], respond: Respond) -> _Said:
    """Run what asks a model in a thread, while the event loop asks the model under test for it.

    The thread is of its own: those of the event loop drive the model, and would all be waiting for it.

    Raises:
        ModelError: if the model fails; and whatever else `work` raises.
    """
    model = _Asked.of(respond, asyncio.get_running_loop())
    threads = ThreadPoolExecutor(1, "film")
    context = contextvars.copy_context()  # in it stands which attempt this is
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(work, model))
    finally:
        model.leave()
        threads.shutdown(wait=False)


class _Asked(MLLM):
    """The model under test, for code that waits for its answers."""

    _respond: Any = PrivateAttr()
    _loop: Any = PrivateAttr()
    _pending: Future[str] | None = PrivateAttr(default=None)
    _left: bool = PrivateAttr(default=False)

    @classmethod
    def of(cls, respond: Respond, loop: asyncio.AbstractEventLoop) -> _Asked:
        asked = cls(spec="the model under test")
        asked._respond, asked._loop = respond, loop
        return asked

    def leave(self) -> None:
        """Let the thread ask nothing more, where nobody waits for it any longer."""
        self._left = True
        if self._pending is not None:
            self._pending.cancel()

    @property
    def abilities(self) -> Abilities:
        return Abilities(images=False)

    @property
    def _llm_type(self) -> str:
        return "attend-asked"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self._left:
            raise ModelError("the attempt is over.")
        put = self._respond(_as_messages(messages), max_tokens=kwargs.get("max_tokens"))
        self._pending = asyncio.run_coroutine_threadsafe(put, self._loop)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._pending.result()))])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("narrative memory asks for whole answers")


def _as_messages(messages: Sequence[BaseMessage]) -> list[Message]:
    roles = {"system": "system", "human": "user", "ai": "assistant"}
    return [Message(roles[message.type], (text_of(message),)) for message in messages]  # type: ignore[arg-type]
