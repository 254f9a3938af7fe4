"""Actuators: one suite for all three, against what the programs really hold."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import gui_stage
from tests.fixtures.gui_stage import Stage
from tools.errors import ConfigError, Stopped, ToolFailed
from tools.gui.actuators import atspi
from tools.gui.actuators import desktop as desktop_actuator
from tools.gui.actuators.atspi import in_front
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.chromium import check_url
from tools.gui.actuators.common import WrongText
from tools.gui.actuators.simulated import SimulatedActuator
from tools.gui.actuators.x11 import chunks_of, runs_of
from tools.gui.types import Click, Drag, Node, Point, PressKey, Read, Rect, Scroll, TypeText, WaitFor

NAME, NOTE, CODE = Point(x_px=300, y_px=77), Point(x_px=300, y_px=127), Point(x_px=200, y_px=177)
SAVE, CLEAR, DELETE = Point(x_px=215, y_px=407), Point(x_px=375, y_px=407), Point(x_px=535, y_px=407)
RARE = "K<5.0 & >3 {naïve} 12 μg/dL; Müller «患者» ~^\\"


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("display")
    with gui_stage.x_server(folder, "640x480"):
        yield folder


@pytest.fixture(params=["simulated", "browser", "desktop"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "desktop":
        with gui_stage.desktop(request.getfixturevalue("display")) as made:
            yield made
    else:
        with getattr(gui_stage, request.param)() as made:
            yield made


def test_it_sees_types_and_clicks(stage: Stage) -> None:
    screen = stage.actuator.screen()
    assert screen.rgb.shape == (480, 640, 3)
    assert screen.rgb.dtype == np.uint8
    assert "Records" in screen.window
    assert stage.actuator.screen().sha256 == screen.sha256
    assert stage.actuator.perform(TypeText(point=NAME, text="Doe, Jane")) == "Doe, Jane"
    assert stage.actuator.perform(TypeText(point=NOTE, text=RARE)) == RARE
    assert stage.actuator.perform(Click(point=SAVE)) == ""
    assert stage.state()["records"] == [f"Doe, Jane: {RARE}"]
    assert stage.actuator.perform(TypeText(point=NAME, text="Roe")) == "Roe"
    assert stage.actuator.perform(TypeText(point=NAME, text=", Ann", replace=False)) == "Roe, Ann"
    assert stage.state()["name"] == "Roe, Ann"
    stage.actuator.perform(PressKey(keys=("backspace",)))
    assert stage.state()["name"] == "Roe, An"
    stage.actuator.perform(Drag(start=Point(x_px=158, y_px=227), end=Point(x_px=300, y_px=227)))
    assert 30 <= stage.state()["level"] <= 70
    stage.actuator.perform(Scroll(point=NOTE, notches=2))
    stage.actuator.perform(WaitFor(words="Saved Doe, Jane", seconds=20))
    stage.actuator.perform(WaitFor(words="Deleted", gone=True, seconds=20))
    read = stage.actuator.perform(Read(rect=Rect(left=0, top=430, right=640, bottom=480)))
    assert "Saved Doe" in read
    assert not stage.held()
    assert np.array_equal(stage.actuator.screen(tree=False).rgb, stage.actuator.screen().rgb)


def test_what_goes_wrong_is_said(stage: Stage) -> None:
    with pytest.raises(WrongText, match=r"has 6 characters .* instead of 9; they differ from character 7") as told:
        stage.actuator.perform(TypeText(point=CODE, text="987654321"))
    assert "987" not in str(told.value)
    stage.actuator.perform(TypeText(point=CODE, text=""))
    before = stage.state()
    for point in (Point(x_px=-1, y_px=5), Point(x_px=640, y_px=5), Point(x_px=5, y_px=480), Point(x_px=9e9, y_px=5)):
        for action in (Click(point=point), TypeText(point=point, text="x"), Drag(start=NAME, end=point)):
            with pytest.raises(ToolFailed, match="is off the screen"):
                stage.actuator.perform(action)
    with pytest.raises(ToolFailed, match="unknown key 'hyper'"):
        stage.actuator.perform(PressKey(keys=("ctrl", "hyper")))
    with pytest.raises(ToolFailed, match="'Signed' is not shown after"):
        stage.actuator.perform(WaitFor(words="Signed", seconds=0.2))
    assert stage.state() == before
    assert not stage.held()


def test_the_kill_switch_stops_in_the_middle_and_releases(stage: Stage) -> None:
    stage.actuator.perform(Click(point=NAME))
    text = "a long text that takes a while " * 40
    timer = threading.Timer(0.6, lambda: stage.stop.set("a test"))
    timer.start()
    with pytest.raises(Stopped, match="a test"):
        stage.actuator.perform(TypeText(point=NOTE, text=text))
    timer.join()
    assert len(stage.state()["note"]) < len(text)
    assert not stage.held()
    with pytest.raises(Stopped):
        stage.actuator.perform(Click(point=SAVE))
    assert stage.state()["records"] == []


def test_text_is_typed_without_xdotool(display: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "xdotool" else which(name))
    with gui_stage.desktop(display) as stage:
        assert stage.actuator.perform(TypeText(point=NOTE, text=RARE)) == RARE
        assert stage.state()["note"] == RARE


def test_what_is_typed_is_no_argument_of_a_program(display: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = subprocess.run, list[list[str]]()

    def noting(command: list[str], **given: Any) -> Any:
        seen.append(command)
        return run(command, **given)

    monkeypatch.setattr(subprocess, "run", noting)
    with gui_stage.desktop(display) as stage:
        assert stage.actuator.perform(TypeText(point=NOTE, text="HIV positive")) == "HIV positive"
    assert any(command[0] == "xdotool" for command in seen)
    assert not any("HIV" in part or "posit" in part for command in seen for part in command)


def test_a_busy_program_loses_no_character(display: Path) -> None:
    """It reads the keys long after they were pressed."""
    with gui_stage.desktop(display) as stage:
        stage.actuator.perform(Click(point=NOTE))
        [program] = [child for child in psutil.Process().children() if "gui_form_tk.py" in " ".join(child.cmdline())]
        program.suspend()
        timer = threading.Timer(1.5, program.resume)
        timer.start()
        assert stage.actuator.perform(TypeText(point=NOTE, text=RARE)) == RARE
        timer.join()
        assert stage.state()["note"] == RARE


def test_more_rare_characters_than_there_are_spare_keys(display: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = desktop_actuator.find_spare_keys
    monkeypatch.setattr(desktop_actuator, "find_spare_keys", lambda display: some(display)[:2])
    with gui_stage.desktop(display) as stage:
        before = some(stage.actuator._display)
        assert stage.actuator.perform(TypeText(point=NOTE, text="αβ, γδ & αε")) == "αβ, γδ & αε"
        assert some(stage.actuator._display) == before
        monkeypatch.setattr(desktop_actuator, "find_spare_keys", lambda display: [])
        with pytest.raises(ToolFailed, match="no spare key"):
            stage.actuator.perform(TypeText(point=NOTE, text="α"))
        assert stage.state()["note"] == "αβ, γδ & αε"


def test_text_that_cannot_be_read_back_was_typed_nevertheless(display: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "xclip" else which(name))
    with gui_stage.desktop(display) as stage:
        with pytest.raises(WrongText, match=r"OCR reads \d+ characters unlike the 12 typed") as told:
            stage.actuator.perform(TypeText(point=CODE, text="987654321098"))
        assert "987" not in str(told.value)

        def unreadable(*_: object, **__: object) -> str:
            raise ToolFailed("there is no RapidOCR.")

        monkeypatch.setattr(desktop_actuator, "shown_text", unreadable)
        with pytest.raises(WrongText, match=r"^cannot verify the 9 typed characters: there is no RapidOCR"):
            stage.actuator.perform(TypeText(point=NOTE, text="Doe, Jane"))
        assert stage.state()["note"] == "Doe, Jane"


READER = """#!/bin/sh
echo x >> {log}
if [ {code} -ne 0 ]; then exit {code}; fi
if [ $(wc -l < {log}) -eq 1 ]; then echo "it does not answer" >&2; exit 1; fi
echo '[{{"role": "window", "name": "Records", "value": "", "depth": 0, "extents": [0, 0, 9, 9], "states": []}}]'
"""


@pytest.mark.parametrize(("code", "looks", "read"), [(0, 3, [False, True, True]), (3, 1, [False, False, False])])
def test_a_tree_that_cannot_be_read_once_is_read_later(
    code: int, looks: int, read: list[bool], display: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the bindings are missing it is never read."""
    reader, log = tmp_path / "reader", tmp_path / "log"
    reader.write_text(READER.format(log=log, code=code), "utf-8")
    reader.chmod(0o755)
    monkeypatch.setattr(atspi, "SYSTEM_PYTHON", str(reader))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    with gui_stage.desktop(display) as stage:
        assert [stage.actuator.screen().nodes is not None for _ in range(3)] == read
    assert len(log.read_text().split()) == looks


