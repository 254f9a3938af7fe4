"""The evaluation engine: what it asks, keeps, scores and refuses; its own suite is in `fixtures/sums_suite.py`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage, HumanMessage
from PIL import Image
from typer.testing import CliRunner

from agent.config import Config, load_config
from agent.models import load_mllm
from agent.models.blocks import decode_image, image_block
from agent.models.scripted import Scripted, Turn
from evals.cli import app
from evals.engine.data import DataError, read_json_list
from evals.engine.instrumented import CallTotals, InstrumentedModel, generate_directly
from evals.engine.manifest import git_revision, package_hash, read_manifest, weight_hashes
from evals.engine.media import picture_block
from evals.engine.output import results_of
from evals.engine.prepare import RunOptions, prepare
from evals.engine.run import Run, resume_run, run_suite, score_run
from evals.engine.solver import NullTrace, Settings, attempt, attempt_seed
from evals.engine.suite import Picture, Sample, Scored
from evals.judge import JudgeOutage
from evals.results import load_results
from evals.stats.compare import compare
from evals.suites import load_suite
from tests.fixtures.scenes import write_scenes
from tests.fixtures.sums_suite import SUITE, Row
from tools.errors import AttendError, ConfigError, ModelError, StoreError

SUMS = Path(__file__).parent / "fixtures" / "sums_suite.py"


def quiet(done: int, of: int) -> None:
    """Progress that nobody watches."""


def write_sums(folder: Path, count: int, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"s{number}", "a": number % 7, "b": number // 7, **more} for number in range(count)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def write_script(path: Path, turns: Sequence[Mapping[str, Any]], **samples: Sequence[Mapping[str, Any]]) -> str:
    path.write_text(json.dumps({"turns": turns, "samples": samples}), "utf-8")
    return f"scripted:{path}"


def answers(path: Path, count: int) -> str:
    """A script that is right but for every fifth sample, and answers sample s3 with no number."""
    said = {f"s{n}": [{"say": f"It is {n % 7 + n // 7 + (n % 5 == 0)}."}] for n in range(count)}
    return write_script(path, [{"say": "I do not know."}], **{**said, "s3": [{"say": "Nobody knows."}]})


def suite_file(folder: Path, solve: str) -> str:
    """The suite of sums, put in another way."""
    text = SUMS.read_text("utf-8").replace("SUITE = Suite(", f"SUITE = Suite(\n    solve={solve},")
    path = folder / "another_suite.py"
    path.write_text(text, "utf-8")
    return str(path)


def config(**flags: Any) -> Config:
    return load_config({"memory.policy": "last", "take_notes": False, **flags}, environment={})


def run(tmp_path: Path, spec: str, data: Path, name: str = str(SUMS), out: str = "run", **options: Any) -> Run:
    return run_suite(name, spec, data, config(), RunOptions(**options), tmp_path / out, quiet)


def told(run: Run) -> dict[tuple[str, int], tuple[float | None, str, str]]:
    return {(one.id, one.epoch): (one.value, one.failure, one.prediction) for one in run.results.samples}


def logged(folder: Path) -> list[dict[str, Any]]:
    """The samples of inspect-ai's logs, as they lie in the files."""
    found = []
    for path in sorted((folder / "logs").glob("*.eval")):
        with zipfile.ZipFile(path) as log:
            names = [name for name in log.namelist() if name.startswith("samples/")]
            found += [json.loads(log.read(name)) for name in names]
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clip") / "clip.mp4", [("red", 2), ("green", 2)])


def test_a_run_scores_every_sample_and_says_how_each_failed(tmp_path: Path) -> None:
    made = run(tmp_path, answers(tmp_path / "script.json", 20), write_sums(tmp_path / "data", 20))
    found = told(made)
    assert found["s1", 1] == (1.0, "", "It is 1.")
    assert found["s5", 1] == (0.0, "", "It is 6.")
    assert found["s3", 1] == (None, "parse", "Nobody knows.")
    assert sum(value or 0 for value, _, _ in found.values()) == 15
    one = next(sample for sample in made.results.samples if sample.id == "s8")
    assert (one.cluster, one.slices, one.reference) == ("sum-1", {"size": "small"}, "2")
    assert one.question == "What is 1 plus 1? Give the number."
    assert (one.model_calls, one.tokens_in, one.tokens_out) == (1, 8, 3)
    assert made.results.manifest["figures"] == {"replies": 20.0}
    assert load_results(tmp_path / "run" / "results.jsonl") == made.results


