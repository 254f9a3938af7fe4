"""MedQ-Bench's tables: questions about images, descriptions, and descriptions of two images.

    FOLDER/
        medqbench_QA_SPLIT.tsv                  index, question, A, B, C, D, answer, question_type, modality
        medqbench_description_SPLIT.tsv         index, description, modality, and if wanted question
        medqbench_paired_description_SPLIT.tsv  the same
        images/...                              where rows name files

SPLIT is `dev` or `test`. An image is in the column `image` in base64 (or as the index of another row that has it), or
in `image_path` as a path below the folder; either may be a list in Python or JSON notation. Two images may be in
`image_a` and `image_b`. The columns `severity` and `scope` are ours, and optional.
"""

from __future__ import annotations

import ast
import base64
import binascii
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from evals.engine.data import REMEDY, DataError, need_folder
from evals.engine.suite import Picture

Part = Literal["perception", "description", "paired description"]
Split = Literal["dev", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
FILES: dict[Part, str] = {
    "perception": "medqbench_QA_{split}.tsv",
    "description": "medqbench_description_{split}.tsv",
    "paired description": "medqbench_paired_description_{split}.tsv",
}
LETTERS = "ABCD"
NEEDED: dict[Part, tuple[str, ...]] = {
    "perception": ("index", "question", "A", "B", "answer"),
    "description": ("index", "description"),
    "paired description": ("index", "description"),
}
IMAGES = ("image", "image_path", "image_a", "image_b")
MOST_CHARS = 1 << 28
"""Maximum length of a field: an image in base64."""
REFERENCE_CHARS = 64
"""A text in `image` up to this length is the index of another row, as in VLMEvalKit's tables."""
WHERE = "See the README of evals/suites/medq_bench for the format of the files; `sample/` beside it is an example."
_TYPES = {"yesorno": "yes-no", "yesno": "yes-no", "what": "what", "how": "how"}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        id: its `index`, unique within its table.
        pictures: one image, or two for a paired description.
        image: identifies its first image.
        question: the question; "" for the usual one.
        options: the answer options by letter; none for descriptions.
        reference: the letter of the right option, or the reference description.
        slices: question type, modality, severity and scope, as far as known.
        file, line: its place; the line is the one at which the row ends.
    """

    id: str
    pictures: tuple[Picture, ...]
    image: str
    question: str
    options: Mapping[str, str]
    reference: str
    slices: Mapping[str, str]
    file: Path
    line: int


@dataclass(frozen=True)
class Table:
    """The content of one file."""

    file: Path
    rows: tuple[Row, ...]
    bad: tuple[DataError, ...]


def load(folder: Path | None, split: Split, parts: Sequence[Part]) -> tuple[dict[Part, Table], list[str]]:
    """Read the tables of some parts, and report missing ones.

    Raises:
        DataError: if the folder has none of them, or a file cannot be read. Unusable rows are in their table's `bad`.
    """
    folder = need_folder(folder, WHERE)
    tables: dict[Part, Table] = {}
    missing = []
    for part in parts:
        file = folder / FILES[part].format(split=split)
        if file.is_file():
            tables[part] = _table(file, part)
        else:
            missing.append(f"{part}: skipped, since there is no {file.name}.")
    if not tables:
        names = ", ".join(FILES[part].format(split=split) for part in parts)
        raise DataError(f"{str(folder)!r} has none of {names}.", file=None, remedy=WHERE)
    return tables, missing


def _table(file: Path, part: Part) -> Table:
    held = list(_rows(file, NEEDED[part]))
    images = {row["index"]: row.get("image", "") for _, row in held}
    decode = cache(_decoded)  # several rows may have the same image
    rows, bad = [], []
    for line, row in held:
        try:
            rows.append(_row(file, line, row, part, images, decode))
        except _Broken as error:
            bad.append(DataError(error.problem, file=file, line=line, field=error.field, remedy=REMEDY))
    return Table(file, tuple(rows), tuple(bad))


def _rows(file: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a table with the line at which each ends."""
    limit = csv.field_size_limit(MOST_CHARS)
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, delimiter="\t", restval="")
            names = rows.fieldnames or ()
            if missing := [name for name in needed if name not in names]:
                problem = f"it has no column {missing[0]!r}, but {', '.join(names)}."
                raise DataError(problem, file=file, line=1, field=missing[0], remedy=WHERE)
            if not set(IMAGES) & set(names):
                raise DataError(
                    "it has no column of images.", file=file, line=1, field="image", remedy=f"Add one of {IMAGES}."
                )
            for row in rows:
                yield rows.line_num, {name: (value or "").strip() for name, value in row.items() if name}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read it: {error}.", file=file, remedy=WHERE) from error
    finally:
        csv.field_size_limit(limit)


