"""Workflows: the format, replay without a model, repair, checks outside, wrong patients, crashes."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.fixtures import gui_stage
from tests.fixtures.ehr import Ehr, serve_ehr
from tools.errors import ConfigError, StoreError
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.simulated import Program, SimulatedActuator
from tools.gui.actuators.verify import Check, Effect, Expect
from tools.gui.grounding import Question, Reply
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.audit import AuditLog, read_entries, verify
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.policy import Address, Policy, Region
from tools.gui.types import Actuator, Located, Outcome, PressKey, Rect, Screen, Target
from tools.gui.workflow.journal import Journal
from tools.gui.workflow.recorded_target import find_recorded, record_target
from tools.gui.workflow.run import Nobody, RunReport, recorded_workflow, run_workflow
from tools.gui.workflow.run_context import StepReport
from tools.gui.workflow.yaml_format import Recorded, Step, Workflow, load_workflow, parse_workflow, write_workflow

ORDER = Path(__file__).parent / "fixtures" / "order.yaml"
PLAIN = Policy(
    name="plain",
    windows=("Records",),
    identity="none",
    verbs={"delete": "approve"},
    auto_labels=("Name", "Note", "Save"),
)
SAVING = """
name: save a record
parameters: {who: the name, note: what to write}
policy: {name: plain, windows: [Records], identity: none, verbs: {delete: approve}}
steps:
  - {name: write the name, find: the "Name" field, do: type, text: "${who}"}
  - {name: write the note, find: the "Note" field, do: type, text: "${note}"}
  - {name: save, find: click "Save", do: click, expect: {words: "Saved ${who}"}}
"""


class Ann(Nobody):
    """Approves whatever is asked, and notes what; chooses the place that it is told to."""

    def __init__(self, choice: int | None = None) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.choice = choice

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        self.asked.append((step.name, repaired))
        return ["Ann"]

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        return None if self.choice is None else located.targets[self.choice]


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path / "audit.jsonl")
    yield log
    log.close()
    assert verify(log.path).holds


def run(workflow: Workflow, actuator: Actuator, audit: AuditLog, **given: Any) -> RunReport:
    guard = Guard(
        workflow.policy,
        audit,
        given.pop("mode", Mode.CONFIRM),
        given.pop("patient", None),
        read_lines=lambda rgb: [],
    )
    return run_workflow(workflow, actuator, guard, **{"person": Ann(), **given})


# The format


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("do: click", "do: klick", r"line 8: steps.2.do: 'klick'"),
        ("expect: {words", "expekt: {words", r"line 8: steps.2.expekt: unknown field; did you mean 'expect'"),
        ('find: the "Note" field, ', "", r"line 7: steps.1: 'type' needs a target: 'find' or 'target'"),
        ("windows: [Records]", "windows: []", r"line 4: policy: name at least one of 'windows' and 'urls'"),
        ("${note}", "${nota}", r"\$\{nota\} is used but not listed"),
        ("name: save a record", "name: ''", r"line 2: name: '': String should have at least 1"),
        ("steps:", "steps: []\nmore:", r"line 5: steps: \[\]"),
        ("do: click,", "do: click, do: type,", r"line 8: 'do' is set again"),
        ('{words: "Saved ${who}"}', "{}", r"line 8: steps.2.expect: name at least one of"),
        ("name: save a record", "name: [", r"cannot read"),
        ("steps:", "page_px: [0, -5]\nsteps:", r"line 5: page_px.0: 0: Input should be greater than or equal to 1"),
        ("steps:", "page_px: [99999, 800]\nsteps:", r"line 5: page_px.0: 99999: Input should be less than or equal to"),
        ("name: save a record", "name: 2026-13-45", r"line 2: name: '2026-13-45' is not a valid date. Quote it"),
        ('text: "${note}"', "text: !!int x", r"line 7: steps.1.text: 'x' is not a valid int"),
        ("name: save a record", "name: !!int ''", r"line 2: name: '' is not a valid int"),
        ("name: save a record", f"name: {'[' * 5000}", r"line 2: more than 50 levels of nesting"),
        ("name: save a record", "name: &a [*a]", r"line 2: aliases"),
        (
            '{words: "Saved ${who}"}',
            "Saved",
            r"steps.2.expect: 'Saved': Input .* values: words, gone, within, node, ch",
        ),
        (
            '{words: "Saved ${who}"}',
            "{node: x}",
            r"expect.node: 'x': Input .* values: role, name, value, states, lacks",
        ),
        ("windows: [Records]", "windows: Records", r"policy.windows: 'Records': Input should be a list\.$"),
        ("policy: {", "policy: {banner: 5, ", r"policy.banner: 5: Input .* values: left, top, right, bottom\.$"),
        ("expect: {words", "expekt: {words", r"did you mean 'expect'\?$"),
    ],
)
def test_mistakes_are_named_with_line_and_field(old: str, new: str, told: str) -> None:
    assert old in SAVING
    with pytest.raises(ConfigError, match=told):
        parse_workflow(SAVING.replace(old, new), "flow.yaml")


PRESSING = """
name: press
parameters: {key: which}
policy: {name: records, windows: [Records], identity: none}
steps:
  - {name: save, do: press, keys: KEYS}
