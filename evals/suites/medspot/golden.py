"""Golden files of MedSPOT: tasks with recorded replies, and scores of the authors' scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt

from evals.suites.golden import ABSENT, Check, Entry, GoldenFile, Verdict, check, known, read_golden, says_error, unread
from evals.suites.medspot.annotation import Task, read_tasks
from evals.suites.medspot.parsing import GUI_ACTOR, SEECLICK, Size, click_text
from evals.suites.medspot.scorer import (
    FAMILIES,
    SCRIPTS,
    Step,
    Target,
    failure_statistics,
    metrics,
    run_task,
    share_box,
)
from tools.errors import AttendError

OBJECT_INSTRUCTIONS = {("Weasis", 18): 3}
"""The released step whose instruction is an object, by program, task and position; cases omit instructions."""

ASSUMED_SIZE = (1920, 1080)
"""Assumed screenshot size for entries over all tasks, which were made without screenshots."""


class Act(Entry):
    """An action of a step."""

    type: str
    bbox: tuple[float, float, float, float] | None = None


class Case(Entry):
    """A task, the model's replies, and the script's result or error."""

    id: str
    script: str
    software: str
    task_index: int
    image_size: tuple[PositiveInt, PositiveInt]
    step_actions: list[list[Act]]
    raw_outputs: list[Any]
    expected: dict[str, Any] | None = None
    expected_error: str | None = None


class OverAll(Entry):
    """A script's numbers over all released tasks, answered in one way."""

    n_tasks: int
    raised: int
    metrics: dict[str, Any]
    failures: dict[str, int]
    completed_per_software: dict[str, int] | None = None


class DatasetLevel(Entry):
    """Such numbers by script and way, joined by a bar."""

    results: dict[str, OverAll]


class Golden(GoldenFile):
    """A whole file; only the cases are required."""

    cases: list[Case]
    aggregates: dict[str, Any] = Field(default_factory=dict)
    empty_list_metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    dataset_level: DatasetLevel | None = None


def verify(path: Path, data: Path | None = None) -> Verdict:
    """Check a golden file; `data` is the folder of annotations, for the entries over all released tasks.

    Raises:
        MediaError: if a file cannot be read or has another format.
    """
    golden = read_golden(path, Golden)
    checks, unchecked = [], []
    by_script: dict[str, list[dict[str, Any]]] = {}
    for case in golden.cases:
        done, result = _case(case)
        checks.append(done)
        if result is not None:
            by_script.setdefault(case.script, []).append(result)
    for script, recorded in golden.aggregates.items():
        cases = sum(case.script == script for case in golden.cases)
        done_or_reason = _aggregate(script, recorded, by_script.get(script, []), cases)
        if isinstance(done_or_reason, str):
            unchecked.append(f"aggregates.{script}: {done_or_reason}")
        else:
            checks.append(done_or_reason)
    for script, recorded in golden.empty_list_metrics.items():
        got = metrics(script, []) if script in SCRIPTS else ABSENT
        checks.append(check(f"empty_list_metrics.{script}", [("", recorded, got)]))
    if golden.dataset_level is not None:
        results = golden.dataset_level.results
        if data is None:
            unchecked.append(f"dataset_level: its {len(results)} entries need the released annotations; pass --data.")
        else:
            tasks = read_tasks(data)
            checks += [_over_all(name, recorded, tasks) for name, recorded in results.items()]
    return Verdict(tuple(checks), (*unchecked, *unread(golden)))


def _case(case: Case) -> tuple[Check, dict[str, Any] | None]:
    if case.script not in SCRIPTS:
        return check(case.id, [("script", case.script, ABSENT)]), None
    special = OBJECT_INSTRUCTIONS.get((case.software, case.task_index))
    steps = [
        Step(tuple(Target(act.type, act.bbox) for act in acts), {} if position == special else "")
        for position, acts in enumerate(case.step_actions, start=1)
    ]
    try:
        result = run_task(case.script, steps, case.image_size, case.raw_outputs)
    except AttendError as error:
        told = case.expected_error is not None and says_error(case.expected_error, error)
        got = case.expected_error if told else f"{type(error).__name__}: {error}"
        return check(case.id, [("expected_error", case.expected_error or ABSENT, got)]), None
    if case.expected_error is not None:
        return check(case.id, [("expected_error", case.expected_error, ABSENT)]), result
    if not case.expected:
        return check(case.id, [("expected", "what the script gave", case.expected or ABSENT)]), result
    return check(case.id, [("", case.expected, known(case.expected, result))]), result


