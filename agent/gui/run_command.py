"""`attend gui run`: do a workflow, or a request in words for Orthanc, and say honestly how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.terminal import make_console, safe
from tools.errors import ConfigError

if TYPE_CHECKING:
    from tools.gui.guard.approval import ApprovalRequest
    from tools.gui.guard.identity import Patient
    from tools.gui.guard.stop import KillSwitch
    from tools.gui.types import Actuator, Located, Screen, Target
    from tools.gui.workflow.run import RunReport, StepReport
    from tools.gui.workflow.steps import Step, Workflow

ORTHANC = "http://127.0.0.1:8042"
EXIT_CODES = {"verified": 0, "completed_unverified": 3, "halted_before_effect": 4, "reconcile": 6, "cancelled": 7}
"""Only a verified run is a success."""


def run(
    what: Annotated[str, typer.Argument(help="A workflow (FILE.yaml), or a request in words for Orthanc.")],
    target: Annotated[str, typer.Option(help="An http(s):// address, 'desktop', or 'orthanc' (orthanc@URL).")] = "",
    mode: Annotated[str, typer.Option(help="suggest (nothing is done), confirm, or auto.")] = "suggest",
    approve: Annotated[
        list[str] | None,
        typer.Option(help="Who approves the workflow's own steps beforehand; may be repeated. Others are asked."),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for a parameter of the workflow; may be repeated.")
    ] = None,
    patient: Annotated[
        str, typer.Option(help="'NAME; BIRTH DATE; ID' as the screen writes them, where the policy asks for identity.")
    ] = "",
    pixels: Annotated[bool, typer.Option("--pixels", help="Work by pixels alone, without accessibility tree.")] = False,
    record: Annotated[Path | None, typer.Option(help="Write the workflow with the targets that were found.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run of this journal.")] = None,
    downloads: Annotated[Path | None, typer.Option(help="The folder that downloads are kept in.")] = None,
    connect: Annotated[str, typer.Option(help="The DevTools address of a running Chromium to work in.")] = "",
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser's window.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where journals and the audit file are kept.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one step a line, then the whole.")] = False,
) -> None:
    """Do a workflow on a screen. Exit code: 0 verified, 3 unverified, 4 halted, 6 to reconcile, 7 cancelled.

    Every action is checked by the workflow's policy, bound to the pixels it was planned on, and recorded; what a policy
    does not allow at once is asked. In mode 'suggest' nothing is done: the plan is shown, and where the first step
    would land.
    """
    from agent.config import load_config
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.stop import KillSwitch

    if mode not in ("suggest", "confirm", "auto"):
        raise ConfigError(f"there is no mode {mode!r}.", expected="suggest, confirm or auto")
    place = load_config({"folder": folder}, file=config).folder / "gui"
    stop = KillSwitch(place.parent)
    stop.check()
    journal_path = resume or place / f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.jsonl"
    plan = journal_path.with_suffix(".plan.json") if mode != "suggest" else None
    loaded, bound, who, given, size = _what(what, target, _pairs(values), patient, downloads, plan, resume is not None)
    with _actuator(target, bound, stop, pixels, connect, headed, downloads, size) as actuator:
        report = _do(bound, actuator, stop, Mode(mode), who, approve or [], journal_path, place, resume, as_json)
    if record is not None and mode != "suggest":
        _record(record, loaded, report, given)
    if plan is not None and report.outcome.value == "verified":
        plan.unlink(missing_ok=True)
    _conclude(report, bound, journal_path, mode, as_json)
    raise typer.Exit(0 if mode == "suggest" else EXIT_CODES[report.outcome.value])


def _what(
    what: str,
    target: str,
    given: dict[str, str],
    patient: str,
    downloads: Path | None,
    plan: Path | None,
    resumed: bool,
) -> tuple[Workflow, Workflow, Patient | None, dict[str, str], tuple[int, int] | None]:
    """The workflow as it was loaded and with its values, whom it is for, the values, and the size of the page."""
    from tools.gui.workflow import orthanc
    from tools.gui.workflow.steps import load_workflow

    if Path(what).suffix in (".yaml", ".yml"):
        loaded = load_workflow(Path(what))
        return loaded, loaded.bind(given), _patient(patient), given, None
    if not target.startswith("orthanc"):
        raise ConfigError(f"{what!r} is no YAML file.", remedy="Name one, or add --target orthanc to ask in words.")
    if plan is not None and resumed:
        planned = orthanc.load_plan(plan)
    else:
        planned = orthanc.plan(what, target.partition("@")[2] or ORTHANC, downloads)
        if plan is not None:
            orthanc.keep_plan(planned, plan)
    return orthanc.template(planned.kind), planned.workflow, planned.patient, planned.values, orthanc.PAGE_PX


def _do(
    workflow: Workflow,
    actuator: Actuator,
    stop: KillSwitch,
    mode: Any,
    patient: Patient | None,
    approvers: list[str],
    journal_path: Path,
    place: Path,
    resume: Path | None,
    as_json: bool,
) -> RunReport:
    from tools.gui.guard.audit import AuditLog
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.guarded import Guard
    from tools.gui.guard.stop import watching
    from tools.gui.workflow.journal import Journal
    from tools.gui.workflow.run import run_workflow

    known = list(patient.fields.values()) if patient else []
    with contextlib.ExitStack() as stack:
        audit = AuditLog(place / "audit.jsonl", _redactor(known))
        stack.callback(audit.close)
        journal = None
        if mode != Mode.SUGGEST:
            journal = Journal(journal_path, workflow.sha256, resume=resume is not None)
            stack.callback(journal.close)
        guard = Guard(
            workflow.policy,
            audit,
            mode,
            patient,
            stop,
            about={"workflow": workflow.name, "workflow_sha256": workflow.sha256},
        )
        stack.enter_context(watching(stop, actuator.release, _sources(actuator)))
        person = TerminalPerson(approvers, quiet=as_json)
        return run_workflow(
            workflow,
            actuator,
            guard,
            person=person,
            journal=journal,
            on_step=lambda step: _tell(step, as_json),
        )


class TerminalPerson:
    """Asks at the terminal; names given beforehand approve the steps that are as the workflow has them.

    Args:
        approvers: who approves beforehand.
        quiet: ask nothing, as where the output is read by a program.
    """

    def __init__(self, approvers: Sequence[str], *, quiet: bool = False) -> None:
        self._approvers, self._asks = list(approvers), sys.stdin.isatty() and not quiet

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Names of those who approve."""
        if self._approvers and not repaired:
            return self._approvers
        if not self._asks:
            return ()
        console = make_console(stderr=True)
        console.print(f"[bold]{safe(step.name)}[/]: {safe(request.decision.reason)}", soft_wrap=True)
        label = request.target.label if request.target else ""
        console.print(f"  {safe(_said(step, label))}  patient {safe(request.patient) or 'unknown'}", soft_wrap=True)
        if repaired:
            console.print("  [yellow]The target is not the one that was recorded.[/]")
        point = request.target.point if request.target else None
        at = f" at {point.x_px:.0f}, {point.y_px:.0f}" if point else ""
        # The picture may name the patient: it is there while the question is, readable by its owner only.
        with tempfile.NamedTemporaryFile(suffix=".png") as picture:
            picture.write(request.crop_png)
            picture.flush()
            console.print(f"  where it lands{at}: {safe(picture.name)}", soft_wrap=True)
            return _names(request.decision.approvers)

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Which of several places is meant."""
        if not self._asks:
            return None
        console = make_console(stderr=True)
        console.print(f"[bold]{safe(step.name)}[/]: {safe(located.abstained)}", soft_wrap=True)
        for number, target in enumerate(located.targets, 1):
            told = f"  {number}  {target.label} at {target.point.x_px:.0f}, {target.point.y_px:.0f}"
            console.print(safe(told), soft_wrap=True)
        said = typer.prompt("  Which number, or empty to stop", default="", show_default=False).strip()
        return located.targets[int(said) - 1] if said.isdigit() and 0 < int(said) <= len(located.targets) else None

    def was_done(self, step: Step) -> bool | None:
        """Whether an action that a crash cut off was done."""
        if not self._asks:
            return None
        question = f"A crash cut off {step.name!r}. Was it done? (yes, no, or empty if you do not know)"
        said = typer.prompt(question, default="", show_default=False, err=True).strip().lower()
        return {"yes": True, "y": True, "no": False, "n": False}.get(said)


def _names(count: int) -> list[str]:
    """The names of so many people who approve; none if one refuses."""
    names: list[str] = []
    while len(names) < count:
        name = typer.prompt("  Approve with your name, or leave empty to refuse", default="", show_default=False)
        if not name.strip():
            return []
        names.append(name.strip())
    return names


@contextlib.contextmanager
def _actuator(
    target: str,
    workflow: Workflow,
    stop: KillSwitch,
    pixels: bool,
    connect: str,
    headed: bool,
    downloads: Path | None,
    size: tuple[int, int] | None,
) -> Iterator[Actuator]:
    from tools.gui.act.browser import HEIGHT_PX, WIDTH_PX, BrowserActuator
    from tools.gui.act.desktop import DesktopActuator

    actuator: Actuator
    if target == "desktop":
        actuator = DesktopActuator(stop, tree=not pixels)
    elif workflow.start or target.startswith("http"):
        actuator = BrowserActuator(
            workflow.start or target,
            stop,
            connect=connect,
            headless=not headed,
            downloads=downloads,
            tree=not pixels,
            size_px=size or (WIDTH_PX, HEIGHT_PX),
        )
    else:
        raise ConfigError(f"there is no target {target!r}.", expected="an http(s):// address, 'desktop' or 'orthanc'")
    try:
        yield actuator
    finally:
        actuator.close()


def _sources(actuator: Actuator) -> list[Any]:
    """Ways to stop beside `attend stop`: keys and the mouse's corner, where there is an X display."""
    from tools.gui.guard.stop import Corner, Hotkey

    if actuator.name != "desktop":
        return []
    # python-xlib prints its warnings where our JSON goes.
    with contextlib.redirect_stdout(sys.stderr):
        return [Hotkey(), Corner()]


