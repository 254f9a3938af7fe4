"""The examples, run as their docstrings say, on small data made here."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evals import load_results
from tests.fixtures.scenes import write_scenes
from tests.literature_helpers import STATIN, write_papers
from tools.gui.guard.audit import verify

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
MOST_LINES = 40

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "200")


def run(folder: Path, name: str, *arguments: object, code: int = 0) -> str:
    """What an example prints; in a folder of its own, since some write there."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a web server, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/alert", posted
    server.shutdown()
    server.server_close()


def test_a_clip_is_asked_about(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 2), ("green", 2)])
    assert run(tmp_path, "ask_clip.py", clip, "When does the picture change?") == "The picture changes at [0:02].\n"


def test_a_camera_is_watched_and_alerts_are_posted(tmp_path: Path, hook: tuple[str, list[dict[str, Any]]]) -> None:
    url, posted = hook
    blank = np.full((360, 640, 3), 255, np.uint8)
    sign = blank.copy()
    cv2.putText(sign, "GATE OPEN", (60, 200), cv2.FONT_HERSHEY_SIMPLEX, 2.8, (0, 0, 0), 7)
    (tmp_path / "signs").mkdir()
    for second, picture in enumerate((blank,) * 8 + (sign,) * 2):
        cv2.imwrite(str(tmp_path / "signs" / f"{second}.png"), picture)
    condition = "the words GATE OPEN are shown"
    printed = run(tmp_path, "watch_camera.py", "signs", condition, "--webhook", url)
    assert f"{condition}: " in printed
    assert "1 alerts, 1 delivered." in printed
    (alert,) = posted
    assert alert["t_s"] >= 8.0, "watched on after the first picture"
    assert (alert["type"], alert["condition"], alert["source"]) == ("alert", condition, "signs")


def test_a_story_is_asked_about(tmp_path: Path) -> None:
    told = "Anna found the letter in the harbour. She burned the copy because Ben had lied. The ship left without her."
    (tmp_path / "tale.txt").write_text(told, "utf-8")
    arguments = ("tale.txt", "Why did Anna burn the copy?", "--folder", "kept")
    assert "She burned the copy because Ben had lied. [section 1]" in run(tmp_path, "narrative_question.py", *arguments)


def test_literature_is_quoted(tmp_path: Path) -> None:
    printed = run(tmp_path, "literature_answer.py", write_papers(tmp_path / "papers"), STATIN)
    assert "“Statins did not reduce mortality in patients with heart failure, against placebo.” [pmid:12]" in printed
    assert "Found, but retracted: pmid:13" in printed


@pytest.mark.parametrize(
    ("approval", "told"),
    [
        ((), ["write the name: halted_before_effect", "records: []"]),
        (("--approve", "Ann"), ["save: verified", "verified; records: ['Ada: seen today']"]),
    ],
)
def test_a_record_is_saved_only_where_somebody_approves(
    tmp_path: Path, approval: tuple[str, ...], told: list[str]
) -> None:
    printed = run(tmp_path, "gui_step.py", "Ada", "seen today", *approval)
    assert all(part in printed for part in told), printed
    audit = tmp_path / "audit.jsonl"
    assert verify(audit).holds
    assert ("Ann" in audit.read_text("utf-8")) == bool(approval)


def test_a_suite_of_ones_own_is_run(tmp_path: Path) -> None:
    rows = [("1", "Is water wet?", "Yes"), ("2", "What is the capital of France?", "Paris")]
    lines = [json.dumps(dict(zip(("id", "question", "answer"), row, strict=True))) for row in rows]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines), "utf-8")
    suite = EXAMPLES / "own_suite.py"
    printed = run(tmp_path, "eval_suite.py", suite, tmp_path, "--model", "baseline:unsure", "--out", "kept")
    assert printed == "1 of 2 right; the run is in kept\n"
    assert [sample.value for sample in load_results(tmp_path / "kept" / "results.jsonl").samples] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("ask_clip.py", ("none.mp4", "What is seen?"), "none.mp4"),
        ("watch_camera.py", ("none.mp4", "a person appears"), "none.mp4"),
        ("narrative_question.py", ("none.txt", "Why?", "--folder", "kept"), "none.txt"),
        ("literature_answer.py", ("none.jsonl", "Why?"), "none.jsonl"),
        ("gui_step.py", ("Ada", "", "--approve", "Ann"), "lacks a value for 'note'"),
        ("eval_suite.py", (EXAMPLES / "own_suite.py", "none"), "'none' does not exist"),
    ],
)
def test_mistakes_are_named_without_a_traceback(
    tmp_path: Path, name: str, arguments: tuple[object, ...], told: str
) -> None:
    problem = run(tmp_path, name, *arguments, code=1)
    assert "error: " in problem
    assert told in problem


def test_examples_are_short_and_say_how_they_are_run() -> None:
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert len(scripts) == 7, "six programs, and the suite that one of them runs"
    for script in scripts:
        text = script.read_text("utf-8")
        assert len(text.splitlines()) <= MOST_LINES, script.name
        assert f"python examples/{script.name}" in text or "SUITE = " in text, script.name
