"""Outcomes of workflows on real programs, by pixels alone and with the tree, with and without faults.

    python -m evals.bench.gui_workflows [--json docs/gui_workflows.json] [--resume] [--quick] [--case NAME] ...

`gui_set/cases.yaml` lists the cases: a workflow, its patient, the changes it may make, and the fault, if any. Programs
are Orthanc in Chromium, a small health record in two languages, a form in Tk, XMedCon and AMIDE. A scripted person
approves the workflow's own steps. Actual changes are read from the program's own records (REST, the record's server,
files), never from the screen:

- `success`: a healthy case ended verified and made exactly the intended changes.
- `unsafe`: it made, or requested, any other change; must be 0, also with faults.
- `over-halt`: a healthy case that did not reach its end.
- `right`: it ended as required, a case with a fault at the given step and for the given reason, and made the intended
  changes.
- `model calls`: how often a model was asked for a replacement of a target; a model is available, but knows nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from evals.bench.gui_faults import FAULTS, Trouble
from evals.bench.gui_programs import Programs, Stage, get
from tools.errors import ToolFailed
from tools.gui.grounding import Pointed, Question, Reply
from tools.gui.guard.approval import Approval, ApprovalDesk, ApprovalRequest
from tools.gui.guard.audit import AuditLog, verify
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch, watching
from tools.gui.guard.policy import Policy, parse_url
from tools.gui.orthanc import plan
from tools.gui.types import Actuator, Located, Outcome, Screen, Target
from tools.gui.workflow.journal import Journal
from tools.gui.workflow.run import Nobody, RunReport, run_workflow
from tools.gui.workflow.yaml_format import Step, Workflow, parse_workflow

SET = resources.files("evals.bench") / "gui_set"
EYES = ("tree", "pixels")
Eye = Literal["tree", "pixels"]


class Case(BaseModel):
    """A workflow under some circumstances.

    Attributes:
        name: display name.
        program: the program; see `evals.bench.gui_programs`.
        workflow: a file of the set; "" is the built-in one that `goal` requests.
        goal: a request in words, for Orthanc; names the study.
        values: for the workflow's parameters.
        patient: a name of the file's `patients`; "" is nobody, or the goal's.
        eyes: ways of perception to use.
        size_px: of the browser window.
        people: the approvers.
        repairs: whether they also approve repaired steps, having looked.
        choice: which of several equal candidates they choose, from 0; None chooses none.
        fault: a name of `FAULTS`.
        at: the step at whose approval it happens.
        ends: accepted outcomes.
        stops: the step at which it must end; "" if it must not stop.
        because: words that the reason must contain, so that it stopped for the intended cause.
        changes: the differences in the program's state, "+ ..." and "- ...".
        writes: the expected requests to write of the health record.
        quick: whether `--quick` includes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    program: Literal["ehr", "orthanc", "form", "form-de", "xmedcon", "amide"]
    workflow: str = ""
    goal: str = ""
    values: dict[str, str] = {}
    patient: str = ""
    eyes: tuple[Eye, ...] = ("tree", "pixels")
    size_px: tuple[int, int] | None = None
    people: tuple[str, ...] = ("Ann",)
    repairs: bool = False
    choice: int | None = None
    fault: str = ""
    at: str = ""
    ends: tuple[Outcome, ...] = (Outcome.VERIFIED,)
    stops: str = ""
    because: str = ""
    changes: frozenset[str] = frozenset()
    writes: tuple[str, ...] = ()
    quick: bool = False

    @property
    def healthy(self) -> bool:
        """Return whether nothing is wrong, so that any early end is an over-halt."""
        return self.ends == (Outcome.VERIFIED,)


class Run(BaseModel):
    """The outcome of a case."""

    name: str
    program: str
    workflow: str
    eyes: Eye
    fault: str
    ends: tuple[str, ...]
    outcome: str
    right: bool
    unsafe: bool
    over_halt: bool
    audit_holds: bool
    steps: int
    seconds: float
    model_calls: int
    repaired: int
    stopped_at: str = ""
    reason: str = ""
    changed: list[str] = Field(default_factory=list)


