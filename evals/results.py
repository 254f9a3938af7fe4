"""Results of a scored run as JSON lines: a manifest, and one result for each attempt at each sample.

The engine writes them; statistics, comparison and report read nothing else. The first line of a file is the manifest,
every other line one `SampleResult`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.errors import StoreError

FORMAT = 1
"""The version of the file format, in the first line."""

SHOWN = 500
"""Maximum number of characters of a text in results."""

Failure = Literal["", "model", "parse", "tool", "limit", "judge", "data"]
"""Why there is no score: the model or a tool failed, the reply or the judge's verdict could not be read, a limit on
steps, tokens or time was exceeded, or the sample itself is broken. Empty if there is a score."""

Key = tuple[str, str, int]
"""Identity of a result: task, sample id, epoch."""


class SampleResult(BaseModel):
    """One attempt at one sample, with either a value or a failure, so that no failure enters a mean unnoticed.

    Attributes:
        suite: the suite's name.
        task: the part of the suite; comparisons correct for the number of tasks.
        id: the sample, unique within its task.
        epoch: the attempt, from 1.
        cluster: what the sample shares with others, such as its video, picture or patient; samples of one cluster are
            not independent. A sample that shares nothing is a cluster of its own.
        value: the score, 0 (wrong) to 1 (right); None if the attempt failed.
        failure: see `Failure`.
        slices: named groups that the sample belongs to, such as {"age": "1-10 min"}.
        prediction: the answer, shortened.
        reference: the right answer, shortened.
        question: the question, shortened.
        frame_ids: the frames shown, by content hash; pixels stay in the frame store.
        retries: number of earlier tries in which the model or a judge failed.
        seconds: wall clock of the attempt.
        tokens_in, tokens_out: of all calls to the model, including cached ones.
        model_calls: calls to the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str = Field(min_length=1)
    task: str = Field(min_length=1)
    id: str = Field(min_length=1)
    epoch: int = Field(default=1, ge=1)
    cluster: str = Field(min_length=1)
    value: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    failure: Failure = ""
    slices: dict[str, str] = {}
    prediction: str = ""
    reference: str = ""
    question: str = ""
    frame_ids: tuple[str, ...] = ()
    retries: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    tokens_in: int = Field(default=0, ge=0)
    tokens_out: int = Field(default=0, ge=0)
    model_calls: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _scored_or_failed(self) -> Self:
        if (self.value is None) != bool(self.failure):
            raise ValueError("an attempt has either a value or a failure, never both")
        return self

    @property
    def key(self) -> Key:
        """Task, sample id and epoch."""
        return self.task, self.id, self.epoch


class RunResults(BaseModel):
    """A scored run.

    Attributes:
        manifest: the description of the run, as plain data. Comparisons read `suite`, `version` (of the suite),
            `prompts` (their hash or hashes), `files` (hashes of the data), `options` (of the suite), `git` (the code's
            revision) and `scored` (`version`, `git` and `files` of a later scoring); reports show `model` in the title,
            `figures` (measures of the whole run by name, null for NaN) as results, and list all the rest.
        samples: one for each attempt; (task, id, epoch) is unique.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: dict[str, Any]
    samples: tuple[SampleResult, ...]

    @property
    def suite(self) -> str:
        """The suite's name; for a suite in a file, its own name, wherever the file is."""
        named = str(self.manifest.get("suite", ""))
        return self.samples[0].suite if named.endswith(".py") and self.samples else named

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen: set[Key] = set()
        for sample in self.samples:
            if sample.key in seen:
                raise ValueError(f"task {sample.task!r}, sample {sample.id!r}, epoch {sample.epoch} occurs twice")
            seen.add(sample.key)
        return self


def save_results(results: RunResults, path: Path) -> None:
    """Write a run as JSON lines, atomically replacing an existing file.

    Raises:
        StoreError: if the file cannot be written, or the manifest is not plain data.
    """
    try:
        head = json.dumps({"results": FORMAT, "manifest": results.manifest}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"cannot write the manifest of {str(path)!r}: {error}.",
            expected="texts, whole numbers, finite numbers, true, false, null, lists and objects of these",
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with unfinished.open("w", encoding="utf-8", newline="\n") as file:
                file.write(head + "\n")
                for sample in results.samples:
                    file.write(sample.model_dump_json(exclude_defaults=True) + "\n")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write the results {str(path)!r}: {error}.", remedy="Choose another file, or free some space."
        ) from error


def load_results(path: Path) -> RunResults:
    """Read a run that `save_results` wrote, line by line.

    Raises:
        StoreError: if the file cannot be read, or a line is malformed, truncated or a duplicate; names the line and the
            field.
    """
    samples: list[SampleResult] = []
    lines: dict[Key, int] = {}
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            manifest = _manifest(path, file.readline())
            for number, line in enumerate(file, start=2):
                sample = _sample(path, number, line)
                if (before := lines.setdefault(sample.key, number)) != number:
                    raise StoreError(
                        f"{str(path)!r}, line {number}: task {sample.task!r}, sample {sample.id!r}, epoch "
                        f"{sample.epoch} is also in line {before}.",
                        remedy="Remove one of the two lines.",
                    )
                samples.append(sample)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"cannot read the results {str(path)!r}: {error}.", remedy="Pass a file that a run has written."
        ) from error
    return RunResults(manifest=manifest, samples=tuple(samples))


def _manifest(path: Path, line: str) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except json.JSONDecodeError:
        head = None
    if not isinstance(head, dict) or "results" not in head or not isinstance(head.get("manifest"), dict):
        raise StoreError(
            f"{str(path)!r}, line 1 is not the head of a scored run: {line[:80]!r}.",
            expected=f'{{"results": {FORMAT}, "manifest": {{...}}}}',
            remedy=f"Pass a file that a run has written; for an older streaming run, {path.stem}.results.jsonl.",
        )
    if head["results"] != FORMAT:
        raise StoreError(
            f"{str(path)!r}, line 1, field 'results' is {head['results']!r}.",
            expected=f"the format {FORMAT}",
            remedy="Score the run again with this version.",
        )
    return head["manifest"]


def _sample(path: Path, number: int, line: str) -> SampleResult:
    try:
        return SampleResult.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        place = f"{str(path)!r}, line {number}" + (f", field {field!r}" if field else "")
        given = "" if first["type"] == "missing" else f" {_short(first['input'])}:"
        remedy = "Score the run again; a truncated last line may be removed."
        raise StoreError(f"{place}:{given} {first['msg']}.", remedy=remedy) from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
