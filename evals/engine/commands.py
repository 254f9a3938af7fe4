"""`attend eval run`, `resume` and `score`: progress, the two headlines as a table or as JSON, and the exit code."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from agent.config import Config
from agent.terminal import safe
from evals.engine.prepare import RunOptions
from evals.engine.run import RESULTS, Progress, Run
from evals.headlines import Headline, Headlines, headlines
from evals.stats import Rate
from tools.errors import ConfigError

BELOW = 3
"""The exit code of a run whose mean, failures as wrong, is below the threshold; our choice, as 1 is an error."""

BAD_SHOWN = 20
"""Broken records that are listed for people; the manifest and `--json` list all. Our choice."""


def run_options(given: Mapping[str, Any], settings: Sequence[str]) -> RunOptions:
    """Check what was given on the command line; `settings` are the suite's own options, as NAME=VALUE.

    Raises:
        ConfigError: if a value is out of range, or a setting has no equals sign.
    """
    own: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set was given {setting!r}.", expected="NAME=VALUE, such as --set hint=true")
        own[name.strip()] = value.strip()
    try:
        return RunOptions.model_validate({**given, "suite_options": own})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{where} is set to {problem['input']!r}: {problem['msg']}.") from error


def seeded(config: Config, seed: int) -> Config:
    """The settings with a run's seed for the model and for the memory policy `random`."""
    return config.model_copy(
        update={
            "mllm": config.mllm.model_copy(update={"seed": seed}),
            "memory": config.memory.model_copy(update={"seed": seed}),
        }
    )


def default_folder(suite: str, config: Config) -> Path:
    """A folder for a new run, named after the suite and the time."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return config.folder / "evals" / f"{Path(suite).stem}-{now}"


def finish(
    make: Callable[[Progress], Run], console: Console, errors: Console, *, as_json: bool, least: float | None
) -> int:
    """Make or score a run with a progress bar, print what it came to, and return the exit code.

    Args:
        make: does the work and tells how far it is.
        console: for the outcome.
        errors: for progress and notices.
        as_json: print one JSON object instead of a table.
        least: the mean, failures as wrong, below which the exit code is `BELOW`.
    """
    with _bar(errors) as progress:
        run = make(progress)
    found = headlines(run.results)
    for notice in run.notices:
        errors.print(f"[yellow]{safe(notice)}[/]", soft_wrap=True)
    if as_json:
        figures = run.results.manifest.get("figures", {})
        held = {"folder": str(run.folder), "made": run.made, "manifest": run.results.manifest, "figures": figures}
        console.print(json.dumps({**held, **found.model_dump(mode="json")}), soft_wrap=True, markup=False)
    else:
        _show(run, found, console)
    mean = found.overall.as_wrong.mean.value
    return BELOW if least is not None and (mean is None or mean < least) else 0


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        line = bars.add_task("attempts", total=None)
        yield lambda done, of: bars.update(line, completed=done, total=of)


def _show(run: Run, found: Headlines, console: Console) -> None:
    manifest = run.results.manifest
    title = f"{Path(manifest['suite']).stem} {manifest['version']}, {manifest['model']}"
    table = Table("", "samples", "failures as wrong", "scored only", "failed", title=safe(title))
    _row(table, "all", found.overall, "bold")
    if len(found.tasks) > 1:
        table.add_section()
        for task, headline in found.tasks.items():
            _row(table, task, headline)
    for name, values in found.slices.items():
        table.add_section()
        for value, headline in values.items():
            _row(table, f"{name}: {value}", headline)
    console.print(table)
    if (attempts := manifest["attempts"]) > 1:
        scores = found.overall.as_wrong
        console.print(
            f"{attempts} attempts each, failures as wrong: pass@{attempts} {_cell(scores.pass_at_k[attempts])}, "
            f"pass^{attempts} {_cell(scores.pass_hat_k[attempts])}, two attempts disagree {_cell(scores.flip_rate)}"
        )
    for name, figure in manifest.get("figures", {}).items():
        console.print(f"{safe(name)}: {figure:.4g}")
    bad = manifest["bad"]
    for problem in bad[:BAD_SHOWN]:
        console.print(f"[red]passed over:[/] {safe(problem)}", soft_wrap=True)
    if len(bad) > BAD_SHOWN:
        console.print(f"[red]and {len(bad) - BAD_SHOWN} more;[/] {safe(str(run.folder / 'manifest.json'))} lists all")
    console.print(f"results: {safe(str(run.folder / RESULTS))}", soft_wrap=True)


def _row(table: Table, label: str, headline: Headline, style: str = "") -> None:
    failed = ", ".join(f"{count} {cause}" for cause, count in headline.failures.items())
    means = (headline.as_wrong.mean, headline.scored.mean)
    table.add_row(safe(label), str(means[0].n), *(_cell(mean) for mean in means), failed, style=style)


def _cell(rate: Rate) -> str:
    if rate.value is None:
        return "-"
    if rate.low is None or rate.high is None:
        return f"{rate.value:.3f}"
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