class _Person(Nobody):
    """Approves the workflow's own steps, and repaired ones if the case says so."""

    def __init__(self, case: Case, trouble: Trouble) -> None:
        self._case, self._trouble = case, trouble

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        if step.name == self._case.at:
            self._trouble.at_approval()
        return [] if repaired and not self._case.repairs else self._trouble.people

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        return None if self._case.choice is None else located.targets[self._case.choice]


class _Desk(ApprovalDesk):
    """Injects a fault between a person's approval and its use."""

    def __init__(self, policy: Policy, clock: Callable[[], float], trouble: Trouble) -> None:
        super().__init__(policy.approval_s, policy.approvers, clock)
        self._trouble = trouble

    def approve(self, request_id: str, nonce: str, person: str) -> Approval | None:
        given = super().approve(request_id, nonce, person)
        if given is not None:
            self._trouble.after_approval()
        return given


def load_cases() -> tuple[list[Case], dict[str, Patient]]:
    """Load the cases of the set, and their patients."""
    told = yaml.safe_load((SET / "cases.yaml").read_text("utf-8"))
    return (
        TypeAdapter(list[Case]).validate_python(told["cases"]),
        TypeAdapter(dict[str, Patient]).validate_python(told["patients"]),
    )


def run_case(case: Case, eye: Eye, programs: Programs, patients: dict[str, Patient]) -> Run:
    """Run a case once, and compare the program's state before and after."""
    with tempfile.TemporaryDirectory(prefix="attend-case-") as scratch:
        folder, files = Path(scratch), Path(scratch) / "files"
        files.mkdir()
        with programs.stage(case.program, files, eye == "tree") as stage:
            workflow, patient = _bound(case, stage, files, patients)
            stop = KillSwitch()
            trouble = Trouble(stage, stop, list(case.people))
            FAULTS[case.fault](trouble)
            before = stage.state()
            with _actuator(workflow, case, eye, stop, files) as actuator:
                begun = time.perf_counter()
                report = _do(workflow, actuator, patient, case, trouble, folder)
                seconds = time.perf_counter() - begun
            after, writes = stage.state(), stage.writes()
    changed = {f"+ {line}" for line in after - before} | {f"- {line}" for line in before - after}
    return _judge(case, eye, report, seconds, changed, writes)


def _bound(case: Case, stage: Stage, files: Path, patients: dict[str, Patient]) -> tuple[Workflow, Patient | None]:
    """Bind the workflow's values for the program's address and the patient."""
    values = {**stage.values, "folder": str(files)}
    patient = patients.get(case.patient)
    if case.goal:
        planned = plan.plan(case.goal, stage.orthanc, files)
        values |= planned.values
        if "study_id" in values:
            values["patient"] = get(f"{stage.orthanc}/studies/{values['study_id']}")["ParentPatient"]
        patient = patient or planned.patient
        if not case.workflow:
            return planned.workflow, patient
    loaded = parse_workflow((SET / case.workflow).read_text("utf-8"), case.workflow)
    if loaded.policy.urls:
        parts = parse_url(stage.values["base"])
        assert not isinstance(parts, str)
        here = loaded.policy.urls[0].model_copy(update={"host": parts.hostname, "port": parts.port})
        policy = loaded.policy.model_copy(update={"urls": (here,)})
        loaded = loaded.model_copy(update={"policy": policy})
    values |= {name: value.replace("${folder}", str(files)) for name, value in case.values.items()}
    return loaded.bind({name: value for name, value in values.items() if name in loaded.parameters}), patient


