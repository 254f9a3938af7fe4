"""MedSPOT's scores as in the authors' sixteen scripts, which differ; `canonical` has our own.

A step is hit if the point is in its box or a window around the point touches it. The first miss ends a task. Families
differ in what counts as a step, the size of the window, the classification of failures and the denominators: see
`FAMILIES`, and README.md for the table. Scripts of github.com/Tajamul21/MedSPOT, commit 2820ce6.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.suites.medspot.parsing import GUI_ACTOR, SEECLICK, Size, read_point, read_points
from tools.errors import AttendError

DECAY = 0.8
"""Weight of a hit relative to the previous position of the task (authors)."""

SMALL_AREA, MEDIUM_AREA = 4e-4, 3e-3
"""Boxes with a smaller share of the image are small, or medium (authors)."""

EDGE, TOOLBAR = 0.05, 0.12
"""Margins as shares of the width or height, and the toolbar as a share of the height (authors)."""

NEAR, NEAR_SMALL = 0.03, 0.05
"""Maximum distances from a box's centre, in shares of width and height, of a near miss (authors)."""

GROWTH = 1.5
"""Factor by which a box grows about its centre to recognise near misses (authors)."""

PATCH_PX = 14
"""Side of a patch in pixels, the unit of windows (authors)."""

Box = tuple[float, float, float, float]
Window = Callable[[Size], tuple[float, float]]


class InstructionError(AttendError, TypeError):
    """A script joins a non-text instruction to its prompt (evaluate_qwen2_5vl.py)."""


