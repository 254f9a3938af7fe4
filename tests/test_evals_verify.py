"""`attend eval verify`: golden files that we wrote, in the formats of recorded results, and files that are wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from evals.cli import app, main
from evals.suites.golden import differences, says_error
from evals.verify import NAMES, verify
from tools.errors import ConfigError, MediaError

GOLDEN = Path(__file__).parent / "fixtures" / "golden"
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "freak": (lambda held: held["cases"][0]["expected"]["choices"].__setitem__(2, "A"), "choices[2]"),
    "hlv": (lambda held: held["items"][1].__setitem__("bin", "Low"), "bin"),
    "medspot": (lambda held: held["cases"][0]["expected"]["steps"][1].__setitem__("hit", 1), "steps[1].hit"),
    "proactivebench": (lambda held: held["transcripts"][0]["turns"][1].__setitem__("action", 1), "turns[1].action"),
}
ALSO_COMPARED = [
    ("freak", ["permutations", 1, 0]),
    ("freak", ["cases", 1, "shown", 3, 2]),
    ("freak", ["cases", 2, "expected_error"]),
    ("freak", ["cases", 3, "expected", "scores"]),
    ("freak", ["aggregate", "fib_hallu"]),
    ("hlv", ["krippendorff_alpha", "is_intolerant"]),
    ("hlv", ["post_in_disagreement_subset", "p"]),
    ("hlv", ["agreement_perf_per_item", "is_political", "f1"]),
    ("hlv", ["mean_brier_by_bin", "High"]),
    ("hlv", ["mean_kl_disagreement"]),
    ("hlv", ["agreement_score_probe", "[0, 1, 1, 1]"]),
    ("medspot", ["cases", 5, "expected", "model_calls"]),
    ("medspot", ["cases", 7, "expected_error"]),
    ("medspot", ["aggregates", "evaluate_gpt5.py", "failure_statistics", "total_failed_tasks"]),
    ("medspot", ["empty_list_metrics", "evaluate_seeclick.py", "step_hit_rate"]),
    ("proactivebench", ["transcripts", 1, "turns", 1, "crop_box", 1]),
    ("proactivebench", ["transcripts", 2, "expected_error"]),
    ("proactivebench", ["transcripts", 3, "statistics", "max_steps"]),
    ("proactivebench", ["random_play_metrics", "ImageNet-C", "psr"]),
    ("proactivebench", ["oeg", 0, "threshold"]),
    ("proactivebench", ["oeg", 0, "valid_answers"]),
    ("proactivebench", ["oeg", 0, "parses", 0, "expected", "aggregate"]),
    ("proactivebench", ["loader", 0, "ids_kept", 1]),
]


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["eval", "verify", *map(str, words)])


def write(path: Path, suite: str, change: Callable[[Any], Any]) -> Path:
    held = json.loads((GOLDEN / f"{suite}.json").read_text("utf-8"))
    change(held)
    path.write_text(json.dumps(held), "utf-8")
    return path


@pytest.mark.parametrize("suite", NAMES)
def test_all_cases_match_and_the_last_line_says_so(suite: str) -> None:
    result = run(suite, GOLDEN / f"{suite}.json")
    matched, total = result.stdout.splitlines()[-1].split("/")
    assert (result.exit_code, matched) == (0, total)
    assert int(total) >= 7
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("suite", NAMES)
def test_a_wrong_value_is_named_and_fails(suite: str, tmp_path: Path) -> None:
    change, field = WRONG[suite]
    result = run(suite, write(tmp_path / "wrong.json", suite, change))
    *found, last = result.stdout.splitlines()
    assert result.exit_code == 1
    assert field in found[0]
    assert "expected" in found[0]
    assert "got" in found[0]
    matched, total = map(int, last.split("/"))
    assert matched == total - 1


@pytest.mark.parametrize(("suite", "path"), ALSO_COMPARED, ids=lambda value: str(value)[:60])
def test_each_kind_of_entry_is_computed_anew(suite: str, path: list[Any], tmp_path: Path) -> None:
    def change(held: Any) -> None:
        for part in path[:-1]:
            held = held[part]
        value = held[path[-1]]
        held[path[-1]] = not value if isinstance(value, bool) else f"{value}?" if isinstance(value, str) else value + 1

    assert run(suite, write(tmp_path / "wrong.json", suite, change)).exit_code == 1


def test_what_cannot_be_computed_is_said_and_not_counted(tmp_path: Path) -> None:
    result = run("proactivebench", GOLDEN / "proactivebench.json")
    assert "random_play_metrics.coco2014: 1 of its 2" in result.stderr
    overall = {"n_tasks": 1, "raised": 0, "metrics": {}, "failures": {}}
    path = write(
        tmp_path / "file.json",
        "medspot",
        lambda held: held.update(dataset_level={"results": {"evaluate_gpt5.py|box_centre": overall}}, later=[1]),
    )
    result = run("medspot", path)
    assert result.exit_code == 0
    assert "pass --data" in result.stderr
    assert "later: no scorer computes it" in result.stderr


def test_numbers_over_all_tasks_are_computed_from_the_annotations(tmp_path: Path) -> None:
    step = {
        "step_id": 1,
        "image_path": "a.png",
        "instruction": "",
        "actions": [{"type": "click", "bbox": [1, 1, 9, 9]}],
    }
    other = {"step_id": 2, "image_path": "b.png", "instruction": {"text": ["a"]}, "actions": []}
    annotation = tmp_path / "data" / "Drawn_Annotation.json"
    annotation.parent.mkdir()
    annotation.write_text(json.dumps({"tasks": [{"task_overview": "", "steps": [step, other]}]}))
    metrics = {
        "task_completion_accuracy": 0.0,
        "step1_accuracy": 1.0,
        "avg_correct_prefix": 1.0,
        "step_hit_rate": 0.5,
        "avg_weighted_prefix_score": 1.0,
    }
    entry = {
        "n_tasks": 1,
        "raised": 0,
        "metrics": metrics,
        "failures": {"null": 1},
        "completed_per_software": {"Drawn": 0},
    }
    ways = {f"evaluate_{name}.py|box_centre": entry for name in ("qwen3vl0", "qwen2_5vl", "gui_actor", "seeclick")}
    path = write(tmp_path / "file.json", "medspot", lambda held: held.update(dataset_level={"results": ways}))
    assert run("medspot", path, "--data", tmp_path / "data").exit_code == 0
    entry["failures"] = {"far_miss": 1}
    path = write(tmp_path / "file.json", "medspot", lambda held: held.update(dataset_level={"results": ways}))
    result = run("medspot", path, "--data", tmp_path / "data")
    assert "evaluate_seeclick.py|box_centre: failures.far_miss" in result.stdout
    annotation.write_text(json.dumps({"tasks": [{"steps": [{"actions": [{"type": "click", "bbox": [1, 1, 0, 9]}]}]}]}))
    with pytest.raises(MediaError, match=r"tasks\[0\].steps\[0\].actions\[0\]"):
        verify("medspot", path, tmp_path / "data")
    with pytest.raises(MediaError, match="has no file"):
        verify("medspot", path, GOLDEN)


def test_a_file_without_cases_fails(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text('{"cases": []}')
    result = run("medspot", path)
    assert (result.exit_code, result.stdout) == (1, "0/0\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Invalid JSON"),
        ("[]", "the whole file"),
        ("{}", "Field required at cases"),
        ('{"cases": [{"id": "a", "type": "essay"}]}', "'mcq' or 'fib' at cases[0].type, found 'essay'"),
        ('{"cases": [{"id": 1, "type": "mcq"}]}', "cases[0].id, found '1'"),
    ],
)
def test_a_file_of_another_form_is_named_with_the_place(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(MediaError) as caught:
        verify("freak", path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_errors_are_one_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["attend", "eval", "verify", "hlv", "nowhere.json"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert "cannot read 'nowhere.json'" in capsys.readouterr().err


def test_an_unknown_suite_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'medspot'"):
        verify("medspott", GOLDEN / "medspot.json")


def test_differences_name_the_place_and_both_values() -> None:
    one, other = {"a": [1, {"b": 2.0}], "c": None, "d": 1}, {"a": [1, {"b": 2.1}], "c": float("nan"), "e": 1}
    found = {(d.field, d.expected, d.got) for d in differences(one, other, "")}
    assert found == {("a[1].b", 2.0, 2.1), ("d", 1, "nothing"), ("e", "nothing", 1)}
    assert list(differences(1.0, 1.0 + 1e-12, "x")) == []
    assert [d.field for d in differences([1], [1, 2], "x")] == ["x"]
    assert [d.field for d in differences(1, True, "x")] == ["x"]
    assert says_error("KeyError: 'a'", KeyError("a"))
    assert not says_error("Exception", KeyError("a"))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_a_value_never_differs_from_itself(value: Any) -> None:
    assert list(differences(value, json.loads(json.dumps(value)), "x")) == []


def test_a_case_that_cannot_be_scored_is_a_mismatch_that_says_why(tmp_path: Path) -> None:
    def spoil(held: Any) -> None:
        held["transcripts"][0]["entry"]["num_images"] = 0
        held["transcripts"][1]["dataset"] = "VQA"
        del held["transcripts"][3]["entry"]["prompt"]

    lines = run("proactivebench", write(tmp_path / "spoilt.json", "proactivebench", spoil)).stdout.splitlines()
    assert any(line.startswith("inc: error") and "entry.num_images" in line for line in lines)
    assert any(line.startswith("coco: error") and "unknown data set 'VQA'" in line for line in lines)
    assert any(line.startswith("reference: error") and "entry.prompt: Field required" in line for line in lines)
    path = write(tmp_path / "short.json", "medspot", lambda held: held["cases"][0]["raw_outputs"].pop())
    assert "has no reply" in run("medspot", path).stdout
    path = write(tmp_path / "none.json", "freak", lambda held: held["cases"][3].pop("judge_output"))
    assert "no judge's reply" in run("freak", path).stdout


def test_what_the_file_gives_twice_is_no_result(tmp_path: Path) -> None:
    def keep_in_results(held: Any) -> None:
        case = held["cases"][3]
        case["expected"]["llm_judge_detail"] = case.pop("judge_output")

    done = run("freak", write(tmp_path / "file.json", "freak", keep_in_results))
    assert done.exit_code == 0
    assert "the scorer has no llm_judge_detail" in done.stderr

    def unlike(held: Any) -> None:
        # What a checker that reads the text and writes it again would find right.
        held["oeg"][0]["valid_answers"] = "Move the bricks, Move the lens."
        held["oeg"][0]["judge_list"] = ["Move the bricks", "Move the lens"]

    assert run("proactivebench", write(tmp_path / "oeg.json", "proactivebench", unlike)).exit_code == 1
