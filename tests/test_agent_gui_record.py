"""Recording by watching a person: on X with xdotool as the person, in Chromium over DevTools, and by made-up events."""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
import math
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.cli.main import app
from agent.gui.session import SessionOptions, open_actuator, open_guard
from evals.bench import gui_programs
from tests.fixtures import gui_stage
from tests.fixtures.clips import need
from tests.fixtures.ehr import serve_ehr
from tests.test_tools_gui_workflow import Ann
from tools.errors import ConfigError, MediaError
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.actuators.simulated import Program, SimulatedActuator
from tools.gui.grounding import locate
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard
from tools.gui.guard.kill_switch import HOTKEY, KillSwitch, write_stop
from tools.gui.guard.policy import Policy
from tools.gui.recording.anchor import anchor_at
from tools.gui.recording.events import Closed, Event
from tools.gui.recording.recorder import Did, Recording, Watched, _title, as_recording, watch
from tools.gui.recording.x11 import XWatcher
from tools.gui.types import Actuator, Node, Outcome, Point, Rect, Screen
from tools.gui.workflow.run import RunReport, run_workflow
from tools.gui.workflow.yaml_format import Workflow, load_workflow, parse_workflow, save_workflow, write_workflow

SECRET = "hunter2 is no password"


def replay(flow: Workflow, actuator: Actuator, folder: Path, **given: Any) -> RunReport:
    audit = AuditLog(folder / "audit.jsonl")
    guard = Guard(flow.policy, audit, Mode.CONFIRM, read_lines=lambda rgb: [])
    report = run_workflow(flow, actuator, guard, **{"person": Ann(), **given})
    audit.close()
    return report


class Looking:
    """An actuator whose looks are counted, so that a person waits until what was done has been seen."""

    def __init__(self, actuator: Actuator) -> None:
        self._actuator, self.looks, self.name = actuator, 0, actuator.name

    def screen(self, *, tree: bool = True) -> Screen:
        seen = self._actuator.screen(tree=tree)
        self.looks += 1
        return seen

    def seen(self) -> None:
        """Wait until the screen was looked at anew, from its beginning."""
        before = self.looks
        gui_stage.until(lambda: self.looks >= before + 2, "another look")


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Path]:
    with gui_stage.x_server(tmp_path, "800x600"):
        yield tmp_path


# A desktop, and xdotool as the person


def xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True, timeout=30)


def test_a_person_at_a_desktop_is_watched_and_replayed(display: Path) -> None:
    with gui_stage.desktop(display) as stage:
        eyes, stop, failed = Looking(stage.actuator), KillSwitch(), []

        def person() -> None:
            try:
                for x, y, typed in ((300, 77, "Doe"), (370, 127, SECRET)):
                    eyes.seen()
                    xdotool("mousemove", str(x), str(y), "click", "1")
                    eyes.seen()
                    xdotool("type", "--delay", "40", typed)
                xdotool("key", "BackSpace")
                eyes.seen()
                xdotool("mousemove", "215", "407", "click", "1")
                eyes.seen()
            except BaseException as error:
                failed.append(error)
                raise
            finally:
                stop.set("the end of the test")

        watcher = XWatcher()
        hand = threading.Thread(target=person)
        hand.start()
        watched = watch(eyes, watcher, stop, seconds=120)
        hand.join()
        watcher.close()
        assert failed == []
        assert stage.state()["records"] == [f"Doe: {SECRET[:-1]}"]
        made = as_recording(watched, "save a record")
        text = write_workflow(made.workflow)
        assert [step.do for step in made.workflow.steps] == ["type", "type", "click"], text
        assert made.workflow.policy.windows == ("Records",)
        assert list(made.workflow.parameters) == ["name", "note"]
        assert not [word for word in ("hunter2", "password", "Doe") if word in text]
        flow = parse_workflow(text, "recorded.yaml").bind({"name": "Roe", "note": "again"})
        report = replay(flow, stage.actuator, display)
        assert report.outcome == Outcome.COMPLETED_UNVERIFIED, report.steps[-1].reason
        assert [step.how for step in report.steps] == ["recorded"] * 3
        assert stage.state()["records"][-1] == "Roe: again"


