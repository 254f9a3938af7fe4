"""X displays that ask for no cookie: worked without a file of cookies, and without a word about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import gui_stage
from tools.gui.guard.kill_switch import Hotkey, cookies_if_any, open_display

ROOT = Path(__file__).parent.parent
FLOW = """
name: save a record
policy: {name: records, windows: [Records], identity: none}
steps:
  - {name: save, find: click "Save", do: click}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("display")
    with gui_stage.x_server(folder, "640x480"):
        yield os.environ["DISPLAY"]


@pytest.fixture
def home(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with no file of cookies in it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DISPLAY", server)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XAUTHORITY", raising=False)
    return tmp_path / "home"


def attend(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = "from agent.cli.main import main; main()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=100)


@pytest.mark.parametrize("named", ["", "none", None])
def test_a_desktop_is_worked_without_a_file_of_cookies(
    named: str | None, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named is not None:
        monkeypatch.setenv("XAUTHORITY", named and str(tmp_path / named))
    flow = tmp_path / "flow.yaml"
    flow.write_text(FLOW, "utf-8")
    run = attend("gui", "run", flow, "--target", "desktop", "--folder", tmp_path / "state")
    # It was looked at: there is no such button.
    assert (run.returncode, run.stderr) == (4, "")
    assert "Nothing on the screen fits" in run.stdout
    assert "Xlib" not in run.stdout
    assert not (home / ".Xauthority").exists()


def test_the_environment_is_as_before_and_other_words_are_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_display().close()
    Hotkey().close()
    assert "XAUTHORITY" not in os.environ
    with cookies_if_any():
        print("Xlib.xauth: warning, no xauthority details available")
        print("another word")
    assert capsys.readouterr() == ("", "another word\n")


def test_the_doctor_says_where_a_display_can_be_seen_and_not_worked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> dict[str, str]:
        run = attend("doctor", "--json", "--folder", tmp_path)
        return next(check for line in run.stdout.splitlines() if (check := json.loads(line))["name"] == "display")

    assert found()["status"] == "ok"
    monkeypatch.setenv("XAUTHORITY", str(home))
    told = found()
    assert told["status"] == "note"
    assert "cannot control mouse and keyboard" in told["found"]
    assert "XAUTHORITY" in told["remedy"]
