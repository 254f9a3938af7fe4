"""What is said of mistakes in a call of `attend gui`: before anything is asked, in one line, and without passwords."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from agent.cli.gui import _print_located
from agent.cli.main import app
from agent.gui.approver import describe_step
from agent.gui.exit_codes import conclude
from agent.gui.reporter import Reporter
from agent.gui.session import check_same_server
from tests.fixtures import gui_stage
from tools.errors import AttendError, ConfigError, MediaError, ToolFailed
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.chromium import MOST_PX, fit
from tools.gui.guard.audit import AuditLog
from tools.gui.orthanc import plan
from tools.gui.types import Located, Outcome, Rect, Screen, Target
from tools.gui.workflow.run_context import RunReport, StepReport
from tools.gui.workflow.yaml_format import Step, parse_workflow

ROOT = Path(__file__).parent.parent
LOGIN = "http://alice:s3cret@127.0.0.1:{port}/"
ANSWERS = {
    "object": '{"a": 1}',
    "numbers": "[1, 2]",
    "null": "null",
    "anonymous": '[{"MainDicomTags": {"PatientID": "4471"}}]',
    "untagged": '[{"ID": "x", "MainDicomTags": null}]',
    "page": "<html>",
    "deep": "[" * 100_000,
}
FLOW = """
name: save a record
start: START
policy: {name: records, urls: [{host: 127.0.0.1}], identity: none}
steps:
  - {name: save, find: click "Save", do: click}
