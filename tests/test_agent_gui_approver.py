"""The person at the terminal: what refuses, what cancels, what is shown, and what is told where it may be kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.gui.approver import TerminalPerson, refuses, row_text
from agent.gui.exit_codes import conclude, stoppable
from agent.gui.reporter import Reporter
from tests.fixtures import gui_stage
from tests.fixtures.ehr import Ehr, serve_ehr
from tests.test_agent_gui_run import Terminal
from tools.errors import ConfigError, MediaError, Stopped
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.simulated import SimulatedActuator
from tools.gui.actuators.verify import FileEffect
from tools.gui.grounding import locate
from tools.gui.guard.approval import ApprovalDesk, ApprovalRequest
from tools.gui.guard.audit import AuditLog, read_entries
from tools.gui.guard.decide import Decision, Verdict
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch, write_stop
from tools.gui.guard.policy import Policy
from tools.gui.guard.record import Record
from tools.gui.types import Click, Located, Outcome, Point, Rect, Target
from tools.gui.workflow.journal import Journal
from tools.gui.workflow.run import recorded_workflow
from tools.gui.workflow.run_context import RunReport, StepReport
from tools.gui.workflow.yaml_format import Recorded, Step, Workflow, load_workflow, parse_workflow, write_workflow

STEP = Step(name="save", find='click "Save"', do="click")
JANE = Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902")
CHART = """
name: write a drug
parameters: {{drug: as it is typed, shown: what has to be shown}}
start: {address}/app/?patient={patient}
policy:
  name: drugs
  urls: [{{host: 127.0.0.1, path: /app/*, schemes: [http], port: {port}}}]
  banner: {{left: 0, top: 0, right: 1, bottom: 0.126}}
steps:
  - name: write the drug
    find: the "Drug" field
    do: type
    text: ${{drug}}
    requires: ["${{shown}}"]
    timeout_s: 2
"""
OPEN = """
name: open a chart
start: {address}/app/
policy: {{name: list, urls: [{{host: 127.0.0.1, schemes: [http], port: {port}}}], identity: none}}
steps:
  - {{name: open, find: 'click "Open chart"', do: click, expect: {{words: "MRN 4471920"}}}}
"""
FORM = """
name: save
start: {address}/gui_form.html
policy: {{name: form, urls: [{{host: 127.0.0.1, schemes: [http], port: {port}}}], identity: none}}
steps:
  - {{name: save, find: click "Save", do: click}}
"""


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with serve_ehr() as served:
        yield served


def write(path: Path, flow: str, address: str, **more: str) -> Path:
    path.write_text(flow.format(address=address, port=address.rsplit(":", 1)[1], **more), "utf-8")
    return path


def request(label: str = "Save", approvers: int = 1) -> ApprovalRequest:
    screen, where = SimulatedActuator(key_s=0).screen(), Rect(left=150, top=390, right=280, bottom=424)
    target = Target(rect=where, point=where.center, label=label, confidence=1, layer="tree")
    decision = Decision(verdict=Verdict.NEEDS_APPROVAL, reason="asks", approvers=approvers)
    return ApprovalDesk().ask(screen, Click(point=where.center), target, decision)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person at a terminal answers, one after the other."""
    said: list[str] = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.prompt", lambda *told, **how: said.pop(0))
    return said


REFUSED = ["", " ", "n", "N", "no", "No.", "NO!", "nein", "non", "stop", "Cancel", "abbrechen", "q", "quit", "x", "y"]


@pytest.mark.parametrize("answer", [*REFUSED, "no thanks", "do not", "don't", "7", "--", "Nein, falsch"])
def test_a_word_of_refusal_is_no_name(answer: str, answers: list[str]) -> None:
    answers += [answer, "Ann"]
    assert TerminalPerson(()).approve(STEP, request(), repaired=False) == []
    assert answers == ["Ann"]
    with pytest.raises(ConfigError, match="invalid --approve"):
        TerminalPerson([answer])


@pytest.mark.parametrize("name", ["Ann", "Li", "Noemi", "Ann N.", "Jörg Müller", "Quinn", "王小明", "Stopford"])
def test_a_name_approves(name: str, answers: list[str]) -> None:
    answers.append(f" {name} ")
    assert TerminalPerson(()).approve(STEP, request(), repaired=False) == [name]
    assert not refuses(name)


def test_who_agrees_is_asked_for_a_name_and_both_have_to_agree(answers: list[str]) -> None:
    answers += ["yes", "Ann", "ok", "Ben"]
    assert TerminalPerson(()).approve(STEP, request(approvers=2), repaired=False) == ["Ann", "Ben"]
    answers += ["Ann", "no"]
    assert TerminalPerson(()).approve(STEP, request(approvers=2), repaired=False) == []


def test_whoever_breaks_off_a_question_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())

    def break_off(*told: object, **how: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.prompt", break_off)
    before = signal.getsignal(signal.SIGTERM)
    for ask in ("approve", "choose", "was_done", "still_there"):
        stop = KillSwitch()
        person = TerminalPerson((), stop=stop)
        given: dict[str, tuple[Any, ...]] = {
            "approve": (STEP, request()),
            "choose": (STEP, SimulatedActuator(key_s=0).screen(), Located(abstained="2 places fit.")),
        }
        with pytest.raises(Stopped, match="the person who was asked"):
            getattr(person, ask)(*given.get(ask, (STEP,)), **({"repaired": False} if ask == "approve" else {}))
        assert stop.by
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("how", ["ctrl+c", "sigterm"])
def test_a_run_that_is_broken_off_at_the_question_is_cancelled(how: str, tmp_path: Path) -> None:
    env = {**os.environ, "CHROMIUM": gui_stage.chromium(), "TERM": "dumb", "COLUMNS": "200"}
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        flow = write(tmp_path / "flow.yaml", FORM, address)
        command = [Path(sys.executable).with_name("attend"), "gui", "run", flow, "--mode", "confirm"]
        command += ["--folder", tmp_path / "state"]
        told = pexpect.spawn(shlex.join(map(str, command)), env=env, encoding="utf-8", timeout=120)
        told.expect(r"where it lands at \d+, \d+: (\S+\.png)")
        crop = Path(str(told.match.group(1)))
        # The last blank is written on the way into the system's read; asleep after that, it waits for the answer.
        told.expect(r"leave empty to refuse.*\): ")
        stat = Path(f"/proc/{told.pid}/stat")
        gui_stage.until(lambda: stat.read_text("utf-8").rpartition(")")[2].split()[0] == "S", "the question")
        assert crop.stat().st_mode & 0o077 == 0
        if how == "ctrl+c":
            told.sendintr()
        else:
            told.kill(signal.SIGTERM)
        told.expect("cancelled; 0 model calls")
        told.expect(pexpect.EOF)
        told.close()
        assert told.exitstatus == 7
        assert not crop.exists()
        (path,) = (tmp_path / "state" / "gui").glob("run-*.jsonl")
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert [(line["kind"], line.get("outcome")) for line in lines[1:]] == [
            ("intent", None),
            ("done", "halted_before_effect"),
        ]
        audit = list(read_entries(tmp_path / "state" / "gui" / "audit.jsonl"))
        assert "the person who was asked" in audit[-1]["halted_for"]
        # Nothing was done, so that the step is simply done on resuming.
        code, steps = attend(tmp_path, str(flow), "--mode", "confirm", "--approve", "Ann", "--resume", str(path))
        assert (code, steps[-1]["outcome"]) == (3, "completed_unverified")


WAITING = """
name: wait
start: {address}/gui_form.html
policy: {{name: form, urls: [{{host: 127.0.0.1, schemes: [http], port: {port}}}], identity: none}}
steps:
  - {{name: save, find: click "Save", do: click}}
  - {{name: wait for it, do: wait, text: Never shown, timeout_s: 90}}
"""


@pytest.mark.parametrize(
    ("number", "group", "flags"),
    [(signal.SIGINT, True, ()), (signal.SIGTERM, False, ("--json",)), (signal.SIGTERM, True, ())],
)
def test_a_run_that_is_interrupted_between_questions_is_cancelled(
    number: signal.Signals, group: bool, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """A terminal sends Ctrl+C to the browser's driver, too."""
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        flow = write(tmp_path / "flow.yaml", WAITING, address)
        command = [
            Path(sys.executable).with_name("attend"),
            "gui",
            "run",
            flow,
            "--mode",
            "confirm",
            "--approve",
            "Ann",
        ]
        process = subprocess.Popen(
            [*map(str, command), "--folder", str(tmp_path / "state"), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "CHROMIUM": gui_stage.chromium()},
        )
        assert process.stdout
        first = process.stdout.readline()
        (os.killpg if group else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=60)
    assert "save" in first
    assert (process.returncode, "Stopping" in err) == (7, True), out + err
    (journal,) = (tmp_path / "state" / "gui").glob("run-*.jsonl")
    if flags:
        told = json.loads(out.splitlines()[-1])
        assert (told["outcome"], told["journal"]) == ("cancelled", str(journal))
        assert told["hint"] == f"Resume with: --resume {journal}"
    else:
        assert "cancelled; 0 model calls" in out
        assert f"Resume with: --resume {journal}" in out
    assert "attend stop --clear" not in out


def test_what_is_ignored_stays_ignored_and_a_second_interrupt_ends_at_once() -> None:
    before, stop = signal.signal(signal.SIGHUP, signal.SIG_IGN), KillSwitch()
    try:
        with stoppable(stop, as_json=False):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(Stopped, match=r"Ctrl\+C"):
                stop.pause(0)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_stopped_folder_names_the_command_that_lifts_it(flags: tuple[str, ...], tmp_path: Path) -> None:
    state = tmp_path / "a state"
    write_stop(state, "attend stop (ann)")
    result = CliRunner().invoke(app, ["gui", "run", "flow.yaml", "--folder", str(state), *flags])
    told = json.loads(result.stdout)["reason"] if flags else result.stderr
    assert result.exit_code == 7
    assert f"attend stop --clear --folder '{state}'" in told
    assert "[DATE]" not in told


def ended(tmp_path: Path, capsys: pytest.CaptureFixture[str], step: Step, told: StepReport, person: Any) -> str:
    flow = Workflow(name="x", policy=Policy(name="x", windows=("*",), identity="none"), steps=(step,))
    with contextlib.closing(AuditLog(tmp_path / "audit.jsonl")) as log:
        report = RunReport(1, frozenset(), [told])
        conclude(report, flow, Path("j.jsonl"), "confirm", Reporter(False, log, {}), person=person, folder=tmp_path)
    return capsys.readouterr().out


def test_going_on_is_named_only_where_it_can_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Record(Outcome.HALTED_BEFORE_EFFECT, Click(point=Point(x_px=1, y_px=1)), None, request=request())
    halted = StepReport(1, "save", Outcome.HALTED_BEFORE_EFFECT, record=asked)
    at_terminal = TerminalPerson(())
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for person, told in (
        (TerminalPerson(()), "Cannot ask here.*--approve NAME"),
        (TerminalPerson(["Ann"]), "Cannot ask here.*--approve is not enough"),
        (at_terminal, "^halted before effect.*\nResume with: --resume j.jsonl"),
    ):
        assert re.search(told, ended(tmp_path, capsys, STEP, halted, person))
    tie = StepReport(1, "save", Outcome.HALTED_BEFORE_EFFECT, how="person")
    assert "choose between the targets" in ended(tmp_path, capsys, STEP, tie, TerminalPerson(()))
    there = StepReport(1, "save", Outcome.HALTED_BEFORE_EFFECT, there=True)
    file = STEP.model_copy(update={"effect": FileEffect(folder=str(tmp_path), pattern="*.zip")})
    assert "Start a new run with another folder, without --resume" in ended(tmp_path, capsys, file, there, at_terminal)


DRY = (
    ('click "Save"', 0, "Nothing was done"),
    ('click "Discharge"', 4, "Nothing on the screen fits"),
    ('click "Clear"', 0, "Nothing was done"),
)


@pytest.mark.parametrize(("find", "code", "shown"), DRY)
def test_a_dry_run_that_cannot_begin_is_no_success(find: str, code: int, shown: str, tmp_path: Path) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        flow = write(tmp_path / "flow.yaml", FORM.replace('click "Save"', find), address)
        flow.write_text(flow.read_text("utf-8").replace("do: click", "do: click, timeout_s: 1"), "utf-8")
        for mode in ("suggest", "observe"):
            got, told = attend(tmp_path, str(flow), "--mode", mode, as_json=False)
            assert (got, shown in told) == (code, True), told
        assert attend(tmp_path, str(flow))[0] == code


def test_a_place_for_downloads_is_looked_at_before_anything_is_done(tmp_path: Path) -> None:
    flow = write(tmp_path / "flow.yaml", FORM, "http://127.0.0.1:9")
    for place, told in ((flow, "is not a folder"), (flow / "in" / "it", "is not a folder")):
        with pytest.raises(ConfigError, match=rf"--downloads: .*flow\.yaml' {told}"):
            attend(tmp_path, str(flow), "--downloads", str(place), "--mode", "confirm", "--approve", "Ann")
    with pytest.raises(MediaError, match="cannot open the page"):
        attend(tmp_path, str(flow), "--downloads", str(tmp_path / "new"), "--mode", "confirm", "--approve", "Ann")


def attend(tmp_path: Path, *arguments: str, as_json: bool = True) -> tuple[int, Any]:
    flags = ["--folder", str(tmp_path / "state"), *(["--json"] if as_json else [])]
    result = CliRunner().invoke(app, ["gui", "run", *arguments, *flags], env={"CHROMIUM": gui_stage.chromium()})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    told = [json.loads(line) for line in result.stdout.splitlines()] if as_json else result.stdout
    return result.exit_code, told


def test_a_run_that_needs_a_patient_does_not_begin_without(ehr: Ehr, tmp_path: Path) -> None:
    flow = write(tmp_path / "flow.yaml", CHART, ehr.address, patient="4471902")
    given = ("--set", "drug=Ibuprofen", "--set", "shown=DOB", "--approve", "Ann")
    with pytest.raises(ConfigError, match=r"checks the patient.*--patient"):
        attend(tmp_path, str(flow), *given, "--mode", "confirm")
    assert not list((tmp_path / "state").rglob("run-*"))
    patient = ("--patient", "Doe, Jane; 1980-01-02; 4471902")
    code, told = attend(tmp_path, str(flow), *given, *patient, "--mode", "confirm")
    assert (code, told[-1]["outcome"]) == (3, "completed_unverified"), told


@pytest.mark.parametrize("as_json", [True, False])
def test_what_may_be_kept_names_nobody(as_json: bool, ehr: Ehr, tmp_path: Path) -> None:
    flow = write(tmp_path / "flow.yaml", CHART, ehr.address, patient="4471902")
    given = ("--patient", "Doe, Jane; 1980-01-02; 4471902", "--mode", "confirm", "--approve", "Ann")
    # A value by its name, and what only looks like a person's name.
    for shown, name in (("Janet Doering", "${shown}"), ("DOB", "[NAME]")):
        text = flow.read_text("utf-8").replace('"${shown}"]', '"${shown}", "Roe, Max"]')
        other = tmp_path / "other.yaml"
        other.write_text(text, "utf-8")
        code, told = attend(
            tmp_path, str(other), *given, "--set", "drug=HIV meds", "--set", f"shown={shown}", as_json=as_json
        )
        output = json.dumps(told)
        assert code == 4
        assert f"does not show '{name}'" in output
        assert not any(one in output for one in ("Janet", "Doe", "Roe", "4471902", "HIV"))


def test_on_a_terminal_a_person_is_told_in_clear(ehr: Ehr, tmp_path: Path) -> None:
    flow = write(tmp_path / "flow.yaml", CHART, ehr.address, patient="4471902")
    command = [Path(sys.executable).with_name("attend"), "gui", "run", flow, "--folder", tmp_path / "state"]
    command += ["--patient", "Doe, Jane; 1980-01-02; 4471902", "--set", "drug=Ibuprofen", "--set", "shown=Roe, Max"]
    env = {**os.environ, "CHROMIUM": gui_stage.chromium(), "TERM": "dumb", "COLUMNS": "200"}
    told = pexpect.spawn(shlex.join(map(str, command)), env=env, encoding="utf-8", timeout=120)
    told.expect("does not show 'Roe, Max'")
    told.expect(pexpect.EOF)


def test_what_is_chosen_between_is_told_with_its_row(
    ehr: Ehr, tmp_path: Path, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for tree in (True, False):
        eyes = BrowserActuator(f"{ehr.address}/app/", executable=gui_stage.chromium(), size_px=(800, 600), tree=tree)
        try:
            screen = eyes.screen()
            until = gui_stage.until
            until(lambda eyes=eyes: len(locate('click "Open chart"', eyes.screen()).targets) == 3, "the list")
            screen = eyes.screen()
        finally:
            eyes.close()
        found = locate('click "Open chart"', screen)
        rows = [row_text(screen, target) for target in sorted(found.targets, key=lambda one: one.rect.top)]
        assert ["4471902" in rows[0], "4471920" in rows[1], "5150077" in rows[2]] == [True] * 3, rows
        assert not any("4471920" in row for row in (rows[0], rows[2]))
        for terminal in (True, False):
            shown = Terminal() if terminal else io.StringIO()
            monkeypatch.setattr("sys.stderr", shown)
            answers.append("2")
            assert TerminalPerson(()).choose(STEP, screen, found) == found.targets[1]
            assert ("4471920" in shown.getvalue()) == terminal


def test_a_file_gets_no_label_in_clear(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    answers.append("Ann")
    step = Step(name="write", find='the "Note" field', do="type", text="HIV positive")
    TerminalPerson((), patient=JANE).approve(step, request("Note of Roe, Max 5582013"), repaired=False)
    assert "Note" in shown.getvalue() or "[NAME]" in shown.getvalue()
    assert not any(one in shown.getvalue() for one in ("Roe", "5582013", "HIV"))


def test_what_is_recorded_names_no_patient(tmp_path: Path) -> None:
    text = """
name: open
parameters: {note: what to write}
policy: {name: plain, windows: [Records], identity: none}
steps:
  - {name: chart, find: click the chart, do: click}
  - {name: other, find: click the other chart, do: click}
  - {name: save, find: click "Save", do: click}
"""
    flow = parse_workflow(text, "flow")
    labels = ("Open chart of DOE, JANE 4471902", "Open chart of Doe, Jan 4471903", "Save")
    steps = [
        StepReport(number, "x", Outcome.VERIFIED, recorded=Recorded(words=words, role="button"))
        for number, words in enumerate(labels, 1)
    ]
    made = recorded_workflow(flow, RunReport(3, steps=steps), {"note": "x"}, JANE)
    written = write_workflow(made)
    assert not any(one in written.casefold() for one in ("doe", "jane", "4471902", "4471903"))
    assert made.steps[0].target == Recorded(words="Open chart of ${patient_name} ${patient_id}", role="button")
    assert (made.steps[1].target, made.steps[2].target) == (None, Recorded(words="Save", role="button"))
    assert list(made.parameters) == ["patient_name", "patient_id", "note"]
    assert parse_workflow(written, "kept") == made


def test_a_recording_is_replayed_for_the_patient_and_writes_over_nothing(ehr: Ehr, tmp_path: Path) -> None:
    flow = write(tmp_path / "flow.yaml", OPEN, ehr.address)
    # As in a list whose buttons say whom they open.
    text = flow.read_text("utf-8").replace("'click \"Open chart\"'", "'click \"Doe, Jan 4471920\"'")
    flow.write_text(text.replace(', expect: {words: "MRN 4471920"}', ""), "utf-8")
    out, jan = tmp_path / "out.yaml", ("--patient", "Doe, Jan; 1980-01-02; 4471920")
    common = ("--mode", "confirm", "--approve", "Ann")
    for option, file, told in (
        ("--record", flow, "already exists"),
        ("--save", flow, "already exists"),
        ("--record", tmp_path / "none" / "out.yaml", "cannot find the folder"),
    ):
        before = flow.read_bytes()
        with pytest.raises(ConfigError, match=f"{option}: .*{told}"):
            attend(tmp_path, str(flow), *common, *jan, option, str(file))
        assert flow.read_bytes() == before
    assert not list((tmp_path / "state").rglob("run-*"))
    code, steps = attend(tmp_path, str(flow), *common, *jan, "--record", str(out))
    assert code == 3, steps
    assert out.stat().st_mode & 0o077 == 0
    kept = load_workflow(out)
    assert kept.steps[0].target
    assert "${patient_id}" in kept.steps[0].target.words
    assert "4471920" not in kept.steps[0].target.words
    # The names stand for whom --patient names.
    code, steps = attend(tmp_path, str(out), "--mode", "suggest", *jan)
    assert (code, steps[0]["how"]) == (0, "recorded")


def test_a_step_that_broke_off_is_not_called_a_crash(tmp_path: Path) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        flow = write(tmp_path / "flow.yaml", FORM, address)
        journal = Journal(tmp_path / "run.jsonl", load_workflow(flow).bind({}).sha256)
        journal.intent(1, "click")
        journal.done(1, Outcome.RECONCILE)  # such as a timeout
        journal.close()
        code, told = attend(tmp_path, str(flow), "--mode", "confirm", "--resume", str(tmp_path / "run.jsonl"))
    assert (code, told[-1]["outcome"]) == (6, "reconcile")
    assert "the run was interrupted" in told[0]["reason"]
    assert "crash" not in told[0]["reason"]