"""


def test_keys_that_nobody_has_are_named_before_anything_is_done() -> None:
    for keys, unknown in (("ctlr+s", "ctlr"), ("ctrl+", ""), ("f13", "f13"), ("ctrl+save", "save")):
        told = rf"flow\.yaml, line 6: steps\.0: unknown key '{unknown}' in '{re.escape(keys)}'; write"
        with pytest.raises(ConfigError, match=told):
            parse_workflow(PRESSING.replace("KEYS", keys), "flow.yaml")
    flow = parse_workflow(PRESSING.replace("KEYS", "'ctrl+${key}'"), "flow.yaml")
    assert flow.bind({"key": "s"}).steps[0].action(None) == PressKey(keys=("ctrl", "s"))
    with pytest.raises(ConfigError, match=r"invalid value for steps\.0 .*unknown key 'sss' in 'ctrl\+sss'"):
        flow.bind({"key": "sss"})
    for keys, pressed in (("ctrl++", ("ctrl", "+")), ("'+'", ("+",)), ("Return", ("Return",)), ("' '", (" ",))):
        step = parse_workflow(PRESSING.replace("KEYS", keys), "flow.yaml").steps[0]
        assert step.action(None) == PressKey(keys=pressed)


@given(
    values=st.fixed_dictionaries({"who": st.text(min_size=1, max_size=40), "note": st.text(min_size=1, max_size=40)})
)
@settings(max_examples=50)
def test_values_are_texts_whatever_they_hold(values: dict[str, str]) -> None:
    bound = parse_workflow(SAVING, "flow.yaml").bind(values)
    assert [step.text for step in bound.steps[:2]] == [values["who"], values["note"]]
    assert bound.steps[2].expect == Expect(words=f"Saved {values['who']}")
    assert bound.policy == parse_workflow(SAVING, "flow.yaml").policy
    assert (
        bound.sha256 == parse_workflow(SAVING, "flow.yaml").bind({**values, "note": values["note"] + "x"}).sha256
    ) is False


def test_values_that_lack_are_named(tmp_path: Path) -> None:
    flow = parse_workflow(SAVING, "flow.yaml")
    with pytest.raises(ConfigError, match=r"lacks a value for 'note'.*note \(what to write\)"):
        flow.bind({"who": "Doe"})
    with pytest.raises(ConfigError, match="has no parameter 'whom'"):
        flow.bind({"who": "Doe", "note": "x", "whom": "y"})
    with pytest.raises(ConfigError, match="cannot read"):
        load_workflow(tmp_path / "none.yaml")
    assert parse_workflow(write_workflow(flow), "written") == flow


# Replay


def test_a_recorded_run_is_replayed_without_a_model(audit: AuditLog) -> None:
    flow, values = parse_workflow(SAVING, "flow.yaml"), {"who": "Doe", "note": "K<5.0 μg"}
    program = Program()
    first = run(flow.bind(values), SimulatedActuator(program, key_s=0), audit)
    assert first.outcome == Outcome.VERIFIED
    assert [step.how for step in first.steps] == ["instruction"] * 3
    recorded = parse_workflow(write_workflow(recorded_workflow(flow, first, values)), "recorded.yaml")
    assert recorded.steps[2].target == Recorded(
        words="Save", role="button", place=Region(left=150 / 640, top=390 / 480, right=280 / 640, bottom=424 / 480)
    )

    def model(question: Question) -> Reply:
        raise AssertionError("no model is asked on the healthy path")

    for tree in (True, False):
        program = Program(upside_down=tree)
        bound = recorded.bind({"who": "Roe", "note": "second"})
        again = run(bound, SimulatedActuator(program, tree=tree, key_s=0), audit, ask=model)
        assert again.outcome == Outcome.VERIFIED
        assert again.model_calls == 0
        assert [step.how for step in again.steps] == ["recorded"] * 3
        assert program.records == ["Roe: second"]


def test_values_are_recorded_by_name_as_whole_words_only() -> None:
    flow = parse_workflow(SAVING, "flow.yaml")
    found = Recorded(words="Weight 72.5 kg of u")
    report = RunReport(3, frozenset(), [StepReport(3, "save", Outcome.VERIFIED, recorded=found)])
    recorded = recorded_workflow(flow, report, {"weight": "72.5", "u": "g", "who": "u"}).steps[2].target
    assert recorded
    assert recorded.words == "Weight ${weight} kg of ${who}"


def test_only_the_broken_step_is_repaired(audit: AuditLog) -> None:
    flow = parse_workflow(SAVING.replace('find: click "Save"', 'find: click "Save", target: {words: Store}'), "flow")
    program, person = Program(), Ann()
    report = run(flow.bind({"who": "Doe", "note": "x"}), SimulatedActuator(program, key_s=0), audit, person=person)
    assert report.repaired == [3]
    assert report.outcome == Outcome.VERIFIED
    assert program.records == ["Doe: x"]
    assert person.asked[-1] == ("save", True)


def test_nothing_found_and_nobody_asked_halts(audit: AuditLog) -> None:
    text = SAVING.replace("do: click, expect", "do: click, timeout_s: 0.5, expect")
    for broken in (text.replace('click "Save"', 'click "Sign"'), text):
        program = Program()
        flow = parse_workflow(broken, "flow").bind({"who": "Doe", "note": "x"})
        report = run(flow, SimulatedActuator(program, key_s=0), audit, person=Nobody() if broken == text else Ann())
        assert report.outcome == Outcome.HALTED_BEFORE_EFFECT
        assert program.records == []


def test_dangerous_labels_need_the_policy_and_a_person(audit: AuditLog) -> None:
    deleting = """
