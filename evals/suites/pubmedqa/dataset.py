"""PubMedQA's files: questions with the abstracts that they were made from, and the test split.

    FOLDER/
        ori_pqal.json           {PMID: {"QUESTION", "CONTEXTS": [...], "LABELS": [...], "MESHES": [...], "YEAR",
                                        "reasoning_required_pred", "reasoning_free_pred", "final_decision",
                                        "LONG_ANSWER"}}
        test_ground_truth.json  {PMID: "yes", "no" or "maybe"}

CONTEXTS are the sections of the abstract without its conclusion, which is LONG_ANSWER; LABELS name the sections. The
two `pred` are decisions of an annotator who read only the sections (`required`), and of one who also read the
conclusion (`free`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evals.engine.data import DataError, need_folder, record_error
from tools.literature.types import Document, Section

Decision = Literal["yes", "no", "maybe"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
Split = Literal["test", "rest", "all"]
QUESTIONS, TRUTH = "ori_pqal.json", "test_ground_truth.json"
REMEDY = "See the README of evals/suites/pubmedqa for how to get the files; `sample/` beside it is an example."


class Record(BaseModel):
    """A question, the abstract of its paper, and the annotators' decisions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str = Field(alias="QUESTION", min_length=1)
    contexts: tuple[str, ...] = Field(alias="CONTEXTS", min_length=1)
    labels: tuple[str, ...] = Field(default=(), alias="LABELS")
    mesh: tuple[str, ...] = Field(default=(), alias="MESHES")
    year: str | None = Field(default=None, alias="YEAR")
    decision: Decision = Field(alias="final_decision")
    human: Decision | None = Field(default=None, alias="reasoning_required_pred")
    human_with_conclusion: Decision | None = Field(default=None, alias="reasoning_free_pred")

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        if self.labels and len(self.labels) != len(self.contexts):
            raise ValueError(f"there are {len(self.labels)} LABELS for {len(self.contexts)} CONTEXTS")
        return self

    @property
    def annotators(self) -> tuple[Decision, ...]:
        """The annotators' decisions: of the one who read the sections, then of the one who also read the conclusion."""
        return tuple(one for one in (self.human, self.human_with_conclusion) if one is not None)


@dataclass(frozen=True)
class Question:
    """A record with its PMID, and its first line."""

    pmid: str
    record: Record
    line: int

    @property
    def document(self) -> Document:
        """Return the abstract as a document, without the conclusion; no title, since the question was the title."""
        record = self.record
        labels = record.labels or ("",) * len(record.contexts)
        return Document(
            id=f"pmid:{self.pmid}",
            sections=tuple(
                Section(label=label, text=text) for label, text in zip(labels, record.contexts, strict=True)
            ),
            published=record.year or "",
            pmid=self.pmid,
            mesh=record.mesh,
            source=QUESTIONS,
            licence="MIT",
        )


@dataclass(frozen=True)
class Dataset:
    """The content of a folder.

    Attributes:
        questions: all readable ones, in the order of the file.
        test: the PMIDs of the official test with their decisions; None if only the questions are available.
        bad: unusable records.
        files: the files read.
    """

    questions: tuple[Question, ...]
    test: dict[str, str] | None
    bad: tuple[DataError, ...]
    files: tuple[Path, ...]

    def of(self, split: Split) -> tuple[Question, ...]:
        """Return the questions of a split: the official test, the rest, or all."""
        if split == "all":
            return self.questions
        held = self.test or {}
        return tuple(one for one in self.questions if (one.pmid in held) == (split == "test"))


def load(data: Path | None, split: Split) -> Dataset:
    """Read the folder.

    Raises:
        DataError: if a file is missing or has another format; the file of the test may be missing if all questions are
            asked.
    """
    folder = need_folder(data, REMEDY)
    file, truth = folder / QUESTIONS, folder / TRUTH
    text, held = _object(file)
    questions, bad = [], []
    for pmid, value in held.items():
        line = _line(text, pmid)
        try:
            questions.append(Question(pmid, Record.model_validate(value), line))
        except ValidationError as error:
            bad.append(record_error(error, file, line, (pmid,)))
    if split == "all" and not truth.is_file():
        return Dataset(tuple(questions), None, tuple(bad), (file,))
    told, test = _object(truth)
    decided = {one.pmid: one.record.decision for one in questions}
    broken = {error.field.split(".")[0] for error in bad}
    for pmid, decision in test.items():
        if pmid in broken:
            continue
        problem = ""
        if pmid not in decided:
            problem = f"{QUESTIONS} has no question {pmid}."
        elif decision != decided[pmid]:
            problem = f"it is {decision!r} here and {decided[pmid]!r} in {QUESTIONS}."
        if problem:
            bad.append(DataError(problem, file=truth, line=_line(told, pmid), field=pmid, remedy=REMEDY))
    return Dataset(tuple(questions), test, tuple(bad), (file, truth))


def _line(text: str, key: str) -> int:
    """Return the line, from 1, of the first occurrence of an object's key."""
    return 1 + text.count("\n", 0, text.find(f'"{key}"'))


def _object(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = file.read_text("utf-8-sig")
        held = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"it is not JSON: {error.msg}.", file=file, line=error.lineno, remedy=REMEDY) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read it: {error}.", file=file, remedy=REMEDY) from error
    if not isinstance(held, dict) or not held:
        kind = "an empty object" if held == {} else f"a {type(held).__name__}"
        raise DataError(f"it contains {kind}, not an object by PMID.", file=file, remedy=REMEDY)
    return text, held
