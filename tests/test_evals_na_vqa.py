"""FairytaleQA as a stand-in for NA-VQA: its files are read, and the benchmark runs on a few stories of our own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from evals.bench.narrative import plain_bm25
from evals.suites.na_vqa.fairytale import load
from evals.suites.na_vqa.ranges import range_of
from evals.suites.na_vqa.retrieval_rows import ABLATIONS
from tools.errors import MediaError

ROOT = Path(__file__).parent.parent
COLUMNS = ("question_id", "local-or-sum", "cor_section", "attribute1", "attribute2", "question", "answer1", "answer4")
SECTIONS = (
    "A fox finds a key in the snow.\nIt hides the key.", "A crow sings of summer.", "The river is frozen over.",
    "A hen bakes bread.", "The fox opens a chest with its key.",
)  # fmt: skip


def write(folder: Path, stories: int = 1, evidence: str = "1,5") -> Path:
    for number in range(stories):
        split = ("train", "val", "test")[number % 3]
        for kind in ("section-stories", "questions"):
            (folder / "data-by-train-split" / kind / split).mkdir(parents=True, exist_ok=True)
        root = folder / "data-by-train-split"
        with (root / "section-stories" / split / f"fox-{number}-story.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("section", "text"), *enumerate(SECTIONS, start=1)])
        with (root / "questions" / split / f"fox-{number}-questions.csv").open("w", newline="") as file:
            rows = [
                ("1", "summary", evidence, "causal relationship", "", "Why does the chest open?", "It has a key.", ""),
                ("2", "local", "4", "action", "", "What does the hen do?", "It bakes.", "She bakes bread."),
                ("3", "local", "4, 5", "action", "", "Who bakes before the chest is opened?", "The hen.", ""),
            ]  # fmt: skip
            csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def test_stories_and_questions_are_read(tmp_path: Path) -> None:
    stories, questions = load(write(tmp_path, 2))
    assert [(story.name, story.split) for story in stories] == [("fox-0", "train"), ("fox-1", "val")]
    assert stories[0].sections[0] == "A fox finds a key in the snow. It hides the key."
    assert [(q.evidence, q.range, q.answers) for q in questions[:3]] == [
        ((0, 4), "Far", ("It has a key.",)),
        ((3,), "Short", ("It bakes.", "She bakes bread.")),
        ((3, 4), "Medium", ("The hen.",)),
    ]
    assert load(tmp_path / "data-by-train-split") == (stories, questions)


def test_ranges_are_shares_of_the_whole() -> None:
    assert [range_of(span, 100) for span in (0, 10, 11, 40, 41, 100)] == [
        "Short", "Short", "Medium", "Medium", "Far", "Far",
    ]  # fmt: skip
    assert range_of(0, 0) == "Short"


def test_bad_files_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="section-stories"):
        load(tmp_path)
    root = write(tmp_path / "a", evidence="1,9") / "data-by-train-split"
    with pytest.raises(MediaError, match=r"fox-0-questions.csv', line 2: invalid `cor_section` '1,9'"):
        load(root)
    (root / "questions" / "train" / "fox-0-questions.csv").write_text("question_id,question\n1,Why?\n")
    with pytest.raises(MediaError, match="has no column 'cor_section'"):
        load(root)
    (root / "questions" / "train" / "fox-0-questions.csv").unlink()
    with pytest.raises(MediaError, match="cannot read"):
        load(root)
    (root / "section-stories" / "train" / "fox-0-story.csv").unlink()
    with pytest.raises(MediaError, match="has no file"):
        load(root)


def test_plain_bm25_is_that_of_lucene() -> None:
    documents = [Counter("a fox a key".split()), Counter(["fox"]), Counter("snow snow".split())]
    fox, none, twice = (plain_bm25(documents, query) for query in (["fox"], ["zebra"], ["fox", "fox"]))
    idf = 0.4700036  # ln(1 + (3 - 2 + 0.5) / (2 + 0.5))
    assert fox == pytest.approx(
        [idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 4 / (7 / 3))), idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 3 / 7)), 0]
    )
    assert none == [0, 0, 0]
    assert twice == pytest.approx([2 * value for value in fox])


def test_the_bench_runs_from_end_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evals.bench.narrative", "--fairytaleqa", str(write(tmp_path, 6))]
    run = subprocess.run(
        [*command, "--json", str(tmp_path / "out.json")], capture_output=True, text=True, cwd=ROOT, timeout=250
    )
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["table"]["ours"]["Far"]["n"] == 6
    assert report["table"]["ours"]["Far"]["value"] == 1.0
    assert set(report["options"]) == {"0", "1", "2", "3", "4"}
    assert report["counts"]["segment"] == 30
    assert report["table"]["oracle"]["Far"]["value"] == 1.0
    assert report["table"]["shuffled memory"]["Far"]["value"] < 1.0
    assert list(report["told"]) == [*ABLATIONS, "shuffled memory"]
    assert list(report["told_adds"]) == list(ABLATIONS)[1:]
    for row, cells in report["told_adds"].items():
        above = list(ABLATIONS)[list(ABLATIONS).index(row) - 1]
        gain = report["told"][row]["Far"]["value"] - report["told"][above]["Far"]["value"]
        assert cells["Far"]["mean"] == pytest.approx(gain)
    assert [line["what"].startswith("plain BM25") for line in report["must_hold"]] == [True] * 3 + [False] * 3
    assert "Must hold:" in run.stdout
