"""Reader of MedSPOT for a run: the released annotations or others of their format, and the screenshots beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from evals.engine.data import DataError, need_folder, read_json_list
from evals.engine.suite import Loaded, Sample
from evals.suites.medspot.annotation import REMEDY, SUFFIX, StepForm, TaskForm
from evals.suites.medspot.options import Options
from evals.suites.medspot.parsing import Size
from evals.suites.medspot.rules import hardness
from evals.suites.medspot.scorer import Step

GET_PICTURES = (
    "Download the screenshots from the data set Tajamul21/MedSPOT on the Hugging Face hub and put its folder Images "
    "beside the annotations, or in a folder above them that is passed with --data."
)
OR_SKIP = "Download broken files again, or skip them with --skip-bad."
LISTED = 10
"""Maximum number of tasks that a notice names."""


@dataclass(frozen=True)
class ShownStep:
    """A step as it is asked.

    Attributes:
        step: the step to score; with the screenshot's size if it is asked.
        instruction: in words.
        path: the screenshot; None if the step is not asked.
        before: the instructions of the task's earlier steps.
    """

    step: Step
    instruction: str
    path: Path | None
    before: tuple[str, ...]

    @property
    def size(self) -> Size:
        """Width and height of the screenshot in pixels, of a step that is asked."""
        assert self.step.size is not None
        return self.step.size


@dataclass(frozen=True)
class Shown:
    """A task as it is asked, or one step of it."""

    software: str
    index: int
    overview: str
    steps: tuple[ShownStep, ...]


@dataclass
class _Pictures:
    """Finds screenshots by the paths in annotations, and caches their sizes."""

    folder: Path
    sizes: dict[Path, Size] = field(default_factory=dict)
    by_name: dict[tuple[str, str], list[Path]] = field(default_factory=dict)

    def find(self, named: str, annotation: Path) -> Path | None:
        """Return the file of a path, from the folder of its annotation or one above it.

        Otherwise returns a file of that name anywhere, if there is exactly one in a folder with the program's name, as
        in the release: the hub may use other paths.
        """
        relative = PurePosixPath(named.strip().replace("\\", "/"))
        if not relative.parts or relative.is_absolute() or ".." in relative.parts:
            return None
        for place in annotation.parents:
            if (place / relative).is_file():
                return place / relative
            if place == self.folder:
                break
        if not self.by_name:
            for path in self.folder.rglob("*"):
                self.by_name.setdefault((path.parent.name, path.name), []).append(path)
        alike = self.by_name.get((annotation.name.removesuffix(SUFFIX), relative.name), [])
        return alike[0] if len(alike) == 1 and alike[0].is_file() else None

    def size(self, path: Path) -> Size:
        """Return the size of a picture. Raises OSError or ValueError if the file is not a picture."""
        from PIL import Image

        if path not in self.sizes:
            try:
                with Image.open(path) as picture:
                    self.sizes[path] = picture.size
            except (SyntaxError, Image.DecompressionBombError) as error:
                raise ValueError(str(error)) from error
        return self.sizes[path]


def load(data: Path | None, options: Options) -> Loaded:
    """Read the tasks of a folder, file by file, sorted by name.

    Raises:
        DataError: if the folder, every annotation or every screenshot is missing, or a file has another format.
    """
    folder = need_folder(data, f"Pass it with --data. {REMEDY}")
    files = [path for path in sorted(folder.rglob(f"*{SUFFIX}")) if path.is_file()]
    if not files:
        raise DataError(f"there is no file *{SUFFIX}.", file=folder, remedy=REMEDY)
    if options.software:
        files = _chosen(files, options.software)
    pictures = _Pictures(folder)
    found: list[tuple[str, Shown, Path, int]] = []
    bad: list[DataError] = []
    idle: list[str] = []
    for file in files:
        records, broken = read_json_list(file, TaskForm, "tasks")
        bad += broken
        for index, line, form in _numbered(records, broken):
            software = file.name.removesuffix(SUFFIX)
            for id_, made in _made(form, software, index, options, pictures, file, line):
                if isinstance(made, DataError):
                    bad.append(made)
                elif made is None:
                    idle.append(id_)
                else:
                    found.append((id_, made, file, line))
    gone = [error for error in bad if isinstance(error, _Gone)]
    if gone and not pictures.sizes:
        raise DataError("all screenshots that the annotations name are missing.", file=folder, remedy=GET_PICTURES)
    clusters = _clusters((f"{shown.software}/{shown.index:02}", shown) for _, shown, _, _ in found)
    samples = tuple(_sample(id_, shown, options, clusters, file, line) for id_, shown, file, line in found)
    return Loaded(samples, tuple(bad), tuple(files), _left_out(idle) if options.unit == "task" else ())


def _left_out(ids: Sequence[str]) -> tuple[str, ...]:
    """Describe the tasks without anything to click."""
    if not ids:
        return ()
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return (f"skipped tasks without a click: {', '.join(ids[:LISTED])}{more}.",)


class _Gone(DataError):
    """Screenshots are missing."""


def _chosen(files: Sequence[Path], software: Sequence[str]) -> list[Path]:
    known = {path.name.removesuffix(SUFFIX): path for path in files}
    if unknown := [name for name in software if name not in known]:
        problem = f"unknown program {unknown[0]!r}; known are {', '.join(known)}."
        raise DataError(problem, file=None, remedy="Use the names of the files: --set software=NAME,NAME")
    return [path for path in files if path.name.removesuffix(SUFFIX) in software]


def _numbered(
    records: Sequence[tuple[int, TaskForm]], broken: Sequence[DataError]
) -> Iterator[tuple[int, int, TaskForm]]:
    """Yield tasks with their number in the file, from 0, counting broken ones, and their line."""
    gone = {int(error.field.split(".")[1]) for error in broken}
    numbers = (number for number in count() if number not in gone)
    for number, (line, form) in zip(numbers, records, strict=False):
        yield number, line, form


def _made(
    form: TaskForm, software: str, index: int, options: Options, pictures: _Pictures, file: Path, line: int
) -> Iterator[tuple[str, Shown | DataError | None]]:
    """Yield a task, or each of its steps, by id: ready to be asked, or its error; None if there is nothing to click."""
    id_ = f"{software}/{index:02}"
    places = list(range(len(form.steps)))
    parts = [(id_, places)] if options.unit == "task" else [(f"{id_}/{place + 1}", [place]) for place in places]
    for name, held in parts:
        wanted = any(options.chosen.targets(Step(form.steps[place].targets)) for place in held)
        if not wanted and (options.unit == "step" or not options.chosen.script):
            yield name, None
            continue
        try:
            steps = tuple(_steps(form.steps, held, options, pictures, (file, line, index)))
        except DataError as error:
            yield name, error
        else:
            yield name, Shown(software, index, form.task_overview.strip(), steps)


def _steps(
    forms: Sequence[StepForm],
    places: Sequence[int],
    options: Options,
    pictures: _Pictures,
    where: tuple[Path, int, int],
) -> Iterator[ShownStep]:
    (file, line, index), gone = where, list[int]()
    for place in places:
        form = forms[place]
        before = tuple(text for text in map(_words, (one.instruction for one in forms[:place])) if text)
        step, words = Step(form.targets, form.instruction), _words(form.instruction)
        if not options.chosen.targets(step):
            yield ShownStep(step, words, None, before)
            continue
        if not words:
            raise DataError("it is empty.", file=file, line=line, field=f"tasks.{index}.steps.{place}.instruction")
        path = pictures.find(form.image_path, file)
        if path is None:
            gone.append(place)
            continue
        try:
            size = pictures.size(path)
        except (OSError, ValueError) as error:
            problem = f"the screenshot {str(path)!r} is not a picture: {error}."
            raise DataError(
                problem, file=file, line=line, field=f"tasks.{index}.steps.{place}.image_path", remedy=OR_SKIP
            ) from error
        yield ShownStep(Step(step.actions, step.instruction, size), words, path, before)
    if gone:
        more = f" So are those of {len(gone) - 1} more steps of the task." if len(gone) > 1 else ""
        problem = f"the screenshot {forms[gone[0]].image_path!r} is missing.{more}"
        field, remedy = f"tasks.{index}.steps.{gone[0]}.image_path", f"{GET_PICTURES} {OR_SKIP}"
        raise _Gone(problem, file=file, line=line, field=field, remedy=remedy)


def _words(instruction: Any) -> str:
    """Return an instruction as text: stripped, with an object's texts joined by semicolons."""
    if isinstance(instruction, str):
        return instruction.strip()
    parts = instruction.values() if isinstance(instruction, dict) else instruction
    texts = (_words(part) for part in parts if isinstance(part, str | dict | list))
    return "; ".join(text for text in texts if text)


