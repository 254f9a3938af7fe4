"""Prompts and answer schemas for narrative memory.

Each role is one prompt (`agent/prompts/narrative_*.md`) and one schema. Events are shown under small numbers, which
code maps back, and prompts do not grow with the memory: each has a fixed number of segments, events and names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.narrative.cached_llm import Asker, Role, prompt_of
from memory.narrative.types import MAX_SUMMARY_WORDS, Event, Segment
from tools.base import untrusted
from tools.media import format_clock

WINDOW, STRIDE = 4, 3
"""Segments per extraction, and the offset to the next: consecutive windows share one, so that an event across a
boundary is seen whole."""
MAX_EVENTS = 24
"""Maximum number of events per extraction."""
MAX_SEGMENT_CHARS = 8_000
"""Maximum characters of a segment, about ten minutes of speech. Longer segments are left to rules."""
KNOWN_NAMES = 20
"""Number of recently seen names in an extraction prompt."""
MAX_QUERIES = 3
LinkName = Literal["causes", "motivates", "enables", "reveals", "blocks", "resumes", "contradicts"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False)


class FoundEvent(_Answer):
    """An event stated by a model (see `memory.narrative.types.Event`); `quote` is text of segment number `stretch`."""

    stretch: int = Field(ge=1, le=WINDOW)
    summary: str = Field(min_length=1)
    quote: str = ""
    actors: tuple[str, ...] = ()
    action: str = ""
    objects: tuple[str, ...] = ()
    place: str | None = None
    goal: str | None = None
    state_before: str | None = None
    state_after: str | None = None
    earlier: bool = False
    salience: float = Field(default=0.5, ge=0, le=1)
    confidence: float = Field(default=0.8, ge=0, le=1)

    @field_validator("summary")
    @classmethod
    def _is_short(cls, summary: str) -> str:
        words = summary.split()
        return " ".join(words[:MAX_SUMMARY_WORDS])

    @field_validator("actors", "objects", mode="before")
    @classmethod
    def _is_a_list(cls, names: object) -> object:
        """Accept a single name or null, which small models write instead of a list."""
        names = [] if names is None else [names] if isinstance(names, str) else names
        return [name.strip() for name in names if isinstance(name, str) and name.strip()]  # type: ignore[attr-defined]


class Extraction(_Answer):
    """The events of some segments."""

    events: tuple[FoundEvent, ...] = Field(max_length=MAX_EVENTS)


class FoundLink(_Answer):
    """A link between two numbered events."""

    src: int = Field(alias="from", ge=1)
    dst: int = Field(alias="to", ge=1)
    type: LinkName
    confidence: float = Field(default=0.7, ge=0, le=1)
    why: str = ""


class Earlier(_Answer):
    """States that a numbered event happened before another."""

    event: int = Field(ge=1)
    before: int = Field(ge=1)


class Linking(_Answer):
    """Links between events, and which events happened before others."""

    links: tuple[FoundLink, ...] = ()
    before: tuple[Earlier, ...] = ()


class Summary(_Answer):
    """The summary of a chain."""

    summary: str = Field(min_length=1, max_length=600)


class Queries(_Answer):
    """Search queries."""

    queries: tuple[str, ...] = Field(min_length=1, max_length=MAX_QUERIES)


class Reply(_Answer):
    """An answer with the numbers of the supporting events."""

    answer: str
    cited: tuple[int, ...] = ()
    missing: str | None = None


def extract(asker: Asker, window: Sequence[Segment], known: Sequence[str], clock: str) -> Extraction:
    """Ask for the events of at most `WINDOW` segments; `known` are names seen before.

    Raises:
        MalformedAnswer: if the answer is invalid.
        ModelError: if the model fails.
    """
    stretches = "\n\n".join(
        f"Stretch {number} ({when(segment.start_s, clock)}):\n{_format_segment(segment)}"
        for number, segment in enumerate(window, start=1)
    )
    names = ", ".join(known[:KNOWN_NAMES]) or "none"
    return asker.json("extract", _prompt("extract", f"Known names: {untrusted(names)}\n\n{stretches}"), Extraction)


def link(
    asker: Asker, candidates: Sequence[Event], new: Sequence[Event], earlier: Sequence[bool], clock: str
) -> Linking:
    """Ask for links among new events and to candidates; numbers count the candidates first. Raises as `extract`.

    Args:
        asker: the model.
        candidates: earlier events.
        new: events to link.
        earlier: for each new event, whether it was shown as a flashback.
        clock: unit of times.
    """
    lines = [_format_event(number, event, clock) for number, event in enumerate(candidates, start=1)]
    for number, (event, before) in enumerate(zip(new, earlier, strict=True), start=len(candidates) + 1):
        lines.append(f"{_format_event(number, event, clock)} (new{', earlier' if before else ''})")
    return asker.json("link", _prompt("link", "\n".join(lines)), Linking)


def summarise(asker: Asker, events: Sequence[Event], clock: str) -> str:
    """Ask for the summary of a chain. Raises as `extract`."""
    lines = [_format_event(number, event, clock) for number, event in enumerate(events, start=1)]
    return asker.json("chain", _prompt("chain", "\n".join(lines)), Summary).summary


def decompose(asker: Asker, question: str) -> tuple[str, ...]:
    """Ask for search queries. Raises as `extract`."""
    return asker.json("decompose", _prompt("decompose", f"Question: {untrusted(question)}"), Queries).queries


def answer(asker: Asker, question: str, events: Sequence[Event], chains: Sequence[str], clock: str) -> Reply:
    """Ask for an answer from some events, numbered from 1. Raises as `extract`."""
    lines = [_format_event(number, event, clock) for number, event in enumerate(events, start=1)]
    chain_lines = "".join(f"\nA chain of events: {untrusted(summary)}" for summary in chains)
    return asker.json("answer", _prompt("answer", "\n".join(lines) + chain_lines + f"\n\nQuestion: {question}"), Reply)


def when(start_s: float, clock: str) -> str:
    """Format a time: m:ss, or the section of a story."""
    return f"section {int(start_s) + 1}" if clock == "sections" else format_clock(start_s)


def prompt_tokens(role: Role) -> int:
    """Estimate the number of tokens in the fixed part of a prompt."""
    return math.ceil(len(prompt_of(role).split()) * 1.4)


def _prompt(role: Role, content: str) -> str:
    return f"{prompt_of(role)}\n{content}\n"


def _format_segment(segment: Segment) -> str:
    parts = (("seen", segment.caption), ("said", segment.dialogue), ("in writing", segment.text))
    return "\n".join(f"{name}: {untrusted(text)}" for name, text in parts if text) or "(nothing is known)"


def _format_event(number: int, event: Event, clock: str) -> str:
    return f"{number}. {when(event.start_s, clock)}: {untrusted(event.summary)}"
