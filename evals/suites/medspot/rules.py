"""One way to put and to judge a task under any rules: ours, a family's, or one script's with its own reading.

What was said so far is judged by the golden scorers; where they lack a reply, that step is asked next. So the protocol
cannot differ from the scores.
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
"""Families, each with a script whose reading adds nothing to the family's rules: pixels as they are, or points."""

NAMES = (CANONICAL, *LETTERS, *(script.removeprefix("evaluate_").removesuffix(".py") for script in SCRIPTS))

_NO_SIZE = (1, 1)
"""Of steps that are never asked; all others have a size of their own."""


@dataclass(frozen=True)
class Rules:
    """Whose rules hold.

    Attributes:
        script: the file name of the authors' script that scores; "" is our own scorer.
        reads: whether that script also reads the replies.
    """

    script: str
    reads: bool

    @classmethod
    def named(cls, name: str) -> Self:
        """The rules of one of `NAMES`."""
        if name == CANONICAL:
            return cls("", False)
        script = f"evaluate_{LETTERS.get(name, name)}.py"
        return cls(script, name not in LETTERS and script not in (GUI_ACTOR, SEECLICK))

    def targets(self, step: Step) -> list[tuple[float, float, float, float]]:
        """The boxes (x, y, width, height in percent) of which a step wants one hit; none where it is not asked."""
        actions = FAMILIES[SCRIPTS[self.script]].actions if self.script else ACTIONS
        boxes = [act.bbox for act in step.actions if act.type in actions and act.bbox is not None]
        return boxes[:1] if self.script else boxes

    def output(self, point: Point | None, size: Size) -> Any:
        """A point in pixels, or none, as the scorer takes it and JSON holds it."""
        if self.script == GUI_ACTOR:
            return [] if point is None else [[point[0] / size[0], point[1] / size[1]]]
        if self.script == SEECLICK:
            return None if point is None else [point[0] / size[0], point[1] / size[1]]
        if self.script:
            return "" if point is None else click_text(self.script, point, size)
        return None if point is None else list(point)


@dataclass(frozen=True)
class Click:
    """One step that was asked and judged.

    Attributes:
        step: its position in the task, from 1.
        box: what was to be hit, the first of several (left, top, right, bottom), in shares of the screenshot.
        point: where was clicked, in shares; None where no point was said.
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
    """Where a task stands.

    Attributes:
        wanted: the place, from 0, of the step that is to be asked now; None where the task is over.
        clicks: what was judged, in order; only where the task is over.
        outcome: by our own rules, where it is over.
        result: by a script's rules, where it is over.
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
    """Judge what was said so far.

    Args:
        rules: see `Rules`.
        steps: the task's; those that `rules` want to be hit have a `size`.
        outputs: one a call, as `Rules.output` makes them, or the replies where the script reads.
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
    """How small the smallest of some boxes is, in percent of the screenshot as annotated: small, medium or large."""
    return difficulty(min(width * height for _, _, width, height in boxes) / 1e4)
