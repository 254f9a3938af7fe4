"""Answers with evidence: claims, each with the ids and exact words that support it, checked by code.

`check_claims` decides what a model may claim, and `quote_evidence` answers without one. In both, a retracted document
is never the only support, documents that contradict each other are shown as such, and the answer says so if nothing is
relevant to the question.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.literature.retrieval.questions import asks_for_effect, is_general, names, stem, stems
from tools.literature.retrieval.relevance import FIRST, POOL, Sentence, bearing, best_sentences, measure
from tools.literature.retrieval.retrieve import Query, Retrieved
from tools.literature.retrieval.synonyms import synonyms
from tools.literature.retrieval.tokens import tokens
from tools.literature.support.qualifiers import misnamed, opposed
from tools.literature.support.quantities import lacking
from tools.literature.support.quote_match import Span, find_quote, mentions, quoted, same_id, sentence_of
from tools.literature.support.stance import Stance, stance, stance_to
from tools.literature.support.support_rules import denies, left_out
from tools.literature.types import Document, Hit, Problem

NOTICE = "For research use; not medical advice."
NOTHING = "The literature at hand says nothing about this."
MIN_SHARED = 0.25
"""Minimum share of a claim's words in its quotes, their sentences or titles; below it the claim is marked. Our
choice."""
MOST_DOCUMENTS = 8
"""Maximum number of documents used for an answer."""
MIN_OF_QUESTION = 0.6
"""Minimum share of the question's words for a claim to count as a yes or no to it; our choice."""
BY_RULE = "chosen by rule from what the model was shown, and did not cite: read it"


class StatedCitation(BaseModel):
    """A document and a quote as stated by a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    quote: str


class StatedClaim(BaseModel):
    """A claim as stated by a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(min_length=1, max_length=1_000)
    stance: Stance = "unclear"
    citations: tuple[StatedCitation, ...] = Field(default=(), max_length=12)

    @field_validator("stance", mode="before")
    @classmethod
    def _is_known(cls, stance: object) -> object:
        """Small models write "neutral" or null if they cannot say."""
        return stance if stance in ("yes", "no") else "unclear"


class Citation(BaseModel):
    """Support of a claim.

    Attributes:
        document_id: id of the document.
        quote: its exact words.
        sentence: the whole sentence, or sentences, of the quote.
        span: place of the quote.
        retracted: whether the document was retracted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document_id: str
    quote: str
    sentence: str
    span: Span
    retracted: bool = False


class Claim(BaseModel):
    """A statement with its support.

    Attributes:
        text: in words; for an answer without a model, those of the document.
        stance: its answer to a yes-no question.
        citations: at least one, with at least one document that was not retracted.
        cautions: warnings for the reader, such as about a removed citation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    stance: Stance = "unclear"
    citations: tuple[Citation, ...] = Field(min_length=1)
    cautions: tuple[str, ...] = ()


class Dropped(BaseModel):
    """A claim that was removed, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    reason: str


class LiteratureAnswer(BaseModel):
    """An answer with its evidence.

    Attributes:
        question: the question.
        claims: the claims, in order.
        dropped: unsupported claims of a model.
        documents: the documents given to the model or the rules, best first; every citation is of one of them.
        conflict: whether claims of different documents say yes and no. If all claims of a model say one of them and one
            of its documents says the other, by its words, that sentence is the last claim.
        abstained: whether there is no claim.
        reason: why there is none; otherwise empty.
        model: name of the model; empty if sentences were chosen by rule.
        queries: the queries.
        problems: why the evidence may be partial.
        notice: the purpose of the answer.
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
        """The documents cited by claims, in the order of their first citation."""
        ids = dict.fromkeys(citation.document_id for claim in self.claims for citation in claim.citations)
        by_id = {document.id: document for document in self.documents}
        return [by_id[id_] for id_ in ids]

    @property
    def retracted(self) -> list[Document]:
        """The documents that were retracted."""
        return [document for document in self.documents if document.retracted]


