"""Citations: the times and documents that an answer names, checked by code against what the model was really shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from agent.core.unicode import well_formed
from tools.base import Evidence, SeenFrame, untrusted
from tools.literature.support.answer import NOTICE
from tools.literature.support.quote_match import LEAST_WORDS, Mention, find_quote, mentions
from tools.literature.types import Document, Section
from tools.media import cited_times, format_clock
from tools.media.clock import BRACKET

_QUOTED = re.compile(r"[“\"](?P<quote>[^“”\"\n]+)[”\"][.,]?\s*(?P<cited>[\[(][^\[\]\n]*[\])])")
_CALLED_RETRACTED = re.compile(r"(?i)(?<![\w-])(?<!not )(?<!never )(?<!n't )(?<!n’t )retracted[\s:,(\[]*$")
_SAID_BEHIND = re.compile(
    r"(?i)[\])]*(?:,? (?:which |that )?(?:was|is|has been) (?:later |since |now )?retracted\b"
    r"| ?\((?:later |since |now )?retracted(?=[),;]| (?:in|by)\b))"
)
"""How an answer says behind a document that it was retracted; in `retracted pmid:1, retracted pmid:2` the second one is
not said of the first."""
TOLERANCE_S = 0.55
"""A cited time stands for the nearest shown moment at most this far away; our choice, as models round to seconds."""


class Citation(BaseModel):
    """A moment that an answer rests on: media time in seconds, and the frame where it was seen, if in one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    t_s: float
    frame_id: str | None = None


class Answer(BaseModel):
    """A checked answer.

    Attributes:
        text: what is not verified is marked in it.
        citations: the moments that it rests on.
        unverified: cited times, in seconds, at which nothing was shown to the model.
        documents: ids of the documents that it names, which a tool has brought.
        unverified_documents: those that none has.
        retracted_documents: those of `documents` that were retracted.
        undeclared_retracted: those of `retracted_documents` that the answer names somewhere without saying so.
        unverified_quotes: words in quotation marks before a citation that none of its documents has, as far as the
            model was shown them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    citations: tuple[Citation, ...] = ()
    unverified: tuple[float, ...] = ()
    documents: tuple[str, ...] = ()
    unverified_documents: tuple[str, ...] = ()
    retracted_documents: tuple[str, ...] = ()
    undeclared_retracted: tuple[str, ...] = ()
    unverified_quotes: tuple[str, ...] = ()

    @field_validator("text", mode="before")
    @classmethod
    def _can_be_sent(cls, text: Any) -> Any:
        return well_formed(text)


def check_citations(
    text: str, shown: Sequence[SeenFrame], evidence: Sequence[Evidence], *, searched: bool = False
) -> Answer:
    """Resolve each bracketed time of an answer to a moment that was shown, and each document that it names to one that
    a tool brought, or mark it in the text as unverified, or as retracted. Quotes before a citation are looked up, too.

    Args:
        text: the answer.
        shown: the frames that really were in the prompt.
        evidence: what tools told in words.
        searched: whether the literature was asked, found or not: a paper that is named is then a citation, in brackets
            or not.
    """
    moments = [Citation(t_s=frame.t_s, frame_id=frame.frame_id) for frame in shown]
    told = [entry for entry in evidence if entry.kind != "frame" and entry.t_s is not None]
    moments += [Citation(t_s=entry.t_s or 0.0, frame_id=entry.frame_id) for entry in told]
    citations: list[Citation] = []
    unverified: list[float] = []
    for t_s in dict.fromkeys(cited_times(text)):
        nearest = min(moments, key=lambda moment: abs(moment.t_s - t_s), default=None)
        if nearest is None or abs(nearest.t_s - t_s) > TOLERANCE_S:
            unverified.append(t_s)
        elif nearest not in citations:
            citations.append(nearest)

    def mark(bracket: re.Match[str]) -> str:
        wrong = set(cited_times(bracket[0])) & set(unverified)
        return f"[unverified {bracket[0][1:-1]}]" if wrong else bracket[0]

    told_of = [entry for entry in evidence if entry.kind == "document"]
    brought = {entry.id.casefold(): entry.id for entry in told_of}
    retracted = {entry.id for entry in told_of if entry.retracted}
    wrong_quotes = _wrong_quotes(text, told_of)
    known: dict[str, None] = {}
    unknown: dict[str, None] = {}
    undeclared: dict[str, None] = {}
    for start, _ in reversed(wrong_quotes):
        text = f"{text[:start]}unverified {text[start:]}"
    text = BRACKET.sub(mark, text)
    for named in reversed(_cited(text, everywhere=searched or bool(brought))):
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
        citations=tuple(citations),
        unverified=tuple(unverified),
        documents=tuple(reversed(known)),
        unverified_documents=tuple(reversed(unknown)),
        retracted_documents=tuple(id_ for id_ in reversed(known) if id_ in retracted),
        undeclared_retracted=tuple(reversed(undeclared)),
        unverified_quotes=tuple(dict.fromkeys(quote for _, quote in wrong_quotes)),
    )


def _wrong_quotes(text: str, evidence: Sequence[Evidence]) -> list[tuple[int, str]]:
    """Quotes, and where each begins, that stand before a citation of documents that were brought and have not these
    words. What is too short to tell anything is no quote here."""
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
    inside = [match.span() for match in re.finditer(r"[\[(][^\[\]\n]*[\])]", text)]
    return [
        named
        for named in mentions(text)
        if everywhere or any(start < named.start and named.end < end for start, end in inside)
    ]


def repair_hint(answer: Answer, shown: Sequence[SeenFrame], evidence: Sequence[Evidence] = ()) -> str:
    """Tell the model which of its times and documents do not exist or were retracted without a word of it, and which it
    may cite; "" where there is nothing to mend."""
    hints = []
    if answer.unverified:
        wrong = ", ".join(format_clock(t_s) for t_s in answer.unverified)
        allowed = ", ".join(f"[{format_clock(frame.t_s)}]" for frame in shown) or "none"
        hints.append(f"Nothing was shown to you at {wrong}. Answer again; the times you may cite are: {allowed}.")
    if answer.unverified_quotes:
        wrong = "; ".join(f"“{quote}”" for quote in answer.unverified_quotes)
        hints.append(f"These words do not stand in the documents behind them: {wrong}. Quote word for word.")
    if answer.undeclared_retracted:
        wrong = ", ".join(answer.undeclared_retracted)
        verb, thing = ("was", "supports") if len(answer.undeclared_retracted) == 1 else ("were", "support")
        hints.append(f"{wrong} {verb} retracted, and {thing} nothing. Say so, or cite another document.")
    if answer.unverified_documents:
        wrong = ", ".join(answer.unverified_documents)
        ids = dict.fromkeys(f"[{entry.id}]" for entry in evidence if entry.kind == "document")
        allowed = ", ".join(ids) or "none"
        hints.append(f"No tool has brought {wrong}. Answer again; the documents you may cite are: {allowed}.")
    return " ".join(hints)


def closing_note(answer: Answer, stale: str) -> str:
    """What code adds to an answer, since not every model heeds what it is told: that an old picture only looks like a
    new one, and what literature is for. "" where there is nothing to add."""
    notes = [f"(What is there now cannot be seen: {stale}.)"] if stale else []
    if answer.retracted_documents:
        notes.append(f"(Retracted, so that nothing may rest on it: {', '.join(answer.retracted_documents)}.)")
    if answer.documents and NOTICE not in answer.text:
        notes.append(f"({NOTICE})")
    return "".join(f"\n\n{note}" for note in notes)