@given(text=st.text("ab<αβγ", max_size=20), most=st.integers(1, 3))
def test_pieces_of_a_text_are_the_text(text: str, most: int) -> None:
    runs = list(runs_of(text, most))
    assert "".join(runs) == text
    assert all(len({character for character in run if not character.isascii()}) <= most for run in runs)
    chunks = list(chunks_of(text))
    assert "".join(chunks) == text
    assert all(len(chunk) == 1 or chunk.isascii() for chunk in chunks)


@pytest.mark.parametrize("kind", ["simulated", "browser"])
def test_typing_needs_a_field(kind: str) -> None:
    with getattr(gui_stage, kind)() as stage:
        for point in (SAVE, Point(x_px=600, y_px=300)):
            with pytest.raises(ToolFailed, match="cannot find a field at"):
                stage.actuator.perform(TypeText(point=point, text="x"))
        assert stage.state()["records"] == []
        stage.actuator.perform(TypeText(point=NAME, text="Doe"))
        stage.actuator.perform(Click(point=DELETE))
        screen = stage.actuator.screen()
        assert any(node.role == "dialog" for node in screen.nodes or ())
        stage.actuator.perform(Click(point=Point(x_px=375, y_px=285)))
        stage.actuator.perform(WaitFor(words="Cancelled", seconds=20))


