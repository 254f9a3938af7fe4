"""How a run on a screen ends: what interrupts it, its exit code, and what is said of going on."""

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
    from agent.gui.reporter import Telling
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.workflow.run_context import RunReport, StepReport
    from tools.gui.workflow.yaml_format import Workflow

EXIT_CODES = {"verified": 0, "completed_unverified": 3, "halted_before_effect": 4, "reconcile": 6, "cancelled": 7}
"""Only a verified run is a success."""
DOING = ("confirm", "auto")
"""Modes in which something is done."""
INTERRUPTS = {signal.SIGINT: "Ctrl+C", signal.SIGTERM: "the signal SIGTERM", signal.SIGHUP: "the signal SIGHUP"}
_STOPPING = b"\nStopping; once more ends it at once, with nothing said of what was done.\n"


@contextlib.contextmanager
def stoppable(stop: KillSwitch, as_json: bool) -> Iterator[None]:
    """Ctrl+C and signals that end the program stop the work, as `attend stop` does, and a second one ends the program.

    Where the work is stopped before there is anything to tell, it ends as cancelled here.
    """
    from tools.errors import Stopped

    def interrupt(number: int, frame: object) -> None:
        give_back()
        stop.interrupt(INTERRUPTS[signal.Signals(number)])
        os.write(2, _STOPPING)  # A handler may come in the middle of a print, which nothing else can be printed in.

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # What is ignored, as under nohup, stays ignored.
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
    """The exit code of a run; a dry run that only the mode kept from acting is a success."""
    return 0 if mode not in DOING and would_act(report) else EXIT_CODES[report.outcome.value]


def would_act(report: RunReport) -> bool:
    """Whether nothing but the mode stood against the step that a dry run came to."""
    decision = report.steps[-1].record.decision if report.steps and report.steps[-1].record else None
    return decision is not None and decision.rule == "mode"


def conclude(
    report: RunReport,
    workflow: Workflow,
    journal: Path,
    mode: str,
    tell: Telling,
    *,
    person: TerminalPerson | None = None,
    folder: Path | None = None,
) -> None:
    """Tell how a run ended, and how it goes on where it is not done.

    Args:
        report, workflow, journal, mode: of the run.
        tell: tells it.
        person: who was asked.
        folder: in which `attend stop` leaves its file.
    """
    going_on = _hint(report, workflow, journal, person, folder) if mode in DOING else ""
    if tell.as_json:
        summary = {
            "outcome": report.outcome.value,
            "steps": report.total,
            "model_calls": report.model_calls,
            "repaired": report.repaired,
            "journal": str(journal) if mode in DOING else "",
            "hint": going_on,
        }
        print(json.dumps(summary), flush=True)
        return
    from agent.gui.approver import said

    console = make_console()
    if mode not in DOING:
        console.print("Nothing was done. The steps are:")
        first = report.steps[0].target if report.steps else None
        for number, step in enumerate(workflow.steps, 1):
            at = f" at {first.point.x_px:.0f}, {first.point.y_px:.0f}" if first and number == 1 else ""
            console.print(f"{number:3}  {safe(tell.text(said(step), label=True))}{at}", soft_wrap=True)
        return
    told = f"{report.outcome.value.replace('_', ' ')}; {report.model_calls} model calls"
    told += f"; repaired {report.repaired}" if report.repaired else ""
    console.print(f"[bold]{safe(told)}[/]", soft_wrap=True)
    if going_on:
        console.print(safe(going_on), soft_wrap=True)


def lifting(folder: Path | None) -> str:
    """How work that was stopped in a folder is let begin again; "" where nothing holds it up there."""
    from tools.gui.guard.kill_switch import clear_command, read_stop

    return f"Let work begin again with: {clear_command(folder)}\n" if folder and read_stop(folder) else ""


def _hint(
    report: RunReport, workflow: Workflow, journal: Path, person: TerminalPerson | None, folder: Path | None
) -> str:
    """What has to be done before a run goes on, and with what; "" where nothing is left of it."""
    outcome, resume = report.outcome.value, f"--resume {journal}"
    if outcome in ("verified", "completed_unverified"):
        return ""
    if outcome == "cancelled":
        return f"{lifting(folder)}Go on with: {resume}"
    last = report.steps[-1] if report.steps else None
    if last is None:
        return f"Go on with: {resume}"
    step = workflow.steps[last.number - 1]
    if last.there and step.effect is not None:
        if step.effect.kind == "file":
            return "A run of its own can be checked: begin anew in another folder, without --resume."
        return "Look whether anything is left to do; --resume leads to the same."
    if outcome == "reconcile" and step.effect is None:
        return (
            "No check outside says whether it was done: look. You are asked at the terminal, without --json, with: "
            f"{resume}"
        )
    return f"{_unasked(last, person)}Go on with: {resume}"


def _unasked(last: StepReport, person: TerminalPerson | None) -> str:
    """What is missing where somebody would have to be asked, and nobody can be."""
    if person is None or person.asks:
        return ""
    nobody = "Nobody can be asked here, since standard input is no terminal or the output is JSON"
    if last.record and last.record.request:
        if person.approves:
            return f"{nobody}, and --approve does not do for this step: see why, or go on at a terminal. "
        return f"{nobody}: name who approves with --approve NAME, or go on at a terminal. "
    if last.how == "person" and last.target is None:
        return f"{nobody}, which of the places is meant: go on at a terminal. "
    return ""