name: delete a record
policy: {name: plain, windows: [Records], identity: none, verbs: {delete: approve}}
steps:
  - {name: ask, find: click "Delete", do: click, expect: {words: Cancel}}
  - {name: confirm, find: click "OK", do: click, requires: ["Delete the record of Doe?"], expect: {words: Deleted 1}}
"""
    for forbidden, name in ((True, "Doe"), (False, "Roe"), (False, "Doe")):
        program = Program(records=["Doe: x"])
        program.name.text = name
        flow = parse_workflow(deleting.replace(", verbs: {delete: approve}", "") if forbidden else deleting, "flow")
        person = Ann()
        report = run(flow, SimulatedActuator(program), audit, person=person)
        right = not forbidden and name == "Doe"
        assert program.records == ([] if right else ["Doe: x"])
        assert report.outcome == (Outcome.VERIFIED if right else Outcome.HALTED_BEFORE_EFFECT)
        assert len(person.asked) == (0 if forbidden else 2 if right else 1)


def test_icons_are_found_by_their_pixels() -> None:
    rng = np.random.default_rng(3)
    icon = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    page = np.full((300, 400, 3), 240, np.uint8)
    page[100:124, 60:84] = icon
    place = Rect(left=60, top=100, right=84, bottom=124)
    target = Target(rect=place, point=place.center, label="gear", confidence=1, layer="icon")
    recorded = record_target(Screen(rgb=page), target)
    moved = np.full((300, 400, 3), 240, np.uint8)
    moved[200:224, 300:324] = icon
    found = find_recorded(recorded, Screen(rgb=moved))
    assert [one.rect for one in found.targets] == [Rect(left=300, top=200, right=324, bottom=224)]
    twice = moved.copy()
    twice[20:44, 20:44] = icon
    assert len(find_recorded(recorded, Screen(rgb=twice)).targets) == 2
    assert "Say which" in find_recorded(recorded, Screen(rgb=twice)).abstained
    assert find_recorded(recorded, Screen(rgb=np.full((300, 400, 3), 240, np.uint8))).targets == ()


class Restless(SimulatedActuator):
    """Its buttons change places by themselves, with each of the screenshots that are named."""

    def __init__(self, program: Program, *shots: int) -> None:
        super().__init__(program, key_s=0)
        self.shots, self.moves = 0, shots

    def screen(self, *, tree: bool = True) -> Screen:
        self.shots += 1
        if self.shots in self.moves:
            self.program.upside_down = not self.program.upside_down
        return super().screen(tree=tree)


@pytest.mark.parametrize(
    ("moves", "saved", "asked"), [((2,), True, 1), ((2, 4), True, 1), (tuple(range(2, 99)), False, 0), ((3,), False, 1)]
)
def test_a_screen_that_was_still_changing_is_aimed_at_again(
    moves: tuple[int, ...], saved: bool, asked: int, audit: AuditLog
) -> None:
    """Once a person has agreed to what they saw, a change ends the run."""
    text = SAVING.replace("  - {name: write the name", "  # {").replace("  - {name: write the note", "  # {")
    flow = parse_workflow(
        text.replace("parameters: {who: the name, note: what to write}", "").replace("${who}", ""), "flow"
    )
    program, person = Program(), Ann()
    report = run(flow, Restless(program, *moves), audit, person=person)
    assert bool(program.records) == saved
    assert report.outcome == (Outcome.VERIFIED if saved else Outcome.HALTED_BEFORE_EFFECT)
    assert len(person.asked) == asked


# Checks


class Late(SimulatedActuator):
    """A program whose screen says so only at the look of a number."""

    def __init__(self, shows_at: int) -> None:
        super().__init__(Program(), key_s=0)
        self.looks, self.shows_at = 0, shows_at

    def screen(self, *, tree: bool = True) -> Screen:
        self.looks += 1
        self.program.status = "Saved Doe" if self.looks >= self.shows_at else "Ready"
        return super().screen(tree=tree)


@pytest.mark.parametrize(("shows_at", "holds"), [(1, True), (2, True), (3, True), (4, False)])
def test_an_effect_is_looked_for_three_times_however_long_a_look_takes(shows_at: int, holds: bool) -> None:
    actuator = Late(shows_at)
    before = SimulatedActuator(Program()).screen()
    # All its time is over with the first look, as on a busy machine.
    check = Check(actuator, before, Expect(words="Saved Doe"), None, 0.0, KillSwitch())
    assert check(actuator.screen()) is holds
    assert actuator.looks == min(shows_at, 3)
    assert bool(check.reason) != holds


# Checks outside


def test_effects_are_looked_up_outside(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ehr.db") as database:
        database.execute("create table weights (patient, kg)")
        database.execute("insert into weights values ('4711', 72)")
    database.close()
    (tmp_path / "study.zip").write_bytes(b"x" * 200)
    sql = {"kind": "sql", "database": str(tmp_path / "ehr.db"), "query": "select kg from weights where patient = ?"}
    file = {"kind": "file", "folder": str(tmp_path), "pattern": "*.zip"}
    with serve_ehr() as ehr:
        ehr.orders("4471902").append({"drug": "Ibuprofen", "dose": "400 mg"})
        api = f"{ehr.address}/api/patients"
        cases: list[tuple[dict[str, Any], bool | None]] = [
            ({"kind": "http", "url": f"{api}/4471902"}, True),
            ({"kind": "http", "url": f"{api}/1", "status": 404}, True),
            ({"kind": "http", "url": f"{api}/4471902", "status": 404}, False),
            ({"kind": "http", "url": f"{api}/4471902", "at": "orders.0.drug", "equals": "Ibuprofen"}, True),
            ({"kind": "http", "url": f"{api}/4471902", "at": "orders.1.drug", "equals": "Ibuprofen"}, False),
            ({"kind": "http", "url": f"{api}/4471902/orders", "count": 1}, True),
            ({"kind": "http", "url": f"{api}/4471902/orders", "count": 2}, False),
            ({"kind": "http", "url": f"{api}/4471902", "contains": "Doe, Jane"}, True),
            ({"kind": "http", "url": "http://127.0.0.1:1/"}, None),
            ({**sql, "values": ["4711"], "equals": "72"}, True),
            ({**sql, "values": ["4712"], "equals": None}, True),
            ({**sql, "values": ["4711"], "equals": "73"}, False),
            ({**sql, "database": str(tmp_path / "none.db"), "values": ["1"], "equals": "1"}, None),
            ({**sql, "query": "delete from weights", "equals": None}, None),
            ({**file, "least_bytes": 100}, True),
            ({**file, "least_bytes": 1000}, False),
        ]
        for raw, holds in cases:
            assert TypeAdapter(Effect).validate_python(raw).holds()[0] is holds, raw
    with pytest.raises(ValidationError, match="scheme"):
        TypeAdapter(Effect).validate_python({"kind": "http", "url": "file:///etc/passwd"})


def order(ehr: Ehr, lang: str = "en", patient: str = "4471902", drug: str = "Ibuprofen") -> Workflow:
    english = {"drug_label": "Drug", "dose_label": "Dose", "order_label": "Place order", "done": "Ordered"}
    german = {"drug_label": "Arzneimittel", "dose_label": "Dosis", "order_label": "Anordnen", "done": "Angeordnet"}
    words = english if lang == "en" else german
    given = {"base": ehr.address, "lang": lang, "patient": patient, "drug": drug, "dose": "½ × 400 mg", **words}
    flow = load_workflow(ORDER)
    port = int(ehr.address.rsplit(":", 1)[1])
    here = Address(host="127.0.0.1", path="/app/*", schemes=("http",), port=port)
    flow = flow.model_copy(update={"policy": flow.policy.model_copy(update={"urls": (here,)})})
    return flow.bind(given)


JANE = Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902")


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with serve_ehr() as served:
        yield served


@pytest.fixture
def page() -> Iterator[Any]:
    opened: list[BrowserActuator] = []

    def close() -> None:
        while opened:
            opened.pop().close()

    def open_page(flow: Workflow, **given: Any) -> BrowserActuator:
        close()
        opened.append(BrowserActuator(flow.start, executable=gui_stage.chromium(), size_px=(800, 600), **given))
        return opened[-1]

    yield open_page
    close()


@pytest.mark.parametrize(("lang", "tree"), [("en", True), ("de", False)])
def test_an_order_is_placed_for_the_right_patient(lang: str, tree: bool, ehr: Ehr, page: Any, audit: AuditLog) -> None:
    flow, person = order(ehr, lang), Ann()
    report = run(flow, page(flow, tree=tree), audit, patient=JANE, person=person)
    assert [(step.outcome, step.reason) for step in report.steps][-1] == (Outcome.VERIFIED, "")
    assert report.outcome == Outcome.VERIFIED
    assert ehr.orders("4471902") == [{"drug": "Ibuprofen", "dose": "½ × 400 mg"}]
    assert person.asked[-1] == ("order", False)


@pytest.mark.parametrize("tree", [True, False])
def test_the_wrong_patient_halts_before_anything_is_typed(tree: bool, ehr: Ehr, page: Any, audit: AuditLog) -> None:
    flow = order(ehr, patient="4471920")
    report = run(flow, page(flow, tree=tree), audit, patient=JANE)
    assert report.outcome == Outcome.HALTED_BEFORE_EFFECT
    assert len(report.steps) == 1
    assert report.steps[0].record
    assert report.steps[0].record.rule == "identity"
    assert "4471920" not in report.steps[0].reason
    assert ehr.orders("4471920") == []


def test_a_page_that_lies_is_not_believed(ehr: Ehr, page: Any, audit: AuditLog) -> None:
    ehr.lies = True
    flow = order(ehr)
    report = run(flow, page(flow), audit, patient=JANE)
    assert report.outcome == Outcome.RECONCILE
    assert "orders" in report.steps[-1].reason
    assert ehr.orders("4471902") == []


def test_an_allergy_stops_an_order(ehr: Ehr, page: Any, audit: AuditLog) -> None:
    flow = order(ehr, drug="Amoxicillin")
    report = run(flow, page(flow), audit, patient=JANE)
    assert report.outcome == Outcome.RECONCILE
    assert "is not shown" in report.steps[-1].reason
    assert ehr.orders("4471902") == []


def test_an_effect_that_is_there_already_is_not_caused_again(ehr: Ehr, page: Any, audit: AuditLog) -> None:
    ehr.orders("4471902").append({"drug": "Ibuprofen", "dose": "1"})
    flow = order(ehr)
    report = run(flow, page(flow), audit, patient=JANE)
    assert report.outcome == Outcome.HALTED_BEFORE_EFFECT
    assert "already there" in report.steps[-1].reason
    assert report.steps[-1].there
    assert len(ehr.orders("4471902")) == 1


def test_of_two_that_are_alike_a_person_chooses(ehr: Ehr, page: Any, audit: AuditLog) -> None:
    port = ehr.address.rsplit(":", 1)[1]
    text = f"""
