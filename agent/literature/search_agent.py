"""Agentic literature search: the model writes queries and opens abstracts within a budget.

Each step is one model call that names one action as JSON. Code runs it, counts its cost, and refuses actions over the
budget and documents that no search has listed. Only opened documents can be cited later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agent.literature.answer import answer_question
from agent.literature.prompts import format_document, format_list, load_prompt, truncate_document
from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer, ask_json
from tools.base import untrusted
from tools.errors import ConfigError
from tools.literature.index.vectors import Embed
from tools.literature.retrieval.retrieve import DEPTH, NO_FILTERS, Near, Query, Rerank, Retrieved, retrieve
from tools.literature.support.answer import LiteratureAnswer, quote_evidence
from tools.literature.support.quote_match import cite_id, same_id
from tools.literature.types import Document, Filters, Hit, Problem, Source

LISTED = 10
"""Number of documents that a search lists."""
MAX_OPENED_AT_ONCE = 5
"""Number of documents that one action can open, as in CURE's agent setting as we read it."""
MAX_TOKENS = 300
"""Maximum tokens of an action."""
_CHARS_A_TOKEN = 3
"""Characters per token for estimating the cost of a step, on the safe side: English has about four."""


class Budget(BaseModel):
    """Hard limits of a search for evidence.

    Attributes:
        searches: queries.
        abstracts: opened documents.
        tokens: tokens read and written by the model; a step that could exceed this is not started.
        steps: model calls, which also bounds notes and refused actions; the last may be repaired by one more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    searches: int = Field(default=6, ge=1)
    abstracts: int = Field(default=20, ge=1)
    tokens: int = Field(default=40_000, ge=1)
    steps: int = Field(default=24, ge=1)


class Action(BaseModel):
    """The model's next action."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: Literal["search", "open", "note", "finish"]
    query: str = Field(default="", max_length=500)
    ids: tuple[str, ...] = Field(default=(), max_length=50)
    text: str = Field(default="", max_length=2_000)

    @field_validator("ids", mode="before")
    @classmethod
    def _is_a_list(cls, ids: object) -> object:
        """Accept a single id, which small models write instead of a list."""
        return [ids] if isinstance(ids, str) else ids

    @model_validator(mode="after")
    def _is_whole(self) -> Action:
        lacking = {"search": not self.query.strip(), "open": not self.ids, "note": not self.text.strip()}
        if lacking.get(self.action):
            raise ValueError(f"{self.action!r} needs {dict(search='query', open='ids', note='text')[self.action]!r}")
        return self