@pytest.mark.parametrize("tree", [True, False])
def test_a_menu_of_a_desktop_program_is_recorded_and_not_its_window(tree: bool, tmp_path: Path) -> None:
    with (
        gui_stage.x_server(tmp_path, "1000x700"),
        # GTK waits for up to 25 s for an accessibility bus that is slow to answer; pixels need none.
        gui_stage.accessibility() if tree else contextlib.nullcontext(),
        gui_programs.running([need("openbox", "openbox")]),
        gui_programs.running([need("xmedcon", "xmedcon")]),
    ):
        actuator, stop = DesktopActuator(tree=tree), KillSwitch()
        gui_stage.until(lambda: locate('click the "Help" menu', actuator.screen()).targets, "the menu", 60)
        place = locate('click the "Help" menu', actuator.screen()).targets[0].rect.center
        eyes, watcher = Looking(actuator), XWatcher()

        def person() -> None:
            try:
                xdotool("mousemove", str(round(place.x_px)), str(round(place.y_px)))
                eyes.seen()
                xdotool("click", "1")
                eyes.seen()
            finally:
                stop.set("the end of the test")

        hand = threading.Thread(target=person)
        hand.start()
        made = as_recording(watch(eyes, watcher, stop, seconds=120), "help")
        hand.join()
        watcher.close()
        actuator.close()
    (step,) = made.workflow.steps
    assert (step.name, step.find) == ("click Help", 'the "Help" menu')
    assert step.target
    assert (step.target.words, step.target.role) == ("Help", "menu")
    assert not [doubt for doubt in made.doubts if doubt.startswith("step ")]


def test_keys_wheel_and_buttons_of_an_x_display(display: Path) -> None:
    with gui_stage.desktop(display):
        watcher = XWatcher()
        xdotool("mousemove", "300", "77", "click", "--repeat", "2", "--delay", "20", "1")
        xdotool("click", "3", "click", "5", "click", "4")
        xdotool("key", "ctrl+s", "Return", "shift+Tab", "a", "A", "space", "F5", "alt+Left")
        xdotool("mousemove", "20", "20", "mousedown", "1", "mousemove", "200", "90", "mouseup", "1")
        seen: list[Event] = []
        gui_stage.until(lambda: seen.extend(watcher.events()) or any(one.kind == "drag" for one in seen), "the drag")
        watcher.close()
    told = [(one.kind, one.keys or one.button, one.count, one.notches) for one in seen]
    assert told == [
        ("click", "left", 1, 0),
        ("click", "left", 2, 0),
        ("click", "right", 1, 0),
        ("scroll", "left", 1, 1),
        ("scroll", "left", 1, -1),
        ("key", "ctrl+s", 1, 0),
        ("key", "enter", 1, 0),
        ("key", "shift+tab", 1, 0),
        ("text", "left", 1, 0),
        ("text", "left", 1, 0),
        ("text", "left", 1, 0),
        ("key", "f5", 1, 0),
        ("key", "alt+left", 1, 0),
        ("click", "left", 1, 0),
        ("drag", "left", 1, 0),
    ]
    assert (seen[0].x, seen[0].y) == (300, 77)
    assert all(one.at_s <= other.at_s for one, other in itertools.pairwise(seen))


# Chromium

PERSON = """
import sys
from playwright.sync_api import sync_playwright
address, url, script = sys.argv[1:4]
with sync_playwright() as playwright:
    browser = playwright.chromium.connect_over_cdp(address)
    page = next(page for page in browser.contexts[0].pages if page.url.startswith(url))
    def rest():
        sys.stdout.write("\\n"); sys.stdout.flush(); sys.stdin.readline()
    def act(what):
        rest()
        what()
    exec(script)
    rest()
"""


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[str]:
    """A running browser without a window, by the address of its DevTools."""
    with gui_stage.devtools(tmp_path / "profile") as address:
        yield address