name: open a chart
start: {ehr.address}/app/
policy: {{name: list, urls: [{{host: 127.0.0.1, schemes: [http], port: {port}}}], identity: none}}
steps:
  - {{name: open, target: {{words: Open chart, role: button}}, do: click, expect: {{words: "MRN 4471920"}}}}
"""
    flow = parse_workflow(text, "flow")
    for person, outcome in ((Nobody(), Outcome.HALTED_BEFORE_EFFECT), (Ann(choice=1), Outcome.VERIFIED)):
        report = run(flow, page(flow), audit, person=person)
        assert report.outcome == outcome, report.steps[0].reason
        assert report.steps[0].how == "person"


# Crashes

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_tools_gui_workflow import Ann, BrowserActuator, JANE, Journal, Workflow, gui_stage, run
from tools.gui.guard.audit import AuditLog
folder = Path({folder!r})
flow = Workflow.model_validate_json((folder / "flow.json").read_text("utf-8"))
actuator = BrowserActuator(flow.start, executable=gui_stage.chromium(), size_px=(800, 600))
journal = Journal(folder / "journal.jsonl", flow.sha256)
run(flow, actuator, AuditLog(folder / "child.jsonl"), patient=JANE, journal=journal)
"""


@pytest.mark.parametrize("taken", [True, False])
def test_after_a_kill_nothing_is_done_twice(taken: bool, ehr: Ehr, page: Any, audit: AuditLog, tmp_path: Path) -> None:
    flow = order(ehr)
    (tmp_path / "flow.json").write_text(flow.model_dump_json(), "utf-8")
    script = CHILD.format(root=str(Path(__file__).parent.parent), folder=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    ehr.lies = not taken
    ehr.on_order = lambda: os.kill(child.pid, signal.SIGKILL)
    assert child.wait(timeout=120) == -signal.SIGKILL
    assert len(ehr.orders("4471902")) == taken
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()]
    assert (lines[-1]["kind"], lines[-1]["step"]) == ("intent", 3)
    ehr.lies, ehr.on_order = False, lambda: None
    journal = Journal(tmp_path / "journal.jsonl", flow.sha256, resume=True)
    report = run(flow, page(flow), audit, patient=JANE, journal=journal)
    journal.close()
    assert report.outcome == Outcome.VERIFIED
    assert len(ehr.orders("4471902")) == 1
    assert ("reconciled" in [step.how for step in report.steps]) == taken
    again = Journal(tmp_path / "journal.jsonl", flow.sha256, resume=True)
    assert run(flow, page(flow), audit, patient=JANE, journal=again).outcome == Outcome.VERIFIED
    again.close()
    assert len(ehr.orders("4471902")) == 1


