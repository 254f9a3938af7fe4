"""StreamingBench's files as samples. Fields and layouts are those of the authors' repository; see README.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evals.engine.data import need_folder
from evals.engine.suite import Loaded, Sample
from evals.suites.files import find_file, read_records
from evals.suites.moments import Moment, MomentOptions, as_sample, read_prompts
from evals.suites.streamingbench.prompts import PROMPTS
from tools.errors import MediaError

GROUPS = ("real", "omni", "sqa", "proactive", "proactive50")
"""The parts; the last, the fifth of `proactive` that published results use, is read only on request."""
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
"""Questions of each task of the part `real`, as released: 2,500 in total."""
WHOLE = -1.0
POLL_EVERY_S = 1.0
POLL_AFTER_S = 4.0
"""A proactive question is asked each second, from one after it was posed to four after its answer is due (authors)."""
REMEDY = (
    "Download the question files from the GitHub repository THUNLP-MT/StreamingBench (src/data) and the videos from "
    "the Hugging Face data set mjuicem/StreamingBench, and pass the folder of both."
)
NOW = "What is shown right now?"
"""The question passed to memory for a proactive question, which is asked at the very times that it is about."""
BEFORE = "These questions about the video came before; the new one may refer to them."
_TIME = r"^\s*(\d+\s*:\s*){0,2}\d+\s*$"


class Question(BaseModel):
    """A question from the files; only proactive ones lack `answer` and `options`."""

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


class Options(MomentOptions):
    """The suite's options.

    Attributes:
        context_s: seconds of video seen before a question (the authors' main setting: 60); -1 is everything.
    """

    known_parts: ClassVar[tuple[str, ...]] = GROUPS

    context_s: float = Field(default=60.0, allow_inf_nan=False)

    @field_validator("context_s")
    @classmethod
    def _is_a_span(cls, context_s: float) -> float:
        if context_s <= 0 and context_s != WHOLE:
            raise ValueError(f"expected seconds above 0, or {WHOLE:g} for everything")
        return context_s


def load(data: Path | None, options: Options) -> Loaded:
    """Read the question files of a folder: those of `options.parts`, or all available ones.

    Raises:
        ConfigError: if the prompt file is invalid.
        DataError: if there is no folder.
        MediaError: if a file is missing, none exists, one is malformed, or no video is found.
    """
    folder = need_folder(data, REMEDY)
    prompts = read_prompts(options.prompt, PROMPTS)
    context_s = None if options.context_s == WHOLE else options.context_s
    places = (folder, folder / "src" / "data", folder / "data")
    videos = _index_videos(folder)
    moments: list[Moment] = []
    samples: list[Sample] = []
    notices: list[str] = []
    files: list[Path] = []
    for group in options.parts or GROUPS[:-1]:
        path = find_file(places, FILES[group])
        if path is None:
            looked = " or ".join(repr(str(folder / name)) for name in FILES[group])
            if options.parts:
                raise MediaError(f"the part {group!r} is missing: there is no {looked}.", remedy=REMEDY)
            notices.append(f"The part {group!r} is skipped: there is no {looked}.")
            continue
        files.append(path)
        part = [_found(moment, places, videos) for moment in _read(path, group, context_s)]
        notices += _count_notices(group, part)
        moments += part
        samples += [as_sample(moment, folder, path, options, prompts) for moment in part]
    if not files:
        raise MediaError(
            f"{str(folder)!r} has no questions of StreamingBench; looked for {FILES['real'][0]!r} and the like there "
            "and in its folders 'src/data' and 'data'.",
            remedy=REMEDY,
        )
    lost = sorted({moment.video for moment in moments if moment.path is None})
    if moments and len(lost) == len({moment.video for moment in moments}):
        raise MediaError(f"cannot find any video in {str(folder)!r}; the first is {lost[0]!r}.", remedy=REMEDY)
    files += [options.prompt] if options.prompt else []
    return Loaded(tuple(samples), files=tuple(files), notices=tuple(notices))


def seconds(stamp: str) -> float:
    """Convert `HH:MM:SS`, `MM:SS` or `SS` to seconds; parts may exceed 59, as the authors' script allows."""
    return float(sum(int(part) * 60**power for power, part in enumerate(reversed(stamp.split(":")))))


def lettered(options: list[str]) -> list[str]:
    """Return the options with letters, added like the authors do: only if the first has none."""
    if options and options[0].startswith("A."):
        return options
    return [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]


def _read(path: Path, group: str, context_s: float | None) -> Iterator[Moment]:
    number = 0
    for sequence in read_records(path, Group, nested=group == "sqa"):
        earlier = ""
        for entry in sequence:
            for question in entry.questions:
                number += 1
                where = f"{str(path)!r}, question {number}"
                make = _proactive if group.startswith("proactive") else _choice
                moment = make(f"{group}-{number}", group, entry.video_path, question, context_s, where)
                if group == "sqa":
                    context = f"{BEFORE}\n{earlier}\n" if earlier else ""
                    moment = replace(moment, kind="sequence", words={**moment.words, "context": context})
                    earlier += (
                        f"At {question.time_stamp} it was asked: {question.question} "
                        f"Options: {' '.join(lettered(question.options))} The answer was {question.answer}.\n"
                    )
                yield moment


def _choice(id_: str, group: str, video: str, question: Question, context_s: float | None, where: str) -> Moment:
    if question.answer is None or len(question.options) < 2:
        raise MediaError(f"{where}, lacks `answer` or `options`.", remedy="Use the file as its authors released it.")
    return Moment(
        id=id_,
        group=group,
        task=question.task_type,
        video=video,
        path=None,
        kind="choice",
        question=question.question,
        words={"question": question.question, "options": "\n".join(lettered(question.options))},
        target=question.answer,
        asked_s=seconds(question.time_stamp),
        context_s=context_s,
    )


def _proactive(id_: str, group: str, video: str, question: Question, context_s: float | None, where: str) -> Moment:
    if question.ground_truth_time_stamp is None or question.ground_truth_output is None:
        raise MediaError(
            f"{where}, lacks `ground_truth_time_stamp` or `ground_truth_output`.",
            remedy="Use the file as its authors released it.",
        )
    asked_s, due_s = seconds(question.time_stamp), seconds(question.ground_truth_time_stamp)
    count = max(1, int((due_s + POLL_AFTER_S - asked_s) / POLL_EVERY_S))
    return Moment(
        id=id_,
        group=group,
        task=question.task_type,
        video=video,
        path=None,
        kind="wait",
        question=NOW,
        words={"question": question.question, "output": question.ground_truth_output},
        target=question.ground_truth_output,
        asked_s=asked_s,
        context_s=context_s,
        polls_s=tuple(asked_s + POLL_EVERY_S * (step + 1) for step in range(count)),
        due_s=due_s,
    )


def _index_videos(folder: Path) -> dict[str, Path]:
    """Index every mp4 by its own name, and by the name that the authors' script would give it.

    Unpacked, a video is in `KIND/sample_N/`; their script renames it to `sample_N_KIND.mp4`, with spaces as
    underscores.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.mp4")):
        found.setdefault(path.name, path)
        found.setdefault(f"{path.parent.name}_{path.parent.parent.name.replace(' ', '_')}.mp4", path)
    return found


def _found(moment: Moment, places: tuple[Path, ...], videos: dict[str, Path]) -> Moment:
    path = find_file(places, (moment.video,)) or videos.get(Path(moment.video).name)
    return replace(moment, path=path)


def _count_notices(group: str, moments: list[Moment]) -> list[str]:
    notices = []
    if len(moments) not in EXPECTED[group]:
        counts = " or ".join(f"{count:,}" for count in EXPECTED[group])
        notices.append(f"The part {group!r} has {len(moments):,} questions; the released one has {counts}.")
    elif group == "real" and (tasks := Counter(moment.task for moment in moments)) != REAL_TASKS:
        odd = sorted(task for task in REAL_TASKS | tasks if tasks[task] != REAL_TASKS.get(task, 0))
        notices.append(f"The counts of these tasks of 'real' differ from the released ones: {', '.join(odd)}.")
    if group == "omni":
        notices.append("Most questions of 'omni' also concern sound, which is not available here.")
    return notices
