"""StreamingBench in its own file format: loading, playing without a look ahead, scoring, and going on after a stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from agent.config import Config, load_config
from agent.models.blocks import decode_image
from agent.models.scripted import Scripted, Turn
from evals.run import Run, RunOptions, draw, read_prompts, run
from evals.stats.means import Outcome, rate
from evals.suites import load_streaming_suite
from evals.suites.answers import first_letter, only_number, says, without_thoughts
from evals.suites.sample import LoadOptions
from evals.suites.streamingbench.dataset import seconds
from evals.suites.streamingbench.scorer import official_choice, strict_choice
from evals.summary import Summary, summarise
from tests.fixtures.scenes import write_scenes
from tools.errors import ConfigError, MediaError, ModelError

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "evals" / "suites" / "streamingbench" / "sample"
SUITE = load_streaming_suite("streamingbench")
ANSWERS = {
    "fills the picture": "A",
    "sums up": "The answer is C.",
    "bars move": "",
    "picture and sound": "D.",
    "colour is shown": "B",
    "followed the one": "B",
}
"""What the scripted model says to a question: right, right in a sentence, nothing, right, wrong, right."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("scenes") / "scenes.mp4", [("red", 3), ("green", 3)])


@pytest.fixture
def data(tmp_path: Path, scenes: Path) -> Path:
    """The sample questions, with a video under each of the names they use."""
    folder = tmp_path / "data"
    shutil.copytree(SAMPLE, folder)
    (folder / "videos").mkdir()
    for name in ("1_real", "2_real", "3_Scene_Understanding", "4_sqa", "5_proactive"):
        shutil.copy(scenes, folder / "videos" / f"sample_{name}.mp4")
    return folder


def config(folder: Path, **flags: Any) -> Config:
    return load_config({"folder": folder / "home", "memory.policy": "last", **flags}, environment={})


def model(answers: dict[str, str] = ANSWERS, *more: dict[str, Any]) -> Scripted:
    turns = [{"when": when, "say": say or " "} for when, say in answers.items()]
    return Scripted(turns=[Turn.model_validate(turn) for turn in (*more, *turns)])


def asked(data: Path, tmp_path: Path, *parts: str, llm: Scripted | None = None, **options: Any) -> Run:
    chosen = RunOptions(groups=parts, **options)
    return run(SUITE, data, config(tmp_path), chosen, model=llm or model())


def responses(outcome: Run) -> dict[str, str | None]:
    return {record.id: record.response for record in outcome.records}


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_every_part_is_read_as_released(data: Path) -> None:
    loaded = SUITE.load(data, LoadOptions())
    by_id = {sample.id: sample for sample in loaded.samples}
    assert [sample.group for sample in loaded.samples] == ["real"] * 3 + ["omni"] + ["sqa"] * 2 + ["proactive"] * 2
    assert by_id["real-3"].asked_s == 3 * 3600 + 27 * 60 + 30
    assert by_id["omni-1"].fields["options"].startswith("A.A red wall.\nB.A green wall.")
    assert by_id["sqa-1"].fields["options"] == "A. Red.\nB. Green.\nC. Blue.\nD. White."
    assert by_id["sqa-1"].fields["context"] == ""
    assert "What colour is shown now?" in by_id["sqa-2"].fields["context"]
    assert "The answer was A." in by_id["sqa-2"].fields["context"]
    assert by_id["proactive-1"].polls == tuple(range(1, 9))
    assert by_id["proactive-2"].polls == (2, 3, 4, 5, 6)
    assert all(sample.path and sample.path.is_file() for sample in loaded.samples)
    assert any("'real' has 3 questions; the released one has 2,500" in notice for notice in loaded.notices)
    assert any("sound" in notice for notice in loaded.notices)


def test_times_are_read_as_the_authors_do() -> None:
    assert [seconds(stamp) for stamp in ("00:01:52", "0:02:22", "3:05", " 7 ", "00:75:10")] == [112, 142, 185, 7, 4510]


