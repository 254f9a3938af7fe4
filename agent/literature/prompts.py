"""Prompts for literature: documents as untrusted text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from tools.base import untrusted
from tools.literature.support.quote_match import cite_id
from tools.literature.types import Document

MAX_DOCUMENT_CHARS = 6_000
"""Maximum characters of a document in a prompt; an abstract has about 2,000."""


@cache
def load_prompt(role: str) -> str:
    """Return the prompt template of a role: `answer` or `step`."""
    return files("agent").joinpath("prompts", f"literature_{role}.md").read_text("utf-8")


def truncate_document(document: Document) -> Document:
    """Truncate a document to the part shown to the model, so that nothing else of it can be cited."""
    left = MAX_DOCUMENT_CHARS
    sections = []
    for section in document.sections:
        text = section.text[:left]
        left -= len(text)
        if text:
            sections.append(section.model_copy(update={"text": text}))
    return document.model_copy(update={"sections": tuple(sections)})


def format_document(document: Document) -> str:
    """Format a document for a prompt: its id, then its content marked as untrusted."""
    about = "; ".join(part for part in (document.title, document.journal, document.published) if part)
    labelled = [f"{section.label}: {section.text}" if section.label else section.text for section in document.sections]
    mark = " RETRACTED" if document.retracted else ""
    return f"[{cite_id(document.id)}]{mark}\n{untrusted(chr(10).join([about, *labelled]).strip())}"


def format_list(documents: Sequence[Document]) -> str:
    """Format documents one per line: id, year and title."""
    lines = []
    for document in documents:
        title = document.title or document.text[:150]
        mark = " RETRACTED" if document.retracted else ""
        lines.append(f"[{cite_id(document.id)}]{mark} {document.published[:4]} {untrusted(' '.join(title.split()))}")
    return "\n".join(lines)