def work_page(address: str, url: str, script: str, eyes: Looking) -> None:
    """Have a person in a process of their own work a page, who goes on once what was done has been seen."""
    command = [sys.executable, "-c", PERSON, address, url, script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        while child.stdout.readline():
            eyes.seen()
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0


def watched_page(address: str, url: str, script: str) -> Watched:
    """What is seen while a person in a process of their own works a page that a recorder watches."""
    from tools.gui.recording.browser import BrowserWatcher

    stop, failed = KillSwitch(), []
    actuator = BrowserActuator(url, stop, connect=address)
    eyes, watcher = Looking(actuator), BrowserWatcher(actuator)

    def lead() -> None:
        try:
            work_page(address, url, script, eyes)
        except (OSError, AssertionError) as error:
            failed.append(error)
        finally:
            stop.set("the end of the test")

    hand = threading.Thread(target=lead)
    hand.start()
    try:
        watched = watch(eyes, watcher, stop, seconds=120)
        hand.join()
        watcher.close()
    finally:
        actuator.close()
    assert failed == []
    return watched


def test_a_person_in_chromium_is_watched_and_replayed(chromium: str, tmp_path: Path) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        url = f"{address}/gui_form.html"
        script = f"""act(lambda: page.click("#name"))
act(lambda: page.keyboard.type("Doe"))
act(lambda: page.keyboard.press("Tab"))
act(lambda: page.keyboard.type({SECRET!r}))
act(lambda: page.click("#save"))"""
        made = as_recording(watched_page(chromium, url, script), "save a record", start=url)
        text = write_workflow(made.workflow)
        assert [step.do for step in made.workflow.steps] == ["type", "type", "click"], text
        assert list(made.workflow.parameters) == ["name", "note"]
        assert not [word for word in ("hunter2", "Doe") if word in text]
        assert made.workflow.policy.urls[0].host == "127.0.0.1"
        assert made.doubts == (made.doubts[-1],)
        flow = parse_workflow(text, "recorded.yaml").bind({"name": "Roe", "note": "again"})
        page = BrowserActuator(flow.start, executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            report = replay(flow, page, tmp_path)
            assert report.outcome == Outcome.COMPLETED_UNVERIFIED, report.steps[-1].reason
            assert report.model_calls == 0
            assert page._page.evaluate("() => state()")["records"] == ["Roe: again"]
        finally:
            page.close()


def test_one_of_several_rows_is_told_by_what_it_stands_beside(chromium: str, tmp_path: Path) -> None:
    with serve_ehr() as ehr:
        url = f"{ehr.address}/app/"
        script = "act(lambda: page.click(\"li:has-text('Müller') >> button\"))"
        made = as_recording(watched_page(chromium, url, script), "open a chart", start=url)
        # The place alone might be another patient's row the next time, and which one is meant is a value of the run.
        assert made.workflow.steps[0].target is None
        assert "${row_1}" in made.workflow.steps[0].find
        assert list(made.workflow.parameters) == ["row_1"]
        assert "Müller" not in write_workflow(made.workflow)
        flow = made.workflow.bind({"row_1": "Doe, Jan 4471920"})
        page = BrowserActuator(flow.start, executable=gui_stage.chromium(), size_px=(800, 600))
        try:
            report = replay(flow, page, tmp_path)
            assert report.outcome == Outcome.COMPLETED_UNVERIFIED, report.steps[-1].reason
            assert "4471920" in " ".join(node.name for node in page.screen().nodes or ())
        finally:
            page.close()


def test_closing_the_page_ends_the_watching_though_the_browser_has_others(chromium: str) -> None:
    from tools.gui.recording.browser import BrowserWatcher

    stop, failed = KillSwitch(), []
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        url = f"{address}/gui_form.html"
        assert httpx.put(f"{chromium}/json/new?about:blank").status_code == 200
        actuator = BrowserActuator(url, stop, connect=chromium)
        eyes, watcher = Looking(actuator), BrowserWatcher(actuator)

        def hand() -> None:
            try:
                eyes.seen()
                page = next(one for one in httpx.get(f"{chromium}/json").json() if one["url"] == url)
                assert httpx.get(f"{chromium}/json/close/{page['id']}").status_code == 200
            except BaseException as error:
                failed.append(error)
                stop.set("a test that failed")
                raise

        worker = threading.Thread(target=hand)
        worker.start()
        try:
            watched = watch(eyes, watcher, stop, seconds=120)
            worker.join()
        finally:
            actuator.close()
    assert (failed, stop.by, watched.broke_off, watched.done) == ([], "", "", [])


def test_a_page_cannot_forge_events(chromium: str) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        forge = (
            "Object.keys(window).filter(k => k.startsWith('attend')).forEach(k => window[k]('{}'));"
            "document.querySelector('#delete').dispatchEvent(new MouseEvent('mousedown', {bubbles: true}));"
            "document.querySelector('#delete').click()"
        )
        script = f'act(lambda: page.evaluate("""() => {{ {forge} }}"""))\nact(lambda: page.click("#clear", force=True))'
        watched = watched_page(chromium, f"{address}/gui_form.html", script)
    assert [did.event.kind for did in watched.done] == ["click"]
    assert watched.done[0].point
    assert watched.done[0].point.x_px == pytest.approx(375, abs=10)


def framed(folder: Path, inner: str) -> str:
    """A page with a form in a frame, away from the corner."""
    text = f"<body style='margin:0'><h1 style='margin:0;height:90px'>Chart</h1><iframe src='{inner}' "
    (folder / "framed.html").write_text(
        text + "width=700 height=480 style='margin-left:40px;border:5px solid'>", "utf-8"
    )
    shutil.copy(Path(__file__).parent / "fixtures" / "gui_form.html", folder)
    return "framed.html"


def test_typing_into_no_field_of_a_page_is_said(chromium: str) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        script = """act(lambda: page.click("#clear"))
act(lambda: page.keyboard.type("81.5 Roe"))
act(lambda: page.keyboard.press("Tab"))
page.evaluate("() => { document.querySelector('#note').readOnly = true }")
act(lambda: page.click("#note"))
act(lambda: page.keyboard.type("x"))"""
        watched = watched_page(chromium, f"{address}/gui_form.html", script)
    assert [did.event.kind for did in watched.done if did.event.kind != "key"] == [
        *("click", *["stray"] * 7),
        *("click", "stray"),
    ]
    made = as_recording(watched, "typing")
    # A Tab before a click only led there.
    assert [step.do for step in made.workflow.steps] == ["click", "click"]
    assert [doubt.partition(":")[0] for doubt in made.doubts if "text was typed" in doubt] == ["step 1", "step 2"]
    assert not [word for word in ("81", "Roe") if word in write_workflow(made.workflow)]


def test_frames_of_the_page_are_listened_to_and_space_presses(chromium: str, tmp_path: Path) -> None:
    with gui_stage.serve(tmp_path) as address:
        url = f"{address}/{framed(tmp_path, 'gui_form.html')}"
        script = """form = page.frames[1]
act(lambda: form.click("#name"))
act(lambda: page.keyboard.type("a b"))
act(lambda: form.focus("#clear"))
act(lambda: page.keyboard.press("Space"))
act(lambda: form.click("#save"))"""
        watched = watched_page(chromium, url, script)
    kinds = [(did.event.kind, did.event.keys) for did in watched.done]
    assert kinds == [("click", ""), *[("text", "")] * 3, ("key", "space"), ("click", "")]
    point = watched.done[-1].point
    assert point
    # The button's middle in the form, and the frame's corner within its border.
    assert (point.x_px, point.y_px) == (pytest.approx(215 + 45, abs=12), pytest.approx(407 + 95, abs=12))


def test_what_a_frame_of_another_origin_hides_is_said(chromium: str, tmp_path: Path) -> None:
    with gui_stage.serve(Path(__file__).parent / "fixtures") as other, gui_stage.serve(tmp_path) as address:
        url = f"{address}/{framed(tmp_path, other.replace('127.0.0.1', 'localhost') + '/gui_form.html')}"
        script = """act(lambda: page.mouse.click(20, 20))
act(lambda: page.frames[1].click("#save"))"""
        made = as_recording(watched_page(chromium, url, script), "framed")
    assert len(made.workflow.steps) == 1
    assert made.doubts[0].startswith("step 1: work in a frame of another origin")


# Made-up events on the drawn program


def watched_events(*events: Event, program: Program | None = None, tree: bool = True) -> Watched:
    watched, hands = Watched(), SimulatedActuator(program or Program(), key_s=0, tree=tree)
    for event in events:
        screen = hands.screen()
        point = None if math.isnan(event.x) else Point(x_px=event.x, y_px=event.y)
        watched.done.append(Did(event, screen, point))
        watched.seen[(screen.window, screen.url)] = None
    return watched


@pytest.mark.parametrize("tree", [True, False])
def test_steps_are_made_of_what_was_done(tree: bool, tmp_path: Path) -> None:
    events = [
        Event("click", 0, 300, 77),
        Event("text", 1),
        Event("key", 1.5, keys="backspace"),
        Event("text", 2),
        Event("key", 3, keys="enter"),
        Event("scroll", 4, 300, 77, notches=2),
        Event("scroll", 4.1, 300, 77, notches=3),
        Event("click", 5, 215, 407),
        Event("click", 5.1, 215, 407, count=2),
        Event("click", 6, 375, 407, button="right"),
        Event("drag", 7, 200, 227),
        Event("choice", 8, 200, 227),
    ]
    made = as_recording(watched_events(*events, tree=tree), "many things")
    told = [(step.do, step.keys, step.notches) for step in made.workflow.steps]
    assert told == [
        ("type", "", 3),
        ("press", "enter", 3),
        ("scroll", "", 5),
        ("double_click", "", 3),
        ("right_click", "", 3),
    ]
    labels = [step.target.words for step in made.workflow.steps if step.target]
    assert labels == ["Name", "Name", "Save", "Clear"]
    assert [doubt.partition(": ")[0] for doubt in made.doubts[:2]] == ["step 5", "step 5"]
    assert parse_workflow(write_workflow(made.workflow), "written") == made.workflow


def test_keys_that_cannot_be_pressed_again_are_told_of() -> None:
    events = [Event("key", 0, keys="enter"), Event("key", 1, keys="ctrl+contextmenu"), Event("key", 2, keys="tab")]
    made = as_recording(watched_events(*events), "keys")
    assert [step.keys for step in made.workflow.steps] == ["enter", "tab"]
    assert any("pressing ctrl+contextmenu is not recorded" in doubt for doubt in made.doubts)


def test_a_deleting_button_is_asked_about_in_the_policy() -> None:
    program = Program(records=["Doe: x"])
    made = as_recording(watched_events(Event("click", 0, 535, 407), program=program), "delete")
    assert made.workflow.policy.verbs == {"delete": "approve"}
    assert any("the patient is not checked" in doubt for doubt in made.doubts)


def test_titles_are_patterns_for_the_next_patient_and_rows_are_doubted() -> None:
    hands = SimulatedActuator(Program(), key_s=0)
    screen = replace(hands.screen(), window="Jane Doe (1980) [Chart] - EHR")
    link = next(node for node in screen.nodes or () if node.name == "Save")
    named = replace(
        screen,
        nodes=tuple(
            node.model_copy(update={"role": "link", "name": "Doe Jane"}) if node is link else node
            for node in screen.nodes or ()
        ),
    )
    done = [Did(Event("click", 1.0), named, link.rect.center)]
    made = as_recording(Watched(done, {(screen.window, ""): None}), "x")
    (pattern,) = made.workflow.policy.windows
    assert pattern == "* - EHR"
    assert "Jane Doe" not in write_workflow(made.workflow)
    assert [any(words in told for told in made.doubts) for words in ("'* - EHR'", "label 'Doe Jane' of a link")] == [
        True,
        True,
    ]
    plain = as_recording(Watched(done, {("Chart [4711]", ""): None}), "x").workflow.policy.windows[0]
    assert (fnmatch.fnmatchcase("Chart [4711]", plain), fnmatch.fnmatchcase("Chart 4", plain)) == (True, False)


LONG_ROW = (
    "Doe^Jan - CHEST CT PatientID: 4471903 PatientBirthDate: 19710304 PatientSex: M StudyDate: 20240102 "
    "AccessionNumber: 991882 ReferringPhysicianName: Roe^Max InstitutionName: of the hospital StudyID: 1 and so on, "
    "which goes on until it is cut"
)


@pytest.mark.parametrize("label", [LONG_ROW, "Doe^Jan", "4471903 of the list"])
def test_the_name_of_a_step_names_nobody(label: str) -> None:
    screen = SimulatedActuator(Program(), key_s=0).screen()
    link = next(node for node in screen.nodes or () if node.name == "Save")
    row = link.model_copy(update={"role": "link", "name": label})
    named = replace(screen, nodes=tuple(row if node is link else node for node in screen.nodes or ()))
    done = [Did(Event("click", 1.0), named, link.rect.center)]
    made = as_recording(Watched(done, {("Chart", ""): None}), "x").workflow
    assert made.steps[0].name == "click ${label_1}"
    assert not any(word in write_workflow(made) for word in ("Doe", "Jan", "4471903", "19710304", "Roe"))


def test_names_of_steps_are_short_and_files_are_their_owners(tmp_path: Path) -> None:
    screen = SimulatedActuator(Program(), key_s=0).screen()
    link = next(node for node in screen.nodes or () if node.name == "Save")
    row = link.model_copy(update={"name": "save what was written here and go to the next page"})
    named = replace(screen, nodes=tuple(row if node is link else node for node in screen.nodes or ()))
    made = as_recording(Watched([Did(Event("click", 1.0), named, link.rect.center)], {("Chart", ""): None}), "x")
    assert made.workflow.steps[0].name == "click save what was written here and …"
    path = tmp_path / "flow.yaml"
    save_workflow(made.workflow, path, new=True)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="cannot write the workflow"):
        save_workflow(made.workflow, path, new=True)


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=200)
def test_the_window_that_was_worked_in_is_allowed(title: str) -> None:
    assert fnmatch.fnmatchcase(title, _title(title))


