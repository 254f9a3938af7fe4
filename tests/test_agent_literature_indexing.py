"""`attend literature index` where nobody looks at a terminal: it says how far it is, and output stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import literature_index
from evals.cli import app
from tests.literature_helpers import write_papers


def index(folder: Path, *words: str) -> Result:
    papers = write_papers(folder / "in")
    arguments = ["literature", "index", str(papers), "--dense", "--folder", str(folder / "kept"), *words]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result


def test_in_a_file_or_a_pipe_a_line_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literature_index, "PROGRESS_INTERVAL_S", 0.0)
    result = index(tmp_path, "--json")
    lines = result.stderr.splitlines()
    assert "reading papers.jsonl: file 1 of 1, 0 documents" in lines
    assert "embedding vectors, for search by meaning: 5 of 5 documents" in lines
    assert json.loads(result.stdout)["embedded"] == 5


def test_what_takes_no_half_minute_says_nothing(tmp_path: Path) -> None:
    assert index(tmp_path).stderr == ""
