"""MedSPOT's released annotations as tasks: one file per program, `*_Annotation.json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from evals.suites.files import check_folder
from evals.suites.golden import read_golden
from evals.suites.medspot.scorer import Step, Target
from tools.errors import MediaError

SUFFIX = "_Annotation.json"
REMEDY = "Download the folder Annotations from the GitHub repository Tajamul21/MedSPOT, and pass it or a parent folder."


@dataclass(frozen=True)
class Task:
    """A task: the program, its number in that program's file, from 0, and its steps."""

    software: str
    index: int
    steps: tuple[Step, ...]


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class ActForm(_Form):
    """An action; its box is left, top, width and height in percent of the picture."""

    type: str
    bbox: list[FiniteFloat] | None = Field(default=None, min_length=4, max_length=4)

    @model_validator(mode="after")
    def _has_size(self) -> Self:
        if self.bbox is not None and not (self.bbox[2] > 0 and self.bbox[3] > 0):
            raise ValueError(f"the box {self.bbox} has no size")
        return self


class StepForm(_Form):
    """A step; an instruction may be an object of texts, and actions may be missing."""

    instruction: str | dict[str, Any] = ""
    image_path: str = ""
    actions: list[ActForm] = []

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return its actions as the scorers take them."""
        boxes = ((act.type, act.bbox) for act in self.actions)
        return tuple(Target(type_, (box[0], box[1], box[2], box[3]) if box else None) for type_, box in boxes)


class TaskForm(_Form):
    """A task."""

    task_overview: str = ""
    steps: list[StepForm]


class _File(_Form):
    tasks: list[TaskForm]


def read_tasks(folder: Path) -> list[Task]:
    """Read all tasks below a folder, file by file, sorted by name.

    Raises:
        MediaError: if there is no such file, or one has another format; the message names the place in it.
    """
    check_folder(folder, REMEDY)
    paths = sorted(folder.rglob(f"*{SUFFIX}"))
    if not paths:
        raise MediaError(f"{str(folder)!r} has no file whose name ends in {SUFFIX!r}.", remedy=REMEDY)
    return [task for path in paths for task in _tasks(path)]


def _tasks(path: Path) -> Iterator[Task]:
    for index, task in enumerate(read_golden(path, _File).tasks):
        steps = tuple(Step(step.targets, step.instruction) for step in task.steps)
        yield Task(path.name.removesuffix(SUFFIX), index, steps)
