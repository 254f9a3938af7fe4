"""Answers from literature: a model states claims with quotes, and code keeps the supported ones.

Without a model with structured output, the answer quotes the most relevant sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from agent.literature.prompts import format_document, load_prompt, truncate_document
from agent.models.protocol import MLLM
from agent.models.structured import Structured, ask_json
from tools.base import untrusted
from tools.literature.retrieval.relevance import FIRST, bearing
from tools.literature.retrieval.retrieve import Retrieved
from tools.literature.support.answer import (
    MOST_DOCUMENTS,
    NOTHING,
    LiteratureAnswer,
    StatedClaim,
    answer_of,
    check_claims,
    quote_evidence,
    why_nothing,
)
from tools.literature.types import Document

MAX_TOKENS = 1_500
"""Maximum tokens of an answer."""
MAX_CLAIMS = 12
"""Maximum claims of an answer."""


class StatedAnswer(BaseModel):
    """The structured answer of a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    claims: tuple[StatedClaim, ...] = Field(max_length=MAX_CLAIMS)
    missing: str | None = None


def answer_question(
    question: str, retrieved: Retrieved, model: MLLM | None = None, findings: str = "", first: int = FIRST
) -> LiteratureAnswer:
    """Answer a question from retrieved documents.

    Args:
        question: the question.
        retrieved: the documents; `tools.literature.retrieval.relevance.POOL` of them give the best word frequencies.
        model: states the claims; None, or a model without structured output, quotes sentences.
        findings: imaging findings, given to the model as such; they do not support claims.
        first: number of top-ranked documents to consider.

    Raises:
        ModelError: if the model fails; MalformedAnswer (a subclass) if its answer is invalid.
    """
    if model is None or not model.abilities.structured:
        return quote_evidence(question, retrieved, first)
    relevant = bearing(question, retrieved.hits, retrieved.cosines, first)[:MOST_DOCUMENTS]
    if not relevant:  # without documents, a model would answer from its training data
        return answer_of(question, retrieved, (), (), reason=why_nothing(retrieved.hits, ()), model=model.spec)
    parts = [truncate_document(hit.document) for hit in relevant]
    stated = _ask_claims(model, parts, question, findings).value
    claims, dropped = check_claims(question, stated.claims, parts)
    if stated.claims and not claims:
        reason = "The documents support none of the model's claims."
    else:
        reason = f"{NOTHING} Missing: {' '.join(stated.missing.split())[:300]}" if stated.missing else NOTHING
    return answer_of(question, retrieved, parts, claims, dropped, reason=reason, model=model.spec)


def _ask_claims(model: MLLM, documents: Sequence[Document], question: str, findings: str) -> Structured[StatedAnswer]:
    seen = f"\n\nFindings in pictures: {untrusted(findings)}" if findings else ""
    content = "\n\n".join(format_document(document) for document in documents)
    prompt = f"{load_prompt('answer')}\n{content}{seen}\n\nQuestion: {question}\n"
    return ask_json(model, prompt, StatedAnswer, max_tokens=MAX_TOKENS)
