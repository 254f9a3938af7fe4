"""Evaluator: asks the model for a verdict on a condition over a few frames, and validates it.

The verdict is JSON in plain text, which every backend can write, rather than a tool call, which some servers do not
support. The request is also in the message's `additional_kwargs["watch"]`, for models that judge by code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langsmith import tracing_context
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from agent.core.citations import TOLERANCE_S, Answer, check_citations, repair_hint
from agent.core.prompt import Detected, Noted, Picture, frame_blocks
from agent.literature.citations import LiteratureCitations
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from agent.models.structured import bound_to
from tools.base import SeenFrame
from tools.errors import MediaError
from tools.media import cited_times, format_clock, parse_clock

Outcome = Literal["yes", "no", "cannot judge"]

_FORM = (
    '{"verdict": "yes", "no" or "cannot judge", "why": one sentence, "t": a time that was shown, such as "0:05", '
    '"happened": true or false}'
)


class Verdict(BaseModel):
    """A model's verdict on a condition.

    Attributes:
        verdict: whether the condition is true.
        why: what the model sees.
        t: the time of the frame that shows it, or "".
        happened: whether a `yes` concerns an event, such as a change, rather than a lasting state; the next `yes` is
            then another event.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Outcome
    why: str = ""
    t: str = ""
    happened: bool = False

    @field_validator("t")
    @classmethod
    def _is_a_time(cls, t: str) -> str:
        if t.strip():
            try:
                parse_clock(t)
            except MediaError as error:
                raise ValueError(str(error)) from error
        return t.strip()


class Judgement(BaseModel):
    """The outcome of one check.

    Attributes:
        outcome: the verdict; None if the answer could not be parsed.
        happened: see `Verdict`.
        answer: what the model saw, with its times checked against the shown frames.
        t_s: when it was seen, in seconds: the time in the verdict, else that of the newest frame.
        frames: the frames that the model was shown.
        calls: number of model calls.
        tokens: input and output tokens of these calls.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome | None
    answer: Answer
    t_s: float
    frames: tuple[SeenFrame, ...]
    calls: int
    tokens: int
    happened: bool = False


def judge(
    model: MLLM,
    condition: str,
    frames: Sequence[SeenFrame],
    since_s: float | None,
    picture: Picture,
    noted: Noted,
    max_tokens: int,
    stopped: Callable[[], bool],
    detected: Detected | None = None,
) -> Judgement | None:
    """Have a model judge a condition; an invalid answer, or one citing a time never shown, is repaired once.

    Args:
        model: the model.
        condition: the condition.
        frames: frames to show, oldest first.
        since_s: frames up to this media time were judged before; None: none were, and only the newest is new.
        picture: returns the pixels of a frame.
        noted: returns the notes about frames, for models without images.
        max_tokens: maximum tokens of an answer.
        stopped: called between tokens; True cancels the check.
        detected: returns what was detected in frames; None where nothing is.

    Returns:
        The judgement; None if nothing new can be shown (its pixels are gone or, for a model without images, it has no
        notes yet), or the check was cancelled.

    Raises:
        ModelError: if the model fails.
    """
    found = detected(frames, model.abilities.detections) if detected else {}
    blocks, shown = frame_blocks(frames, model.abilities, picture, noted, found=found)
    if not shown or (since_s is not None and shown[-1].t_s <= since_s):
        return None
    request = {"type": "text", "text": _request(condition, shown, since_s)}
    asked = HumanMessage([*blocks, request], additional_kwargs={"watch": {"condition": condition, "since_s": since_s}})
    messages: list[BaseMessage] = [SystemMessage(_system_text()), asked]
    calls = tokens = 0
    while True:
        reply = _ask(model, messages, max_tokens, stopped)
        if reply is None:
            return None
        calls += 1
        tokens += (reply.usage_metadata or {"total_tokens": 0})["total_tokens"]
        verdict, wrong = read_verdict(text_of(reply))
        answer = _checked(verdict, shown) if verdict else Answer(text=wrong)
        wrong = wrong or (repair_hint(answer, shown) if answer.unverified else "")
        if not wrong or calls == 2:
            break
        hint = HumanMessage(f"{wrong} Answer with {_FORM}.", additional_kwargs={"hint": True})
        messages = [*messages, AIMessage(text_of(reply)), hint]
    return Judgement(
        outcome=verdict.verdict if verdict else None,
        answer=answer,
        t_s=_when(verdict, shown),
        frames=tuple(shown),
        calls=calls,
        tokens=tokens,
        happened=verdict is not None and verdict.happened,
    )


def read_verdict(text: str) -> tuple[Verdict | None, str]:
    """Parse a model's answer, ignoring text around the JSON object; return the verdict, or None and the reason."""
    start, end = text.find("{"), text.rfind("}")
    try:
        return Verdict.model_validate(json.loads(text[start : end + 1])), ""
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the object"
        return None, f"Your answer is no verdict: {where} is {first['input']!r}: {first['msg']}."
    except ValueError:
        return None, f"Your answer is not JSON: {text[:80]!r}."


def _system_text() -> str:
    return files("agent").joinpath("prompts", "watch.md").read_text("utf-8")


def _request(condition: str, shown: Sequence[SeenFrame], since_s: float | None) -> str:
    # On the first check of a watch only the newest frame counts; earlier ones are shown for comparison.
    new = [frame for frame in shown[:-1] if since_s is not None and frame.t_s > since_s]
    times = ", ".join(f"[{format_clock(frame.t_s)}]" for frame in (*new, shown[-1]))
    return f"New frames: {times}.\nThe condition, as the person wrote it: {json.dumps(condition)}\nYour verdict?"


def _checked(verdict: Verdict, shown: Sequence[SeenFrame]) -> Answer:
    """Return the model's sentence with its time, with citations checked as in answers."""
    why = " ".join(verdict.why.split()) or {"yes": "It holds.", "no": "It does not hold."}.get(verdict.verdict, "")
    if verdict.t and parse_clock(verdict.t) not in cited_times(why):
        why = f"{why} [{format_clock(parse_clock(verdict.t))}]".strip()
    return check_citations(why, shown, [], LiteratureCitations())


def _when(verdict: Verdict | None, shown: Sequence[SeenFrame]) -> float:
    """Return the media time of the frame that a verdict names, or of the newest frame if it names none shown."""
    if verdict is None or not verdict.t:
        return shown[-1].t_s
    named_s = parse_clock(verdict.t)
    nearest = min(shown, key=lambda frame: abs(frame.t_s - named_s))
    return nearest.t_s if abs(nearest.t_s - named_s) <= TOLERANCE_S else shown[-1].t_s


def _ask(model: MLLM, messages: list[BaseMessage], max_tokens: int, stopped: Callable[[], bool]) -> AIMessage | None:
    """Return the model's whole answer, or None if cancelled."""
    whole: Any = None
    # Traces would send frames and text to a server, so disable them whatever the environment says.
    with tracing_context(enabled=False):
        for chunk in model.stream(messages, max_tokens=max_tokens, **bound_to(model, Verdict)):
            if stopped():
                return None
            whole = chunk if whole is None else whole + chunk
    return whole
