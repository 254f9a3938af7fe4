"""`search_literature`: citable sentences of the medical literature for a question."""

from __future__ import annotations

from collections.abc import Callable

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field

from tools.base import Evidence, Shown, untrusted
from tools.errors import ConfigError, ToolRetry
from tools.literature.export.formats import title_of
from tools.literature.retrieval.relevance import POOL, best_sentences
from tools.literature.retrieval.retrieve import Retrieved
from tools.literature.support.answer import NOTHING, NOTICE, disagree, quote_evidence
from tools.literature.support.quote_match import cite_id
from tools.literature.types import Document
from tools.registry import check_tool

NAME = "search_literature"
IS, SAYS = "is", "says"
"""Word after a document's id in a line that identifies the document, and in one that quotes a sentence."""
DISAGREE = "By their words, these documents disagree; show both sides."
SENTENCES = 3
"""Maximum number of sentences per document."""
PROBLEMS = 3
"""Maximum number of reasons why the result may be partial."""


class LiteratureArgs(BaseModel):
    """Arguments of `search_literature`."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=300, description="the clinical question, or words such as a disease")
    limit: int = Field(default=5, ge=1, le=10, description="how many documents at most")


def make_literature(retrieve: Callable[[str, int], Retrieved]) -> BaseTool:
    """Build the tool.

    Args:
        retrieve: finds at most so many documents for a question (see `tools.literature.retrieval.retrieve.retrieve`).
    """

    def search_literature(query: str, limit: int = 5) -> tuple[str, Shown]:
        """Search the literature. An empty result is an answer; raises ToolRetry for a query without a word."""
        try:
            found = retrieve(query, POOL)
        except ConfigError as error:
            raise ToolRetry(error.problem, remedy="Search for some words.") from error
        # The model-free answer decides the order of sentences of different documents.
        answer = quote_evidence(query, found, limit)
        missing = [f"{problem.source}: {untrusted(problem.reason)}" for problem in found.problems[:PROBLEMS]]
        if not answer.claims and not any(document.retracted for document in answer.documents):
            return "\n".join([NOTHING, *missing]), Shown()
        lines = [f"Cite a document by its id in brackets, for what its words say only. {NOTICE}"]
        lines += [DISAGREE] if disagree(answer.claims) else []
        lines += [_line(document) for document in answer.documents]
        quotes: dict[str, list[str]] = {document.id: [] for document in answer.documents}
        for claim in answer.claims:
            quotes[claim.citations[0].document_id].append(claim.text)
            lines.append(_quote_line(claim.citations[0].document_id, claim.text))
        for document in answer.documents:
            own = [] if document.retracted else best_sentences(query, [document], SENTENCES)
            for text in (" ".join(sentence.text.split()) for sentence in own):
                if text not in quotes[document.id]:
                    quotes[document.id].append(text)
                    lines.append(_quote_line(document.id, text))
        return "\n".join([*lines, *missing]), Shown(evidence=[_evidence(d, quotes[d.id]) for d in answer.documents])

    return check_tool(
        StructuredTool.from_function(
            search_literature,
            name=NAME,
            description="Search medical papers for a clinical question: whether something is associated with, causes, "
            "prevents, treats or predicts something. Not for what is seen in the video. Cite what it finds by id.",
            args_schema=LiteratureArgs,
            response_format="content_and_artifact",
        )
    )


def _line(document: Document) -> str:
    about = "; ".join(part for part in (title_of(document), document.journal, document.published[:4]) if part)
    mark = " RETRACTED," if document.retracted else ""
    return f"[{cite_id(document.id)}] {IS}{mark} {untrusted(' '.join(about.split()))}"


def _quote_line(id_: str, text: str) -> str:
    return f"[{cite_id(id_)}] {SAYS}: {untrusted(text)}"


def _evidence(document: Document, sentences: list[str]) -> Evidence:
    text = "\n".join(sentences) or title_of(document)
    return Evidence(
        id=cite_id(document.id),
        kind="document",
        text=text,
        source=document.source,
        licence=document.licence or None,
        retracted=document.retracted,
    )
