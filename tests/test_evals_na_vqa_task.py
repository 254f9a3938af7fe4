"""NA-VQA on the engine: memories are built once, answers and evidence scored, judges counted, questions asked alone."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import evals.suites.na_vqa.films as films
from evals.cli import app
from evals.engine.suite import Sample, Transcript
from evals.suites.na_vqa.task import Gold, Options, SampleData, score
from tests.fixtures.scenes import write_scenes
from tools.errors import AttendError, ConfigError

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "na_vqa" / "sample"
QUERIES = json.dumps({"queries": ["the lamp"]})
RATE, SPLIT, CHECK = "Rate how correct", "You split a reference", "For each point"
POINTS = json.dumps({"points": ["One.", "Two.", "Three."]})


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    arguments = ["eval", "run", "na-vqa", "--data", str(data), "--model", model, "--out", str(tmp_path / out)]
    done = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path / "home"), "--json", *more])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def script(path: Path, turns: Sequence[Mapping[str, Any]], **samples: Sequence[Mapping[str, Any]]) -> str:
    path.write_text(json.dumps({"turns": turns, "samples": samples}), "utf-8")
    return f"scripted:{path}"


def says(path: Path, answer: str, cited: Sequence[int] = (1,)) -> str:
    return script(path, [{"say": QUERIES}, {"say": json.dumps({"answer": answer, "cited": cited})}])


def results(tmp_path: Path, out: str = "run") -> dict[str, dict[str, Any]]:
    lines = (tmp_path / out / "results.jsonl").read_text("utf-8").splitlines()[1:]
    return {one["id"]: one for one in map(json.loads, lines)}


def outcomes(tmp_path: Path, out: str = "run") -> dict[str, dict[str, Any]]:
    lines = (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()
    return {one["id"]: one.get("outcome", {}) for one in map(json.loads, lines)}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The films that are built, one entry each time."""
    made: list[str] = []
    build: Callable[..., None] = films.build_narrative

    def listening(spec: str, *more: Any) -> None:
        made.append(Path(spec).name)
        build(spec, *more)

    monkeypatch.setattr(films, "build_narrative", listening)
    return made


def test_the_model_answers_from_the_memory_of_the_film(tmp_path: Path, built: list[str]) -> None:
    reference = "He has no patience with it, and chases it from the door with a broom."
    reply = {"answer": "He has no patience, and chases it with a broom [1].", "cited": [1, 99]}
    told = r"1\. 0:40: <untrusted>A baker with flour on his arms chases a stray dog"
    own = [{"say": '{"queries": ["broom"]}'}, {"when": told, "say": json.dumps(reply)}]
    keeper = [{"say": QUERIES}, {"say": '{"answer": "The jar was empty [1].", "cited": [1]}'}]
    model = script(tmp_path / "s.json", keeper, **{"bakery-1": own})
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    # Two events alone are told, so that what they are numbered is plain.
    lines = (data / "films" / "bakery.jsonl").read_text("utf-8").splitlines()[1:3]
    (data / "films" / "bakery.jsonl").write_text("\n".join(lines), "utf-8")
    found = run(tmp_path, model, "--max-in-flight", "8", data=data)
    assert sorted(built) == ["bakery.jsonl", "keeper.jsonl"]
    one, said = results(tmp_path)["bakery-1"], outcomes(tmp_path)["bakery-1"]
    assert said["answer"] == "He has no patience, and chases it with a broom."
    assert (said["clock"], said["unverified"]) == ("seconds", 1)
    assert [start_s for start_s, _ in said["cited"]] == [40]
    assert said["cited"][0] in said["told"]
    assert one["value"] == pytest.approx(2 * 10 / (10 + len(reference.split())))
    assert (one["model_calls"], one["cluster"], one["reference"]) == (2, "bakery", reference)
    assert one["slices"] == {"range": "Short", "reasoning type": "Character"}
    assert found["figures"]["citations of what was never shown"] == 1
    assert {"Short: recall", "Far: recall@5", "Medium: rouge_l", "Social: rouge_l"} <= set(found["figures"])


