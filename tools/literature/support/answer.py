"""Answers that rest on documents: claims, each with the ids and the exact words that support it, checked by code.

`check_claims` decides what a model may say, and `quote_evidence` answers without one. In both, a retracted document is
never the only support, documents that say opposite things are shown as such, and where nothing bears on the question
the answer says so.
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
NOTHING = "The literature at hand says nothing of this."
LEAST_SHARED = 0.25
"""The share of a claim's words that its quotes, their sentences or titles have to hold; below it the claim is marked.
Our choice."""
MOST_DOCUMENTS = 8
"""Documents that an answer is looked for in, at most; our choice."""
LEAST_OF_QUESTION = 0.6
"""The share of the question's words that a claim has to hold for its words to be a yes or a no to it; our choice."""
BY_RULE = "chosen by rule from what the model was shown, and did not cite: read it"


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
        conflict: whether claims of different documents say yes and no. Where all that a model claims says one of them
            and a document that it was shown says the other, by its words, that sentence is the last claim.
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
    asked = measure(question, [hit.document for hit in retrieved.hits[:POOL]])
    bear = bearing(question, retrieved.hits, retrieved.cosines, first, asked)[:MOST_DOCUMENTS]
    documents = tuple(hit.document for hit in bear)
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
    """Put an answer together."""
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
    """Keep the claims that documents support, each with the citations that hold, and say why others do not.

    A citation holds if its document was shown, its quote stands there word for word (see `find_quote`), and the
    sentence of the quote does not turn it round, leave it open or state an aim (see `framing.left_out`). What supports
    a claim are citations of documents that were not retracted. It is dropped if there is none, if it names another
    document, if it has a number that no quoted sentence has with this unit, if it speaks of a substance, a disease or
    another subject of the question that is neither in these sentences nor in their titles, if these speak of another
    kind (type 1, not 2) or of others (adults, not children), if it denies what they say, or if it shares no word with
    them. What an order to the reader says supports nothing. Code checks words, not sense: whether a quote means what
    the claim says is the reader's to judge, so it is shown beside it.
    """
    kept: list[Claim] = []
    dropped: list[Dropped] = []
    for claim in stated:
        text = " ".join(claim.text.split())
        citations, wrong, cautions = _hold(text, claim.citations, shown)
        problem = _unsupported(question, claim, citations, wrong, shown)
        if problem:
            dropped.append(Dropped(text=text, reason=problem))
            continue
        words, sound = stems(text), [citation for citation in citations if not citation.retracted]
        if words and len(words & _said(sound, shown)) < LEAST_SHARED * len(words):
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


def _quoting(question: str, sentence: Sentence, *cautions: str) -> Claim:
    """A sentence as a claim."""
    span = Span(section=sentence.section, start=sentence.start, end=sentence.end)
    says = stance_to(question, sentence.text, sentence.stance) if asks_for_effect(question) else "unclear"
    citation = Citation(document_id=sentence.document.id, quote=sentence.text, sentence=sentence.text, span=span)
    return Claim(text=" ".join(sentence.text.split()), stance=says, citations=(citation,), cautions=cautions)


def _other_side(question: str, claims: Sequence[Claim], documents: Sequence[Document]) -> list[Claim]:
    """Where all that is claimed says yes, or no, the sentence of a document that was shown and not cited that says the
    other, if there is one."""
    said = {claim.stance for claim in claims} - {"unclear"}
    cited = {citation.document_id for claim in claims for citation in claim.citations}
    others = [document for document in documents if document.id not in cited and not document.retracted]
    if len(said) != 1 or not others:
        return []
    asked = measure(question, documents)
    told = [_quoting(question, sentence, BY_RULE) for sentence in best_sentences(question, others, asked=asked)]
    return [claim for claim in told if claim.stance not in {"unclear", *said}][:1]


def _is_opposite(question: str, text: str, says: Stance) -> bool:
    """Whether a claim that speaks of what is asked says yes by its words, and is counted as no, or the reverse."""
    asked = stems(question)
    by_words = stance_to(question, text, stance(text))
    if "unclear" in (says, by_words) or says == by_words or not asks_for_effect(question):
        return False
    return len(asked & stems(text)) >= LEAST_OF_QUESTION * len(asked)


def _hold(
    text: str, stated: Sequence[StatedCitation], shown: Sequence[Document]
) -> tuple[list[Citation], list[str], list[str]]:
    """The citations of a claim that hold, what is wrong with the others, and what a reader should know of those."""
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
    """Why nothing supports a claim, or ""."""
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
    if others := _unsaid(question, text, sound, shown):
        return f"it speaks of {', '.join(map(repr, others))}, and its quotes do not"
    told = _texts(sound, shown)
    if others := misnamed(text, told):
        return f"it speaks of {', '.join(map(repr, others))}, and its quotes do not"
    said, other = opposed(text, told)
    if said:
        return f"it speaks of {said}, and its quotes of {other}"
    if denies(text, sentences)[0]:
        return "it says the opposite of its quotes"
    if stems(text) and not stems(text) & _said(sound, shown):
        return "it has no word in common with its quotes"
    return ""


def _said(citations: Sequence[Citation], shown: Sequence[Document]) -> frozenset[str]:
    return stems("\n".join(_telling(citations, shown)))


def _telling(citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """What says what a claim is about: quoted sentences, with the titles and headings of their documents."""
    by_id = {document.id: document for document in shown}
    cited = {citation.document_id: by_id[citation.document_id] for citation in citations}
    about = [part for document in cited.values() for part in (document.title, *document.mesh)]
    return [*(citation.sentence for citation in citations), *about]


def _texts(citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """What a claim rests on, nearest first: the sentences that it quotes, the titles and headings of their documents,
    and the whole documents."""
    ids = {citation.document_id for citation in citations}
    cited = [document for document in shown if document.id in ids]
    about = "\n".join("; ".join((document.title, *document.mesh)) for document in cited)
    sentences = "\n".join(citation.sentence for citation in citations)
    return [sentences, about, "\n".join(document.text for document in cited)]


def _unsaid(question: str, text: str, citations: Sequence[Citation], shown: Sequence[Document]) -> list[str]:
    """Words of a claim that name its subject, and stand in nothing that it rests on, nor do other words for them."""
    said = _said(citations, shown)
    known = said | {
        stem(word)
        for words, terms in synonyms(text)
        if any(stems(term) and stems(term) <= said for term in terms)
        for word in words
    }
    subjects = (stems(text) & stems(question)) | names(text)
    unsaid = dict.fromkeys(word for word in tokens(text) if stem(word) in subjects - known)
    return [word for word in unsaid if not is_general(word) and not word.isdigit()]


def _without_mentions(text: str) -> str:
    for mention in reversed(mentions(text)):
        text = text[: mention.start] + text[mention.end :]
    return text