@pytest.mark.parametrize(
    "url",
    ["data:text/html,x", "blob:http://a/b", "file:///etc/passwd", "javascript:alert(1)", "chrome://settings", "x"],
)
def test_addresses_that_are_no_pages_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot open the address"):
        check_url(url)
    with pytest.raises(ConfigError, match="cannot open the address"):
        BrowserActuator(url)


def test_a_page_is_seen_where_it_is() -> None:
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(
            f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(640, 480), scale=1.5
        )
        try:
            screen = actuator.screen()
            assert screen.rgb.shape == (720, 960, 3)
            assert screen.view.scale == 1.5
            assert screen.url.endswith("gui_form.html")
            save = next(node for node in screen.nodes or () if node.name == "Save")
            assert save.rect == Rect(left=225, top=585, right=420, bottom=636)
            actuator.perform(TypeText(point=Point(x_px=450, y_px=115), text="Doe"))
            actuator.perform(Click(point=save.rect.center))
            assert actuator._page.evaluate("() => state().records") == ["Doe: "]
            actuator._page.evaluate("() => { setTimeout(() => confirm('Really delete?'), 0) }")
            with pytest.raises(Exception, match=r"'Really delete\?', .* answered with Cancel"):
                actuator.perform(Click(point=Point(x_px=600, y_px=450)))
        finally:
            actuator.close()


@pytest.mark.parametrize(
    ("size", "least", "inner", "scale"),
    [
        ((640, 480), (800, 600), [800, 600], 0.8),
        ((640, 480), (640, 960), [1280, 960], 0.5),
        ((640, 480), (64, 48), [640, 480], 1),
    ],
)
def test_a_page_that_needs_room_is_zoomed_out(
    size: tuple[int, int], least: tuple[int, int], inner: list[int], scale: float
) -> None:
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(
            f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=size, least_px=least
        )
        try:
            screen = actuator.screen()
            assert screen.rgb.shape == (480, 640, 3)
            assert screen.view.scale == pytest.approx(scale)
            assert actuator._page.evaluate("() => [innerWidth, innerHeight]") == inner
            at = Point(x_px=300 * scale, y_px=77 * scale)
            assert actuator.perform(TypeText(point=at, text="Doe")) == "Doe"
            assert actuator._page.evaluate("() => state().name") == "Doe"
        finally:
            actuator.close()


