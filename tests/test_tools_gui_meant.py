"""What is acted on is what was meant: no opposite, no other number, no other row, no changed field, no stale words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import gui_stage
from tools.gui.actuators.screen_text import shows
from tools.gui.actuators.simulated import Program, SimulatedActuator
from tools.gui.actuators.verify import Check, Expect, HttpEffect
from tools.gui.grounding import locate
from tools.gui.grounding.geometry import union
from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.parse import read_instruction
from tools.gui.grounding.score import choose
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.policy import Policy, Region
from tools.gui.types import Action, Click, Node, Outcome, Rect, Screen, Target, TypeText
from tools.gui.workflow.journal import Journal
from tools.gui.workflow.resolve_target import is_as_written
from tools.gui.workflow.run import recorded_workflow, run_workflow
from tools.gui.workflow.run_context import Nobody, RunReport
from tools.gui.workflow.yaml_format import Step, parse_workflow, write_workflow

PAUSING = """
name: pause a drug
parameters: {drug: which}
policy: {name: chart, windows: [Chart], identity: none}
steps:
  - {name: pause it, find: 'click "Pause" in the row of "${drug}"', do: click}
"""


class Ann(Nobody):
    """Approves, and does something first."""

    def __init__(self, meanwhile: Any = None) -> None:
        self.asked: list[bool] = []
        self.meanwhile = meanwhile

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        self.asked.append(repaired)
        if self.meanwhile:
            self.meanwhile()
        return ["Ann"]


class Approved(Nobody):
    """Has approved beforehand what is as the workflow has it."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        return [] if repaired else ["Ann"]


class Chart:
    """A list of drugs, each with a button that looks like all others."""

    name = "chart"

    def __init__(self, *drugs: str, label: str = "Pause") -> None:
        self.drugs, self.label, self.pressed = list(drugs), label, list[str]()
        self.before_shot: dict[int, Any] = {}
        self.shots = 0

    def screen(self, *, tree: bool = True) -> Screen:
        self.shots += 1
        self.before_shot.pop(self.shots, lambda: None)()
        rgb = np.full((600, 800, 3), 250, np.uint8)
        nodes = []
        for number, drug in enumerate(self.drugs):
            top = 40 + 120 * number
            nodes += [
                Node(role="row", name=f"{drug} {self.label}", rect=box(20, top, 760, 40)),
                Node(role="cell", name=drug, rect=box(20, top, 300, 40), depth=1),
                Node(role="button", name=self.label, rect=box(600, top + 5, 100, 30), depth=1),
            ]
            # A stroke of its own for each drug, far from its button.
            rgb[top + 15 : top + 20, 30 : 40 + len(drug) * 9] = sum(drug.encode()) % 200
            rgb[top + 5 : top + 35, 600:700] = 90
        return Screen(rgb=rgb, nodes=tuple(nodes), window="Chart")

    def perform(self, action: Action) -> str:
        assert isinstance(action, Click)
        self.pressed.append(self.drugs[int(action.point.y_px - 40) // 120])
        return ""

    def release(self) -> None:
        pass


def box(left: float, top: float, width: float, height: float) -> Rect:
    return Rect(left=left, top=top, right=left + width, bottom=top + height)


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path / "audit.jsonl")
    yield log
    log.close()


def pause(chart: Chart, audit: AuditLog, drug: str, text: str = PAUSING, person: Nobody | None = None) -> RunReport:
    flow = parse_workflow(text, "flow").bind({"drug": drug})
    guard = Guard(flow.policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
    return run_workflow(flow, chart, guard, person=person or Ann())


def test_a_label_in_quotes_that_only_tells_the_place_is_not_the_target() -> None:
    fields = [
        Node(role="textbox", name=name, rect=box(300, 50 + 60 * at, 400, 40)) for at, name in enumerate(("ID", "Name"))
    ]
    both, one = (
        Screen(rgb=np.full((800, 1280, 3), 240, np.uint8), nodes=tuple(shown)) for shown in (fields, fields[1:])
    )
    assert [target.label for target in locate('the field above "Name"', both).targets] == ["ID"]
    assert locate('the field above "Name"', one).targets == ()


@given(st.decimals(0, 999, places=2), st.decimals(0, 999, places=2))
def test_other_numbers_are_never_alike(one: Any, other: Any) -> None:
    alike = likeness(f"Metoprolol {one} mg", f"Metoprolol {other} mg")
    assert (alike > 0.9) == (one == other)
    assert likeness(f"Metoprolol {one} mg", f"Metoprolol {str(one).replace('.', '')} mg") < 0.9


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("Saved", True),
        ("Saved 10:02", True),
        ("All changes were saved", True),
        ("Not saved: the server is away", False),
        ("The record could not be saved", False),
        ("Nothing was saved", False),
        ("Nicht gespeichert. Saved before", True),
    ],
)
def test_words_that_are_denied_are_not_shown(text: str, there: bool) -> None:
    screen = Screen(
        rgb=np.zeros((100, 400, 3), np.uint8), nodes=(Node(role="status", name=text, rect=box(5, 5, 9, 9)),)
    )
    assert shows(screen, "Saved") is there


