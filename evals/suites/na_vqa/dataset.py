"""NA-VQA's questions: a folder of films, questions, and the stretches of the film that each question rests on.

The authors' files are not public, so the names of files and fields are ours:

    FOLDER/
        videos.jsonl    {"video_id", "title", "duration_s", "license"}
        qa.jsonl        {"qa_id", "video_id", "question", "reference", "reasoning_type",
                         "evidence": [{"text", "t0", "t1"}], "span_s", "frac", "max_gap_s", "range"}
        films/          VIDEO_ID.mp4, or another film, or its words: VIDEO_ID.srt, .vtt, .jsonl or .txt

Times are seconds. A file may be a JSON list instead, with the suffix `.json`. The last four fields of a question, and
`license`, may be left out; fields beyond these are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evals.suites.files import check_folder, find_file
from evals.suites.na_vqa.ranges import Range, Spread, spread_of
from tools.errors import MediaError

ReasoningType = Literal["Causal", "Narrative", "Character", "Thematic", "Goal-based", "Social", "Hypothetical"]
REASONING_TYPES: tuple[ReasoningType, ...] = get_args(ReasoningType)
REMEDY = "See the README of evals/suites/na_vqa for the form of the files; `sample/` beside it is an example."
SLACK_S = 1.0
"""How far evidence may reach past the end of a film, whose length may be rounded; our choice."""
FILM_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".srt", ".vtt", ".jsonl", ".txt")
_Form = TypeVar("_Form", bound=BaseModel)


class Evidence(BaseModel):
    """A stretch of the film that an answer rests on: what happens, and from when to when, in seconds."""

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

    video_id: str = Field(pattern=r"^[^/\\]+$")  # it becomes part of a path
    title: str = ""
    duration_s: float = Field(gt=0)
    license: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A film; `path` is the file that shows or tells it, None where there is none."""

    video_id: str
    title: str
    duration_s: float
    license: str
    path: Path | None


class Labels(BaseModel):
    """What a file says of how evidence lies; None where it does not say. See `Spread`."""

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
        film: the film's `video_id`; questions of one film are not independent.
        text: what is asked.
        reference: the answer that it is compared with, in free words.
        reasoning_type: what kind of reasoning it takes.
        evidence: what it rests on, in the order of the file, which is that of the chain of events.
        spread: how the evidence lies, as we compute it.
        given: the same, as far as the file says it.
    """

    id: str
    film: str
    text: str
    reference: str
    reasoning_type: ReasoningType
    evidence: tuple[Evidence, ...]
    spread: Spread
    given: Labels

    @property
    def range(self) -> Range:
        """The range that the file states; where it states none, ours."""
        return self.given.range or self.spread.range

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """Start and end of each piece of evidence, in seconds."""
        return tuple((piece.start_s, piece.end_s) for piece in self.evidence)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The films by their `video_id`, their questions, and what was passed over, with file, line and reason."""

    films: dict[str, Film]
    questions: tuple[Question, ...]
    skipped: tuple[str, ...] = ()


def load(folder: Path, *, skip_bad: bool = False) -> Loaded:
    """Read films and questions, in the order of their files.

    Args:
        folder: see the top of this module.
        skip_bad: whether a record that cannot be used is passed over, and told of, rather than refused.

    Raises:
        MediaError: if a file is missing, or cannot be read; or for a record that cannot be used, with its line and
            field.
    """
    check_folder(folder, REMEDY)
    skipped: list[str] = []

    def bad(error: MediaError) -> None:
        if not skip_bad:
            raise error
        skipped.append(str(error))

    films: dict[str, Film] = {}
    for path, line, held in _records(folder, "videos"):
        try:
            video = _checked(path, line, held, _Video)
            _once(path, line, "video_id", video.video_id, films)
        except MediaError as error:
            bad(error)
            continue
        shown = find_file([folder / "films"], [video.video_id + suffix for suffix in FILM_SUFFIXES])
        films[video.video_id] = Film(**video.model_dump(), path=shown)
    questions: dict[str, Question] = {}
    for path, line, held in _records(folder, "qa"):
        try:
            entry = _checked(path, line, held, _Entry)
            _once(path, line, "qa_id", entry.qa_id, questions)
            questions[entry.qa_id] = _question(path, line, entry, films)
        except MediaError as error:
            bad(error)
    return Loaded(films, tuple(questions.values()), tuple(skipped))


def _question(path: Path, line: int, entry: _Entry, films: dict[str, Film]) -> Question:
    film = films.get(entry.video_id)
    if film is None:
        raise _error(path, line, "video_id", f"{entry.video_id!r} is no film of this folder", ", ".join(films))
    for number, piece in enumerate(entry.evidence):
        if piece.end_s > film.duration_s + SLACK_S:
            problem = f"{piece.end_s} s is past the end of {film.video_id!r}"
            raise _error(path, line, f"evidence.{number}.t1", problem, f"at most {film.duration_s} s")
    return Question(
        entry.qa_id,
        entry.video_id,
        entry.question,
        entry.reference,
        entry.reasoning_type,
        entry.evidence,
        spread_of([(piece.start_s, piece.end_s) for piece in entry.evidence], film.duration_s),
        Labels.model_validate(entry.model_dump(include=set(Labels.model_fields))),
    )


def _records(folder: Path, name: str) -> Iterator[tuple[Path, int, Any]]:
    """The records of a file, each with the line that it begins in."""
    path = find_file([folder], [f"{name}.jsonl", f"{name}.json"])
    if path is None:
        raise MediaError(
            f"{str(folder)!r} holds no file '{name}.jsonl'.", expected=f"'{name}.jsonl' or '{name}.json'", remedy=REMEDY
        )
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{str(path)!r} cannot be read: {error}.", remedy=REMEDY) from error
    lines = [(1, text)] if path.suffix == ".json" else list(enumerate(text.split("\n"), start=1))
    for line, part in lines:
        if not part.strip():
            continue
        try:
            held = json.loads(part)
        except (ValueError, RecursionError) as error:
            line += getattr(error, "lineno", 1) - 1
            raise MediaError(f"{str(path)!r}, line {line} is no JSON: {error}.", remedy=REMEDY) from error
        if path.suffix == ".jsonl":
            yield path, line, held
        elif isinstance(held, list):
            yield from ((path, begins, record) for begins, record in _placed(text))
        else:
            raise MediaError(f"{str(path)!r} holds no list.", expected="a JSON list of records", remedy=REMEDY)


def _placed(text: str) -> Iterator[tuple[int, Any]]:
    """The entries of a JSON list, known to be sound, each with the line that it begins in."""
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    while True:
        while text[place] in ", \t\r\n":
            place += 1
        if text[place] == "]":
            return
        line = text.count("\n", 0, place) + 1
        held, place = decoder.raw_decode(text, place)
        yield line, held


def _checked(path: Path, line: int, held: Any, form: type[_Form]) -> _Form:
    try:
        return form.model_validate(held)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        found = "" if first["type"] == "missing" else f", found {str(first['input'])[:80]!r}"
        raise _error(path, line, field, f"{first['msg']}{found}") from error


def _once(path: Path, line: int, field: str, id_: str, held: dict[str, Any]) -> None:
    if id_ in held:
        raise _error(path, line, field, f"{id_!r} stands in an earlier line too", "each once")


def _error(path: Path, line: int, field: str, problem: str, expected: str = "") -> MediaError:
    place = f"{str(path)!r}, line {line}" + (f", field {field!r}" if field else "")
    return MediaError(f"{place}: {problem}.", expected=expected, remedy=REMEDY)
