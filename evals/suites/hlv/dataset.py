"""Items with labels of several annotators: own data as JSON lines, and PoliTok-DE.

Own data:

    FOLDER/
        questions.jsonl    {"name", "question"}, each answered with yes or no, in the order in which they are asked
        items.jsonl        {"id", "labels": {NAME: [a label for each annotator]}, "text", "images": [PATH],
                            "video": PATH, "cluster", "slices": {NAME: VALUE}}

A label is yes or no, 1 or 0, true or false, or null if an annotator gave none. All fields but `id` and `labels` are
optional, if there is something to judge; paths are below the folder.

PoliTok-DE (data set tomasruiz/PoliTok-DE, CC BY 4.0):

    FOLDER/ or FOLDER/saxony_2024/
        annotations.parquet, or annotations.csv    post_id, annotator_id (or classification_by), the questions, and if
                                                   wanted timestamp; the last row of a post and annotator counts
        media/                                     POST_ID.mp4, or POST_ID.jpg, or pictures in POST_ID/
        posts.jsonl                                {"post_id", "author", "caption"}, if wanted

The release has the ids of posts but no media; the names below `media/` and of `posts.jsonl` are ours.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evals.engine.data import REMEDY, DataError, need_folder, read_json_lines
from evals.suites.files import find_file
from evals.suites.hlv.scorer import binary
from tools.extras import require
from tools.media.sources import PICTURE_SUFFIXES

WHERE = "See the README of evals/suites/hlv for the format of the files; `sample/` beside it is an example."
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov")
POLITOK: dict[str, str] = {
    "is_political": "Is the post about politics: parties, politicians, elections, or matters of public policy?",
    "is_saxony": "Does the post refer to the German state of Saxony or to its election, in words, sounds or pictures?",
    "is_intolerant": (
        "Does the post deny people equal standing because of a group they belong to, or other views their right to be "
        "voiced? Mere rudeness is not enough, and symbols count only where they are endorsed."
    ),
    "is_hedonic_entertainment": "Is the post meant to amuse: with fun, jokes, music or dance?",
    "is_eudaimonic_entertainment": "Is the post meant to move or inspire: is it touching, or does it carry a meaning?",
}
"""The questions by name, in our words; a post may be entertaining in both ways."""


@dataclass(frozen=True)
class Item:
    """An item with its annotators' labels.

    Attributes:
        id: unique.
        text: its words, or "".
        pictures: its picture files.
        video: its video file.
        labels: by question, each annotator's label, 0 or 1; unanswered questions are left out.
        cluster: what it shares with other items, or "".
        slices: named groups it belongs to.
        file, line: its place in the data.
    """

    id: str
    text: str
    pictures: tuple[Path, ...]
    video: Path | None
    labels: Mapping[str, tuple[int, ...]]
    cluster: str
    slices: Mapping[str, str]
    file: Path
    line: int


@dataclass(frozen=True)
class Labelled:
    """Questions by name, items, their files, and the errors of unusable records."""

    questions: Mapping[str, str]
    items: tuple[Item, ...]
    files: tuple[Path, ...]
    bad: tuple[DataError, ...]


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    question: str = Field(min_length=1)


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    labels: dict[str, list[bool | int | float | str | None]]
    text: str = ""
    images: tuple[str, ...] = ()
    video: str = ""
    cluster: str = ""
    slices: dict[str, str] = {}


class _Post(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    post_id: str
    author: str = ""
    caption: str = ""


def load_own(folder: Path | None) -> Labelled:
    """Read own data.

    Raises:
        DataError: if a file is missing or cannot be read, or a question is broken.
    """
    folder = need_folder(folder, WHERE)
    asked_file, file = folder / "questions.jsonl", folder / "items.jsonl"
    asked, broken = read_json_lines(asked_file, _Question)
    if broken:
        raise broken[0]
    questions = {question.name: question.question for _, question in asked}
    if not questions or len(questions) < len(asked):
        problem = "there is no question." if not asked else "two questions have one name."
        raise DataError(problem, file=asked_file, remedy=WHERE)
    records, bad = read_json_lines(file, _Item)
    items, errors = [], list(bad)
    for line, record in records:
        try:
            labels = {name: _labels(name, held, questions) for name, held in record.labels.items()}
            items.append(_own_item(folder, file, line, record, {name: held for name, held in labels.items() if held}))
        except _Broken as error:
            errors.append(DataError(error.problem, file=file, line=line, field=error.field, remedy=REMEDY))
    return Labelled(questions, tuple(items), (asked_file, file), tuple(errors))


class _Broken(Exception):
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field, self.problem = field, problem


def _labels(name: str, held: list[bool | int | float | str | None], questions: Mapping[str, str]) -> tuple[int, ...]:
    if name not in questions:
        raise _Broken(f"labels.{name}", f"it is not one of the questions {', '.join(questions)}.")
    return tuple(_label(f"labels.{name}.{place}", value) for place, value in enumerate(held) if value is not None)


def _label(field: str, value: object) -> int:
    label = binary(value)
    if label is None:
        raise _Broken(field, f"{value!r} is not a label: yes or no, 1 or 0, true or false.")
    return label


def _own_item(folder: Path, file: Path, line: int, record: _Item, labels: Mapping[str, tuple[int, ...]]) -> Item:
    if not labels:
        raise _Broken("labels", "nobody answered a question.")
    if not (record.text.strip() or record.images or record.video):
        raise _Broken("text", "there is nothing to judge: no text, image or video.")
    return Item(
        record.id,
        record.text,
        tuple(folder / name for name in record.images),
        folder / record.video if record.video else None,
        labels,
        record.cluster,
        record.slices,
        file,
        line,
    )


def load_politok(folder: Path | None) -> Labelled:
    """Read PoliTok-DE. A post without media is a broken record, with its line in the annotations.

    Raises:
        DataError: if the annotations are missing, cannot be read, or lack a column.
        ConfigError: if they are a Parquet file, and pyarrow is not installed.
    """
    folder = need_folder(folder, WHERE)
    places = [folder, folder / "saxony_2024"]
    file = find_file(places, ["annotations.parquet", "annotations.csv"])
    if file is None:
        problem = f"{str(folder)!r} has neither annotations.parquet nor annotations.csv."
        raise DataError(
            problem, file=None, remedy="Download it from the data set tomasruiz/PoliTok-DE on Hugging Face."
        )
    told, errors = _posts(file.parent)
    rows: dict[str, dict[str, tuple[int, Mapping[str, object]]]] = {}
    for line, row in _in_order(file):
        post, annotator = (_text(row.get(name)) for name in ("post_id", _annotator(row)))
        if not post or not annotator:
            errors.append(DataError("it is empty.", file=file, line=line, field="post_id" if not post else "annotator"))
            continue
        rows.setdefault(post, {})[annotator] = (line, row)
    items = []
    for post, by_annotator in rows.items():
        first = min(line for line, _ in by_annotator.values())
        try:
            items.append(_politok_item(file, first, post, by_annotator.values(), told.get(post)))
        except _Broken as error:
            errors.append(DataError(error.problem, file=file, line=first, field=error.field, remedy=REMEDY))
    files = (file, *(path for path in (file.parent / "posts.jsonl",) if path.is_file()))
    return Labelled(POLITOK, tuple(items), files, tuple(errors))


def _politok_item(file: Path, line: int, post: str, rows: Any, told: _Post | None) -> Item:
    labels: dict[str, list[int]] = {}
    for _, row in rows:
        for name in POLITOK:
            value = row[name]
            if not (value is None or value == "" or value != value):  # NaN, as pandas writes missing values
                labels.setdefault(name, []).append(_label(name, value))
    if not labels:
        raise _Broken("post_id", f"nobody answered a question about the post {post!r}.")
    media = file.parent / "media"
    video = find_file([media], [post + suffix for suffix in VIDEO_SUFFIXES])
    slides = media / post
    pictures = sorted(path for path in slides.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures and (one := find_file([media], [post + suffix for suffix in sorted(PICTURE_SUFFIXES)])):
        pictures = [one]
    if video is None and not pictures:
        raise _Broken("post_id", f"there are no media of the post {post!r}, such as {str(media / post)!r}.mp4.")
    text = "\n".join(f"{name}: {value}" for name in ("author", "caption") if told and (value := getattr(told, name)))
    return Item(
        post, text, tuple(pictures), video, {name: tuple(held) for name, held in labels.items()}, "",
        {"media": "video" if video else "pictures"}, file, line,
    )  # fmt: skip


def _posts(folder: Path) -> tuple[dict[str, _Post], list[DataError]]:
    if not (path := folder / "posts.jsonl").is_file():
        return {}, []
    records, bad = read_json_lines(path, _Post)
    return {post.post_id: post for _, post in records}, list(bad)


def _in_order(file: Path) -> list[tuple[int, Mapping[str, object]]]:
    """Return the rows of the annotations, by their timestamps if they have any."""
    rows = list(_csv(file) if file.suffix == ".csv" else _parquet(file))
    if rows:
        names = rows[0][1].keys()
        for wanted in ("post_id", _annotator(rows[0][1]), *POLITOK):
            if wanted not in names and not (wanted == "is_saxony" and "is_saxony_election" in names):
                raise DataError(f"it has no column {wanted!r}.", file=file, field=wanted, remedy=WHERE)
    renamed = [(line, {"is_saxony": row.get("is_saxony_election"), **row}) for line, row in rows]
    return sorted(renamed, key=lambda row: _text(row[1].get("timestamp")))


def _annotator(row: Mapping[str, object]) -> str:
    return "classification_by" if "classification_by" in row else "annotator_id"


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _csv(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, restval="")
            for row in rows:
                yield rows.line_num, dict(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read it: {error}.", file=file, remedy=WHERE) from error


def _parquet(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield rows by their number, from 1."""
    parquet = require("pyarrow.parquet", extra="evals")
    from pyarrow import ArrowException

    try:
        yield from enumerate(parquet.read_table(file).to_pylist(), start=1)
    except (OSError, ArrowException) as error:
        raise DataError(f"cannot read it: {error}.", file=file, remedy=WHERE) from error