class Pressing:
    """A watcher that tells of the hot key first."""

    def point(self, event: Event, screen: Screen) -> Point:
        return Point(x_px=event.x, y_px=event.y)

    def events(self) -> list[Event]:
        return [Event("click", math.inf, 300, 77), Event("key", math.inf, keys=HOTKEY), Event("click", math.inf, 1, 1)]

    def close(self) -> None: ...


def test_the_hot_key_ends_the_watching() -> None:
    watched = watch(SimulatedActuator(Program(), key_s=0), Pressing(), KillSwitch(), seconds=20)
    assert [did.event.kind for did in watched.done] == ["click"]


class Telling(Pressing):
    """A watcher that tells one thing after the other; each is done, or raised."""

    def __init__(self, *told: Event | MediaError | KillSwitch) -> None:
        self.told = list(told)

    def events(self) -> list[Event]:
        if not self.told:
            return []
        told = self.told.pop(0)
        if isinstance(told, MediaError):
            raise told
        if isinstance(told, KillSwitch):
            told.set("a person")
            return []
        return [told]


CLICK = Event("click", math.inf, 215, 407)


@pytest.mark.parametrize(
    ("ended", "clicks", "told"),
    [
        ([MediaError("the page crashed."), CLICK], 2, "step 2: watching failed after it: the page crashed."),
        ([MediaError("the page cannot be read."), CLICK, Closed("the page was closed.")], 2, ""),
        ([Closed("the page was closed.")], 1, ""),
        ([KillSwitch(), CLICK], 2, ""),
        ([KillSwitch(), MediaError("the page crashed.")], 1, "step 1: watching failed after it"),
    ],
)
def test_what_ends_the_watching_is_said_and_loses_nothing(ended: list[Any], clicks: int, told: str) -> None:
    """A person who ends it, or closes the page, need not be told."""
    stop = next((one for one in ended if isinstance(one, KillSwitch)), KillSwitch())
    watched = watch(SimulatedActuator(Program(), key_s=0), Telling(CLICK, *ended), stop, seconds=20)
    assert [did.event for did in watched.done] == [CLICK] * clicks
    doubts = [doubt for doubt in as_recording(watched, "clicks").doubts if "watching failed" in doubt]
    assert [doubt.startswith(told) for doubt in doubts] == [True] * bool(told)