def test_what_was_shown_before_verifies_nothing() -> None:
    program = Program(status="Saved Doe")
    actuator = SimulatedActuator(program)
    before = actuator.screen()
    check = Check(actuator, before, Expect(words="Saved Doe"), None, 0.1, KillSwitch())
    assert check(actuator.screen()) is None
    assert check.reason == "the expected state was already shown before"
    also_changed = Check(actuator, before, Expect(words="Saved Doe", changed=True), None, 0.1, KillSwitch())
    program.level = 50
    assert also_changed(actuator.screen()) is None
    program.status = "Saved Roe"
    assert Check(actuator, before, Expect(words="Saved Roe"), None, 0.1, KillSwitch())(actuator.screen()) is True


def test_a_step_that_names_a_row_is_replayed_in_that_row(audit: AuditLog) -> None:
    chart = Chart("Warfarin 5 mg", "Aspirin 100 mg")
    first = pause(chart, audit, "Warfarin 5 mg")
    flow = recorded_workflow(parse_workflow(PAUSING, "flow"), first, {"drug": "Warfarin 5 mg"})
    pause(chart, audit, "Aspirin 100 mg", write_workflow(flow))
    # A file that was recorded before knows the label, and where it stood.
    place = "{left: 0.75, top: 0.075, right: 0.875, bottom: 0.125}"
    old = PAUSING.replace("do: click", f"do: click, target: {{words: Pause, role: button, place: {place}}}")
    pause(chart, audit, "Aspirin 100 mg", old)
    named = old.replace("${drug}", "Aspirin 100 mg").replace("parameters: {drug: which}", "")
    guard = Guard(parse_workflow(named, "flow").policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
    run_workflow(parse_workflow(named, "flow").bind({}), chart, guard, person=Ann())
    assert chart.pressed == ["Warfarin 5 mg", *3 * ["Aspirin 100 mg"]]


def test_a_label_that_stands_there_several_times_is_pressed_by_its_place_only_with_a_persons_word(
    audit: AuditLog,
) -> None:
    place = "{left: 0.75, top: 0.075, right: 0.875, bottom: 0.125}"
    by_place = f"""
name: pause the first
policy: {{name: chart, windows: [Chart], identity: none}}
steps:
  - {{name: pause it, do: click, target: {{words: Pause, role: button, place: {place}}}}}
"""
    chart, person = Chart("Warfarin 5 mg", "Aspirin 100 mg"), Ann()
    flow = parse_workflow(by_place, "flow").bind({})
    for who, pressed in ((Approved(), []), (person, ["Warfarin 5 mg"])):
        guard = Guard(flow.policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
        run_workflow(flow, chart, guard, person=who)
        assert chart.pressed == pressed
    assert person.asked == [True]


def test_a_label_that_is_not_as_the_step_quotes_it_is_not_approved_beforehand(audit: AuditLog) -> None:
    text = PAUSING.replace('"Pause"', '"Sign"')
    chart, person = Chart("Warfarin 5 mg", label="Sign off sheet"), Ann()
    assert pause(chart, audit, "Warfarin 5 mg", text, Approved()).outcome == Outcome.HALTED_BEFORE_EFFECT
    assert chart.pressed == []
    pause(chart, audit, "Warfarin 5 mg", text, person)
    assert person.asked in ([], [True])  # signing may be forbidden altogether


@pytest.mark.parametrize(
    ("find", "label", "written"),
    [
        ('the "Pause" button', "Pause", True),
        ('the "Pause" button of Warfarin', "Warfarin", True),
        ('the button that looks like "Pause"', "OK", False),
        ('the button "Continue"', "on", False),
        ('the button "Pause"', "", False),
        ("the button on the left", "", True),  # no label was quoted
    ],
)
def test_a_label_is_as_written_word_by_word(find: str, label: str, written: bool) -> None:
    rect = Rect(left=0, top=0, right=40, bottom=20)
    found = Target(rect=rect, point=rect.center, label=label, confidence=1.0, layer="tree")
    step = Step.model_validate({"name": "press", "do": "click", "find": find})
    assert is_as_written(step, found) is written


@pytest.mark.parametrize("approving", [False, True])
def test_a_row_that_is_inserted_above_moves_nobody_elses_button_under_the_click(
    approving: bool, audit: AuditLog
) -> None:
    chart = Chart("Warfarin 5 mg", "Aspirin 100 mg")

    def insert() -> None:
        chart.drugs.insert(0, "Ibuprofen 400 mg")

    if approving:
        person: Nobody = Ann(insert)
    else:
        chart.before_shot[3] = insert  # after the target was found
        person = Approved()
    report = pause(chart, audit, "Aspirin 100 mg", person=person)
    assert chart.pressed in ([], ["Aspirin 100 mg"])
    assert chart.pressed or report.outcome == Outcome.HALTED_BEFORE_EFFECT


class Rewriting(SimulatedActuator):
    """A page that writes a field anew as soon as another control is pressed."""

    def __init__(self, program: Program, to: str) -> None:
        super().__init__(program, key_s=0)
        self.to = to

    def perform(self, action: Action) -> str:
        told = super().perform(action)
        if isinstance(action, Click) or (isinstance(action, TypeText) and self.program.note.text and not self.to):
            self.program.note.text = self.to or "5 mg"
        return told


FILLING = """
name: fill in
policy: {name: plain, windows: [Records], identity: none}
steps:
  - {name: note, find: the "Note" field, do: type, text: "0,5 mg"}
  - {name: name, find: the "Name" field, do: type, text: Doe}
  - {name: save, find: click "Save", do: click, expect: {words: Saved Doe}}
"""


@pytest.mark.parametrize(
    ("to", "outcome", "records"),
    [
        ("0.5 mg", Outcome.VERIFIED, 1),  # only written otherwise
        ("5 mg", Outcome.RECONCILE, 1),  # seen once it was saved
        ("", Outcome.HALTED_BEFORE_EFFECT, 0),  # seen before, since the field was left earlier
    ],
)
def test_a_field_that_holds_something_else_by_now_is_told_of(
    to: str, outcome: Outcome, records: int, audit: AuditLog
) -> None:
    program = Program()
    flow = parse_workflow(FILLING, "flow").bind({})
    guard = Guard(flow.policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
    report = run_workflow(flow, Rewriting(program, to), guard, person=Ann())
    assert report.outcome == outcome
    assert len(program.records) == records
    assert outcome == Outcome.VERIFIED or "has changed since" in report.steps[-1].reason


def test_that_something_is_gone_tells_nothing_after_a_crash(audit: AuditLog, tmp_path: Path) -> None:
    text = FILLING.replace("expect: {words: Saved Doe}", "expect: {gone: Ready}")
    flow = parse_workflow(text, "flow").bind({})
    crashed = Journal(tmp_path / "run.jsonl", flow.sha256)
    for step in (1, 2):
        crashed.intent(step, "type")
        crashed.done(step, Outcome.COMPLETED_UNVERIFIED)
    crashed.intent(3, "click")
    crashed.close()
    journal = Journal(tmp_path / "run.jsonl", flow.sha256, resume=True)
    guard = Guard(flow.policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
    report = run_workflow(flow, SimulatedActuator(Program(status=""), key_s=0), guard, person=Ann(), journal=journal)
    journal.close()
    assert report.outcome == Outcome.RECONCILE


class Swapped(SimulatedActuator):
    """Shows another patient as soon as something was done."""

    patient = "Doe, Jane 1980-01-02 4471902"

    def perform(self, action: Action) -> str:
        told = super().perform(action)
        self.patient = "Roe, John 1970-03-04 4471903"
        return told


def test_another_patient_who_is_opened_while_a_text_is_typed_is_told_of(audit: AuditLog) -> None:
    actuator = Swapped(Program(), key_s=0)
    guard = Guard(
        Policy(name="chart", windows=("Records",), banner=Region(left=0, top=0, right=1, bottom=0.1)),
        audit,
        Mode.CONFIRM,
        Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902"),
        readers=2 * (lambda screen, banner: actuator.patient,),
        read_lines=lambda rgb: [],
    )
    seen = actuator.screen()
    target = locate('the "Note" field', seen).targets[0]
    action = TypeText(point=target.point, text="72.5")
    asked = guarded(actuator, guard, action, seen=seen, target=target)
    assert asked.request
    approval = guard.desk.approve(asked.request.id, asked.request.nonce, "Ann")
    record = guarded(actuator, guard, action, seen=seen, target=target, approval=approval)
    assert record.outcome == Outcome.RECONCILE
    assert "the patient changed while typing" in record.reason
    assert "Roe" not in record.reason


def test_a_proxy_for_the_web_does_not_learn_what_is_asked_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chart.json").write_text('{"weight": "72.5", "signed": true}', "utf-8")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with gui_stage.serve(tmp_path) as address:
        effect = HttpEffect(url=f"{address}/chart.json", at="weight", equals="72.5")
        assert effect.holds() == (True, "")
        assert HttpEffect(url=f"{address}/chart.json", at="signed", equals="true").holds() == (True, "")
        assert HttpEffect(url=f"{address}/chart.json", at="signed", equals="True").holds() == (True, "")


@pytest.mark.parametrize(("gap", "label"), [(5.0, "Sign out"), (40.0, "Sign")])
def test_what_is_read_in_pixels_is_called_by_all_words_that_stand_close(gap: float, label: str) -> None:
    rects = (box(50, 50, 40, 16), box(90 + gap, 50, 30, 16))
    line = Item("text", union(*rects), (Name(("Sign", "out"), rects=rects),), layer="words")
    (way, *_) = read_instruction('click "Sign"')
    (found, *_) = choose(way, [line], box(0, 0, 800, 600))
    assert found.label == label
    assert rects[0].holds(found.point)