def test_videos_are_found_as_unpacked_too(data: Path, scenes: Path) -> None:
    shutil.rmtree(data / "videos")
    for name in ("real/sample_1/video.mp4", "omni/Scene Understanding/sample_3/clip one.mp4"):
        (data / name).parent.mkdir(parents=True)
        shutil.copy(scenes, data / name)
    loaded = SUITE.load(data, LoadOptions())
    found = {sample.video: sample.path for sample in loaded.samples if sample.path}
    assert found == {
        "./videos/sample_1_real.mp4": data / "real/sample_1/video.mp4",
        "./videos/sample_3_Scene_Understanding.mp4": data / "omni/Scene Understanding/sample_3/clip one.mp4",
    }
    assert any("3 videos are missing" in notice for notice in loaded.notices)


def test_scores_of_both_kinds_and_what_is_logged(data: Path, tmp_path: Path) -> None:
    outcome = asked(data, tmp_path, "real", "omni", "sqa")
    scores = {record.id: (record.official, record.strict, record.answered) for record in outcome.records}
    assert scores == {
        "real-1": (True, True, True),
        "real-2": (False, True, True),
        "real-3": (False, False, False),
        "omni-1": (True, True, True),
        "sqa-1": (False, False, True),
        "sqa-2": (True, True, True),
    }
    first, *rest = lines(outcome.log)
    assert (first["type"], first["suite"], first["context_s"]) == ("manifest", "streamingbench", 60.0)
    logged = {line["id"]: line for line in rest}
    assert logged.keys() == scores.keys()
    # Frames of seconds 0, 1, 2 and 0 to 5, at one a second; the last policy keeps all of them clear.
    assert (logged["real-1"]["frames"], logged["real-1"]["span_s"]) == (3, 2.0)
    assert (logged["real-2"]["frames"], logged["real-2"]["span_s"]) == (6, 5.0)
    assert logged["real-2"]["clear_share"] == 1.0
    assert logged["real-2"]["tokens"] > logged["real-1"]["tokens"] > 0
    # The time that lies hours after the end of the video means its end.
    assert logged["real-3"]["frames"] == 6


def test_a_summary_counts_the_unanswered_as_wrong_and_apart(data: Path, tmp_path: Path) -> None:
    summary = summarise(asked(data, tmp_path, "real", "omni", "sqa"))
    official, strict = summary.scorings["official"], summary.scorings["strict"]
    assert (summary.n, summary.unanswered, summary.failed) == (6, 1, {})
    assert (official.micro.value, strict.micro.value) == (pytest.approx(3 / 6), pytest.approx(4 / 6))
    assert (official.answered_only.n, official.answered_only.value) == (5, pytest.approx(3 / 5))
    assert official.macro.value == pytest.approx((1 + 0 + 0 + 1 + 0.5) / 5)
    assert official.parts["real"].micro.value == pytest.approx(1 / 3)
    assert official.mean_of_parts.value == pytest.approx((1 / 3 + 1 + 0.5) / 3)
    assert strict.tasks["Clips Summarize"].value == 1.0
    assert official.micro.low is not None and official.micro.low <= 0.5 <= (official.micro.high or 0)  # noqa: PT018


def test_nothing_after_a_question_is_seen(data: Path, tmp_path: Path, scenes: Path) -> None:
    """A video whose later part differs gives the very same prompts: the frames of both come by content."""
    seen = []
    for number, later in enumerate(("green", "blue")):
        other = write_scenes(tmp_path / f"{later}.mp4", [("red", 3), (later, 3)])
        shutil.copy(other, data / "videos" / "sample_1_real.mp4")
        llm = Watching(turns=[Turn(say="A"), Turn(say="A")])
        asked(data, tmp_path / str(number), "real", llm=llm, limit=2, seed=seed_for(data, {"real-1", "real-2"}))
        seen.append(llm.frames)
    early, late = zip(*seen, strict=True)
    assert [t_s for t_s, _ in early[0]] == [0.0, 1.0, 2.0]
    assert [t_s for t_s, _ in late[0]] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert early[0] == early[1]
    assert late[0] != late[1]