def test_memories_are_kept_where_a_folder_is_named(tmp_path: Path) -> None:
    model, kept = says(tmp_path / "s.json", "It was dark [1]."), tmp_path / "kept"
    first = run(tmp_path, model, "--set", f"memory={kept}", out="first")
    assert len(list(kept.glob("*/narrative/narrative.sqlite"))) == 2
    assert run(tmp_path, model, "--set", f"memory={kept}", out="again")["figures"] == first["figures"]


def test_evidence_is_quoted_without_a_model(tmp_path: Path) -> None:
    never = script(tmp_path / "s.json", [{"when": "never", "say": "x"}])
    found = run(tmp_path, never, "--set", "answer=quotes", "--set", "value=recall")
    assert found["overall"]["failures"] == {}
    assert found["figures"]["Short: recall"] > 0.9
    assert not any("model_calls" in one for one in results(tmp_path).values())
    assert found["overall"]["as_wrong"]["mean"]["value"] > 0.8


def test_blind_asks_the_question_alone(tmp_path: Path, built: list[str]) -> None:
    model = script(tmp_path / "s.json", [{"when": "a film that you do not know: ", "say": "The jar was empty."}])
    found = run(tmp_path, model, "--blind")
    assert built == []
    assert {name: found["figures"][f"Far: {name}"] for name in ("recall", "all@5")} == {"recall": 0, "all@5": 0}
    assert 0 < found["figures"]["Far: rouge_l"] < 0.5