_Decode = Callable[[str, str], Picture]


class _Broken(Exception):
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field, self.problem = field, problem


def _row(file: Path, line: int, row: Mapping[str, str], part: Part, images: Mapping[str, str], decode: _Decode) -> Row:
    if not row["index"]:
        raise _Broken("index", "it is empty.")
    pictures = _pictures(file.parent, row, images, decode)
    wanted = 2 if part == "paired description" else 1
    if len(pictures) != wanted:
        raise _Broken("image", f"there are {len(pictures)} images, not {wanted}.")
    options: dict[str, str] = {}
    if part == "perception":
        if not row["question"]:
            raise _Broken("question", "it is empty.")
        options = {letter: text for letter in LETTERS if (text := row.get(letter, ""))}
        reference = _letter(row["answer"], options)
    elif not (reference := row["description"]):
        raise _Broken("description", "it is empty.")
    return Row(
        row["index"],
        pictures,
        _name(pictures[0]),
        row.get("question", ""),
        options,
        reference,
        {**_asked(row, options), **{name: row[name] for name in ("modality", "severity", "scope") if row.get(name)}},
        file,
        line,
    )


def _letter(answer: str, options: Mapping[str, str]) -> str:
    """Return the letter of an answer that is a letter, a number from 0, or the text of an option."""
    texts = [letter for letter, text in options.items() if text.casefold() == answer.casefold()]
    letter = LETTERS[int(answer)] if re.fullmatch("[0-3]", answer) else answer.upper()
    if letter not in options and len(texts) == 1:
        return texts[0]
    if letter not in options:
        raise _Broken("answer", f"{answer!r} is not one of the options {', '.join(options)}.")
    return letter


def _asked(row: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """Return the question type as stated, else inferred from the options or the first word of the question."""
    if not options:
        return {}
    stated = row.get("question_type", "")
    if stated:
        return {"question type": _TYPES.get(re.sub("[^a-z]", "", stated.casefold()), stated.casefold())}
    if {text.casefold().rstrip(".") for text in options.values()} == {"yes", "no"}:
        return {"question type": "yes-no"}
    first = row["question"].split()[0].casefold()
    return {"question type": {"how": "how", "what": "what", "which": "what"}.get(first, "other")}


def _pictures(folder: Path, row: Mapping[str, str], images: Mapping[str, str], decode: _Decode) -> tuple[Picture, ...]:
    pair = [(name, row[name]) for name in ("image_a", "image_b") if row.get(name)]
    if pair:
        return tuple(decode(name, text) for name, text in pair)
    if row.get("image"):
        held = _listed(row["image"])
        if len(held) == 1 and len(held[0]) <= REFERENCE_CHARS:
            if len(other := images.get(held[0], "")) <= REFERENCE_CHARS:
                raise _Broken("image", f"{held[0]!r} is not the index of a row with an image.")
            held = _listed(other)
        return tuple(decode("image", text) for text in held)
    paths = _listed(row.get("image_path", ""))
    if not paths:
        raise _Broken("image", "there is no image.")
    for path in paths:
        if not (folder / path).is_file():
            raise _Broken("image_path", f"the file {str(folder / path)!r} does not exist.")
    return tuple(Picture(folder / path) for path in paths)


def _listed(text: str) -> list[str]:
    """Return a text as a list, or the texts of a list in Python or JSON notation."""
    if not text.startswith("["):
        return [text] if text else []
    try:
        held = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise _Broken("image", f"{text[:60]!r} is not a list of images.") from error
    return [str(one) for one in held]


def _decoded(field: str, text: str) -> Picture:
    from PIL import Image

    try:
        encoded = base64.b64decode(text.partition("base64,")[2] or text, validate=True)
        with Image.open(io.BytesIO(encoded)) as image:
            image.verify()
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _Broken(field, f"{text[:40]!r} is not a base64 image: {error}.") from error
    return Picture(encoded=encoded)


def _name(picture: Picture) -> str:
    """Return the file's name, or a hash of the picture."""
    return picture.path.name if picture.path else hashlib.sha256(picture.encoded or b"").hexdigest()[:16]
