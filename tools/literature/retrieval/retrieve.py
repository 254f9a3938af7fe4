"""Retrieval for a question from several sources and channels, as one ranking: `retrieve`.

Each source is searched by words. A local one is searched twice more: with synonyms, and by vectors, if it has them.
Rankings are fused by rank (`tools.literature.retrieval.rank_fusion.rrf`), since scores of different channels are not
comparable, and a cross-encoder may rerank the first documents.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict

from tools.errors import ConfigError
from tools.literature.identifiers import normal_id
from tools.literature.index.vectors import Embed
from tools.literature.retrieval.dedup import names_of, same_papers
from tools.literature.retrieval.rank_fusion import mmr, rrf
from tools.literature.retrieval.synonyms import expand as expanded
from tools.literature.retrieval.synonyms import reworded
from tools.literature.retrieval.tokens import tokens
from tools.literature.types import Document, Filters, Found, Hit, Problem, Source

DEPTH = 100
"""Minimum number of documents per channel, like MedRAG's max(2k, 100)."""
REMOTE_DEPTH = 50
"""Number of documents per remote source, which sends each one."""
WEIGHTS = {"expanded": 0.5}
"""Weights of channels, by the last part of their name, other than 1; our choice: synonyms count for less than the words
of the question."""
TRUST = 2.0
"""Where vectors were compared, too, the weight of a source's words is the share of the question that their first hit
covers, to this power: words that no document shares with a question are weak evidence against its meaning. Chosen on
one half of the questions of `evals.bench.literature`, which measures it on the other."""
RERANKED = 32
"""Number of first documents that a cross-encoder reads, at some tens of milliseconds each."""
NO_FILTERS = Filters()
NO_WORD = (
    "no document has a word of the query: the results are only nearest in meaning, and may be about something else"
)

Rerank = Callable[[str, list[str]], Sequence[float]]
"""A question and N texts to N scores, the higher the better."""


@runtime_checkable
class Near(Protocol):
    """A source with vectors of its documents."""

    def near(self, vector: np.ndarray, limit: int, filters: Filters) -> Found:
        """Find at most `limit` documents by the cosine with a unit vector (D,), which is their score."""


@runtime_checkable
class Retractions(Protocol):
    """A source that knows which papers were retracted."""

    def retracted(self, names: Sequence[str]) -> set[str]:
        """Return those of some names (see `tools.literature.retrieval.dedup.names_of`) whose paper was retracted."""


class Query(BaseModel):
    """A query sent to a source.

    Attributes:
        source: name of the source.
        channel: `words`, `expanded`, `dense` or `id`.
        text: the query; empty for a vector.
        found: number of documents returned; at most `DEPTH`, or twice the limit.
        seconds: duration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    channel: str
    text: str
    found: int
    seconds: float


class Retrieved(BaseModel):
    """The result of a retrieval.

    Attributes:
        question: the question.
        hits: best first; the ranks of each name its channels, such as `local bm25`, `local dense` or `pubmed`.
        cosines: of documents with the question, by id, if vectors were compared.
        queries: the queries, in order.
        problems: why the result is partial, if it is.
        seconds: total duration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    hits: tuple[Hit, ...] = ()
    cosines: dict[str, float] = {}
    queries: tuple[Query, ...] = ()
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0