def test_context_begins_so_many_seconds_before_the_question(data: Path, tmp_path: Path) -> None:
    llm = Watching(turns=[Turn(say="A")] * 3)
    asked(data, tmp_path, "real", llm=llm, context_s=2.0)
    assert [[t_s for t_s, _ in frames] for frames in llm.frames[:2]] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_a_question_about_the_past_is_shown_key_moments(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "videos").mkdir(parents=True)
    write_scenes(data / "videos" / "sample_1_real.mp4", [("red", 6), ("green", 6), ("blue", 12)], fps=2)
    entries = json.loads((SAMPLE / "questions_real.json").read_text())[:2]
    for entry, question in zip(entries, ("What was shown earlier?", "What is shown right now?"), strict=True):
        entry["questions"][0].update(question=question, time_stamp="00:00:23")
    (data / "questions_real.json").write_text(json.dumps(entries))
    oldest = {}
    for tiers in (True, False):
        llm = Watching(turns=[Turn(say="A")] * 2)
        chosen = config(
            tmp_path, **{"memory.policy": "curvestream", "memory.capacity": 4, "memory.tiers": tiers, "media.fps": 0.5}
        )
        run(SUITE, data, chosen, RunOptions(groups=("real",)), model=llm)
        oldest[tiers] = [frames[0][0] for frames in llm.frames]
    (past_s, present_s), (past_flat_s, present_flat_s) = oldest[True], oldest[False]
    assert past_s < 6 < past_flat_s
    assert present_s == present_flat_s == past_flat_s


def test_fuzzy_frames_are_shown_small_and_answers_are_kept_short(data: Path, tmp_path: Path) -> None:
    llm = Watching(turns=[Turn(say="A word that goes on")] * 3)
    outcome = run(
        SUITE,
        data,
        config(tmp_path, **{"memory.policy": "alternate", "memory.blur_px": 40}),
        RunOptions(groups=("real",), max_tokens=2),
        model=llm,
    )
    assert responses(outcome)["real-2"] == "A word"
    record = outcome.records[1]
    small = [size == (40, 40) for size in llm.sizes[1]]
    assert 0 < sum(small) < record.frames == len(small)
    assert record.clear_share == pytest.approx(1 - sum(small) / len(small))
    assert not small[-1]


def test_all_that_memory_chooses_is_shown_whatever_a_chat_would_show(data: Path, tmp_path: Path) -> None:
    chosen = config(tmp_path, **{"media.fps": 5, "memory.capacity": 30, "limits.frames": 3})
    outcome = run(SUITE, data, chosen, RunOptions(groups=("real",)), model=Watching(turns=[Turn(say="A")] * 3))
    assert [record.frames for record in outcome.records] == [11, 26, 30]


class Watching(Scripted):
    """A scripted model that notes the time, the content and the size of every frame it is shown."""

    frames: list[list[tuple[float, str]]] = Field(default_factory=list)
    sizes: list[list[tuple[int, ...]]] = Field(default_factory=list)

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        blocks = [block for message in messages for block in message.content if isinstance(block, dict)]
        images = [block for block in blocks if block["type"] == "image"]
        self.frames.append([(image["extras"]["t_s"], image["extras"]["frame_id"]) for image in images])
        self.sizes.append([decode_image(image).shape[:2] for image in images])
        yield from super()._stream(messages, *args, **kwargs)


def seed_for(data: Path, ids: set[str]) -> int:
    """A seed that draws just these questions of the part `real`."""
    samples = SUITE.load(data, LoadOptions(groups=("real",))).samples
    return next(seed for seed in range(1000) if {s.id for s in draw(samples, len(ids), seed)} == ids)