class SearchOutcome(BaseModel):
    """Result of a model's own search.

    Attributes:
        opened: the documents that it opened, in order.
        retrieved: all documents that its searches listed, best first, with the queries and problems.
        notes: its notes.
        searches, abstracts, steps, tokens: what was spent; tokens are estimated if the model does not report them.
        stopped: `finished`, or the limit or error that ended the search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    opened: tuple[Document, ...] = ()
    retrieved: Retrieved
    notes: tuple[str, ...] = ()
    searches: int = 0
    abstracts: int = 0
    steps: int = 0
    tokens: int = 0
    stopped: str = "finished"


def search_with_model(
    question: str,
    sources: Sequence[Source],
    model: MLLM,
    *,
    budget: Budget | None = None,
    filters: Filters = NO_FILTERS,
    embed: Embed | None = None,
    rerank: Rerank | None = None,
    diversity: float = 0.0,
    findings: str = "",
    passes: Callable[[Document], bool] | None = None,
    progress: Callable[[str], None] | None = None,
) -> SearchOutcome:
    """Have a model search for evidence.

    Args:
        question: the question.
        sources, filters, embed, rerank, diversity: see `tools.literature.retrieval.retrieve.retrieve`.
        model: any with structured output.
        budget: the limits.
        findings: imaging findings, given to the model, which may search for them.
        passes: whether a document may be listed and opened; None allows all.
        progress: called with a description of each action.

    Raises:
        ModelError: if the model fails. An invalid answer ends the search with what it has found.
        ConfigError, StoreError: as `retrieve`.
    """
    find = partial(
        retrieve, sources=sources, limit=LISTED, filters=filters, embed=embed, rerank=rerank, diversity=diversity
    )
    return _SearchAgent(question, find, model, budget or Budget(), findings, passes).run(
        progress or (lambda message: None)
    )


def answer_with_search(
    question: str,
    sources: Sequence[Source],
    model: MLLM,
    *,
    budget: Budget | None = None,
    filters: Filters = NO_FILTERS,
    embed: Embed | None = None,
    rerank: Rerank | None = None,
    diversity: float = 0.0,
    findings: str = "",
    progress: Callable[[str], None] | None = None,
) -> tuple[LiteratureAnswer, SearchOutcome]:
    """Have a model search for evidence, and answer from what it opened; arguments and errors as `search_with_model`.

    `answer_question` chooses at most `MOST_DOCUMENTS` relevant documents among the opened ones. If none is relevant,
    the model is not asked for an answer.
    """
    outcome = search_with_model(
        question, sources, model, budget=budget, filters=filters, embed=embed, rerank=rerank, diversity=diversity,
        findings=findings, progress=progress,
    )  # fmt: skip
    ids = {document.id for document in outcome.opened}
    hits = sorted(
        outcome.retrieved.hits, key=lambda hit: hit.document.id not in ids
    )  # the others serve as corpus for word frequencies
    cosines = _cosines(question, sources, filters, embed) if ids else {}
    retrieved = outcome.retrieved.model_copy(update={"hits": tuple(hits), "cosines": cosines})
    try:
        return answer_question(question, retrieved, model, findings, len(ids)), outcome
    except MalformedAnswer:
        # The model can search but not state claims: quote its documents instead, without naming a model.
        return quote_evidence(question, retrieved, len(ids)), outcome


def _cosines(question: str, sources: Sequence[Source], filters: Filters, embed: Embed | None) -> dict[str, float]:
    """Return the cosines of documents with the question itself (not with the model's queries), by id."""
    near = [source for source in sources if isinstance(source, Near)]
    if embed is None or not near:
        return {}
    vector = embed([question])[0]
    return {hit.document.id: hit.score for source in near for hit in source.near(vector, DEPTH, filters).hits}


class _SearchAgent:
    def __init__(
        self,
        question: str,
        find: Callable[[str], Retrieved],
        model: MLLM,
        budget: Budget,
        findings: str,
        passes: Callable[[Document], bool] | None,
    ) -> None:
        self._question, self._find, self._model, self._budget = question, find, model, budget
        self._findings, self._passes = findings, passes
        self._seen: dict[str, Hit] = {}
        self._opened: dict[str, Document] = {}
        self._notes: list[str] = []
        self._log: list[str] = []
        self._queries: list[Query] = []
        self._problems: list[Problem] = []
        self._cosines: dict[str, float] = {}
        self._asked: set[str] = set()
        self._searches = self._steps = self._tokens = 0
        self._seconds = 0.0

    def run(self, progress: Callable[[str], None]) -> SearchOutcome:
        stopped = ""
        while not stopped:
            prompt = self._prompt()
            expected = 2 * math.ceil(len(prompt) / _CHARS_A_TOKEN) + 3 * MAX_TOKENS  # including a repair
            if self._steps >= self._budget.steps:
                stopped = f"the limit of {self._budget.steps} steps"
            elif self._tokens + expected > self._budget.tokens:
                stopped = f"the limit of {self._budget.tokens} tokens"
            elif self._searches >= self._budget.searches and len(self._opened) >= self._budget.abstracts:
                stopped = "the limits of searches and abstracts"
            else:
                stopped = self._step(prompt, progress)
        return SearchOutcome(
            opened=tuple(self._opened.values()),
            retrieved=Retrieved(
                question=self._question,
                hits=tuple(sorted(self._seen.values(), key=lambda hit: (-hit.score, hit.document.id))),
                cosines=self._cosines,
                queries=tuple(self._queries),
                problems=tuple(self._problems),
                seconds=self._seconds,
            ),
            notes=tuple(self._notes),
            searches=self._searches,
            abstracts=len(self._opened),
            steps=self._steps,
            tokens=self._tokens,
            stopped=stopped,
        )

    def _step(self, prompt: str, progress: Callable[[str], None]) -> str:
        """Run one action; return why the search ends with it, or ""."""
        try:
            answer = ask_json(self._model, prompt, Action, max_tokens=MAX_TOKENS)
        except MalformedAnswer as error:
            self._steps += len(error.answers)
            self._tokens += error.tokens or math.ceil(len(prompt) * len(error.answers) / _CHARS_A_TOKEN)
            return "the model's answer was invalid"
        self._steps += answer.calls
        counted = answer.tokens_in + answer.tokens_out
        self._tokens += counted or math.ceil((len(prompt) * answer.calls + len(answer.text)) / _CHARS_A_TOKEN)
        action = answer.value
        if action.action == "finish":
            return "finished"
        act = {"search": self._search, "open": self._open, "note": self._note}[action.action]
        self._log.append(act(action, progress))
        return ""

    def _search(self, action: Action, progress: Callable[[str], None]) -> str:
        query = " ".join(action.query.split())
        if self._searches >= self._budget.searches:
            return f"search {untrusted(query)}: refused, no search is left."
        if query.casefold() in self._asked:
            return f"search {untrusted(query)}: refused, this was searched for already."
        self._asked.add(query.casefold())
        self._searches += 1
        progress(f"searching for {query}")
        try:
            found = self._find(query)
        except ConfigError as error:  # a query without words, which the model can correct
            return f"search {untrusted(query)}: failed: {untrusted(str(error))}"
        self._queries += found.queries
        self._problems = list(dict.fromkeys([*self._problems, *found.problems]))
        self._seconds += found.seconds
        self._cosines |= found.cosines
        hits = [hit for hit in found.hits if self._passes is None or self._passes(hit.document)]
        for hit in hits:
            best = self._seen.get(hit.document.id)
            if best is None or hit.score > best.score:
                self._seen[hit.document.id] = hit
        listing = format_list([hit.document for hit in hits]) or "nothing was found"
        problems = "".join(f"\n({problem.source}: {untrusted(problem.reason)})" for problem in found.problems)
        return f"search {untrusted(query)}:\n{listing}{problems}"

    def _open(self, action: Action, progress: Callable[[str], None]) -> str:
        lines = []
        for id_ in tuple(dict.fromkeys(action.ids))[:MAX_OPENED_AT_ONCE]:
            hit = next((hit for known, hit in self._seen.items() if same_id(known, id_)), None)
            if hit is None:
                lines.append(f"open {untrusted(id_[:120])}: refused, no search has listed it.")
            elif hit.document.id in self._opened:
                lines.append(f"open [{cite_id(hit.document.id)}]: it is open already.")
            elif len(self._opened) >= self._budget.abstracts:
                lines.append("open: refused, no abstract is left.")
            else:
                progress(f"reading {hit.document.id}")
                self._opened[hit.document.id] = hit.document
                lines.append(f"open:\n{format_document(truncate_document(hit.document))}")
        return "\n".join(lines)

    def _note(self, action: Action, progress: Callable[[str], None]) -> str:
        note = " ".join(action.text.split())[:500]
        self._notes.append(note)
        return f"note: {untrusted(note)}"

    def _prompt(self) -> str:
        budget = self._budget
        left = (
            f"Left: {budget.searches - self._searches} searches, {budget.abstracts - len(self._opened)} abstracts, "
            f"{max(0, budget.tokens - self._tokens)} tokens."
        )
        seen = f"\nFindings in pictures: {untrusted(self._findings)}" if self._findings else ""
        past = "\n\n".join(self._log) or "(nothing yet)"
        return f"{load_prompt('step')}\nQuestion: {self._question}{seen}\n\nSo far:\n{past}\n\n{left}\n"
