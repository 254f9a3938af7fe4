"""The command `attend eval`, mounted by an entry point, since imports go only from evals to agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.console import make_console, safe
from agent.cli.main import ConfigFile, Folder, Json, Model, app, main

__all__ = ["app", "main"]

eval_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run evaluation suites and compare runs.",
    rich_help_panel="Evaluate",
)

INTERRUPTED = 130
"""The exit code of a program ended by Ctrl-C, by shell convention."""

RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]
FailUnder = Annotated[
    float | None,
    typer.Option(
        "--fail-under", min=0, max=1, help="Exit with code 3 if the mean, counting failures as wrong, is below this."
    ),
]
Alpha = Annotated[float, typer.Option(help="Significance level: the accepted chance of a false alarm.")]
InFlight = Annotated[
    int | None,
    typer.Option(
        "--max-in-flight", min=1, help="Concurrent attempts (default 2 for a model on this machine, else 16)."
    ),
]


@eval_app.command("list")
def list_suites() -> None:
    """List the suites."""
    from evals.suites import load_suite, suite_names
    from tools.plugins import PluginError

    for name in suite_names():
        try:
            title = load_suite(name).title
        except PluginError as error:
            title = str(error)
        make_console().print(f"[bold]{name}[/]  {safe(title)}", soft_wrap=True)


@eval_app.command("run")
def run_suite(
    suite: Annotated[str, typer.Argument(help="A name from `attend eval list`, or a file FILE.py that defines SUITE.")],
    model: Model = None,
    data: Annotated[Path | None, typer.Option("--data", help="The suite's data folder; see its README.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of samples, or of questions, each in all settings.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw, the model and every attempt.")] = 0,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts per sample.")] = 1,
    in_flight: InFlight = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the suite, NAME=VALUE; may be repeated.")
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Hide pictures and videos from the model, to measure what the words alone give away."
        ),
    ] = False,
    limit_s: Annotated[float | None, typer.Option("--time-limit", help="Time limit of an attempt, in seconds.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip broken records; they are listed, and count as failed.")
    ] = False,
    least: FailUnder = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the run; must not contain one yet.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Run a suite; continue a stopped run with `attend eval resume`."""
    from agent.config import load_config
    from evals.engine import output, run

    options = output.run_options(
        {
            "limit": limit,
            "seed": seed,
            "attempts": attempts,
            "in_flight": in_flight,
            "blind": blind,
            "limit_s": limit_s,
            "skip_bad": skip_bad,
        },
        setting or (),
    )
    baseline = model if model and model.startswith(run.BASELINE) else None
    flags = {"model": None if baseline else model, "folder": folder}
    settings = output.seeded(load_config(flags, file=config), seed)
    place = out or output.default_folder(suite, settings)

    def make(progress: run.Progress) -> run.Run:
        return run.run_suite(suite, baseline or settings.model, data, settings, options, place, progress)

    _finish(make, place, as_json, least)