def quote_evidence(question: str, retrieved: Retrieved, first: int = FIRST) -> LiteratureAnswer:
    """Answer by the most relevant sentences, verbatim; abstain if too little is relevant.

    Args:
        question: in words.
        retrieved: the retrieval; `bearing.POOL` documents give the best estimate of rare words.
        first: number of documents to check.
    """
    asked = measure(question, [hit.document for hit in retrieved.hits[:POOL]])
    relevant = bearing(question, retrieved.hits, retrieved.cosines, first, asked)[:MOST_DOCUMENTS]
    documents = tuple(hit.document for hit in relevant)
    sound = [document for document in documents if not document.retracted]
    claims = [_quoting(question, sentence) for sentence in best_sentences(question, sound, asked=asked)]
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
    """Assemble an answer."""
    if model and claims:
        claims = [*claims, *_other_side(question, claims, documents)]
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
    """Keep the claims that documents support, each with its valid citations, and explain why others are removed.

    A citation is valid if its document was shown, its quote occurs there word for word (see `find_quote`), and the
    sentence of the quote does not invert it, leave it open or state an aim (`support_rules.left_out`). Only citations
    of documents that were not retracted support a claim. A claim is removed if it has no support, if it names another
    document, if no quoted sentence has one of its numbers with the same unit, if it names a substance, a disease or
    another subject of the question that occurs neither in these sentences nor in their titles, if these are of another
    kind (type 1, not 2) or group (adults, not children), if it denies what they say, or if it shares no word with
    them. Instructions to the reader support nothing. Code checks words, not meaning: the reader has to judge whether a
    quote means what the claim says, so it is shown beside it.
    """
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in stated:
        text = " ".join(claim.text.split())
        citations, wrong, cautions = _valid_citations(text, claim.citations, shown)
        problem = _unsupported(question, claim, citations, wrong, shown)
        if problem:
            dropped.append(Dropped(text=text, reason=problem))
            continue
        words, sound = stems(text), [citation for citation in citations if not citation.retracted]
        if words and len(words & _subject_stems(sound, shown)) < MIN_SHARED * len(words):
            cautions.append("it shares few words with its quotes: read them")
        if denies(text, [citation.sentence for citation in sound])[1]:
            cautions.append("by their words, its quotes may say the opposite: read them")
        says = claim.stance
        if _is_opposite(question, text, says):
            says = "unclear"
            cautions.append(f"the model counts it as {claim.stance!r}, and its words say the opposite")
        kept.append(Claim(text=text, stance=says, citations=tuple(citations), cautions=(*wrong, *cautions)))
    return kept, dropped


def disagree(claims: Sequence[Claim]) -> bool:
    """Return whether claims of different documents say yes and no."""
    ids = {
        says: {c.document_id for claim in claims if claim.stance == says for c in claim.citations if not c.retracted}
        for says in ("yes", "no")
    }
    return any(one != other for one in ids["yes"] for other in ids["no"])


def why_nothing(hits: Sequence[Hit], bear: Sequence[Document]) -> str:
    """Explain why there is no answer."""
    if not hits:
        return f"{NOTHING} No document was found."
    if bear and all(document.retracted for document in bear):
        ids = ", ".join(document.id for document in bear)
        return f"Only retracted documents bear on this ({ids}), and they cannot support an answer."
    if bear:
        return f"{NOTHING} Documents were found, but no sentence in them answers it."
    return f"{NOTHING} What was found is about something else."


def _quoting(question: str, sentence: Sentence, *cautions: str) -> Claim:
    """Make a claim of a sentence."""
    span = Span(section=sentence.section, start=sentence.start, end=sentence.end)
    says = stance_to(question, sentence.text, sentence.stance) if asks_for_effect(question) else "unclear"
    citation = Citation(document_id=sentence.document.id, quote=sentence.text, sentence=sentence.text, span=span)
    return Claim(text=" ".join(sentence.text.split()), stance=says, citations=(citation,), cautions=cautions)


def _other_side(question: str, claims: Sequence[Claim], documents: Sequence[Document]) -> list[Claim]:
    """If all claims say yes, or all say no, return the sentence of a shown and uncited document that says the opposite,
    if there is one."""
    stances = {claim.stance for claim in claims} - {"unclear"}
    cited = {citation.document_id for claim in claims for citation in claim.citations}
    others = [document for document in documents if document.id not in cited and not document.retracted]
    if len(stances) != 1 or not others:
        return []
    asked = measure(question, documents)
    opposite = [_quoting(question, sentence, BY_RULE) for sentence in best_sentences(question, others, asked=asked)]
    return [claim for claim in opposite if claim.stance not in {"unclear", *stances}][:1]


def _is_opposite(question: str, text: str, says: Stance) -> bool:
    """Return whether a relevant claim says yes by its words, but is counted as no, or the reverse."""
    asked = stems(question)
    by_words = stance_to(question, text, stance(text))
    if "unclear" in (says, by_words) or says == by_words or not asks_for_effect(question):
        return False
    return len(asked & stems(text)) >= MIN_OF_QUESTION * len(asked)