class OutputsError(AttendError):
    """There are fewer replies than a task needs; `position` is the step, from 1, without one."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.position = position


@dataclass(frozen=True)
class Target:
    """One action of a step: its type, and its box (x, y, width, height in percent of the image), if it has one."""

    type: str
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Step:
    """One screenshot's actions and instruction, which in one released step is an object rather than a text.

    `size` is the screenshot's width and height in pixels, where it may differ from the task's others.
    """

    actions: tuple[Target, ...]
    instruction: Any = ""
    size: Size | None = None


@dataclass(frozen=True)
class Family:
    """The rules that some of the scripts share.

    Attributes:
        pixels: whether points and boxes are in pixels rather than shares of the image.
        window: half the window's width and height in those units; None if the point alone counts.
        actions: the types of which the first with a box is the target.
        ends: whether a step without a target ends the task; otherwise it is skipped.
        logs_skipped: whether a skipped step is logged, without a hit.
        reached: whether the denominator is the steps reached rather than all annotated ones.
        empty_is_complete: whether a task without any measured step is complete.
        near_box: whether a near miss is in the grown box rather than close to the centre.
        near_first: whether near misses have priority over the edge and the toolbar.
        edge_y: whether the top and bottom margins are edges too.
        near_small: whether misses of small targets are classified by distance.
        retries: how often a model is asked again if its reply has no point.
    """

    pixels: bool
    window: Window | None
    actions: frozenset[str] = frozenset({"click"})
    ends: bool = False
    logs_skipped: bool = False
    reached: bool = False
    empty_is_complete: bool = True
    near_box: bool = True
    near_first: bool = True
    edge_y: bool = True
    near_small: bool = False
    retries: int = 0


def _seven_pixels(size: Size) -> tuple[float, float]:
    return PATCH_PX / 2, PATCH_PX / 2


def _patch_share(size: Size) -> tuple[float, float]:
    return PATCH_PX / size[0], PATCH_PX / size[1]


def _two_percent(size: Size) -> tuple[float, float]:
    return min(size) * 0.02, min(size) * 0.02


_BY_CENTRE: dict[str, Any] = {"near_box": False, "near_first": False, "edge_y": False}
FAMILIES = {
    "G": Family(True, _seven_pixels, reached=True, empty_is_complete=False, **_BY_CENTRE),
    "P": Family(True, _seven_pixels, **_BY_CENTRE),
    "Q": Family(True, _seven_pixels, edge_y=False),
    "N": Family(False, _patch_share, actions=frozenset({"click", "double_click", "drag"}), reached=True),
    "A": Family(False, _patch_share, ends=True),
    "S": Family(False, None, ends=True),
    "T": Family(True, _two_percent, logs_skipped=True, near_small=True, retries=2, **_BY_CENTRE),
}
"""The families by their letters in README.md."""

SCRIPTS = {
    f"evaluate_{name}.py": family
    for family, names in {
        "G": ("gpt4omini", "gpt5"),
        "P": ("qwen3vl0", "gemma3_27B", "llama"),
        "Q": ("qwen2_5vl",),
        "N": ("qwen2vl", "Aguvis", "cogagent", "deepseek", "mistral", "osatlas", "uground"),
        "A": ("gui_actor",),
        "S": ("seeclick",),
        "T": ("tars",),
    }.items()
    for name in names
}
"""The family of each script, by its file name."""


@dataclass
class _Run:
    """A running task: counters, and the remaining replies."""

    outputs: Iterator[Any]
    position: int = 0
    calls: int = 0
    evaluated: int = 0
    hits: int = 0
    weighted: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list)

    def ask(self) -> Any:
        """Return the next reply.

        Raises:
            OutputsError: if none is left.
        """
        self.calls += 1
        for output in self.outputs:
            return output
        raise OutputsError(f"call {self.calls} has no reply: the task needs more than were recorded.", self.position)


def run_task(script: str, steps: Sequence[Step], size: Size, outputs: Sequence[Any]) -> dict[str, Any]:
    """Score one task as a script does.

    Args:
        script: its file name, a key of `SCRIPTS`.
        steps: the task's, in order.
        size: width and height of its screenshots in pixels, except for steps with a size of their own.
        outputs: the model's replies, one per call, in order; GUI-Actor's are lists of points, SeeClick's points or
            boxes.

    Returns:
        By the authors' names: completed, correct_steps, num_steps, weighted_prefix_score, steps; with model_calls,
        step1_hit (of the first logged step), and for UI-TARS evaluated_steps and normalised_weighted_score.

    Raises:
        InstructionError, NumberError: where the script itself would stop.
        OutputsError: if there are too few outputs.
    """
    letter = SCRIPTS[script]
    family, run, missed = FAMILIES[letter], _Run(iter(outputs)), False
    for position, step in enumerate(steps, start=1):
        target = next((a.bbox for a in step.actions if a.type in family.actions and a.bbox is not None), None)
        if target is None:
            if family.ends:
                break
            if family.logs_skipped:
                run.steps.append(_log(position, None, "skipped_non_click", "unknown", None))
            continue
        if letter == "Q" and not isinstance(step.instruction, str):
            raise InstructionError(f"the instruction of step {position} is not a text: {step.instruction!r}.")
        run.evaluated += 1
        run.position, own = position, step.size or size
        box = pixel_box(target, own) if family.pixels else share_box(target)
        failure, predicted = _judge(script, family, box, own, run)
        hardness = difficulty(_area(box, _extent(family, own)))
        run.steps.append(_log(position, int(failure is None), failure, hardness, predicted))
        if failure is not None:
            missed = True
            break
        run.hits += 1
        run.weighted += DECAY ** (position - 1)
    count = run.evaluated if family.reached else len(steps)
    result = {
        "completed": int(run.hits == count and not missed and (count > 0 or family.empty_is_complete)),
        "correct_steps": run.hits,
        "num_steps": count,
        "weighted_prefix_score": run.weighted,
        "model_calls": run.calls,
        "step1_hit": int(bool(run.steps) and run.steps[0]["hit"] == 1),
        "steps": run.steps,
    }
    if letter == "T":
        most = sum(DECAY**position for position in range(len(steps))) if steps else 1.0
        result |= {"evaluated_steps": run.evaluated, "normalised_weighted_score": run.weighted / most}
    return result


def metrics(script: str, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a script's metrics over tasks: completion, first step, hits per task, hit rate, weighted prefix; shares or
    means.

    The hit rate's denominator is the family's, so that rates of two families must not be compared. Without tasks the N
    family's scripts return nothing, the others zeros.
    """
    letter, total = SCRIPTS[script], len(results)
    if letter == "N" and not total:
        return {}

    def sum_of(name: str) -> float:
        return sum(result[name] for result in results)

    steps = sum_of("evaluated_steps" if letter == "T" else "num_steps")
    first = sum(bool(result["steps"]) and result["steps"][0]["hit"] == 1 for result in results)
    got: dict[str, Any] = {
        "task_completion_accuracy": _ratio(sum_of("completed"), total),
        "step1_accuracy": _ratio(first, total),
        "avg_correct_prefix": _ratio(sum_of("correct_steps"), total),
        "step_hit_rate": _ratio(sum_of("correct_steps"), steps),
        "avg_weighted_prefix_score": _ratio(sum_of("weighted_prefix_score"), total),
    }
    if letter == "N" and script != "evaluate_mistral.py":
        del got["avg_correct_prefix"]
    if letter == "T":
        got["avg_normalised_weighted_score"] = _ratio(sum_of("normalised_weighted_score"), total)
        got |= {"total_tasks": total, "total_steps": int(sum_of("num_steps")), "evaluated_steps": int(steps)}
    return got