@eval_app.command()
def resume(
    run_folder: RunFolder,
    model: Annotated[str | None, typer.Option(help="The model string, if the manifest masks a password.")] = None,
    in_flight: InFlight = None,
    least: FailUnder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Resume a run that was stopped or killed, keeping finished attempts."""
    from agent.config import load_config
    from evals.engine import run

    settings = load_config(file=config)

    def make(progress: run.Progress) -> run.Run:
        return run.resume_run(run_folder, settings, progress, spec=model or "", in_flight=in_flight)

    _finish(make, run_folder, as_json, least)


@eval_app.command()
def score(run_folder: RunFolder, least: FailUnder = None, as_json: Json = False) -> None:
    """Score a finished run again, without calling the model."""
    from evals.engine import run

    _finish(lambda progress: run.score_run(run_folder), run_folder, as_json, least)


@eval_app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="The baseline: the folder of a run, or its results.jsonl.")],
    b: Annotated[Path, typer.Argument(help="The run that may be better.")],
    alpha: Alpha = 0.05,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write an HTML report of the comparison here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare run B with run A; exit code 3 if it is significantly worse, in all or in any task."""
    from evals.engine.output import compare_runs

    raise typer.Exit(compare_runs(a, b, make_console(), alpha=alpha, html=html, as_json=as_json))


@eval_app.command()
def report(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or its results.jsonl.")],
    b: Annotated[Path | None, typer.Argument(metavar="[B]", help="A run to compare with it.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The output file; by default report.html beside the results.")
    ] = None,
) -> None:
    """Write an HTML report of a run, or of run B against RUN."""
    from evals.engine.output import results_of, write_page
    from evals.report.html import report as report_run
    from evals.report.html import report_compare
    from evals.stats.compare import compare as compare_results

    last = b or a
    place = out or (last if last.is_dir() else last.parent) / ("comparison.html" if b else "report.html")
    page = report_compare(compare_results(results_of(a), results_of(b))) if b else report_run(results_of(a))
    write_page(page, place)
    typer.echo(place)


@eval_app.command()
def power(
    effect: Annotated[float, typer.Option("--effect", help="The difference of means to detect, such as 0.03.")],
    pilot: Annotated[
        Path | None,
        typer.Option("--pilot", help="A run to estimate the assumptions from, instead of the options below."),
    ] = None,
    rival: Annotated[
        Path | None, typer.Option("--rival", help="A second run of the same samples as the pilot.")
    ] = None,
    baseline: Annotated[float | None, typer.Option(help="The current mean score (default 0.5).")] = None,
    disagreement: Annotated[
        float | None, typer.Option(help="Share of samples on which A and B disagree; default: as if independent.")
    ] = None,
    flip_rate: Annotated[
        float | None,
        typer.Option(
            help="Share on which two attempts of one run disagree (default 0); scores of 0 and 1 only, else --pilot."
        ),
    ] = None,
    cluster_size: Annotated[float | None, typer.Option(help="Mean size of a sample's cluster (default 1).")] = None,
    icc: Annotated[float | None, typer.Option(help="Correlation of scores within a cluster (default 0).")] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts per sample, in both runs.")] = 1,
    alpha: Alpha = 0.05,
    wanted: Annotated[float, typer.Option("--power", help="The chance of detecting the effect if it exists.")] = 0.8,
    as_json: Json = False,
) -> None:
    """Compute how many samples a comparison needs to detect an effect."""
    from evals.engine.output import assumptions, results_of, show_power
    from evals.stats.power import assume
    from evals.stats.power import power as samples_for
    from tools.errors import ConfigError

    flags = {"baseline": baseline, "disagreement": disagreement, "flip_rate": flip_rate}
    given = {
        name: value for name, value in {**flags, "cluster_size": cluster_size, "icc": icc}.items() if value is not None
    }
    if pilot is None and rival is None:
        known = assumptions({"baseline": 0.5, **given})
    elif pilot is None or given:
        beside = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(
            "cannot use --rival without --pilot." if pilot is None else f"cannot combine {beside} with --pilot.",
            expected="--pilot alone, --pilot with --rival, or neither",
        )
    else:
        known = assume(results_of(pilot), results_of(rival) if rival else None)
    show_power(
        samples_for(effect, known, attempts=attempts, alpha=alpha, power=wanted), make_console(), as_json=as_json
    )


@eval_app.command()
def verify(
    suite: Annotated[str, typer.Argument(help="freak, hlv, medspot or proactivebench.")],
    file: Annotated[Path, typer.Argument(help="A golden file: cases with the authors' results.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="The suite's annotation folder, for results computed from all of it.")
    ] = None,
) -> None:
    """Check a suite's scorer against recorded results; print differences and the number of matching cases."""
    from evals.suites.golden import written
    from evals.verify import verify as check_file

    verdict = check_file(suite, file, data)
    for check in verdict.checks:
        for found in check.differences:
            place = f"{check.id}: {found.field}" if found.field else check.id
            typer.echo(f"{place}: expected {written(found.expected)}, got {written(found.got)}")
    for reason in verdict.unchecked:
        typer.echo(f"not checked: {reason}", err=True)
    total = len(verdict.checks)
    typer.echo(f"{verdict.matched}/{total}")
    raise typer.Exit(0 if total and verdict.matched == total else 1)


def _finish(make: Callable[[Any], Any], folder: Path, as_json: bool, least: float | None) -> None:
    from evals.engine.output import finish

    errors = make_console(stderr=True)
    try:
        code = finish(make, make_console(), errors, as_json=as_json, least=least)
    except KeyboardInterrupt:
        errors.print(f"Stopped. Finished attempts are kept; continue with `attend eval resume {safe(str(folder))}`.")
        code = INTERRUPTED
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
