"""Yes, no or maybe, where a prompt asks for one of them: by what the texts in it report, and by the words of these."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.literature.types import Document

_WANTED = re.compile(r"\byes, ?no,? (?:or|and) maybe\b", re.IGNORECASE)
_TEXT = re.compile(r"<untrusted>(.*?)</untrusted>", re.DOTALL)
_LABELLED = re.compile(r"(?P<label>[A-Z][A-Z &/,-]+): (?P<text>.+)")
_QUESTION = re.compile(r"(?:[A-Z][\w ]{2,40}: )?(?P<question>[^\n]*\?)")


def decided(asked: str) -> str | None:
    """`yes`, `no` or `maybe` for a prompt that asks for one of them; None for any other.

    What decides is the sentence that says most on the question and reports a finding, or that there was none, by the
    rule of `tools.literature.support.stance`. Where no text that is marked as untrusted has one, it is `maybe`.
    """
    own = _TEXT.sub(" ", asked)  # what stands in a text is no task
    if not _WANTED.search(own):
        return None
    from tools.literature.retrieval.relevance import best_sentences
    from tools.literature.support.stance import stance

    questions = [match["question"] for match in _QUESTION.finditer(own)]
    if not questions:
        return None
    texts = [_document(number, text) for number, text in enumerate(_TEXT.findall(asked))]
    says = (stance(sentence.text) for sentence in best_sentences(questions[-1].strip(), texts))
    return next((one for one in says if one != "unclear"), "maybe")


def _document(number: int, text: str) -> Document:
    """A text with a label before some of its lines, as a document with sections."""
    from tools.literature.types import Document, Section

    lines = [line for line in text.splitlines() if line.strip()]
    labelled = [(match["label"], match["text"]) if (match := _LABELLED.fullmatch(one)) else ("", one) for one in lines]
    return Document(id=f"local:{number}", sections=tuple(Section(label=label, text=told) for label, told in labelled))