def test_without_a_check_a_crash_is_left_to_a_person(audit: AuditLog, tmp_path: Path) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "x"})
    steps = (*flow.steps[:2], flow.steps[2].model_copy(update={"expect": None}))
    flow = flow.model_copy(update={"steps": steps})

    class Knows(Ann):
        def __init__(self, said: bool | None) -> None:
            super().__init__()
            self.said = said

        def was_done(self, step: Step) -> bool | None:
            return self.said

    for number, (said, outcome, records) in enumerate(
        [(None, Outcome.RECONCILE, []), (True, Outcome.VERIFIED, []), (False, Outcome.COMPLETED_UNVERIFIED, ["Doe: x"])]
    ):
        path, program = tmp_path / f"{number}.jsonl", Program()
        actuator = SimulatedActuator(program, key_s=0)
        crashed = Journal(path, flow.sha256)
        for step in (1, 2):
            crashed.intent(step, "type")
            crashed.done(step, Outcome.COMPLETED_UNVERIFIED)
        crashed.intent(3, "click")
        crashed.close()
        program.name.text, program.note.text = "Doe", "x"
        journal = Journal(path, flow.sha256, resume=True)
        report = run(flow, actuator, audit, person=Knows(said), journal=journal)
        journal.close()
        assert report.outcome == outcome
        assert program.records == records


