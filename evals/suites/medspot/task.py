"""MedSPOT as a suite: see README.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from evals.engine.suite import (
    Call,
    DialogueBaseline,
    Judged,
    Message,
    Picture,
    Reply,
    Sample,
    Scored,
    Suite,
    Transcript,
)
from evals.suites.medspot.canonical import summarise
from evals.suites.medspot.dataset import Shown, ShownStep, load
from evals.suites.medspot.dialogue import TEXTS, ClickAt, Nothing, put, said
from evals.suites.medspot.options import Options
from evals.suites.medspot.parsing import Point, click_text
from evals.suites.medspot.rules import Progress, progress
from evals.suites.medspot.scorer import failure_statistics, metrics
from tools.errors import MediaError, ToolRetry

BLOCKED = "a step that is no click"


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score a task, or with `unit=step` a step: 1 if all targets were hit, in order."""
    ended = _ended(sample, transcript)
    if ended.failure:
        return Scored(failure=ended.failure)
    return Scored(value=float(_complete(ended)))


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the measures of the selected rules, hit rates by the target's size, and counts of how tasks ended."""
    held = [(sample, _ended(sample, transcript)) for sample, transcript, _ in judged if not transcript.failure]
    if not held:
        return {}
    options: Options = held[0][0].fields["options"]
    ended = [one for _, one in held if not one.failure]
    table: dict[str, float] = {}
    if options.unit == "step":
        hits = [_complete(one) for one in ended]
        table = {"steps": float(len(hits))} | ({"step_hit_rate": sum(hits) / len(hits)} if hits else {})
    elif options.chosen.script:
        results = [one.result for one in ended if one.result is not None]
        table = {"tasks": float(len(results))} | metrics(options.chosen.script, results)
    else:
        found = summarise([one.outcome for one in ended if one.outcome is not None])
        table = {name: float(value) for name, value in found.items() if value is not None}
    return table | _by_size(ended) | _ends(ended) | _misses(ended, options) | _stopped(held)


def _ended(sample: Sample, transcript: Transcript) -> Progress:
    shown: Shown = sample.fields["shown"]
    options: Options = sample.fields["options"]
    outputs: Any = transcript.outcome["outputs"]
    return progress(options.chosen, [step.step for step in shown.steps], outputs)


def _complete(ended: Progress) -> bool:
    if ended.result is not None:
        return bool(ended.result["completed"])
    assert ended.outcome is not None
    return ended.outcome.hits == ended.outcome.scored


def _by_size(ended: Sequence[Progress]) -> dict[str, float]:
    """Return hits over reached steps, for small, medium and large targets."""
    clicks = [click for one in ended for click in one.clicks]
    table = {}
    for size in ("small", "medium", "large"):
        of_size = [click for click in clicks if click.size == size]
        if of_size:
            table[f"{size} targets hit"] = sum(not click.failure for click in of_size) / len(of_size)
    return table


def _ends(ended: Sequence[Progress]) -> dict[str, float]:
    """Count completed tasks, or with `unit=step` steps, and each failure that ended one.

    Not slices: how a task ended is its score, and does not group tasks.
    """
    counts = Counter(_end(one) for one in ended)
    return {f"ended: {name}": float(counts[name]) for name in sorted(counts)}


def _end(ended: Progress) -> str:
    last = ended.clicks[-1].failure if ended.clicks else ""
    return "complete" if _complete(ended) else last or BLOCKED


def _misses(ended: Sequence[Progress], options: Options) -> dict[str, float]:
    """Count, by the authors' rules, their own failures; by ours, the misses that their window would accept."""
    if not options.chosen.script:
        outcomes = [one.outcome for one in ended if one.outcome is not None]
        return {"missed, but within 7 px": float(sum(bool(outcome.window_hit) for outcome in outcomes))}
    results = [one.result for one in ended if one.result is not None]
    counts: Mapping[str, int] = failure_statistics(options.chosen.script, results)["failure_type_histogram"]
    return {f"failed by {name}": float(counts[name]) for name in sorted(counts)}


def _stopped(held: Sequence[tuple[Sample, Progress]]) -> dict[str, float]:
    stopped = sum(bool(one.failure) for _, one in held)
    return {"tasks at which the script stops": float(stopped)} if stopped else {}


def _player(choose: Callable[[Sample, Random, ShownStep, Picture], Point | None]) -> Callable[..., DialogueBaseline]:
    """Make a baseline that clicks where `choose` returns, in pixels, in the required form."""

    def baseline(sample: Sample, rng: Random) -> DialogueBaseline:
        def say(messages: Sequence[Message]) -> str:
            picture, *_, instruction = messages[-1].parts
            assert isinstance(picture, Picture)
            asked = (picture.path, instruction)
            shown: Shown = sample.fields["shown"]
            step = next(step for step in shown.steps if (step.path, step.instruction) == asked)
            return _said(choose(sample, rng, step, picture), step, sample.fields["options"])

        return say

    return baseline


def _said(point: Point | None, step: ShownStep, options: Options) -> str:
    if options.chosen.reads:
        return "none" if point is None else click_text(options.chosen.script, point, step.size)
    place = said(point, step.size, options.coordinates)
    if options.act == "tool":
        call = Call("give_up", Nothing()) if place is None else Call("click", ClickAt(x=place[0], y=place[1]))
        return Reply("", [call])
    return "give_up()" if place is None else f"click({place[0]:.3f}, {place[1]:.3f})"


def anywhere(sample: Sample, rng: Random, step: ShownStep, picture: Picture) -> Point:
    """Click any place of the screenshot, uniformly."""
    return rng.random() * step.size[0], rng.random() * step.size[1]


def middle(sample: Sample, rng: Random, step: ShownStep, picture: Picture) -> Point:
    """Click the centre of the screenshot."""
    return step.size[0] / 2, step.size[1] / 2


def target(sample: Sample, rng: Random, step: ShownStep, picture: Picture) -> Point:
    """Click the centre of the first box that counts."""
    options: Options = sample.fields["options"]
    x, y, width, height = options.chosen.targets(step.step)[0]
    return (x + width / 2) / 100 * step.size[0], (y + height / 2) / 100 * step.size[1]


def grounded(sample: Sample, rng: Random, step: ShownStep, picture: Picture) -> Point | None:
    """Click where Attend's own grounding locates, by the pixels and the instruction alone; None if it does not decide.

    Raises:
        MediaError: if the screenshot cannot be read.
        ToolFailed: if text has to be read and RapidOCR is not installed.
    """
    import numpy as np
    from PIL import Image

    from tools.gui.grounding import PIXELS, locate
    from tools.gui.types import Screen

    assert picture.path is not None
    try:
        with Image.open(picture.path) as image:
            screen = Screen(rgb=np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError) as error:
        raise MediaError(f"cannot read the screenshot {str(picture.path)!r}: {error}.") from error
    try:
        found = locate(step.instruction, screen, layers=PIXELS)
    except ToolRetry:
        return None  # The instruction names nothing that can be located.
    if found.abstained or not found.targets:
        return None
    return found.targets[0].point.x_px, found.targets[0].point.y_px


SUITE = Suite(
    name="medspot",
    title="MedSPOT: clicks in programs for medical images, step after step, until the first miss",
    version=2,
    load=load,
    score=score,
    solve=put,
    blind=partial(put, blind=True),
    prompts=TEXTS,
    options=Options,
    baselines={
        "random": _player(anywhere),
        "oracle": _player(target),
        "centre": _player(middle),
        "grounding": _player(grounded),
    },
    figures=figures,
)
