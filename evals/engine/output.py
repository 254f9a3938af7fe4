"""Output of `attend eval`, as tables or as JSON, and exit codes."""

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

from agent.cli.console import safe
from agent.config import Config
from evals.engine.manifest import MANIFEST
from evals.engine.prepare import RunOptions
from evals.engine.run import RESULTS, Progress, Run
from evals.report.html import report_compare
from evals.report.tables import figures_table, show_table
from evals.results import RunResults, load_results
from evals.stats.compare import Comparison, Delta, compare
from evals.stats.means import Rate
from evals.stats.metrics import Metrics, RunMetrics, run_metrics
from evals.stats.power import Assumptions, SampleSize
from tools.errors import ConfigError, StoreError

BELOW = 3
"""The exit code if a mean is below the threshold, or a run is significantly worse; 1 is an error."""

CHANGES_SHOWN = 10
"""Maximum number of regressions, and of fixes, in the table."""

BAD_SHOWN = 20
"""Maximum number of broken records in the output; the manifest and `--json` list all."""


def run_options(given: Mapping[str, Any], settings: Sequence[str]) -> RunOptions:
    """Validate command-line options; `settings` are the suite's own options, as NAME=VALUE.

    Raises:
        ConfigError: if a value is out of range, or a setting has no equals sign.
    """
    own: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"invalid --set {setting!r}.", expected="NAME=VALUE, such as --set hint=true")
        own[name.strip()] = value.strip()
    try:
        return RunOptions.model_validate({**given, "suite_options": own})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"invalid {where} {problem['input']!r}: {problem['msg']}.") from error


def seeded(config: Config, seed: int) -> Config:
    """Return the settings with a run's seed for the model and for the memory policy `random`."""
    return config.model_copy(
        update={
            "mllm": config.mllm.model_copy(update={"seed": seed}),
            "memory": config.memory.model_copy(update={"seed": seed}),
        }
    )


def default_folder(suite: str, config: Config) -> Path:
    """Return a folder for a new run, named after the suite and the time."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return config.folder / "evals" / f"{Path(suite).stem}-{now}"


def finish(
    make: Callable[[Progress], Run], console: Console, errors: Console, *, as_json: bool, least: float | None
) -> int:
    """Make or score a run with a progress bar, print its results, and return the exit code.

    Args:
        make: does the work and reports progress.
        console: for the results.
        errors: for progress and notices.
        as_json: print one JSON object instead of a table.
        least: the mean, counting failures as wrong, below which the exit code is `BELOW`.
    """
    with _bar(errors) as progress:
        run = make(progress)
    found = run_metrics(run.results)
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


def _show(run: Run, found: RunMetrics, console: Console) -> None:
    manifest = run.results.manifest
    title = f"{run.results.suite} {manifest['scored']['version']}, {manifest['model']}"
    names = ("", "samples", "failures as wrong", "scored only", "failed")
    table = figures_table(names, words=("", "failed"), title=safe(title))
    _row(table, "all", found.overall, "bold")
    if len(found.tasks) > 1:
        table.add_section()
        for task, headline in found.tasks.items():
            _row(table, task, headline)
    for name, values in found.slices.items():
        table.add_section()
        for value, headline in values.items():
            _row(table, f"{name}: {value}", headline)
    show_table(table, console)
    if (attempts := manifest["attempts"]) > 1:
        scores = found.overall.as_wrong
        console.print(
            f"{attempts} attempts each, failures as wrong: pass@{attempts} {_cell(scores.pass_at_k[attempts])}, "
            f"pass^{attempts} {_cell(scores.pass_hat_k[attempts])}, two attempts disagree {_cell(scores.flip_rate)}"
        )
    for name, figure in manifest.get("figures", {}).items():
        console.print(f"{safe(name)}: {'-' if figure is None else format(figure, '.4g')}")
    bad = manifest["bad"]
    for problem in bad[:BAD_SHOWN]:
        console.print(f"[red]skipped:[/] {safe(problem)}", soft_wrap=True)
    if len(bad) > BAD_SHOWN:
        console.print(f"[red]and {len(bad) - BAD_SHOWN} more;[/] {safe(str(run.folder / 'manifest.json'))} lists all")
    console.print(f"results: {safe(str(run.folder / RESULTS))}", soft_wrap=True)


def _row(table: Table, label: str, headline: Metrics, style: str = "") -> None:
    failed = ", ".join(f"{count} {cause}" for cause, count in headline.failures.items())
    means = (headline.as_wrong.mean, headline.scored.mean)
    table.add_row(safe(label), str(means[0].n), *(_cell(mean) for mean in means), failed, style=style)


def _cell(rate: Rate) -> str:
    if rate.value is None:
        return "-"
    if rate.low is None or rate.high is None:
        return f"{rate.value:.3f}"
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"


def results_of(place: Path) -> RunResults:
    """Load the results of a run's folder, or of a results file.

    Raises:
        ConfigError: if the run is not finished.
        StoreError: if there are none, or they are damaged.
    """
    if place.is_dir() and not (place / RESULTS).exists() and (place / MANIFEST).exists():
        raise ConfigError(
            f"the run {str(place)!r} is not finished.", remedy=f"Continue it with `attend eval resume {place}`."
        )
    return load_results(place / RESULTS if place.is_dir() else place)


def compare_runs(a: Path, b: Path, console: Console, *, alpha: float, html: Path | None, as_json: bool) -> int:
    """Print whether run B is better than run A; the exit code is `BELOW` if B is significantly worse.

    Raises:
        ConfigError: if the runs cannot be compared.
        StoreError: if a file cannot be read or written.
    """
    found = compare(results_of(a), results_of(b), alpha=alpha)
    if html is not None:
        write_page(report_compare(found), html)
    if as_json:
        console.print(found.model_dump_json(), soft_wrap=True, markup=False)
    else:
        _show_comparison(found, console)
    return BELOW if found.regressed else 0


def write_page(page: str, path: Path) -> None:
    """Write a report. Raises StoreError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, "utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report {str(path)!r}: {error}.", remedy="Choose another file.") from error