"""


class Other(SimpleHTTPRequestHandler):
    """Answers as Orthanc does not."""

    asked: list[str] = []  # noqa: RUF012 - one list for all of them

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind = self.path.split("/")[1]
        told = ANSWERS.get(kind, "").encode()
        self.send_response(int(kind) if kind.isdecimal() else 200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    Other.asked.clear()
    with gui_stage.serve(tmp_path, Other) as address:
        yield address


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW.replace("START", "http://127.0.0.1:9/form"), "utf-8")
    return path


def attend(*arguments: str | Path) -> str:
    """What a call says of its mistake."""
    result = CliRunner().invoke(app, ["gui", *map(str, arguments)])
    assert isinstance(result.exception, AttendError), result.output
    return str(result.exception)


# Orthanc


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_orthanc_is_told_as_such(answer: str, other: str) -> None:
    with pytest.raises(ToolFailed, match=f"the server at '{other}/{answer}/patients.*' is not Orthanc"):
        plan.plan("find patient 4471", f"{other}/{answer}")


def test_a_server_that_asks_for_a_login_is_told_as_such(other: str) -> None:
    with pytest.raises(ToolFailed, match=r"it requires a login\. Name an Orthanc.*that needs no login\.$"):
        plan.plan("find patient 4471", f"{other}/401")
    with pytest.raises(ToolFailed, match=r"it answers 404 Not Found\. Is it Orthanc that runs there\?$"):
        plan.named_patient("write to patient 4471", f"{other}/404")


def test_a_login_is_refused_before_anything_is_asked_and_is_not_shown(other: str) -> None:
    address = other.replace("//", "//alice:s3cret@")
    for told in (
        attend("run", "find patient 4471", "--target", f"orthanc@{address}"),
        attend("run", "count the studies", "--target", f"orthanc@{address}", "--model", "embedded"),
    ):
        assert f"invalid address '{other.replace('//', '//***@')}': it contains a login" in told
        assert "s3cret" not in told
    for call in (plan.plan, plan.named_patient):
        with pytest.raises(ConfigError, match="it contains a login") as error:
            call("find patient 4471", address)
        assert "s3cret" not in str(error.value)
    assert Other.asked == []


@pytest.mark.parametrize(
    "target", ["orthancfoo@URL", "orthanc@", "orthanc.example.org", "orthanc@ftp://x", "orthanc@x"]
)
def test_what_only_begins_like_a_target_is_refused(target: str, other: str, flow: Path) -> None:
    for what in ("find patient 4471", flow):
        told = attend("run", what, "--target", target.replace("URL", other))
        assert any(part in told for part in ("there is no target", "unknown target", "invalid server address"))
    assert Other.asked == []


def test_the_targets_of_orthanc() -> None:
    assert plan.server_of("orthanc") == plan.SERVER
    assert plan.server_of("orthanc@http://127.0.0.1:80/") == "http://127.0.0.1:80/"
    assert (plan.server_of("desktop"), plan.server_of("")) == ("", "")


# Passwords


def test_no_password_is_shown(flow: Path, tmp_path: Path) -> None:
    login = LOGIN.format(port=9)
    with pytest.raises(ConfigError, match=r"http://\*\*\*@127") as error:
        check_same_server(login, "http://127.0.0.1:10/")
    assert "s3cret" not in str(error.value)
    with pytest.raises(ConfigError, match="invalid address") as error:
        check_same_server(LOGIN.format(port="x"), "http://127.0.0.1:10/")
    assert "s3cret" not in str(error.value)
    flow.write_text(FLOW.replace("START", login), "utf-8")
    assert "cannot open the address 'http://***@127.0.0.1:9/'" in attend("run", flow)
    told = attend("record", tmp_path / "out.yaml", "--target", f"gopher{login}")
    command = [sys.executable, "-c", "from agent.cli.main import main; main()", "gui", "record", "x.yaml", "--target"]
    run = subprocess.run(
        [*command, f"gopher{login}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        timeout=100,
    )
    assert "unknown target" in told
    assert (run.returncode, "s3cret" in run.stdout + run.stderr, "http://***@127" in run.stderr) == (1, False, True)


@pytest.mark.parametrize("terminal", [True, False])
def test_no_password_is_told_of_a_step(terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    audit = AuditLog(tmp_path / "audit.jsonl")
    told = Reporter(False, audit, {}).text(f"{LOGIN.format(port=9)} is away")
    audit.close()
    assert "s3cret" not in told
    assert told.endswith("is away")


def test_how_a_running_browser_is_started_is_said(flow: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"cannot reach the browser.*Start that browser with --remote-debugging"
    ) as error:
        BrowserActuator(connect=LOGIN.format(port=9))
    assert "s3cret" not in str(error.value)
    assert "Install" not in str(error.value)


# Sizes


@pytest.mark.parametrize("window", ["99999x99999", "8193x800", "800x199", "x", "800", "8x8x8", "9999999999x800"])
def test_a_window_of_no_size_is_refused(window: str, flow: Path) -> None:
    assert attend("run", flow, "--window", window).startswith(f"invalid --window '{window}'.")


def test_a_page_that_is_zoomed_out_too_far_is_refused() -> None:
    assert fit((MOST_PX, MOST_PX), None, 1.0) == ((MOST_PX, MOST_PX), 1.0)
    with pytest.raises(ConfigError, match="too large"):
        fit((MOST_PX, 200), (200, 1600), 1.0)


def test_a_page_whose_picture_never_comes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.gui.actuators.browser.PATIENCE_MS", (1, 1))
    with (
        gui_stage.serve(Path(__file__).parent / "fixtures") as address,
        pytest.raises(MediaError, match=r"cannot open the page .*: Page.screenshot: Timeout"),
    ):
        BrowserActuator(f"{address}/gui_form.html", executable=gui_stage.chromium(), size_px=(4000, 3000))


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (90, 90)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert f"cannot read the picture {str(path)!r}: it is too large: Image size (8100 pixels)" in attend(
        "locate", "x", "--image", path
    )


# Words


def test_what_is_wrong_in_a_tree_is_said_in_a_line(tmp_path: Path) -> None:
    picture, tree = tmp_path / "small.png", tmp_path / "tree.json"
    Image.new("RGB", (20, 20)).save(picture)
    tree.write_text(json.dumps([{"a": 1}]), "utf-8")
    told = attend("locate", "x", "--image", picture, "--tree", tree)
    assert "0.role: Field required. Expected a JSON list of nodes" in told
    assert "pydantic" not in told


def test_options_are_checked_also_where_they_are_not_used(flow: Path, tmp_path: Path) -> None:
    picture = tmp_path / "small.png"
    Image.new("RGB", (20, 20)).save(picture)
    assert "invalid --phi 'foo'" in attend("run", flow, "--phi", "foo")
    assert "invalid --phi 'foo'" in attend("locate", "x", "--image", picture, "--phi", "foo")
    for what in ("", "  "):
        assert "the request is empty" in attend("run", what, "--target", "orthanc")
    assert "none.yaml': it does not exist." in attend("run", tmp_path / "none.yaml")
    assert "it does not exist." in attend(
        "record", tmp_path / "out.yaml", "--target", "desktop", "--policy", tmp_path / "none.yaml"
    )


@pytest.mark.parametrize(
    ("do", "find", "told"),
    [
        ("click", 'click "All studies"', 'list: click "All studies"'),
        ("click", 'Click the "Help" menu', 'list: click the "Help" menu'),
        ("double_click", 'click "All studies"', 'list: double click "All studies"'),
        ("click", "the Help menu", "list: click 'the Help menu'"),
        ("scroll", 'click "All studies"', "list: scroll 'click \"All studies\"'"),
    ],
)
def test_a_plan_says_once_what_is_done(do: str, find: str, told: str) -> None:
    assert describe_step(Step.model_validate({"name": "list", "find": find, "do": do})) == told
    assert (
        describe_step(Step.model_validate({"name": "list", "find": find, "do": "click"}), "Help")
        == "list: click 'Help'"
    )


@pytest.mark.parametrize("how", ["instruction", "repaired"])
def test_what_was_repaired_is_told_if_anything_was(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = parse_workflow(FLOW.replace("START", "http://127.0.0.1:9/"), "flow.yaml")
    audit = AuditLog(tmp_path / "audit.jsonl")
    report = RunReport(total=1, steps=[StepReport(1, "save", Outcome.VERIFIED, how=how)])
    conclude(report, flow, tmp_path / "run.jsonl", "confirm", Reporter(False, audit, {}))
    audit.close()
    told = "; repaired [1]" if how == "repaired" else ""
    assert capsys.readouterr().out.strip() == f"verified; 0 model calls{told}"


@pytest.mark.parametrize("abstained", ["", "2 places fit alike"])
def test_a_runner_up_is_called_so(abstained: str, capsys: pytest.CaptureFixture[str]) -> None:
    targets: list[Any] = []
    for left in (0, 50):
        rect = Rect(left=left, top=0, right=left + 20, bottom=10)
        targets.append(Target(rect=rect, point=rect.center, label="Delete", confidence=0.8, layer="words"))
    screen = Screen(rgb=np.zeros((100, 100, 3), np.uint8))
    _print_located(screen, Located(targets=tuple(targets), abstained=abstained))
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("Delete")
    assert second.startswith("Delete" if abstained else "runner-up: Delete")
