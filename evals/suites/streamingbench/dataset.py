"""StreamingBench's files as samples. Fields and layouts are those of the authors' repository; see README.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

from pydantic import BaseModel, ConfigDict, Field

from evals.suites.files import check_folder, find_file, read_records
from evals.suites.sample import Loaded, LoadOptions, Sample
from tools.errors import MediaError

GROUPS = ("real", "omni", "sqa", "proactive", "proactive50")
"""The parts; the last, the fifth of `proactive` that published results use, is read only where it is asked for."""
FILES = {
    "real": ("questions_real.json",),
    "omni": ("questions_omni.json",),
    "sqa": ("questions_sqa.json",),
    "proactive": ("questions_proactive.json", "questions_proactive_50.json"),
    "proactive50": ("questions_proactive_50.json",),
}
EXPECTED = {"real": (2500,), "omni": (1500,), "sqa": (250,), "proactive": (250, 50), "proactive50": (50,)}
REAL_TASKS = {
    "Object Recognition": 367,
    "Action Recognition": 353,
    "Text-Rich Understanding": 321,
    "Clips Summarize": 317,
    "Attribute Recognition": 306,
    "Spatial Understanding": 246,
    "Counting": 193,
    "Event Understanding": 161,
    "Causal Reasoning": 128,
    "Prospective Reasoning": 108,
}
"""Questions of each task of the part `real`, as released: 2,500 in all."""
POLL_EVERY_S = 1.0
POLL_AFTER_S = 4.0
"""A proactive question is put each second, from one after it was asked to four after its answer is due (authors)."""
REMEDY = (
    "Take the question files from the GitHub repository THUNLP-MT/StreamingBench (src/data) and the videos from the "
    "Hugging Face data set mjuicem/StreamingBench, and name the folder that holds both."
)
NOW = "What is shown right now?"
"""What memory is asked for a proactive question: it is put at the very moments that it is about."""
BEFORE = "These questions about the video came before; the new one may refer to them."
_TIME = r"^\s*(\d+\s*:\s*){0,2}\d+\s*$"


class Question(BaseModel):
    """One question as the files have it; `answer` and `options` are missing in proactive ones, and only there."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    task_type: str
    question: str
    time_stamp: str = Field(pattern=_TIME)
    answer: str | None = Field(default=None, min_length=1)
    options: list[str] = Field(default_factory=list)
    ground_truth_time_stamp: str | None = Field(default=None, pattern=_TIME)
    ground_truth_output: str | None = None


class Group(BaseModel):
    """Questions about a stretch of one video."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    video_path: str
    questions: list[Question]


def load(folder: Path, options: LoadOptions) -> Loaded:
    """Read the question files of a folder: those of `options.groups`, or all that are there.

    Raises:
        MediaError: if a file is missing, none is there, one is malformed, or not one of the videos is found.
    """
    check_folder(folder, REMEDY)
    places = (folder, folder / "src" / "data", folder / "data")
    videos = _index_videos(folder)
    samples: list[Sample] = []
    notices: list[str] = []
    files: list[Path] = []
    for group in options.groups or GROUPS[:-1]:
        path = find_file(places, FILES[group])
        if path is None:
            looked = " or ".join(repr(str(folder / name)) for name in FILES[group])
            if options.groups:
                raise MediaError(f"the part {group!r} is missing: there is no {looked}.", remedy=REMEDY)
            notices.append(f"The part {group!r} is left out: there is no {looked}.")
            continue
        files.append(path)
        part = [_found(sample, places, videos) for sample in _read(path, group, options.context_s)]
        notices += _count_notices(group, part)
        samples += part
    if not files:
        raise MediaError(
            f"{str(folder)!r} holds no questions of StreamingBench; looked for {FILES['real'][0]!r} and the like there "
            "and in its folders 'src/data' and 'data'.",
            remedy=REMEDY,
        )
    lost = sorted({sample.video for sample in samples if sample.path is None})
    if samples and len(lost) == len({sample.video for sample in samples}):
        raise MediaError(f"not one video was found in {str(folder)!r}; the first is {lost[0]!r}.", remedy=REMEDY)
    if lost:
        notices.append(f"{len(lost)} videos are missing, such as {lost[0]!r}; their questions will fail.")
    return Loaded(tuple(samples), tuple(notices), tuple(files))


def seconds(stamp: str) -> float:
    """Turn `HH:MM:SS`, `MM:SS` or `SS` into seconds; parts may exceed 59, as the authors' script allows."""
    return float(sum(int(part) * 60**power for power, part in enumerate(reversed(stamp.split(":")))))


