"""Citations of literature: the documents and quotes of an answer, checked against what the literature tool brought."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agent.core.citations import Answer
from tools.base import Evidence, untrusted

if TYPE_CHECKING:
    from tools.literature.support.quote_match import Mention

_QUOTED = re.compile(r"[“\"](?P<quote>[^“”\"\n]+)[”\"][.,]?\s*(?P<cited>[\[(][^\[\]\n]*[\])])")
_CALLED_RETRACTED = re.compile(r"(?i)(?<![\w-])(?<!not )(?<!never )(?<!n't )(?<!n’t )retracted[\s:,(\[]*$")
_SAID_BEHIND = re.compile(
    r"(?i)[\])]*(?:,? (?:which |that )?(?:was|is|has been) (?:later |since |now )?retracted\b"
    r"| ?\((?:later |since |now )?retracted(?=[),;]| (?:in|by)\b))"
)
"""How an answer says behind a document that it was retracted; in `retracted pmid:1, retracted pmid:2` the second one is
not said of the first."""


class LiteratureCitations:
    """An `agent.core.citations.DocumentChecker`. It loads the literature only for texts that may name a paper, so that
    a model which makes one up about a video is still found out."""

    may_name_one = re.compile(r"pmid|pubmed|pmc|ncbi|doi|10\.\d{4}|local:", re.IGNORECASE)
    """A part of every way of writing that `tools.literature.support.quote_match.mentions` knows."""

    def notice(self) -> str:
        """What the literature is for."""
        from tools.literature.support.answer import NOTICE

        return NOTICE

    def check(self, text: str, evidence: Sequence[Evidence], called: Collection[str]) -> Answer:
        """Mark documents that no tool brought, retracted ones that are not called so, and quotes that none has.

        Once the literature was searched, found or not, every paper that is named is a citation, in brackets or not.
        """
        from tools.literature.tool import NAME

        told_of = [entry for entry in evidence if entry.kind == "document"]
        brought = {entry.id.casefold(): entry.id for entry in told_of}
        retracted = {entry.id for entry in told_of if entry.retracted}
        wrong_quotes = _wrong_quotes(text, told_of)
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
                _CALLED_RETRACTED.search(text[: named.start]) or _SAID_BEHIND.match(text, named.end)
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
    """Quotes, and where each begins, that stand before a citation of documents that were brought and have not these
    words. What is too short to tell anything is no quote here."""
    from tools.literature.support.quote_match import LEAST_WORDS, find_quote, mentions
    from tools.literature.types import Document, Section

    held: dict[str, str] = {}
    for entry in evidence:
        held[entry.id.casefold()] = "\n\n".join(filter(None, (held.get(entry.id.casefold()), entry.text)))
    found = []
    for match in _QUOTED.finditer(text):
        texts = [held[named.id.casefold()] for named in mentions(match["cited"]) if named.id.casefold() in held]
        if not texts or len(match["quote"].split()) < LEAST_WORDS:
            continue
        told = tuple(Section(text=form) for text in texts for form in (text, untrusted(text)))
        if find_quote(match["quote"], Document(id="local:shown", sections=told)) is None:
            found.append((match.start(), match["quote"]))
    return found


def _cited(text: str, *, everywhere: bool) -> list[Mention]:
    """The documents that a text cites: those named in brackets, round ones too. One who has searched the literature
    names no other; without, a paper may be seen in a frame, and read out."""
    from tools.literature.support.quote_match import mentions

    inside = [match.span() for match in re.finditer(r"[\[(][^\[\]\n]*[\])]", text)]
    return [
        named
        for named in mentions(text)
        if everywhere or any(start < named.start and named.end < end for start, end in inside)
    ]