def test_a_proactive_question_is_put_each_second_until_the_model_speaks(data: Path, tmp_path: Path) -> None:
    gates = [{"when": "moment to put out .green", "say": say} for say in ("No.", "no", "No", "Yes, now.")]
    speaks = {"when": "moment has come.*green", "say": "green"}
    never = [{"when": "moment to put out .blue", "say": "no"}] * 5
    outcome = asked(data, tmp_path, "proactive", llm=model({}, *gates, speaks, *never))
    green, blue = outcome.records
    assert (green.said_s, green.response, green.calls) == (4.0, "green", 5)
    assert (green.official, green.strict, green.in_time) == (True, True, True)
    assert (blue.said_s, blue.calls, blue.official, blue.in_time) == (None, 5, False, False)
    assert summarise(outcome).scorings["in_time"].micro.value == 0.5


@pytest.mark.parametrize(("said_s", "right"), [(1.0, False), (2.0, True), (6.0, True), (7.0, False), (None, False)])
def test_a_proactive_answer_must_be_in_time(data: Path, said_s: float | None, right: bool) -> None:
    sample = next(s for s in SUITE.load(data, LoadOptions()).samples if s.id == "proactive-1")
    assert SUITE.score(sample, "It is green now", said_s) == {"official": right, "strict": right, "in_time": right}


@pytest.mark.parametrize(
    ("text", "official", "strict"),
    [
        ("B", True, True),
        ("B. It is green.", True, True),
        (" B", False, True),
        ("(B)", False, True),
        ("**B**", False, True),
        ("The answer is B.", False, True),
        ("Both are shown", True, False),
        ("A dog, so B", False, True),
        ("A is wrong", False, False),
        ("Note: a B, not A dog", False, True),
        ("b", False, False),
        ("", False, False),
    ],
)
def test_the_official_scorer_looks_at_the_first_character_only(text: str, official: bool, strict: bool) -> None:
    assert (official_choice(text, "B"), strict_choice(text, "B")) == (official, strict)


@pytest.mark.parametrize(
    "text", ["Answer: A since it is red", "A as shown", "Option A shows a dog", "A because it moves", "Choice A fits"]
)
def test_a_is_a_letter_like_the_others_in_a_sentence(text: str) -> None:
    assert strict_choice(text, "A")


def test_the_strict_readings() -> None:
    assert [first_letter(text) for text in ("C'est D", "E", "F", "vitamin C2 or C")] == ["D", "E", None, "C"]
    assert [only_number(text) for text in ("3 times", "3, yes 3", "1 or 2", "none")] == [3, 3, None, None]
    assert (says("The SCORE: 3.", "3"), says("13", "3")) == (True, False)


@given(st.text(max_size=30), st.sampled_from("ABCD"))
def test_a_letter_before_any_text_is_right_in_both(text: str, letter: str) -> None:
    assert official_choice(f"{letter}. {text}", letter)
    assert strict_choice(f"{letter}. {text}", letter)


def test_a_run_goes_on_where_it_was_stopped(data: Path, tmp_path: Path) -> None:
    whole = asked(data, tmp_path / "whole", "real", "omni", "sqa")
    log = tmp_path / "log.jsonl"
    asked(data, tmp_path, "real", "omni", "sqa", out=log)
    kept = log.read_text().splitlines(keepends=True)
    # As after a kill: three results are on disk, the fourth was cut short.
    log.write_text("".join(kept[:4]) + kept[4][:25])
    left = {when: say for when, say in ANSWERS.items() if when not in list(ANSWERS)[:3]}
    again = asked(data, tmp_path, "real", "omni", "sqa", out=log, llm=model(left))
    assert again.resumed == 3
    assert responses(again) == responses(whole)
    third = asked(data, tmp_path, "real", "omni", "sqa", out=log, llm=Scripted(turns=[Turn(say="never")]))
    assert (third.resumed, responses(third)) == (6, responses(whole))


def test_a_log_holds_whatever_line_ends_a_model_writes(data: Path, tmp_path: Path) -> None:
    log, odd = tmp_path / "log.jsonl", "A\u2028because\x85so"
    first = asked(data, tmp_path, "real", out=log, llm=Scripted(turns=[Turn(say=odd)] * 3))
    again = asked(data, tmp_path, "real", out=log, llm=Scripted(turns=[Turn(say="never")]))
    assert again.resumed == len(first.records)
    assert responses(again) == responses(first)


