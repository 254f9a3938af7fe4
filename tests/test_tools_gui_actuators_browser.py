"""The browser's actuator: what pages tell late, what they forge, and fields that are not simple."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from tests.fixtures import gui_stage
from tools.errors import ConfigError, ToolFailed
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.chromium import find_chromium
from tools.gui.actuators.common import Interrupted
from tools.gui.actuators.verify import Check, Expect, FileEffect
from tools.gui.grounding import locate
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.types import Click, Point, Rect, TypeText

BUTTON = Point(x_px=60, y_px=20)
PAGE = """<title>Page</title><style>body { margin: 0 } body > * { position: absolute; box-sizing: border-box }</style>
<button style="left: 0; top: 0; width: 120px; height: 40px" onclick="window.hits = (window.hits || 0) + 1">Go</button>
"""
NOTE = '<textarea style="left: 0; top: 100px; width: 300px; height: 100px"></textarea>'
FRAME = """<iframe style="left: 100px; top: 100px; width: 400px; height: 200px; border: 40px solid; padding: 30px"
 srcdoc="<body style='margin: 0'><input style='position: absolute; left: 0; top: 0; width: 120px; height: 20px'>">
</iframe>"""
FORGED = "<script>Object.defineProperty(window, 'innerWidth', { value: 320 })</script>"


class Pages(SimpleHTTPRequestHandler):
    """Serves what is asked for as a page, and a file whose second half comes when it may, or never."""

    may_go_on: ClassVar[threading.Event]
    breaks_off: ClassVar[bool] = False

    def do_GET(self) -> None:
        if self.path != "/export":
            parts = {"note": NOTE, "frame": FRAME, "forged": FORGED, "asking": "<script>alert('Welcome')</script>"}
            self._begin("text/html", body := (PAGE + parts.get(self.path[1:], "")).encode(), len(body))
            return
        self._begin("application/zip", b"x" * 500, 1000)
        self.may_go_on.wait()
        if not self.breaks_off:
            self.wfile.write(b"x" * 500)

    def _begin(self, kind: str, body: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@pytest.fixture(autouse=True)
def going_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    event = threading.Event()
    monkeypatch.setattr(Pages, "may_go_on", event, raising=False)
    yield event
    event.set()


@contextmanager
def page(name: str = "", downloads: Path | None = None) -> Iterator[BrowserActuator]:
    with gui_stage.serve(gui_stage.FIXTURES, Pages) as address:
        actuator = BrowserActuator(
            f"{address}/{name}", executable=gui_stage.chromium(), size_px=(640, 480), downloads=downloads
        )
        try:
            yield actuator
        finally:
            Pages.may_go_on.set()
            actuator.close()


def export(actuator: BrowserActuator) -> None:
    """Begin a download, as a page does that first prepares a file."""
    script = (
        "() => { const link = document.createElement('a'); link.href = '/export'; link.download = 'a.zip';"
        " setTimeout(() => link.click(), 0) }"
    )
    actuator._page.evaluate(script)


def ask(actuator: BrowserActuator) -> None:
    actuator._page.evaluate("() => { setTimeout(() => alert('Save failed'), 0) }")
    gui_stage.until(lambda: actuator._page.evaluate("() => 1") and actuator._events._asked, "the dialog")


def test_a_download_that_comes_late_is_kept_at_a_look(going_on: threading.Event, tmp_path: Path) -> None:
    with page(downloads=tmp_path) as actuator:
        before = actuator.screen()
        export(actuator)
        for _ in range(3):  # It is not waited for.
            actuator.screen()
        assert list(tmp_path.iterdir()) == []
        going_on.set()
        check = Check(actuator, before, None, FileEffect(folder=str(tmp_path), pattern="*.zip"), 30.0, actuator._stop)
        assert check(before) is True
        assert (tmp_path / "a.zip").stat().st_size == 1000
        assert (tmp_path / "a.zip").stat().st_mode & 0o777 == 0o600
        (tmp_path / "a.zip").write_text("of another patient", "utf-8")
        export(actuator)

        def both() -> bool:
            actuator.screen()
            return len(list(tmp_path.iterdir())) == 2 and (tmp_path / "a (1).zip").stat().st_size == 1000

        gui_stage.until(both, "the second download")
        assert (tmp_path / "a.zip").read_text("utf-8") == "of another patient"


@pytest.mark.parametrize("why", ["it breaks off", "it cannot be written"])
def test_a_download_that_fails_is_told_once(
    why: str, going_on: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = tmp_path
    if why == "it breaks off":
        monkeypatch.setattr(Pages, "breaks_off", True)
    else:
        downloads = tmp_path / "file"
        downloads.write_text("no folder", "utf-8")
    going_on.set()
    with page(downloads=downloads) as actuator:
        export(actuator)
        gui_stage.until(lambda: actuator._page.evaluate("() => 1") and actuator._events._arrived, "the download")
        with pytest.raises(Interrupted, match=r"cannot download 'a\.zip'"):
            actuator.screen()
        assert actuator.screen().window == "Page"


def test_a_browser_is_closed_while_it_downloads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with page(downloads=tmp_path) as actuator:
        export(actuator)
        actuator.screen()
        actuator.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_dialog_that_comes_late_is_told_at_the_next_look() -> None:
    with page() as actuator:
        before = actuator.screen()
        ask(actuator)
        with pytest.raises(Interrupted, match=r"'Save failed', .* answered with Cancel"):
            actuator.screen()
        assert actuator.screen().window == "Page"
        ask(actuator)
        with pytest.raises(Interrupted, match="'Save failed'"):  # and is no success, nor unknown
            Check(actuator, before, Expect(words="Saved"), None, 30.0, KillSwitch())(before)
        ask(actuator)
        with pytest.raises(ToolFailed, match="'Save failed'"):
            actuator.perform(Click(point=BUTTON))
        assert actuator._page.evaluate("() => window.hits || 0") == 0
        actuator.perform(Click(point=BUTTON))
        assert actuator._page.evaluate("() => window.hits") == 1


def test_a_dialog_of_a_page_that_opens_is_told_at_the_first_look() -> None:
    with page("asking") as actuator:
        with pytest.raises(Interrupted, match="'Welcome'"):
            actuator.screen()
        assert actuator.screen().window == "Page"


def test_a_page_cannot_forge_where_its_parts_are() -> None:
    with page("forged") as actuator:
        screen = actuator.screen()
        assert screen.view.scale == 1.0
        assert [node.rect for node in screen.nodes or () if node.role == "button"] == [
            Rect(left=0, top=0, right=120, bottom=40)
        ]


def test_text_is_added_at_the_end_of_several_lines() -> None:
    with page("note") as actuator:
        actuator.perform(TypeText(point=Point(x_px=100, y_px=150), text="one\ntwo"))
        first = TypeText(point=Point(x_px=20, y_px=110), text=", three", replace=False)
        assert actuator.perform(first) == "one\ntwo, three"


def test_a_field_in_a_frame_with_borders_is_typed_into() -> None:
    with page("frame") as actuator:
        assert actuator.perform(TypeText(point=Point(x_px=200, y_px=180), text="Doe")) == "Doe"
        with pytest.raises(ToolFailed, match="cannot find a field at"):
            actuator.perform(TypeText(point=Point(x_px=200, y_px=210), text="Roe"))


def test_a_frame_of_another_address_is_not_clicked_into(tmp_path: Path) -> None:
    with gui_stage.serve(tmp_path) as address:
        other = address.replace("127.0.0.1", "localhost")
        (tmp_path / "inner.html").write_text("<title>Inner</title><button style='width: 200px'>Give</button>", "utf-8")
        (tmp_path / "outer.html").write_text(
            f"<title>Outer</title><iframe src='{other}/inner.html' width=300 height=100></iframe>", "utf-8"
        )
        with closing(BrowserActuator(f"{address}/outer.html", executable=gui_stage.chromium())) as actuator:
            actuator.screen()
            with pytest.raises(ToolFailed, match="frame of another address"):
                actuator.perform(Click(point=Point(x_px=60, y_px=35)))


def test_a_persons_tab_is_left_as_it_is(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    (tmp_path / "form.html").write_text("<title>Form</title><textarea>unsaved</textarea>", "utf-8")
    (tmp_path / "work.html").write_text("<title>Work</title><button>Go</button>", "utf-8")
    with gui_stage.serve(tmp_path) as address, gui_stage.devtools(tmp_path / "profile") as browser:
        with sync_playwright() as playwright:
            person = playwright.chromium.connect_over_cdp(browser).contexts[0].pages[0]
            person.goto(f"{address}/form.html")
            person.fill("textarea", "half a letter")
        with closing(BrowserActuator(f"{address}/work.html", connect=browser)) as actuator:
            assert actuator.screen().window == "Work"
        with sync_playwright() as playwright:
            pages = playwright.chromium.connect_over_cdp(browser).contexts[0].pages
            (person,) = [page for page in pages if page.url.endswith("form.html")]
            assert person.input_value("textarea") == "half a letter"


@pytest.mark.parametrize(
    ("kind", "text", "other"),
    [
        ("date", "2026-03-04", "03/04/2026"),
        ("time", "14:30", "2:30 pm"),
        ("datetime-local", "2026-03-04T14:30", "soon"),
    ],
)
def test_dates_are_put_where_a_browser_asks_for_their_parts(tmp_path: Path, kind: str, text: str, other: str) -> None:
    (tmp_path / "page.html").write_text(
        f"<title>Page</title><label>When <input type={kind} oninput='window.heard = value'></label>", "utf-8"
    )
    with (
        gui_stage.serve(tmp_path) as address,
        closing(BrowserActuator(f"{address}/page.html", executable=gui_stage.chromium())) as actuator,
    ):
        (target,) = locate('the "When" field', actuator.screen()).targets
        assert actuator.perform(TypeText(point=target.point, text=text)) == text
        assert actuator._page.evaluate("() => [document.querySelector('input').value, window.heard]") == [text, text]
        with pytest.raises(ToolFailed, match=f"{kind} field: invalid format.*such as"):
            actuator.perform(TypeText(point=target.point, text=other))
        assert actuator._page.evaluate("() => document.querySelector('input').value") == text


def a_program(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_the_browser_without_a_window_is_the_headless_shell_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium(None, headless=True) is None
    whole = a_program(tmp_path, "chromium")
    assert find_chromium(None, headless=True) == whole
    shell = a_program(tmp_path, "chromium-headless-shell")
    assert find_chromium(None, headless=True) == shell
    assert find_chromium(None, headless=False) == whole
    monkeypatch.setenv("CHROMIUM", whole)
    assert find_chromium(None, headless=True) == whole
    assert find_chromium(shell, headless=True) == shell
    with pytest.raises(ConfigError, match="has no window"):
        find_chromium(shell, headless=False)
    with pytest.raises(ConfigError, match="cannot find the browser '/nowhere'"):
        find_chromium("/nowhere", headless=True)