def retrieve(
    question: str,
    sources: Sequence[Source],
    *,
    limit: int = 10,
    filters: Filters = NO_FILTERS,
    embed: Embed | None = None,
    rerank: Rerank | None = None,
    expand: bool = True,
    diversity: float = 0.0,
) -> Retrieved:
    """Find documents for a question.

    Args:
        question: in words, or an id such as `pmid:28612165` or a DOI, which fetches its document.
        sources: the sources, in this order.
        limit: maximum number of documents.
        filters: conditions on documents. Retracted ones are left out at the end: a retraction missing in one source or
            record may be known to another.
        embed: makes a vector of the question, for sources with vectors; None searches by words only.
        rerank: reranks the first `RERANKED`.
        expand: also search local sources with synonyms. Remote ones know synonyms themselves, and each query takes
            time.
        diversity: 0 to 1, penalty for documents similar to better ones (see
            `tools.literature.retrieval.rank_fusion.mmr`).

    Returns:
        The best documents, with the reasons why the result may be partial. Equal input gives an equal order.

    Raises:
        ConfigError: if the question is empty, or a number is out of range.
        StoreError: if the local index cannot be read, or has vectors of another model.
    """
    if not tokens(question):
        raise ConfigError(f"cannot search for {question!r}: no words.", expected="some words")
    if limit < 1 or not 0 <= diversity <= 1:
        wrong = f"limit {limit!r}" if limit < 1 else f"diversity {diversity!r}"
        raise ConfigError(f"invalid {wrong}.", expected="a limit of 1 or more, a diversity of 0 to 1")
    started = time.monotonic()
    if id_ := normal_id(question):
        return _by_id(question, id_, sources, filters, started)
    asking = _Asking(max(2 * limit, DEPTH), filters.model_copy(update={"exclude_retracted": False}))
    vector: np.ndarray | None = None
    for source in sources:
        channel = source.name if source.remote else f"{source.name} bm25"
        found = asking.words(source, channel, "words", question)
        if not source.remote and expand and (others := expanded(question, found.hits)):
            text, whole = reworded(question, others)
            asking.words(source, f"{source.name} {'reworded' if whole else 'expanded'}", "expanded", text)
        if embed is not None and isinstance(source, Near):
            vector = embed([question])[0] if vector is None else vector
            asking.dense(source, vector)
            if not found.hits:
                asking.problems.append(Problem(source=source.name, reason=NO_WORD))
    hits = asking.fused(sources)
    if filters.exclude_retracted:
        hits = [hit for hit in hits if not hit.document.retracted]
    if rerank is not None and hits:
        hits = _reranked(question, hits, rerank)
    if diversity:
        pool = hits[: max(2 * limit, RERANKED)]
        words = [tokens(f"{hit.document.title} {hit.document.text}") for hit in pool]
        hits = [pool[place] for place in mmr([hit.score for hit in pool], words, limit, 1 - diversity)]
    return Retrieved(
        question=question,
        hits=tuple(hits[:limit]),
        cosines=asking.cosines,
        queries=tuple(asking.queries),
        problems=tuple(asking.problems),
        seconds=time.monotonic() - started,
    )


def _by_id(question: str, id_: str, sources: Sequence[Source], filters: Filters, started: float) -> Retrieved:
    """Return the document that an id names, from the first source that has it."""
    asking = _Asking(1, filters)
    for source in sources:
        if asking.id(source, id_):
            break
    hits = [hit for hit in asking.fused(sources) if filters.passes(hit.document)]
    return Retrieved(
        question=question,
        hits=tuple(hits),
        queries=tuple(asking.queries),
        problems=tuple(asking.problems),
        seconds=time.monotonic() - started,
    )


