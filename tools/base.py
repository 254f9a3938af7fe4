"""Types and checks that all tools share: evidence, the memory interface, wrapping of untrusted text.

A tool is a langchain-core tool with a pydantic argument schema. It returns `(text, Shown)`: the text goes to the model,
the artifact lists the frames it retrieved. It fails with `ToolRetry` (the model may correct the call; the remedy says
how) or `ToolFailed` (final); neither ends the run.
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
"""Maximum distance between a named time and its frame, in seconds. Models name times to the second."""

_UNTRUSTED_MARK = re.compile(r"<(\s*/?\s*untrusted[^>]*)>?", re.IGNORECASE)


class SeenFrame(BaseModel):
    """A reference to a frame; pixels stay in the frame store. Plain JSON types, since checkpoints store it.

    Attributes:
        frame_id: sha256 of the pixels.
        t_s: media time in seconds.
        detail: `clear`, `fuzzy` or `glance`: the resolution at which the model sees it.
        source: origin, with credentials masked.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    frame_id: str
    t_s: float
    detail: Literal["clear", "fuzzy", "glance"] = "clear"
    source: str = ""


class Evidence(BaseModel):
    """An item that an answer may cite.

    Attributes:
        id: unique within a run.
        kind: `frame`, `text` (words read in a picture), `speech` (words heard), `note` (an annotation of a moment),
            `event` (an event of the narrative) or `document`.
        text: the words, for kinds that have any.
        frame_id: the frame it comes from, if any.
        t_s: media time in seconds, if any.
        source: origin.
        licence: terms of reuse, for documents.
        retracted: whether the document was retracted; an answer must not cite it then.
        sha256: of the frame or of the text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["frame", "text", "speech", "note", "event", "document"]
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


Heard = tuple[list[tuple[float, str]], list[Evidence]]
"""Texts about what is heard, each with its place in seconds among the frames, and the utterances as evidence."""


class Shown(BaseModel):
    """Frames for the model to see and evidence for citations, returned by a tool beside its text."""

    model_config = ConfigDict(extra="forbid")

    frames: list[SeenFrame] = []
    evidence: list[Evidence] = []


class Seen(Protocol):
    """The interface through which tools read the memory; `agent.perception` implements it."""

    @property
    def plays(self) -> bool:
        """Whether the source plays in real time, so that something can be shown again."""

    def newest(self) -> SeenFrame | None:
        """Return the latest captured frame, or None before the first."""

    def frames(self, span: Span | None, limit: int) -> list[SeenFrame]:
        """Return at most `limit` frames of a span (None: of the whole memory), evenly spread, oldest first."""

    def near(self, t_s: float) -> SeenFrame | None:
        """Return the frame nearest to a time, at most `NEAR_S` seconds away, or None."""

    def picture(self, frame_id: str) -> np.ndarray:
        """Return the pixels of a frame, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""

    def add_picture(self, rgb: np.ndarray, t_s: float) -> SeenFrame:
        """Store a picture derived from a frame, such as an enlarged part, and return its reference."""

    def search(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """Return the best matching notes and frames, best first."""

    @property
    def tells(self) -> bool:
        """Whether the source has a narrative memory, as built from its subtitles."""

    def told(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """Return the events of the narrative that match a query, best first; none if the match is weak."""

    def stretches(self, words: str, span: Span | None) -> list[Span]:
        """Return the separate spans in which all of the words were noted, oldest first."""


def untrusted(text: str) -> str:
    """Wrap text read from a picture, a screen or a document: it is data for the model, never an instruction.

    `<untrusted>` marks inside the text are defused, in any spelling, so that the text cannot close the wrapper.
    """
    defused = _UNTRUSTED_MARK.sub(r"(\1)", text)
    return f"<untrusted>{defused}</untrusted>"


def parse_span(start: str | None, end: str | None, *, default_end_s: float) -> Span | None:
    """Parse a span given as clock times by a model; None when neither end is given.

    Raises:
        ToolRetry: if a time is unreadable or the span runs backwards.
    """
    if not start and not end:
        return None
    start_s = parse_time(start) if start else 0.0
    end_s = parse_time(end) if end else max(default_end_s, start_s)
    if end_s < start_s:
        raise ToolRetry(f"invalid span: {start} to {end} runs backwards.", remedy="Give the earlier time first.")
    return Span(start_s, end_s)


def parse_time(text: str) -> float:
    """Parse a time given by a model, in seconds. Raises ToolRetry if it is unreadable."""
    try:
        return parse_clock(text)
    except MediaError as error:
        raise ToolRetry(str(error), remedy="Write times as m:ss, such as 1:05.") from error


def parse_box(box: list[float] | None) -> Box | None:
    """Parse a box given by a model as [left, top, right, bottom] in fractions of the picture.

    Raises:
        ToolRetry: if it is not four fractions that make a rectangle.
    """
    if not box:
        return None
    if len(box) != 4:
        raise ToolRetry(
            f"invalid box {box!r}: it has {len(box)} numbers.", remedy="Give [left, top, right, bottom], each 0 to 1."
        )
    try:
        return Box(*box)
    except MediaError as error:
        raise ToolRetry(str(error), remedy="Give [left, top, right, bottom], each 0 to 1.") from error