def test_one_or_32_in_flight_come_to_the_same(tmp_path: Path) -> None:
    spec, data = answers(tmp_path / "script.json", 40), write_sums(tmp_path / "data", 40)
    runs = [run(tmp_path, spec, data, out=f"run{n}", in_flight=n, attempts=2) for n in (1, 32)]
    assert told(runs[0]) == told(runs[1])
    assert len(told(runs[0])) == 80


def test_the_agent_is_run_whole_with_a_span_for_every_tool_call(tmp_path: Path, clip: Path) -> None:
    data = write_sums(tmp_path, 2, clip=str(clip), replies=["the second"])
    spec = write_script(
        tmp_path / "script.json",
        [
            {"tool": "look", "args": {"start_s": 0.0, "end_s": 1.0}},
            {"tool": "ask_user", "args": {"kind": "free_text", "request": "Which one?"}},
            {"say": "It is 1 [0:01], not 2 [9:59]."},
            {"say": "It is 1 [0:01]."},
        ],
    )
    made = run(tmp_path, spec, data, suite_file(tmp_path, "'agent'"), in_flight=2)
    assert [(one.id, one.value) for one in made.results.samples] == [("s0", 0.0), ("s1", 1.0)]
    assert all(one.model_calls == 4 and one.frame_ids for one in made.results.samples)
    transcript = json.loads((tmp_path / "run" / "transcripts.jsonl").read_text("utf-8").splitlines()[0])
    assert [use["name"] for use in transcript["tools"]] == ["look", "ask_user"]
    assert transcript["tools"][1]["text"] == "The person answered: the second"
    assert transcript["outcome"] == {"citations": [[1.0]], "unverified": [[]]}
    for sample in logged(tmp_path / "run"):
        spans = [
            event["name"] for event in sample["events"] if event["event"] == "span_begin" and event["type"] == "tool"
        ]
        assert spans == ["look", "ask_user"]
        assert sum(event["event"] == "model" for event in sample["events"]) == 4


def test_the_agents_model_is_asked_the_same_with_and_without_the_engine(tmp_path: Path, clip: Path) -> None:
    data = write_sums(tmp_path / "data", 1, clip=str(clip))
    spec = write_script(tmp_path / "script.json", [{"tool": "recall", "args": {"query": "red"}}, {"say": "It is 0."}])
    name = suite_file(tmp_path, "'agent'")
    asked: list[list[str]] = [[], []]

    def listening(number: int) -> Any:
        async def streamed(
            self: Scripted, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kw: Any
        ) -> Any:
            kept = [(m.type, m.content, m.additional_kwargs, getattr(m, "tool_calls", None)) for m in messages]
            asked[number].append(json.dumps([kept, kw], sort_keys=True, default=str))
            for chunk in self._stream(messages, stop, **kw):
                yield chunk

        return streamed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripted, "_astream", listening(0))
        run(tmp_path, spec, data, name)
        patch.setattr(Scripted, "_astream", listening(1))

        prepared = prepare(name, data, RunOptions())

        plain = attempt(
            prepared.suite, prepared.samples[0], 1, load_mllm(spec), generate_directly, NullTrace(), Settings(config())
        )
        assert asyncio.run(plain).answer == "It is 0."
    assert len(asked[0]) == 2
    assert asked[0] == asked[1]


def test_pictures_are_named_by_hash_and_not_copied_into_logs(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 3, image="a.png")
    Image.effect_noise((300, 300), 90).save(data / "a.png")
    encoded = (data / "a.png").read_bytes()
    sha256 = hashlib.sha256(encoded).hexdigest()
    made = run(tmp_path, answers(tmp_path / "script.json", 3), data)
    assert {one.frame_ids for one in made.results.samples} == {(sha256,)}
    assert all(sha256 in json.dumps(sample) for sample in logged(tmp_path / "run"))
    written = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert written < len(encoded)