class _Asking:
    """Queries sources, and collects the rankings by channel."""

    def __init__(self, depth: int, filters: Filters) -> None:
        self._depth, self._filters = depth, filters
        self._documents: dict[str, Document] = {}
        self._rankings: dict[str, list[str]] = {}
        self._covers: dict[str, float] = {}
        self.cosines: dict[str, float] = {}
        self.queries: list[Query] = []
        self.problems: list[Problem] = []

    def words(self, source: Source, channel: str, kind: str, query: str) -> Found:
        depth = min(self._depth, REMOTE_DEPTH) if source.remote else self._depth
        started = time.monotonic()
        found = source.search(query, depth, self._filters)
        self._take(source.name, channel, kind, query, found, started)
        if found.cover is not None:
            self._covers[channel] = found.cover
        return found

    def id(self, source: Source, id_: str) -> bool:
        started = time.monotonic()
        found = source.fetch([id_])
        self._take(source.name, source.name, "id", id_, found, started)
        return bool(found.hits)

    def dense(self, source: Source, vector: np.ndarray) -> None:
        assert isinstance(source, Near)
        started = time.monotonic()
        found = source.near(vector, self._depth, self._filters)
        self._take(source.name, f"{source.name} dense", "dense", "", found, started)
        self.cosines |= {hit.document.id: hit.score for hit in found.hits}

    def fused(self, sources: Sequence[Source]) -> list[Hit]:
        """Return everything found as one ranking, each paper once, flagged if any source knows of a retraction."""
        same = self._merge(sources)
        rankings = {channel: list(dict.fromkeys(same[id_] for id_ in ids)) for channel, ids in self._rankings.items()}
        self._rankings = rankings
        cosines: dict[str, float] = {}
        for id_, cosine in self.cosines.items():
            cosines[same[id_]] = max(cosine, cosines.get(same[id_], cosine))
        self.cosines = cosines
        weights = {channel: WEIGHTS.get(channel.split()[-1], 1.0) for channel in self._rankings}
        if self.cosines:
            weights |= {channel: weights[channel] * self._covers[channel] ** TRUST
                        for channel in self._rankings if channel in self._covers}  # fmt: skip
        ranks: dict[str, dict[str, int]] = {}
        for channel, ids in self._rankings.items():
            for rank, id_ in enumerate(ids, start=1):
                ranks.setdefault(id_, {})[channel] = rank
        return [
            Hit(document=self._documents[id_], score=score, ranks=ranks[id_])
            for id_, score in rrf(self._rankings, weights)
        ]

    def _take(self, source: str, channel: str, kind: str, query: str, found: Found, started: float) -> None:
        seconds = time.monotonic() - started
        self.queries.append(
            Query(source=source, channel=kind, text=query, found=len(found.hits), seconds=round(seconds, 6))
        )
        self.problems = list(dict.fromkeys([*self.problems, *found.problems]))
        for hit in found.hits:
            known = self._documents.setdefault(hit.document.id, hit.document)
            if hit.document.retracted and not known.retracted:
                self._documents[known.id] = known.model_copy(update={"retracted": True})
        if found.hits:
            self._rankings[channel] = [hit.document.id for hit in found.hits]

    def _merge(self, sources: Sequence[Source]) -> dict[str, str]:
        """Map each id to the document that represents its paper; one retracted record flags them all."""
        documents = list(self._documents.values())
        same = same_papers(documents)
        names = {document.id: names_of(document) for document in documents}
        asked = sorted({name for held in names.values() for name in held})
        flagged = {name for document in documents if document.retracted for name in names[document.id]}
        for source in sources:
            if isinstance(source, Retractions):
                flagged |= source.retracted(asked)
        papers = {same[id_] for id_, held in names.items() if not flagged.isdisjoint(held)}
        for document in documents:
            if not document.retracted and (same[document.id] in papers or not flagged.isdisjoint(names[document.id])):
                self._documents[document.id] = document.model_copy(update={"retracted": True})
        return same


def _reranked(question: str, hits: list[Hit], rerank: Rerank) -> list[Hit]:
    """Return the first hits in a cross-encoder's order, with its rank and score, followed by the others."""
    first, rest = hits[:RERANKED], hits[RERANKED:]
    scores = [float(score) for score in rerank(question, [reading_text(hit.document) for hit in first])]
    if len(scores) != len(first):
        raise ConfigError(f"invalid output of the cross-encoder: {len(scores)} scores for {len(first)} documents.")
    order = sorted(range(len(first)), key=lambda place: (-scores[place], first[place].document.id))
    # Reranked hits precede the others, whatever the scale of their scores.
    top = 1.0 + rest[0].score if rest else 1.0
    return [
        first[place].model_copy(
            update={"score": top + (len(first) - rank) / len(first), "ranks": {**first[place].ranks, "reranked": rank}}
        )
        for rank, place in enumerate(order, start=1)
    ] + rest


def reading_text(document: Document) -> str:
    """Return the text of a document for a cross-encoder: title and text."""
    return "\n".join(part for part in (document.title, document.text) if part)