def lettered(options: list[str]) -> list[str]:
    """Return the options with their letters, as the authors add them: only if the first has none."""
    if options and options[0].startswith("A."):
        return options
    return [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]


def _read(path: Path, group: str, context_s: float | None) -> Iterator[Sample]:
    number = 0
    for sequence in read_records(path, Group, nested=group == "sqa"):
        earlier = ""
        for entry in sequence:
            for question in entry.questions:
                number += 1
                where = f"{str(path)!r}, question {number}"
                make = _proactive if group.startswith("proactive") else _choice
                sample = make(f"{group}-{number}", group, entry.video_path, question, context_s, where)
                if group == "sqa":
                    context = f"{BEFORE}\n{earlier}\n" if earlier else ""
                    sample = replace(sample, kind="sequence", fields={**sample.fields, "context": context})
                    earlier += (
                        f"At {question.time_stamp} it was asked: {question.question} "
                        f"Options: {' '.join(lettered(question.options))} The answer was {question.answer}.\n"
                    )
                yield sample


def _choice(id_: str, group: str, video: str, question: Question, context_s: float | None, where: str) -> Sample:
    if question.answer is None or len(question.options) < 2:
        raise MediaError(f"{where}, lacks `answer` or `options`.", remedy="Use the file as its authors released it.")
    return Sample(
        id=id_,
        group=group,
        task=question.task_type,
        video=video,
        path=None,
        kind="choice",
        question=question.question,
        fields={"question": question.question, "options": "\n".join(lettered(question.options))},
        target=question.answer,
        asked_s=seconds(question.time_stamp),
        context_s=context_s,
    )


def _proactive(id_: str, group: str, video: str, question: Question, context_s: float | None, where: str) -> Sample:
    if question.ground_truth_time_stamp is None or question.ground_truth_output is None:
        raise MediaError(
            f"{where}, lacks `ground_truth_time_stamp` or `ground_truth_output`.",
            remedy="Use the file as its authors released it.",
        )
    asked_s, due_s = seconds(question.time_stamp), seconds(question.ground_truth_time_stamp)
    count = max(1, int((due_s + POLL_AFTER_S - asked_s) / POLL_EVERY_S))
    return Sample(
        id=id_,
        group=group,
        task=question.task_type,
        video=video,
        path=None,
        kind="wait",
        question=NOW,
        fields={"question": question.question, "output": question.ground_truth_output},
        target=question.ground_truth_output,
        asked_s=asked_s,
        context_s=context_s,
        polls=tuple(asked_s + POLL_EVERY_S * (step + 1) for step in range(count)),
        due_s=due_s,
    )


def _index_videos(folder: Path) -> dict[str, Path]:
    """Every mp4 by its own name, and by the name the authors' script would give it.

    Unpacked, a video lies in `KIND/sample_N/`; their script renames it to `sample_N_KIND.mp4`, spaces as underscores.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.mp4")):
        found.setdefault(path.name, path)
        found.setdefault(f"{path.parent.name}_{path.parent.parent.name.replace(' ', '_')}.mp4", path)
    return found


def _found(sample: Sample, places: tuple[Path, ...], videos: dict[str, Path]) -> Sample:
    path = find_file(places, (sample.video,)) or videos.get(Path(sample.video).name)
    return replace(sample, path=path)


def _count_notices(group: str, samples: list[Sample]) -> list[str]:
    notices = []
    if len(samples) not in EXPECTED[group]:
        counts = " or ".join(f"{count:,}" for count in EXPECTED[group])
        notices.append(f"The part {group!r} has {len(samples):,} questions; the released one has {counts}.")
    elif group == "real" and (tasks := Counter(sample.task for sample in samples)) != REAL_TASKS:
        odd = sorted(task for task in REAL_TASKS | tasks if tasks[task] != REAL_TASKS.get(task, 0))
        notices.append(f"The counts of these tasks of 'real' differ from the released ones: {', '.join(odd)}.")
    if group == "omni":
        notices.append("Most questions of 'omni' are about sound too, which is not heard here.")
    return notices