def test_a_killed_run_ends_with_the_scores_of_a_whole_one(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"when": w, "say": say or "-", "tokens_per_s": 1.0} for w, say in ANSWERS.items()]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "evals.cli", "eval", "streamingbench", "--data", str(data), "--json"]
    command += ["--model", f"scripted:{script}", "--policy", "last", "--folder", str(tmp_path / "home")]
    command += ["--part", "real", "--part", "omni", "--part", "sqa", "--out"]

    def stopped(log: Path, at: int, by: signal.Signals) -> tuple[int, str]:
        process = subprocess.Popen([*command, str(log)], env=environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 100
        while not (log.exists() and len(log.read_text().splitlines()) >= at) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(by)
        _, said = process.communicate(timeout=60)
        assert at <= len(log.read_text().splitlines()) < 7
        return process.returncode, said

    cut = tmp_path / "cut.jsonl"
    code, told = stopped(cut, 2, signal.SIGINT)
    assert code == 130
    assert "run the same command again to go on" in told
    stopped(cut, 4, signal.SIGKILL)
    ended = subprocess.run([*command, str(cut)], capture_output=True, text=True, env=environment, timeout=120)
    assert ended.returncode == 0, ended.stderr
    summary = Summary.model_validate_json(ended.stdout)
    assert 3 <= summary.resumed < 6
    said = {when: answer or "-" for when, answer in ANSWERS.items()}
    whole = asked(data, tmp_path / "whole", "real", "omni", "sqa", llm=model(said))
    assert summary.scorings == summarise(whole).scorings


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("<think>B? No.</think>A", "A"),
        ("<Thinking>B?</Thinking> A <think>or C</think>", " A "),
        ("B? No.</think>A", "A"),
        ("<think>B, or A, or", ""),
        ("I think A", "I think A"),
    ],
)
def test_thoughts_are_no_answer(reply: str, said: str) -> None:
    assert without_thoughts(reply) == said


