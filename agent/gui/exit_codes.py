"""End of a GUI run: interrupts, exit codes, and hints for resuming."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent.cli.console import make_console, safe

if TYPE_CHECKING:
    from agent.gui.approver import TerminalPerson
    from agent.gui.reporter import Reporter
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.workflow.run_context import RunReport, StepReport
    from tools.gui.workflow.yaml_format import Workflow

EXIT_CODES = {"verified": 0, "completed_unverified": 3, "halted_before_effect": 4, "reconcile": 6, "cancelled": 7}
"""Exit code of each outcome; only a verified run is a success."""
ACTING_MODES = ("confirm", "auto")
"""Modes that perform actions."""
INTERRUPTS = {signal.SIGINT: "Ctrl+C", signal.SIGTERM: "the signal SIGTERM", signal.SIGHUP: "the signal SIGHUP"}
_STOPPING = b"\nStopping; interrupt again to exit at once, without a report.\n"


@contextlib.contextmanager
def stoppable(stop: KillSwitch, as_json: bool) -> Iterator[None]:
    """Let Ctrl+C and termination signals stop the work, as `attend stop` does; a second one ends the program.

    If the work is stopped before there is a report, exit as cancelled.
    """
    from tools.errors import Stopped

    def interrupt(number: int, frame: object) -> None:
        give_back()
        stop.interrupt(INTERRUPTS[signal.Signals(number)])
        os.write(2, _STOPPING)  # print is not reentrant, and the handler may interrupt one

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # Signals that are ignored (as under nohup) stay ignored.
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except Stopped as error:
        if as_json:
            print(json.dumps({"outcome": "cancelled", "reason": str(error)}), flush=True)
        make_console(stderr=True).print(safe(str(error)), soft_wrap=True)
        raise typer.Exit(EXIT_CODES["cancelled"]) from error
    finally:
        give_back()


def exit_code(report: RunReport, mode: str) -> int:
    """Return the exit code of a run; a dry run that only the mode prevented from acting is a success."""
    return 0 if mode not in ACTING_MODES and would_act(report) else EXIT_CODES[report.outcome.value]


def would_act(report: RunReport) -> bool:
    """Return whether only the mode prevented the step that a dry run reached."""
    decision = report.steps[-1].record.decision if report.steps and report.steps[-1].record else None
    return decision is not None and decision.rule == "mode"


def conclude(
    report: RunReport,
    workflow: Workflow,
    journal: Path,
    mode: str,
    reporter: Reporter,
    *,
    person: TerminalPerson | None = None,
    folder: Path | None = None,
) -> None:
    """Print the outcome of a run, and how to resume it if it is not complete.

    Args:
        report, workflow, journal, mode: of the run.
        reporter: prints it.
        person: the person who was asked.
        folder: the folder of `attend stop`.
    """
    hint = _hint(report, workflow, journal, person, folder) if mode in ACTING_MODES else ""
    if reporter.as_json:
        summary = {
            "outcome": report.outcome.value,
            "steps": report.total,
            "model_calls": report.model_calls,
            "repaired": report.repaired,
            "journal": str(journal) if mode in ACTING_MODES else "",
            "hint": hint,
        }
        print(json.dumps(summary), flush=True)
        return
    from agent.gui.approver import describe_step

    console = make_console()
    if mode not in ACTING_MODES:
        console.print("Nothing was done. The steps are:")
        first = report.steps[0].target if report.steps else None
        for number, step in enumerate(workflow.steps, 1):
            at = f" at {first.point.x_px:.0f}, {first.point.y_px:.0f}" if first and number == 1 else ""
            console.print(f"{number:3}  {safe(reporter.text(describe_step(step), label=True))}{at}", soft_wrap=True)
        return
    summary_line = f"{report.outcome.value.replace('_', ' ')}; {report.model_calls} model calls"
    summary_line += f"; repaired {report.repaired}" if report.repaired else ""
    console.print(f"[bold]{safe(summary_line)}[/]", soft_wrap=True)
    if hint:
        console.print(safe(hint), soft_wrap=True)


def clear_hint(folder: Path | None) -> str:
    """Say how to clear the stop of a folder; "" if it has none."""
    from tools.gui.guard.kill_switch import clear_command, read_stop

    return f"Let work begin again with: {clear_command(folder)}\n" if folder and read_stop(folder) else ""


def _hint(
    report: RunReport, workflow: Workflow, journal: Path, person: TerminalPerson | None, folder: Path | None
) -> str:
    """Say how to resume a run, and what to do before that; "" if it is complete."""
    outcome, resume = report.outcome.value, f"--resume {journal}"
    if outcome in ("verified", "completed_unverified"):
        return ""
    if outcome == "cancelled":
        return f"{clear_hint(folder)}Resume with: {resume}"
    last = report.steps[-1] if report.steps else None
    if last is None:
        return f"Resume with: {resume}"
    step = workflow.steps[last.number - 1]
    if last.there and step.effect is not None:
        if step.effect.kind == "file":
            return "The file existed before the run. Start a new run with another folder, without --resume."
        return "The result existed before the run. Check what is left to do; --resume would end the same way."
    if outcome == "reconcile" and step.effect is None:
        return (
            "The step has no external check: look whether it was done. To be asked at the terminal, without --json: "
            f"{resume}"
        )
    return f"{_why_unasked(last, person)}Resume with: {resume}"


def _why_unasked(last: StepReport, person: TerminalPerson | None) -> str:
    """Explain why a person could not be asked, if one was needed."""
    if person is None or person.asks:
        return ""
    cannot_ask = "Cannot ask here: standard input is not a terminal, or the output is JSON"
    if last.record and last.record.request:
        if person.approves:
            return f"{cannot_ask}; --approve is not enough for this step: see the reason, or resume at a terminal. "
        return f"{cannot_ask}. Name an approver with --approve NAME, or resume at a terminal. "
    if last.how == "person" and last.target is None:
        return f"{cannot_ask}. Resume at a terminal to choose between the targets. "
    return ""
