"""The state of the loop. It holds references to frames, never pixels: a checkpoint must stay small."""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from tools.errors import AttendError


class Turn(TypedDict):
    """What one question has used so far.

    `seconds` counts time at work, not time spent waiting for a person. `repaired` is set once the model was told what
    was wrong with its answer.
    """

    steps: int
    seconds: float
    tokens_in: int
    tokens_out: int
    repaired: bool


class State(TypedDict, total=False):
    """The state of one conversation.

    Attributes:
        messages: questions, tool calls, tool results and answers, as langchain-core messages.
        source: what was watched when the present question was asked.
        session: when that watching began; times and evidence of another one mean nothing now.
        window: the frames to show with the present question, oldest first (`SeenFrame` as plain data).
        gaps: stretches without a picture among these frames, and what is heard, in words, each with its time.
        stale: why a live source shows nothing new now, in words; empty where it does.
        shown: the frames that were in the last prompt: of the window, or brought up by tools.
        evidence: what tools brought up for the present question (`Evidence` as plain data).
        turn: what the present question has used.
        answer: the last `agent.core.citations.Answer` as plain data; None while a question is open.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    source: str
    session: str
    window: list[dict[str, Any]]
    gaps: list[tuple[float, str]]
    stale: str
    shown: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    turn: Turn
    answer: dict[str, Any] | None


def new_turn() -> Turn:
    """Return the account of a question on which nothing was used yet."""
    return Turn(steps=0, seconds=0.0, tokens_in=0, tokens_out=0, repaired=False)


def hint(text: str) -> HumanMessage:
    """Return a message from the loop itself to the model; it does not begin a turn."""
    return HumanMessage(text, additional_kwargs={"hint": True})


def begins_turn(messages: list[AnyMessage]) -> bool:
    """Say whether the last message is a person's question.

    Raises:
        AttendError: if there is no message, or the last question is empty.
    """
    if not messages or (not messages[-1].text.strip() and isinstance(messages[-1], HumanMessage)):
        raise AttendError("there is no question to answer.", expected="a message with text from the person")
    return _is_question(messages[-1])


def split_turns(messages: list[AnyMessage]) -> list[list[AnyMessage]]:
    """Split messages into turns, each beginning with a person's question."""
    turns: list[list[AnyMessage]] = []
    for message in messages:
        if _is_question(message):
            turns.append([])
        if turns:
            turns[-1].append(message)
    return turns


def final_answer(turn: list[AnyMessage]) -> AIMessage | None:
    """Return the answer that a turn ended with: the last message of the model that calls no tool."""
    answers = [message for message in turn if isinstance(message, AIMessage) and not message.tool_calls]
    return answers[-1] if answers else None


def last_reply(state: State) -> AIMessage:
    """Return the model's newest message."""
    return next(message for message in reversed(state["messages"]) if isinstance(message, AIMessage))


def _is_question(message: AnyMessage) -> bool:
    return isinstance(message, HumanMessage) and not message.additional_kwargs.get("hint")
