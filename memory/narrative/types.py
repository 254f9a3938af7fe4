"""Types of narrative memory: `Segment`, `Event`, `Entity`, `Link`, `Chain`, and the text spans they are based on.

There are two clocks: `start_s` and `end_s` say when something is shown, `story_s` when it happens in the story, on the
same scale, where that is known to differ. Records are immutable: a newer one supersedes an older one, which stays
readable (see `memory.narrative.store.narrative_store`). Ids are hashes of content and time, so that a build from the
same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LinkType = Literal["causes", "motivates", "enables", "reveals", "blocks", "resumes", "contradicts", "next"]
LINK_WEIGHTS: dict[LinkType, float] = {
    "causes": 1.0, "motivates": 0.9, "enables": 0.8, "reveals": 0.7, "blocks": 0.7, "resumes": 0.6, "contradicts": 0.5,
    "next": 0.2,
}  # fmt: skip
"""How well evidence carries over a link of each type."""
MAX_SUMMARY_WORDS = 30
"""Maximum number of words in an event's summary."""
ID_LENGTH = 24
"""Hexadecimal digits of an id: with a million records, the odds of a collision are about 1 in 10^17."""


class Record(BaseModel):
    """Base of every record: frozen, without unknown fields, and with a hash of all its content as id."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @cached_property
    def id(self) -> str:
        """The first `ID_LENGTH` digits of the sha256 of the record as JSON."""
        return hashlib.sha256(f"{type(self).__name__}:{self.model_dump_json()}".encode()).hexdigest()[:ID_LENGTH]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields replaced, without validation, and with an id of its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("id", None)  # pydantic also copies cached properties
        return copied


class Segment(Record):
    """A stretch of a source; the segments of one source tile it, without gaps or overlap.

    Attributes:
        source: the source, with credentials masked.
        number: position among the segments of the source, from 0.
        start_s: start, seconds of media time.
        end_s: end, after `start_s`.
        caption: what is seen.
        dialogue: what is said.
        text: text in the picture.
        frame_ids: pictures of it in the frame store.
    """

    source: str
    number: int = Field(ge=0)
    start_s: float = Field(ge=0)
    end_s: float
    caption: str = ""
    dialogue: str = ""
    text: str = ""
    frame_ids: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _lasts(self) -> Segment:
        if self.end_s <= self.start_s:
            raise ValueError(f"a segment ends at {self.end_s} s, and begins at {self.start_s} s")
        return self

    @property
    def words(self) -> str:
        """All its words."""
        return " ".join(part for part in (self.caption, self.dialogue, self.text) if part)


class SourceSpan(BaseModel):
    """Characters `start` to `end` of a segment's field, on which an event is based."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segment_id: str
    field: Literal["caption", "dialogue", "text"]
    start: int = Field(ge=0)
    end: int = Field(gt=0)


class Writer(BaseModel):
    """The author of a record: the model's string, or `rules`, and the sha256 of the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "rules"
    prompt_sha: str = ""


class Event(Record):
    """Something that happens.

    Attributes:
        source: where it is shown.
        segment_ids: the segments that contain it, in order; at least one.
        start_s: when it starts to be shown, seconds of media time.
        end_s: when it stops being shown.
        summary: what happens, in at most `MAX_SUMMARY_WORDS` words.
        actors: who acts, by the names or descriptions used.
        action: the verb.
        objects: what is acted on.
        place: where.
        goal: the actor's purpose.
        state_before: the state before it.
        state_after: the state after it.
        story_s: when it happens in the story, on the scale of media time; None if that is when it is shown.
        salience: how much it matters, 0 to 1.
        confidence: how certain it is, 0 to 1.
        spans: the text that it is based on; at least one.
        writer: its author.
    """

    source: str
    segment_ids: tuple[str, ...] = Field(min_length=1)
    start_s: float = Field(ge=0)
    end_s: float
    summary: str = Field(min_length=1)
    actors: tuple[str, ...] = ()
    action: str = ""
    objects: tuple[str, ...] = ()
    place: str | None = None
    goal: str | None = None
    state_before: str | None = None
    state_after: str | None = None
    story_s: float | None = None
    salience: float = Field(default=0.5, ge=0, le=1)
    confidence: float = Field(default=1.0, ge=0, le=1)
    spans: tuple[SourceSpan, ...] = Field(min_length=1)
    writer: Writer = Writer()

    @model_validator(mode="after")
    def _is_sound(self) -> Event:
        if self.end_s < self.start_s:
            raise ValueError(f"an event ends at {self.end_s} s, and begins at {self.start_s} s")
        if len(self.summary.split()) > MAX_SUMMARY_WORDS:
            raise ValueError(f"a summary has {len(self.summary.split())} words, of at most {MAX_SUMMARY_WORDS}")
        return self


class Entity(Record):
    """Someone or something that events name.

    Attributes:
        source: where it is shown.
        name: the name or description of its first mention.
        kind: its kind.
        appearance: how it looks, if that is all that is known.
    """

    source: str
    name: str = Field(min_length=1)
    kind: Literal["person", "object", "place", "group"] = "person"
    appearance: str | None = None


class Link(Record):
    """A typed relation between two events.

    Attributes:
        src: id of the event that comes first in the story.
        dst: id of the other.
        type: how the first bears on the second.
        confidence: how certain it is, 0 to 1.
        method: how it was found.
        segment_ids: segments that show it.
        why: the reason, in a few words.
    """

    src: str
    dst: str
    type: LinkType
    confidence: float = Field(default=1.0, ge=0, le=1)
    method: Literal["rule", "llm", "human"] = "rule"
    segment_ids: tuple[str, ...] = ()
    why: str = ""


class Chain(Record):
    """Events that lead from one to the next.

    Attributes:
        event_ids: in story order; at least two.
        kind: what unites them.
        score: mean log of the weight times confidence of its links, at most 0.
        span_s: from the first event's start to the last one's end, seconds of media time.
        summary: the chain in words; empty if nobody summarised it.
    """

    event_ids: tuple[str, ...] = Field(min_length=2)
    kind: Literal["causal", "goal", "character", "theme"] = "causal"
    score: float = Field(le=0)
    span_s: float = Field(ge=0)
    summary: str = ""
