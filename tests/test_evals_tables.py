"""Tables of `attend eval`: whole figures at 80 columns, and whole lines in a pipe."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.output import compare_runs, finish
from evals.engine.run import score_run
from evals.results import save_results
from tests.eval_runs import made_up, run_of

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "pubmedqa" / "sample"
LONG = "a task with a name that is much longer than a column: reference+distractors"


def written(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of 1,200 samples in two tasks, one of them with a long name."""
    paths = []
    for seed in (1, 2):
        samples = [
            one.model_copy(update={"task": LONG if one.task == "time" else one.task})
            for one in made_up(seed, n=1_200).samples
        ]
        save_results(run_of(samples), path := tmp_path / f"{seed}.jsonl")
        paths.append(path)
    return paths[0], paths[1]


def printed(a: Path, b: Path, width: int) -> str:
    told = io.StringIO()
    console = Console(file=told, width=width, force_terminal=True, color_system=None, highlight=False)
    compare_runs(a, b, console, alpha=0.05, html=None, as_json=False)
    return told.getvalue()


@pytest.mark.parametrize("width", [80, 72, 200])
def test_no_figure_of_a_comparison_is_cut(tmp_path: Path, width: int) -> None:
    a, b = written(tmp_path)
    told = printed(a, b, width)
    table = told[: told.index("Failures count")]
    assert "…" not in table
    assert all(len(line) <= width for line in table.splitlines())
    figures = re.findall(r"(?m)^all +1200 +(0\.\d{3}) +(0\.\d{3}) +([+-]0\.\d{3}) +(<?0\.\d{3}) +(\d+) +(\d+)", table)
    assert len(figures) == 1, table
    assert re.search(r"[+-]0\.\d{3} to [+-]0\.\d{3}", table)
    assert "no difference shown" in table


def test_in_a_pipe_each_row_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    a, b = written(tmp_path)
    done = CliRunner().invoke(app, ["eval", "compare", str(a), str(b)])
    assert "…" not in done.stdout
    assert re.search(rf"(?m)^{re.escape(LONG)} +\d+ +0\.\d{{3}} +0\.\d{{3}} ", done.stdout), done.stdout


def test_no_figure_of_a_run_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = CliRunner().invoke(
        app,
        ["eval", "run", "pubmedqa", "--data", str(SAMPLE), "--model", "baseline:majority", "--out",
         str(tmp_path / "run"), "--folder", str(tmp_path / "home"), "--set", "setting=question,abstract"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    told = io.StringIO()
    console = Console(file=told, width=80, force_terminal=True, color_system=None, highlight=False)
    finish(lambda _: score_run(tmp_path / "run"), console, Console(file=io.StringIO()), as_json=False, least=None)
    cell = r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)"
    assert re.search(rf"(?m)^all +12 +{cell} +{cell}", told.getvalue()), told.getvalue()
    monkeypatch.setenv("COLUMNS", "20")
    done = CliRunner().invoke(app, ["eval", "score", str(tmp_path / "run")])
    assert re.search(rf"(?m)^abstract +6 +{cell} +{cell}", done.stdout), done.stdout
