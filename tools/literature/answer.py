"""Answers that rest on documents: claims, each with the ids and the exact words that support it, checked by code.

`check_claims` decides what a model may say, and `quote_evidence` answers without one. In both, a retracted document is
never the only support, documents that say opposite things are shown as such, and where nothing bears on the question
the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.literature.bearing import FIRST, POOL, bearing, best_sentences
from tools.literature.citing import Span, find_quote, left_out_negation, mentions, quoted, same_id, sentence_of
from tools.literature.questions import is_yes_no, stems
from tools.literature.retrieve import Query, Retrieved
from tools.literature.stance import Stance
from tools.literature.types import Document, Hit, Problem

NOTICE = "For research use; not medical advice."
NOTHING = "The literature at hand says nothing of this."
LEAST_SHARED = 0.25
"""The share of a claim's words that its quotes, their sentences or titles have to hold; below it the claim is marked.
Our choice."""
MOST_DOCUMENTS = 8
"""Documents that an answer is looked for in, at most; our choice."""
_NUMBER = re.compile(r"(?<![\w-])\d+(?:[.,·]\d+)*(?![\w-]*[a-z])", re.IGNORECASE)


class StatedCitation(BaseModel):
    """A document and a quote as a model states them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    quote: str


class StatedClaim(BaseModel):
    """A claim as a model states it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(min_length=1, max_length=1_000)
    stance: Stance = "unclear"
    citations: tuple[StatedCitation, ...] = Field(default=(), max_length=12)

    @field_validator("stance", mode="before")
    @classmethod
    def _is_known(cls, stance: object) -> object:
        """Small models write "neutral" or null where they cannot say."""
        return stance if stance in ("yes", "no") else "unclear"


class Citation(BaseModel):
    """What supports a claim.

    Attributes:
        document_id: of the document.
        quote: its words, as it has them.
        sentence: the whole sentence, or sentences, that they stand in.
        span: where the quote stands.
        retracted: whether the document was retracted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document_id: str
    quote: str
    sentence: str
    span: Span
    retracted: bool = False


class Claim(BaseModel):
    """Something that is said, and what supports it.

    Attributes:
        text: in words; of an answer without a model, those of the document.
        stance: what it says of a yes-no question.
        citations: at least one, of which at least one is of a document that was not retracted.
        cautions: what a reader should know of it, such as a citation that was left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    stance: Stance = "unclear"
    citations: tuple[Citation, ...] = Field(min_length=1)
    cautions: tuple[str, ...] = ()


class Dropped(BaseModel):
    """A claim that was left out, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    reason: str


