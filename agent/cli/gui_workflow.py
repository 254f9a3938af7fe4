"""`attend gui run` without a planning model: workflow files, and requests in words for Orthanc."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.cli.console import make_console, safe
from agent.cli.gui_model import describe_model
from agent.gui.approver import TerminalPerson
from agent.gui.exit_codes import ACTING_MODES, conclude, stoppable
from agent.gui.planner import Planner
from agent.gui.reporter import Reporter
from agent.gui.session import SessionOptions, check_same_server, open_actuator, open_guard
from agent.gui.vlm_grounder import make_grounder
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
    """Options of a workflow run.

    Attributes:
        session: options of the screen session.
        mode: observe, suggest, confirm or auto.
        values: parameter values, by name.
        patient: the patient of a workflow file, as given to `--patient`; a request for Orthanc names its own.
        approvers: people who approved the workflow's own steps in advance.
        planner: its model locates what is not found otherwise; None asks no model.
        record: file to write the workflow with the found targets to; None writes none.
        journal: the journal file of the run.
        resumed: whether to resume the run of that journal.
        stop: the kill switch.
        place: folder of the audit file.
        as_json: print JSON.
    """

    session: SessionOptions
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
    def acts(self) -> bool:
        """Whether the mode performs actions."""
        return self.mode.value in ACTING_MODES


@dataclass(frozen=True)
class _Prepared:
    """A workflow as loaded and with its values bound, the patient, the values, and the screen."""

    loaded: Workflow
    bound: Workflow
    patient: Patient | None
    values: Mapping[str, str]
    session: SessionOptions


def run_file(path: Path, options: RunOptions) -> RunReport:
    """Run a workflow file and report the outcome.

    Raises:
        ConfigError: if the file or an option is invalid.
    """
    loaded, patient = load_workflow(path), parse_patient(options.patient)
    # A recorded workflow refers to the patient's values by these names.
    known = {name: value for name, value in values_of("", {}, patient).items() if name in loaded.parameters}
    values = {**known, **options.values}
    bound = loaded.bind(values)
    session = options.session
    check_same_server(session.target, bound.start)
    least = bound.page_px or (orthanc.PAGE_PX if session.target.startswith("orthanc") else None)
    prepared = _Prepared(loaded, bound, patient, values, replace(session, start=bound.start, least_px=least))
    person = _approver(options, prepared)
    report, reporter = _run(prepared, person, options)
    _conclude(report, reporter, prepared, person, options)
    return report


def run_orthanc(words: str, options: RunOptions) -> RunReport:
    """Run the built-in Orthanc workflow that matches a request in words, and report the outcome.

    Raises:
        ConfigError: if none matches, or an option is invalid.
        StoreError: if the plan of a resumed run cannot be read.
    """
    # Keep the plan until the run is verified, so that a resumed run does what was planned.
    plan = options.journal.with_suffix(".plan.json") if options.acts or options.resumed else None
    prepared = _plan(words, plan, options)
    person = _approver(options, prepared)
    try:
        report, reporter = _run(prepared, person, options)
    finally:
        if plan is not None and not options.journal.exists():
            plan.unlink(missing_ok=True)  # it names the patient, and there is no run to resume
    if plan is not None and options.acts and report.outcome.value == "verified":
        plan.unlink(missing_ok=True)
    _conclude(report, reporter, prepared, person, options)
    return report


def _plan(words: str, plan: Path | None, options: RunOptions) -> _Prepared:
    session = options.session
    if plan is not None and options.resumed:
        _check_resumable(options.journal, plan)
        planned = orthanc.planned_before(plan, words, orthanc.server_of(session.target), session.downloads)
        check_same_server(session.target, planned.workflow.start)
    else:
        planned = orthanc.plan(words, orthanc.server_of(session.target), session.downloads)
        if plan is not None:
            orthanc.keep_plan(planned, plan)
    session = replace(session, start=planned.workflow.start, least_px=planned.workflow.page_px)
    return _Prepared(orthanc.template(planned.kind), planned.workflow, planned.patient, planned.values, session)


def _check_resumable(journal: Path, plan: Path) -> None:
    """Check that there is a run to resume: its plan is deleted once it is verified. Raises ConfigError, StoreError."""
    if not plan.exists() and is_verified(journal):
        raise ConfigError(
            f"cannot resume the run of {str(journal)!r}: it was completed and verified.",
            remedy="Leave --resume out to start a new run.",
        )


def _approver(options: RunOptions, prepared: _Prepared) -> TerminalPerson:
    """Return the person to ask. Raises ConfigError if the policy requires a patient and none is named."""
    if options.acts:
        _check_patient(prepared.bound, prepared.patient)
    return TerminalPerson(options.approvers, quiet=options.as_json, patient=prepared.patient, stop=options.stop)


def _check_patient(workflow: Workflow, patient: Patient | None) -> None:
    """Check that a patient is named if the policy requires one. Raises ConfigError."""
    if (
        patient is None
        and workflow.policy.identity == "required"
        and any(step.do not in HARMLESS for step in workflow.steps)
    ):
        raise ConfigError(
            f"the workflow {workflow.name!r} checks the patient on the screen, but none is named.",
            expected="--patient 'NAME; BIRTH DATE; ID', as shown on the screen",
            remedy="Name the patient; for a program without patients set `identity: none` in the policy.",
        )


def parse_patient(text: str) -> Patient | None:
    """Parse `--patient`; None for "". Raises ConfigError if a part is missing."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != 3 or not all(parts):
        raise ConfigError(
            f"invalid --patient: {len(parts)} parts.", expected="'NAME; BIRTH DATE; ID', as shown on the screen"
        )
    return Patient(name=parts[0], birth_date=parts[1], id=parts[2])


