"""Human label variation on any suite: by hand, against the two-label protocol of `hlv`, and through the engine."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.suite import Sample, Scored, Transcript
from evals.stats.agreement import agreement, entropy_bin, figures, item_agreement, macro_f1
from evals.suites.hlv.scorer import agreement_score, soft_scores

LABELS = st.lists(st.integers(0, 1), min_size=1, max_size=6)

SUITE = """
import json
from evals.engine.data import need_folder
from evals.engine.suite import Loaded, Sample, Scored, Suite

def load(data, options):
    file = need_folder(data) / "rows.json"
    rows = json.loads(file.read_text("utf-8"))
    return Loaded(
        samples=tuple(
            Sample(id=row["id"], prompt=(row["text"],), reference=row["labels"][0], labels=tuple(row["labels"]))
            for row in rows
        ),
        files=(file,),
    )

def score(sample, transcript):
    label = transcript.answer.strip().lower()
    if label not in ("calm", "sad", "glad"):
        return Scored(failure="parse")
    return Scored(value=sample.labels.count(label) / len(sample.labels), label=label)

def drawn(sample, rng):
    return rng.choice(sample.labels)

def mute(sample, rng):
    return "?"

SUITE = Suite(
    name="moods", title="Moods", version=1, load=load, score=score, baselines={"annotator": drawn, "mute": mute}
)
"""
ROWS = [
    {"id": "a", "text": "rain", "labels": ["sad", "sad", "sad"]},
    {"id": "b", "text": "sun", "labels": ["glad", "glad"]},
    {"id": "c", "text": "fog", "labels": ["sad", "calm", "sad"]},
    {"id": "d", "text": "snow", "labels": ["sad", "calm", "glad"]},
    {"id": "e", "text": "wind", "labels": ["calm"]},
]


@given(human=LABELS, runs=LABELS)
def test_two_labels_are_as_in_the_protocol(human: list[int], runs: list[int]) -> None:
    ours, theirs = item_agreement([str(one) for one in human], [str(one) for one in runs], 2), soft_scores(human, runs)
    assert ours.brier == pytest.approx(theirs.brier)
    assert ours.kl == pytest.approx(theirs.kl, abs=1e-7)
    assert ours.bin == theirs.bin
    assert ours.stability == pytest.approx(agreement_score(runs))


@given(human=st.lists(st.sampled_from("abcd"), min_size=1), runs=st.lists(st.sampled_from("abcd"), min_size=1))
def test_what_holds_for_any_labels(human: list[str], runs: list[str]) -> None:
    found = item_agreement(human, runs, 4)
    assert 0 <= found.brier <= 1
    assert found.kl >= -1e-6
    assert 0 <= found.stability <= 1
    names = dict(zip("abcd", "dcba", strict=True))
    turned = item_agreement([names[one] for one in human[::-1]], [names[one] for one in runs[::-1]], 4)
    assert (turned.brier, turned.kl) == (pytest.approx(found.brier), pytest.approx(found.kl))
    assert item_agreement(human, human, 4).brier == 0


def test_bins_slices_and_f1_by_hand() -> None:
    assert [entropy_bin(labels) for labels in (["a"], ["a", "a"], ["a", "b"], ["a", "b", "c"], ["a", "a", "b"])] == [
        "Low",
        "Low",
        "High",
        "High",
        "Moderate",
    ]
    assert [agreement(labels) for labels in (["a"], ["a", "a"], ["a", "b"])] == ["one", "agree", "disagree"]
    # "a" is said of 2 of its 3 and wrongly once; "b" of its 1 of 1, and once too often.
    assert macro_f1(["a", "a", "a", "b"], ["a", "a", "b", "b"]) == pytest.approx(
        (2 * 2 / (2 + 3) + 2 * 1 / (2 + 1)) / 2
    )
    assert macro_f1(["a"], [None]) == 0
    # A label that is never right counts, too.
    assert macro_f1(["a", "a"], ["a", "c"]) == pytest.approx(2 / 3 / 2)


def judge(
    id_: str, labels: tuple[str, ...], said: str, epoch: int = 1, task: str = ""
) -> tuple[Sample, Transcript, Scored]:
    scored = Scored(value=1.0, label=said) if said else Scored(failure="parse")
    return Sample(id=id_, task=task, labels=labels), Transcript(task=task or "s", id=id_, epoch=epoch), scored


def test_the_figures_of_a_run_by_hand() -> None:
    items = {"a": ("x", "x"), "b": ("y", "y"), "c": ("x", "y"), "d": ("x",)}
    said = {"a": "xx", "b": "x ", "c": "xy", "d": "  "}
    judged = [
        judge(id_, labels, said[id_][epoch - 1].strip(), epoch) for epoch in (1, 2) for id_, labels in items.items()
    ]
    found = figures(judged)
    assert found["annotators: agreed"] == pytest.approx(2 / 3)
    assert found["agreed: accuracy"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    # First attempt: x F1 2/3, y 0. Second: x 1, y 0 (unread).
    assert found["agreed: macro-F1"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found["brier, Low"] == pytest.approx((0 + 1) / 2)
    assert found["brier, High"] == 0
    assert found["disputed: kl, mean"] == pytest.approx(0)
    assert found["items without a read answer"] == 1
    assert "brier, Low" not in figures(judged[:4]), "soft labels need several attempts"
    assert figures([(Sample(id="a"), Transcript(task="s", id="a"), Scored(value=1.0, label="x"))]) == {}
    assert math.isnan(figures([judge("a", ("x", "x"), "x")])["annotators: alpha"])


def test_tasks_that_ask_about_the_same_items_are_told_apart() -> None:
    items = {"a": ("x", "x"), "b": ("x", "y"), "c": ("y", "y")}
    right = [judge(id_, labels, labels[0], task="given") for id_, labels in items.items()]
    wrong = [judge(id_, labels, "z", task="bare") for id_, labels in items.items()]
    found = figures([*right, *wrong])
    assert found["annotators: alpha"] == figures(right)["annotators: alpha"], "each item's annotators count once"
    assert (found["given: agreed: accuracy"], found["bare: agreed: accuracy"]) == (1, 0)
    assert "agreed: accuracy" not in found


def test_a_suite_with_annotators_is_reported_so(tmp_path: Path) -> None:
    (tmp_path / "moods.py").write_text(SUITE, "utf-8")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS), "utf-8")

    def run(baseline: str, attempts: int) -> dict[str, float | None]:
        command = ["eval", "run", str(tmp_path / "moods.py"), "--data", str(tmp_path), "--model", baseline, "--json"]
        command += ["--attempts", str(attempts), "--out", str(tmp_path / baseline.split(":")[1])]
        ended = CliRunner().invoke(app, command)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout.splitlines()[-1])["figures"]

    drawn = run("baseline:annotator", 40)
    assert drawn["agreed: accuracy"] == drawn["agreed: macro-F1"] == 1
    assert drawn["annotators: agreed"] == pytest.approx(2 / 4)
    assert drawn["brier, Low"] == 0
    assert drawn["brier, Moderate"] is not None
    assert drawn["brier, Moderate"] < 0.05, "drawn from the annotators themselves"
    mute = run("baseline:mute", 2)
    assert mute["agreed: accuracy"] == 0
    assert mute["items without a read answer"] == len(ROWS)
    results = (tmp_path / "annotator" / "results.jsonl").read_text("utf-8").splitlines()[1:]
    slices = {row["id"]: row["slices"]["annotators"] for row in map(json.loads, results)}
    assert slices == {"a": "agree", "b": "agree", "c": "disagree", "d": "disagree", "e": "one"}