class LiteratureAnswer(BaseModel):
    """An answer, and all that it rests on.

    Attributes:
        question: as asked.
        claims: what is said, in order.
        dropped: what a model said without support.
        documents: what was shown to whoever answered, best first; every citation is of one of them.
        conflict: whether claims of different documents say yes and no.
        abstained: whether there is no claim.
        reason: why not, in words; empty where there is one.
        model: who answered; empty where sentences were chosen by rule.
        queries: what was searched for.
        problems: why the evidence may be partial.
        notice: what it is for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    claims: tuple[Claim, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    documents: tuple[Document, ...] = ()
    conflict: bool = False
    abstained: bool = False
    reason: str = ""
    model: str = ""
    queries: tuple[Query, ...] = ()
    problems: tuple[Problem, ...] = ()
    notice: str = NOTICE

    @property
    def cited(self) -> list[Document]:
        """The documents that claims rest on, in the order in which they are first cited."""
        ids = dict.fromkeys(citation.document_id for claim in self.claims for citation in claim.citations)
        by_id = {document.id: document for document in self.documents}
        return [by_id[id_] for id_ in ids]

    @property
    def retracted(self) -> list[Document]:
        """Those of the documents that were retracted."""
        return [document for document in self.documents if document.retracted]


def quote_evidence(question: str, retrieved: Retrieved, first: int = FIRST) -> LiteratureAnswer:
    """Answer by the sentences that say most on a question, word for word; abstain where too little bears on it.

    Args:
        question: in words.
        retrieved: what was found; `bearing.POOL` documents tell best which words are rare.
        first: documents that are looked at.
    """
    bear = bearing(question, retrieved.hits, retrieved.cosines, first)[:MOST_DOCUMENTS]
    documents = tuple(hit.document for hit in bear)
    sound = [document for document in documents if not document.retracted]
    pool = [hit.document for hit in retrieved.hits[:POOL]]
    claims = []
    for sentence in best_sentences(question, sound, pool=pool):
        span = Span(section=sentence.section, start=sentence.start, end=sentence.end)
        says = sentence.stance if is_yes_no(question) else "unclear"
        citation = Citation(document_id=sentence.document.id, quote=sentence.text, sentence=sentence.text, span=span)
        claims.append(Claim(text=" ".join(sentence.text.split()), stance=says, citations=(citation,)))
    reason = "" if claims else why_nothing(retrieved.hits, documents)
    return answer_of(question, retrieved, documents, claims, reason=reason)


def answer_of(
    question: str,
    retrieved: Retrieved,
    documents: Sequence[Document],
    claims: Sequence[Claim],
    dropped: Sequence[Dropped] = (),
    *,
    reason: str = "",
    model: str = "",
) -> LiteratureAnswer:
    """Put an answer together."""
    return LiteratureAnswer(
        question=question,
        claims=tuple(claims),
        dropped=tuple(dropped),
        documents=tuple(documents),
        conflict=disagree(claims),
        abstained=not claims,
        reason="" if claims else reason or NOTHING,
        model=model,
        queries=retrieved.queries,
        problems=retrieved.problems,
    )


def check_claims(
    question: str, stated: Sequence[StatedClaim], shown: Sequence[Document]
) -> tuple[list[Claim], list[Dropped]]:
    """Keep the claims that documents support, each with the citations that hold, and say why others do not.

    A citation holds if its document was shown, its quote stands there word for word (see `find_quote`), and the
    sentence of the quote has no negation before it that is left out. A claim is dropped if none of its citations
    holds, if all of them are of retracted documents, if it names another document, if it has a number that neither a
    quoted sentence nor the question has, or if it shares no word with them. Code checks words, not sense: whether a
    quote means what the claim says is the reader's to judge, so it is shown beside it.
    """
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in stated:
        citations, cautions = _hold(claim.citations, shown)
        text = " ".join(claim.text.split())
        problem = _unsupported(question, claim, citations, cautions, shown)
        if problem:
            dropped.append(Dropped(text=text, reason=problem))
            continue
        words = stems(text)
        if words and len(words & _said(citations, shown)) < LEAST_SHARED * len(words):
            cautions.append("it shares few words with its quotes: read them")
        kept.append(Claim(text=text, stance=claim.stance, citations=tuple(citations), cautions=tuple(cautions)))
    return kept, dropped


def disagree(claims: Sequence[Claim]) -> bool:
    """Whether claims that rest on different documents say yes and no."""
    ids = {
        says: {c.document_id for claim in claims if claim.stance == says for c in claim.citations if not c.retracted}
        for says in ("yes", "no")
    }
    return any(one != other for one in ids["yes"] for other in ids["no"])


def why_nothing(hits: Sequence[Hit], bear: Sequence[Document]) -> str:
    """Why there is no answer, in words."""
    if not hits:
        return f"{NOTHING} No document was found."
    if bear and all(document.retracted for document in bear):
        ids = ", ".join(document.id for document in bear)
        return f"Only retracted documents bear on this ({ids}), and nothing is said on them alone."
    if bear:
        return f"{NOTHING} Documents were found, but no sentence in them answers it."
    return f"{NOTHING} What was found is about something else."


def _hold(stated: Sequence[StatedCitation], shown: Sequence[Document]) -> tuple[list[Citation], list[str]]:
    """The citations that hold, and what is wrong with the others."""
    citations: list[Citation] = []
    wrong: list[str] = []
    for one in stated:
        document = next((document for document in shown if same_id(document.id, one.id)), None)
        if document is None:
            wrong.append(f"it cites {one.id[:80]!r}, which was not shown")
            continue
        span = find_quote(one.quote, document)
        if span is None:
            wrong.append(f"the words it quotes are not in {document.id}: {one.quote[:80]!r}")
        elif negation := left_out_negation(span, document):
            wrong.append(f"its quote of {document.id} leaves out {negation!r}")
        else:
            citation = Citation(
                document_id=document.id,
                quote=quoted(span, document),
                sentence=quoted(sentence_of(span, document), document),
                span=span,
                retracted=document.retracted,
            )
            if citation not in citations:
                citations.append(citation)
    return citations, wrong


def _unsupported(
    question: str, claim: StatedClaim, citations: Sequence[Citation], wrong: Sequence[str], shown: Sequence[Document]
) -> str:
    """Why nothing supports a claim, or ""."""
    if not claim.citations:
        return "it cites nothing"
    if not citations:
        return "; ".join(wrong)
    if all(citation.retracted for citation in citations):
        return f"it rests on retracted documents alone ({', '.join(citation.document_id for citation in citations)})"
    held = [citation.document_id for citation in citations]
    text = claim.text
    for mention in mentions(text):
        if not any(same_id(id_, mention.id) for id_ in held):
            return f"it names {mention.id}, which does not support it"
    told = " ".join([question, *(citation.sentence for citation in citations)])
    lacking = _numbers(_without_mentions(text)) - _numbers(told)
    if lacking:
        return f"it says {', '.join(sorted(lacking))}, which its quotes do not"
    if stems(text) and not stems(text) & _said(citations, shown):
        return "it has no word in common with its quotes"
    return ""


def _said(citations: Sequence[Citation], shown: Sequence[Document]) -> frozenset[str]:
    titles = {document.id: document.title for document in shown}
    return frozenset().union(*(stems(f"{c.sentence} {titles[c.document_id]}") for c in citations))


def _numbers(text: str) -> set[str]:
    """The numbers in a text, as they are written but for separators of thousands and zeros at the end."""
    found = set()
    for number in _NUMBER.findall(text):
        plain = re.sub(r",(?=\d{3}\b)", "", number.replace("·", ".")).replace(",", ".")
        found.add(plain.rstrip("0").rstrip(".") if plain.count(".") == 1 else plain)
    return found


def _without_mentions(text: str) -> str:
    for mention in reversed(mentions(text)):
        text = text[: mention.start] + text[mention.end :]
    return text