def _run(prepared: _Prepared, person: TerminalPerson, options: RunOptions) -> tuple[RunReport, Reporter]:
    planner, values = options.planner, values_of("", prepared.values, prepared.patient)
    with stoppable(options.stop, options.as_json), open_actuator(prepared.session, options.stop) as actuator:
        ask = make_grounder(planner.model, planner.veil(values)) if planner else None
        # The hash leaves out the values: they name patients and could be guessed from it.
        about = {
            **(describe_model(planner.model) if planner else {}),
            "workflow_sha256": prepared.loaded.sha256,
            "workflow": prepared.bound.name,
        }
        with contextlib.ExitStack() as stack:
            guard = stack.enter_context(
                open_guard(
                    prepared.bound.policy,
                    actuator,
                    options.stop,
                    place=options.place,
                    mode=options.mode,
                    patient=prepared.patient,
                    about=about,
                )
            )
            journal, reporter = None, Reporter(options.as_json, guard.audit, values)
            if options.acts:
                journal = Journal(
                    options.journal, prepared.bound.sha256, patient=prepared.patient, resume=options.resumed
                )
                stack.callback(journal.close)
            report = run_workflow(
                prepared.bound, actuator, guard, person=person, journal=journal, ask=ask, on_step=reporter.step
            )
            if journal and report.outcome.value == "verified":
                journal.verified()
            return report, reporter


def _conclude(
    report: RunReport, reporter: Reporter, prepared: _Prepared, person: TerminalPerson, options: RunOptions
) -> None:
    mode = options.mode.value
    conclude(report, prepared.bound, options.journal, mode, reporter, person=person, folder=options.stop.folder)
    if options.record is not None:
        done = report if options.acts else None
        _record(options.record, prepared.loaded, done, prepared.values, prepared.patient)


def _record(
    path: Path, loaded: Workflow, report: RunReport | None, given: Mapping[str, str], patient: Patient | None
) -> None:
    """Write the workflow with the targets a run found; warn if nothing was done."""
    console = make_console(stderr=True)
    if report is None:
        message = f"{path} was not written: nothing was done, so there is nothing to record. Use --mode confirm."
        console.print(f"[yellow]{safe(message)}[/]", soft_wrap=True)
        return
    made = recorded_workflow(loaded, report, given, patient)
    save_workflow(made, path, new=True)
    for step in report.steps:
        if step.recorded and made.steps[step.number - 1].target == loaded.steps[step.number - 1].target:
            message = (
                "keeps `find` instead of a fixed target: its label may name a person, or `find` says more than a label"
            )
            console.print(f"[yellow]step {step.number}: {message}[/]", soft_wrap=True)