def test_a_log_of_other_settings_is_refused(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    asked(data, tmp_path, "real", out=log)
    with pytest.raises(ConfigError, match=r"context_s was 60.0, is 30.0"):
        asked(data, tmp_path, "real", out=log, context_s=30.0)
    (data / "questions_real.json").write_text((data / "questions_real.json").read_text().replace("Red.", "Rose."))
    with pytest.raises(ConfigError, match="files was"):
        asked(data, tmp_path, "real", out=log)


def test_a_larger_limit_holds_the_smaller_one(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    small = asked(data, tmp_path, "real", "sqa", out=log, limit=2, seed=3)
    large = asked(data, tmp_path, "real", "sqa", out=log, limit=4, seed=3)
    assert {record.id for record in small.records} < {record.id for record in large.records}
    assert (len(small.records), len(large.records), large.resumed) == (2, 4, 2)
    draws = {seed: {s.id for s in draw(SUITE.load(data, LoadOptions()).samples, 2, seed)} for seed in range(20)}
    assert len({frozenset(ids) for ids in draws.values()}) > 5


def test_one_broken_video_is_named_and_the_rest_goes_on(data: Path, tmp_path: Path) -> None:
    (data / "videos" / "sample_1_real.mp4").write_text("not a video")
    (data / "videos" / "sample_4_sqa.mp4").unlink()
    outcome = asked(data, tmp_path, "real", "omni", "sqa")
    summary = summarise(outcome)
    assert [record.id for record in outcome.records if record.error is None] == ["real-3", "omni-1"]
    assert sorted(summary.failed.values()) == [2, 2]
    assert any("sample_1_real.mp4" in reason and "text file" in reason for reason in summary.failed)
    assert summary.unanswered == 5
    shutil.copy(data / "videos" / "sample_2_real.mp4", data / "videos" / "sample_1_real.mp4")
    mended = asked(data, tmp_path, "real", "omni", "sqa")
    assert mended.resumed == 2
    assert responses(mended)["real-1"] == "A"


def test_a_stretch_without_pictures_spoils_its_own_question_only(data: Path, tmp_path: Path) -> None:
    shutil.copy(write_scenes(tmp_path / "slow.mp4", [("red", 6)], fps=1), data / "videos" / "sample_1_real.mp4")
    questions = json.loads((data / "questions_real.json").read_text())[:1]
    one = questions[0]["questions"][0]
    # The last picture is at 5 s, and so none lies in the 0.4 s before 6 s.
    questions[0]["questions"] = [{**one, "time_stamp": f"00:00:0{second}"} for second in (3, 6, 4)]
    (data / "questions_real.json").write_text(json.dumps(questions))
    outcome = asked(data, tmp_path, "real", context_s=0.4, llm=Scripted(turns=[Turn(say="A"), Turn(say="A")]))
    errors = {record.asked_s: record.error for record in outcome.records}
    assert "no readable picture" in (errors.pop(6.0) or "")
    assert errors == {3.0: None, 4.0: None}


def test_the_smaller_proactive_part_is_read_where_it_is_named(data: Path) -> None:
    whole = (data / "questions_proactive.json").read_text()
    (data / "questions_proactive_50.json").write_text(json.dumps(json.loads(whole)[:1]))
    every = SUITE.load(data, LoadOptions()).samples
    named = SUITE.load(data, LoadOptions(groups=("proactive50",))).samples
    assert [sample.group for sample in every].count("proactive") == 2
    assert "proactive50" not in {sample.group for sample in every}
    assert {(sample.group, sample.kind) for sample in named} == {("proactive50", "wait")}


def test_a_model_that_fails_for_good_ends_the_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"3 times in a row.*no answer for call"):
        asked(data, tmp_path, "real", "sqa", llm=Scripted(turns=[Turn(say="A", when="nobody asks this")]))


def test_missing_and_malformed_files_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"does not exist.*THUNLP-MT/StreamingBench"):
        SUITE.load(tmp_path / "nowhere", LoadOptions())
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match=r"questions_real\.json.*mjuicem/StreamingBench"):
        SUITE.load(tmp_path / "empty", LoadOptions())
    (data / "questions_omni.json").unlink()
    assert any("questions_omni.json" in notice for notice in SUITE.load(data, LoadOptions()).notices)
    with pytest.raises(MediaError, match=r"questions_omni\.json"):
        SUITE.load(data, LoadOptions(groups=("omni",)))
    broken = json.loads((data / "questions_real.json").read_text())
    broken[1]["questions"][0]["time_stamp"] = "soon"
    (data / "questions_real.json").write_text(json.dumps(broken))
    with pytest.raises(MediaError, match=r"questions_real\.json.*1\.questions\.0\.time_stamp.*soon"):
        SUITE.load(data, LoadOptions())
    shutil.rmtree(data / "videos")
    with pytest.raises(MediaError, match=r"not one video was found.*sample_4_sqa\.mp4"):
        SUITE.load(data, LoadOptions(groups=("sqa",)))