def _redactor(known: Sequence[str]) -> Any:
    from tools.gui.guard.phi import Redactor

    return Redactor(known=known)


def _pairs(values: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for entry in values or ():
        name, sign, value = entry.partition("=")
        if not sign or not name:
            raise ConfigError(f"--set {entry!r} is no value.", expected="NAME=VALUE")
        pairs[name] = value
    return pairs


def _patient(told: str) -> Patient | None:
    from tools.gui.guard.identity import Patient

    if not told:
        return None
    parts = [part.strip() for part in told.split(";")]
    if len(parts) != 3 or not all(parts):
        raise ConfigError(
            f"--patient has {len(parts)} parts.", expected="'NAME; BIRTH DATE; ID' as the screen has them"
        )
    return Patient(name=parts[0], birth_date=parts[1], id=parts[2])


def _record(path: Path, loaded: Workflow, report: RunReport, given: dict[str, str]) -> None:
    from tools.gui.workflow.run import recorded_workflow
    from tools.gui.workflow.steps import write_workflow

    try:
        path.write_text(write_workflow(recorded_workflow(loaded, report, given)), "utf-8")
    except OSError as error:
        raise ConfigError(f"the workflow {str(path)!r} cannot be written: {error}.") from error


def _tell(told: StepReport, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_step(told)), flush=True)
        return
    colour = {"verified": "green", "completed_unverified": "yellow"}.get(told.outcome.value, "bold red")
    how = f"  ({told.how})" if told.how else ""
    reason = f"  {told.reason}" if told.reason else ""
    outcome = told.outcome.value.replace("_", " ")
    make_console().print(
        f"{told.number:3}  [{colour}]{outcome}[/]  {safe(told.name)}{safe(how)}{safe(reason)}", soft_wrap=True
    )


