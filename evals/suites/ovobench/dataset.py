"""OVO-Bench's annotation as samples. Fields and layouts are those of the authors' repository; see README.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.suites.files import check_folder, find_file, read_records
from evals.suites.sample import Loaded, LoadOptions, Sample
from tools.errors import MediaError

TASKS = {
    "backward": {"EPM": 297, "ASI": 148, "HLD": 186},
    "realtime": {"OCR": 149, "ACR": 109, "ATR": 116, "STU": 178, "FPD": 101, "OJR": 184},
    "forward": {"REC": 698, "SSR": 629, "CRR": 240},
}
"""Questions of each task as released, 3,035 in all; the forward ones come from 172 records that are probed often."""
GROUPS = tuple(TASKS)
_GROUP_OF = {task: group for group, tasks in TASKS.items() for task in tasks}
_KIND_OF = {"REC": "count", "SSR": "step", "CRR": "enough"}
ANNOTATION = "ovo_bench_new.json"
VIDEO_FOLDERS = ("src_videos", "videos", "data/src_videos", "data/videos", "", "data")
CHUNK_FOLDERS = ("chunked_videos", "videos/chunked_videos", "data/chunked_videos")
REMEDY = (
    f"Take {ANNOTATION} from the GitHub repository JoeLeelyf/OVO-Bench (data) and the videos, or the chunks cut from "
    "them, from the Hugging Face data set JoeLeelyf/OVO-Bench, and name the folder that holds both."
)

Task = Literal["EPM", "ASI", "HLD", "OCR", "ACR", "ATR", "STU", "FPD", "OJR", "REC", "SSR", "CRR"]


class Probe(BaseModel):
    """One moment at which a forward record is asked about."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    realtime: float = Field(ge=0, allow_inf_nan=False)
    count: int | None = None
    step: str | None = None
    type: Literal[0, 1] | None = None


class Annotation(BaseModel):
    """One record of the annotation; which fields it has depends on its task."""

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
                raise ValueError(f"gt {self.gt} names none of {len(self.options)} options")
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


def load(folder: Path, options: LoadOptions) -> Loaded:
    """Read the annotation of a folder, of the tracks in `options.groups` (empty: all). Everything before is seen.

    Raises:
        MediaError: if the annotation is missing or malformed, or not one of the videos is found.
    """
    check_folder(folder, REMEDY)
    path = find_file((folder, folder / "data"), (ANNOTATION,))
    if path is None:
        raise MediaError(
            f"{str(folder)!r} holds no annotation of OVO-Bench; looked for {ANNOTATION!r} there and in its folder "
            "'data'.",
            remedy=REMEDY,
        )
    records = [record for (record,) in read_records(path, Annotation)]
    wanted = options.groups or GROUPS
    samples = [
        sample
        for record in records
        if _GROUP_OF[record.task] in wanted
        for sample in _samples(record, folder, options.official_clip)
    ]
    notices = _count_notices(samples, wanted)
    lost = sorted({sample.video for sample in samples if sample.path is None})
    if samples and all(sample.path is None for sample in samples):
        raise MediaError(
            f"not one video was found in {str(folder)!r}; the first is {lost[0]!r}, looked for in the folders "
            f"{', '.join(repr(name or '.') for name in VIDEO_FOLDERS)}, and as a chunk in {CHUNK_FOLDERS[0]!r}.",
            remedy=REMEDY,
        )
    if lost:
        notices.append(f"{len(lost)} videos are missing, such as {lost[0]!r}; their questions will fail.")
    return Loaded(tuple(samples), tuple(notices), (path,))


def _samples(record: Annotation, folder: Path, official_clip: bool) -> Iterator[Sample]:
    whole = _first_file(folder, VIDEO_FOLDERS, record.video.lstrip("/"))

    def sample(id_: str, realtime: float, kind: str, question: str, fields: dict[str, str], target: str) -> Sample:
        return Sample(
            id=id_,
            group=_GROUP_OF[record.task],
            task=record.task,
            video=record.video,
            path=whole or _first_file(folder, CHUNK_FOLDERS, f"{id_}.mp4"),
            kind=kind,
            question=question,
            fields=fields,
            target=target,
            asked_s=float(math.ceil(realtime)) if official_clip else realtime,
        )

    if record.task not in _KIND_OF:
        assert record.options is not None and record.gt is not None and record.realtime is not None  # noqa: PT018
        options = " ".join(
            f"{letter}. {option};" for letter, option in zip(ascii_uppercase, record.options, strict=False)
        )
        fields = {"question": record.question or "", "options": options}
        yield sample(record.id, record.realtime, "choice", record.question or "", fields, ascii_uppercase[record.gt])
        return
    for number, probe in enumerate(record.test_info):
        question, fields = {
            "REC": (f"How many times so far: {record.activity}?", {"activity": record.activity or ""}),
            "SSR": ("What is being done right now?", {"step": probe.step or ""}),
            "CRR": (record.question or "", {"question": record.question or ""}),
        }[record.task]
        target = str(probe.count) if record.task == "REC" else ("No", "Yes")[probe.type or 0]
        yield sample(f"{record.id}_{number}", probe.realtime, _KIND_OF[record.task], question, fields, target)


def _first_file(folder: Path, places: tuple[str, ...], name: str) -> Path | None:
    return find_file((folder / place for place in places), (name,))


def _count_notices(samples: list[Sample], wanted: tuple[str, ...]) -> list[str]:
    counts = Counter(sample.task for sample in samples)
    expected = {task: count for group in wanted for task, count in TASKS[group].items()}
    odd = [f"{task} {counts[task]} (released: {count})" for task, count in expected.items() if counts[task] != count]
    return [f"The counts of these tasks differ from the released ones: {', '.join(odd)}."] if odd else []