def test_prompts_of_a_file_take_the_place_of_ours(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text("choice = 'Pick {{one}}: {question} | {options}'")
    llm = model(
        {r"Pick {one}: What colour fills .* \| A\. Red\.\nB\.": "A", "Pick {one}: Which": "B", "Pick {one}": "C"}
    )
    outcome = asked(data, tmp_path, "real", llm=llm, prompts=path)
    assert responses(outcome) == {"real-1": "A", "real-2": "B", "real-3": "C"}
    for text, message in (
        ("answer = 'x'", "sets 'answer'.*choice, sequence, wait, speak"),
        ("choice = '{query}'", "placeholder 'query'.*options, question"),
        ("choice = '{'", "malformed"),
        ("choice", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_prompts(path, SUITE.prompts)


def outcomes(table: dict[tuple[str, str, str], list[int]]) -> list[Outcome]:
    return [Outcome(c, g, t, bool(right)) for (c, g, t), rights in table.items() for right in rights]


def test_averages_by_hand() -> None:
    table = outcomes(
        {("v1", "p", "a"): [1, 1, 0], ("v2", "p", "b"): [0], ("v2", "q", "c"): [1, 0], ("v3", "q", "c"): [1, 1]}
    )
    assert rate(table).value == pytest.approx(5 / 8)
    assert rate(table, "macro").value == pytest.approx((2 / 3 + 0 + 3 / 4) / 3)
    assert rate(table, "groups").value == pytest.approx(((2 / 3 + 0) / 2 + 3 / 4) / 2)
    assert (rate([]).n, rate([]).value) == (0, None)
    alone = rate(outcomes({("v1", "p", "a"): [1, 0]}))
    assert (alone.value, alone.low) == (0.5, None)
    # Ten videos of two without one right answer: Wilson's bound at 10, Student's t with 9 degrees.
    none = rate(outcomes({(f"v{number}", "p", "a"): [0, 0] for number in range(10)}))
    assert (none.low, none.high) == (0.0, pytest.approx(2.2622**2 / (10 + 2.2622**2), rel=1e-4))


def test_intervals_cover_the_truth_and_widen_with_clusters() -> None:
    random = np.random.default_rng(5)
    covered, clustered, alone = 0, [], []
    for trial in range(120):
        shares = random.beta(2, 2, 40)
        table = [Outcome(f"v{v}", "p", "a", bool(random.random() < shares[v])) for v in range(40) for _ in range(5)]
        found = rate(table)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
        if trial < 10:
            clustered.append(found.high - found.low)
            loose = rate([Outcome(f"{number}", "p", "a", o.right) for number, o in enumerate(table)])
            alone.append((loose.high or 0) - (loose.low or 0))
    # 95% of 120 is 114; 105 lies four standard errors below.
    assert covered >= 105
    assert np.mean(clustered) > 1.15 * np.mean(alone)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=30))
def test_a_rate_is_a_share_inside_its_interval(rows: list[tuple[int, int, bool]]) -> None:
    table = [Outcome(f"v{c}", f"g{t % 2}", f"t{t}", right) for c, t, right in rows]
    found = rate(table)
    assert found.value == pytest.approx(sum(right for *_, right in rows) / len(rows))
    for average in ("micro", "macro", "groups"):
        one = rate(table, average)
        assert one.value is not None
        assert 0 <= one.value <= 1
        assert one == rate(table, average)
        if one.low is not None and one.high is not None:
            assert 0 <= one.low <= one.high <= 1


def test_the_command_runs_the_embedded_model_from_end_to_end(data: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "evals.cli", "eval", "streamingbench", "--data", str(data), "--folder"]
    command += [str(tmp_path / "home"), "--part", "real", "--limit", "2", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=250)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert (summary["n"], summary["model"], summary["policy"], summary["failed"]) == (2, "embedded", "curvestream", {})
    assert summary["scorings"].keys() >= {"official", "strict"}
    records = [line for line in lines(Path(summary["log"])) if line["type"] == "record"]
    assert all(record["response"] and record["encode_ms"] > 0 and record["answer_ms"] > 0 for record in records)
    again = subprocess.run(command[:-1], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=100)
    assert again.returncode == 0, again.stderr
    assert "2 of them from an earlier run" in again.stdout


def test_the_command_lists_suites_and_refuses_an_unknown_part(data: Path, tmp_path: Path) -> None:
    start = [sys.executable, "-c", "from evals.cli import main; main()", "eval"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    listed = subprocess.run([*start, "list"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert "ovobench" in listed.stdout
    assert "streamingbench" in listed.stdout
    arguments = ["streamingbench", "--data", str(data), "--part", "reel", "--folder", str(tmp_path)]
    refused = subprocess.run([*start, *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert refused.returncode == 1
    assert "no part 'reel'" in refused.stderr
    assert "Traceback" not in refused.stderr
