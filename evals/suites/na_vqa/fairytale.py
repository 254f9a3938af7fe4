"""FairytaleQA (Xu et al. 2022) as a substitute for NA-VQA: stories for films, sections for scenes.

Every question names the sections of its evidence. The files are those of the repository uci-soe/FairytaleQAData
(Apache-2.0), in its folder `data-by-train-split`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evals.suites.na_vqa.ranges import Range, range_of
from tools.errors import MediaError

SPLITS = ("train", "val", "test")
REMEDY = "Download them from the GitHub repository uci-soe/FairytaleQAData, and pass their folder."
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Story:
    """A story.

    Attributes:
        name: that of its files.
        split: `train`, `val` or `test`, as the authors divide them.
        sections: their texts, in order, with single spaces.
        path: its file.
        asked: the file of its questions.
    """

    name: str
    split: str
    sections: tuple[str, ...]
    path: Path
    asked: Path


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a story.

    Attributes:
        story: the name of the story.
        id: its number within the story.
        text: the question.
        answers: the annotators' answers.
        kind: its subject: action, causal relationship, character, feeling, outcome resolution, setting or prediction.
        evidence: the positions, from 0, of the sections of its evidence, in order.
        range: how far apart these are.
        line: the line of its file at which it ends.
    """

    story: str
    id: str
    text: str
    answers: tuple[str, ...]
    kind: str
    evidence: tuple[int, ...]
    range: Range
    line: int


def load(folder: Path) -> tuple[list[Story], list[Question]]:
    """Read all stories, by split and name, and their questions.

    Args:
        folder: `data-by-train-split` of the repository, or a folder that contains it.

    Raises:
        MediaError: if it has no stories, or a file is missing or malformed.
    """
    root = next(
        (path for path in (folder, folder / "data-by-train-split") if (path / "section-stories").is_dir()), None
    )
    if root is None:
        raise MediaError(
            f"{str(folder)!r} has no stories of FairytaleQA: there is no 'section-stories'.", remedy=REMEDY
        )
    stories: list[Story] = []
    questions: list[Question] = []
    for split in SPLITS:
        for path in sorted((root / "section-stories" / split).glob("*-story.csv")):
            name = path.name.removesuffix("-story.csv")
            rows = list(_rows(path, ("section", "text")))
            asked = root / "questions" / split / f"{name}-questions.csv"
            stories.append(Story(name, split, tuple(" ".join(row["text"].split()) for _, row in rows), path, asked))
            place = {row["section"].strip(): position for position, (_, row) in reversed(list(enumerate(rows)))}
            questions += [_question(asked, line, row, name, place, len(rows)) for line, row in _rows(asked, _ASKED)]
    if not stories:
        raise MediaError(f"{str(root)!r} has no file '*-story.csv' of any split.", remedy=REMEDY)
    return stories, questions


_ASKED = ("question_id", "cor_section", "attribute1", "question", "answer1")


def _question(path: Path, line: int, row: dict[str, str], story: str, place: dict[str, int], sections: int) -> Question:
    named = _NUMBER.findall(row["cor_section"])
    if not named or any(name not in place for name in named):
        raise MediaError(
            f"{str(path)!r}, line {line}: invalid `cor_section` {row['cor_section']!r}.",
            expected=f"numbers of sections of the story, such as {next(iter(place), '1')!r}",
            remedy=REMEDY,
        )
    evidence = tuple(sorted({place[name] for name in named}))
    answers = tuple(
        text for key, value in row.items() if key and key.startswith("answer") and (text := (value or "").strip())
    )
    return Question(
        story,
        row["question_id"],
        row["question"].strip(),
        answers,
        row["attribute1"].strip(),
        evidence,
        range_of(evidence[-1] - evidence[0], sections - 1),
        line,
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file with the line at which each ends."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise MediaError(
                    f"{str(path)!r} has no column {missing[0]!r}.", expected=", ".join(columns), remedy=REMEDY
                )
            for row in reader:
                if any(row[name] is None for name in columns):
                    raise MediaError(f"{str(path)!r}, line {reader.line_num}: the row is truncated.", remedy=REMEDY)
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"cannot read {str(path)!r}: {error}.", remedy=REMEDY) from error
