"""A run that is killed: what was finished is kept, and resuming comes to the scores of a run that nothing disturbed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from agent.config import Config, load_config
from evals.cli import app
from evals.engine.data import DataError
from evals.engine.journal import Journal, read_transcripts
from evals.engine.manifest import read_manifest
from evals.engine.prepare import RunOptions
from evals.engine.run import Run, resume_run, run_suite, score_run
from evals.engine.suite import Transcript
from evals.report.html import report
from evals.results import load_results
from evals.stats.compare import compare
from tests.eval_runs import kill_after
from tests.fixtures.scenes import write_scenes
from tools.errors import ConfigError, ModelError, StoreError

SUMS = Path(__file__).parent / "fixtures" / "sums_suite.py"


def attend_here(*arguments: object) -> Result:
    """Run `attend eval` in this process."""
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


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
    # Wrong now and then, so that scores say which sample got which answer.
    turns = {f"s{n}": [{"say": f"It is {n + 1 + (n % 3 == 0)} ."}] for n in range(count)}
    script.write_text(json.dumps({"turns": [{"say": "-"}], "samples": turns}), "utf-8")
    suite.write_text(
        SUMS.read_text("utf-8").replace("SUITE = Suite(", f"SUITE = Suite(\n    solve={solve!r},"), "utf-8"
    )
    settings = tmp_path / "attend.toml"
    settings.write_text('take_notes = false\n[memory]\npolicy = "last"\n', "utf-8")
    begin = ["run", suite, "--model", f"scripted:{script}", "--data", data, "--max-in-flight", 3, "--config", settings]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert attend_here(*begin, "--out", whole).exit_code == 0
    journal = killed / "transcripts.jsonl"
    kept = count // 2
    kill_after(kept, *begin, "--out", killed)
    assert journal.read_bytes().count(b"\n") == kept
    with journal.open("ab") as file:
        file.write(b'{"task":"sums","id":"s')  # a kill within a write

    refused = attend_here("score", killed)
    assert refused.exit_code == 1
    assert "not made yet" in str(refused.exception)
    resumed = attend_here("resume", killed, "--json")
    assert (resumed.exit_code, json.loads(resumed.stdout)["made"]) == (0, count - kept)
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


def write_sums(folder: Path, count: int, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"s{n}", "a": n, "b": 1, **more} for n in range(count)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def write_script(path: Path, failing: Collection[int], count: int) -> str:
    """Right answers; some samples fail for good, as one does whose pictures are too many for the model."""
    good = {f"s{n}": [{"say": str(n + 1)}] for n in range(count) if n not in failing}
    path.write_text(json.dumps({"turns": [{"when": "never", "say": "-"}], "samples": good}), "utf-8")
    return f"scripted:{path}"


def config() -> Config:
    return load_config({"memory.policy": "last", "take_notes": False}, environment={})


def quiet(done: int, of: int) -> None:
    """Progress that nobody watches."""


def begin(tmp_path: Path, spec: str, data: Path, suite: object = SUMS, **options: Any) -> Run:
    return run_suite(str(suite), spec, data, config(), RunOptions(in_flight=1, **options), tmp_path / "run", quiet)


def test_samples_that_always_fail_do_not_keep_a_run_from_its_end(tmp_path: Path) -> None:
    spec = write_script(tmp_path / "script.json", range(10), 30)
    with pytest.raises(ModelError, match="failed 8 times in a row"):
        begin(tmp_path, spec, write_sums(tmp_path / "data", 30))
    done = resume_run(tmp_path / "run", config(), quiet, in_flight=1)
    failed = {one.id: (one.failure, one.retries) for one in done.results.samples if one.failure}
    assert failed == {f"s{n}": ("model", int(n < 8)) for n in range(10)}
    assert sum(one.value or 0 for one in done.results.samples) == 20
    # What was never asked comes first, what failed last.
    order = [one.id for one in read_transcripts(tmp_path / "run" / "transcripts.jsonl")]
    assert order[8:] == [*(f"s{n}" for n in range(8, 30)), *(f"s{n}" for n in range(8))]
    made = [resume_run(tmp_path / "run", config(), quiet, in_flight=1).made for _ in range(3)]
    assert made == [10, 2, 0]


def test_a_model_that_answers_nothing_ends_every_resumption_until_the_tries_are_used_up(tmp_path: Path) -> None:
    spec = write_script(tmp_path / "script.json", range(10), 10)
    with pytest.raises(ModelError, match="fails 3 times stays failed"):
        begin(tmp_path, spec, write_sums(tmp_path / "data", 10))
    for _ in range(2):
        with pytest.raises(ModelError, match="failed 8 times in a row"):
            resume_run(tmp_path / "run", config(), quiet, in_flight=1)
    done = resume_run(tmp_path / "run", config(), quiet, in_flight=1)
    assert {(one.failure, one.retries) for one in done.results.samples} == {("model", 2)}


def test_two_runs_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    data, folder = write_sums(tmp_path / "data", 2), tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(StoreError, match="another process is working"):
        begin(tmp_path, "baseline:oracle", data)
    assert not (folder / "manifest.json").exists()
    begin(tmp_path, "baseline:oracle", data)
    assert read_manifest(folder).model == "baseline:oracle"


def test_scores_are_made_of_what_was_asked_and_say_what_made_them(tmp_path: Path) -> None:
    data, folder, suite = write_sums(tmp_path / "data", 4), tmp_path / "run", tmp_path / "suite.py"
    suite.write_text(SUMS.read_text("utf-8"), "utf-8")
    begin(tmp_path, "baseline:oracle", data, suite, suite_options={"sign": "plus"})
    was = load_results(folder / "results.jsonl")
    (data / "sums.jsonl").write_text((data / "sums.jsonl").read_text("utf-8").replace('"b": 1', '"b": 2'), "utf-8")
    with pytest.raises(ConfigError, match=r"files changed in 'sums.jsonl'.*replies are scored against"):
        score_run(folder)
    write_sums(data, 5)
    with pytest.raises(ConfigError, match="samples was 4, is 5"):
        score_run(folder)
    write_sums(data, 4)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "options": {"sign": "minus"}}), "utf-8")
    with pytest.raises(ConfigError, match=r"no longer agrees with results\.jsonl: options was"):
        score_run(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    suite.write_text(suite.read_text("utf-8").replace("version=1", "version=2"), "utf-8")
    now = score_run(folder).results
    assert (was.manifest["scored"]["version"], now.manifest["scored"]["version"], now.manifest["version"]) == (1, 2, 1)
    assert now.manifest["scored"]["files"] == now.manifest["files"]
    assert set(now.manifest["scored"]) == {"version", "attend", "git", "files"}
    with pytest.raises(ConfigError, match=r"scored by different versions.*A by 1, B by 2.*attend eval score"):
        compare(was, now)
    assert compare(now, now).warnings == ()


def test_resuming_with_other_code_is_told(tmp_path: Path) -> None:
    spec, folder = write_script(tmp_path / "script.json", range(1), 3), tmp_path / "run"
    begin(tmp_path, spec, write_sums(tmp_path / "data", 3))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "git": "0123abc"}), "utf-8")
    failed, mixed = resume_run(folder, config(), quiet).notices
    assert "the model failed in 1 of 3 attempts: " in failed
    assert f"attend eval resume {folder}" in failed
    assert "made with different code: git was '0123abc', is" in mixed


def test_what_the_agent_is_told_stands_in_the_manifest(tmp_path: Path) -> None:
    data, suite = write_sums(tmp_path / "data", 2), tmp_path / "suite.py"
    suite.write_text(SUMS.read_text("utf-8").replace("SUITE = Suite(", 'SUITE = Suite(\n    solve="agent",'), "utf-8")
    begin(tmp_path, "baseline:oracle", data, suite)
    prompts = read_manifest(tmp_path / "run").prompts
    assert {"ask", "agent: system", "agent: ask_user", "agent: look"} <= set(prompts)
    held = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    held["prompts"]["agent: look"] = "0" * 64
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(held), "utf-8")
    with pytest.raises(ConfigError, match="prompts changed in 'agent: look'"):
        resume_run(tmp_path / "run", config(), quiet)


def test_half_a_character_ends_no_run(tmp_path: Path) -> None:
    path = tmp_path / "transcripts.jsonl"
    with Journal(path) as journal:
        journal.add(Transcript(task="t", id="a", answers=("half \ud83d",), outcome={"said": ["\ud83d"]}))
        journal.add(Transcript(task="t", id="b", answers=("whole é",)))
    assert [one.answer for one in read_transcripts(path)] == ["half \ufffd", "whole é"]
    whole = path.read_bytes()
    path.write_bytes(whole + '{"task":"t","id":"é'.encode()[:-1])  # a kill within a character
    assert len(list(read_transcripts(path))) == 2
    with Journal(path):
        pass
    assert path.read_bytes() == whole
    script = tmp_path / "script.json"
    script.write_text('{"turns": [{"say": "It is 1 \\ud83d"}]}', "utf-8")
    done = begin(tmp_path, f"scripted:{script}", write_sums(tmp_path / "data", 2))
    assert [(one.value, one.prediction) for one in done.results.samples] == [
        (1.0, "It is 1 \ufffd"),
        (0.0, "It is 1 \ufffd"),
    ]
    assert load_results(tmp_path / "run" / "results.jsonl") == done.results


def test_samples_whose_names_run_together_are_kept_apart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    named = [("", "a/1"), ("a", "1"), ("b", "1")]
    rows = [{"id": id_, "task": task, "a": n, "b": 0} for n, (task, id_) in enumerate(named)]
    (data / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    suite = tmp_path / "suite.py"
    suite.write_text(SUMS.read_text("utf-8").replace('cluster=f"sum-{row.a}"', 'cluster=""'), "utf-8")
    done = begin(tmp_path, "baseline:oracle", data, suite)
    assert [(one.task, one.id, one.value) for one in done.results.samples] == [
        ("sums", "a/1", 1.0),
        ("a", "1", 1.0),
        ("b", "1", 1.0),
    ]
    assert [one.cluster for one in done.results.samples] == ["a%2F1", "a/1", "b/1"]


def test_a_scorer_that_fails_names_the_sample_and_loses_no_attempt(tmp_path: Path) -> None:
    text, suite = SUMS.read_text("utf-8"), tmp_path / "suite.py"
    broken = text.replace('    found = re.search(r"-?', '    {"s0": 1}[sample.id]\n    found = re.search(r"-?')
    assert broken != text
    suite.write_text(broken, "utf-8")
    with pytest.raises(DataError, match=r"sums.jsonl', line 2: the scorer of sums fails at the sample 's1': KeyError"):
        begin(tmp_path, "baseline:oracle", write_sums(tmp_path / "data", 3), suite)
    suite.write_text(text, "utf-8")
    assert [one.value for one in score_run(tmp_path / "run").results.samples] == [1.0] * 3


def test_a_figure_that_is_no_number_is_kept_as_such(tmp_path: Path) -> None:
    suite = tmp_path / "suite.py"
    suite.write_text(
        SUMS.read_text("utf-8").replace("figures=lambda judged: {", 'figures=lambda judged: {"f1": float("nan"), ')
    )
    done = begin(tmp_path, "baseline:oracle", write_sums(tmp_path / "data", 3), suite)
    assert done.results.manifest["figures"] == {"f1": None, "replies": 3.0}
    assert load_results(tmp_path / "run" / "results.jsonl") == done.results
    assert "f1" in report(done.results)
    shown = CliRunner().invoke(app, ["eval", "score", str(tmp_path / "run")])
    assert "f1: -" in shown.stdout


def test_a_damaged_manifest_is_told_by_its_field_and_the_attempts_are_not_given_up(tmp_path: Path) -> None:
    begin(tmp_path, "baseline:oracle", write_sums(tmp_path / "data", 2))
    path = tmp_path / "run" / "manifest.json"
    held = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**held, "seed": "many"}), "utf-8")
    with pytest.raises(
        StoreError, match=r"manifest.json', field 'seed': Input should be.*copy transcripts.jsonl"
    ) as told:
        score_run(tmp_path / "run")
    assert "validation error" not in str(told.value)
    path.write_bytes(b"\xff{")
    with pytest.raises(StoreError, match=r"manifest.json': Invalid JSON"):
        read_manifest(tmp_path / "run")
