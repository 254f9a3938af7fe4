"""MedSPOT's scores for an agent that clicks in pixels, by rules of our own; not comparable with published rows.

A step is hit if the point is in any box of a click or double click; the authors' window of 14 by 14 pixels is reported
separately. Steps without such an action are skipped and block nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evals.suites.medspot.parsing import Point, Size
from evals.suites.medspot.scorer import (
    DECAY,
    PATCH_PX,
    SMALL_AREA,
    TOOLBAR,
    Box,
    Step,
    at_edge,
    in_grown,
    pixel_box,
    touches,
)

ACTIONS = frozenset({"click", "double_click"})
"""The actions that one click can represent."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one task.

    Attributes:
        asked: steps that were reached and have a target.
        scored: steps that have a target, reached or not.
        hits: hit steps before the first miss.
        window_hit: whether the window hits the missed step; None without a miss.
        first: whether the first step was hit; None if it has no target.
        weighted: sum of 0.8 to the power of the position (from 0) over the hits.
        normalised: the same as a share of the maximum over the scored steps; None without any.
        failure: how the missed step failed; None without a miss.
    """

    asked: int
    scored: int
    hits: int
    window_hit: bool | None
    first: bool | None
    weighted: float
    normalised: float | None
    failure: str | None


def run_canonical(steps: Sequence[Step], size: Size, clicks: Sequence[Point | None]) -> Outcome:
    """Score one task.

    Args:
        steps: the task's, in order.
        size: width and height of its screenshots in pixels, except for steps with a size of their own.
        clicks: the clicked points in pixels, one for each step with a target; None is no click. Missing ones are None.
    """
    sizes = [step.size or size for step in steps]
    boxes = [
        [pixel_box(a.bbox, own) for a in step.actions if a.type in ACTIONS and a.bbox]
        for step, own in zip(steps, sizes, strict=True)
    ]
    places = [place for place, held in enumerate(boxes) if held]
    hits, weighted, window_hit, failure = 0, 0.0, None, None
    for number, place in enumerate(places):
        point = clicks[number] if number < len(clicks) else None
        if point is not None and any(touches(point, box, (0, 0)) for box in boxes[place]):
            hits, weighted = hits + 1, weighted + DECAY**place
            continue
        half = PATCH_PX / 2
        window_hit = point is not None and any(touches(point, box, (half, half)) for box in boxes[place])
        failure = failure_of(point, boxes[place], sizes[place])
        break
    most = sum(DECAY**place for place in places)
    return Outcome(
        asked=hits + (failure is not None),
        scored=len(places),
        hits=hits,
        window_hit=window_hit,
        first=hits > 0 if boxes and boxes[0] else None,
        weighted=weighted,
        normalised=weighted / most if most else None,
        failure=failure,
    )


def failure_of(point: Point | None, boxes: Sequence[Box], size: Size) -> str:
    """Classify how a click missed some boxes; the smallest of them decides whether the target is small."""
    if point is None:
        return "no_prediction"
    extent = float(size[0]), float(size[1])
    if min((b[2] - b[0]) / extent[0] * ((b[3] - b[1]) / extent[1]) for b in boxes) < SMALL_AREA:
        return "small_target"
    if any(in_grown(point, box, extent) for box in boxes):
        return "near_miss"
    if at_edge(point, extent, vertical=True):
        return "edge_bias"
    return "toolbar_confusion" if point[1] < TOOLBAR * extent[1] else "far_miss"


def summarise(outcomes: Sequence[Outcome]) -> dict[str, float | int | None]:
    """Return shares and means over tasks with a target, named as in README.md; None if undefined."""
    scored = [outcome for outcome in outcomes if outcome.scored]
    first = [outcome.first for outcome in scored if outcome.first is not None]
    hits, asked = sum(o.hits for o in scored), sum(o.asked for o in scored)
    return {
        "tasks": len(scored),
        "tca": fmean(o.hits == o.scored for o in scored) if scored else None,
        "s1a": fmean(first) if first else None,
        "shr_reached": hits / asked if asked else None,
        "shr_annotated": hits / sum(o.scored for o in scored) if scored else None,
        "wps": fmean(o.weighted for o in scored) if scored else None,
        "wps_normalised": fmean(o.normalised or 0.0 for o in scored) if scored else None,
    }
