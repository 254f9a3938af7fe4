"""Citations: the times and documents that an answer names, checked by code against what the model was really shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, field_validator

from agent.core.unicode import well_formed
from tools.base import Evidence, SeenFrame
from tools.media import cited_times, format_clock
from tools.media.clock import BRACKET

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


class DocumentChecker(Protocol):
    """Checks the documents that an answer names; `agent.literature.citations.LiteratureCitations` is one.

    Attributes:
        may_name_one: matches a part of every way of naming a document; a text without a match is not checked.
    """

    may_name_one: re.Pattern[str]

    def notice(self) -> str:
        """The sentence that an answer with documents ends with."""

    def check(self, text: str, evidence: Sequence[Evidence], called: Collection[str]) -> Answer:
        """Resolve each document that a text names to one that a tool brought, or mark it in the text.

        Args:
            text: the answer.
            evidence: what tools told in words.
            called: names of the tools that were called in the conversation.
        """


def check_citations(
    text: str,
    shown: Sequence[SeenFrame],
    evidence: Sequence[Evidence],
    documents: DocumentChecker | None = None,
    called: Collection[str] = (),
) -> Answer:
    """Resolve each bracketed time of an answer to a moment that was shown, or mark it in the text as unverified.

    Args:
        text: the answer.
        shown: the frames that really were in the prompt.
        evidence: what tools told in words.
        documents: checks the documents that it names; None leaves them alone.
        called: names of the tools that were called in the conversation.
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

    names_documents = documents is not None and documents.may_name_one.search(text)
    checked = documents.check(text, evidence, called) if documents and names_documents else Answer(text=text)
    return checked.model_copy(
        update={
            "text": BRACKET.sub(mark, checked.text),
            "citations": tuple(citations),
            "unverified": tuple(unverified),
        }
    )


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


def closing_note(answer: Answer, stale: str, notice: str = "") -> str:
    """What code adds to an answer, since not every model heeds what it is told: that an old picture only looks like a
    new one, and the notice that goes with documents. "" where there is nothing to add."""
    notes = [f"(What is there now cannot be seen: {stale}.)"] if stale else []
    if answer.retracted_documents:
        notes.append(f"(Retracted, so that nothing may rest on it: {', '.join(answer.retracted_documents)}.)")
    if answer.documents and notice and notice not in answer.text:
        notes.append(f"({notice})")
    return "".join(f"\n\n{note}" for note in notes)
