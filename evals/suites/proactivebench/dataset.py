"""Reader of ProactiveBench: a file of samples per data set, and their images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from random import Random

from evals.engine.data import DataError, need_folder, read_json_lines
from evals.engine.suite import Loaded, Sample
from evals.suites.judges import suite_judge
from evals.suites.proactivebench.environments import Environment, image_numbers, image_paths, observe, start
from evals.suites.proactivebench.options import EXAMPLED, Options
from evals.suites.proactivebench.records import (
    CIT,
    COCO,
    DATASETS,
    INC,
    MVPN,
    NEEDED,
    ROD,
    EntryError,
    FieldError,
    OptionError,
    Record,
    action_of,
)
from evals.suites.proactivebench.scorer import is_kept

FILE = "{dataset}_preprocessed.jsonl"
TEST = "test"
"""The folder of the released data with the files and the unpacked archives."""

MOST_STEPS = 100_000
"""Maximum plausible number of answers of an episode, which decides how many images are looked up."""

STEPS = {CIT: "max_steps", COCO: "granularity"}
"""The field that determines the answers of an episode, if it is not `num_images`."""

GET_IT = "Download the folder `test` of tdemin16/ProactiveBench and unpack its archives there, see the suite's README."


def load(data: Path | None, options: Options) -> Loaded:
    """Read the selected data sets.

    Raises:
        DataError: if the folder or a file is missing, or there are too few samples to draw examples from.
    """
    folder = need_folder(data, f"Pass it with --data. {GET_IT}")
    folder = folder / TEST if (folder / TEST).is_dir() else folder
    samples: list[Sample] = []
    bad: list[DataError] = []
    files: list[Path] = []
    for dataset, acronym in DATASETS.items():
        if acronym not in options.datasets:
            continue
        file = folder / FILE.format(dataset=dataset)
        if not file.is_file():
            remedy = f"{GET_IT} Select other data sets with --set datasets=NAME,NAME."
            raise DataError(f"the file of {acronym} is missing.", file=file, remedy=remedy)
        files.append(file)
        found, broken = _read(file, dataset, folder, options)
        bad += broken
        if options.most is not None:
            # Drawn like the authors do: a list in the order of the file, shuffled from seed 0, the first ones.
            Random(0).shuffle(found)
            found = found[: options.most]
        samples += found
    ready = suite_judge(options.judge, options.judge_folder).open if options.mode == "open" else None
    return Loaded(tuple(samples), tuple(bad), tuple(files), ready=ready)


def _read(file: Path, dataset: str, folder: Path, options: Options) -> tuple[list[Sample], list[DataError]]:
    rows, broken = read_json_lines(file, Record)
    bad, good = list(broken), list[tuple[int, Record, Environment, tuple[Path, ...]]]()
    for line, record in rows:
        if options.filtered and not is_kept(dataset, record.id, record.strong_occlusions):
            continue
        try:
            good.append((line, record, *_checked(dataset, record, folder, options, file, line)))
        except DataError as error:
            bad.append(error)
    examples = _examples(dataset, [record for _, record, _, _ in good], options, file)
    samples = []
    for line, record, environment, pictures in good:
        # If the sample is an example itself, replaced by the images of another.
        shown = [example for example in examples if example.id != record.id][: options.examples]
        samples.append(
            Sample(
                id=str(record.id),
                task=DATASETS[dataset],
                cluster=f"{DATASETS[dataset]}:{_shared(dataset, record)}",
                prompt=(record.prompt,),
                pictures=(*pictures, *_pictures_of(shown, dataset, folder)),
                max_tokens=options.max_tokens if options.mode == "choice" else None,
                reference=record.answer,
                slices=_slices(dataset, record),
                fields={"environment": environment, "options": options, "folder": folder, "examples": tuple(shown)},
                file=file,
                line=line,
            )
        )
    return samples, bad


def _checked(
    dataset: str, record: Record, folder: Path, options: Options, file: Path, line: int
) -> tuple[Environment, tuple[Path, ...]]:
    """Return the environment of a record and the images it may show. Raises DataError with the field that is wrong."""

    def wrong(error: Exception, field: str) -> DataError:
        return DataError(str(error), file=file, line=line, field=field)

    try:
        environment, state = start(
            dataset, record, reference=options.view == "reference", random=options.view == "random"
        )
    except FieldError as error:
        gone = next(name for name in NEEDED[dataset] if getattr(record, name) in (None, []))
        raise wrong(error, gone) from error
    except OptionError as error:
        raise wrong(error, "quality_answer") from error
    except EntryError as error:
        raise wrong(error, "answer" if record.answer not in record.categories else "valid_images") from error
    for field, problem in _problems(environment, options):
        raise DataError(problem, file=file, line=line, field=field)
    try:
        names = image_paths(environment)
    except EntryError as error:
        raise wrong(error, "image_template") from error
    if outside := [name for name in names if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts]:
        problem = f"the image {outside[0]!r} is outside the data folder."
        raise DataError(problem, file=file, line=line, field="image_template")
    try:
        observe(environment, state)
        if options.view == "first":
            for option in environment.suggestions:
                action_of(option, environment.actions)
    except (EntryError, OptionError) as error:
        raise wrong(error, "options") from error
    return environment, tuple(folder / name for name in names)


def _problems(environment: Environment, options: Options) -> Iterator[tuple[str, str]]:
    """Yield why an environment cannot be played: a field, and what is wrong with it."""
    record = environment.record
    if not 0 < environment.max_steps <= MOST_STEPS:
        answers = f"an episode takes {environment.max_steps} answers, not 1 to {MOST_STEPS:,}."
        yield STEPS.get(environment.dataset, "num_images"), answers
    if not environment.actions:
        yield "direction", f"unknown direction {record.direction!r} of a camera."
    if options.view == "reference":
        return
    if record.first_image not in image_numbers(environment):
        yield "first_image", f"there is no image {record.first_image}."
    if not environment.suggestions:
        yield "options", "none of them is a request."


def _examples(dataset: str, records: list[Record], options: Options, file: Path) -> list[Record]:
    """Draw one more than are shown, so that none is an example to itself; the draw is the same for all."""
    if not options.examples or DATASETS[dataset] not in EXAMPLED:
        return []
    if len(records) <= options.examples:
        problem = f"{len(records)} samples are too few to show {options.examples} others as examples."
        raise DataError(problem, file=file, remedy="Ask for fewer with --set examples=N.")
    return Random(0).sample(records, options.examples + 1)


def _pictures_of(examples: list[Record], dataset: str, folder: Path) -> list[Path]:
    return [folder / name for record in examples for name in image_paths(start(dataset, record)[0])]


def _shared(dataset: str, record: Record) -> str:
    """Return what a sample shares with others: the object in front of the camera, the video, the photograph, the
    drawing."""
    if dataset in (ROD, MVPN):
        return record.answer
    name = PurePosixPath(record.image_template).name
    # ImageNet-C's folders name the corruption; the same photograph is corrupted in several ways.
    return name if dataset == INC and "{" not in name else record.image_template


def _slices(dataset: str, record: Record) -> dict[str, str]:
    if dataset != COCO:
        return {}
    direction = record.direction or ""
    return {"direction": "farther" if "zoom" in direction else "two axes" if "_" in direction else "one axis"}