def _clusters(tasks: Iterable[tuple[str, Shown]]) -> dict[str, str]:
    """Return, for each task, the first task that it shares a screenshot with, directly or through others."""
    above: dict[str | Path, str | Path] = {}

    def top(node: str | Path) -> str | Path:
        while above.setdefault(node, node) != node:
            node = above[node]
        return node

    ids = []
    for id_, shown in tasks:
        ids.append(id_)
        for step in shown.steps:
            if step.path is not None:
                above[top(step.path)] = top(id_)
    named: dict[str | Path, str] = {}
    return {id_: named.setdefault(top(id_), id_) for id_ in ids}


def _sample(id_: str, shown: Shown, options: Options, clusters: dict[str, str], file: Path, line: int) -> Sample:
    asked = [step for step in shown.steps if step.path is not None]
    boxes = [box for step in asked for box in options.chosen.targets(step.step)[:1]]
    slices = {"software": shown.software}
    if boxes:
        slices["target" if options.unit == "step" else "smallest target"] = hardness(boxes)
    if options.unit == "task":
        slices["steps"] = "4 or more" if len(shown.steps) > 3 else str(len(shown.steps))
    centres = (f"({x + width / 2:.1f}%, {y + height / 2:.1f}%)" for x, y, width, height in boxes)
    return Sample(
        id=id_,
        cluster=clusters[f"{shown.software}/{shown.index:02}"],
        prompt=("\n".join(step.instruction for step in asked),),
        pictures=tuple(step.path for step in asked if step.path is not None),
        max_tokens=options.max_tokens,
        reference=" ".join(centres),
        slices=slices,
        fields={"shown": shown, "options": options},
        file=file,
        line=line,
    )
