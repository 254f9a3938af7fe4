"""OVO-Bench in its own file format: all twelve tasks, both scorers, and the moment up to which is watched."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.config import load_config
from agent.models.scripted import Turn
from evals.cli import app
from evals.suites import load_suite
from evals.suites.moments import Moment
from evals.suites.ovobench.dataset import Options, load
from evals.suites.ovobench.scorer import official_count, official_yes_no
from tests.fixtures.moments import Watching, ask_suite
from tests.fixtures.scenes import write_scenes
from tools.errors import ConfigError, MediaError

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "ovobench" / "sample"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(SAMPLE, folder)
    (folder / "src_videos" / "drawn").mkdir(parents=True)
    write_scenes(folder / "src_videos" / "drawn" / "red_green.mp4", [("red", 3), ("green", 3)])
    write_scenes(folder / "src_videos" / "drawn" / "blue.mp4", [("blue", 4)])
    return folder


def moments(data: Path, **options: Any) -> dict[str, Moment]:
    return {sample.id: sample.fields["moment"] for sample in load(data, Options(**options)).samples}


def test_all_twelve_tasks_are_read_as_released(data: Path) -> None:
    found = moments(data)
    assert {sample.task: sample.group for sample in found.values()} == {
        **dict.fromkeys(("EPM", "ASI", "HLD"), "backward"),
        **dict.fromkeys(("OCR", "ACR", "ATR", "STU", "FPD", "OJR"), "realtime"),
        **dict.fromkeys(("REC", "SSR", "CRR"), "forward"),
    }
    assert found["0"].words["options"] == "A. red; B. green; C. blue;"
    assert (found["5"].target, found["4"].words["options"].count(";")) == ("C", 5)
    assert [(found[i].asked_s, found[i].target) for i in ("9_0", "9_1")] == [(2, "0"), (4, "1")]
    assert [(found[i].words["step"], found[i].target) for i in ("10_0", "10_1")] == [
        ("show red", "Yes"),
        ("show green", "No"),
    ]
    assert [(found[i].asked_s, found[i].target) for i in ("11_0", "11_1")] == [(1, "No"), (5, "Yes")]
    assert all(sample.context_s is None for sample in found.values())
    notices = load(data, Options()).notices
    assert any("EPM 1 (released: 297)" in notice and "CRR 2 (released: 240)" in notice for notice in notices)


def test_the_official_clip_ends_at_the_next_whole_second(data: Path) -> None:
    assert moments(data)["3"].asked_s == 1.93
    assert moments(data, official_clip=True)["3"].asked_s == 2.0


def test_a_released_chunk_stands_in_for_a_missing_video(data: Path) -> None:
    shutil.rmtree(data / "src_videos" / "drawn")
    (data / "chunked_videos").mkdir()
    for name in ("0", "9_1"):
        write_scenes(data / "chunked_videos" / f"{name}.mp4", [("red", 1)])
    found = {id_: sample.path.name for id_, sample in moments(data).items() if sample.path}
    assert found == {"0": "0.mp4", "9_1": "9_1.mp4"}


def test_a_run_scores_every_task_in_both_ways(data: Path, tmp_path: Path) -> None:
    says = {
        "see first": "A",  # right in both
        "after the red": "Answer: A picture of A.",  # the letter is contained; the first that stands alone is A too
        "dog carry": "Bananas",  # contained, but no letter alone
        "word is written": "C",
        "bar do.r? ?": "A",
        "colour of the background|is the background": "C",
        "bar stand": "A",
        "bar do next": "I think A",
        "crosses": "b",
        "turning green": "It happened 0 times.",
        "turning green?": "1, then 1",  # official reads 11
        "step of what.*show red": "yes",  # official wants the capital
        "step of what.*show green": "Not now",  # official finds No
        "shown enough": "N",
        "shown enough to": "Yes.",
    }
    turns = [Turn(when=f"(?s){when}", say=say) for when, say in says.items()]
    turns += [Turn(when="What does the bar do", say="A")]
    config = load_config({"folder": tmp_path / "home", "memory.policy": "last"}, environment={})
    outcome = ask_suite("ovobench", data, config, tmp_path / "run", Watching(turns=turns), {})
    got = {id_: (scores["official"], scores["strict"]) for id_, scores in outcome.scores.items()}
    assert {id_: got[id_] for id_ in ("0", "1", "2", "3", "8")} == {
        "0": (True, True),
        "1": (True, True),
        "2": (True, False),
        "3": (False, False),
        "8": (False, False),
    }
    assert (got["9_0"], got["9_1"]) == ((True, True), (False, True))
    assert (got["10_0"], got["10_1"]) == ((False, True), (True, False))
    assert (got["11_0"], got["11_1"]) == ((True, False), (True, True))
    frames = {id_: one.outcome["frames"] for id_, one in outcome.transcripts.items()}
    # 1.93 s shows seconds 0 and 1 only; the whole past is shown otherwise.
    assert (frames["3"], frames["0"], frames["9_0"], frames["9_1"]) == (2, 6, 3, 5)
    figures = outcome.results.manifest["figures"]
    tracks = [figures[f"official: {name}, macro"] for name in ("backward", "realtime", "forward")]
    assert figures["official: mean of the parts' macro"] == pytest.approx(sum(tracks) / 3)
    assert figures["official: forward, macro"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    results = outcome.results
    assert {one.id: one.value for one in results.samples} == {id_: float(strict) for id_, (_, strict) in got.items()}
    assert {one.cluster for one in results.samples} == {moment.video for moment in moments(data).values()}
    cli, page = CliRunner(), tmp_path / "page.html"
    for arguments in (
        ["compare", str(tmp_path / "run")],
        ["power", "--effect", "0.1", "--pilot"],
        ["report", "--out", str(page)],
    ):
        done = cli.invoke(app, ["eval", *arguments, str(tmp_path / "run")])
        assert done.exit_code == 0, done.exception
    assert "OVO" in page.read_text("utf-8") or "ovobench" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "count", "right"),
    [("3", "3", True), ("3 times", "3", True), ("1 or 2", "12", True), ("three", "3", False), ("03", "3", False)],
)
def test_the_official_count_is_all_digits_in_a_row(text: str, count: str, right: bool) -> None:
    assert official_count(text, count) is right


@pytest.mark.parametrize(
    ("text", "word", "right"),
    [
        ("Yes", "Yes", True),
        ("Y", "Yes", True),
        ("y", "Yes", False),
        ("yes", "Yes", False),
        ("Nothing yet", "No", True),
        ("N", "No", True),
        ("N.", "No", False),
        ("Yes and No", "No", True),
    ],
)
def test_the_official_yes_or_no_is_contained(text: str, word: str, right: bool) -> None:
    assert official_yes_no(text, word) is right


def test_missing_and_malformed_files_are_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match=r"ovo_bench_new\.json.*JoeLeelyf/OVO-Bench"):
        load(tmp_path / "empty", Options())
    annotation = data / "ovo_bench_new.json"
    records = json.loads(annotation.read_text())
    for change, message in (
        ({"gt": 7}, r"gt 7 is not one of 3 options at 0"),
        ({"task": "XYZ"}, r"at 0\.task, found 'XYZ'"),
        ({"realtime": None}, "a record of EPM needs question, options, realtime and gt at 0"),
        ({"task": "REC"}, "a record of REC needs test_info"),
    ):
        annotation.write_text(json.dumps([{**records[0], **change}, *records[1:]]))
        with pytest.raises(MediaError, match=message):
            load(data, Options())
    annotation.write_text(json.dumps(records))
    shutil.rmtree(data / "src_videos")
    with pytest.raises(MediaError, match=r"cannot find any video.*'drawn/blue\.mp4'.*src_videos"):
        load(data, Options())


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'ovobench'"):
        load_suite("ovo-bench")
