"""Narrative memories of films for a run: each is built once, and then queried by any number of threads."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from filelock import FileLock
from rich.console import Console

from agent.cli.narrative import BuildOptions, build_narrative, built_source, open_store
from agent.config import Config
from agent.models.protocol import MLLM
from agent.narrative.answer import NarrativeAnswer, answer_question, search
from agent.narrative.cached_llm import Asker
from evals.suites.judges import own_folder
from evals.suites.na_vqa.retrieval_rows import told_spans
from evals.suites.na_vqa.scorer import Span


@dataclass(frozen=True)
class MemoryAnswer:
    """An answer from memory.

    Attributes:
        answer: the answer of narrative memory.
        clock: what its times count, `seconds` or `sections`.
        told: times of the events that the model saw, best first.
        cited: times of the events that the answer cites, in its order.
    """

    answer: NarrativeAnswer
    clock: str
    told: tuple[Span, ...]
    cited: tuple[Span, ...]


class Films:
    """The memories of a run's films, each in a folder of its own.

    Args:
        folder: folder of the memories, shared with other runs; None keeps them as long as this object.
        builder: the model string for captions and events; `embedded` leaves events to rules.
    """

    def __init__(self, folder: Path | None, builder: str) -> None:
        self.builder, self._folder = builder, folder
        self._lock = Lock()
        self._films: dict[Path, Lock] = {}
        self._built: set[Path] = set()

    def ask(self, path: Path, question: str, model: MLLM | None) -> MemoryAnswer:
        """Answer a question from the memory of a film, which the first caller builds while others wait.

        Args:
            path: the film, or its words.
            question: the question.
            model: the answering model; None quotes the evidence.

        Raises:
            MediaError: if the film cannot be read.
            StoreError: if the memory cannot be written or read.
            ModelError: if a model fails; MalformedAnswer, a subclass, if its answer cannot be used.
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
        return MemoryAnswer(answer, clock, tuple(best), tuple((told.start_s, told.end_s) for told in answer.cited))

    def _built_of(self, path: Path) -> Config:
        """Return the settings to open the memory of a film, building it first if needed."""
        whole = path.resolve()
        with self._lock:
            self._folder = self._folder or own_folder(self, "attend-films-")
            film = self._films.setdefault(whole, Lock())
        place = self._folder / f"{path.stem}-{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}"
        config = Config(model=self.builder, folder=place)
        with film:
            if whole not in self._built:
                place.mkdir(parents=True, exist_ok=True)
                with FileLock(place / ".building"):  # another run may be building in the same folder
                    build_narrative(str(path), config, Console(file=io.StringIO()), BuildOptions())
                self._built.add(whole)
        return config