def _conclude(report: RunReport, workflow: Workflow, journal: Path, mode: str, as_json: bool) -> None:
    summary = {
        "outcome": report.outcome.value,
        "steps": report.total,
        "model_calls": report.model_calls,
        "repaired": report.repaired,
        "journal": str(journal) if mode != "suggest" else "",
    }
    if as_json:
        print(json.dumps(summary), flush=True)
        return
    console = make_console()
    if mode == "suggest":
        console.print("Nothing was done. The steps are:")
        first = report.steps[0].target if report.steps else None
        for number, step in enumerate(workflow.steps, 1):
            at = f" at {first.point.x_px:.0f}, {first.point.y_px:.0f}" if first and number == 1 else ""
            console.print(f"{number:3}  {safe(_said(step, ''))}{at}", soft_wrap=True)
        return
    told = f"{report.outcome.value.replace('_', ' ')}; {report.model_calls} model calls; repaired {report.repaired}"
    console.print(f"[bold]{safe(told)}[/]", soft_wrap=True)
    if report.outcome.value not in ("verified", "completed_unverified"):
        console.print(f"Go on with: --resume {safe(str(journal))}", soft_wrap=True)


def _said(step: Step, label: str) -> str:
    """A step in words."""
    where = label or step.find or (step.target.words if step.target else "")
    what = {"type": f"type {step.text!r} into", "press": f"press {step.keys}", "wait": f"wait for {step.text!r}"}
    if step.do in what:
        return f"{step.name}: {what[step.do]} {where}".strip()
    return f"{step.name}: {where or step.do.replace('_', ' ')}"


def _step(told: StepReport) -> dict[str, Any]:
    return {
        "step": told.number,
        "name": told.name,
        "outcome": told.outcome.value,
        "how": told.how,
        "reason": told.reason,
        "approved_by": list(told.record.approved_by) if told.record else [],
        "point": told.target.point.model_dump() if told.target else None,
    }
