"""Dialogue of a MedSPOT task: one screenshot and instruction per call, the next one only after a hit.

The wording is ours. The required form of a click follows from how each script reads replies (`parsing`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from evals.engine.suite import Message, Part, Picture, Reply, Respond, Sample, Tool
from evals.suites.medspot.dataset import Shown, ShownStep
from evals.suites.medspot.options import Options
from evals.suites.medspot.parsing import COGAGENT, UNITS, Point, Size
from evals.suites.medspot.rules import progress

REQUEST = (
    "This is a screenshot of a program for medical images, {width} pixels wide and {height} pixels high. Find the one "
    "place on it where a click carries out the instruction at the end. {form}"
)
_SPACES = {
    "pixels": "in pixels from the top left corner of the screenshot",
    "thousandths": "from the top left corner, x in thousandths of the width and y in thousandths of the height",
    "shares": "from the top left corner, as shares of width and height between 0 and 1",
}
FORMS = {
    **{f"click, {unit}": f"Reply with click(x, y) and nothing else, {_SPACES[unit]}. If there is no such place, reply "
       "give_up()." for unit in ("pixels", "thousandths")},
    **{f"tool, {unit}": f"Call click with x and y {_SPACES[unit]}. If there is no such place, call give_up."
       for unit in ("pixels", "thousandths")},
    **{f"script, {unit}": f"Reply with (x, y) and nothing else, {space}." for unit, space in _SPACES.items()},
    "script, cogagent": f"Reply with CLICK(point=[[x,y]]) and nothing else, {_SPACES['thousandths']}.",
}  # fmt: skip
OVERVIEW = "\n\nThe whole task: {overview}"
HISTORY = "\n\nDone before, in this order:\n{done}"
INSTRUCTION = "\n\nInstruction:"
TEXTS = {"request": REQUEST, "overview": OVERVIEW, "history": HISTORY, "instruction": INSTRUCTION, **FORMS}

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_N = r"\s*(-?\d+(?:\.\d+)?)\s*"
_READ = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"click\s*\(\s*(?:x\s*=)?{_N},\s*(?:y\s*=)?{_N}\)",
        rf"[\[(]{_N},{_N},{_N},{_N}[\])]",
        rf"[\[(]{_N},{_N}[\])]",
        rf'"?\bx"?\s*[=:]{_N}[,;]?\s*"?y"?\s*[=:]{_N}',
    )
)


class ClickAt(BaseModel):
    """Arguments of the tool `click`."""

    model_config = ConfigDict(frozen=True)

    x: float = Field(description="From the left edge of the screenshot.", allow_inf_nan=False)
    y: float = Field(description="From the top edge of the screenshot.", allow_inf_nan=False)


class Nothing(BaseModel):
    """Arguments of the tool `give_up`."""


TOOLS = (
    Tool("click", "Click once at a place of the screenshot.", ClickAt),
    Tool("give_up", "Say that no place of the screenshot fits the instruction.", Nothing),
)


async def put(sample: Sample, respond: Respond, rng: Random, *, blind: bool = False) -> Mapping[str, JsonValue]:
    """Ask a task step by step.

    Returns:
        `outputs`, the scorer's input, one per call; and `clicks`, the result of each asked step, as
            `evals.suites.medspot.rules.Click`.
    """
    shown: Shown = sample.fields["shown"]
    options: Options = sample.fields["options"]
    steps = [one.step for one in shown.steps]
    outputs: list[Any] = []
    while (now := progress(options.chosen, steps, outputs)).wanted is not None:
        step = shown.steps[now.wanted]
        tools = TOOLS if options.act == "tool" else ()
        reply = await respond([_message(shown, step, options, blind)], max_tokens=options.max_tokens, tools=tools)
        outputs.append(_output(reply, step, options))
    return {"outputs": outputs, "clicks": [_plain(asdict(click)) for click in now.clicks]}


def read_click(text: str, size: Size, coordinates: str = "pixels") -> Point | None:
    """Read the click of a reply, in pixels; None if it names no place.

    Ignores text in tags of thinking. `click(x, y)` has priority, then a box of four numbers by its centre, then a pair
    in brackets, then x and y by name; of several alike, the last.
    """
    text = _THINKING.sub("", text)
    for pattern in _READ:
        if found := pattern.findall(text):
            numbers = [float(number) for number in found[-1]]
            x, y = numbers[0], numbers[1]
            if len(numbers) == 4:
                x, y = (x + numbers[2]) / 2, (y + numbers[3]) / 2
            return in_pixels((x, y), size, coordinates) if math.isfinite(x + y) else None
    return None


def in_pixels(point: Point, size: Size, coordinates: str) -> Point:
    """Convert a point in pixels or thousandths to pixels."""
    return (point[0] * size[0] / 1000, point[1] * size[1] / 1000) if coordinates == "thousandths" else point


def said(point: Point | None, size: Size, coordinates: str) -> Point | None:
    """Invert `in_pixels`."""
    if point is None or coordinates == "pixels":
        return point
    return point[0] / size[0] * 1000, point[1] / size[1] * 1000


def _output(reply: Reply, step: ShownStep, options: Options) -> Any:
    rules = options.chosen
    if rules.reads:
        return str(reply)
    if options.act == "text":
        point = read_click(reply, step.size, options.coordinates)
    else:
        args = next((call.args for call in reply.calls if isinstance(call.args, ClickAt)), None)
        point = in_pixels((args.x, args.y), step.size, options.coordinates) if args else None
    return rules.output(point, step.size)


def _message(shown: Shown, step: ShownStep, options: Options, blind: bool) -> Message:
    width, height = step.size
    text = REQUEST.format(width=width, height=height, form=_form(options))
    if options.overview and shown.overview:
        text += OVERVIEW.format(overview=shown.overview)
    if options.history and step.before:
        done = "\n".join(f"{number}. {before}" for number, before in enumerate(step.before, start=1))
        text += HISTORY.format(done=done)
    assert step.path is not None
    picture: Sequence[Part] = () if blind else (Picture(step.path),)
    return Message("user", (*picture, text + INSTRUCTION, step.instruction))


def _form(options: Options) -> str:
    script = options.chosen.script
    if not options.chosen.reads:
        return FORMS[f"{'tool' if options.act == 'tool' else 'click'}, {options.coordinates}"]
    return FORMS["script, cogagent" if script == COGAGENT else f"script, {UNITS.get(script, 'pixels')}"]


def _plain(click: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in click.items()}