def test_journals_hold_or_say_why_not(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal(path, "a" * 64)
    with pytest.raises(StoreError, match="another process"):
        Journal(path, "a" * 64, resume=True)
    journal.intent(1, "click")
    journal.done(1, Outcome.VERIFIED)
    journal.intent(2, "click")
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "done", "st')
    torn = Journal(path, "a" * 64, resume=True)
    assert torn.past.done == {1: Outcome.VERIFIED}
    assert torn.past.open == 2
    torn.done(2, Outcome.HALTED_BEFORE_EFFECT)
    torn.close()
    assert Journal(path, "a" * 64, resume=True).past.open is None
    with pytest.raises(ConfigError, match="belongs to another workflow"):
        Journal(path, "b" * 64, resume=True)
    with pytest.raises(ConfigError, match="already exists"):
        Journal(path, "a" * 64)
    with pytest.raises(ConfigError, match="does not exist"):
        Journal(tmp_path / "none.jsonl", "a" * 64, resume=True)
    path.write_bytes(path.read_bytes().replace(b"intent", b"intend"))
    with pytest.raises(StoreError, match="damaged"):
        Journal(path, "a" * 64, resume=True)


def test_a_journal_is_of_one_patient_and_names_nobody(tmp_path: Path) -> None:
    path, roe = tmp_path / "run.jsonl", Patient(name="Roe, Max", birth_date="1971-03-04", id="5582013")
    Journal(path, "a" * 64, patient=JANE).close()
    for other in (roe, None, JANE.model_copy(update={"id": "4471903"})):
        with pytest.raises(ConfigError, match="belongs to another patient"):
            Journal(path, "a" * 64, patient=other, resume=True)
    Journal(path, "a" * 64, patient=JANE, resume=True).close()
    text = path.read_text("utf-8")
    assert "a" * 64 not in text
    assert not any(value in text for value in JANE.fields.values())
    assert path.stat().st_mode & 0o077 == 0
    Journal(tmp_path / "other.jsonl", "a" * 64, patient=JANE).close()
    heads = [json.loads((tmp_path / name).read_text("utf-8")) for name in ("run.jsonl", "other.jsonl")]
    assert heads[0]["patient"] != heads[1]["patient"]  # salted
    path.write_text('{"kind": "run", "workflow_sha256": "' + "a" * 64 + '"}\n', "utf-8")
    with pytest.raises(ConfigError, match="does not identify the patient"):
        Journal(path, "a" * 64, patient=JANE, resume=True)


class RefusesSave(Ann):
    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        return [] if step.name == "save" else ["Ann"]


def test_what_was_typed_and_lost_is_typed_again(audit: AuditLog, tmp_path: Path) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "72.5"})
    path = tmp_path / "run.jsonl"
    first = Journal(path, flow.sha256)
    halted = run(flow, SimulatedActuator(Program(), key_s=0), audit, person=RefusesSave(), journal=first)
    first.close()
    assert halted.outcome == Outcome.HALTED_BEFORE_EFFECT
    anew = Program()  # opened anew: another name and another note stand there
    anew.name.text, anew.note.text = "Doe", "50"
    second = Journal(path, flow.sha256, resume=True)
    report = run(flow, SimulatedActuator(anew, key_s=0), audit, journal=second)
    second.close()
    assert report.outcome == Outcome.VERIFIED
    assert anew.records == ["Doe: 72.5"]


