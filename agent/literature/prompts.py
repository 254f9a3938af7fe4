"""What a model is shown of documents, always as untrusted text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from tools.base import untrusted
from tools.literature.support.quote_match import cite_id
from tools.literature.types import Document

MOST_CHARS = 6_000
"""Characters of a document that a model is shown; our choice: an abstract has about 2,000."""


@cache
def prompt_of(role: str) -> str:
    """The fixed text of a role: `answer` or `step`."""
    return files("agent").joinpath("prompts", f"literature_{role}.md").read_text("utf-8")


def shown(document: Document) -> Document:
    """A document as far as a model is shown it, so that nothing else of it can be cited."""
    left = MOST_CHARS
    sections = []
    for section in document.sections:
        text = section.text[:left]
        left -= len(text)
        if text:
            sections.append(section.model_copy(update={"text": text}))
    return document.model_copy(update={"sections": tuple(sections)})


def told(document: Document) -> str:
    """A document for a prompt: its id, then all that comes from elsewhere, wrapped."""
    about = "; ".join(part for part in (document.title, document.journal, document.published) if part)
    labelled = [f"{section.label}: {section.text}" if section.label else section.text for section in document.sections]
    mark = " RETRACTED" if document.retracted else ""
    return f"[{cite_id(document.id)}]{mark}\n{untrusted(chr(10).join([about, *labelled]).strip())}"


def listed(documents: Sequence[Document]) -> str:
    """Documents one a line: id, year and title."""
    lines = []
    for document in documents:
        title = document.title or document.text[:150]
        mark = " RETRACTED" if document.retracted else ""
        lines.append(f"[{cite_id(document.id)}]{mark} {document.published[:4]} {untrusted(' '.join(title.split()))}")
    return "\n".join(lines)
