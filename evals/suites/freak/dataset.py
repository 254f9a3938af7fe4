"""Reader of FREAK: the hub's Parquet files, whose images are loaded on demand, and controlled pairs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from evals.engine.data import DataError, need_folder, read_json_lines, record_error
from evals.engine.suite import Loaded, Sample
from evals.suites.freak.options import Options
from evals.suites.freak.scorer import GROUPS, LETTERS
from evals.suites.judges import suite_judge
from tools.extras import require

COLUMNS = ("id", "image", "question", "type", "options", "hallu_answer", "ground_truth", "item", "category")
GET_IT = "Download the folder `data` of hansQAQ/FREAK, as the suite's README says."
CONTROLLED = "controlled.jsonl"
GROUPS_KEPT = 2
"""Row groups whose images are cached; samples come in the order of the files."""

_SHARD = re.compile(r"test-(\d+)-of-(\d+)\.parquet")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Row(BaseModel):
    """A question as released."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    question: str = Field(min_length=1)
    type: Literal["mcq", "fib"]
    options: list[str] | None = None
    hallu_answer: str | None = None
    ground_truth: str | None = None
    item: str | None = None
    category: Annotated[list[str], BeforeValidator(_listed)] = []

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        if self.type == "mcq" and len(self.options or ()) != len(LETTERS):
            raise ValueError(f"question {self.id} has {len(self.options or ())} options in place of four")
        if self.type == "fib" and not (self.ground_truth or "").strip():
            raise ValueError(f"question {self.id} has no ground_truth")
        return self


