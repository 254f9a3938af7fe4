"""Human label variation on the engine: both conditions out of runs, what replies say, and what bad data say."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from evals.cli import app
from evals.suites.hlv.dataset import POLITOK
from evals.suites.hlv.task import read_answers, video_frames
from tests.fixtures.scenes import write_scenes
from tools.errors import AttendError

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "hlv" / "sample"
NAMES = ("is_advice", "is_kind")


def invoke(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["eval", *arguments, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    place = ["--out", str(tmp_path / out), "--folder", str(tmp_path / "home")]
    return invoke("run", "hlv", "--data", str(data), "--model", model, *place, *more)


def script(path: Path, turns: Sequence[Mapping[str, Any]], **samples: Sequence[Mapping[str, Any]]) -> str:
    path.write_text(json.dumps({"turns": turns, "samples": samples}), "utf-8")
    return f"scripted:{path}"


def reply(**answers: str) -> str:
    return json.dumps({"answers": [{"question": name, "answer": said} for name, said in answers.items()]})


def write(folder: Path, *items: Mapping[str, Any], names: Sequence[str] = NAMES) -> Path:
    folder.mkdir(exist_ok=True)
    questions = [{"name": name, "question": f"Is it {name}?"} for name in names]
    for name, records in (("questions", questions), ("items", items)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    return folder


def item(id_: str, **labels: Sequence[Any]) -> dict[str, Any]:
    return {"id": id_, "text": f"The text of {id_}.", "labels": labels}


def test_baselines_bound_the_agreement_condition(tmp_path: Path) -> None:
    oracle = run(tmp_path, "baseline:oracle", out="oracle")
    assert oracle["figures"]["f1"] == 1
    assert {name: row["as_wrong"]["mean"]["n"] for name, row in oracle["slices"]["annotators"].items()} == {
        "disagree": 5, "agree": 2, "one": 1,
    }  # fmt: skip
    assert oracle["slices"]["annotators"]["agree"]["as_wrong"]["mean"]["value"] == 1
    assert 0.5 < oracle["slices"]["annotators"]["disagree"]["as_wrong"]["mean"]["value"] < 1
    assert not any("brier" in name for name in oracle["figures"])  # one run has no distribution
    assert run(tmp_path, "baseline:random", "--attempts", "5", out="random")["figures"]["f1"] < 0.8


def test_one_run_is_measured_on_what_annotators_agree_on(tmp_path: Path) -> None:
    """The items are those of the protocol's examples: two ways of counting, with and without single annotators."""
    hedonic = {"p1": [1, 1, 1], "p2": [0, 0], "p3": [1, 1, 0], "p5": [0], "p6": ["yes", True]}
    data = write(tmp_path / "data", *(item(id_, is_joke=labels) for id_, labels in hedonic.items()), names=["is_joke"])
    said = {"p1": "yes", "p2": "no", "p3": "yes", "p5": "yes", "p6": "YES"}
    model = script(tmp_path / "s.json", [], **{id_: [{"say": reply(is_joke=one)}] for id_, one in said.items()})
    found = run(tmp_path, model, data=data)["figures"]
    assert [found[f"is_joke: {name}"] for name in ("accuracy", "precision", "f1", "n_samples")] == [1, 1, 1, 3]
    assert found["is_joke: agreed"] == 3 / 4
    one = ["--set", "least_annotators=1"]
    items = run(tmp_path, model, *one, data=data, out="items")["figures"]
    assert [items[f"is_joke: {name}"] for name in ("accuracy", "precision", "recall", "f1", "n_samples")] == [
        0.75, pytest.approx(2 / 3), 1, pytest.approx(0.8), 4,
    ]  # fmt: skip
    each = run(tmp_path, model, *one, "--set", "count=annotations", data=data, out="each")["figures"]
    assert [each[f"is_joke: {name}"] for name in ("accuracy", "precision", "recall", "f1", "n_samples")] == [
        0.875, pytest.approx(5 / 6), 1, pytest.approx(10 / 11), 8,
    ]  # fmt: skip


def test_several_runs_are_compared_as_distributions(tmp_path: Path) -> None:
    human = {"a": ["yes", "no"], "b": [1, 1, 1, 0], "c": ["no", "no"]}
    said = {"a": "11001", "b": "11100", "c": "00000"}
    data = write(tmp_path / "data", *(item(id_, is_joke=labels) for id_, labels in human.items()), names=["is_joke"])
    run(tmp_path, script(tmp_path / "s.json", [{"say": "no"}]), "--attempts", "5", data=data)
    path = tmp_path / "run" / "transcripts.jsonl"
    made = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for one in made:  # a script says the same in every attempt
        yes = said[one["id"]][one.get("epoch", 1) - 1] == "1"
        one["answers"] = [reply(is_joke="yes" if yes else "no")]
    path.write_text("".join(json.dumps(one) + "\n" for one in made), "utf-8")
    found = invoke("score", str(tmp_path / "run"))["figures"]
    assert found["brier, High"] == pytest.approx(0.01)
    assert found["brier, Moderate"] == pytest.approx(0.0225)
    assert found["brier, Low"] == 0
    assert found["kl, mean"] == pytest.approx((0.0204 + 0.0499) / 2, abs=1e-4)
    assert found["disputed items"] == 2
    assert found["agreement of runs"] == pytest.approx((0.2 + 0.2 + 1) / 3)
    assert found["consistency of runs"] == pytest.approx(1 - (2 + 1) / 12)
    assert found["is_joke: alpha"] == pytest.approx(1 - 7 * (2 / 1 + 6 / 3) / 32)