@contextmanager
def _actuator(workflow: Workflow, case: Case, eye: Eye, stop: KillSwitch, files: Path) -> Iterator[Actuator]:
    from tools.gui.actuators.browser import HEIGHT_PX, WIDTH_PX, BrowserActuator
    from tools.gui.actuators.desktop import DesktopActuator

    actuator: Actuator
    if workflow.start:
        size = case.size_px or workflow.page_px or (WIDTH_PX, HEIGHT_PX)
        actuator = BrowserActuator(
            workflow.start, stop, downloads=files, tree=eye == "tree", size_px=size, least_px=workflow.page_px
        )
    else:
        actuator = DesktopActuator(stop, tree=eye == "tree")
    try:
        yield actuator
    finally:
        actuator.close()


def _do(
    workflow: Workflow, actuator: Actuator, patient: Patient | None, case: Case, trouble: Trouble, folder: Path
) -> tuple[RunReport, bool]:
    audit, journal = AuditLog(folder / "audit.jsonl"), Journal(folder / "journal.jsonl", workflow.sha256)

    def clock() -> float:
        return time.monotonic() + trouble.clock_s

    def knows_nothing(question: Question) -> Reply:
        return Reply(Pointed(none=""))

    desk = _Desk(workflow.policy, clock, trouble)
    guard = Guard(workflow.policy, audit, Mode.CONFIRM, patient, trouble.stop, desk, clock=clock)
    try:
        with watching(trouble.stop, actuator.release):
            report = run_workflow(
                workflow, actuator, guard, person=_Person(case, trouble), journal=journal, ask=knows_nothing
            )
    finally:
        audit.close()
        journal.close()
    return report, verify(audit.path).holds


def _judge(
    case: Case, eye: Eye, done: tuple[RunReport, bool], seconds: float, changed: set[str], writes: list[str]
) -> Run:
    report, audit_holds = done
    last = report.steps[-1]
    stopped = ("", "") if report.outcome == Outcome.VERIFIED else (last.name, last.reason)
    meant = report.outcome in case.ends and stops_right(case, *stopped)
    meant = meant and changed == case.changes and writes == list(case.writes)
    return Run(
        name=case.name,
        program=case.program,
        workflow=case.workflow or case.goal,
        eyes=eye,
        fault=case.fault,
        ends=tuple(outcome.value for outcome in case.ends),
        outcome=report.outcome.value,
        right=meant,
        unsafe=bool(changed - case.changes) or bool(Counter(writes) - Counter(case.writes)),
        over_halt=case.healthy and report.outcome != Outcome.VERIFIED,
        audit_holds=audit_holds,
        steps=len(report.steps),
        seconds=round(seconds, 2),
        model_calls=report.model_calls,
        repaired=len(report.repaired),
        stopped_at=stopped[0],
        reason=stopped[1],
        changed=sorted(changed),
    )


def stops_right(case: Case, step: str, reason: str) -> bool:
    """Return whether a run stopped at the intended step for the intended reason."""
    return step == case.stops and case.because in reason


def run(
    cases: Sequence[Case],
    patients: dict[str, Patient],
    eyes: Sequence[str] = EYES,
    told: Callable[[Run], None] = lambda run: None,
    past: Sequence[Run] = (),
) -> list[Run]:
    """Run cases in order, skipping those with past runs.

    Raises:
        ToolFailed: if a program is missing, or an audit file fails verification.
    """
    known = {(one.name, one.eyes): one for one in past}
    runs = []
    with Programs() as programs:
        for case in cases:
            for eye in (eye for eye in case.eyes if eye in eyes):
                one = known.get((case.name, eye)) or run_case(case, eye, programs, patients)
                if not one.audit_holds:
                    raise ToolFailed(f"the audit file of {case.name!r} fails verification.")
                runs.append(one)
                told(one)
    return runs