def test_a_suite_may_bring_its_own_dialogue(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 4)
    spec = write_script(tmp_path / "script.json", [{"say": "Well."}, {"say": "3 it is then, I think"}])
    made = run(tmp_path, spec, data, suite_file(tmp_path, "talk"), in_flight=4)
    lines = [json.loads(line) for line in (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8").splitlines()]
    assert all(line["answers"] == ["Well.", "3 it is then,"] for line in lines)
    drawn = {line["id"]: line["outcome"]["drawn"] for line in lines}
    assert len(set(drawn.values())) == 4
    again = run(tmp_path, spec, data, suite_file(tmp_path, "talk"), out="again", in_flight=1)
    lines = [json.loads(line) for line in (tmp_path / "again" / "transcripts.jsonl").read_text("utf-8").splitlines()]
    assert {line["id"]: line["outcome"]["drawn"] for line in lines} == drawn
    assert told(made) == told(again)


def test_baselines_answer_without_a_model(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 30)
    oracle = run(tmp_path, "baseline:oracle", data, out="oracle")
    assert all(one.value == 1.0 and one.model_calls == 0 for one in oracle.results.samples)
    guesses = [run(tmp_path, "baseline:random", data, out=f"r{n}", in_flight=n) for n in (1, 16)]
    assert told(guesses[0]) == told(guesses[1])
    assert told(guesses[0]) != told(run(tmp_path, "baseline:random", data, out="other", seed=1))
    with pytest.raises(ConfigError, match=r"unknown baseline 'oracel'.*baseline:oracle, baseline:random"):
        run(tmp_path, "baseline:oracel", data, out="none")


def test_blind_keeps_pictures_and_sources_from_the_model(tmp_path: Path, clip: Path) -> None:
    data = write_sums(tmp_path / "data", 1, clip=str(clip), image=str(clip))
    spec = write_script(tmp_path / "script.json", [{"when": "plus", "say": "It is 0."}])
    for solve in ("'model'", "'agent'"):
        made = run(tmp_path, spec, data, suite_file(tmp_path, solve), out=solve, blind=True)
        assert [(one.value, one.frame_ids) for one in made.results.samples] == [(1.0, ())]
    with pytest.raises(ConfigError, match=r"cannot run .* blind"):
        run(tmp_path, spec, data, suite_file(tmp_path, "talk"), out="talk", blind=True)


def test_a_model_that_fails_once_counts_as_failed_and_is_asked_again_on_resume(tmp_path: Path) -> None:
    data, script = write_sums(tmp_path / "data", 3), tmp_path / "script.json"
    spec = write_script(script, [{"say": "It is 1."}], s1=[{"when": "never", "say": "x"}])
    made = run(tmp_path, spec, data)
    assert told(made)["s1", 1] == (None, "model", "")
    lines = (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8").splitlines()
    assert "no answer for call 1" in next(json.loads(line)["problem"] for line in lines if "problem" in line)
    write_script(script, [{"say": "It is 1."}])
    with pytest.raises(ConfigError, match="weights was"):
        resume_run(tmp_path / "run", config(), quiet)
    write_script(script, [{"say": "It is 1."}], s1=[{"when": "never", "say": "x"}])
    again = resume_run(tmp_path / "run", config(), quiet)
    assert (again.made, told(again)) == (1, told(made))


def test_a_model_that_is_gone_ends_the_run_and_what_is_finished_is_kept(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 40), write_script(tmp_path / "script.json", [{"say": "1"}])
    text = (
        "from tools.errors import ModelError\n"
        "CALLS = []\n\n\nasync def ask(sample, respond, rng):\n"
        "    CALLS.append(sample.id)\n"
        "    if len(CALLS) > 5:\n        raise ModelError('the server is gone.')\n"
        "    await respond([Message('user', sample.prompt)])\n    return {}\n\n\nSUITE = Suite(\n    solve=ask,"
    )
    suite = tmp_path / "gone_suite.py"
    suite.write_text(SUMS.read_text("utf-8").replace("SUITE = Suite(", text), "utf-8")
    with pytest.raises(ModelError, match=r"failed 8 times in a row: the server is gone.*attend eval resume"):
        run(tmp_path, spec, data, str(suite), in_flight=1)
    kept = [json.loads(line) for line in (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8").splitlines()]
    # An attempt that was about to begin may still be made.
    assert len(kept) in (13, 14)
    assert [line.get("failure", "") for line in kept] == [""] * 5 + ["model"] * (len(kept) - 5)
    with pytest.raises(ConfigError, match=f"{40 - len(kept)} of 40 attempts are not made yet"):
        score_run(tmp_path / "run")


def test_a_limit_on_time_is_a_failure_of_its_own_kind(tmp_path: Path) -> None:
    spec = write_script(tmp_path / "script.json", [{"say": "one two three four", "tokens_per_s": 0.5}])
    made = run(tmp_path, spec, write_sums(tmp_path / "data", 1), limit_s=0.2)
    assert told(made)["s0", 1] == (None, "limit", "")


def test_what_the_agent_asks_that_has_no_answer_is_a_failure_of_the_tool(tmp_path: Path, clip: Path) -> None:
    choose = {"tool": "ask_user", "args": {"kind": "choose", "request": "Which?", "choices": ["a", "b"]}}
    data = write_sums(tmp_path / "data", 1, clip=str(clip))
    made = run(tmp_path, write_script(tmp_path / "s.json", [choose]), data, suite_file(tmp_path, "'agent'"))
    assert told(made)["s0", 1][:2] == (None, "tool")
    lines = (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8")
    assert "the agent asked 'Which?'" in lines


def test_broken_data_are_told_by_file_line_field_and_remedy(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 6), answers(tmp_path / "script.json", 6)
    file = data / "sums.jsonl"
    rows = file.read_text("utf-8").splitlines()
    rows[1] = '{"id": "s1", "a": "one", "b": 0}'
    rows[2] = rows[0]
    rows[4] = '{"id": "s4", "a": 1, "b": 2, "image": "gone.png"}'
    file.write_text("\n".join(rows), "utf-8")
    with pytest.raises(DataError) as caught:
        run(tmp_path, spec, data)
    message = str(caught.value)
    assert f"{str(file)!r}, line 3, field 'id': duplicate id 's0'" in message
    assert "2 other records are broken too" in message
    assert "--skip-bad" in message
    made = run(tmp_path, spec, data, skip_bad=True)
    assert {(one.id, one.failure) for one in made.results.samples if one.failure == "data"} == {
        ("s0 (2)", "data"),
        ("s4", "data"),
        ("sums.jsonl:2", "data"),
    }
    bad = made.results.manifest["bad"]
    assert any("line 5, field 'image': the file" in problem and "gone.png" in problem for problem in bad)
    assert any("line 2, field 'a': Input should be a valid integer" in problem for problem in bad)
    assert len(made.results.samples) == 6


def test_a_picture_that_is_none_fails_alone(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 2, image="a.png")
    (data / "a.png").write_bytes(b"no picture")
    made = run(tmp_path, answers(tmp_path / "script.json", 2), data)
    assert {one.failure for one in made.results.samples} == {"data"}
    transcripts = (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8")
    assert "line 1, field 'image': cannot show the picture" in transcripts


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "cannot read"),
        ("[{}", "it is not JSON"),
        ('{"a": 1}', "contains a dict, not a list"),
    ],
)
def test_a_list_that_is_none_is_told(tmp_path: Path, held: str | None, said: str) -> None:
    file = tmp_path / "list.json"
    if held is not None:
        file.write_text(held, "utf-8")
    with pytest.raises(DataError, match=said):
        read_json_list(file, Row)


@given(st.lists(st.tuples(st.text(), st.integers()), max_size=6), st.sampled_from([None, 1, "\t"]))
@settings(max_examples=50)
def test_records_of_a_list_are_told_by_the_line_they_begin_on(rows: list[tuple[str, int]], indent: Any) -> None:
    held = [{"id": text, "a": number, "b": 0} for text, number in rows] + [{"id": "last", "a": "x"}]
    text = json.dumps(held, indent=indent, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.json"
        path.write_text(text, "utf-8", newline="\n")
        records, bad = read_json_list(path, Row)
    assert [record.id for _, record in records] == [text for text, _ in rows]
    assert bad[0].field in ("a", "b")
    starts = [number for number, line in enumerate(text.split("\n"), start=1) if line.strip() == "{"]
    assert [line for line, _ in records] + [bad[0].line] == (starts or [1] * len(held))


def test_scoring_again_calls_no_model(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    made = run(tmp_path, answers(script, 10), write_sums(tmp_path / "data", 10))
    script.unlink()
    (tmp_path / "run" / "results.jsonl").unlink()
    assert score_run(tmp_path / "run").results == made.results


def test_damaged_results_are_scored_anew(tmp_path: Path) -> None:
    made = run(tmp_path, answers(tmp_path / "script.json", 4), write_sums(tmp_path / "data", 4))
    (tmp_path / "run" / "results.jsonl").write_text("{", "utf-8")
    assert score_run(tmp_path / "run").results == made.results


def test_a_suite_file_that_changed_is_noticed(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 4), answers(tmp_path / "script.json", 4)
    suite = tmp_path / "mine.py"
    suite.write_text(SUMS.read_text("utf-8"), "utf-8")
    first = run(tmp_path, spec, data, name=str(suite))
    suite.write_text(SUMS.read_text("utf-8") + "\n# Another scorer, for all that is known.\n", "utf-8")
    with pytest.raises(ConfigError, match=r"prompts changed in 'mine.py'"):
        resume_run(tmp_path / "run", config(), quiet)
    assert score_run(tmp_path / "run").results.samples == first.results.samples, "a scorer may be mended"
    suite.write_text(SUMS.read_text("utf-8").replace("Give the number.", "Say the number."), "utf-8")
    with pytest.raises(ConfigError, match="asked was"):
        score_run(tmp_path / "run")
    moved = tmp_path / "elsewhere" / "mine.py"
    moved.parent.mkdir()
    moved.write_text(SUMS.read_text("utf-8"), "utf-8")
    other = run(tmp_path, spec, data, name=str(moved), out="other")
    assert compare(first.results, other.results).overall.difference == 0


def test_a_suite_is_read_as_its_file_stands_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    suite = tmp_path / "suite.py"
    for version in (1, 2):
        suite.write_text(SUMS.read_text("utf-8").replace("version=1", f"version={version}"), "utf-8")
        os.utime(suite, (1e9, 1e9))  # as two changes within a second
        assert load_suite(str(suite)).version == version
    assert [path.name for path in tmp_path.iterdir()] == ["suite.py"]


@pytest.mark.parametrize(
    ("line", "told_"),
    [
        ("import no_such_module", ": ModuleNotFoundError: No module named 'no_such_module'"),
        ("SUITE = ", ": SyntaxError"),
        ("def load(data, options): return 1 / 0", "cannot load sums: ZeroDivisionError"),
        ("def score(sample, transcript): return 0.5", "returned 0.5 instead of a Scored"),
        ("def score(sample, transcript): return Scored(value=2.0)", "invalid score 2.0: expected 0 to 1"),
        ("def score(sample, transcript): return Scored(failure='oops')", "unknown failure 'oops'"),
        ("def figures(judged): return judged['x']", "cannot compute the figures of sums: TypeError"),
    ],
)
def test_a_broken_suite_file_is_told_of_in_words(tmp_path: Path, line: str, told_: str) -> None:
    suite, data = tmp_path / "mine.py", write_sums(tmp_path / "data", 2)
    text = SUMS.read_text("utf-8").replace("SUITE = Suite(", f"{line}\n\n\nSUITE = Suite(")
    suite.write_text(re.sub(r"figures=lambda.*", "figures=figures,", text) if "figures" in line else text, "utf-8")
    with pytest.raises(AttendError) as raised:
        run(tmp_path, answers(tmp_path / "script.json", 2), data, name=str(suite))
    assert told_ in str(raised.value)


def test_what_a_suite_needs_is_told_of_before_a_run_and_before_it_goes_on(tmp_path: Path) -> None:
    """Here a judge, which is asked for while the file of it is there not to be."""
    suite, data, judge = tmp_path / "mine.py", write_sums(tmp_path / "data", 2), tmp_path / "judge.json"
    ready = f"ready=SuiteJudge({f'scripted:{judge}'!r}, None).open"
    text = SUMS.read_text("utf-8").replace("files=(file,))", f"files=(file,), {ready})")
    suite.write_text(text.replace("SUITE =", "from evals.suites.judges import SuiteJudge\n\nSUITE ="), "utf-8")
    with pytest.raises(JudgeOutage, match=r"cannot use the judge: .*judge\.json"):
        run(tmp_path, "baseline:oracle", data, name=str(suite))
    assert not (tmp_path / "run").exists()
    judge.write_text(json.dumps({"turns": [{"say": "yes"}]}), "utf-8")
    assert len(run(tmp_path, "baseline:oracle", data, name=str(suite)).results.samples) == 2
    judge.unlink()
    with pytest.raises(JudgeOutage, match="cannot use the judge"):
        resume_run(tmp_path / "run", config(), quiet)


def test_no_run_begins_or_goes_on_without_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_sums(tmp_path / "data", 2)
    run(tmp_path, "baseline:oracle", data)
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(ConfigError, match="attend setup evals"):
        run(tmp_path, "baseline:oracle", data, out="other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(ConfigError, match="attend setup evals"):
        resume_run(tmp_path / "run", config(), quiet)


def test_attempts_without_a_temperature_are_remarked_on(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 2), answers(tmp_path / "script.json", 2)
    assert "the temperature is 0" in "".join(run(tmp_path, spec, data, attempts=2).notices)
    assert not run(tmp_path, spec, data, out="once").notices
    assert not run(tmp_path, "baseline:oracle", data, out="oracle", attempts=2).notices


def test_an_unfinished_run_is_no_report(tmp_path: Path) -> None:
    run(tmp_path, answers(tmp_path / "script.json", 2), write_sums(tmp_path / "data", 2))
    (tmp_path / "run" / "results.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"is not finished.*attend eval resume"):
        results_of(tmp_path / "run")


def test_a_line_that_is_no_text_is_one_bad_line(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 3)
    lines = (data / "sums.jsonl").read_bytes().split(b"\n")
    (data / "sums.jsonl").write_bytes(b"\n".join([lines[0], b'{"id": "\xff"}', lines[2]]))
    with pytest.raises(DataError, match=r"line 2: it is not UTF-8"):
        run(tmp_path, "baseline:oracle", data)
    assert len(run(tmp_path, "baseline:oracle", data, skip_bad=True).results.samples) == 3


def test_a_run_is_not_begun_over_another_and_not_shared(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 2), answers(tmp_path / "script.json", 2)
    run(tmp_path, spec, data)
    with pytest.raises(ConfigError, match="already contains a run"):
        run(tmp_path, spec, data)
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(StoreError, match="another process is working"):
        resume_run(tmp_path / "run", config(), quiet)


def test_the_manifest_tells_what_a_run_was(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 2), answers(tmp_path / "script.json", 2)
    run(tmp_path, spec, data, seed=7, attempts=2)
    manifest = read_manifest(tmp_path / "run")
    assert manifest.files == {"sums.jsonl": hashlib.sha256((data / "sums.jsonl").read_bytes()).hexdigest()}
    assert manifest.weights == {"script.json": hashlib.sha256((tmp_path / "script.json").read_bytes()).hexdigest()}
    hashes = {"ask": SUITE.prompts["ask"].encode(), "sums_suite.py": SUMS.read_bytes()}
    assert manifest.prompts == {name: hashlib.sha256(content).hexdigest() for name, content in hashes.items()}
    assert (manifest.seed, manifest.attempts, manifest.samples, manifest.version) == (7, 2, 2, 1)
    assert manifest.packages == package_hash()


def test_a_revision_tells_of_changes(tmp_path: Path) -> None:
    assert git_revision(tmp_path) == ""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "a").write_text("1")
    for arguments in (["init", "-q"], ["add", "a"], [*identity, "commit", "-q", "-m", "a"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    clean = git_revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "a").write_text("2")
    changed = git_revision(tmp_path)
    assert changed.startswith(clean + "+")
    (tmp_path / "a").write_text("3")
    assert git_revision(tmp_path).startswith(clean + "+")
    assert git_revision(tmp_path) != changed
    (tmp_path / "a").write_text("2")
    assert git_revision(tmp_path) == changed


def test_weights_are_hashed_where_they_are_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    expected = {"model.safetensors": hashlib.sha256(b"weights").hexdigest()}
    assert weight_hashes(f"hf:{tmp_path}") == weight_hashes(str(tmp_path)) == expected
    assert weight_hashes("openai:m@http://127.0.0.1:1/v1") == {}
    assert {name.rsplit(".", 1)[1] for name in weight_hashes("embedded")} == {"safetensors", "gguf"}


def test_seeds_depend_on_the_attempt_alone() -> None:
    seeds = {attempt_seed(seed, Sample(id=id_), epoch) for seed in (0, 1) for id_ in ("a", "b") for epoch in (1, 2)}
    assert len(seeds) == 8
    assert attempt_seed(0, Sample(id="a"), 1) == attempt_seed(0, Sample(id="a"), 1) < 2**32


def test_a_limit_draws_a_part_of_what_a_larger_one_draws(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 30), answers(tmp_path / "script.json", 30)
    drawn = [set(told(run(tmp_path, spec, data, out=f"r{limit}", limit=limit))) for limit in (5, 12)]
    assert drawn[0] < drawn[1]
    assert [len(part) for part in drawn] == [5, 12]


def test_nothing_reaches_the_network_or_reads_settings_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        called.append(address)
        raise OSError("no network here")

    data, spec = write_sums(tmp_path / "data", 3), answers(tmp_path / "script.json", 3)
    (tmp_path / ".env").write_text("FROM_A_DOT_ENV=1\nINSPECT_LOG_DIR=elsewhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("INSPECT_TELEMETRY", "tests.nowhere.send")
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "elsewhere"))
    hook, before = sys.excepthook, dict(os.environ)
    run(tmp_path, spec, data)
    assert (called, sys.excepthook, dict(os.environ)) == ([], hook, before)
    assert not (tmp_path / "elsewhere").exists()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        ".lock", "logs", "manifest.json", "results.jsonl", "transcripts.jsonl",
    ]  # fmt: skip


def test_suites_and_the_command_line_load_no_framework() -> None:
    script = "import sys, evals.cli, evals.engine.suite, evals.engine.run; print('inspect_ai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_verbs_run_score_and_refuse(tmp_path: Path) -> None:
    data, spec = write_sums(tmp_path / "data", 10), answers(tmp_path / "script.json", 10)
    cli, out = CliRunner(), str(tmp_path / "run")
    begin = ["eval", "run", str(SUMS), "--model", spec, "--data", str(data), "--out", out]
    done = cli.invoke(app, [*begin, "--json", "--fail-under", "0.6"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["overall"]["as_wrong"]["mean"]["value"] == pytest.approx(0.7)
    assert told["overall"]["scored"]["mean"]["value"] == pytest.approx(7 / 9)
    assert told["overall"]["failures"] == {"parse": 1}
    again = cli.invoke(app, ["eval", "score", out, "--fail-under", "0.75"])
    assert again.exit_code == 3
    assert "1 parse" in again.stdout
    assert isinstance(cli.invoke(app, begin).exception, ConfigError)
    wrong = cli.invoke(app, [*begin[:-1], str(tmp_path / "two"), "--set", "sign=times"])
    assert "Input should be 'plus' or 'minus'" in str(wrong.exception)
    assert "NAME=VALUE" in str(cli.invoke(app, [*begin, "--set", "sign"]).exception)


def test_an_option_of_the_suite_changes_what_is_asked(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 4)
    made = run(tmp_path, "baseline:oracle", data, suite_options={"sign": "minus"})
    assert [one.question for one in made.results.samples][1] == "What is 1 minus 0? Give the number."
    with pytest.raises(ConfigError, match=r"unknown option 'sing' of sums.*one of sign"):
        run(tmp_path, "baseline:oracle", data, out="two", suite_options={"sing": "minus"})


async def test_an_observed_model_counts_and_refuses_what_the_model_cannot_take() -> None:
    account = CallTotals()
    blind = Scripted(turns=[Turn(say="No."), Turn(say="Yes.")], declared={"images": False})
    observed = InstrumentedModel.over(blind, generate_directly, account)
    assert (await observed.ainvoke("Is it red?")).text == "No."
    assert (account.calls, account.tokens_in, account.tokens_out) == (1, 3, 1)
    with pytest.raises(ModelError, match="without vision"):
        await observed.ainvoke([HumanMessage([image_block(np.zeros((4, 4, 3), np.uint8))])])


def test_parts_of_a_suite_are_checked_where_they_are_made() -> None:
    for wrong in ({}, {"path": Path("a"), "encoded": b"b"}):
        with pytest.raises(ValueError, match="either a path or encoded bytes"):
            Picture(**wrong)
    for wrong in ({}, {"value": 1.0, "failure": "parse"}):
        with pytest.raises(ValueError, match="either a value or a failure"):
            Scored(**wrong)


def test_a_part_of_a_picture_is_cut_to_its_bounds(tmp_path: Path) -> None:

    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "a.png")
    sample = Sample(id="a", file=tmp_path / "a.jsonl", line=3)
    shown = decode_image(picture_block(Picture(tmp_path / "a.png", crop_px=(-5, 10, 20, 99)), sample))
    assert shown.shape == (20, 20, 3)
    with pytest.raises(DataError, match=r"line 3, field 'image'.*lies outside its 40 x 30 pixels"):
        picture_block(Picture(tmp_path / "a.png", crop_px=(50, 0, 60, 10)), sample)


def test_verbs_compare_report_and_ask_for_power(tmp_path: Path) -> None:
    data = write_sums(tmp_path / "data", 60)
    a, b = (
        run(tmp_path, "baseline:oracle", data, out="a").folder,
        run(tmp_path, "baseline:random", data, out="b").folder,
    )
    cli, page = CliRunner(), tmp_path / "page.html"
    worse = cli.invoke(app, ["eval", "compare", str(a), str(b), "--html", str(page)])
    assert worse.exit_code == 3
    assert "worse" in worse.stdout
    assert "regression sums s0: 1 to 0; 0 -> " in worse.stdout
    assert "more regressions" in worse.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    better = cli.invoke(app, ["eval", "compare", str(b), str(a / "results.jsonl"), "--json"])
    assert better.exit_code == 0
    assert json.loads(better.stdout)["overall"]["verdict"] == "better"
    for arguments, name in (([str(a)], a / "report.html"), ([str(a), str(b)], b / "comparison.html")):
        done = cli.invoke(app, ["eval", "report", *arguments])
        assert done.stdout.strip() == str(name)
        assert name.stat().st_size < 1_000_000
    needed = cli.invoke(app, ["eval", "power", "--effect", "0.1", "--baseline", "0.6", "--json"])
    assert 300 < json.loads(needed.stdout)["paired"] < 500
    assert "clusters" in cli.invoke(app, ["eval", "power", "--effect", "0.1", "--pilot", str(b)]).stdout
    run_b = ["eval", "power", "--effect", "0.1"]
    both = [*run_b, "--pilot", str(b), "--icc", "0"]
    assert "cannot combine --icc with --pilot" in str(cli.invoke(app, both).exception)
    assert "cannot use --rival without --pilot" in str(cli.invoke(app, [*run_b, "--rival", str(b)]).exception)
    assert "less than 1" in str(cli.invoke(app, ["eval", "power", "--effect", "0.1", "--baseline", "2"]).exception)
    assert isinstance(cli.invoke(app, ["eval", "compare", str(a), str(tmp_path)]).exception, StoreError)
