"""`attend gui run "REQUEST" --model MODEL`: a request that a model plans, one step at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.cli.console import make_console, safe
from agent.cli.gui_model import about_model
from agent.gui.approver import TerminalPerson
from agent.gui.exit_codes import lifting, would_act
from agent.gui.planner import Planner
from agent.gui.reporter import Telling
from agent.gui.session import Stage, acting, guarding
from agent.gui.vlm_grounder import pointing
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
    """What a person asks for.

    Attributes:
        words: the request.
        values: by name; the model may use them and is not told what they are.
        patient: whom it is for; None takes the one that a request for Orthanc names.
        policy: a file that says what may be done; None takes the rules for Orthanc.
        expect: words that the screen has to show in the end; "" for none.
        save: where to keep the run as a workflow; None keeps none.
        limits: where the run ends at the latest.
    """

    words: str
    values: Mapping[str, str]
    patient: Patient | None
    policy: Path | None
    expect: str
    save: Path | None
    limits: Limits


def do_request(
    request: Request, stage: Stage, planner: Planner, *, place: Path, stop: KillSwitch, mode: Mode, as_json: bool
) -> RunReport:
    """Do it, tell each step, and return what became of it.

    Raises:
        ConfigError: if nothing says what may be done, or the workflow cannot be kept.
    """
    policy, patient, stage = _rules(request, stage)
    veil = planner.veil(values_of(request.words, request.values, patient))
    about = {**about_model(planner.model), "request": Veil(veil.values).hide(request.words)}
    with (
        acting(stage, stop) as actuator,
        guarding(policy, actuator, stop, place=place, mode=mode, patient=patient, about=about) as guard,
    ):
        tell = Telling(as_json, guard.audit, veil.values)
        done = run_planned(
            request.words,
            actuator,
            guard,
            planner.propose,
            ask=pointing(planner.model, veil),
            veil=veil,
            expect=request.expect,
            person=TerminalPerson((), quiet=as_json, patient=patient, stop=stop),
            limits=request.limits,
            on_step=tell.step,
        )
    kept = None
    if request.save is not None and done.steps and done.report.outcome in FINISHED:
        kept = request.save
        flow = as_workflow(
            done, request.words, narrowed(policy, request.words), stage.start or _page(stage), veil, request.expect
        )
        flow = flow.model_copy(update={"page_px": stage.least_px})
        save_workflow(flow, kept, new=True)
    _conclude(done, mode, kept, tell, stop)
    return done.report


def _rules(request: Request, stage: Stage) -> tuple[Policy, Patient | None, Stage]:
    """What may be done, for whom, and where. Raises ConfigError and ToolFailed."""
    policy = load_policy(request.policy) if request.policy else None
    patient = request.patient
    if base := plan.server_of(stage.target):
        stage = replace(stage, start=plan.explorer(base), least_px=plan.PAGE_PX)
        patient = patient or plan.named_patient(request.words, base)
        return policy or plan.explorer_policy(base, patient), patient, stage
    if policy is None:
        raise ConfigError(
            f"nothing says what may be done on {mask_credentials(stage.target) or 'no target'!r}.",
            remedy="Name a policy in YAML with --policy; docs/gui_safety.md says what stands in one.",
        )
    return policy, patient, stage


def _page(stage: Stage) -> str:
    return stage.target if stage.target.startswith("http") else ""


def _conclude(done: PlannedRun, mode: Mode, kept: Path | None, tell: Telling, stop: KillSwitch) -> None:
    report = done.report
    again = lifting(stop.folder) if report.outcome == Outcome.CANCELLED else ""
    summary = {
        "outcome": report.outcome.value,
        "steps": len(done.steps),
        "model_calls": report.model_calls,
        "tokens": done.tokens,
        "saved": str(kept) if kept else "",
        "hint": again.strip(),
    }
    if tell.as_json:
        print(json.dumps(summary), flush=True)
        return
    console = make_console()
    if mode == Mode.SUGGEST and would_act(report):
        first = report.steps[-1]
        at = f" at {first.target.point.x_px:.0f}, {first.target.point.y_px:.0f}" if first.target else ""
        console.print(
            f"Nothing was done. The first step would be: {safe(tell.text(first.name, label=True))}{at}", soft_wrap=True
        )
        return
    told = f"{report.outcome.value.replace('_', ' ')}; {report.model_calls} model calls, {done.tokens} tokens"
    console.print(f"[bold]{safe(told)}[/]", soft_wrap=True)
    if again:
        console.print(safe(again.strip()), soft_wrap=True)
    if kept:
        console.print(f"Kept in {safe(str(kept))}; it is replayed without a model.", soft_wrap=True)
