"""One check of a watch: the model is shown a few frames and a condition, and gives a verdict that code checks.

The verdict is asked for as JSON in plain text, which every backend can write, rather than as a tool call, which some
servers cannot make. The request also stands in the message's `additional_kwargs["watch"]` (see `Request`), for models
that judge by code.
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
from agent.core.prompt import Noted, Picture, frame_blocks
from agent.literature.citations import LiteratureCitations
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from tools.base import SeenFrame
from tools.errors import MediaError
from tools.media import cited_times, format_clock, parse_clock

Outcome = Literal["yes", "no", "cannot judge"]

_FORM = (
    '{"verdict": "yes", "no" or "cannot judge", "why": one sentence, "t": a time that was shown, such as "0:05", '
    '"happened": true or false}'
)


class Verdict(BaseModel):
    """What a model says of a condition.

    Attributes:
        verdict: whether it holds.
        why: what the model sees.
        t: the time of the frame where it is seen, or "".
        happened: whether a `yes` is of something that happens and is over, such as a change, rather than of something
            that lasts: the next `yes` is then another happening.
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
        outcome: the verdict; None where the model gave none that can be read.
        happened: see `Verdict`.
        answer: what the model saw, its times checked against what it was shown.
        t_s: when it was seen, in seconds: the time that the verdict names, else the newest frame's.
        frames: the frames that the model was shown.
        calls: how often the model was called.
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
) -> Judgement | None:
    """Have a model judge a condition; an answer that cannot be read, or names a time never shown, is mended once.

    Args:
        model: the model.
        condition: the person's words.
        frames: what to show, oldest first.
        since_s: frames up to this media time were judged before; None: none was, and only the newest is new.
        picture: returns the pixels of a frame.
        noted: returns what was noted about frames, for models without images.
        max_tokens: the most tokens of an answer.
        stopped: asked between tokens; True breaks the check off.

    Returns:
        The judgement; None where nothing new can be shown (its pixels are gone, or nothing is noted of it yet for a
        model without images), or the check was broken off.

    Raises:
        ModelError: if the model fails.
    """
    blocks, shown = frame_blocks(frames, model.abilities, picture, noted)
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
    """Read a model's answer; where it is no verdict, say why. Words around the JSON object are passed over."""
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
    # On a watch's first look only the present counts; what came before it is shown for comparison.
    new = [frame for frame in shown[:-1] if since_s is not None and frame.t_s > since_s]
    times = ", ".join(f"[{format_clock(frame.t_s)}]" for frame in (*new, shown[-1]))
    return f"New frames: {times}.\nThe condition, as the person wrote it: {json.dumps(condition)}\nYour verdict?"


def _checked(verdict: Verdict, shown: Sequence[SeenFrame]) -> Answer:
    """The model's sentence with its time, checked as answers are."""
    why = " ".join(verdict.why.split()) or {"yes": "It holds.", "no": "It does not hold."}.get(verdict.verdict, "")
    if verdict.t and parse_clock(verdict.t) not in cited_times(why):
        why = f"{why} [{format_clock(parse_clock(verdict.t))}]".strip()
    return check_citations(why, shown, [], LiteratureCitations())


def _when(verdict: Verdict | None, shown: Sequence[SeenFrame]) -> float:
    """Media time of the frame that a verdict names; the newest frame's where it names none that was shown."""
    if verdict is None or not verdict.t:
        return shown[-1].t_s
    named_s = parse_clock(verdict.t)
    nearest = min(shown, key=lambda frame: abs(frame.t_s - named_s))
    return nearest.t_s if abs(nearest.t_s - named_s) <= TOLERANCE_S else shown[-1].t_s


def _ask(model: MLLM, messages: list[BaseMessage], max_tokens: int, stopped: Callable[[], bool]) -> AIMessage | None:
    """The model's whole answer; None where it was broken off."""
    whole: Any = None
    # Traces would carry frames and words to a server, whatever the environment says.
    with tracing_context(enabled=False):
        for chunk in model.stream(messages, max_tokens=max_tokens):
            if stopped():
                return None
            whole = chunk if whole is None else whole + chunk
    return whole