def test_where_nothing_was_seen_the_reason_is_named() -> None:
    watched = watch(SimulatedActuator(Program()), Telling(MediaError("the page crashed.")), KillSwitch(), seconds=20)
    with pytest.raises(ConfigError, match=r"nothing to replay before watching failed: the page crashed\."):
        as_recording(watched, "nothing")


def test_the_hot_key_stops_work_in_a_shown_browser(display: Path) -> None:
    policy = Policy.model_validate({"name": "x", "urls": [{"host": "127.0.0.1"}], "identity": "none"})
    stop = KillSwitch()
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        stage = SessionOptions(f"{address}/gui_form.html", headed=True)
        given = {"place": display, "mode": Mode.CONFIRM, "patient": None, "about": {}}
        with open_actuator(stage, stop) as actuator, open_guard(policy, actuator, stop, **given):
            xdotool("keydown", "ctrl", "keydown", "alt", "keydown", "Escape")
            gui_stage.until(lambda: stop.by, "the stop", seconds=20)
            xdotool("keyup", "Escape", "keyup", "alt", "keyup", "ctrl")
        assert stop.by == f"the keys {HOTKEY}"


@pytest.mark.parametrize(("shown", "told"), [("", "DISPLAY is not set"), (":9999", "cannot open the X display")])
def test_a_window_needs_a_display(shown: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", shown)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    target = ("--target", "http://127.0.0.1/", "--folder", str(tmp_path))
    with pytest.raises(ConfigError, match=told):
        invoke("gui", "record", str(tmp_path / "x.yaml"), *target)
    flow = tmp_path / "flow.yaml"
    flow.write_text(
        "name: x\nstart: http://127.0.0.1/\npolicy: {name: x, urls: [{host: 127.0.0.1}], identity: none}\n"
        'steps: [{name: a, find: click "Save", do: click}]',
        "utf-8",
    )
    with pytest.raises(ConfigError, match=told):
        invoke("gui", "run", str(flow), "--headed", *target)


def test_typing_nowhere_and_nothing_done_are_said() -> None:
    with pytest.raises(ConfigError, match="nothing to replay"):
        as_recording(watched_events(Event("text", 0)), "nothing")
    made = as_recording(watched_events(Event("text", 0), Event("click", 1, 215, 407)), "something")
    assert made.doubts[0].startswith("step 1: text was typed into an unknown field")


def test_what_is_typed_nowhere_leaves_no_spaces() -> None:
    save, space = Event("click", 0, 215, 407), Event("key", 2, keys="space")
    for events, told in (
        ([save, space], ["click", "space"]),
        ([save, Event("stray", 1), space, Event("stray", 3), Event("key", 4, keys="backspace")], ["click"]),
        ([save, space, space, Event("stray", 3), space], ["click"]),
        ([save, Event("stray", 1), save, space], ["click", "click", "space"]),
        # On a desktop, nobody says where typing goes; a button does not take it.
        ([save, Event("text", 1), Event("text", 2), Event("key", 3, keys="enter")], ["click", "enter"]),
    ):
        made = as_recording(watched_events(*events), "typing")
        assert [step.keys or step.do for step in made.workflow.steps] == told
        lost = [doubt for doubt in made.doubts if "text was typed into an unknown field" in doubt]
        assert len(lost) == any(event.kind in ("stray", "text") for event in events)


def _screen_of(*nodes: tuple[str, str, tuple[float, float, float, float], int]) -> Screen:
    """A screen with such a tree: role, name, bounds and depth."""
    rng = np.random.default_rng(7)
    made = tuple(
        Node(role=role, name=name, rect=Rect(left=at[0], top=at[1], right=at[2], bottom=at[3]), depth=depth)
        for role, name, at, depth in nodes
    )
    return Screen(rgb=rng.integers(0, 255, (300, 400, 3), dtype=np.uint8), nodes=made, window="Viewer")


@pytest.mark.parametrize("whole", ["window", "dialog", "document", "panel", "layered pane", "menu"])
def test_what_holds_all_is_no_target(whole: str) -> None:
    screen = _screen_of(
        ("window", "Viewer", (0, 0, 400, 300), 0),
        (whole, "Viewer", (0, 20, 400, 300), 1),
        ("menubar", "", (0, 20, 400, 40), 2),
        ("menu", "Help", (60, 20, 100, 40), 3),
        ("menu", "File", (0, 20, 50, 40), 3),
        ("button", "Sign", (300, 260, 380, 290), 2),
    )
    assert (anchor_at(screen, Point(x_px=80, y_px=30)).label, anchor_at(screen, Point(x_px=80, y_px=30)).role) == (
        "Help",
        "menu",
    )
    # Beside all controls only the pixels tell.
    anchor = anchor_at(screen, Point(x_px=200, y_px=150))
    assert anchor.target
    assert (anchor.label, anchor.target.words, bool(anchor.target.icon)) == ("", "", True)


def test_what_has_no_words_is_recorded_by_its_pixels() -> None:
    rng = np.random.default_rng(5)
    page = np.full((300, 400, 3), 240, np.uint8)
    page[100:132, 60:92] = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    anchor = anchor_at(Screen(rgb=page, nodes=()), Point(x_px=76, y_px=116))
    assert anchor.target
    assert anchor.target.icon
    assert anchor.target.words == ""
    assert anchor.doubt == ""
    assert (
        "several times"
        in anchor_at(Screen(rgb=np.full((300, 400, 3), 240, np.uint8), nodes=()), Point(x_px=9, y_px=9)).doubt
    )


@given(
    events=st.lists(
        st.builds(
            Event,
            kind=st.sampled_from(["click", "scroll", "key", "text", "choice", "drag"]),
            at_s=st.floats(0, 9),
            x=st.floats(0, 639),
            y=st.floats(0, 479),
            button=st.sampled_from(["left", "middle", "right"]),
            count=st.integers(1, 3),
            notches=st.integers(-60, 60),
            keys=st.sampled_from(["enter", "ctrl+s", "tab", "backspace", "f5"]),
        ),
        max_size=8,
    )
)
@settings(max_examples=30)
def test_whatever_is_done_makes_a_workflow_or_says_why_not(events: list[Event]) -> None:
    done = watched_events(*events)
    try:
        made: Recording = as_recording(done, "anything")
    except ConfigError:
        assert all(event.kind in ("drag", "choice", "text") or event.button == "middle" for event in events)
        return
    assert parse_workflow(write_workflow(made.workflow), "written") == made.workflow
    assert len(made.workflow.steps) <= len(events)
    assert all(
        step.text in {f"${{{name}}}" for name in made.workflow.parameters}
        for step in made.workflow.steps
        if step.do == "type"
    )


# The command


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none/a.yaml", "cannot find the folder"),
        ("x.txt", "is not a YAML file.*ending in .yaml"),
        ("there.yaml", "already exists"),
        ("link.yaml", "already exists"),
        ("shut/a.yaml", "cannot write to the folder"),
    ],
)
def test_the_file_is_checked_before_anybody_works(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.yaml").touch()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "gone.yaml")
    (tmp_path / "shut").mkdir()
    # Nothing is shut to the root of a machine.
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "shut")
    monkeypatch.setattr("agent.cli.gui_record._open_watcher", lambda *given: pytest.fail("it was watched"))
    with pytest.raises(ConfigError, match=told):
        invoke("gui", "record", str(tmp_path / name), "--target", "desktop", "--folder", str(tmp_path / "state"))