def _valid_citations(
    text: str, stated: Sequence[StatedCitation], shown: Sequence[Document]
) -> tuple[list[Citation], list[str], list[str]]:
    """Return the valid citations of a claim, what is wrong with the others, and cautions about the valid ones."""
    citations: list[Citation] = []
    wrong: list[str] = []
    cautions: list[str] = []
    for one in stated:
        document = next((document for document in shown if same_id(document.id, one.id)), None)
        if document is None:
            wrong.append(f"it cites {one.id[:80]!r}, which was not shown")
            continue
        span = find_quote(one.quote, document)
        if span is None:
            wrong.append(f"the words it quotes are not in {document.id}: {one.quote[:80]!r}")
            continue
        against, caution = left_out(text, span, document)
        if against:
            wrong.append(f"its quote of {document.id} {against}")
            continue
        if caution:
            cautions.append(f"its quote of {document.id} {caution}")
        citation = Citation(
            document_id=document.id,
            quote=quoted(span, document),
            sentence=quoted(sentence_of(span, document), document),
            span=span,
            retracted=document.retracted,
        )
        if citation not in citations:
            citations.append(citation)
    return citations, wrong, cautions


def _unsupported(
    question: str, claim: StatedClaim, citations: Sequence[Citation], wrong: Sequence[str], shown: Sequence[Document]
) -> str:
    """Return why nothing supports a claim, or ""."""
    if not claim.citations:
        return "it cites nothing"
    if not citations:
        return "; ".join(wrong)
    sound = [citation for citation in citations if not citation.retracted]
    if not sound:
        ids = ", ".join(citation.document_id for citation in citations)
        return "; ".join([f"it rests on retracted documents alone ({ids})", *wrong])
    held = [citation.document_id for citation in citations]
    for mention in mentions(claim.text):
        if not any(same_id(id_, mention.id) for id_ in held):
            return f"it names {mention.id}, which does not support it"
    sentences = [citation.sentence for citation in sound]
    text = _without_mentions(claim.text)
    if numbers := lacking(text, " ".join(sentences), question):
        return f"it says {', '.join(numbers)}, which its quotes do not"
    if others := _missing_subjects(question, text, sound, shown):
        return f"it speaks of {', '.join(map(repr, others))}, and its quotes do not"
    evidence = _texts(sound, shown)
    if others := misnamed(text, evidence):
        return f"it speaks of {', '.join(map(repr, others))}, and its quotes do not"
    word, other = opposed(text, evidence)
    if word:
        return f"it speaks of {word}, and its quotes of {other}"
    if denies(text, sentences)[0]:
        return "it says the opposite of its quotes"
    if stems(text) and not stems(text) & _subject_stems(sound, shown):
        return "it has no word in common with its quotes"
    return ""


def _subject_stems(citations: Sequence[Citation], shown: Sequence[Document]) -> frozenset[str]:
    return stems("\n".join(_subject_texts(citations, shown)))


def _subject_texts(citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """Return the texts that state a claim's subject: quoted sentences, with titles and headings of their documents."""
    by_id = {document.id: document for document in shown}
    cited = {citation.document_id: by_id[citation.document_id] for citation in citations}
    about = [part for document in cited.values() for part in (document.title, *document.mesh)]
    return [*(citation.sentence for citation in citations), *about]


def _texts(citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """Return the evidence of a claim, nearest first: the sentences that it quotes, the titles and headings of their
    documents, and the whole documents."""
    ids = {citation.document_id for citation in citations}
    cited = [document for document in shown if document.id in ids]
    about = "\n".join("; ".join((document.title, *document.mesh)) for document in cited)
    sentences = "\n".join(citation.sentence for citation in citations)
    return [sentences, about, "\n".join(document.text for document in cited)]


def _missing_subjects(question: str, text: str, citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """Return words for a claim's subject that occur nowhere in its evidence, not even as synonyms."""
    evidence = _subject_stems(citations, shown)
    known = evidence | {
        stem(word)
        for words, terms in synonyms(text)
        if any(stems(term) and stems(term) <= evidence for term in terms)
        for word in words
    }
    subjects = (stems(text) & stems(question)) | names(text)
    unsaid = dict.fromkeys(word for word in tokens(text) if stem(word) in subjects - known)
    return [word for word in unsaid if not is_general(word) and not word.isdigit()]


def _without_mentions(text: str) -> str:
    for mention in reversed(mentions(text)):
        text = text[: mention.start] + text[mention.end :]
    return text
