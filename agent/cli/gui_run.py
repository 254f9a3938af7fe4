"""`attend gui run`: do a workflow, or a request in words for Orthanc, and say honestly how it ended."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import make_console, safe
from agent.cli.gui_model import about_model, ready, screen_model, strictness_of
from agent.gui.exit_codes import DOING, conclude, exit_code, stoppable
from agent.gui.masked_errors import errors_masked
from agent.gui.path_checks import check_folder, check_new
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.gui.approver import TerminalPerson
    from agent.gui.planner import Planner
    from agent.gui.reporter import Telling
    from agent.gui.session import Stage
    from tools.gui.grounding import Ask
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.identity import Patient
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.types import Actuator
    from tools.gui.workflow.run_context import Person, RunReport
    from tools.gui.workflow.yaml_format import Workflow


@errors_masked
def run(
    what: Annotated[str, typer.Argument(help="A workflow (FILE.yaml), or a request in words.")],
    target: Annotated[str, typer.Option(help="An http(s):// address, 'desktop', or 'orthanc' (orthanc@URL).")] = "",
    mode: Annotated[str, typer.Option(help="observe or suggest (nothing is done), confirm, or auto.")] = "suggest",
    approve: Annotated[
        list[str] | None,
        typer.Option(
            help="Who approves the workflow's own steps beforehand; may be repeated. Others are asked. Names are taken "
            "as given: that two names are two people is for whoever starts the run to answer for."
        ),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for a parameter of the workflow; may be repeated.")
    ] = None,
    patient: Annotated[
        str, typer.Option(help="'NAME; BIRTH DATE; ID' as the screen writes them, where the policy asks for identity.")
    ] = "",
    pixels: Annotated[bool, typer.Option("--pixels", help="Work by pixels alone, without accessibility tree.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write the workflow with the targets that were found, to a new file.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run of this journal.")] = None,
    model: Annotated[
        str,
        typer.Option(help="A model that plans requests no built-in workflow fits, and points at what is not found."),
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="What a planned request may do: a policy in YAML.")] = None,
    expect: Annotated[str, typer.Option(help="Words that the screen has to show once a planned request is done.")] = "",
    save: Annotated[Path | None, typer.Option(help="Keep a planned run as a workflow, a new file.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, max=500, help="Steps that a model may propose.")] = 30,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds that a planned run may take.")] = 600,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens that a model may use in a planned run.")] = 200_000,
    phi: Annotated[
        str, typer.Option(help="How personal details are kept from a model elsewhere: on, or strict (with Presidio).")
    ] = "on",
    downloads: Annotated[Path | None, typer.Option(help="The folder that downloads are kept in.")] = None,
    connect: Annotated[str, typer.Option(help="The DevTools address of a running Chromium to work in.")] = "",
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser's window.")] = False,
    window: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the browser's window; a page that needs more is zoomed out.")
    ] = "",
    folder: Annotated[Path | None, typer.Option(help="Where journals and the audit file are kept.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one step a line, then the whole.")] = False,
) -> None:
    """Do a workflow on a screen. Exit code: 0 verified, 3 unverified, 4 halted, 6 to reconcile, 7 cancelled.

    Every action is checked by the workflow's policy, bound to the pixels it was planned on, and recorded; what a policy
    does not allow at once is asked. In mode 'suggest' nothing is done: the plan is shown, and where the first step
    would land. A request that no built-in workflow fits is planned by --model, one step at a time, and every step of
    it that may change something is asked, unless the policy lists it for mode 'auto'.
    """
    from agent.config import load_config
    from agent.gui.planner import Planner
    from agent.gui.session import Stage, acting
    from agent.gui.vlm_grounder import pointing
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.workflow.placeholders import values_of
    from tools.gui.workflow.yaml_format import SUFFIXES

    if mode not in ("observe", "suggest", *DOING):
        raise ConfigError(f"there is no mode {mode!r}.", expected="observe, suggest, confirm or auto")
    _check(what, target)
    strictness, size = strictness_of(phi), _size(window) if window else None
    settings = load_config({"folder": folder}, file=config)
    place = settings.folder / "gui"
    stop = KillSwitch(place.parent)
    with stoppable(stop, as_json):
        stop.check()
    if resume is not None and not resume.is_file():
        raise ConfigError(f"the journal {str(resume)!r} is not there.", remedy="Resume a run by its own journal.")
    for option, file in (("--record", record), ("--save", save)):
        check_new(option, file, SUFFIXES)
    check_folder("--downloads", downloads)
    planner = Planner(screen_model(model, settings.mllm), strictness) if model else None
    if planner is not None:
        ready(planner.model)
    stage = Stage(target, pixels=pixels, connect=connect, headed=headed, downloads=downloads, size_px=size)
    if _is_to_be_planned(what, target, resume is not None, planner):
        from agent.cli.gui_request import Request, do_request
        from tools.gui.workflow.model_plan import Limits

        assert planner is not None
        if mode == "observe":
            raise ConfigError("a request that a model plans is not observed.", remedy="Take --mode suggest.")
        limits = Limits(steps=max_steps, seconds=max_seconds, tokens=max_tokens)
        request = Request(what, _pairs(values), _patient(patient), policy, expect, save, limits)
        with stoppable(stop, as_json):
            done = do_request(request, stage, planner, place=place, stop=stop, mode=Mode(mode), as_json=as_json)
        raise typer.Exit(exit_code(done, mode))
    _only_planned({"--policy": policy, "--expect": expect, "--save": save})
    journal_path = resume or place / f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.jsonl"
    plan = journal_path.with_suffix(".plan.json") if mode in DOING or resume else None
    loaded, bound, who, given, stage = _what(what, stage, _pairs(values), patient, plan, resume)
    person = _person(approve or [], as_json, who, stop)
    if mode in DOING:
        _names_a_patient(bound, who)
    try:
        with stoppable(stop, as_json), acting(stage, stop) as actuator:
            journal = (journal_path, resume is not None)
            ask = pointing(planner.model, planner.veil(values_of("", given, who))) if planner else None
            # Without its values, which name patients and could be guessed at.
            about = {**(about_model(planner.model) if planner else {}), "workflow_sha256": loaded.sha256}
            known = values_of("", given, who)
            report, tell = _do(
                bound, actuator, stop, Mode(mode), who, person, journal, place, ask, about, known, as_json
            )
    finally:
        if plan is not None and not journal_path.exists():
            plan.unlink(missing_ok=True)  # It names the patient, and nothing can be resumed by it.
    if plan is not None and mode in DOING and report.outcome.value == "verified":
        plan.unlink(missing_ok=True)
    conclude(report, bound, journal_path, mode, tell, person=person, folder=stop.folder)
    if record is not None:
        _record(record, loaded, report if mode in DOING else None, given, who)
    raise typer.Exit(exit_code(report, mode))


def _check(what: str, target: str) -> None:
    """Check, before anything is asked, that there is a request, and a target that can be used. Raises ConfigError."""
    from tools.gui.orthanc import plan as orthanc

    if not what.strip():
        raise ConfigError("the request is empty.", expected="a workflow (FILE.yaml), or a request in words")
    orthanc.server_of(target)


def _is_to_be_planned(what: str, target: str, resumed: bool, planner: Planner | None) -> bool:
    """Whether a model has to plan. Raises ConfigError where it would have to, and there is none."""
    from tools.gui.orthanc import plan as orthanc
    from tools.gui.workflow.yaml_format import SUFFIXES

    if Path(what).suffix in SUFFIXES or (resumed and target.startswith("orthanc")):
        return False
    if resumed:
        raise ConfigError("a planned run cannot be resumed.", remedy="Look at what was done, and ask for what is left.")
    if target.startswith("orthanc"):
        return planner is not None and not orthanc.is_built_in(what)
    if planner is None:
        raise ConfigError(
            f"{what!r} is no YAML file.",
            remedy="Name one, or add --target orthanc to ask in words, or --model to have it planned.",
        )
    return True


def _only_planned(options: Mapping[str, object]) -> None:
    if unused := [name for name, value in options.items() if value]:
        raise ConfigError(f"{unused[0]} goes with requests that a model plans.", remedy="Leave it out.")


def _names_a_patient(workflow: Workflow, patient: Patient | None) -> None:
    """Check that a run which has to compare a patient knows one. Raises ConfigError; a journal names the patient."""
    from tools.gui.workflow.yaml_format import HARMLESS

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


def _person(approvers: list[str], as_json: bool, patient: Patient | None, stop: KillSwitch) -> TerminalPerson:
    from agent.gui.approver import TerminalPerson

    return TerminalPerson(approvers, quiet=as_json, patient=patient, stop=stop)


def _what(
    what: str, stage: Stage, given: dict[str, str], patient: str, plan: Path | None, resume: Path | None
) -> tuple[Workflow, Workflow, Patient | None, dict[str, str], Stage]:
    """The workflow as it was loaded and with its values, whom it is for, the values, and where it works."""
    from agent.gui.session import same_server
    from tools.gui.orthanc import plan as orthanc
    from tools.gui.workflow.placeholders import values_of
    from tools.gui.workflow.yaml_format import SUFFIXES, load_workflow

    if Path(what).suffix in SUFFIXES:
        loaded, who = load_workflow(Path(what)), _patient(patient)
        # What a run found is recorded with the patient's values behind these names.
        known = {name: value for name, value in values_of("", {}, who).items() if name in loaded.parameters}
        given = {**known, **given}
        bound = loaded.bind(given)
        same_server(stage.target, bound.start)
        least = bound.page_px or (orthanc.PAGE_PX if stage.target.startswith("orthanc") else None)
        return loaded, bound, who, given, replace(stage, start=bound.start, least_px=least)
    if plan is not None and resume is not None:
        _is_left(resume, plan)
        planned = orthanc.planned_before(plan, what, orthanc.server_of(stage.target), stage.downloads)
        same_server(stage.target, planned.workflow.start)
    else:
        planned = orthanc.plan(what, orthanc.server_of(stage.target), stage.downloads)
        if plan is not None:
            orthanc.keep_plan(planned, plan)
    stage = replace(stage, start=planned.workflow.start, least_px=planned.workflow.page_px)
    return orthanc.template(planned.kind), planned.workflow, planned.patient, planned.values, stage


def _is_left(journal: Path, plan: Path) -> None:
    """Check that a run can go on: its plan is kept until it is verified. Raises ConfigError, and StoreError."""
    from tools.gui.workflow.journal import is_verified

    if not plan.exists() and is_verified(journal):
        raise ConfigError(
            f"the run of the journal {str(journal)!r} was verified; nothing is left of it.",
            remedy="Leave --resume out for a run of its own.",
        )


def _do(
    workflow: Workflow,
    actuator: Actuator,
    stop: KillSwitch,
    mode: Mode,
    patient: Patient | None,
    person: Person,
    journal_at: tuple[Path, bool],
    place: Path,
    ask: Ask | None,
    about: Mapping[str, str],
    values: Mapping[str, str],
    as_json: bool,
) -> tuple[RunReport, Telling]:
    from agent.gui.reporter import Telling
    from agent.gui.session import guarding
    from tools.gui.workflow.journal import Journal
    from tools.gui.workflow.run import run_workflow

    about = {**about, "workflow": workflow.name}
    with (
        contextlib.ExitStack() as stack,
        guarding(workflow.policy, actuator, stop, place=place, mode=mode, patient=patient, about=about) as guard,
    ):
        journal, tell = None, Telling(as_json, guard.audit, values)
        if mode in DOING:
            journal = Journal(journal_at[0], workflow.sha256, patient=patient, resume=journal_at[1])
            stack.callback(journal.close)
        report = run_workflow(workflow, actuator, guard, person=person, journal=journal, ask=ask, on_step=tell.step)
        if journal and report.outcome.value == "verified":
            journal.verified()
        return report, tell


def _size(window: str) -> tuple[int, int]:
    from tools.gui.actuators.chromium import LEAST_PX, MOST_PX

    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", window.lower())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(LEAST_PX <= side <= MOST_PX for side in sides):
        raise ConfigError(
            f"--window {window!r} is no size.",
            expected=f"WIDTHxHEIGHT, such as 1280x800; each from {LEAST_PX} to {MOST_PX}",
        )
    return sides


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


def _record(
    path: Path, loaded: Workflow, report: RunReport | None, given: dict[str, str], patient: Patient | None
) -> None:
    """Write the workflow with what a run found; say so where nothing was done."""
    from tools.gui.workflow.run import recorded_workflow
    from tools.gui.workflow.yaml_format import save_workflow

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