def test_the_right_distribution_is_nearer_than_the_majority_where_annotators_disagree(tmp_path: Path) -> None:
    runs = {
        name: run(tmp_path, f"baseline:{name}", "--attempts", "40", out=name)["figures"]
        for name in ("oracle", "annotator")
    }
    assert runs["annotator"]["brier, Moderate"] < runs["oracle"]["brier, Moderate"]
    assert runs["annotator"]["kl, mean"] < runs["oracle"]["kl, mean"]


def test_a_model_is_asked_all_questions_at_once_and_unread_answers_are_counted(tmp_path: Path) -> None:
    data = write(
        tmp_path / "data",
        item("whole", is_advice=["yes", "yes"], is_kind=["no", "no", "yes"]),
        item("half", is_advice=["no", "no"], is_kind=["no", None]),
        item("none", is_advice=["no", "no"]),
    )
    asked = r"- is_advice: Is it is_advice\?\n- is_kind: [\s\S]*<untrusted>The text of whole\.</untrusted>"
    model = script(
        tmp_path / "s.json",
        [{"say": "I cannot say."}],
        whole=[{"when": asked, "say": f"<think>{{}}</think>Here: ```{reply(is_advice='yes', is_kind='no')}```"}],
        half=[{"say": reply(is_advice="no", is_kind="perhaps")}],
    )
    found = run(tmp_path, model, data=data)
    lines = (tmp_path / "run" / "results.jsonl").read_text("utf-8").splitlines()[1:]
    values = {one["id"]: one.get("value") for one in map(json.loads, lines)}
    assert values == {"whole": pytest.approx((1 + 2 / 3) / 2), "half": 0.5, "none": None}
    assert found["overall"]["failures"] == {"parse": 1}
    assert found["figures"]["unread answers"] == 2
    assert found["figures"]["is_advice: n_samples"] == 2


def test_pictures_and_videos_are_shown_unless_blind(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "clip.mp4", [("red", 3), ("green", 3)])
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    films = {**item("film", is_kind=[1, 1]), "video": clip.name}
    data = write(tmp_path, films, {**item("slides", is_kind=[0, 0]), "images": ["a.png"]})
    model = script(tmp_path / "s.json", [{"say": "yes"}])
    for more, shown in ((["--set", "frames=3"], {"film": 3, "slides": 1}), (["--blind"], {"film": 0, "slides": 0})):
        run(tmp_path, model, *more, data=data, out=more[0])
        lines = (tmp_path / more[0] / "results.jsonl").read_text("utf-8").splitlines()[1:]
        assert {one["id"]: len(one.get("frame_ids", ())) for one in map(json.loads, lines)} == shown


@pytest.mark.parametrize("most", [1, 2, 4, 50])
def test_frames_are_spread_over_a_video(tmp_path: Path, most: int) -> None:
    times = [frame.t_s for frame in video_frames(write_scenes(tmp_path / "clip.mp4", [("red", 3), ("blue", 3)]), most)]
    assert len(times) == min(most, 6)
    assert times == sorted(times)
    assert most == 1 or (times[-1] or 0) >= 3


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["yes", "No", "1", "0", " YES "]), min_size=1))
def test_answers_are_read_in_either_form(said: dict[str, str]) -> None:
    wanted = {name: int(one.strip().lower() in ("yes", "1")) for name, one in said.items()}
    assert read_answers(reply(**said), NAMES) == wanted
    assert read_answers(f"Sure. {json.dumps(said)}", NAMES) == wanted


@given(st.text(max_size=80))
def test_whatever_is_said_is_read_as_labels_or_as_nothing(text: str) -> None:
    assert set(read_answers(text, NAMES).values()) <= {0, 1}
    assert set(read_answers(json.dumps({"answers": [text, {"question": text}]}), NAMES)) == set()


