"""Preparation of a run: a suite's samples loaded, checked and drawn, with broken ones counted separately."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.config import Config
from evals.engine.data import DataError
from evals.engine.media import missing_files
from evals.engine.suite import Loaded, Sample, Suite, own_name
from evals.suites import load_suite
from tools.errors import AttendError, ConfigError

_Drawn = TypeVar("_Drawn")


class RunOptions(BaseModel):
    """How a suite is run.

    Attributes:
        limit: maximum number of samples, drawn by `seed`; a larger limit adds to the same ones. None is all. For a
            suite that asks its questions under several settings it counts questions, each drawn with all its settings.
        seed: of the draw, and of every attempt's own generator.
        attempts: number of attempts per sample.
        in_flight: concurrent attempts; None is 2 for a model on this machine, else 16.
        skip_bad: skip broken records and files, and count them as failed; otherwise the run does not start.
        limit_s: time limit of an attempt, in seconds; None is no limit. Includes waiting for other attempts.
        blind: hide pictures and sources from the model, to measure what the words alone give away.
        suite_options: the suite's own options, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    attempts: int = Field(default=1, ge=1, le=1_000)
    in_flight: int | None = Field(default=None, ge=1, le=1_000)
    skip_bad: bool = False
    limit_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    blind: bool = False
    suite_options: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class BrokenSample:
    """A sample that cannot be asked, and why."""

    task: str
    id: str
    cluster: str
    error: DataError


@dataclass(frozen=True)
class Prepared:
    """A suite with the samples of a run, in the suite's order."""

    suite: Suite
    loaded: Loaded
    samples: tuple[Sample, ...]
    bad: tuple[BrokenSample, ...]


def prepare(name: str, data: Path | None, options: RunOptions, config: Config | None = None) -> Prepared:
    """Load a suite's data and draw the samples of a run; broken ones are drawn like others.

    Args:
        name: of the suite, or its Python file.
        data: the data folder; None if the suite needs none.
        options: see `RunOptions`.
        config: the settings, if the suite is about to be asked; passed to the suite's options as pydantic's context.

    Raises:
        ConfigError: if the suite is unknown, or an option is invalid.
        DataError: if anything is broken and `skip_bad` is off; names the first problem and counts the rest.
    """
    suite = load_suite(name)
    if options.blind and not isinstance(suite.solve, str) and suite.blind is None:
        raise ConfigError(f"cannot run {suite.name} blind: its dialogue shows pictures itself.")
    own = _suite_options(suite, options.suite_options, config)
    loaded = _load(suite, data, own)
    population = [*_checked(suite, loaded), *_unread(suite, loaded)]
    if not population:
        raise DataError(f"{suite.name} found no samples.", file=None, remedy="See the suite's README for its data.")
    broken = [one for one in population if isinstance(one, BrokenSample)]
    if broken and not options.skip_bad:
        raise _refused(broken)
    drawn = _drawn(population, options, paired=loaded.paired)
    samples = tuple(one for one in drawn if isinstance(one, Sample))
    return Prepared(suite, loaded, samples, tuple(one for one in drawn if isinstance(one, BrokenSample)))


def draw(samples: Sequence[_Drawn], limit: int | None, seed: int) -> list[_Drawn]:
    """Draw at most `limit` samples, in their order: a prefix of one shuffle, so that a larger draw contains a smaller
    one."""
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    return [samples[index] for index in sorted(order[:limit])]


def _drawn(
    population: list[Sample | BrokenSample], options: RunOptions, *, paired: bool
) -> list[Sample | BrokenSample]:
    """Draw the samples of a run, in their order; paired ones are drawn by id."""
    if not paired:
        return draw(population, options.limit, options.seed)
    chosen = set(draw(list(dict.fromkeys(one.id for one in population)), options.limit, options.seed))
    return [one for one in population if one.id in chosen]


def _checked(suite: Suite, loaded: Loaded) -> list[Sample | BrokenSample]:
    """Check the samples: those with missing files or duplicate ids become broken ones."""
    gone = {id(sample): error for sample, error in missing_files(loaded.samples)}
    seen: set[tuple[str, str]] = set()
    checked: list[Sample | BrokenSample] = []
    for number, sample in enumerate(loaded.samples, start=1):
        task = sample.task or suite.name
        error, name = gone.get(id(sample)), sample.id
        if (task, sample.id) in seen:
            problem = f"duplicate id {sample.id!r} in {task!r}."
            error, name = DataError(problem, file=sample.file, line=sample.line, field="id"), f"{sample.id} ({number})"
        seen.add((task, name))
        checked.append(
            BrokenSample(task, name, sample.cluster or own_name(sample.task, name), error) if error else sample
        )
    return checked


def _unread(suite: Suite, loaded: Loaded) -> list[BrokenSample]:
    named: dict[str, BrokenSample] = {}
    for number, error in enumerate(loaded.bad, start=1):
        place = f"{error.file.name if error.file else 'record'}:{number if error.line is None else error.line}"
        # A file of one line may contain many records.
        name = f"{place} ({number})" if place in named else place
        named[name] = BrokenSample(suite.name, name, name, error)
    return list(named.values())


def _refused(broken: list[BrokenSample]) -> DataError:
    first, more = broken[0].error, len(broken) - 1
    rest = f" {more} other record{'s are' if more > 1 else ' is'} broken too." if more else ""
    return DataError(first.problem + rest, file=None, remedy=first.remedy)


def _suite_options(suite: Suite, given: dict[str, Any], config: Config | None) -> BaseModel:
    try:
        return suite.options.model_validate(given, context=config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(suite.options.model_fields)
        expected = f"one of {known}" if known else "no options: this suite has none"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"unknown option {where!r} of {suite.name}.", expected=expected) from error
        said = first["msg"].removeprefix("Value error, ")
        problem = f"invalid value {first['input']!r} of the option {where!r} of {suite.name}: {said}."
        raise ConfigError(problem if where else f"invalid options of {suite.name}: {said}.") from error


def _load(suite: Suite, data: Path | None, options: BaseModel) -> Loaded:
    try:
        return suite.load(data, options)
    except AttendError:
        raise
    except Exception as error:  # it may be third-party code
        raise DataError(
            f"cannot load {suite.name}: {type(error).__name__}: {error}, {_where(error)}.",
            file=None,
            remedy="Repair the suite or its data.",
        ) from error


def _where(error: BaseException) -> str:
    """Return the place in the code where an error was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"at {last.filename}, line {last.lineno}"
