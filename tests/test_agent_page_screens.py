"""The button of the page that stops work on screens: real work, by `attend gui run` in another process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.fixtures import gui_stage
from tests.fixtures.browsing import Open
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, serving, settings, wait_for
from tools.gui.guard.kill_switch import STOP_FILE, clear_stop, write_stop

pytest_plugins = ["tests.fixtures.browser"]

FLOW = """
name: write a long note
policy: {name: records, windows: [Records], identity: none}
steps:
  - {name: write the note, find: the "Note" field, do: type, text: "${text}"}
  - {name: save, find: click "Save", do: click}
""".replace("${text}", "a long text " * 600)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3)])


@pytest.fixture
def served(clip: Path, tmp_path: Path) -> Iterator[Served]:
    with serving([clip], settings(tmp_path / "state"), realtime=False) as running:
        yield running


def test_the_button_stops_work_in_another_process_and_keys_are_released(
    served: Served, tmp_path: Path, visit: Open
) -> None:
    folder = served.state.config.folder
    flow = tmp_path / "flow.yaml"
    flow.write_text(FLOW, "utf-8")
    command = [Path(sys.executable).with_name("attend"), "gui", "run", flow, "--target", "desktop", "--json"]
    flags = ["--mode", "confirm", "--approve", "Ann", "--folder", folder]
    page = visit(served)
    with gui_stage.x_server(tmp_path, "640x480"), gui_stage.desktop(tmp_path) as stage:
        work = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: len(stage.state()["note"]) > 20, 90)
            page.get_by_role("button", name="Stop screen work").click()
            expect(page.locator("#screens-note")).to_contain_text("Screen work was stopped by the button of the page")
            told, _ = work.communicate(timeout=30)
        finally:
            work.kill()
            work.wait()
        assert work.returncode == 7
        assert json.loads(told.splitlines()[-1])["outcome"] == "cancelled"
        assert 20 < len(stage.state()["note"]) < len("a long text " * 600)
        assert stage.state()["records"] == []
        assert not stage.held()
        again = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode != 0
        assert "stopped by the button of the page" in again.stderr
        assert stage.state()["records"] == []


def test_the_page_tells_of_a_stop_whoever_asked_for_it(served: Served, visit: Open) -> None:
    page = visit(served)
    note = page.locator("#screens-note")
    expect(page.locator("#badge")).to_have_text(re.compile("ended|reading"))
    expect(note).to_be_hidden()
    write_stop(served.state.config.folder, "attend stop (ann)")
    expect(note).to_contain_text("by attend stop (ann)")
    expect(note).to_contain_text("attend stop --clear")
    assert clear_stop(served.state.config.folder)
    expect(note).to_be_hidden()


def test_a_stop_that_cannot_be_told_is_said_in_the_page(served: Served, visit: Open) -> None:
    (served.state.config.folder / STOP_FILE).mkdir()
    page = visit(served)
    page.get_by_role("button", name="Stop screen work").click()
    expect(page.locator("#screens-note")).to_contain_text("the stop file")


def test_only_the_page_itself_stops_work(served: Served, clip: Path, tmp_path: Path) -> None:
    stop = served.state.config.folder / STOP_FILE
    csrf = served.client.headers["x-attend-csrf"]
    for headers in ({}, {"origin": served.url}, {"origin": "http://evil.example", "x-attend-csrf": csrf}):
        assert httpx.post(f"{served.url}/screens/stop", headers=headers).status_code == 403
    assert not stop.exists()
    assert served.client.get("/screens/stop").status_code == 405
    told = served.client.post("/screens/stop")
    assert (told.status_code, list(told.json())) == (200, ["stopped_by"])
    assert stop.exists()
    with serving([clip], settings(tmp_path / "other", token="0123456789abcdef"), realtime=False) as closed:
        assert closed.client.post("/screens/stop").status_code == 401
        assert not (closed.state.config.folder / STOP_FILE).exists()