def test_the_command_writes_a_workflow(chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, eyes = tmp_path / "recorded.yaml", list[Looking]()

    def watch_counted(actuator: Actuator, *given: Any, **more: Any) -> Watched:
        eyes.append(Looking(actuator))
        return watch(eyes[0], *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("tools.gui.recording.recorder.watch", watch_counted)
    with gui_stage.serve(Path(__file__).parent / "fixtures") as address:
        url = f"{address}/gui_form.html"

        def begin() -> None:
            try:
                gui_stage.until(lambda: eyes, "the page")
                work_page(chromium, url, 'act(lambda: page.click("#save"))', eyes[0])
            finally:
                write_stop(tmp_path / "state", "the test")

        hand = threading.Thread(target=begin)
        hand.start()
        result = CliRunner().invoke(
            app,
            ["gui", "record", str(out), "--target", url, "--connect", chromium, "--folder", str(tmp_path / "state")],
        )
        hand.join()
    assert result.exit_code == 0, (result.stderr, result.exception)
    flow = load_workflow(out)
    assert [step.name for step in flow.steps] == ["click Save"]
    assert flow.start == url
    with pytest.raises(ConfigError, match="already exists"):
        invoke("gui", "record", str(out), "--target", url)
    with pytest.raises(ConfigError, match="unknown target 'screen'"):
        invoke("gui", "record", str(tmp_path / "x.yaml"), "--target", "screen", "--folder", str(tmp_path / "other"))


def invoke(*words: str) -> None:
    result = CliRunner().invoke(app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
