"""OVO-Bench's annotation as samples. Fields and layouts are those of the authors' repository; see README.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.engine.data import need_folder
from evals.engine.suite import Loaded
from evals.suites.files import find_file, read_records
from evals.suites.moments import Moment, MomentOptions, as_sample, read_prompts
from evals.suites.ovobench.prompts import PROMPTS
from tools.errors import MediaError

TASKS = {
    "backward": {"EPM": 297, "ASI": 148, "HLD": 186},
    "realtime": {"OCR": 149, "ACR": 109, "ATR": 116, "STU": 178, "FPD": 101, "OJR": 184},
    "forward": {"REC": 698, "SSR": 629, "CRR": 240},
}
"""Questions of each task as released, 3,035 in total; the forward ones come from 172 records with several probes."""
GROUPS = tuple(TASKS)
_GROUP_OF = {task: group for group, tasks in TASKS.items() for task in tasks}
_KIND_OF = {"REC": "count", "SSR": "step", "CRR": "enough"}
ANNOTATION = "ovo_bench_new.json"
VIDEO_FOLDERS = ("src_videos", "videos", "data/src_videos", "data/videos", "", "data")
CHUNK_FOLDERS = ("chunked_videos", "videos/chunked_videos", "data/chunked_videos")
REMEDY = (
    f"Download {ANNOTATION} from the GitHub repository JoeLeelyf/OVO-Bench (data) and the videos, or the chunks cut "
    "from them, from the Hugging Face data set JoeLeelyf/OVO-Bench, and pass the folder of both."
)

Task = Literal["EPM", "ASI", "HLD", "OCR", "ACR", "ATR", "STU", "FPD", "OJR", "REC", "SSR", "CRR"]


class Probe(BaseModel):
    """A time at which a forward record is asked about."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    realtime: float = Field(ge=0, allow_inf_nan=False)
    count: int | None = None
    step: str | None = None
    type: Literal[0, 1] | None = None


class Annotation(BaseModel):
    """A record of the annotation; its fields depend on its task."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str
    task: Task
    video: str
    realtime: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    question: str | None = None
    options: list[str] | None = Field(default=None, min_length=2)
    gt: int | None = None
    activity: str | None = None
    test_info: list[Probe] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.task not in _KIND_OF:
            if self.question is None or self.options is None or self.realtime is None or self.gt is None:
                raise ValueError(f"a record of {self.task} needs question, options, realtime and gt")
            if not 0 <= self.gt < len(self.options):
                raise ValueError(f"gt {self.gt} is not one of {len(self.options)} options")
            return self
        probe_field = {"REC": "count", "SSR": "type", "CRR": "type"}[self.task]
        if not self.test_info or any(getattr(probe, probe_field) is None for probe in self.test_info):
            raise ValueError(f"a record of {self.task} needs test_info with realtime and {probe_field}")
        if self.task == "REC" and self.activity is None:
            raise ValueError("a record of REC needs activity")
        if self.task == "CRR" and self.question is None:
            raise ValueError("a record of CRR needs question")
        if self.task == "SSR" and any(probe.step is None for probe in self.test_info):
            raise ValueError("a record of SSR needs a step in each test_info")
        return self


class Options(MomentOptions):
    """The suite's options.

    Attributes:
        official_clip: watch to the next whole second, like the authors' clips.
    """

    known_parts: ClassVar[tuple[str, ...]] = GROUPS

    official_clip: bool = False


def load(data: Path | None, options: Options) -> Loaded:
    """Read the annotation of a folder, of the tracks in `options.parts` (empty: all). Everything before a question is
    seen.

    Raises:
        ConfigError: if the prompt file is invalid.
        DataError: if there is no folder.
        MediaError: if the annotation is missing or malformed, or no video is found.
    """
    folder = need_folder(data, REMEDY)
    prompts = read_prompts(options.prompt, PROMPTS)
    path = find_file((folder, folder / "data"), (ANNOTATION,))
    if path is None:
        raise MediaError(
            f"{str(folder)!r} has no annotation of OVO-Bench; looked for {ANNOTATION!r} there and in its folder "
            "'data'.",
            remedy=REMEDY,
        )
    records = [record for (record,) in read_records(path, Annotation)]
    wanted = options.parts or GROUPS
    moments = [
        moment
        for record in records
        if _GROUP_OF[record.task] in wanted
        for moment in _moments_of(record, folder, options.official_clip)
    ]
    notices = _count_notices(moments, wanted)
    lost = sorted({moment.video for moment in moments if moment.path is None})
    if moments and all(moment.path is None for moment in moments):
        raise MediaError(
            f"cannot find any video in {str(folder)!r}; the first is {lost[0]!r}, looked for in the folders "
            f"{', '.join(repr(name or '.') for name in VIDEO_FOLDERS)}, and as a chunk in {CHUNK_FOLDERS[0]!r}.",
            remedy=REMEDY,
        )
    made = tuple(as_sample(moment, folder, path, options, prompts) for moment in moments)
    return Loaded(made, files=(path, *([options.prompt] if options.prompt else [])), notices=tuple(notices))


def _moments_of(record: Annotation, folder: Path, official_clip: bool) -> Iterator[Moment]:
    whole = _first_file(folder, VIDEO_FOLDERS, record.video.lstrip("/"))

    def moment(id_: str, realtime: float, kind: str, question: str, fields: dict[str, str], target: str) -> Moment:
        return Moment(
            id=id_,
            group=_GROUP_OF[record.task],
            task=record.task,
            video=record.video,
            path=whole or _first_file(folder, CHUNK_FOLDERS, f"{id_}.mp4"),
            kind=kind,
            question=question,
            words=fields,
            target=target,
            asked_s=float(math.ceil(realtime)) if official_clip else realtime,
        )

    if record.task not in _KIND_OF:
        assert record.options is not None and record.gt is not None and record.realtime is not None  # noqa: PT018
        options = " ".join(
            f"{letter}. {option};" for letter, option in zip(ascii_uppercase, record.options, strict=False)
        )
        fields = {"question": record.question or "", "options": options}
        yield moment(record.id, record.realtime, "choice", record.question or "", fields, ascii_uppercase[record.gt])
        return
    for number, probe in enumerate(record.test_info):
        question, fields = {
            "REC": (f"How many times so far: {record.activity}?", {"activity": record.activity or ""}),
            "SSR": ("What is being done right now?", {"step": probe.step or ""}),
            "CRR": (record.question or "", {"question": record.question or ""}),
        }[record.task]
        target = str(probe.count) if record.task == "REC" else ("No", "Yes")[probe.type or 0]
        yield moment(f"{record.id}_{number}", probe.realtime, _KIND_OF[record.task], question, fields, target)


def _first_file(folder: Path, places: tuple[str, ...], name: str) -> Path | None:
    return find_file((folder / place for place in places), (name,))


def _count_notices(moments: list[Moment], wanted: tuple[str, ...]) -> list[str]:
    counts = Counter(moment.task for moment in moments)
    expected = {task: count for group in wanted for task, count in TASKS[group].items()}
    odd = [f"{task} {counts[task]} (released: {count})" for task, count in expected.items() if counts[task] != count]
    return [f"The counts of these tasks differ from the released ones: {', '.join(odd)}."] if odd else []