def _aggregate(script: str, recorded: Any, results: Sequence[dict[str, Any]], cases: int) -> Check | str:
    """Compare a script's table over the cases of the file, or report why that is impossible."""
    if not isinstance(recorded, dict):
        return "it is not a table."
    if script not in SCRIPTS:
        return check(f"aggregates.{script}", [("script", script, ABSENT)])
    counts = {key: value for key, value in recorded.items() if key in ("n", "n_cases", "n_tasks", "n_results")}
    if counts and not set(counts.values()) & {len(results), cases}:
        return f"it is over {next(iter(counts.values()))} cases, and the file has {len(results)} of this script."
    measured, failed = metrics(script, results), failure_statistics(script, results)
    parts = []
    for key, value in recorded.items():
        if key in ("metrics", "compute_metrics"):
            parts.append((key, value, measured))
        elif key in ("failures", "failure_statistics") and isinstance(value, dict):
            whole = set(value) & set(failed)
            parts.append((key, value, known(value, failed) if whole else failed["failure_type_histogram"]))
        elif key in measured or key in failed:
            parts.append((key, value, (measured | failed)[key]))
    return check(f"aggregates.{script}", parts) if parts else f"it has none of the known tables, but {list(recorded)}."


def _over_all(name: str, recorded: OverAll, tasks: Iterable[Task]) -> Check:
    script, _, way = name.partition("|")
    if script not in SCRIPTS or way not in ("box_centre", "screen_centre", "always_none"):
        return check(f"dataset_level.{name}", [("", name, ABSENT)])
    results, raised = [], 0
    completed: dict[str, int] = {}
    for task in tasks:
        try:
            result = run_task(script, task.steps, ASSUMED_SIZE, _outputs(script, way, task.steps))
        except AttendError:
            raised += 1
            continue
        results.append(result)
        completed[task.software] = completed.get(task.software, 0) + result["completed"]
    parts: list[tuple[str, Any, Any]] = [
        ("n_tasks", recorded.n_tasks, len(results)),
        ("raised", recorded.raised, raised),
        ("metrics", recorded.metrics, metrics(script, results)),
        ("failures", recorded.failures, failure_statistics(script, results)["failure_type_histogram"]),
    ]
    if recorded.completed_per_software is not None:
        parts.append(("completed_per_software", recorded.completed_per_software, completed))
    return check(f"dataset_level.{name}", parts)


def _outputs(script: str, way: str, steps: Sequence[Step]) -> list[Any]:
    """Return the replies of a model that always hits the centre of the target, or of the screen, or says nothing."""
    family = FAMILIES[SCRIPTS[script]]
    if way == "always_none":
        return [[] if script == GUI_ACTOR else None if script == SEECLICK else ""] * (3 * len(steps))
    said = []
    for step in steps:
        target = next((act.bbox for act in step.actions if act.type in family.actions and act.bbox), None)
        if target is not None:
            said.append(_click(script, target if way == "box_centre" else (0, 0, 100, 100), ASSUMED_SIZE))
    return said


def _click(script: str, bbox: Sequence[float], size: Size) -> Any:
    """Return the centre of a box (in percent) in the form that a script reads."""
    left, top, right, bottom = share_box(bbox)
    x, y = (left + right) / 2, (top + bottom) / 2
    if script in (GUI_ACTOR, SEECLICK):
        return [[x, y]] if script == GUI_ACTOR else [x, y]
    return click_text(script, (x * size[0], y * size[1]), size)