def test_where_the_field_is_gone_nothing_is_written(audit: AuditLog, tmp_path: Path) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "72.5"})
    flow = flow.model_copy(update={"steps": tuple(s.model_copy(update={"timeout_s": 0.1}) for s in flow.steps)})
    path = tmp_path / "run.jsonl"
    first = Journal(path, flow.sha256)
    run(flow, SimulatedActuator(Program(), key_s=0), audit, person=RefusesSave(), journal=first)
    first.close()
    other = Program(dialog="Something else?")
    second = Journal(path, flow.sha256, resume=True)
    report = run(flow, SimulatedActuator(other, key_s=0), audit, journal=second)
    second.close()
    assert report.outcome == Outcome.RECONCILE
    assert "may be gone" in report.steps[-1].reason
    assert other.records == []


@pytest.mark.parametrize("there", [None, False, True])
def test_what_cannot_be_done_twice_is_asked_about_before_more_is_written(
    there: bool | None, audit: AuditLog, tmp_path: Path
) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "x"})
    clear = Step(name="clear", find='click "Clear"', do="click")
    flow = flow.model_copy(update={"steps": (clear, *flow.steps)})

    class Sees(Ann):
        def still_there(self, step: Step) -> bool | None:
            return there

    path, program = tmp_path / "run.jsonl", Program()
    first = Journal(path, flow.sha256)
    run(flow, SimulatedActuator(program, key_s=0), audit, person=RefusesSave(), journal=first)
    first.close()
    second = Journal(path, flow.sha256, resume=True)
    report = run(flow, SimulatedActuator(program, key_s=0), audit, person=Sees(), journal=second)
    second.close()
    assert report.outcome == (Outcome.VERIFIED if there else Outcome.RECONCILE)
    assert program.records == (["Doe: x"] if there else [])


