"""Citation check for literature: documents and quotes of an answer, against the tool's results."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agent.core.citations import Answer
from tools.base import Evidence, untrusted

if TYPE_CHECKING:
    from tools.literature.support.quote_match import Mention

_QUOTED = re.compile(r"[“\"](?P<quote>[^“”\"\n]+)[”\"][.,]?\s*(?P<cited>[\[(][^\[\]\n]*[\])])")
_DECLARED_BEFORE = re.compile(r"(?i)(?<![\w-])(?<!not )(?<!never )(?<!n't )(?<!n’t )retracted[\s:,(\[]*$")
_DECLARED_AFTER = re.compile(
    r"(?i)[\])]*(?:,? (?:which |that )?(?:was|is|has been) (?:later |since |now )?retracted\b"
    r"| ?\((?:later |since |now )?retracted(?=[),;]| (?:in|by)\b))"
)
"""Matches a statement after a document that it was retracted; in `retracted pmid:1, retracted pmid:2` the second
`retracted` does not refer to the first document."""


class LiteratureCitations:
    """An `agent.core.citations.DocumentChecker`. It imports the literature tools only for texts that may name a paper,
    so that an invented paper in an answer about a video is still detected."""

    may_name_one = re.compile(r"pmid|pubmed|pmc|ncbi|doi|10\.\d{4}|local:", re.IGNORECASE)
    """Matches some part of every citation form that `tools.literature.support.quote_match.mentions` recognises."""

    def notice(self) -> str:
        """Return the notice about the use of literature."""
        from tools.literature.support.answer import NOTICE

        return NOTICE

    def check(self, text: str, evidence: Sequence[Evidence], called: Collection[str]) -> Answer:
        """Mark documents that no tool returned, undeclared retracted ones, and quotes found in none of them.

        Once the literature was searched, every paper named counts as a citation, in brackets or not.
        """
        from tools.literature.tool import NAME

        documents = [entry for entry in evidence if entry.kind == "document"]
        brought = {entry.id.casefold(): entry.id for entry in documents}
        retracted = {entry.id for entry in documents if entry.retracted}
        wrong_quotes = _wrong_quotes(text, documents)
        known: dict[str, None] = {}
        unknown: dict[str, None] = {}
        undeclared: dict[str, None] = {}
        for start, _ in reversed(wrong_quotes):
            text = f"{text[:start]}unverified {text[start:]}"
        for named in reversed(_cited(text, everywhere=NAME in called or bool(brought))):
            id_ = brought.get(named.id.casefold())
            if id_ is None:
                text = f"{text[: named.start]}unverified {text[named.start :]}"
            elif id_ in retracted and not (
                _DECLARED_BEFORE.search(text[: named.start]) or _DECLARED_AFTER.match(text, named.end)
            ):
                text = f"{text[: named.start]}retracted {text[named.start :]}"
                undeclared[id_] = None
            (unknown if id_ is None else known)[id_ or named.id] = None
        return Answer(
            text=text,
            documents=tuple(reversed(known)),
            unverified_documents=tuple(reversed(unknown)),
            retracted_documents=tuple(id_ for id_ in reversed(known) if id_ in retracted),
            undeclared_retracted=tuple(reversed(undeclared)),
            unverified_quotes=tuple(dict.fromkeys(quote for _, quote in wrong_quotes)),
        )


def _wrong_quotes(text: str, evidence: Sequence[Evidence]) -> list[tuple[int, str]]:
    """Return the quotes before a citation that the cited documents do not contain, with their positions. Very short
    quotes are ignored."""
    from tools.literature.support.quote_match import LEAST_WORDS, find_quote, mentions
    from tools.literature.types import Document, Section

    texts_by_id: dict[str, str] = {}
    for entry in evidence:
        texts_by_id[entry.id.casefold()] = "\n\n".join(filter(None, (texts_by_id.get(entry.id.casefold()), entry.text)))
    found = []
    for match in _QUOTED.finditer(text):
        texts = [
            texts_by_id[named.id.casefold()] for named in mentions(match["cited"]) if named.id.casefold() in texts_by_id
        ]
        if not texts or len(match["quote"].split()) < LEAST_WORDS:
            continue
        sections = tuple(Section(text=form) for text in texts for form in (text, untrusted(text)))
        if find_quote(match["quote"], Document(id="local:shown", sections=sections)) is None:
            found.append((match.start(), match["quote"]))
    return found


def _cited(text: str, *, everywhere: bool) -> list[Mention]:
    """Return the documents that a text cites: with `everywhere` all that it names, else those in square or round
    brackets, because without a literature search a paper may be named because it is visible in a frame."""
    from tools.literature.support.quote_match import mentions

    inside = [match.span() for match in re.finditer(r"[\[(][^\[\]\n]*[\])]", text)]
    return [
        named
        for named in mentions(text)
        if everywhere or any(start < named.start and named.end < end for start, end in inside)
    ]
