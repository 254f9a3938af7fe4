"""What a model is asked while narrative memory is built and questioned, and what its answers must be.

Each role is one prompt (`agent/prompts/narrative_*.md`) and one schema. Events are shown under small numbers, which
code maps back, and a prompt never grows with the memory: it holds a fixed number of stretches, events and names.
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
"""Stretches that one extraction is shown, and how far the next is moved on: neighbours share one, so that an event that
goes on over a boundary is seen whole. Our choice, as the specification's."""
MOST_EVENTS = 24
"""Events of one extraction; our choice."""
MOST_CHARS = 8_000
"""Of a stretch that a model is given; our choice: ten minutes of speech. A longer one is left to the rules."""
KNOWN_NAMES = 20
"""Names of people met of late that an extraction is told of; our choice."""
MOST_QUERIES = 3
LinkName = Literal["causes", "motivates", "enables", "reveals", "blocks", "resumes", "contradicts"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False)


class FoundEvent(_Answer):
    """An event as a model states it (see `memory.narrative.types.Event`); `quote` are words of stretch `stretch`."""

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
        """Small models write one name, or null, for a list of names."""
        names = [] if names is None else [names] if isinstance(names, str) else names
        return [name.strip() for name in names if isinstance(name, str) and name.strip()]  # type: ignore[attr-defined]


class Extraction(_Answer):
    """The events of some stretches."""

    events: tuple[FoundEvent, ...] = Field(max_length=MOST_EVENTS)


class FoundLink(_Answer):
    """A link between two numbered events."""

    src: int = Field(alias="from", ge=1)
    dst: int = Field(alias="to", ge=1)
    type: LinkName
    confidence: float = Field(default=0.7, ge=0, le=1)
    why: str = ""


class Earlier(_Answer):
    """That a numbered event happened before another."""

    event: int = Field(ge=1)
    before: int = Field(ge=1)


class Linking(_Answer):
    """The links of some events, and which of them happened before others."""

    links: tuple[FoundLink, ...] = ()
    before: tuple[Earlier, ...] = ()


class Summary(_Answer):
    """A chain in words."""

    summary: str = Field(min_length=1, max_length=600)


class Queries(_Answer):
    """What to search for."""

    queries: tuple[str, ...] = Field(min_length=1, max_length=MOST_QUERIES)


class Reply(_Answer):
    """An answer with the numbers of the events that it rests on."""

    answer: str
    cited: tuple[int, ...] = ()
    missing: str | None = None


def extract(asker: Asker, window: Sequence[Segment], known: Sequence[str], clock: str) -> Extraction:
    """Ask for the events of at most `WINDOW` segments; `known` are names of people met before.

    Raises:
        MalformedAnswer: if the answer cannot be used.
        ModelError: if the model fails.
    """
    stretches = "\n\n".join(
        f"Stretch {number} ({when(segment.start_s, clock)}):\n{_told(segment)}"
        for number, segment in enumerate(window, start=1)
    )
    names = ", ".join(known[:KNOWN_NAMES]) or "none"
    return asker.json("extract", _prompt("extract", f"Known names: {untrusted(names)}\n\n{stretches}"), Extraction)


def link(
    asker: Asker, candidates: Sequence[Event], new: Sequence[Event], earlier: Sequence[bool], clock: str
) -> Linking:
    """Ask how new events bear on one another and on candidates; numbers count the candidates first. Raises likewise.

    Args:
        asker: the model.
        candidates: events of before.
        new: events that are to be linked.
        earlier: of each new one, whether it was shown as something of before.
        clock: what times count.
    """
    lines = [_line(number, event, clock) for number, event in enumerate(candidates, start=1)]
    for number, (event, before) in enumerate(zip(new, earlier, strict=True), start=len(candidates) + 1):
        lines.append(f"{_line(number, event, clock)} (new{', earlier' if before else ''})")
    return asker.json("link", _prompt("link", "\n".join(lines)), Linking)


def sum_up(asker: Asker, events: Sequence[Event], clock: str) -> str:
    """Ask for a chain of events in words. Raises likewise."""
    lines = [_line(number, event, clock) for number, event in enumerate(events, start=1)]
    return asker.json("chain", _prompt("chain", "\n".join(lines)), Summary).summary


def decompose(asker: Asker, question: str) -> tuple[str, ...]:
    """Ask what to search for. Raises likewise."""
    return asker.json("decompose", _prompt("decompose", f"Question: {untrusted(question)}"), Queries).queries


def answer(asker: Asker, question: str, events: Sequence[Event], chains: Sequence[str], clock: str) -> Reply:
    """Ask for an answer that rests on some events, by their numbers from 1. Raises likewise."""
    lines = [_line(number, event, clock) for number, event in enumerate(events, start=1)]
    told = "".join(f"\nA chain of events: {untrusted(summary)}" for summary in chains)
    return asker.json("answer", _prompt("answer", "\n".join(lines) + told + f"\n\nQuestion: {question}"), Reply)


def when(start_s: float, clock: str) -> str:
    """A time as people say it: m:ss, or which section of a story."""
    return f"section {int(start_s) + 1}" if clock == "sections" else format_clock(start_s)


def prompt_tokens(role: Role) -> int:
    """About how many tokens the fixed part of a prompt has."""
    return math.ceil(len(prompt_of(role).split()) * 1.4)


def _prompt(role: Role, content: str) -> str:
    return f"{prompt_of(role)}\n{content}\n"


def _told(segment: Segment) -> str:
    parts = (("seen", segment.caption), ("said", segment.dialogue), ("in writing", segment.text))
    return "\n".join(f"{name}: {untrusted(text)}" for name, text in parts if text) or "(nothing is known)"


def _line(number: int, event: Event, clock: str) -> str:
    return f"{number}. {when(event.start_s, clock)}: {untrusted(event.summary)}"
