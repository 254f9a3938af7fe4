"""`attend gui run "REQUEST" --model MODEL`: requests that a model plans, one step at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.cli.console import make_console, safe
from agent.cli.gui_model import describe_model
from agent.gui.approver import TerminalPerson
from agent.gui.exit_codes import clear_hint, would_act
from agent.gui.planner import Planner
from agent.gui.reporter import Reporter
from agent.gui.session import SessionOptions, open_actuator, open_guard
from agent.gui.vlm_grounder import make_grounder
from tools.errors import ConfigError
from tools.gui.guard.decide import Mode
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.policy import Policy, load_policy
from tools.gui.orthanc import plan
from tools.gui.types import Outcome
from tools.gui.workflow.journal import FINISHED
from tools.gui.workflow.model_plan import Limits, PlannedRun, as_workflow, narrowed, run_planned
from tools.gui.workflow.placeholders import Veil, values_of
from tools.gui.workflow.run_context import RunReport
from tools.gui.workflow.yaml_format import save_workflow
from tools.media.types import mask_credentials


@dataclass(frozen=True)
class Request:
    """A request to be planned by a model.

    Attributes:
        words: the request.
        values: by name; the model may use the names but does not see the values.
        patient: None takes the patient that a request for Orthanc names.
        policy: policy file; None takes the policy for Orthanc.
        expect: words that the screen must show at the end; "" for none.
        save: file to save the run to as a workflow; None saves none.
        limits: limits of the run.
    """

    words: str
    values: Mapping[str, str]
    patient: Patient | None
    policy: Path | None
    expect: str
    save: Path | None
    limits: Limits


def run_request(
    request: Request,
    session: SessionOptions,
    planner: Planner,
    *,
    place: Path,
    stop: KillSwitch,
    mode: Mode,
    as_json: bool,
) -> RunReport:
    """Run a request, print each step, and return the report.

    Raises:
        ConfigError: if there is no policy, or the workflow cannot be saved.
    """
    policy, patient, session = _rules(request, session)
    veil = planner.veil(values_of(request.words, request.values, patient))
    about = {**describe_model(planner.model), "request": Veil(veil.values).hide(request.words)}
    with (
        open_actuator(session, stop) as actuator,
        open_guard(policy, actuator, stop, place=place, mode=mode, patient=patient, about=about) as guard,
    ):
        reporter = Reporter(as_json, guard.audit, veil.values)
        done = run_planned(
            request.words,
            actuator,
            guard,
            planner.propose,
            ask=make_grounder(planner.model, veil),
            veil=veil,
            expect=request.expect,
            person=TerminalPerson((), quiet=as_json, patient=patient, stop=stop),
            limits=request.limits,
            on_step=reporter.step,
        )
    saved = None
    if request.save is not None and done.steps and done.report.outcome in FINISHED:
        saved = request.save
        flow = as_workflow(
            done, request.words, narrowed(policy, request.words), session.start or _page(session), veil, request.expect
        )
        flow = flow.model_copy(update={"page_px": session.least_px})
        save_workflow(flow, saved, new=True)
    _conclude(done, mode, saved, reporter, stop)
    return done.report


def _rules(request: Request, session: SessionOptions) -> tuple[Policy, Patient | None, SessionOptions]:
    """Return the policy, the patient and the screen of a request. Raises ConfigError and ToolFailed."""
    policy = load_policy(request.policy) if request.policy else None
    patient = request.patient
    if base := plan.server_of(session.target):
        session = replace(session, start=plan.explorer(base), least_px=plan.PAGE_PX)
        patient = patient or plan.named_patient(request.words, base)
        return policy or plan.explorer_policy(base, patient), patient, session
    if policy is None:
        raise ConfigError(
            f"cannot run a planned request on {mask_credentials(session.target) or 'no target'!r} without a policy.",
            remedy="Give a YAML policy with --policy; docs/gui_safety.md describes the format.",
        )
    return policy, patient, session


def _page(session: SessionOptions) -> str:
    return session.target if session.target.startswith("http") else ""


def _conclude(done: PlannedRun, mode: Mode, saved: Path | None, reporter: Reporter, stop: KillSwitch) -> None:
    report = done.report
    again = clear_hint(stop.folder) if report.outcome == Outcome.CANCELLED else ""
    summary = {
        "outcome": report.outcome.value,
        "steps": len(done.steps),
        "model_calls": report.model_calls,
        "tokens": done.tokens,
        "saved": str(saved) if saved else "",
        "hint": again.strip(),
    }
    if reporter.as_json:
        print(json.dumps(summary), flush=True)
        return
    console = make_console()
    if mode == Mode.SUGGEST and would_act(report):
        first = report.steps[-1]
        at = f" at {first.target.point.x_px:.0f}, {first.target.point.y_px:.0f}" if first.target else ""
        console.print(
            f"Nothing was done. The first step would be: {safe(reporter.text(first.name, label=True))}{at}",
            soft_wrap=True,
        )
        return
    text = f"{report.outcome.value.replace('_', ' ')}; {report.model_calls} model calls, {done.tokens} tokens"
    console.print(f"[bold]{safe(text)}[/]", soft_wrap=True)
    if again:
        console.print(safe(again.strip()), soft_wrap=True)
    if saved:
        console.print(f"Saved to {safe(str(saved))}; it replays without a model.", soft_wrap=True)
