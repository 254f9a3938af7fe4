"""NA-VQA's data: a folder of films, and questions with the stretches of the film that are their evidence.

The authors' files are not public, so the names of files and fields are ours:

    FOLDER/
        videos.jsonl    {"video_id", "title", "duration_s", "license"}
        qa.jsonl        {"qa_id", "video_id", "question", "reference", "reasoning_type",
                         "evidence": [{"text", "t0", "t1"}], "span_s", "frac", "max_gap_s", "range"}
        films/          VIDEO_ID.mp4, or another film, or its words: VIDEO_ID.srt, .vtt, .jsonl or .txt

Times are seconds. A file may also be a JSON list, with the suffix `.json`. The last four fields of a question, and
`license`, are optional; other fields are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evals.engine.data import DataError, need_folder, read_json_lines, read_json_list
from evals.suites.files import find_file
from evals.suites.na_vqa.ranges import Range, Spread, spread_of

ReasoningType = Literal["Causal", "Narrative", "Character", "Thematic", "Goal-based", "Social", "Hypothetical"]
REASONING_TYPES: tuple[ReasoningType, ...] = get_args(ReasoningType)
REMEDY = "See the README of evals/suites/na_vqa for the format of the files; `sample/` beside it is an example."
SLACK_S = 1.0
"""Tolerance of evidence past the end of a film, whose length may be rounded."""
FILM_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".srt", ".vtt", ".jsonl", ".txt")
_Form = TypeVar("_Form", bound=BaseModel)


class Evidence(BaseModel):
    """A stretch of the film that is evidence for an answer: what happens, and its start and end in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    text: str
    start_s: float = Field(alias="t0", ge=0)
    end_s: float = Field(alias="t1")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError(f"it ends at {self.end_s} s, and begins at {self.start_s} s")
        return self


class _Video(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    video_id: str = Field(pattern=r"^[^/\\]+$")  # part of a path
    title: str = ""
    duration_s: float = Field(gt=0)
    license: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A film; `path` is its video or text file, None if there is none."""

    video_id: str
    title: str
    duration_s: float
    license: str
    path: Path | None


class Labels(BaseModel):
    """The distribution of evidence as stated in a file; None where it is not stated. See `Spread`."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    span_s: float | None = Field(default=None, ge=0)
    frac: float | None = Field(default=None, ge=0)
    max_gap_s: float | None = Field(default=None, ge=0)
    range: Range | None = None


class _Entry(Labels):
    qa_id: str = Field(min_length=1)
    video_id: str
    question: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    reasoning_type: ReasoningType
    evidence: tuple[Evidence, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a film.

    Attributes:
        id: unique.
        film: the film's `video_id`; questions about one film are not independent.
        text: the question.
        reference: the reference answer, in free words.
        reasoning_type: the kind of reasoning it needs.
        evidence: its evidence, in the order of the file, which is that of the chain of events.
        spread: the distribution of the evidence, as we compute it.
        given: the same, as far as the file states it.
        line: its line in the file, from 1.
    """

    id: str
    film: str
    text: str
    reference: str
    reasoning_type: ReasoningType
    evidence: tuple[Evidence, ...]
    spread: Spread
    given: Labels
    line: int | None = None

    @property
    def range(self) -> Range:
        """The range stated in the file, else ours."""
        return self.given.range or self.spread.range

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """Start and end of each piece of evidence, in seconds."""
        return tuple((piece.start_s, piece.end_s) for piece in self.evidence)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The films by their `video_id`, their questions, the files, and the errors of unusable records."""

    films: dict[str, Film]
    questions: tuple[Question, ...]
    files: tuple[Path, ...]
    bad: tuple[DataError, ...]


def load(folder: Path) -> Loaded:
    """Read films and questions, in the order of their files.

    Args:
        folder: see the top of this module.

    Raises:
        DataError: if a file is missing, or cannot be read. Unusable records are in `bad`, with line and field.
    """
    need_folder(folder, REMEDY)
    bad: list[DataError] = []
    films: dict[str, Film] = {}
    films_file, videos = _records(folder, "videos", _Video, bad)
    for line, video in videos:
        if video.video_id in films:
            bad.append(_twice(films_file, line, "video_id", video.video_id))
            continue
        shown = find_file([folder / "films"], [video.video_id + suffix for suffix in FILM_SUFFIXES])
        films[video.video_id] = Film(**video.model_dump(), path=shown)
    questions: dict[str, Question] = {}
    file, entries = _records(folder, "qa", _Entry, bad)
    for line, entry in entries:
        found = _question(file, line, entry, films)
        if entry.qa_id in questions:
            bad.append(_twice(file, line, "qa_id", entry.qa_id))
        elif isinstance(found, DataError):
            bad.append(found)
        else:
            questions[entry.qa_id] = found
    return Loaded(films, tuple(questions.values()), (films_file, file), tuple(bad))


def _question(file: Path, line: int, entry: _Entry, films: dict[str, Film]) -> Question | DataError:
    film = films.get(entry.video_id)
    if film is None:
        return DataError(
            f"{entry.video_id!r} is not a film of this folder.", file=file, line=line, field="video_id", remedy=REMEDY
        )
    for number, piece in enumerate(entry.evidence):
        if piece.end_s > film.duration_s + SLACK_S:
            problem = f"{piece.end_s} s is past the end of {film.video_id!r}, at {film.duration_s} s."
            return DataError(problem, file=file, line=line, field=f"evidence.{number}.t1", remedy=REMEDY)
    return Question(
        entry.qa_id,
        entry.video_id,
        entry.question,
        entry.reference,
        entry.reasoning_type,
        entry.evidence,
        spread_of([(piece.start_s, piece.end_s) for piece in entry.evidence], film.duration_s),
        Labels.model_validate(entry.model_dump(include=set(Labels.model_fields))),
        line,
    )


def _records(folder: Path, name: str, form: type[_Form], bad: list[DataError]) -> tuple[Path, list[tuple[int, _Form]]]:
    """Return a file and its records, each with its first line; adds the errors of others to `bad`."""
    file = find_file([folder], [f"{name}.jsonl", f"{name}.json"])
    if file is None:
        raise DataError(f"{str(folder)!r} has neither {name}.jsonl nor {name}.json.", file=None, remedy=REMEDY)
    read = read_json_lines if file.suffix == ".jsonl" else read_json_list
    records, broken = read(file, form)
    bad += broken
    return file, records


def _twice(file: Path, line: int, field: str, id_: str) -> DataError:
    return DataError(f"{id_!r} is also in an earlier record.", file=file, line=line, field=field, remedy=REMEDY)