def test_an_answer_that_cannot_be_read_is_a_failure_and_ends_nothing(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": "I would rather talk."}] * 4)
    found = run(tmp_path, model, "--limit", "9")  # more than end a run when a model is gone
    assert found["overall"]["failures"] == {"parse": 9}
    assert found["overall"]["scored"]["mean"]["n"] == 0
    assert "Far: rouge_l" not in found["figures"]


def test_a_model_that_fails_is_a_failure_of_the_model(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": QUERIES}, {"say": '{"answer": "So [1].", "cited": [1]}'}],
                   **{"keeper-1": [{"say": QUERIES}]})  # fmt: skip
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    asked = (data / "qa.jsonl").read_text("utf-8").splitlines()[:2]
    (data / "qa.jsonl").write_text("\n".join(asked), "utf-8")
    assert run(tmp_path, model, data=data)["overall"]["failures"] == {"model": 1}


def test_time_runs_out_while_the_model_thinks(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    lines = (data / "qa.jsonl").read_text("utf-8").splitlines()[:1]
    (data / "qa.jsonl").write_text(lines[0], "utf-8")
    kept = ["--set", f"memory={tmp_path / 'kept'}"]
    run(tmp_path, says(tmp_path / "s.json", "So [1]."), *kept, data=data, out="built")
    slow = script(tmp_path / "slow.json", [{"say": "one two three four five six", "tokens_per_s": 0.5}])
    found = run(tmp_path, slow, *kept, "--time-limit", "1", data=data)
    assert found["overall"]["failures"] == {"limit": 1}
    left = [thread for thread in threading.enumerate() if thread.name.startswith("asking")]
    for thread in left:
        thread.join(60)
    assert not any(thread.is_alive() for thread in left)  # nothing goes on for an attempt that is over


def judge(path: Path, count: int, score: str = '{"score": 4}', split: str = POINTS) -> str:
    checked = json.dumps({"point_1": "covered", "point_2": "absent", "point_3": "contradicted"})
    said = [(RATE, score), (SPLIT, split), (CHECK, checked), ("could not be used", "No.")]
    return script(path, [{"when": when, "say": say} for when, say in said for _ in range(count)])


def test_a_judge_rates_answers_and_its_key_points(tmp_path: Path) -> None:
    model, rates = says(tmp_path / "s.json", "The jar was empty [1]."), judge(tmp_path / "j.json", 14)
    found = run(tmp_path, model, "--set", f"judge={rates}", "--set", "value=correctness")
    assert found["overall"]["as_wrong"]["mean"]["value"] == pytest.approx(0.8)
    assert found["figures"]["Far: correctness"] == 80
    assert found["figures"]["Far: covered"] == pytest.approx(1 / 3)
    assert found["figures"]["judge: asked"] == 3 * 14
    lines = (tmp_path / "run" / "transcripts.jsonl").read_text("utf-8")
    assert "[1]" not in json.dumps([one["answer"] for one in outcomes(tmp_path).values()])
    assert lines.count('"verdicts"') == 14


def test_verdicts_that_cannot_be_read_are_counted_and_in_no_mean(tmp_path: Path) -> None:
    model = says(tmp_path / "s.json", "The jar was empty [1].")
    rates = judge(tmp_path / "j.json", 28, score="4 of 5")
    found = run(tmp_path, model, "--set", f"judge={rates}", "--set", "value=correctness")
    assert found["overall"]["failures"] == {"judge": 14}
    assert found["overall"]["scored"]["mean"]["n"] == 0
    assert found["figures"]["judge: unreadable"] == 14
    assert "Far: correctness" not in found["figures"]
    assert "Far: covered" in found["figures"]
    by_words = run(tmp_path, model, "--set", f"judge={rates}", out="words")
    assert by_words["overall"]["failures"] == {}
    assert by_words["figures"]["judge: unreadable"] == 14


def test_baselines_answer_without_a_memory(tmp_path: Path, built: list[str]) -> None:
    oracle = run(tmp_path, "baseline:oracle", out="oracle")
    assert oracle["overall"]["as_wrong"]["mean"]["value"] == 1
    random = run(tmp_path, "baseline:random", out="random")
    assert 0 < random["overall"]["as_wrong"]["mean"]["value"] < 0.5
    assert built == []


def test_a_film_is_watched(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    write_scenes(tmp_path / "films" / "clip.mp4", [("red", 4), ("green", 4)])
    (tmp_path / "films" / "clip.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nThe lamp is red.\n", "utf-8")
    film = {"video_id": "clip", "duration_s": 8}
    asked = {
        "qa_id": "q", "video_id": "clip", "question": "What colour is the lamp?", "reference": "The lamp is red.",
        "reasoning_type": "Narrative", "evidence": [{"text": "the lamp", "t0": 1, "t1": 3}],
    }  # fmt: skip
    (tmp_path / "videos.jsonl").write_text(json.dumps(film), "utf-8")
    (tmp_path / "qa.jsonl").write_text(json.dumps(asked), "utf-8")
    never = script(tmp_path / "s.json", [{"when": "never", "say": "x"}])
    found = run(tmp_path, never, "--set", "answer=quotes", data=tmp_path)
    assert found["figures"]["Short: recall"] == 1
    assert "The lamp is red." in outcomes(tmp_path)["q"]["answer"]


def test_a_story_without_times_has_no_evidence_to_be_scored(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "data")
    for path in (tmp_path / "data" / "films").glob("*.jsonl"):
        texts = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
        path.with_suffix(".txt").write_text("\n\n".join(texts), "utf-8")
        path.unlink()
    model = says(tmp_path / "s.json", "The jar was empty [1].")
    found = run(tmp_path, model, "--limit", "4", "--set", "value=recall", data=tmp_path / "data")
    assert found["overall"]["failures"] == {"data": 4}
    assert not any("recall" in name for name in found["figures"])


def edit(folder: Path, name: str, line: int, **change: Any) -> None:
    path = folder / name
    lines = path.read_text("utf-8").splitlines()
    lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **change})
    path.write_text("\n".join(lines), "utf-8")


def test_bad_data_are_told_of_and_may_be_passed_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    edit(data, "qa.jsonl", 3, reasoning_type="Odd")
    with pytest.raises(AttendError, match=r"qa\.jsonl', line 3, field 'reasoning_type': .*found 'Odd'.*--skip-bad"):
        run(tmp_path, "baseline:oracle", data=data)
    (data / "films" / "bakery.jsonl").unlink()
    found = run(tmp_path, "baseline:oracle", "--skip-bad", data=data)
    assert found["overall"]["failures"] == {"data": 8}
    assert "line 8, field 'video_id': there is no file of the film 'bakery'" in " ".join(found["manifest"]["bad"])
    with pytest.raises(AttendError, match=r"has neither videos\.jsonl nor videos\.json"):
        run(tmp_path, "baseline:oracle", data=tmp_path, out="none")
    with pytest.raises(ConfigError, match="value=covered needs a judge"):
        run(tmp_path, "baseline:oracle", "--set", "value=covered", out="none")


SECTIONS = (
    "A fox finds a key in the snow.", "A crow sings of summer.", "The river is frozen over.", "A hen bakes bread.",
    "The fox opens a chest with its key.",
)  # fmt: skip


COLUMNS = ("question_id", "cor_section", "attribute1", "question", "answer1", "answer4")
ASKED = (
    ("1", "1,5", "causal", "Why can the fox open the chest with the key?", "It has a key.", "It found it."),
    ("2", "4", "action", "Who bakes bread?", "The hen.", "A hen."),
)


def fairytales(folder: Path) -> Path:
    told = [("section", "text"), *enumerate(SECTIONS, start=1)]
    for split in ("train", "test"):
        for kind, end, rows in (("section-stories", "story", told), ("questions", "questions", [COLUMNS, *ASKED])):
            (folder / kind / split).mkdir(parents=True)
            with (folder / kind / split / f"fox-{split}-{end}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(rows)
    return folder


def test_stories_of_fairytaleqa_are_asked_about_by_section(tmp_path: Path) -> None:
    data = fairytales(tmp_path / "data")
    model = says(tmp_path / "s.json", "A hen.")
    options = ["--set", "data_set=fairytaleqa"]
    found = run(tmp_path, model, *options, data=data)
    assert set(results(tmp_path)) == {"fox-test-1", "fox-test-2"}
    told = results(tmp_path)["fox-test-2"]
    assert (told["value"], told["reference"]) == (1, "The hen. / A hen.")
    assert told["slices"] == {"range": "Short", "reasoning type": "action"}
    assert outcomes(tmp_path)["fox-test-1"]["clock"] == "sections"
    assert found["figures"]["Far: all"] == 1
    assert set(found["manifest"]["files"]) == {"fox-test-story.csv", "fox-test-questions.csv"}
    blind = script(tmp_path / "b.json", [{"when": "a story that you do not know", "say": "A hen."}])
    assert run(tmp_path, blind, *options, "--set", "split=all", "--blind", data=data, out="all")["overall"]
    assert len(results(tmp_path, "all")) == 4


@given(st.text(max_size=40), st.lists(st.tuples(st.floats(0, 90), st.floats(1, 9)), max_size=4))
def test_every_answer_has_a_value_between_0_and_1(answer: str, told: list[tuple[float, float]]) -> None:
    gold = Gold("Why?", ("It was dark.", "So it was."), ((1.0, 2.0), (50.0, 60.0)), "seconds", "f", "Far", "Causal")
    spans = [[start, start + length] for start, length in told]
    made = Transcript(task="t", id="q", outcome={"answer": answer, "clock": "seconds", "told": spans, "cited": spans})
    for value in ("rouge_l", "recall", "all"):
        held = SampleData(Options(value=value), None, None)  # type: ignore[arg-type]
        found = score(Sample(id="q", fields={"gold": gold, "held": held}), made).value
        assert found is not None
        assert 0 <= found <= 1