def test_the_stop_file_cancels(audit: AuditLog) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "x"})
    actuator = SimulatedActuator(key_s=0)
    guard = Guard(flow.policy, audit, Mode.CONFIRM)
    guard.stop.set("a person")
    report = run_workflow(flow, actuator, guard, person=Ann())
    assert report.outcome == Outcome.CANCELLED
    assert replace(report.steps[0]).reason


def test_what_is_typed_does_not_stand_in_the_record(audit: AuditLog) -> None:
    program = Program()
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "Pw-hunter2"})
    assert run(flow, SimulatedActuator(program, key_s=0), audit).outcome == Outcome.VERIFIED
    assert program.records == ["Doe: Pw-hunter2"]
    assert "hunter2" not in audit.path.read_text("utf-8")
    typed = [entry["action"] for entry in read_entries(audit.path) if entry.get("action", {}).get("kind") == "type"]
    assert typed[-1]["text_length"] == len("Pw-hunter2")
    assert audit.path.stat().st_mode & 0o077 == 0


def test_an_approval_that_does_not_count_halts_and_leaves_nothing_open(audit: AuditLog, tmp_path: Path) -> None:
    flow = parse_workflow(SAVING, "flow").bind({"who": "Doe", "note": "x"})
    flow = flow.model_copy(update={"policy": flow.policy.model_copy(update={"approvers": ("Bob",)})})
    program, journal = Program(), Journal(tmp_path / "run.jsonl", flow.sha256)
    report = run(flow, SimulatedActuator(program, key_s=0), audit, journal=journal)
    journal.close()
    assert report.outcome == Outcome.HALTED_BEFORE_EFFECT
    assert "'Ann' may not approve" in report.steps[-1].reason
    assert [entry["kind"] for entry in read_entries(audit.path)].count("refused") == 1
    again = Journal(tmp_path / "run.jsonl", flow.sha256, resume=True)
    again.close()
    assert again.past.open is None
    assert program.records == []
