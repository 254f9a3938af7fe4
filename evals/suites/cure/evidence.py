"""Evidence of a case in each setting: a pure function of the case, the papers and the search results.

base                    nothing
no_image                nothing, and no images
reference               the papers that physicians cite for the case, and no others
rag                     the first of what one search brings, with the case's own words or one query that a model writes
agent                   what the model searches for and opens itself, within a budget: Attend's own search for evidence
reference+distractors   the cited papers among others of the same MeSH headings
shuffled_reference      the papers that another case cites

It does not depend on any diagnosis, option or answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from agent.literature.search_agent import Budget, search_with_model
from agent.models.protocol import MLLM
from evals.suites.cure.cases import Case
from evals.suites.cure.leaks import leak, outgoing
from evals.suites.cure.library import Library
from tools.literature.types import Document, Filters, Found, Hit, Problem

Setting = Literal[
    "base", "reference", "rag", "agent", "reference+distractors", "shuffled_reference", "no_image"
]  # fmt: skip
SETTINGS: tuple[Setting, ...] = get_args(Setting)
SEARCHING: tuple[Setting, ...] = ("rag", "agent")
SEEK = "Which diagnosis fits this case, and what is known of it?\n{case}"
WRITE = (
    "Write one search query for a database of medical papers that would find what helps to diagnose this case: a few "
    "words, without the patient's age, dates or places. Answer with the query alone.\n{case}"
)
QUERY = 300
"""Maximum number of characters of a query that a model writes."""
RETMAX = 50
"""Documents requested from a search, before leaks are dropped and the first ones taken."""


@dataclass(frozen=True)
class Shown:
    """The evidence of a case.

    Attributes:
        documents: the papers that the model reads, in the order of its numbers from 1.
        queries: the queries as they were sent.
        dropped: why documents were withheld, by id.
        missing: cited papers without an abstract; of some there is not even a title.
        problems: why results may be incomplete.
        stopped: what ended an agent's search.
    """

    documents: tuple[Document, ...] = ()
    queries: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    stopped: str = ""


def case_query(case: Case, findings: bool) -> str:
    """Return the query in the setting `rag`: the history, and the findings if they are shown."""
    return outgoing(f"{case.history}\n{case.findings_text}" if findings else case.history)


def written_query(reply: str) -> str:
    """Return the query that a model wrote: its first line with words, sanitised."""
    lines = (line.strip().strip('"`') for line in reply.splitlines())
    return outgoing(next((line for line in lines if any(map(str.isalnum, line))), ""))[:QUERY]


async def evidence(
    setting: Setting, case: Case, other: Case, library: Library, *, query: str = "", k: int, distractors: int
) -> Shown:
    """Return the evidence of a case in a setting other than `agent`.

    Args:
        setting: which.
        case: the case.
        other: the case whose papers are shown in `shuffled_reference`.
        library: of papers; not used in `base` and `no_image`.
        query: the query in `rag`, as `case_query` or `written_query` returns it.
        k: papers of a search.
        distractors: papers mixed among the cited ones.

    Raises:
        DataError: if searches are offline, and this one is not recorded.
        StoreError: if an index cannot be made or read.
    """
    if setting == "reference":
        return _cited(case, library)
    if setting == "shuffled_reference":
        return _cited(other, library)
    if setting == "reference+distractors":
        given = _cited(case, library)
        mixed = (*given.documents, *_distractors(case, given.documents, library, distractors))
        return Shown(tuple(sorted(mixed, key=lambda one: _place(case, one))), missing=given.missing)
    if setting == "rag":
        found = await library.search(query, RETMAX)
        kept, dropped = guarded(case, found.documents, library.blocked)
        return Shown(tuple(kept[:k]), (query,), dropped, problems=found.problems)
    return Shown()


def guarded(
    case: Case, documents: Sequence[Document], blocked: tuple[str, ...]
) -> tuple[list[Document], dict[str, str]]:
    """Split search results into what may be shown, and reasons why the rest may not, by id."""
    reasons = {document.id: leak(case, document, blocked) for document in documents}
    kept = [document for document in documents if reasons[document.id] is None]
    return kept, {id_: reason for id_, reason in reasons.items() if reason is not None}


def sought(case: Case, told: str, library: Library, model: MLLM, budget: Budget) -> Shown:
    """The evidence that a model searches for and opens by itself (`agent.literature.search_agent.search_with_model`).

    Args:
        case: the case, to recognise leaks.
        told: the case in words, which is all that the model knows.
        library: of papers.
        model: the searching model; called synchronously.
        budget: hard limits.

    Raises:
        ModelError: if the model fails.
        DataError, StoreError: as `evidence`.
    """
    desk = _Desk(case, library)
    found = search_with_model(SEEK.format(case=told), [desk], model, budget=budget, passes=desk.passes)
    problems = tuple(dict.fromkeys(problem.reason for problem in found.retrieved.problems))
    return Shown(found.opened, tuple(desk.queries), desk.dropped, problems=problems, stopped=found.stopped)


class _Desk:
    """The library as an agent's source that sanitises queries and withholds leaks, and records both.

    Queried once per query, like a remote source, since the library ranks its results itself.
    """

    name, remote = "library", True

    def __init__(self, case: Case, library: Library) -> None:
        self._case, self._library = case, library
        self.queries: list[str] = []
        self.dropped: dict[str, str] = {}

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """Find documents, as `tools.literature.types.Source` defines it; there are no filters here."""
        sent = outgoing(query)
        self.queries.append(sent)
        brought = self._library.search_now(sent, min(limit, RETMAX))
        hits = (Hit(document=document, score=-float(rank)) for rank, document in enumerate(brought.documents))
        return Found(
            hits=tuple(hits), problems=tuple(Problem(source=self.name, reason=one) for one in brought.problems)
        )

    def fetch(self, ids: Sequence[str]) -> Found:
        """Fetch documents by id."""
        held = [self._library.documents[id_] for id_ in ids if id_ in self._library.documents]
        return Found(hits=tuple(Hit(document=document, score=0.0) for document in held))

    def passes(self, document: Document) -> bool:
        """Return whether a document may be listed and opened."""
        kept, dropped = guarded(self._case, [document], self._library.blocked)
        self.dropped |= dropped
        return bool(kept)


def _cited(case: Case, library: Library) -> Shown:
    held = [library.documents.get(id_) for id_ in case.cited_pmids]
    missing = tuple(id_ for id_, one in zip(case.cited_pmids, held, strict=True) if one is None or not one.text)
    return Shown(tuple(one for one in held if one is not None), missing=missing)


def _distractors(case: Case, cited: Sequence[Document], library: Library, count: int) -> list[Document]:
    """Return papers that share most MeSH headings with the cited ones; ties by lower id."""
    headings = {heading.casefold() for document in cited for heading in document.mesh}
    shared = [
        (-len(headings & {heading.casefold() for heading in document.mesh}), id_)
        for id_, document in library.documents.items()
        if id_ not in case.cited_pmids
    ]
    near = [library.documents[id_] for number, id_ in sorted(shared) if number < 0]
    return guarded(case, near, library.blocked)[0][:count]


def _place(case: Case, document: Document) -> str:
    """Return the sort key that mixes papers: deterministic, and independent of whether they are cited."""
    return hashlib.sha256(f"{case.case_id}\0{document.id}".encode()).hexdigest()
