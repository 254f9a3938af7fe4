"""A run that is killed: what was finished is kept, and resuming comes to the scores of a run that nothing disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evals.engine.journal import Journal, read_transcripts
from evals.engine.suite import Transcript
from evals.results import load_results
from tests.fixtures.scenes import write_scenes
from tools.errors import StoreError

SUMS = Path(__file__).parent / "fixtures" / "sums_suite.py"
ROOT = Path(__file__).parent.parent


def attend(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "evals.cli", "eval", *map(str, arguments)]


def scores(folder: Path) -> dict[tuple[str, int], tuple[Any, ...]]:
    results = load_results(folder / "results.jsonl").samples
    return {(one.id, one.epoch): (one.value, one.failure, one.prediction, one.frame_ids) for one in results}


@pytest.mark.parametrize(("solve", "count"), [("model", 40), ("agent", 12)])
def test_a_killed_run_resumes_to_the_same_scores(tmp_path: Path, solve: str, count: int) -> None:
    data, script, suite = tmp_path / "data", tmp_path / "script.json", tmp_path / "suite.py"
    data.mkdir()
    write_scenes(data / "clip.mp4", [("red", 1)])
    rows = [{"id": f"s{n}", "a": n, "b": 1, "clip": "clip.mp4"} for n in range(count)]
    (data / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    # Slow enough to be killed half-way; wrong now and then, so that scores say which sample got which answer.
    turns = {f"s{n}": [{"say": f"It is {n + 1 + (n % 3 == 0)} .", "tokens_per_s": 30}] for n in range(count)}
    script.write_text(json.dumps({"turns": [{"say": "-"}], "samples": turns}), "utf-8")
    suite.write_text(
        SUMS.read_text("utf-8").replace("SUITE = Suite(", f"SUITE = Suite(\n    solve={solve!r},"), "utf-8"
    )
    settings = tmp_path / "attend.toml"
    settings.write_text('take_notes = false\n[memory]\npolicy = "last"\n', "utf-8")
    begin = ["run", suite, "--model", f"scripted:{script}", "--data", data, "--max-in-flight", 3, "--config", settings]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(attend(*begin, "--out", whole), cwd=ROOT, check=True, capture_output=True)
    journal = killed / "transcripts.jsonl"
    process = subprocess.Popen(attend(*begin, "--out", killed), cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while not journal.exists() or journal.read_bytes().count(b"\n") < count // 2:
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = journal.read_bytes().count(b"\n")
    assert count // 2 <= kept < count
    with journal.open("ab") as file:
        file.write(b'{"task":"sums","id":"s')  # a kill within a write

    refused = subprocess.run(attend("score", killed), cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "not made yet" in " ".join(refused.stderr.split())
    resumed = subprocess.run(attend("resume", killed, "--json"), cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(resumed.stdout)["made"] == count - kept
    assert scores(killed) == scores(whole)
    assert {value for value, *_ in scores(whole).values()} == {0.0, 1.0}


def test_a_line_that_was_cut_short_is_removed_and_the_last_of_an_attempt_counts(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.jsonl"
    with Journal(path) as journal:
        journal.add(Transcript(task="t", id="a", answers=("first\u2028line",)))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"task":"t","id":"b","answers":["' + b"x" * 200_000)
    assert [one.id for one in read_transcripts(path)] == ["a"]
    with Journal(path) as journal:
        journal.add(Transcript(task="t", id="a", answers=("second",)))
    assert [one.answer for one in read_transcripts(path)] == ["first\u2028line", "second"]
    path.write_bytes(b"torn and nothing else")
    with Journal(path):
        pass
    assert path.read_bytes() == b""


def test_a_damaged_line_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.jsonl"
    path.write_text('{"task":"t","id":"a"}\n{"task":"t","id":1}\n', "utf-8")
    with pytest.raises(StoreError, match=r"line 2, field 'id'.*Remove that line"):
        list(read_transcripts(path))
    assert list(read_transcripts(tmp_path / "none.jsonl")) == []