class Pair(BaseModel):
    """A question about a normal image and the same image edited; options as in `Row`. The format is ours."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int | str
    question: str = Field(min_length=1)
    options: list[str] = Field(min_length=len(LETTERS), max_length=len(LETTERS))
    normal_image: str
    edited_image: str
    category: Annotated[list[str], BeforeValidator(_listed)] = []


@dataclass(frozen=True)
class StoredImage:
    """The position of an image in a Parquet file: its row group and its row there."""

    file: Path
    group: int
    row: int

    def read(self) -> bytes:
        """Return the encoded image."""
        return _images(self.file, self.group)[self.row]


def load(data: Path | None, options: Options) -> Loaded:
    """Read the questions of a folder.

    Raises:
        DataError: if the folder or a file is missing or has another format.
        ConfigError: if pyarrow is not installed.
    """
    folder = need_folder(data, f"Pass it with --data. {GET_IT}")
    if options.subset == "controlled":
        return _load_pairs(folder, options)
    samples: list[Sample] = []
    bad: list[DataError] = []
    files = _shards(folder)
    for file in files:
        for line, found in _rows(file, options):
            if isinstance(found, DataError):
                bad.append(found)
            else:
                samples.append(_sample(*found, options, file, line))
    ready = suite_judge(options.judge, options.judge_folder).open if options.judge else None
    return Loaded(tuple(samples), tuple(bad), tuple(files), _unknown(samples), ready)


def _shards(folder: Path) -> list[Path]:
    place = folder / "data" if (folder / "data").is_dir() else folder
    found = {path.name: path for path in sorted(place.glob("*.parquet"))}
    named = {name: match for name in found if (match := _SHARD.fullmatch(name))}
    if not named:
        raise DataError("there is no file test-*-of-*.parquet.", file=place, remedy=GET_IT)
    count = int(next(iter(named.values()))[2])
    held = {int(match[1]) for match in named.values()}
    if missing := [number for number in range(count) if number not in held]:
        name = f"test-{missing[0]:05}-of-{count:05}.parquet"
        raise DataError(f"{len(missing)} of its {count} files are missing.", file=place / name, remedy=GET_IT)
    return [found[name] for name in sorted(named)]


def _rows(file: Path, options: Options) -> Iterator[tuple[int, DataError | tuple[Row, StoredImage, str]]]:
    """Yield the rows of a file with their number from 1, one group at a time."""
    parquet, line = _open(file), 0
    for group in range(parquet.num_row_groups):
        place = 0
        for batch in parquet.iter_batches(batch_size=16, row_groups=[group], columns=list(COLUMNS)):
            for values in batch.to_pylist():
                line, image = line + 1, StoredImage(file, group, place)
                place += 1
                try:
                    row = Row.model_validate({name: value for name, value in values.items() if name != "image"})
                except ValidationError as error:
                    yield line, record_error(error, file, line)
                    continue
                if options.types not in ("all", row.type):
                    continue
                encoded = (values["image"] or {}).get("bytes")
                if not encoded:
                    yield line, DataError(f"question {row.id} has no image.", file=file, line=line, field="image.bytes")
                else:
                    yield line, (row, image, hashlib.sha256(encoded).hexdigest())


def _open(file: Path) -> Any:
    pyarrow, reader = require("pyarrow", extra="evals"), require("pyarrow.parquet", extra="evals")
    try:
        parquet = reader.ParquetFile(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"it is not a Parquet file: {error}.", file=file, remedy=GET_IT) from error
    if missing := [name for name in COLUMNS if name not in parquet.schema_arrow.names]:
        raise DataError("the column is missing.", file=file, field=missing[0], remedy=GET_IT)
    kind = parquet.schema_arrow.field("image").type
    inner = kind.field("bytes").type if pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else None
    if inner is None or not (pyarrow.types.is_binary(inner) or pyarrow.types.is_large_binary(inner)):
        raise DataError(f"it contains {kind}, not encoded images as `bytes`.", file=file, field="image", remedy=GET_IT)
    return parquet


@lru_cache(maxsize=GROUPS_KEPT)
def _images(file: Path, group: int) -> list[bytes]:
    column = _open(file).read_row_group(group, columns=["image"]).column("image")
    return [value["bytes"] if value else b"" for value in column.to_pylist()]


def _sample(row: Row, image: StoredImage, sha256: str, options: Options, file: Path, line: int) -> Sample:
    return Sample(
        id=str(row.id),
        task=row.type,
        cluster=sha256[:16],
        prompt=(row.question,),
        max_tokens=options.max_tokens,
        reference=row.options[0] if row.options else row.ground_truth or "",
        slices=_slices(row),
        fields={"row": row, "image": image, "options": options, "expected": 0},
        file=file,
        line=line,
    )


def _load_pairs(folder: Path, options: Options) -> Loaded:
    file = folder / CONTROLLED
    if not file.is_file():
        remedy = (
            "No list of the controlled subset is public; the suite's README gives the format of a file of your own."
        )
        raise DataError("there is no list of pairs.", file=file, remedy=remedy)
    rows, broken = read_json_lines(file, Pair)
    samples: list[Sample] = []
    bad = list(broken)
    for line, pair in rows:
        # On the normal image the usual answer is right; on the edited one the first option.
        for task, name, expected in (("normal", pair.normal_image, 1), ("edited", pair.edited_image, 0)):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                problem = f"the image {name!r} is outside the data folder."
                bad.append(DataError(problem, file=file, line=line, field=f"{task}_image"))
                continue
            row = Row(id=line, question=pair.question, type="mcq", options=pair.options, category=pair.category)
            path = folder / name
            samples.append(
                Sample(
                    id=str(pair.id),
                    task=task,
                    cluster=str(pair.id),
                    prompt=(pair.question,),
                    pictures=(path,),
                    max_tokens=options.max_tokens,
                    reference=pair.options[expected],
                    slices=_slices(row),
                    fields={"row": row, "image": path, "options": options, "expected": expected},
                    file=file,
                    line=line,
                )
            )
    return Loaded(tuple(samples), tuple(bad), (file,), _unknown(samples))


def labels(row: Row) -> list[str]:
    """Return the labels of a row that belong to a group."""
    return [label for label in map(_plain, row.category) if label in GROUPS]


def _plain(label: str) -> str:
    return label.strip().lower()


def _slices(row: Row) -> Mapping[str, str]:
    """Return a slice for each group: an item may be in several."""
    return dict.fromkeys([GROUPS[label] for label in labels(row)], "yes")


def _unknown(samples: list[Sample]) -> tuple[str, ...]:
    known = [label for sample in samples for label in sample.fields["row"].category]
    odd = sorted({label for label in known if _plain(label) not in GROUPS})
    return (f"no group has the labels {', '.join(map(repr, odd))}: they count in the totals only.",) if odd else ()