def test_only_the_window_in_front_is_told_of() -> None:
    rect = Rect(left=0, top=0, right=10, bottom=10)

    def node(role: str, name: str, depth: int) -> Node:
        return Node(role=role, name=name, rect=rect, depth=depth)

    behind = (node("window", "Mail", 0), node("button", "Send", 1))
    menu = (node("window", "", 0), node("menuitem", "Open", 1))
    front = (node("window", "Records", 0), node("button", "Save", 1))
    nodes = (*behind, *menu, *front)
    assert in_front(nodes, "Records") == (*menu, *front)
    assert in_front(nodes, "A program without a tree") is None
    assert in_front(nodes, "") is None


def test_a_page_that_opens_another_hands_over_and_takes_back() -> None:
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            actuator._page.evaluate("() => { get('save').onclick = () => open('gui_form.html?second') }")
            actuator.perform(Click(point=SAVE))
            assert actuator.screen().url.endswith("?second")
            assert actuator.perform(TypeText(point=NAME, text="in the second")) == "in the second"
            actuator._page.evaluate("() => { get('save').onclick = () => close() }")
            actuator.perform(Click(point=SAVE))
            assert actuator.screen().url.endswith("gui_form.html")
            assert actuator._page.evaluate("() => state().name") == ""
        finally:
            actuator.close()


@pytest.mark.parametrize("last", [True, False])
def test_a_page_that_closes_while_it_is_typed_into_is_no_success(last: bool) -> None:
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            actuator._page.evaluate("() => { get('save').onclick = () => open('gui_form.html?second') }")
            actuator.perform(Click(point=SAVE))
            closes = (
                f"() => {{ get('name').oninput = ({{target}}) => target.value.length > {2 if last else 0} && close() }}"
            )
            actuator._page.evaluate(closes)
            with pytest.raises(WrongText, match="the page closed meanwhile"):
                actuator.perform(TypeText(point=NAME, text="Doe"))
            assert actuator.screen().url.endswith("gui_form.html")
            assert not actuator._keys
        finally:
            actuator.close()


TRAPS = {
    "a transparent cover": (
        "get('save').insertAdjacentHTML('afterend', '<div id=cover style=\"position:fixed;inset:0;opacity:0\"></div>');"
        "get('cover').onclick = () => { window.hit = 1 }",
        "covered",
    ),
    "a transparent button": (
        "document.body.insertAdjacentHTML('beforeend', '<button id=cover style=\"position:fixed;inset:0;"
        'width:100%;height:100%;opacity:0">'
        "Delete</button>'); get('cover').onclick = () => { window.hit = 1 }",
        "covered",
    ),
    "a cover in a shadow root": (
        "const host = document.body.appendChild(document.createElement('div'));"
        "host.attachShadow({mode: 'open'}).innerHTML = '<div style=\"position:fixed;inset:0\"></div>';"
        "host.onclick = () => { window.hit = 1 }",
        "covered",
    ),
    "a frame over it": (
        "document.body.insertAdjacentHTML('beforeend', '<iframe style=\"position:fixed;inset:0;opacity:0;width:100%;"
        "height:100%\"></iframe>')",
        "covered",
    ),
    "a page that forges": (
        "document.body.insertAdjacentHTML('beforeend', '<div id=cover style=\"position:fixed;inset:0\"></div>');"
        "get('cover').onclick = () => { window.hit = 1 }; document.elementsFromPoint = () => [get('save')]",
        "covered",
    ),
    "another name under the pointer": (
        "get('save').onmouseover = () => { get('save').textContent = 'Delete chart' };"
        "get('save').onclick = () => { window.hit = 1 }",
        "its name changes",
    ),
    "another name drawn by a style": (
        "document.head.insertAdjacentHTML('beforeend',"
        " '<style>#save:hover::after { content: \"and delete\" }</style>');"
        "get('save').onclick = () => { window.hit = 1 }",
        "its name changes",
    ),
}


