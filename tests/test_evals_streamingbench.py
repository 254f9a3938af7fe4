"""StreamingBench in its own file format: loading, playing without a look ahead, scoring, and going on after a stop."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Config, load_config
from agent.models.scripted import Scripted, Turn
from evals.engine.data import DataError
from evals.engine.prepare import RunOptions, draw
from evals.results import load_results
from evals.stats.means import Outcome, rate
from evals.suites.answers import first_letter, only_number, says, without_thoughts
from evals.suites.moments import Moment, read_prompts
from evals.suites.streamingbench.dataset import Options, load, seconds
from evals.suites.streamingbench.prompts import PROMPTS
from evals.suites.streamingbench.scorer import official_choice, score, strict_choice
from tests.eval_runs import kill_after
from tests.fixtures.moments import Asked, Watching, ask_suite
from tests.fixtures.scenes import write_scenes
from tools.errors import ConfigError, MediaError

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "evals" / "suites" / "streamingbench" / "sample"
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


def asked(data: Path, tmp_path: Path, *parts: str, llm: Scripted | None = None, **options: Any) -> Asked:
    own = {"part": ",".join(parts), **options}
    return ask_suite("streamingbench", data, config(tmp_path), tmp_path / "run", llm or model(), own)


def moments(data: Path, **options: Any) -> list[Moment]:
    return [sample.fields["moment"] for sample in load(data, Options(**options)).samples]


def test_every_part_is_read_as_released(data: Path) -> None:
    loaded = load(data, Options())
    by_id = {moment.id: moment for moment in moments(data)}
    assert [moment.group for moment in by_id.values()] == ["real"] * 3 + ["omni"] + ["sqa"] * 2 + ["proactive"] * 2
    assert by_id["real-3"].asked_s == 3 * 3600 + 27 * 60 + 30
    assert by_id["omni-1"].words["options"].startswith("A.A red wall.\nB.A green wall.")
    assert by_id["sqa-1"].words["options"] == "A. Red.\nB. Green.\nC. Blue.\nD. White."
    assert by_id["sqa-1"].words["context"] == ""
    assert "What colour is shown now?" in by_id["sqa-2"].words["context"]
    assert "The answer was A." in by_id["sqa-2"].words["context"]
    assert by_id["proactive-1"].polls_s == tuple(range(1, 9))
    assert by_id["proactive-2"].polls_s == (2, 3, 4, 5, 6)
    assert all(Path(sample.source).is_file() for sample in loaded.samples)
    assert any("'real' has 3 questions; the released one has 2,500" in notice for notice in loaded.notices)
    assert any("sound" in notice for notice in loaded.notices)


def test_times_are_read_as_the_authors_do() -> None:
    assert [seconds(stamp) for stamp in ("00:01:52", "0:02:22", "3:05", " 7 ", "00:75:10")] == [112, 142, 185, 7, 4510]


def test_videos_are_found_as_unpacked_too(data: Path, scenes: Path) -> None:
    shutil.rmtree(data / "videos")
    for name in ("real/sample_1/video.mp4", "omni/Scene Understanding/sample_3/clip one.mp4"):
        (data / name).parent.mkdir(parents=True)
        shutil.copy(scenes, data / name)
    found = {moment.video: moment.path for moment in moments(data) if moment.path}
    assert found == {
        "./videos/sample_1_real.mp4": data / "real/sample_1/video.mp4",
        "./videos/sample_3_Scene_Understanding.mp4": data / "omni/Scene Understanding/sample_3/clip one.mp4",
    }
    with pytest.raises(DataError, match=r"sample_2_real\.mp4.*does not exist.*other records are broken too"):
        asked(data, data)


def test_scores_of_both_kinds_and_what_is_kept(data: Path, tmp_path: Path) -> None:
    outcome = asked(data, tmp_path, "real", "omni", "sqa")
    assert {id_: (one["official"], one["strict"]) for id_, one in outcome.scores.items()} == {
        "real-1": (True, True),
        "real-2": (False, True),
        "real-3": (False, False),
        "omni-1": (True, True),
        "sqa-1": (False, False),
        "sqa-2": (True, True),
    }
    assert {one.id: one.value for one in outcome.results.samples} == {
        id_: float(one["strict"]) for id_, one in outcome.scores.items()
    }
    assert {one.cluster for one in outcome.results.samples if one.id.startswith("sqa")} == {"./videos/sample_4_sqa.mp4"}
    made = {id_: one.outcome for id_, one in outcome.transcripts.items()}
    # Frames of seconds 0, 1, 2 and 0 to 5, at one a second; the last policy keeps all of them clear.
    assert (made["real-1"]["frames"], made["real-1"]["span_s"]) == (3, 2.0)
    assert (made["real-2"]["frames"], made["real-2"]["span_s"]) == (6, 5.0)
    assert made["real-2"]["clear_share"] == 1.0
    assert outcome.transcripts["real-2"].tokens_in > outcome.transcripts["real-1"].tokens_in > 0
    # The time that lies hours after the end of the video means its end.
    assert made["real-3"]["frames"] == 6


def test_figures_count_the_unanswered_as_wrong_and_apart(data: Path, tmp_path: Path) -> None:
    found = asked(data, tmp_path, "real", "omni", "sqa").results.manifest["figures"]
    assert found["unanswered"] == 1
    assert (found["official: micro"], found["strict: micro"]) == (pytest.approx(3 / 6), pytest.approx(4 / 6))
    assert found["official: answered only"] == pytest.approx(3 / 5)
    assert found["official: macro over tasks"] == pytest.approx((1 + 0 + 0 + 1 + 0.5) / 5)
    assert found["official: real, micro"] == pytest.approx(1 / 3)
    assert found["official: mean of the parts' macro"] == pytest.approx((1 / 3 + 1 + 0.5) / 3)
    assert "in time: micro" not in found


def test_nothing_after_a_question_is_seen(data: Path, tmp_path: Path, scenes: Path) -> None:
    """A video whose later part differs gives the very same prompts: the frames of both come by content."""
    seen = []
    for number, later in enumerate(("green", "blue")):
        other = write_scenes(tmp_path / f"{later}.mp4", [("red", 3), (later, 3)])
        shutil.copy(other, data / "videos" / "sample_1_real.mp4")
        llm = Watching(turns=[Turn(say="A")] * 3)
        asked(data, tmp_path / str(number), "real", llm=llm)
        seen.append(llm.frames[:2])
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
        ask_suite("streamingbench", data, chosen, tmp_path / f"run-{tiers}", llm, {"part": "real"})
        oldest[tiers] = [frames[0][0] for frames in llm.frames]
    (past_s, present_s), (past_flat_s, present_flat_s) = oldest[True], oldest[False]
    assert past_s < 6 < past_flat_s
    assert present_s == present_flat_s == past_flat_s


def test_fuzzy_frames_are_shown_small_and_answers_are_kept_short(data: Path, tmp_path: Path) -> None:
    llm = Watching(turns=[Turn(say="A word that goes on")] * 3)
    chosen = config(tmp_path, **{"memory.blur_px": 40})
    own = {"part": "real", "max_tokens": 2, "policy": "alternate"}
    outcome = ask_suite("streamingbench", data, chosen, tmp_path / "run", llm, own)
    assert outcome.transcripts["real-2"].answer == "A word"
    made = outcome.transcripts["real-2"].outcome
    small = [size == (40, 40) for size in llm.sizes[1]]
    assert 0 < sum(small) < made["frames"] == len(small)
    assert made["clear_share"] == pytest.approx(1 - sum(small) / len(small))
    assert not small[-1]


def test_all_that_memory_chooses_is_shown_whatever_a_chat_would_show(data: Path, tmp_path: Path) -> None:
    chosen, llm = config(tmp_path, **{"limits.frames": 3}), Watching(turns=[Turn(say="A")] * 3)
    own = {"part": "real", "fps": 5, "budget": 30}
    outcome = ask_suite("streamingbench", data, chosen, tmp_path / "run", llm, own)
    assert [one.outcome["frames"] for one in outcome.transcripts.values()] == [11, 26, 30]


def test_a_proactive_question_is_put_each_second_until_the_model_speaks(data: Path, tmp_path: Path) -> None:
    gates = [{"when": "moment to put out .green", "say": say} for say in ("No.", "no", "No", "Yes, now.")]
    speaks = {"when": "moment has come.*green", "say": "green"}
    never = [{"when": "moment to put out .blue", "say": "no"}] * 5
    outcome = asked(data, tmp_path, "proactive", llm=model({}, *gates, speaks, *never))
    green, blue = outcome.transcripts.values()
    assert (green.outcome["said_s"], green.answer, green.model_calls) == (4.0, "green", 5)
    assert outcome.scores[green.id] == {"official": True, "strict": True, "in_time": True}
    assert (blue.outcome["said_s"], blue.model_calls) == (None, 5)
    assert outcome.scores[blue.id] == {"official": False, "strict": False, "in_time": False}
    assert outcome.results.manifest["figures"]["in time: micro"] == 0.5


@pytest.mark.parametrize(("said_s", "right"), [(1.0, False), (2.0, True), (6.0, True), (7.0, False), (None, False)])
def test_a_proactive_answer_must_be_in_time(data: Path, said_s: float | None, right: bool) -> None:
    moment = next(one for one in moments(data) if one.id == "proactive-1")
    assert score(moment, "It is green now", said_s) == {"official": right, "strict": right, "in_time": right}


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


def test_a_killed_run_resumes_to_the_scores_of_a_whole_one(data: Path, tmp_path: Path) -> None:
    said = {when: answer or "-" for when, answer in ANSWERS.items()}
    script, folder = tmp_path / "script.json", tmp_path / "killed"
    script.write_text(json.dumps([{"when": when, "say": say} for when, say in said.items()]))
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "TMPDIR": str(tmp_path)}
    attend = [sys.executable, "-m", "evals.cli", "eval"]
    begin = ["run", "streamingbench", "--data", str(data), "--model", f"scripted:{script}", "--out", str(folder)]
    begin += ["--folder", str(tmp_path / "home"), "--set", "policy=last", "--set", "part=real,omni,sqa"]
    kill_after(2, *begin, "--max-in-flight", 1, **environment)
    assert (folder / "transcripts.jsonl").read_bytes().count(b"\n") == 2
    resume = [*attend, "resume", str(folder), "--json"]
    ended = subprocess.run(resume, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["made"] == 6 - 2
    whole = asked(data, tmp_path / "whole", "real", "omni", "sqa", llm=model(said)).results
    resumed = load_results(folder / "results.jsonl")
    assert {one.id: one.value for one in resumed.samples} == {one.id: one.value for one in whole.samples}
    assert resumed.manifest["figures"] == whole.manifest["figures"]


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


def test_a_larger_limit_holds_the_smaller_one(data: Path) -> None:
    samples = load(data, Options()).samples
    small, large = ({one.id for one in draw(samples, limit, 3)} for limit in (2, 4))
    assert small < large
    assert (len(small), len(large)) == (2, 4)
    draws = {frozenset(one.id for one in draw(samples, 2, seed)) for seed in range(20)}
    assert len(draws) > 5


def test_broken_videos_fail_their_questions_and_the_rest_goes_on(data: Path, tmp_path: Path) -> None:
    (data / "videos" / "sample_1_real.mp4").write_text("not a video")
    (data / "videos" / "sample_4_sqa.mp4").unlink()
    with pytest.raises(DataError, match=r"sample_4_sqa\.mp4.*does not exist"):
        asked(data, tmp_path, "real", "omni", "sqa")
    run_options = RunOptions(skip_bad=True, suite_options={"part": "real,omni,sqa"})
    outcome = ask_suite("streamingbench", data, config(tmp_path), tmp_path / "run", model(), run_options)
    failed = {one.id: one.failure for one in outcome.results.samples if one.failure}
    assert failed == dict.fromkeys(("real-1", "real-2", "sqa-1", "sqa-2"), "data")
    assert "text file" in outcome.transcripts["real-1"].problem
    assert outcome.results.manifest["figures"]["unanswered"] == 3


def test_a_blind_run_asks_without_frames(data: Path, tmp_path: Path) -> None:
    llm = Watching(turns=[Turn(say="A")] * 3)
    run_options = RunOptions(blind=True, suite_options={"part": "real"})
    outcome = ask_suite("streamingbench", data, config(tmp_path), tmp_path / "run", llm, run_options)
    assert llm.frames == [[], [], []]
    assert [one.outcome["frames"] for one in outcome.transcripts.values()] == [0, 0, 0]


def test_the_oracle_is_right_everywhere_and_plays_nothing(data: Path, tmp_path: Path) -> None:
    for video in (data / "videos").iterdir():
        video.write_text("not a video")
    outcome = ask_suite("streamingbench", data, config(tmp_path), tmp_path / "run", "baseline:oracle", {})
    assert {one.value for one in outcome.results.samples} == {1.0}


def test_a_stretch_without_pictures_spoils_its_own_question_only(data: Path, tmp_path: Path) -> None:
    shutil.copy(write_scenes(tmp_path / "slow.mp4", [("red", 6)], fps=1), data / "videos" / "sample_1_real.mp4")
    questions = json.loads((data / "questions_real.json").read_text())[:1]
    one = questions[0]["questions"][0]
    # The last picture is at 5 s, and so none lies in the 0.4 s before 6 s.
    questions[0]["questions"] = [{**one, "time_stamp": f"00:00:0{second}"} for second in (3, 6, 4)]
    (data / "questions_real.json").write_text(json.dumps(questions))
    outcome = asked(data, tmp_path, "real", context_s=0.4, llm=Scripted(turns=[Turn(say="A"), Turn(say="A")]))
    problems = {one.id: one.problem for one in outcome.transcripts.values()}
    assert "cannot find a readable picture" in problems.pop("real-2")
    assert set(problems.values()) == {""}


def test_the_smaller_proactive_part_is_read_where_it_is_named(data: Path) -> None:
    whole = (data / "questions_proactive.json").read_text()
    (data / "questions_proactive_50.json").write_text(json.dumps(json.loads(whole)[:1]))
    every, named = moments(data), moments(data, part="proactive50")
    assert [sample.group for sample in every].count("proactive") == 2
    assert "proactive50" not in {sample.group for sample in every}
    assert {(sample.group, sample.kind) for sample in named} == {("proactive50", "wait")}


def test_missing_and_malformed_files_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist.*THUNLP-MT/StreamingBench"):
        load(tmp_path / "nowhere", Options())
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match=r"questions_real\.json.*mjuicem/StreamingBench"):
        load(tmp_path / "empty", Options())
    (data / "questions_omni.json").unlink()
    assert any("questions_omni.json" in notice for notice in load(data, Options()).notices)
    with pytest.raises(MediaError, match=r"questions_omni\.json"):
        load(data, Options(part="omni"))
    broken = json.loads((data / "questions_real.json").read_text())
    broken[1]["questions"][0]["time_stamp"] = "soon"
    (data / "questions_real.json").write_text(json.dumps(broken))
    with pytest.raises(MediaError, match=r"questions_real\.json.*1\.questions\.0\.time_stamp.*soon"):
        load(data, Options())
    shutil.rmtree(data / "videos")
    with pytest.raises(MediaError, match=r"cannot find any video.*sample_4_sqa\.mp4"):
        load(data, Options(part="sqa"))


def test_prompts_of_a_file_take_the_place_of_ours(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text("choice = 'Pick {{one}}: {question} | {options}'")
    llm = model(
        {r"Pick {one}: What colour fills .* \| A\. Red\.\nB\.": "A", "Pick {one}: Which": "B", "Pick {one}": "C"}
    )
    outcome = asked(data, tmp_path, "real", llm=llm, prompt=str(path))
    assert {id_: one.answer for id_, one in outcome.transcripts.items()} == {
        "real-1": "A",
        "real-2": "B",
        "real-3": "C",
    }
    for text, message in (
        ("answer = 'x'", "kind 'answer'.*choice, sequence, wait, speak"),
        ("choice = '{query}'", "placeholder 'query'.*options, question"),
        ("choice = '{'", "malformed"),
        ("choice", "cannot read"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_prompts(path, PROMPTS)


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
    command = [sys.executable, "-m", "evals.cli", "eval", "run", "streamingbench", "--data", str(data), "--folder"]
    command += [str(tmp_path / "home"), "--set", "part=real", "--limit", "2", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=250)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["made"], told["manifest"]["model"]) == (2, "embedded")
    assert told["manifest"]["settings"]["memory"]["policy"] == "curvestream"
    assert told["figures"].keys() >= {"official: micro", "strict: micro"}
    results = load_results(Path(told["folder"]) / "results.jsonl").samples
    assert all(one.prediction and one.frame_ids and not one.failure for one in results)


def test_an_unknown_part_names_the_known_ones(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown part 'reel', expected one of real, omni"):
        asked(data, tmp_path, "reel")
