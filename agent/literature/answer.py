"""Answers from literature: `answer_question`. A model states claims with quotes, and code keeps those that hold.

Without a model that can be asked for JSON, the answer is the sentences that say most, word for word.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from agent.literature.prompts import prompt_of, shown, told
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
"""Of an answer; our choice."""
MOST_CLAIMS = 12
"""Of an answer; our choice."""


class Stated(BaseModel):
    """What a model answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    claims: tuple[StatedClaim, ...] = Field(max_length=MOST_CLAIMS)
    missing: str | None = None


def answer_question(
    question: str, retrieved: Retrieved, model: MLLM | None = None, findings: str = "", first: int = FIRST
) -> LiteratureAnswer:
    """Answer from what was found for a question.

    Args:
        question: in words.
        retrieved: what was found; `tools.literature.retrieval.relevance.POOL` documents tell best which words are rare.
        model: states the claims; None, or one that cannot be asked for JSON, quotes sentences.
        findings: what was seen in pictures, told to the model as such; it supports no claim.
        first: documents that are looked at.

    Raises:
        ModelError: if the model fails; MalformedAnswer, one of them, if its answer cannot be used.
    """
    if model is None or not model.abilities.structured:
        return quote_evidence(question, retrieved, first)
    bear = bearing(question, retrieved.hits, retrieved.cosines, first)[:MOST_DOCUMENTS]
    if not bear:  # nothing to show: a model would answer from what it was trained on
        return answer_of(question, retrieved, (), (), reason=why_nothing(retrieved.hits, ()), model=model.spec)
    parts = [shown(hit.document) for hit in bear]
    stated = _stated(model, parts, question, findings).value
    claims, dropped = check_claims(question, stated.claims, parts)
    if stated.claims and not claims:
        reason = "Nothing of what the model said is supported by the documents."
    else:
        reason = f"{NOTHING} Missing: {' '.join(stated.missing.split())[:300]}" if stated.missing else NOTHING
    return answer_of(question, retrieved, parts, claims, dropped, reason=reason, model=model.spec)


def _stated(model: MLLM, documents: Sequence[Document], question: str, findings: str) -> Structured[Stated]:
    seen = f"\n\nFindings in pictures: {untrusted(findings)}" if findings else ""
    content = "\n\n".join(told(document) for document in documents)
    prompt = f"{prompt_of('answer')}\n{content}{seen}\n\nQuestion: {question}\n"
    return ask_json(model, prompt, Stated, max_tokens=MAX_TOKENS)