def failure_statistics(script: str, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the failures of incomplete tasks: by type, and by difficulty and type.

    The last logged step counts, in UI-TARS's script the first miss. A task that lacks a step of another kind than a
    click is counted under `null`, as JSON writes it, or in the scripts of the G family under `unknown`.
    """
    letter = SCRIPTS[script]
    types: Counter[str] = Counter()
    by_difficulty: dict[str, Counter[str]] = {}
    for result in results:
        logged = result["steps"]
        if letter == "T":
            logged = [step for step in logged if step["hit"] == 0][:1]
        if result["completed"] or not logged:
            continue
        name = logged[-1]["failure_type"] or ("unknown" if letter == "G" else "null")
        types[name] += 1
        by_difficulty.setdefault(logged[-1]["difficulty"], Counter())[name] += 1
    got: dict[str, Any] = {
        "failure_type_histogram": dict(types),
        "failure_by_difficulty": {name: dict(counted) for name, counted in by_difficulty.items()},
    }
    return {"total_failed_tasks": types.total(), **got} if letter == "G" else got


def pixel_box(bbox: Sequence[float], size: Size) -> Box:
    """Convert a box in percent (x, y, width, height) to left, top, right, bottom in pixels."""
    (x, y, w, h), (width, height) = bbox, size
    return x / 100.0 * width, y / 100.0 * height, (x + w) / 100.0 * width, (y + h) / 100.0 * height


def share_box(bbox: Sequence[float]) -> Box:
    """Convert a box in percent (x, y, width, height) to left, top, right, bottom in shares of the image."""
    x, y, w, h = bbox
    return x / 100.0, y / 100.0, (x + w) / 100.0, (y + h) / 100.0


def difficulty(area: float) -> str:
    """Classify the difficulty of a box by its share of the image: small, medium or large."""
    return "small" if area < SMALL_AREA else "medium" if area < MEDIUM_AREA else "large"


def touches(point: Sequence[float], box: Box, half: tuple[float, float]) -> bool:
    """Return whether a point is in a box, or the window around it touches the box; edges count."""
    (x, y), (left, top, right, bottom), (across, down) = point, box, half
    if left <= x <= right and top <= y <= bottom:
        return True
    return not (x + across < left or x - across > right or y + down < top or y - down > bottom)


def in_grown(point: Sequence[float], box: Box, extent: tuple[float, float]) -> bool:
    """Return whether a point is in a box grown by half about its centre, within the image."""
    (x, y), (left, top, right, bottom) = point, box
    centre_x, centre_y = (left + right) / 2.0, (top + bottom) / 2.0
    width, height = (right - left) * GROWTH, (bottom - top) * GROWTH
    return max(0.0, centre_x - width / 2.0) <= x <= min(extent[0], centre_x + width / 2.0) and max(
        0.0, centre_y - height / 2.0
    ) <= y <= min(extent[1], centre_y + height / 2.0)


def at_edge(point: Sequence[float], extent: tuple[float, float], *, vertical: bool) -> bool:
    """Return whether a point is in the left or right margin, and with `vertical` also top or bottom."""
    x, y = point
    wide = x < EDGE * extent[0] or x > (1 - EDGE) * extent[0]
    return wide or (vertical and (y < EDGE * extent[1] or y > (1 - EDGE) * extent[1]))


def _judge(script: str, family: Family, box: Box, size: Size, run: _Run) -> tuple[str | None, Any]:
    """Ask for a click on a box; returns the failure, None for a hit, and the point or points as the script logs
    them."""
    if script in (GUI_ACTOR, SEECLICK):
        points = read_points(script, run.ask())
        # GUI-Actor's points are clamped to the image for the hit, but not for the failure.
        tried = [[min(max(number, 0.0), 1.0) for number in point] for point in points]
        predicted: Any = points
    else:
        point, tries = read_point(script, run.ask(), size), 0
        while point is None and tries < family.retries:
            point, tries = read_point(script, run.ask(), size), tries + 1
        tried = points = [] if point is None else [list(point)]
        predicted = None if point is None else list(point)
    half = family.window(size) if family.window else (0.0, 0.0)
    if any(touches(one, box, half) for one in tried):
        return None, predicted
    return _failure(family, points, box, _extent(family, size)), predicted


def _failure(family: Family, points: Sequence[Sequence[float]], box: Box, extent: tuple[float, float]) -> str:
    if not points:
        return "no_prediction"
    if _area(box, extent) < SMALL_AREA:
        if not family.near_small:
            return "small_target"
        return "small_target_near" if _distance(points[0], box, extent) < NEAR_SMALL else "small_target_far"
    near = (
        any(in_grown(one, box, extent) for one in points)
        if family.near_box
        else any(_distance(one, box, extent) < NEAR for one in points)
    )
    if near and family.near_first:
        return "near_miss"
    if any(at_edge(one, extent, vertical=family.edge_y) for one in points):
        return "edge_bias"
    if any(y < TOOLBAR * extent[1] for _, y in points):
        return "toolbar_confusion"
    return "near_miss" if near else "far_miss"


def _extent(family: Family, size: Size) -> tuple[float, float]:
    return (float(size[0]), float(size[1])) if family.pixels else (1.0, 1.0)


def _area(box: Box, extent: tuple[float, float]) -> float:
    left, top, right, bottom = box
    return ((right - left) / extent[0]) * ((bottom - top) / extent[1])


def _distance(point: Sequence[float], box: Box, extent: tuple[float, float]) -> float:
    """Return the distance from a box's centre, in shares of width and height."""
    (x, y), (left, top, right, bottom) = point, box
    return math.sqrt(((x - (left + right) / 2.0) / extent[0]) ** 2 + ((y - (top + bottom) / 2.0) / extent[1]) ** 2)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _log(position: int, hit: int | None, failure: str | None, difficulty_: str, predicted: Any) -> dict[str, Any]:
    return {
        "step_id": position,
        "hit": hit,
        "failure_type": failure,
        "difficulty": difficulty_,
        "pred": predicted,
    }
