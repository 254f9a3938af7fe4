"""Citations: the times in brackets that an answer names, checked by code against what the model was really shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from agent.well_formed import well_formed
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
    """A checked answer. `unverified` holds cited times, in seconds, at which nothing was shown to the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    citations: tuple[Citation, ...] = ()
    unverified: tuple[float, ...] = ()

    @field_validator("text", mode="before")
    @classmethod
    def _can_be_sent(cls, text: Any) -> Any:
        return well_formed(text)


def check_citations(text: str, shown: Sequence[SeenFrame], evidence: Sequence[Evidence]) -> Answer:
    """Resolve each bracketed time of an answer to a moment that was shown, or mark it in the text as unverified.

    Args:
        text: the answer.
        shown: the frames that really were in the prompt.
        evidence: what tools told in words.
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

    return Answer(text=BRACKET.sub(mark, text), citations=tuple(citations), unverified=tuple(unverified))


def repair_hint(answer: Answer, shown: Sequence[SeenFrame]) -> str:
    """Tell the model which of its times do not exist, and which it may cite."""
    wrong = ", ".join(format_clock(t_s) for t_s in answer.unverified)
    allowed = ", ".join(f"[{format_clock(frame.t_s)}]" for frame in shown) or "none"
    return f"Nothing was shown to you at {wrong}. Answer again; the times you may cite are: {allowed}."
