"""`ask_user`: ask the person for help and wait for the answer (the idea of ProactiveBench, as a tool).

The run stops at a LangGraph interrupt whose value is an `Intervention`, and resumes with the person's `Reply`.
"""

from __future__ import annotations

from typing import Literal

from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.base import Seen, Shown
from tools.errors import ToolRetry

Kind = Literal[
    "move_occluder", "better_light", "other_view", "clearer_image", "repeat", "confirm", "choose", "free_text"
]
NEEDS_NEW_FRAME: frozenset[Kind] = frozenset({"move_occluder", "better_light", "other_view", "clearer_image", "repeat"})
"""Kinds that need a new view: the newest frame is the answer."""


DESCRIPTION = (
    "Ask the person for help when the frames cannot answer: something is hidden, dark, blurred or out of view, or a "
    "decision is theirs. The run waits for the answer."
)
STAYS = "This is a recording: the frames stay the same."


class Intervention(BaseModel):
    """A request for help to the person."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(
        description="move_occluder: take away what hides it; better_light; other_view: turn it or move the camera; "
        "clearer_image: sharper or nearer; repeat: do it again; confirm: yes or no; choose: one of `choices`; free_text"
    )
    request: str = Field(min_length=1, max_length=500, description="what to ask of the person, in one short sentence")
    choices: list[str] = Field(default=[], max_length=12, description="the options, for kind `choose` only")


class Reply(BaseModel):
    """The person's answer. For kinds in `NEEDS_NEW_FRAME` the text may be empty: the newest frame is the answer."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""


def ask_user(seen: Seen, kind: Kind, request: str, choices: list[str] | None = None) -> tuple[str, Shown]:
    """Ask the person for help and wait for the answer. Raises ToolRetry if `choose` comes without choices."""
    text = _ask(kind, request, choices or [])
    if kind in NEEDS_NEW_FRAME:
        after = "What is seen now follows." if seen.plays else STAYS
        return f"The person answered: {text or 'done'}. {after}", Shown()
    return f"The person answered: {text}", Shown()


def _ask(kind: Kind, request: str, choices: list[str]) -> str:
    if (kind == "choose") != bool(choices):
        raise ToolRetry(
            f"kind {kind!r} came with {len(choices)} choices.",
            remedy="Give two or more choices with kind `choose`, and none with any other kind.",
        )
    question = Intervention(kind=kind, request=request, choices=choices).model_dump()
    reply = interrupt(question)
    # The node restarts from its top on every resume, and LangGraph replays the replies in their original order.
    while problem := _problem(reply, kind, choices):
        reply = interrupt({**question, "problem": problem})
    text = Reply.model_validate(reply).text.strip()
    return (_chosen(text, choices) or text) if kind == "choose" else text


def _chosen(text: str, choices: list[str]) -> str | None:
    """Return the choice that the text names, by its words (in any case) or by its number, counted from 1."""
    if text.isdecimal() and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1]
    return next((choice for choice in choices if choice.casefold() == text.casefold()), None)


def _problem(reply: object, kind: Kind, choices: list[str]) -> str:
    try:
        text = Reply.model_validate(reply).text.strip()
    except ValidationError:
        return f"{reply!r} is not an answer. Expected an object with the key 'text'."
    if kind == "choose" and _chosen(text, choices) is None:
        return f"{text!r} is not one of the choices. Expected one of them, or its number from 1 to {len(choices)}."
    if not text and kind not in NEEDS_NEW_FRAME:
        return "The answer is empty. Please type one."
    return ""
