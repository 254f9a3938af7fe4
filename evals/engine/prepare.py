"""What a run is about: a suite's samples as loaded, checked and drawn, the broken ones kept apart and counted."""

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
        limit: at most so many samples, drawn by `seed`; a larger limit adds to the same ones. None is all. Of a suite
            that asks its questions under several settings it counts questions, each drawn with all its settings.
        seed: of the draw, and of every attempt's own generator.
        attempts: how often each sample is put.
        in_flight: attempts at once; None is 2 for a model on this machine, else 16 (our choice).
        skip_bad: pass over records and files that are broken, and count them as failed; else the run does not begin.
        limit_s: the longest an attempt may take, in seconds; None is no limit. Waiting for other attempts counts.
        blind: keep pictures and sources from the model: what the words alone give away.
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
class Bad:
    """A sample that cannot be put, and why."""

    task: str
    id: str
    cluster: str
    error: DataError


@dataclass(frozen=True)
class Prepared:
    """A suite with the samples that a run is about, in the suite's order."""

    suite: Suite
    loaded: Loaded
    samples: tuple[Sample, ...]
    bad: tuple[Bad, ...]


def prepare(name: str, data: Path | None, options: RunOptions, config: Config | None = None) -> Prepared:
    """Load a suite's data and draw the samples of a run; broken ones are drawn like others.

    Args:
        name: of the suite, or the Python file that holds it.
        data: the data folder; None where the suite needs none.
        options: see `RunOptions`.
        config: the settings, where the suite is about to be asked; the suite's options get them as pydantic's context.

    Raises:
        ConfigError: if there is no such suite, or an option does not fit it.
        DataError: if anything is broken and `skip_bad` is off; of several, the first is named and the rest counted.
    """
    suite = load_suite(name)
    if options.blind and not isinstance(suite.solve, str) and suite.blind is None:
        raise ConfigError(f"{suite.name} has a dialogue of its own, from which no picture can be kept.")
    own = _suite_options(suite, options.suite_options, config)
    loaded = _load(suite, data, own)
    population = [*_checked(suite, loaded), *_unread(suite, loaded)]
    if not population:
        raise DataError(f"{suite.name} found no samples.", file=None, remedy="See the suite's README for its data.")
    broken = [one for one in population if isinstance(one, Bad)]
    if broken and not options.skip_bad:
        raise _refused(broken)
    drawn = _drawn(population, options, paired=loaded.paired)
    samples = tuple(one for one in drawn if isinstance(one, Sample))
    return Prepared(suite, loaded, samples, tuple(one for one in drawn if isinstance(one, Bad)))


def draw(samples: Sequence[_Drawn], limit: int | None, seed: int) -> list[_Drawn]:
    """At most `limit` samples, in their order; the draw is a prefix of one shuffling, so a larger one holds it."""
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    return [samples[index] for index in sorted(order[:limit])]


def _drawn(population: list[Sample | Bad], options: RunOptions, *, paired: bool) -> list[Sample | Bad]:
    """The samples of a run, in their order; paired ones are drawn by id."""
    if not paired:
        return draw(population, options.limit, options.seed)
    chosen = set(draw(list(dict.fromkeys(one.id for one in population)), options.limit, options.seed))
    return [one for one in population if one.id in chosen]


def _checked(suite: Suite, loaded: Loaded) -> list[Sample | Bad]:
    """The samples, those whose files are missing or whose id has been taken as broken ones."""
    gone = {id(sample): error for sample, error in missing_files(loaded.samples)}
    seen: set[tuple[str, str]] = set()
    checked: list[Sample | Bad] = []
    for number, sample in enumerate(loaded.samples, start=1):
        task = sample.task or suite.name
        error, name = gone.get(id(sample)), sample.id
        if (task, sample.id) in seen:
            problem = f"the id {sample.id!r} was used before in {task!r}."
            error, name = DataError(problem, file=sample.file, line=sample.line, field="id"), f"{sample.id} ({number})"
        seen.add((task, name))
        checked.append(Bad(task, name, sample.cluster or own_name(sample.task, name), error) if error else sample)
    return checked


def _unread(suite: Suite, loaded: Loaded) -> list[Bad]:
    named: dict[str, Bad] = {}
    for number, error in enumerate(loaded.bad, start=1):
        place = f"{error.file.name if error.file else 'record'}:{number if error.line is None else error.line}"
        # A file of one line may hold many records.
        name = f"{place} ({number})" if place in named else place
        named[name] = Bad(suite.name, name, name, error)
    return list(named.values())


def _refused(broken: list[Bad]) -> DataError:
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
        expected = f"options out of {known}" if known else "no options: this suite has none"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{suite.name} has no option {where!r}.", expected=expected) from error
        said = first["msg"].removeprefix("Value error, ")
        problem = f"the option {where!r} of {suite.name} is set to {first['input']!r}: {said}."
        raise ConfigError(problem if where else f"the options of {suite.name} do not fit: {said}.") from error


def _load(suite: Suite, data: Path | None, options: BaseModel) -> Loaded:
    try:
        return suite.load(data, options)
    except AttendError:
        raise
    except Exception as error:  # it may be anybody's code
        raise DataError(
            f"{suite.name} cannot be loaded: {type(error).__name__}: {error}, {_where(error)}.",
            file=None,
            remedy="Mend the suite or its data.",
        ) from error


def _where(error: BaseException) -> str:
    """The place in the code that an error comes from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"at {last.filename}, line {last.lineno}"