def assumptions(given: Mapping[str, Any]) -> Assumptions:
    """Validate assumptions about future runs. Raises ConfigError if a value is out of range."""
    try:
        return Assumptions.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"invalid {problem['loc'][0]} {problem['input']!r}: {problem['msg']}.") from error


def show_power(found: SampleSize, console: Console, *, as_json: bool) -> None:
    """Print how many samples a comparison needs, and the assumptions."""
    if as_json:
        console.print(found.model_dump_json(), soft_wrap=True, markup=False)
        return
    known = found.assumptions
    assumed = known.model_dump(exclude_none=True, exclude={"samples"}).items()
    console.print(
        f"To detect a difference of {found.effect:+.3g} with power {found.power:g} at alpha {found.alpha:g}, "
        f"{_counted(found.attempts, 'attempt')} per sample:"
    )
    for how, samples, clusters in (
        ("both runs on the same samples", found.paired, found.paired_clusters),
        ("each run on its own samples", found.unpaired, found.unpaired_clusters),
    ):
        console.print(f"  {how}: {_counted(samples, 'sample')} in {_counted(clusters, 'cluster')}")
    read_from = "" if known.samples is None else f"; read from {known.samples:,} samples"
    console.print(
        "assumed: " + ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in assumed) + read_from
    )


def _show_comparison(found: Comparison, console: Console) -> None:
    for warning in found.warnings:
        console.print(f"[yellow]{safe(warning)}[/]", soft_wrap=True)
    table = figures_table(("", "n", "A", "B", "B less A", "p", "fixes", "worse"), words=("",))
    table.add_row(*_delta_cells("all", found.overall), style="bold")
    table.add_row(*_delta_cells("scored", found.scored))
    if len(found.tasks) > 1:
        table.add_section()
        for task, delta in found.tasks.items():
            table.add_row(*_delta_cells(task, delta))
    show_table(table, console)
    console.print(
        "Failures count as wrong, except in `scored`: what both runs scored. p of tasks is Holm's. p of scores 0 and "
        "1 is McNemar's, which is exact, and may disagree with the interval close to the limit."
    )
    if found.overall.rerun_se is not None:
        console.print(f"rerunning both would by itself change the difference by about {found.overall.rerun_se:.3f}")
    for one, many, style, changes in (
        ("regression", "regressions", "red", found.regressions),
        ("fix", "fixes", "green", found.fixes),
    ):
        for change in changes[:CHANGES_SHOWN]:
            was, now = change.a.prediction or change.a.failure, change.b.prediction or change.b.failure
            values = f"{change.value_a:.2g} to {change.value_b:.2g}"
            texts = f"{safe(was[:80])} -> {safe(now[:80])}"
            console.print(f"[{style}]{one}[/] {safe(change.task)} {safe(change.id)}: {values}; {texts}", soft_wrap=True)
        if (more := len(changes) - CHANGES_SHOWN) > 0:
            console.print(f"and {more} more {many}; --json and --html list them")


def _delta_cells(label: str, delta: Delta) -> tuple[str, ...]:
    p = delta.p if delta.p_holm is None else delta.p_holm
    return (
        f"{safe(label)}\n{delta.verdict}",
        str(delta.n),
        _number(delta.mean_a),
        _number(delta.mean_b),
        f"{_number(delta.difference, '+')}\n{_number(delta.low, '+')} to {_number(delta.high, '+')}",
        "<0.001" if p is not None and p < 0.001 else _number(p),
        str(delta.fixes),
        str(delta.regressions),
    )


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