def test_slips_of_models_are_mended_as_the_authors_do() -> None:
    twice = [{"question": "is_kind", "answer": "no"}, {"question": "is_kind", "answer": "yes"}]
    assert read_answers(json.dumps({"answers": twice}), NAMES) == {"is_kind": 1}
    name = "is_hedonic_entertainment"
    assert read_answers(reply(is_hedonic_entartainment="yes"), [name]) == {name: 1}
    assert read_answers("Yes.", [name]) == {name: 1}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"labels": {"is_kind": ["maybe"]}}, r"line 2, field 'labels.is_kind.0': 'maybe' is not a label: yes or no"),
        ({"labels": {"is_odd": [1]}}, "line 2, field 'labels.is_odd': it is not one of the questions is_advice"),
        ({"labels": {"is_kind": [None]}}, "line 2, field 'labels': nobody answered"),
        ({"text": " "}, "line 2, field 'text': there is nothing to judge"),
        ({"label": 1}, "line 2, field 'label': Extra inputs"),
        ({"images": ["gone.png"]}, "line 2, field 'image': the file .*gone.png' of sample 'b' does not exist"),
        ({"video": "gone.mp4"}, "line 2, field 'source': the file .*gone.mp4"),
        ({"id": "a"}, "line 2, field 'id': duplicate id 'a'"),
    ],
)
def test_a_bad_item_is_told_of_and_may_be_passed_over(tmp_path: Path, broken: dict[str, Any], told: str) -> None:
    data = write(tmp_path / "data", item("a", is_kind=[1]), {**item("b", is_kind=[1]), **broken})
    with pytest.raises(AttendError, match=f"items.jsonl', {told}"):
        run(tmp_path, "baseline:oracle", data=data)
    found = run(tmp_path, "baseline:oracle", "--skip-bad", data=data)
    assert found["overall"]["failures"] == {"data": 1}
    assert len(found["manifest"]["bad"]) == 1


def test_files_that_are_missing_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(AttendError, match=r"questions\.jsonl': cannot read it"):
        run(tmp_path, "baseline:oracle", data=tmp_path)
    write(tmp_path, item("a", is_kind=[1]), names=["is_kind", "is_kind"])
    with pytest.raises(AttendError, match="two questions have one name"):
        run(tmp_path, "baseline:oracle", data=tmp_path)
    with pytest.raises(AttendError, match=r"has neither annotations\.parquet nor annotations\.csv"):
        run(tmp_path, "baseline:oracle", "--set", "data_set=politok-de", data=tmp_path)


POSTS = [
    ("1", "ann", "2", ["yes", "no", "no", "0", "1"]),
    ("1", "ben", "1", ["yes", "no", "yes", "0", ""]),
    ("1", "ann", "1", ["no", "no", "no", "0", "1"]),  # ann's earlier row, which gives way to the later one
    ("2", "ben", "1", ["no", "no", "no", "1", "0"]),
    ("3", "ben", "1", ["no", "no", "no", "1", "0"]),
]


def politok(folder: Path, annotator: str = "annotator_id") -> list[dict[str, str]]:
    media = folder / "media"
    (media / "2").mkdir(parents=True)
    write_scenes(media / "1.mp4", [("red", 2)])
    for number in (1, 2):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(media / "2" / f"{number}.png")
    (folder / "posts.jsonl").write_text('{"post_id": 1, "author": "Anna", "caption": "Vote!"}\n', "utf-8")
    return [
        {"post_id": post, annotator: who, "timestamp": when, **dict(zip(POLITOK, labels, strict=True))}
        for post, who, when, labels in POSTS
    ]


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_politok_de_is_read_and_posts_without_media_are_passed_over(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "data" / "saxony_2024"
    rows = politok(folder, "classification_by" if form == "csv" else "annotator_id")
    if form == "csv":
        write_csv(folder / "annotations.csv", rows)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "annotations.parquet")
    model = script(
        tmp_path / "s.json", [{"say": reply(is_political="yes")}], **{"1": [{"when": r"Vote!", "say": "{}"}]}
    )
    options = ["--set", "data_set=politok-de"]
    with pytest.raises(AttendError, match=rf"line {6 if form == 'csv' else 5}, field 'post_id': there are no media"):
        run(tmp_path, model, *options, data=tmp_path / "data")
    found = run(tmp_path, model, *options, "--skip-bad", data=tmp_path / "data")
    lines = (tmp_path / "run" / "results.jsonl").read_text("utf-8").splitlines()[1:]
    results = {one["id"]: one for one in map(json.loads, lines)}
    assert results["1"]["reference"] == (
        "is_political 2 of 2, is_saxony 0 of 2, is_intolerant 1 of 2, is_hedonic_entertainment 0 of 2, "
        "is_eudaimonic_entertainment 1 of 1"
    )
    assert results["1"]["slices"] == {"annotators": "disagree", "media": "video"}
    assert len(results["2"]["frame_ids"]) == 2
    assert found["overall"]["failures"] == {"parse": 1, "data": 1}


def test_annotations_of_another_form_are_told_of(tmp_path: Path) -> None:
    rows = politok(tmp_path)
    write_csv(tmp_path / "annotations.csv", [{**row, "is_saxony": "perhaps"} for row in rows])
    with pytest.raises(AttendError, match="line 2, field 'is_saxony': 'perhaps' is not a label"):
        run(tmp_path, "baseline:oracle", "--set", "data_set=politok-de", data=tmp_path)
    write_csv(tmp_path / "annotations.csv", [{k: v for k, v in row.items() if k != "is_political"} for row in rows])
    with pytest.raises(AttendError, match="field 'is_political': it has no column"):
        run(tmp_path, "baseline:oracle", "--set", "data_set=politok-de", data=tmp_path)