@pytest.mark.parametrize("label", ["Save", ""])
@pytest.mark.parametrize("trap", TRAPS)
def test_what_lies_over_a_button_is_not_pressed(trap: str, label: str) -> None:
    script, told = TRAPS[trap]
    if not label and trap == "a transparent button":
        told = "an invisible element"
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            actuator._page.evaluate(f"() => {{ {script} }}")
            actuator.aimed_at = label
            with pytest.raises(ToolFailed, match=told):
                actuator.perform(Click(point=SAVE))
            assert actuator._page.evaluate("() => window.hit || 0") == 0
            assert actuator._page.evaluate("() => state().records") == []
        finally:
            actuator.close()


def test_a_button_that_answers_the_pointer_by_colour_alone_is_pressed() -> None:
    with gui_stage.serve(gui_stage.FIXTURES) as address:
        actuator = BrowserActuator(f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            actuator._page.evaluate(
                "() => { get('save').title = 'x'; get('save').innerHTML = '<b>Save</b>'; get('save').onmouseover ="
                " () => { get('save').style.background = 'red'; get('save').title = '' } }"
            )
            actuator.aimed_at = "Save"
            actuator.perform(Click(point=SAVE))
            assert len(actuator._page.evaluate("() => state().records")) == 1
        finally:
            actuator.close()


class Hops(SimpleHTTPRequestHandler):
    """A page whose button leads to another one, which leads on to the next by itself, and so on."""

    def do_GET(self) -> None:
        left = int(self.path.rpartition("?")[2] or 0) if "?" in self.path else 12
        script = f"setTimeout(() => {{ location = '/hop?{left - 1}' }}, 20)" if left and "?" in self.path else ""
        shown = "Arrived" if left == 0 else f"<button onclick=\"location='/hop?{left - 1}'\">Go</button>"
        body = f"<title>{left}</title><body style='margin:0'>{shown}<script>{script}</script>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_page_on_its_way_through_several_addresses_is_waited_for() -> None:
    with gui_stage.serve(gui_stage.FIXTURES, Hops) as address:
        actuator = BrowserActuator(f"{address}/", executable=gui_stage.chromium(), size_px=(640, 480))
        try:
            for _ in range(4):
                actuator.open(f"{address}/")
                actuator.perform(Click(point=Point(x_px=15, y_px=12)))
                actuator.perform(WaitFor(words="Arrived", seconds=30))
                assert actuator.screen().window == "0"
        finally:
            actuator.close()


@settings(max_examples=60)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30),
    x=st.floats(-50, 700),
    y=st.floats(-50, 520),
)
def test_no_point_or_text_surprises(text: str, x: float, y: float) -> None:
    actuator = SimulatedActuator(key_s=0)
    point = Point(x_px=x, y_px=y)
    fields = [part for part in actuator.program.parts if part.role == "textbox" and part.rect.holds(point)]
    action = TypeText(point=point, text=text)
    if not fields:
        with pytest.raises(
            ToolFailed, match="cannot find a field at" if actuator.screen().rect.holds(point) else "off the screen"
        ):
            actuator.perform(action)
    elif len(text) > fields[0].most:
        with pytest.raises(WrongText):
            actuator.perform(action)
    else:
        assert actuator.perform(action) == fields[0].text == text
    assert actuator.held == set()


def test_a_desktop_is_seen_where_decord_was_loaded(display: Path) -> None:
    """Its old libxcb is found before the system's."""
    script = (
        "import decord\n"
        "from tools.gui.actuators.desktop import DesktopActuator\n"
        "from tools.gui.guard.kill_switch import KillSwitch\n"
        "actuator = DesktopActuator(KillSwitch())\n"
        "print(actuator.screen(tree=False).rgb.shape)\n"
        "actuator.close()\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.strip() == "(480, 640, 3)", run.stderr
