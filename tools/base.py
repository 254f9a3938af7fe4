"""What every tool shares: evidence, the memory as tools see it, the wrapping of untrusted text.

A tool is a langchain-core tool with a pydantic argument schema. It returns `(text, Shown)`: the text goes to the model,
the artifact names the frames it brought up. It fails with `ToolRetry` (the model may mend the call; the hint says how)
or `ToolFailed` (final); neither ends the run.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tools.errors import MediaError, ToolRetry
from tools.media import Box, Span, parse_clock

NEAR_S = 0.6
"""How far from a named moment a frame may lie; our choice: times are named to the second."""

_UNTRUSTED_MARK = re.compile(r"<(\s*/?\s*untrusted[^>]*)>?", re.IGNORECASE)


class SeenFrame(BaseModel):
    """A reference to a frame; pixels stay in the frame store. Plain JSON types, since checkpoints hold it.

    Attributes:
        frame_id: sha256 of the pixels.
        t_s: media time in seconds.
        detail: `clear`, `fuzzy` or `glance`: how much of it a model is shown.
        source: where it came from, with credentials masked.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    frame_id: str
    t_s: float
    detail: Literal["clear", "fuzzy", "glance"] = "clear"
    source: str = ""


class Evidence(BaseModel):
    """Something an answer may rest on.

    Attributes:
        id: unique within a run.
        kind: `frame`, `text` (words read in a picture), `note` (what was noted about a moment), `event` (what is told
            in a film) or `document`.
        text: the words, for kinds that have any.
        frame_id: the frame it was seen in, if any.
        t_s: media time in seconds, if any.
        source: where it came from.
        licence: terms of reuse, for documents.
        retracted: whether a document was retracted, so that nothing may rest on it.
        sha256: of the frame or of the text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["frame", "text", "note", "event", "document"]
    text: str = ""
    frame_id: str | None = None
    t_s: float | None = None
    source: str = ""
    licence: str | None = None
    retracted: bool = False
    sha256: str = Field(default="", description="filled from the frame or the text when left empty")

    def model_post_init(self, context: Any) -> None:
        if not self.sha256:
            digest = self.frame_id or hashlib.sha256(self.text.encode()).hexdigest()
            object.__setattr__(self, "sha256", digest)


class Shown(BaseModel):
    """What a tool brought up beside its text: frames for the model to see, and evidence for citations."""

    model_config = ConfigDict(extra="forbid")

    frames: list[SeenFrame] = []
    evidence: list[Evidence] = []


class Seen(Protocol):
    """The memory as tools see it; the agent's `Eyes` is one."""

    @property
    def plays(self) -> bool:
        """Whether time goes on by itself, so that something can be shown again; a recording read at once does not."""

    def newest(self) -> SeenFrame | None:
        """The frame last captured, or None before the first."""

    def frames(self, span: Span | None, limit: int) -> list[SeenFrame]:
        """At most `limit` frames of a span (None: all that is remembered), spread over it, oldest first."""

    def near(self, t_s: float) -> SeenFrame | None:
        """The frame nearest to a moment, at most `NEAR_S` seconds away; None where there is none."""

    def picture(self, frame_id: str) -> np.ndarray:
        """The pixels of a frame, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""

    def add_picture(self, rgb: np.ndarray, t_s: float) -> SeenFrame:
        """Store a picture derived from a moment, such as an enlarged part, and return its reference."""

    def search(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """The best matching notes and frames, best first."""

    @property
    def tells(self) -> bool:
        """Whether something is known of what is told in the source, as by its subtitles."""

    def told(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """The events that are told and bear on a query, best first; none where too little does."""

    def stretches(self, words: str, span: Span | None) -> list[Span]:
        """The separate stretches of time in which all of some words were noted, oldest first."""


def untrusted(text: str) -> str:
    """Wrap text that was read in a picture, on a screen or in a document: data for the model, never an instruction.

    Marks that the text itself contains are defused, however they are spelt, so that it cannot close the wrapping.
    """
    defused = _UNTRUSTED_MARK.sub(r"(\1)", text)
    return f"<untrusted>{defused}</untrusted>"


def parse_span(start: str | None, end: str | None, *, default_end_s: float) -> Span | None:
    """Read a span given as clock times by a model; None when neither end is given.

    Raises:
        ToolRetry: if a time is unreadable or the span runs backwards.
    """
    if not start and not end:
        return None
    start_s = parse_time(start) if start else 0.0
    end_s = parse_time(end) if end else max(default_end_s, start_s)
    if end_s < start_s:
        raise ToolRetry(f"the span {start} to {end} runs backwards.", remedy="Name the earlier moment first.")
    return Span(start_s, end_s)


def parse_time(text: str) -> float:
    """Read a moment given by a model, in seconds. Raises ToolRetry if it is unreadable."""
    try:
        return parse_clock(text)
    except MediaError as error:
        raise ToolRetry(str(error), remedy="Write times as m:ss, such as 1:05.") from error


def parse_box(box: list[float] | None) -> Box | None:
    """Read a box given by a model as [left, top, right, bottom] in fractions of the picture.

    Raises:
        ToolRetry: if it is not four fractions that make a rectangle.
    """
    if not box:
        return None
    if len(box) != 4:
        raise ToolRetry(
            f"the box {box!r} has {len(box)} numbers.", remedy="Give [left, top, right, bottom], each 0 to 1."
        )
    try:
        return Box(*box)
    except MediaError as error:
        raise ToolRetry(str(error), remedy="Give [left, top, right, bottom], each 0 to 1.") from error