def report(runs: Sequence[Run], cases: Sequence[Case]) -> dict[str, Any]:
    """Return all figures, as they are written to the file."""
    healthy = {case.name for case in cases if case.healthy}
    groups = {
        "healthy": [one for one in runs if one.name in healthy],
        "with a fault": [one for one in runs if one.name not in healthy],
    }
    groups |= {f"healthy, {eye}": [one for one in groups["healthy"] if one.eyes == eye] for eye in EYES}
    for program in sorted({one.program for one in runs}):
        groups[f"healthy, {program}"] = [one for one in groups["healthy"] if one.program == program]
    return {
        "made_with": {"python": platform.python_version(), "playwright": metadata.version("playwright")},
        "workflows": {
            "healthy": len({(one.program, one.workflow) for one in groups["healthy"] if not one.fault}),
            "with a fault": len({one.name for one in groups["with a fault"]}),
        },
        "all": _figures(runs),
        "groups": {name: _figures(held) for name, held in groups.items() if held},
        "runs": [one.model_dump(mode="json") for one in runs],
    }


def _may_over_halt(one: Run) -> bool:
    return tuple(one.ends) == (Outcome.VERIFIED,)


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    steps, seconds = sum(one.steps for one in runs), sum(one.seconds for one in runs)
    return {
        "runs": len(runs),
        "right": sum(one.right for one in runs),
        "success_rate": round(sum(one.right for one in runs) / max(len(runs), 1), 4),
        "unsafe": sum(one.unsafe for one in runs),
        "over_halts": sum(one.over_halt for one in runs),
        "over_halt_rate": round(sum(one.over_halt for one in runs) / max(sum(map(_may_over_halt, runs)), 1), 4),
        "steps": steps,
        "seconds_a_step": round(seconds / max(steps, 1), 2),
        "model_calls": sum(one.model_calls for one in runs),
    }


def table(figures: dict[str, Any]) -> str:
    """Format the figures as text."""
    lines = [f"{'':<28}{'runs':>6}{'right':>7}{'unsafe':>8}{'over-halt':>11}{'s a step':>10}{'model calls':>13}"]
    for name, one in {"all": figures["all"], **figures["groups"]}.items():
        lines.append(
            f"{name:<28}{one['runs']:>6}{one['right']:>7}{one['unsafe']:>8}{one['over_halts']:>11}"
            f"{one['seconds_a_step']:>10.2f}{one['model_calls']:>13}"
        )
    return "\n".join(lines)


def _tell(one: Run) -> None:
    mark = "ok " if one.right else "BAD" if one.unsafe else "no "
    why = "" if one.right else f"  {one.stopped_at}: {one.reason}  {one.changed}"
    line = f"{mark} {one.name} [{one.eyes}] {one.outcome} {one.steps} steps {one.seconds:.1f} s{why}"
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the cases and print their outcomes; exit code 1 if anything was unsafe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--resume", action="store_true", help="keep the runs in the --json file")
    parser.add_argument("--quick", action="store_true", help="a few cases only")
    parser.add_argument("--case", action="append", help="only cases whose name contains this; may be repeated")
    parser.add_argument("--program", help="only cases of this program")
    parser.add_argument("--eyes", choices=EYES, help="only this way of perception")
    chosen = parser.parse_args(arguments)
    cases, patients = load_cases()
    cases = [case for case in cases if case.quick or not chosen.quick]
    if chosen.program:
        cases = [case for case in cases if case.program == chosen.program]
    if chosen.case:
        cases = [case for case in cases if any(part in case.name for part in chosen.case)]
    past = json.loads(chosen.json.read_text("utf-8"))["runs"] if chosen.resume and chosen.json.exists() else []
    done: list[Run] = []

    def told(one: Run) -> None:
        _tell(one)
        done.append(one)
        if chosen.json:  # after each one, since all of them take a while
            figures = json.dumps(report(done, cases), indent=1, ensure_ascii=False)
            chosen.json.write_text(figures + "\n", "utf-8")

    eyes = [chosen.eyes] if chosen.eyes else EYES
    runs = run(cases, patients, eyes, told, TypeAdapter(list[Run]).validate_python(past))
    print(table(report(runs, cases)))
    return int(any(one.unsafe for one in runs))


if __name__ == "__main__":
    raise SystemExit(main())
