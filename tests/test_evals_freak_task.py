"""FREAK as a suite: options in every order, free answers with a judge, and the released script's ways, by scripts."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from pyarrow import parquet
from typer.testing import CliRunner

from agent.models.blocks import count_images, text_of
from agent.models.scripted import Scripted
from evals.cli import app
from evals.engine.data import DataError
from evals.engine.prepare import RunOptions, prepare
from evals.engine.run import score_run
from evals.engine.suite import Message, Reply, Sample, Transcript
from evals.suites import load_suite
from evals.suites.freak.prompts import JUDGES
from evals.suites.freak.scorer import PERMUTATIONS, score_choices, score_free, summarise

SUITE = load_suite("freak")
JUDGE, SWAPPED = JUDGES[False, False], JUDGES[False, True]
SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "freak" / "sample"
FIRST, SECOND = (f"test-0000{number}-of-00002.parquet" for number in range(2))
RIGHT, USUAL = "AABCBC", "BCAACB"
"""The letters of the right option and of what would be usual, in the six orders."""


def setting(**options: Any) -> list[str]:
    return [part for name, value in options.items() for part in ("--set", f"{name}={value}")]


def script(path: Path, turns: Sequence[str] = (), **by_id: Sequence[str]) -> str:
    samples = {id_.removeprefix("s"): [{"say": text} for text in said] for id_, said in by_id.items()}
    path.write_text(json.dumps({"turns": [{"say": text} for text in turns], "samples": samples}), "utf-8")
    return f"scripted:{path}"


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    """`attend eval run` with JSON; what it printed, with transcripts and results by sample."""
    arguments = ["eval", "run", "freak", "--data", str(data), "--model", model, "--json", "--max-in-flight", "1"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / out), "--folder", str(tmp_path), *more])
    assert done.exit_code == 0, done.output + str(done.exception)
    lines = (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()
    results = [json.loads(line) for line in (tmp_path / out / "results.jsonl").read_text("utf-8").splitlines()[1:]]
    return {
        **json.loads(done.stdout),
        "transcripts": {(one["task"], one["id"]): one for one in map(json.loads, lines)},
        "results": {(one["task"], one["id"]): one for one in results},
    }


def samples(data: Path = SAMPLE, **options: Any) -> dict[tuple[str, str], Sample]:
    return {(one.task, one.id): one for one in SUITE.load(data, SUITE.options(**options)).samples}


def asked(sample: Sample, reply: str = "A") -> list[list[Message]]:
    """The messages of every call for a sample."""
    calls: list[list[Message]] = []

    async def respond(messages: Sequence[Message], *, max_tokens: int | None = None, tools: Any = ()) -> Reply:
        calls.append(list(messages))
        return Reply(reply)

    assert callable(SUITE.solve)
    asyncio.run(SUITE.solve(sample, respond, random.Random(0)))  # type: ignore[arg-type]
    return calls


MCQ = ("0", "1", "3", "5", "7")


def test_options_are_asked_in_six_orders_and_scored_as_the_golden_path_does(tmp_path: Path) -> None:
    said = {"s0": RIGHT, "s1": USUAL, "s3": "DDDDDD", "s5": "AAAAAA", "s7": "CBCBAA"}
    made = run(tmp_path, script(tmp_path / "m.json", **said), *setting(types="mcq"))
    items = {id_: score_choices(made["transcripts"]["mcq", id_]["answers"]) for id_ in MCQ}
    values = {id_: made["results"]["mcq", id_]["value"] for id_ in MCQ}
    assert values == {id_: item.accuracy for id_, item in items.items()}
    assert values == {"0": 1.0, "1": 0.0, "3": 0.0, "5": pytest.approx(1 / 3), "7": 0.0}
    table = summarise(list(items.values()))
    figures = made["figures"]
    assert figures["accuracy"] == pytest.approx(table["total_accuracy"])
    assert figures["mcq: hallucination"] == pytest.approx(table["mcq_hallu"])
    # An item counts in each of its groups: the first two of the cart and the clock, by their labels.
    assert figures["Counting: accuracy"] == 1.0
    assert (figures["Position: accuracy"], figures["Analysis: hallucination"]) == (0.0, 1.0)
    assert figures["Attribute: accuracy"] == pytest.approx((0 + 1 / 3) / 2)
    assert all(one["model_calls"] == 6 for one in made["transcripts"].values())
    assert made["results"]["mcq", "1"]["slices"] == {"Position": "yes", "Analysis": "yes"}
    again = score_run(tmp_path / "run")
    assert again.results.manifest["figures"] == figures


def test_every_order_is_shown_with_the_image() -> None:
    sample = samples(types="mcq")["mcq", "3"]
    options = sample.fields["row"].options
    for order, (system, user) in zip(PERMUTATIONS, asked(sample), strict=True):
        picture, text = user.parts
        assert picture.encoded.startswith(b"\x89PNG")  # type: ignore[union-attr]
        shown = "\n".join(f"{letter}. {options[index]}" for letter, index in zip("ABCD", order, strict=True))
        assert text == f"Question: Which colour has the banana?\nChoices:\n{shown}\nYour answer:"
        assert "letter" in system.parts[0]
        assert "<answer>" not in system.parts[0]
    reasoning = asked(samples(types="mcq", cot=True)["mcq", "3"])
    assert "<answer>A</answer>" in reasoning[0][0].parts[0]  # type: ignore[operator]


@given(
    replies=st.lists(st.sampled_from(["A", "B", "C", "D", "It is B", "C.", "", " A\n", "none"]), min_size=6, max_size=6)
)
@settings(max_examples=60)
def test_a_transcript_scores_what_the_scorer_does(replies: list[str]) -> None:
    sample = next(iter(samples(types="mcq").values()))
    transcript = Transcript(task="mcq", id=sample.id, answers=tuple(replies))
    scored = SUITE.score(sample, transcript)
    item = score_choices(replies)
    assert scored.value == item.accuracy
    assert SUITE.figures is not None
    figures = SUITE.figures([(sample, transcript, scored)])
    assert (figures["accuracy"], figures["hallucination"]) == (item.accuracy, item.hallucination)


def test_what_stands_before_the_end_of_thinking_is_cut_off(tmp_path: Path) -> None:
    turns = [f"<think>It cannot be D. Hm, D</think> The final answer is <answer>{letter}</answer>." for letter in RIGHT]
    spec = script(tmp_path / "m.json", turns)
    made = run(tmp_path, spec, *setting(types="mcq", cot="true"))
    assert {one["value"] for one in made["results"].values()} == {1.0}
    kept = run(tmp_path, script(tmp_path / "n.json", ["<think>{C}</think>"] * 6), *setting(types="mcq"), out="cut")
    assert kept["figures"]["mcq: replies without a letter, which count as D"] == 1.0
    whole = run(tmp_path, f"scripted:{tmp_path / 'n.json'}", *setting(types="mcq", thinking="false"), out="whole")
    assert whole["figures"]["mcq: replies without a letter, which count as D"] == 0.0


FREE = {"s2": ["It has five legs."], "s4": ["STOP"], "s6": ["There is no candle."]}


def judged(tmp_path: Path, verdicts: Sequence[str], *more: str, out: str = "run", **free: Sequence[str]) -> Any:
    """A run of the three free questions with these verdicts, in order."""
    said = [text if text.startswith("!") else json.dumps({"verdict": text}) for text in verdicts]
    options = setting(judge=script(tmp_path / f"judge-{out}.json", said), judge_folder=tmp_path / f"verdicts-{out}")
    model = script(tmp_path / f"m-{out}.json", **{**FREE, **free})
    return run(tmp_path, model, *setting(types="fib"), *options, *more, out=out)


def test_free_answers_are_judged_in_both_orders(tmp_path: Path) -> None:
    made = judged(tmp_path, ["correct", "correct", "typical", "typical", "typical", "wrong"])
    assert [one["value"] for one in made["results"].values()] == [1.0, 0.0, 0.0]
    figures = made["figures"]
    # The last verdict depends on the order: the answer is neither right nor typical.
    assert (figures["fib: accuracy"], figures["fib: hallucination"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert figures["judge: changed by the order"] == pytest.approx(1 / 3)
    assert figures["judge: asked"] == 6
    hashes = {made["manifest"]["prompts"][name] for name in ("judge", "judge, swapped")}
    assert hashes == {JUDGES[False, False].sha256, JUDGES[False, True].sha256}
    items = [score_free(f"<judge>{verdict}</judge>") for verdict in ("correct", "typical", "wrong")]
    assert figures["accuracy"] == summarise(items)["total_accuracy"]
    assert all(one["model_calls"] == 1 for one in made["transcripts"].values())
    once = judged(tmp_path, ["correct", "typical", "wrong"], *setting(judge_swap="false"), out="once")
    assert once["figures"]["judge: asked"] == 3
    assert "judge: changed by the order" not in once["figures"]


def test_the_judge_is_given_both_answers_and_what_was_said(tmp_path: Path) -> None:
    answers = samples(types="fib", judge="scripted:none.json")["fib", "6"].fields["row"]
    filled = JUDGE.filled(
        {"question": "q", "truth": answers.ground_truth, "error": answers.hallu_answer, "answer": "a"}
    )
    swapped = SWAPPED.filled({"question": "q", "truth": answers.ground_truth, "error": "e", "answer": "{truth}"})
    assert filled.index("#Below# the candle, at its #foot#.") < filled.index("At the #top#.")
    assert swapped.index("Typical error") < swapped.index("Right answer:")
    assert "{truth}" in swapped


def test_the_judge_is_shown_the_image_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, bool]] = []
    streamed = Scripted._stream

    def listening(self: Scripted, messages: list[BaseMessage], *more: Any, **settings: Any) -> Any:
        if "/judge-" in self.spec:
            shown.append((count_images(messages), "You are shown the image" in text_of(messages[0])))
        return streamed(self, messages, *more, **settings)

    monkeypatch.setattr(Scripted, "_stream", listening)
    judged(tmp_path, ["correct"] * 6, *setting(judge_image="true"))
    assert shown == [(1, True)] * 6
    judged(tmp_path, ["correct"] * 6, out="without")
    assert shown[6:] == [(0, False)] * 6


def test_a_verdict_that_cannot_be_read_is_counted_and_in_no_mean(tmp_path: Path) -> None:
    verdicts = ["correct", "correct", "!<judge>correct</judge>", "!again", "correct", "!what", "!no"]
    made = judged(tmp_path, verdicts)
    assert [(one.get("value"), one.get("failure", "")) for one in made["results"].values()] == [
        (1.0, ""), (None, "judge"), (None, "judge"),
    ]  # fmt: skip
    assert made["figures"]["judge: unreadable"] == 2
    assert made["figures"]["accuracy"] == 1.0
    lost = judged(tmp_path, ["correct", "correct"], out="lost")
    assert [one.get("failure", "") for one in lost["results"].values()] == ["", "judge", "judge"]
    assert lost["figures"]["judge: asked"] == 2


def test_an_answer_of_thinking_alone_is_wrong_and_not_judged(tmp_path: Path) -> None:
    thought = {id_: ["<think>Five.</think>"] for id_ in FREE}
    made = judged(tmp_path, ["correct"], **thought)
    assert {one["value"] for one in made["results"].values()} == {0.0}
    assert made["figures"]["judge: asked"] == 0


def test_the_released_script_is_followed_on_request(tmp_path: Path) -> None:
    # As released: blanks are not cut off, and an empty reply stops the script.
    said = {"s0": list(RIGHT), "s1": [f"{letter}\n" for letter in USUAL], "s3": ["A", "<answer></answer>", *RIGHT[2:]]}
    spec = script(tmp_path / "m.json", ["A"] * 6, **said)
    mended = run(tmp_path, spec, *setting(types="mcq", scoring="mended"), out="mended")
    repaired = run(tmp_path, spec, *setting(types="mcq"), out="repaired")
    values = [{id_: made["results"]["mcq", id_].get("value") for id_ in ("0", "1", "3")} for made in (mended, repaired)]
    assert values == [{"0": 1.0, "1": 0.0, "3": None}, {"0": 1.0, "1": 0.0, "3": pytest.approx(5 / 6)}]
    assert mended["results"]["mcq", "3"]["failure"] == "parse"
    assert mended["figures"]["mcq: hallucination"] < repaired["figures"]["mcq: hallucination"]
    calls = asked(samples(types="mcq", scoring="mended")["mcq", "3"])
    assert "\nC. Green.t\n" in calls[0][1].parts[1]  # type: ignore[operator]
    with_reasoning = asked(samples(types="mcq", scoring="mended", cot=True)["mcq", "3"])
    assert "\nC. Green.\n" in with_reasoning[0][1].parts[1]  # type: ignore[operator]
    free = judged(
        tmp_path,
        ["correct"] * 3,
        *setting(scoring="mended"),
        out="free",
        **{id_: said * 6 for id_, said in FREE.items()},
    )
    assert {one["model_calls"] for one in free["transcripts"].values()} == {6}
    assert free["figures"]["judge: asked"] == 3


def test_the_released_defect_overwrites_what_was_found(tmp_path: Path) -> None:
    judge = script(tmp_path / "judge.json", [json.dumps({"verdict": "correct"})] * 9)
    options = setting(scoring="released", judge=judge, judge_folder=tmp_path / "verdicts")
    # Six usual answers: hallucinations, which a judge of the last reply alone turns into a right answer.
    made = run(tmp_path, script(tmp_path / "m.json", list(USUAL)), *options)
    assert {one["value"] for one in made["results"].values()} == {1.0}
    assert made["figures"] == {"the released script stops before its rates": 1.0, "results overwritten": 5.0}
    free = run(tmp_path, f"scripted:{tmp_path / 'm.json'}", *options, *setting(types="fib"), out="free")
    assert free["figures"]["fib: accuracy"] == 1.0


@pytest.mark.parametrize("more", [{}, {"cot": True}, {"scoring": "mended"}])
def test_the_oracle_is_right_and_chance_is_not(tmp_path: Path, more: dict[str, Any]) -> None:
    oracle = run(tmp_path, "baseline:oracle", *setting(types="mcq", **more), out="oracle")
    assert (oracle["figures"]["accuracy"], oracle["figures"]["hallucination"]) == (1.0, 0.0)
    chance = run(tmp_path, "baseline:random", *setting(types="mcq", **more), out="chance")
    assert 0 < chance["figures"]["accuracy"] < 1
    same = run(tmp_path, "baseline:random", *setting(types="mcq", **more), "--max-in-flight", "4", out="same")
    assert same["figures"] == chance["figures"]


def test_the_oracle_says_the_right_answer_to_free_questions(tmp_path: Path) -> None:
    judge = script(tmp_path / "judge.json", [json.dumps({"verdict": "correct"})] * 6)
    made = run(tmp_path, "baseline:oracle", *setting(types="fib", judge=judge), out="oracle")
    assert made["transcripts"]["fib", "2"]["answers"] == ["It stands on five legs."]


def test_controlled_pairs_give_the_drop(tmp_path: Path) -> None:
    # Always what would be usual: right on normal images, wrong on edited ones.
    made = run(tmp_path, script(tmp_path / "m.json", list(USUAL)), *setting(subset="controlled"))
    assert made["figures"] == {"normal": 1.0, "edited": 0.0, "drop": 1.0, "pairs": 3.0}
    assert {key: one["value"] for key, one in made["results"].items() if key[1] == "0"} == {
        ("normal", "0"): 1.0,
        ("edited", "0"): 0.0,
    }
    assert len({one.cluster for one in samples(subset="controlled").values()}) == 3
    oracle = run(tmp_path, "baseline:oracle", *setting(subset="controlled"), out="oracle")
    assert oracle["figures"] == {"normal": 1.0, "edited": 1.0, "drop": 0.0, "pairs": 3.0}
    with pytest.raises(DataError, match=r"controlled\.jsonl': there is no list of pairs.*is public"):
        samples(tmp_path, subset="controlled")


def test_questions_about_one_image_are_one_cluster() -> None:
    held = samples(judge="scripted:none.json")
    assert len(held) == 8
    assert held["mcq", "0"].cluster == held["mcq", "1"].cluster
    assert held["fib", "6"].cluster == held["mcq", "7"].cluster
    assert len({one.cluster for one in held.values()}) == 6


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "set")
    return tmp_path / "set"


def change(data: Path, row: int, **fields: Any) -> None:
    """Change fields of a row of the second file, whose rows are the questions 5 to 7; "gone" drops the column."""
    file = data / "data" / SECOND
    table = parquet.read_table(file)
    rows = table.to_pylist()
    rows[row] |= {name: value for name, value in fields.items() if value != "gone"}
    schema = table.schema
    for name, value in fields.items():
        if value == "gone":
            schema = schema.remove(schema.get_field_index(name))
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file, row_group_size=2)


@pytest.mark.parametrize(
    ("row", "fields", "place", "problem"),
    [
        (0, {"options": ["Square.", "Round."]}, "line 1", "question 5 has 2 options in place of four"),
        (0, {"options": None}, "line 1", "question 5 has 0 options in place of four"),
        (0, {"question": ""}, "line 1, field 'question'", "at least 1 character"),
        (2, {"type": "essay"}, "line 3, field 'type'", "'mcq' or 'fib'"),
        (2, {"id": None}, "line 3, field 'id'", "valid integer"),
        (2, {"image": None}, "line 3, field 'image.bytes'", "question 7 has no image"),
        (2, {"image": {"bytes": b"", "path": "a.png"}}, "line 3, field 'image.bytes'", "question 7 has no image"),
        (1, {"ground_truth": " "}, "line 2", "question 6 has no ground_truth"),
    ],
)
def test_a_broken_row_is_told_of_with_its_place(
    tmp_path: Path, data: Path, row: int, fields: dict[str, Any], place: str, problem: str
) -> None:
    change(data, row, **fields)
    arguments = ["eval", "run", "freak", "--data", str(data), "--model", "baseline:oracle", *setting(types="mcq")]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "none")])
    told = str(done.exception) + done.output
    assert done.exit_code != 0
    assert f"{SECOND}', {place}" in told
    assert problem in told
    assert "--skip-bad" in told
    made = run(tmp_path, "baseline:oracle", "--skip-bad", *setting(types="mcq"), data=data)
    assert len(made["manifest"]["bad"]) == 1
    assert problem in made["manifest"]["bad"][0]
    assert made["figures"]["accuracy"] == 1.0


def test_a_missing_column_or_file_names_the_remedy(data: Path) -> None:
    change(data, 0, category="gone")
    with pytest.raises(DataError, match=rf"{SECOND}', field 'category': the column is missing.*hansQAQ/FREAK"):
        samples(data, types="mcq")
    table = parquet.read_table(data / "data" / FIRST)
    names = table.schema.get_field_index("image")
    parquet.write_table(table.set_column(names, "image", pyarrow.array(["a.png"] * 5)), data / "data" / FIRST)
    with pytest.raises(DataError, match=rf"{FIRST}', field 'image': it contains string, not encoded images"):
        samples(data, types="mcq")
    shutil.copy(SAMPLE / "data" / FIRST, data / "data" / FIRST)
    (data / "data" / SECOND).write_bytes(b"no table")
    with pytest.raises(DataError, match="it is not a Parquet file"):
        samples(data, types="mcq")
    (data / "data" / SECOND).unlink()
    with pytest.raises(DataError, match=rf"{SECOND}': 1 of its 2 files are missing"):
        samples(data, types="mcq")
    (data / "data" / FIRST).unlink()
    with pytest.raises(DataError, match=r"no file test-\*-of-\*\.parquet"):
        samples(data, types="mcq")


def test_a_label_may_stand_alone_and_an_unknown_one_is_told_of(data: Path) -> None:
    change(data, 0, category=["Shape ", "smell"])
    loaded = SUITE.load(data, SUITE.options(types="mcq"))
    assert "no group has the labels 'smell'" in loaded.notices[0]
    assert next(one for one in loaded.samples if one.id == "5").slices == {"Attribute": "yes"}


def test_a_damaged_image_fails_its_sample_alone(tmp_path: Path, data: Path) -> None:
    change(data, 2, image={"bytes": b"no picture", "path": None})
    made = run(tmp_path, script(tmp_path / "m.json", ["A"] * 6), *setting(types="mcq"), data=data)
    assert [id_ for (_, id_), one in made["results"].items() if one.get("failure") == "data"] == ["7"]


def test_a_missing_image_of_a_pair_stops_the_run_or_is_listed(tmp_path: Path, data: Path) -> None:
    (data / "controlled" / "round.png").unlink()
    with pytest.raises(DataError, match=r"controlled\.jsonl', line 3, field 'image'.*round\.png"):
        prepare("freak", data, RunOptions(suite_options={"subset": "controlled"}))
    made = run(tmp_path, "baseline:oracle", "--skip-bad", *setting(subset="controlled"), data=data)
    assert made["figures"]["pairs"] == 2.0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "--set types=mcq"),
        ({"types": "mcq", "scoring": "released"}, "needs a judge"),
        ({"judge": "embedded", "cot": True, "scoring": "mended"}, "no prompt for free answers with reasoning"),
        ({"subset": "controlled", "scoring": "mended"}, "no released script"),
        ({"judge": "openai:m@http://me:secret@host/v1"}, "contains a password"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: dict[str, Any], problem: str) -> None:
    arguments = ["eval", "run", "freak", "--data", str(SAMPLE), "--model", "baseline:oracle"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run"), *setting(**options)])
    assert done.exit_code != 0
    assert problem in str(done.exception) + done.output


def test_without_images_the_words_alone_are_asked(tmp_path: Path) -> None:
    made = run(tmp_path, script(tmp_path / "m.json", list(USUAL)), "--blind", *setting(types="mcq"))
    assert {tuple(one.get("frame_ids", ())) for one in made["results"].values()} == {()}
    assert made["figures"]["hallucination"] == 1.0
