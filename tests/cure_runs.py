"""Runs of CURE for tests: the planted cases, a model that plays a table of answers, and what came of it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from evals.cli import app

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "cure" / "sample"
FILLERS = ("Scurvy", "Rickets", "Anthrax", "Beriberi")
"""Diagnoses that no case has and no paper names."""


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    """Run the suite; settings of the suite are given as NAME=VALUE, flags as they are."""
    options = [part for one in more for part in (("--set", one) if "=" in one and one[0] != "-" else (one,))]
    arguments = ["eval", "run", "cure", "--data", str(data), "--model", model, "--out", str(tmp_path / out)]
    done = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path / "home"), "--json", *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def outcomes(tmp_path: Path, out: str = "run") -> dict[str, dict[str, Any]]:
    """What each dialogue returned, by case; by setting and case where there are several settings."""
    lines = [json.loads(line) for line in (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()]
    several = len({line["task"] for line in lines}) > 1
    return {f"{line['task']}/{line['id']}" if several else line["id"]: line.get("outcome", {}) for line in lines}


def results(tmp_path: Path, out: str = "run") -> dict[str, dict[str, Any]]:
    """The scores, by case."""
    lines = (tmp_path / out / "results.jsonl").read_text("utf-8").splitlines()[1:]
    return {one["id"]: one for one in map(json.loads, lines)}


def script(path: Path, turns: Sequence[Mapping[str, Any]] = (), **samples: Sequence[Mapping[str, Any]]) -> str:
    """A scripted model: turns for every case, or for single ones."""
    path.write_text(json.dumps({"turns": list(turns), "samples": samples}), "utf-8")
    return f"scripted:{path}"


def five(first: str, papers: Sequence[int | str] = (), others: Sequence[str] = FILLERS) -> str:
    """An open-ended answer."""
    ranked = [{"name": first, "papers": list(papers)}, *({"name": name, "papers": []} for name in others)]
    return json.dumps({"diagnoses": ranked, "why": "It fits."})


def table() -> list[dict[str, str]]:
    """The hand-labelled table: case_id, setting, answer, quadrant."""
    with (SAMPLE / "quadrants.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def agent_steps() -> dict[str, list[dict[str, Any]]]:
    """What the agent does for each case before it answers."""
    plays = [json.loads(line) for line in (SAMPLE / "agent.jsonl").read_text("utf-8").splitlines()]
    return {
        play["case_id"]: [
            {"say": json.dumps({"action": "search", "query": play["query"]})},
            {"say": json.dumps({"action": "open", "ids": play["open"]})},
            {"say": json.dumps({"action": "finish"})},
        ]
        for play in plays
    }


def player(path: Path, setting: str) -> str:
    """A model that plays the table in one setting."""
    before = agent_steps() if setting == "agent" else {}
    rows = [row for row in table() if row["setting"] == setting]
    return script(
        path, **{row["case_id"]: [*before.get(row["case_id"], ()), {"say": five(row["answer"])}] for row in rows}
    )


def copied(folder: Path, name: str = "", change: Callable[[list[dict[str, Any]]], None] | None = None) -> Path:
    """The planted data in a folder of their own, with the records of one file changed."""
    shutil.copytree(SAMPLE, folder)
    if change is not None:
        changed(folder, name, change)
    return folder


def changed(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the records of a file."""
    path = folder / name
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    change(records)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), "utf-8")
