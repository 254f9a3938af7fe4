"""What a run came to: shares right by scoring, part and task, and what was not answered; as data and as a table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from agent.cli.console import safe
from evals.report.tables import figures_table, show_table
from evals.run import Record, Run
from evals.stats.means import Outcome, Rate, rate

ScoringName = Literal["official", "strict", "in_time"]


class Part(BaseModel):
    """A part or track of a suite: every sample alike (micro), and every task alike (macro)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro: Rate
    macro: Rate


class Scoring(BaseModel):
    """One way to score. What is unanswered counts as wrong everywhere but in `answered_only`.

    Attributes:
        micro: every sample alike.
        macro: every task alike.
        mean_of_parts: the mean over parts of their macro averages (OVO-Bench's headline).
        answered_only: micro over what was answered.
        parts: by part or track.
        tasks: by task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    micro: Rate
    macro: Rate
    mean_of_parts: Rate
    answered_only: Rate
    parts: dict[str, Part]
    tasks: dict[str, Rate]


class Summary(BaseModel):
    """The outcome of a run; intervals are 95%, and count videos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    model: str
    policy: str
    log: str
    results: str
    n: int
    resumed: int
    unanswered: int
    failed: dict[str, int]
    notices: tuple[str, ...]
    scorings: dict[str, Scoring]
    frames_mean: float | None
    tokens_mean: float | None
    span_s_mean: float | None
    clear_share_mean: float | None
    answer_ms_median: float | None


def summarise(run: Run) -> Summary:
    """Add up a run."""
    records = run.records
    seen = [record for record in records if record.error is None]
    timed = [record for record in records if record.in_time is not None]
    scorings = {name: _scoring(records, name) for name in ("official", "strict")}
    if timed:
        scorings["in_time"] = _scoring(timed, "in_time")
    failures = Counter(f"{record.video}: {record.error}" for record in records if record.error is not None)
    tokens = [record.tokens for record in seen if record.tokens is not None]
    return Summary(
        suite=run.manifest.suite,
        model=run.manifest.model,
        policy=run.manifest.memory["policy"],
        log=str(run.log),
        results=str(run.results),
        n=len(records),
        resumed=run.resumed,
        unanswered=sum(not record.answered for record in records),
        failed=dict(failures),
        notices=run.notices,
        scorings=scorings,
        frames_mean=_mean([record.frames for record in seen]),
        tokens_mean=_mean(tokens),
        span_s_mean=_mean([record.span_s for record in seen]),
        clear_share_mean=_mean([record.clear_share for record in seen]),
        answer_ms_median=statistics.median(record.answer_ms for record in seen) if seen else None,
    )


def show_summary(summary: Summary, console: Console) -> None:
    """Print a summary for people."""
    for notice in summary.notices:
        console.print(f"[yellow]{safe(notice)}[/]")
    names = list(summary.scorings)
    title = safe(f"{summary.suite}, {summary.model}, {summary.policy}")
    table = figures_table(("part / task", "n", *names), words=("part / task", *names), title=title)
    official = summary.scorings["official"]
    for part in official.parts:
        for average in ("micro", "macro"):
            rates = {
                name: getattr(scoring.parts[part], average)
                for name, scoring in summary.scorings.items()
                if part in scoring.parts
            }
            _row(table, f"{part}, {average}", rates, names, "bold")
    table.add_section()
    for task in official.tasks:
        rates = {name: scoring.tasks[task] for name, scoring in summary.scorings.items() if task in scoring.tasks}
        _row(table, task, rates, names)
    table.add_section()
    for field, label in (
        ("micro", "all, micro"),
        ("macro", "all, macro over tasks"),
        ("mean_of_parts", "all, mean of the parts' macro"),
        ("answered_only", "answered only, micro"),
    ):
        _row(table, label, {name: getattr(scoring, field) for name, scoring in summary.scorings.items()}, names, "bold")
    show_table(table, console)
    console.print(f"{summary.n} questions, {summary.resumed} of them from an earlier run of this log")
    console.print(f"{summary.unanswered} unanswered, counted as wrong")
    for reason, count in summary.failed.items():
        console.print(f"[red]failed, {count}:[/] {safe(reason)}")
    if summary.frames_mean is not None:
        tokens = "unknown" if summary.tokens_mean is None else f"{summary.tokens_mean:,.0f}"
        console.print(
            f"on average {summary.frames_mean:.1f} frames over {summary.span_s_mean:.1f} s, "
            f"{summary.clear_share_mean:.0%} of them clear, {tokens} input tokens; "
            f"half of the answers took less than {summary.answer_ms_median:,.0f} ms"
        )
    console.print(f"log: {safe(summary.log)}", soft_wrap=True)
    console.print(f"results: {safe(summary.results)}", soft_wrap=True)


def _scoring(records: Sequence[Record], name: ScoringName) -> Scoring:
    outcomes = [_outcome(record, name) for record in records]
    answered = [_outcome(record, name) for record in records if record.answered]
    groups = list(dict.fromkeys(record.group for record in records))
    tasks = list(dict.fromkeys(record.task for record in records))
    parts = {group: [outcome for outcome in outcomes if outcome.group == group] for group in groups}
    return Scoring(
        micro=rate(outcomes),
        macro=rate(outcomes, "macro"),
        mean_of_parts=rate(outcomes, "groups"),
        answered_only=rate(answered),
        parts={g: Part(micro=rate(part), macro=rate(part, "macro")) for g, part in parts.items()},
        tasks={task: rate([o for o in outcomes if o.task == task]) for task in tasks},
    )


def _outcome(record: Record, name: ScoringName) -> Outcome:
    return Outcome(record.video, record.group, record.task, bool(getattr(record, name)))


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _row(table: Table, label: str, rates: dict[str, Rate], names: Sequence[str], style: str = "") -> None:
    cells = [_cell(rates[name]) if name in rates else "" for name in names]
    table.add_row(safe(label), str(next(iter(rates.values())).n), *cells, style=style)


def _cell(value: Rate) -> str:
    if value.value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
