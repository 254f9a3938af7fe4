"""`attend gui run` without a planning model: run a workflow file, or a request in words for Orthanc."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.cli.console import make_console, safe
from agent.cli.gui_model import about_model
from agent.gui.approver import TerminalPerson
from agent.gui.exit_codes import DOING, conclude, stoppable
from agent.gui.planner import Planner
from agent.gui.reporter import Telling
from agent.gui.session import Stage, acting, guarding, same_server
from agent.gui.vlm_grounder import pointing
from tools.errors import ConfigError
from tools.gui.guard.decide import Mode
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.orthanc import plan as orthanc
from tools.gui.workflow.journal import Journal, is_verified
from tools.gui.workflow.placeholders import values_of
from tools.gui.workflow.run import recorded_workflow, run_workflow
from tools.gui.workflow.run_context import RunReport
from tools.gui.workflow.yaml_format import HARMLESS, Workflow, load_workflow, save_workflow


@dataclass(frozen=True)
class RunOptions:
    """How a workflow is run.

    Attributes:
        stage: where it works.
        mode: what may be done.
        values: its parameters, by name.
        patient: whom a workflow file is for, as `--patient` has it; a request for Orthanc names its own.
        approvers: who approved its own steps beforehand.
        planner: its model points at what is not found; None asks none.
        record: where to write the workflow with the targets that were found; None writes none.
        journal: the file that records the run.
        resumed: whether the run of that journal goes on.
        stop: stops the work.
        place: the folder of the audit file.
        as_json: print JSON.
    """

    stage: Stage
    mode: Mode
    values: Mapping[str, str]
    patient: str
    approvers: tuple[str, ...]
    planner: Planner | None
    record: Path | None
    journal: Path
    resumed: bool
    stop: KillSwitch
    place: Path
    as_json: bool

    @property
    def doing(self) -> bool:
        """Whether anything is done."""
        return self.mode.value in DOING


@dataclass(frozen=True)
class _Prepared:
    """A workflow as it was loaded and with its values, the patient it is for, the values, and where it works."""

    loaded: Workflow
    bound: Workflow
    patient: Patient | None
    values: Mapping[str, str]
    stage: Stage


def run_file(path: Path, options: RunOptions) -> RunReport:
    """Run a workflow file, and tell how it ended.

    Raises:
        ConfigError: if the file or an option does not fit.
    """
    loaded, patient = load_workflow(path), patient_of(options.patient)
    # What a run found is recorded with the patient's values behind these names.
    known = {name: value for name, value in values_of("", {}, patient).items() if name in loaded.parameters}
    values = {**known, **options.values}
    bound = loaded.bind(values)
    stage = options.stage
    same_server(stage.target, bound.start)
    least = bound.page_px or (orthanc.PAGE_PX if stage.target.startswith("orthanc") else None)
    prepared = _Prepared(loaded, bound, patient, values, replace(stage, start=bound.start, least_px=least))
    person = _person(options, prepared)
    report, tell = _do(prepared, person, options)
    _conclude(report, tell, prepared, person, options)
    return report


def run_orthanc(words: str, options: RunOptions) -> RunReport:
    """Run the built-in workflow for Orthanc that a request in words fits, and tell how it ended.

    Raises:
        ConfigError: if none fits, or an option does not.
        StoreError: if the plan of a resumed run cannot be read.
    """
    # The plan is kept until the run is verified, so that a resumed run does what was planned.
    plan = options.journal.with_suffix(".plan.json") if options.doing or options.resumed else None
    prepared = _plan(words, plan, options)
    person = _person(options, prepared)
    try:
        report, tell = _do(prepared, person, options)
    finally:
        if plan is not None and not options.journal.exists():
            plan.unlink(missing_ok=True)  # It names the patient, and nothing can be resumed by it.
    if plan is not None and options.doing and report.outcome.value == "verified":
        plan.unlink(missing_ok=True)
    _conclude(report, tell, prepared, person, options)
    return report


def _plan(words: str, plan: Path | None, options: RunOptions) -> _Prepared:
    stage = options.stage
    if plan is not None and options.resumed:
        _is_left(options.journal, plan)
        planned = orthanc.planned_before(plan, words, orthanc.server_of(stage.target), stage.downloads)
        same_server(stage.target, planned.workflow.start)
    else:
        planned = orthanc.plan(words, orthanc.server_of(stage.target), stage.downloads)
        if plan is not None:
            orthanc.keep_plan(planned, plan)
    stage = replace(stage, start=planned.workflow.start, least_px=planned.workflow.page_px)
    return _Prepared(orthanc.template(planned.kind), planned.workflow, planned.patient, planned.values, stage)


def _is_left(journal: Path, plan: Path) -> None:
    """Check that a run can go on: its plan is kept until it is verified. Raises ConfigError, and StoreError."""
    if not plan.exists() and is_verified(journal):
        raise ConfigError(
            f"the run of the journal {str(journal)!r} was verified; nothing is left of it.",
            remedy="Leave --resume out for a run of its own.",
        )


def _person(options: RunOptions, prepared: _Prepared) -> TerminalPerson:
    """The person who is asked. Raises ConfigError where a patient has to be compared, and none is named."""
    if options.doing:
        _names_a_patient(prepared.bound, prepared.patient)
    return TerminalPerson(options.approvers, quiet=options.as_json, patient=prepared.patient, stop=options.stop)


def _names_a_patient(workflow: Workflow, patient: Patient | None) -> None:
    """Check that a run which has to compare a patient knows one. Raises ConfigError; a journal names the patient."""
    if (
        patient is None
        and workflow.policy.identity == "required"
        and any(step.do not in HARMLESS for step in workflow.steps)
    ):
        raise ConfigError(
            f"the workflow {workflow.name!r} checks the patient on the screen, and nobody says who that is.",
            expected="--patient 'NAME; BIRTH DATE; ID' as the screen writes them",
            remedy="Name the patient; for a program without patients set `identity: none` in the policy.",
        )


def patient_of(told: str) -> Patient | None:
    """The patient whom `--patient` names; None for "". Raises ConfigError if a part is missing."""
    if not told:
        return None
    parts = [part.strip() for part in told.split(";")]
    if len(parts) != 3 or not all(parts):
        raise ConfigError(
            f"--patient has {len(parts)} parts.", expected="'NAME; BIRTH DATE; ID' as the screen has them"
        )
    return Patient(name=parts[0], birth_date=parts[1], id=parts[2])


def _do(prepared: _Prepared, person: TerminalPerson, options: RunOptions) -> tuple[RunReport, Telling]:
    planner, values = options.planner, values_of("", prepared.values, prepared.patient)
    with stoppable(options.stop, options.as_json), acting(prepared.stage, options.stop) as actuator:
        ask = pointing(planner.model, planner.veil(values)) if planner else None
        # Without its values, which name patients and could be guessed at.
        about = {
            **(about_model(planner.model) if planner else {}),
            "workflow_sha256": prepared.loaded.sha256,
            "workflow": prepared.bound.name,
        }
        with contextlib.ExitStack() as stack:
            guard = stack.enter_context(
                guarding(
                    prepared.bound.policy,
                    actuator,
                    options.stop,
                    place=options.place,
                    mode=options.mode,
                    patient=prepared.patient,
                    about=about,
                )
            )
            journal, tell = None, Telling(options.as_json, guard.audit, values)
            if options.doing:
                journal = Journal(
                    options.journal, prepared.bound.sha256, patient=prepared.patient, resume=options.resumed
                )
                stack.callback(journal.close)
            report = run_workflow(
                prepared.bound, actuator, guard, person=person, journal=journal, ask=ask, on_step=tell.step
            )
            if journal and report.outcome.value == "verified":
                journal.verified()
            return report, tell


def _conclude(
    report: RunReport, tell: Telling, prepared: _Prepared, person: TerminalPerson, options: RunOptions
) -> None:
    mode = options.mode.value
    conclude(report, prepared.bound, options.journal, mode, tell, person=person, folder=options.stop.folder)
    if options.record is not None:
        done = report if options.doing else None
        _record(options.record, prepared.loaded, done, prepared.values, prepared.patient)


def _record(
    path: Path, loaded: Workflow, report: RunReport | None, given: Mapping[str, str], patient: Patient | None
) -> None:
    """Write the workflow with what a run found; say so where nothing was done."""
    console = make_console(stderr=True)
    if report is None:
        told = f"nothing was done, so that there is nothing to record: {path} was not written. Take --mode confirm."
        console.print(f"[yellow]{safe(told)}[/]", soft_wrap=True)
        return
    made = recorded_workflow(loaded, report, given, patient)
    save_workflow(made, path, new=True)
    for step in report.steps:
        if step.recorded and made.steps[step.number - 1].target == loaded.steps[step.number - 1].target:
            told = "found by `find` the next time, too: its label may name somebody, or `find` says more than a label"
            console.print(f"[yellow]step {step.number}: {told}[/]", soft_wrap=True)
