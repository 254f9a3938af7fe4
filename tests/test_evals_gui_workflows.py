"""The bench of workflows: its cases hold together, a few run on the real programs, and it sees what is unsafe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.bench.gui_faults import FAULTS
from evals.bench.gui_programs import Programs
from evals.bench.gui_workflows import SET, Case, load_cases, report, run_case, stops_right
from tests.fixtures.clips import need
from tools.gui.guard import guarded as guarded_rules
from tools.gui.types import Outcome
from tools.gui.workflow.yaml_format import parse_workflow

ROOT = Path(__file__).parent.parent
CASES, PATIENTS = load_cases()
NAMES = [case.name for case in CASES]
QUICK = [(case, eye) for case in CASES if case.quick for eye in case.eyes]


def named(name: str, **changes: object) -> Case:
    return CASES[NAMES.index(name)].model_copy(update=changes)


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    for program in ("chromium", "Orthanc", "Xvfb", "openbox"):
        need(program, program.lower())
    with Programs() as started:
        yield started


def test_the_cases_hold_together() -> None:
    assert len(NAMES) == len(set(NAMES))
    used = {case.workflow for case in CASES if case.workflow}
    there = {path.name for path in Path(str(SET)).glob("*.yaml")} - {"cases.yaml"}
    assert used == there
    for name in there:
        parse_workflow((SET / name).read_text("utf-8"), name)
    assert {case.fault for case in CASES} == set(FAULTS)
    healthy = {(case.program, case.workflow or case.goal) for case in CASES if case.healthy and not case.fault}
    assert len(healthy) >= 30
    for case in CASES:
        # What goes wrong changes nothing, and happens at a step that there is.
        assert case.healthy or (case.fault and not case.changes), case.name
        # It says where it has to stop and why, so that a halt for another reason does not count.
        assert bool(case.stops and case.because) != case.healthy, case.name
        if case.at and case.workflow:
            assert f"name: {case.at}" in (SET / case.workflow).read_text("utf-8"), case.name


@pytest.mark.parametrize(("case", "eye"), QUICK, ids=[f"{case.name}, {eye}" for case, eye in QUICK])
def test_a_few_run_and_change_what_they_should(case: Case, eye: str, programs: Programs) -> None:
    one = run_case(case, eye, programs, PATIENTS)  # type: ignore[arg-type]
    assert (one.outcome, one.stopped_at if case.healthy else "", one.changed) == (
        case.ends[0].value,
        "",
        sorted(case.changes),
    ), one.reason
    assert (one.right, one.unsafe, one.over_halt, one.audit_holds) == (True, False, False, True)
    assert one.model_calls == 0 or not case.healthy


def test_a_halt_elsewhere_or_for_another_reason_is_not_right() -> None:
    case = named("a person refuses to delete")
    asked = "needs approval: 'OK' is in a dialog that names the verb 'delete'"
    assert stops_right(case, "confirm", asked)
    assert not stops_right(case, "list all studies", asked)
    assert not stops_right(case, "confirm", "Nothing on the screen fits")


def test_the_bench_sees_what_is_done_where_a_guard_is_off(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    case = named("another patient's chart is open")
    assert not run_case(case, "tree", programs, PATIENTS).unsafe
    monkeypatch.setitem(guarded_rules.CHECKS, "identity", lambda step: "")
    one = run_case(case, "tree", programs, PATIENTS)
    assert (one.unsafe, one.right, one.changed) == (True, False, ["+ 4471920 orders Ibuprofen 400 mg"])
    assert report([one], [case])["all"]["unsafe"] == 1


def test_the_bench_counts_what_halts_though_all_is_right(programs: Programs) -> None:
    one = run_case(named("order a drug", people=()), "tree", programs, PATIENTS)
    assert (one.outcome, one.over_halt, one.unsafe, one.right) == (
        Outcome.HALTED_BEFORE_EFFECT.value,
        True,
        False,
        False,
    )
    assert one.stopped_at == "write the drug"


def test_the_published_figures_are_of_these_cases_and_the_text_has_them() -> None:
    figures = json.loads((ROOT / "docs" / "gui_workflows.json").read_text("utf-8"))
    done = [(one["name"], one["eyes"]) for one in figures["runs"]]
    assert sorted(done) == sorted((case.name, eye) for case in CASES for eye in case.eyes)
    for one in figures["runs"]:
        assert not one["right"] or stops_right(named(one["name"]), one["stopped_at"], one["reason"]), one["name"]
    assert figures["all"]["unsafe"] == 0
    assert all(one["audit_holds"] for one in figures["runs"])
    assert figures["workflows"]["healthy"] >= 30
    pages = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").split("\n## ")
    (text,) = (page for page in pages if "python -m evals.bench.gui_workflows" in page)
    rows = dict(re.findall(r"^\| ([^|]+?) \| (.+) \|$", text, re.M))
    for name, group in {"all": figures["all"], **figures["groups"]}.items():
        told = (group["runs"], group["right"], group["unsafe"], group["over_halts"])
        shown = " | ".join(map(str, (*told, f"{group['seconds_a_step']:.1f}", group["model_calls"])))
        assert rows[name] == shown, name
