"""Uniform interface to ask and score a task under any rules: ours, a family's, or one script's with its own parser.

The golden scorers judge the replies so far; the step whose reply they lack is asked next. So the protocol cannot
deviate from the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from evals.results import Failure
from evals.suites.medspot.canonical import ACTIONS, Outcome, run_canonical
from evals.suites.medspot.parsing import GUI_ACTOR, SEECLICK, NumberError, Point, Size, click_text
from evals.suites.medspot.scorer import (
    FAMILIES,
    SCRIPTS,
    Box,
    InstructionError,
    OutputsError,
    Step,
    difficulty,
    run_task,
    share_box,
)

CANONICAL = "canonical"
LETTERS = {
    "G": "gpt5",
    "P": "gemma3_27B",
    "Q": "qwen2_5vl",
    "N": "qwen2vl",
    "A": "gui_actor",
    "S": "seeclick",
    "T": "tars",
}
"""Families, each with a script whose parser adds nothing to the family's rules: pixels as they are, or points."""

NAMES = (CANONICAL, *LETTERS, *(script.removeprefix("evaluate_").removesuffix(".py") for script in SCRIPTS))

_NO_SIZE = (1, 1)
"""Size of steps that are never asked; all others have a size of their own."""


@dataclass(frozen=True)
class Rules:
    """A set of rules.

    Attributes:
        script: the file name of the authors' script that scores; "" is our own scorer.
        reads: whether that script also parses the replies.
    """

    script: str
    reads: bool

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the rules of one of `NAMES`."""
        if name == CANONICAL:
            return cls("", False)
        script = f"evaluate_{LETTERS.get(name, name)}.py"
        return cls(script, name not in LETTERS and script not in (GUI_ACTOR, SEECLICK))

    def targets(self, step: Step) -> list[tuple[float, float, float, float]]:
        """Return the boxes (x, y, width, height in percent) of which a step needs one hit; none if it is not asked."""
        actions = FAMILIES[SCRIPTS[self.script]].actions if self.script else ACTIONS
        boxes = [act.bbox for act in step.actions if act.type in actions and act.bbox is not None]
        return boxes[:1] if self.script else boxes

    def output(self, point: Point | None, size: Size) -> Any:
        """Return a point in pixels, or none, in the scorer's JSON form."""
        if self.script == GUI_ACTOR:
            return [] if point is None else [[point[0] / size[0], point[1] / size[1]]]
        if self.script == SEECLICK:
            return None if point is None else [point[0] / size[0], point[1] / size[1]]
        if self.script:
            return "" if point is None else click_text(self.script, point, size)
        return None if point is None else list(point)


@dataclass(frozen=True)
class Click:
    """A step that was asked and judged.

    Attributes:
        step: its position in the task, from 1.
        box: the target, the first of several (left, top, right, bottom), in shares of the screenshot.
        point: the clicked point, in shares; None if the reply named none.
        failure: how it missed; "" is a hit.
        size: small, medium or large, by the box's share of the screenshot.
    """

    step: int
    box: Box
    point: Point | None
    failure: str
    size: str


@dataclass(frozen=True)
class Progress:
    """The state of a task.

    Attributes:
        wanted: the place, from 0, of the step to ask next; None if the task is over.
        clicks: the judged clicks, in order; only if the task is over.
        outcome: by our own rules, if it is over.
        result: by a script's rules, if it is over.
        failure: why there is no score although it is over, or "".
        problem: that in words.
    """

    wanted: int | None = None
    clicks: tuple[Click, ...] = ()
    outcome: Outcome | None = None
    result: dict[str, Any] | None = None
    failure: Failure = ""
    problem: str = ""


def progress(rules: Rules, steps: Sequence[Step], outputs: Sequence[Any]) -> Progress:
    """Judge the replies so far.

    Args:
        rules: see `Rules`.
        steps: the task's; those that `rules` need a hit of have a `size`.
        outputs: one per call, as `Rules.output` returns them, or the replies if the script reads.
    """
    return _by_script(rules, steps, outputs) if rules.script else _by_ours(rules, steps, outputs)


def _by_ours(rules: Rules, steps: Sequence[Step], outputs: Sequence[Any]) -> Progress:
    places = [place for place, step in enumerate(steps) if rules.targets(step)]
    points = [None if output is None else (float(output[0]), float(output[1])) for output in outputs]
    outcome = run_canonical(steps, _NO_SIZE, points)
    if outcome.hits == len(points) < len(places):
        return Progress(wanted=places[len(points)])
    clicks = []
    for number, (place, point) in enumerate(zip(places, points, strict=False)):
        width, height = steps[place].size or _NO_SIZE
        share = None if point is None else (point[0] / width, point[1] / height)
        failure = "" if number < outcome.hits else str(outcome.failure)
        clicks.append(_click(rules, steps[place], place + 1, share, failure))
    return Progress(clicks=tuple(clicks), outcome=outcome)


def _by_script(rules: Rules, steps: Sequence[Step], outputs: Sequence[Any]) -> Progress:
    try:
        result = run_task(rules.script, steps, _NO_SIZE, outputs)
    except OutputsError as error:
        return Progress(wanted=error.position - 1)
    except NumberError as error:
        return Progress(failure="parse", problem=str(error))
    except InstructionError as error:
        return Progress(failure="data", problem=str(error))
    clicks = []
    for logged in result["steps"]:
        if logged["hit"] is None:
            continue
        step = steps[logged["step_id"] - 1]
        said = logged["pred"]
        if rules.script in (GUI_ACTOR, SEECLICK):
            said = said[0] if said else None
        width, height = step.size if FAMILIES[SCRIPTS[rules.script]].pixels and step.size else _NO_SIZE
        share = None if said is None else (said[0] / width, said[1] / height)
        clicks.append(_click(rules, step, logged["step_id"], share, logged["failure_type"] or ""))
    return Progress(clicks=tuple(clicks), result=result)


def _click(rules: Rules, step: Step, position: int, share: Point | None, failure: str) -> Click:
    return Click(position, share_box(rules.targets(step)[0]), share, failure, hardness(rules.targets(step)))


def hardness(boxes: Sequence[tuple[float, float, float, float]]) -> str:
    """Classify the smallest of some boxes, in percent of the screenshot as annotated: small, medium or large."""
    return difficulty(min(width * height for _, _, width, height in boxes) / 1e4)
