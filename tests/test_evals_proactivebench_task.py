"""ProactiveBench as a suite: every environment, mode and way to act, on the sample set, with scripted models."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.data import DataError
from evals.engine.run import score_run
from evals.engine.suite import Message, Picture, Reply, Sample
from evals.suites import load_suite
from evals.suites.proactivebench.dialogue import replay
from evals.suites.proactivebench.environments import start
from evals.suites.proactivebench.prompts import JUDGE
from evals.suites.proactivebench.records import DATASETS
from evals.suites.proactivebench.scorer import kept_ids, play, statistics
from evals.suites.proactivebench.simulated_user import requested
from tools.ask_user import Intervention

SUITE = load_suite("proactivebench")
SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "proactivebench" / "sample"
STEMS = {acronym: stem for stem, acronym in DATASETS.items()}


def samples(datasets: str = "", data: Path = SAMPLE, **options: Any) -> dict[str, Sample]:
    chosen = {"datasets": datasets} if datasets else {}
    loaded = SUITE.load(data, SUITE.options(**chosen, **options))
    return {f"{sample.task} {sample.id}": sample for sample in loaded.samples}


def first_of(dataset: str, **options: Any) -> Sample:
    return next(iter(samples(dataset, **options).values()))


def talk(sample: Sample, replies: Sequence[str | Reply], seed: int = 0) -> tuple[Mapping[str, Any], list[Any]]:
    """Put a sample with these replies; what came of it, and the messages of each call."""
    asked: list[Any] = []

    async def respond(messages: Sequence[Message], *, max_tokens: int | None = None, tools: Any = ()) -> Reply:
        asked.append((list(messages), [tool.name for tool in tools]))
        said = replies[len(asked) - 1]
        return said if isinstance(said, Reply) else Reply(said)

    assert callable(SUITE.solve)
    return asyncio.run(SUITE.solve(sample, respond, random.Random(seed))), asked  # type: ignore[arg-type]


def script(path: Path, turns: Sequence[Any] = (), **by_id: Sequence[Any]) -> str:
    def written(held: Sequence[Any]) -> list[Any]:
        return [{"say": turn} if isinstance(turn, str) else turn for turn in held]

    held = {"turns": written(turns), "samples": {id_.removeprefix("s"): written(said) for id_, said in by_id.items()}}
    path.write_text(json.dumps(held), "utf-8")
    return f"scripted:{path}"


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    """`attend eval run` with JSON; what it printed, with the transcripts by sample."""
    arguments = ["eval", "run", "proactivebench", "--data", str(data), "--model", model, "--json"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / out), "--folder", str(tmp_path), *more])
    assert done.exit_code == 0, done.output + str(done.exception)
    lines = (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()
    results = [json.loads(line) for line in (tmp_path / out / "results.jsonl").read_text("utf-8").splitlines()[1:]]
    return {
        **json.loads(done.stdout),
        "transcripts": {(one["task"], one["id"]): one for one in map(json.loads, lines)},
        "results": {(one["task"], one["id"]): one for one in results},
    }


def setting(**options: Any) -> list[str]:
    return [part for name, value in options.items() for part in ("--set", f"{name}={value}")]


EPISODES = [
    # data set, sample, replies, right, turns
    ("ROD", "0", ["Cup."], False, 1),
    ("ROD", "0", ["A", "e"], True, 2),
    ("ROD", "0", ["A", "B", "A", "B", "A"], False, 5),
    ("VSOD", "6", ["B. Wait for the occlusion to disappear.", "F"], True, 2),
    ("VSOD", "9", ["D"], False, 1),
    ("MVP-N", "5", ["A", "Rotate the object.", "C"], True, 3),
    ("MVP-N", "5", ["A", "A", "A"], False, 3),
    ("IN-C", "*0", ["D", "D", "D", "D", "Yawl."], True, 5),
    ("IN-C", "*0", ["B"], False, 1),
    ("QD", "*0", ["B", "B.", "D"], True, 3),
    ("CIT", "*0", ["B", "B", "C", "F"], True, 4),
    ("COCO", "*0", ["A", "A", "A"], False, 3),
    ("COCO", "*2", ["A", "C", "D"], False, 3),
    ("COCO", "*2", ["A", "C", "E"], True, 3),
]


@pytest.mark.parametrize(("dataset", "id_", "replies", "right", "turns"), EPISODES)
def test_an_episode_is_played_and_scored_as_the_golden_path_does(
    tmp_path: Path, dataset: str, id_: str, replies: list[str], right: bool, turns: int
) -> None:
    held = list(samples(dataset).values())
    sample = held[int(id_[1:])] if id_[0] == "*" else next(one for one in held if one.id == id_)
    others = {f"s{one.id}": ["no"] for one in held}
    made = run(
        tmp_path, script(tmp_path / "m.json", **{**others, f"s{sample.id}": replies}), *setting(datasets=dataset)
    )
    result, transcript = made["results"][dataset, sample.id], made["transcripts"][dataset, sample.id]
    assert (result["value"], transcript["model_calls"], transcript["answers"]) == (float(right), turns, replies)
    environment = sample.fields["environment"]
    ended = play(STEMS[dataset], environment.record, lambda turn: replies[turn])
    assert statistics(environment, replay(sample, transcript["outcome"], "strict")) == statistics(environment, ended)
    states = [ended if one is sample else play(STEMS[dataset], one.fields["environment"].record, lambda turn: "no")
              for one in held]  # fmt: skip
    assert made["figures"][f"strict acc {dataset}"] == pytest.approx(100 * sum(s.correct for s in states) / len(held))
    assert made["figures"][f"strict psr {dataset}"] == pytest.approx(sum(len(s.turns) - 1 for s in states) / len(held))


@given(data=st.data())
@settings(max_examples=60)
def test_both_readings_are_those_of_the_scorer(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(list(samples().values())))
    environment = sample.fields["environment"]
    said = [
        *"abcdefgABCDEFG", "(A)", "**B**", "Answer: C", "", "I do not know",
        *environment.record.options, *environment.record.categories, environment.record.answer.rstrip("."),
    ]  # fmt: skip
    replies = data.draw(st.lists(st.sampled_from(said), min_size=30, max_size=30))
    outcome, asked = talk(sample, replies)
    shared = len(asked) == max(len(outcome["strict"]), len(outcome["robust"]))
    for reading in ("strict", "robust"):
        texts = [turn["text"] for turn in outcome[reading]]
        state = statistics(environment, replay(sample, outcome, reading))  # type: ignore[arg-type]
        played = play(environment.dataset, environment.record, texts.__getitem__)
        assert statistics(environment, played) == state
        if shared:
            ended = play(environment.dataset, environment.record, replies.__getitem__, lenient=reading == "robust")
            assert statistics(environment, ended) == state


def test_exact_and_robust_matching_stand_side_by_side(tmp_path: Path) -> None:
    spec = script(tmp_path / "m.json", s0=["(A)", "Answer: E"], s1=["Ball"])
    made = run(tmp_path, spec, *setting(datasets="ROD"))
    figures = made["figures"]
    assert (figures["strict acc"], figures["robust acc"]) == (0.0, 50.0)
    assert (figures["strict psr"], figures["robust psr"]) == (0.0, 0.5)
    assert figures["ended by a reply that exact matching cannot read"] == 1.0
    # Replies are shared: what the strict reading could not read was not asked for again.
    assert made["transcripts"]["ROD", "0"]["model_calls"] == 2
    assert [one["value"] for one in made["results"].values()] == [0.0, 0.0]
    assert {one["slices"]["ended"] for one in made["results"].values()} == {"not read"}
    again = run(tmp_path, spec, *setting(datasets="ROD", scoring="robust"), out="robust")
    assert sorted(one["value"] for one in again["results"].values()) == [0.0, 1.0]
    assert again["figures"] == figures


def test_readings_that_go_different_ways_are_asked_by_themselves() -> None:
    sample = first_of("ROD")
    # Without its full stop exact matching does not read the option, and takes the letter before it.
    outcome, asked = talk(sample, ["A. Move the red blocks to the right", "E", "D"])
    shown = [messages[0].parts[0].path.stem for messages, _ in asked]
    assert shown == ["s2", "s1", "s3"]
    assert replay(sample, outcome, "strict").correct
    assert not replay(sample, outcome, "robust").correct


def test_a_run_is_scored_again_without_the_model(tmp_path: Path) -> None:
    made = run(tmp_path, "baseline:random")
    again = score_run(tmp_path / "run")
    assert {(one.task, one.id): one.value for one in again.results.samples} == {
        key: one["value"] for key, one in made["results"].items()
    }
    assert again.results.manifest["figures"] == made["figures"]


@pytest.mark.parametrize("more", [{}, {"view": "reference"}, {"view": "random"}, {"hints": True}, {"act": "tool"},
                                  {"history": True}, {"turns": "single"}])  # fmt: skip
def test_the_oracle_is_right_in_every_mode_and_chance_is_not(tmp_path: Path, more: dict[str, Any]) -> None:
    oracle = run(tmp_path, "baseline:oracle", *setting(**more), out="oracle")
    assert [one["value"] for one in oracle["results"].values()] == [1.0] * 15
    chance = run(tmp_path, "baseline:random", *setting(**more), out="chance", data=SAMPLE / "test")
    assert 0 < sum(one["value"] for one in chance["results"].values()) < 15
    same = run(tmp_path, "baseline:random", *setting(**more), "--max-in-flight", "9", out="same")
    assert same["results"] == chance["results"]


def test_the_reference_shows_the_image_that_suffices_with_the_categories_only() -> None:
    for sample in samples(view="reference").values():
        outcome, [(messages, _)] = talk(sample, [sample.reference])
        picture, text = messages[-1].parts
        record = sample.fields["environment"].record
        assert replay(sample, outcome, "strict").correct
        assert [line[3:] for line in text.splitlines() if line[1:3] == ". "] == record.categories
        assert sample.pictures == (picture.path,)
        assert picture.crop_px is None


def test_the_random_view_leads_anywhere_and_is_repeatable() -> None:
    sample = first_of("ROD", view="random")
    ways = {tuple(turn.image for turn in replay(sample, talk(sample, ["A"] * 9, seed)[0], "strict").turns)
            for seed in range(20)}  # fmt: skip
    assert len(ways) > 5
    assert talk(sample, ["A"] * 9, 3)[0] == talk(sample, ["A"] * 9, 3)[0]


def test_images_are_shown_and_hints_told() -> None:
    for sample in samples(hints=True).values():
        _, [(messages, tools)] = talk(sample, ["no"])
        [message] = messages
        assert "Hint: " in message.parts[1]
        assert message.parts[0].path in sample.pictures
        assert (message.parts[0].crop_px is None) == (sample.task != "COCO")
        assert tools == []
    _, [(messages, _)] = talk(first_of("ROD"), ["no"])
    assert messages[0].parts[1] == (
        "What is behind the red blocks? Choose from the following options. Options:\n"
        "A. Move the red blocks to the left.\nB. Move the red blocks to the right.\nC. I cannot answer this question.\n"
        "D. Ball.\nE. Cup.\nF. Key.\nG. Book.\nPlease only return one of the options without any other words."
    )


def test_history_shows_all_earlier_turns() -> None:
    _, asked = talk(first_of("CIT", history=True), ["B", "B", "C", "F"])
    messages = asked[-1][0]
    assert [message.role for message in messages] == ["user", "assistant"] * 3 + ["user"]
    assert [message.parts[0] for message in messages[1::2]] == ["B", "B", "C"]
    frames = [message.parts[0].path.stem for message in messages[::2]]
    assert frames == ["0", "20", "40", "20"]
    assert {message.parts[0].short_edge_px for message in messages[::2]} == {224}
    _, asked = talk(first_of("COCO", history=True), ["A", "no"])
    assert {message.parts[0].short_edge_px for message in asked[-1][0][::2]} == {None}
    _, asked = talk(first_of("CIT"), ["B", "B", "C", "F"])
    assert [len(messages) for messages, _ in asked] == [1, 1, 1, 1]


def test_examples_are_of_other_samples_and_answered_well() -> None:
    for name, sample in samples("ROD,MVP-N", examples=1, hints=True).items():
        _, [(messages, _), *_] = talk(sample, ["no"])
        *worked, question = messages
        record = sample.fields["environment"].record
        [shown] = sample.fields["examples"]
        assert shown.id != record.id
        assert worked[-1].parts == (shown.answer,)
        assert {part.path for message in worked for part in message.parts if isinstance(part, Picture)} <= set(
            sample.pictures
        )
        edges = {message.parts[0].short_edge_px for message in worked[::2]}
        assert edges == {512 if name.startswith("ROD") else 112}
        said = [message.parts[0] for message in worked[1::2]]
        assert play(sample.fields["environment"].dataset, shown, lambda turn, said=said: said[turn]).correct  # type: ignore[misc]
        assert len(said) == (2 if name.startswith("ROD") else shown.num_images)
        assert question.parts[1].startswith(record.prompt)
    reduced = samples("MVP-N", examples=1, reduce_examples=True)
    for sample in reduced.values():
        _, [(messages, _), *_] = talk(sample, ["no"])
        assert len(messages) == 5
    with pytest.raises(DataError, match="2 samples are too few to show 3 others"):
        samples("ROD", examples=3)


def request(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"tool": "ask_user", "args": {"kind": kind, "request": text, **more}}


def test_the_agent_may_ask_by_the_tool_or_by_text_and_both_are_reported(tmp_path: Path) -> None:
    spec = script(
        tmp_path / "m.json",
        s0=[request("move_occluder", "Please move the blocks out of the way."), "A", "E"],
        s1=["B", "E"],
    )
    made = run(tmp_path, spec, *setting(datasets="ROD", act="either"))
    results = made["results"]
    assert [results["ROD", id_]["slices"]["asked by"] for id_ in "01"] == ["both", "text"]
    assert results["ROD", "0"]["value"] == 1.0
    assert made["figures"]["suggestions by ask_user"] == 0.5
    assert made["figures"]["suggestions by text"] == 1.0
    [use] = made["transcripts"]["ROD", "0"]["tools"]
    assert (use["name"], use["ok"]) == ("ask_user", True)


def test_with_the_tool_alone_only_the_categories_are_listed() -> None:
    sample = first_of("ROD", act="tool")
    asks = Reply("", [call("move_occluder", "move the blocks to the right")])
    outcome, asked = talk(sample, [asks, "B"])
    assert outcome["strict"] == [
        {"text": "Move the red blocks to the right.", "by": "ask_user"},
        {"text": "Cup.", "by": "text"},
    ]
    assert replay(sample, outcome, "strict").correct
    text = asked[0][0][-1].parts[1]
    assert asked[0][1] == ["ask_user"]
    assert "A. Ball.\n" in text
    assert "blocks to the" not in text
    # A letter that is not on the shorter list is none, though the environment's longer list has it.
    outcome, _ = talk(sample, [asks, "E"])
    assert not replay(sample, outcome, "strict").correct


def call(kind: Any, text: str, choices: Sequence[str] = ()) -> Any:
    from evals.engine.suite import Call

    return Call("ask_user", Intervention(kind=kind, request=text, choices=list(choices)))


@pytest.mark.parametrize(
    ("dataset", "kind", "text", "choices", "option"),
    [
        ("ROD", "move_occluder", "Take the blocks away", [], "Move the red blocks to the left."),
        ("ROD", "move_occluder", "Move them to the right, please", [], "Move the red blocks to the right."),
        ("ROD", "free_text", "move the red blocks to the left", [], "Move the red blocks to the left."),
        ("ROD", "better_light", "More light", [], None),
        ("ROD", "confirm", "Is it a cup?", [], None),
        ("VSOD", "repeat", "Show that again", [], "Rewind the video."),
        ("VSOD", "free_text", "Could you wait a moment?", [], "Wait for the occlusion to disappear."),
        ("MVP-N", "other_view", "Show the back", [], "Rotate the object."),
        ("MVP-N", "free_text", "Turn it around", [], "Rotate the object."),
        ("IN-C", "clearer_image", "A sharper image, please", [], "Deblur the image."),
        ("IN-C", "clearer_image", "A clearer image, please", [], None),
        ("IN-C", "choose", "Which?", ["Denoise the image."], "Denoise the image."),
        ("QD", "clearer_image", "I need to see more", [], "Please add more details."),
        ("CIT", "free_text", "Play on", [], "Wait for the object to appear."),
        ("CIT", "free_text", "Go back", [], None),
        ("COCO", "other_view", "Show me more", [], "Move the camera to the right."),
    ],
)
def test_a_request_comes_to_an_option(
    dataset: str, kind: Any, text: str, choices: list[str], option: str | None
) -> None:
    environment = first_of(dataset).fields["environment"]
    state = start(environment.dataset, environment.record)[1]
    assert requested(Intervention(kind=kind, request=text, choices=choices), environment, state) == option


def test_a_request_that_comes_to_nothing_ends_the_episode(tmp_path: Path) -> None:
    spec = script(tmp_path / "m.json", [request("confirm", "Apple.")])
    made = run(tmp_path, spec, *setting(datasets="CIT", act="either"))
    assert {one["slices"]["ended"] for one in made["results"].values()} == {"not read"}
    assert {one["value"] for one in made["results"].values()} == {0.0}


def test_a_single_turn_counts_categories_and_suggestions(tmp_path: Path) -> None:
    held = samples("CIT,QD")
    replies = {f"s{sample.id}": ["I cannot answer this question."] for sample in held.values()}
    first, second = [sample for sample in held.values() if sample.task == "CIT"]
    replies |= {f"s{first.id}": ["Apple."], f"s{second.id}": ["Wait for the action to start."]}
    made = run(tmp_path, script(tmp_path / "m.json", **replies), *setting(datasets="CIT", turns="single"))
    assert {name: made["figures"][f"strict {name} CIT"] for name in ("cc", "ps", "agg")} == {
        "cc": 50.0,
        "ps": 50.0,
        "agg": 100.0,
    }
    assert {one["model_calls"] for one in made["transcripts"].values()} == {1}
    assert {one["value"] for one in made["results"].values()} == {1.0}


def judged(tmp_path: Path, verdicts: Sequence[Any], *more: str, out: str = "run") -> dict[str, Any]:
    """A run of both samples of MVP-N (two expected statements, both suggestions) with these verdicts, in order."""
    spec = script(tmp_path / "m.json", s5=["Turn the object around, please."], s8=["Tea black."])
    said = [verdict if isinstance(verdict, str) else json.dumps({"marks": verdict}) for verdict in verdicts]
    judge = script(tmp_path / f"judge-{out}.json", said)
    options = setting(mode="open", datasets="MVP-N", judge=judge, judge_folder=tmp_path / f"verdicts-{out}")
    return run(tmp_path, spec, *options, *more, "--max-in-flight", "1", out=out)


def test_free_answers_are_judged_in_both_orders(tmp_path: Path) -> None:
    # Of the second answer, the mark goes with the place and not with what stands there.
    made = judged(tmp_path, [[1, 0], [0, 1], [1, 0], [1, 0]])
    assert [one["outcome"]["given"] for one in made["transcripts"].values()] == [[1, 0], [1, 0]]
    assert [one["outcome"]["swapped"] for one in made["transcripts"].values()] == [[1, 0], [0, 1]]
    figures = made["figures"]
    assert (figures["strict ps"], figures["strict cc"], figures["strict agg"]) == (100.0, 0.0, 100.0)
    assert figures["robust ps"] == 50.0
    assert figures["judge: asked"] == 4
    assert figures["judge: changed by the order"] == 0.5
    assert made["manifest"]["prompts"]["judge"] == hashlib.sha256(JUDGE.text.encode()).hexdigest()
    assert made["transcripts"]["MVP-N", "5"]["outcome"]["expected"] == "Rotate the object, Move the camera."


@pytest.mark.parametrize("reply", ["0,1", '{"marks": [1]}', '{"marks": [1, 0, 1]}', '{"marks": [2, 0]}'])
def test_a_verdict_that_cannot_be_read_is_counted_and_in_no_mean(tmp_path: Path, reply: str) -> None:
    made = judged(tmp_path, [reply, reply, [1, 1], [1, 1]])
    values = [(one.get("value"), one.get("failure", "")) for one in made["results"].values()]
    assert sorted(values, key=str) == [(1.0, ""), (None, "judge")]
    assert made["figures"]["judge: unreadable"] == 1
    assert made["figures"]["strict agg"] == 100.0


def test_verdicts_are_kept_and_an_outage_is_no_verdict(tmp_path: Path) -> None:
    first = judged(tmp_path, [[1, 0], [0, 1], [1, 1], [1, 1]])
    shutil.copytree(tmp_path / "verdicts-run", tmp_path / "verdicts-again")
    # The same judge has no turn left, so that a verdict of its own would fail.
    judge = f"scripted:{tmp_path / 'judge-run.json'}"
    options = setting(mode="open", datasets="MVP-N", judge=judge, judge_folder=tmp_path / "verdicts-again")
    model = f"scripted:{tmp_path / 'm.json'}"
    again = run(tmp_path, model, *options, "--max-in-flight", "1", out="again")
    assert again["results"].keys() == first["results"].keys()
    assert [one["outcome"]["judge"]["cached"] for one in again["transcripts"].values()] == [2, 2]
    assert again["figures"]["strict agg"] == first["figures"]["strict agg"]
    lost = judged(tmp_path, [[1, 0], [0, 1]], out="lost")
    assert sorted(one.get("failure", "") for one in lost["results"].values()) == ["", "judge"]
    assert lost["figures"]["judge: asked"] == 2


def test_no_answer_is_not_judged(tmp_path: Path) -> None:
    sample = first_of("MVP-N", mode="open", judge=script(tmp_path / "none.json", ["unused"]))
    outcome, _ = talk(sample, [" "])
    assert (outcome["given"], outcome["judge"]["asked"]) == ([0, 0], 0)


def test_free_questions_are_drawn_as_the_authors_draw_them(tmp_path: Path) -> None:
    row = json.loads((SAMPLE / "test" / "MVP-N_preprocessed.jsonl").read_text("utf-8").splitlines()[0])
    ids = sorted(kept_ids("MVP-N"))[:150]
    left_out = next(number for number in range(500) if number not in kept_ids("MVP-N"))
    rows = [{**row, "id": id_} for id_ in [left_out, *ids]]
    (tmp_path / "MVP-N_preprocessed.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    random.seed(0)
    drawn = list(ids)
    random.shuffle(drawn)
    judge = {"mode": "open", "judge": "scripted:none.json"}
    assert [one.id for one in samples("MVP-N", tmp_path, **judge).values()] == [str(id_) for id_ in drawn[:100]]
    assert len(samples("MVP-N", tmp_path)) == 150
    assert len(samples("MVP-N", tmp_path, filtered=False)) == 151
    assert len(samples("MVP-N", tmp_path, per_dataset=7)) == 7


def test_samples_of_one_object_video_or_photograph_are_one_cluster() -> None:
    clusters = {dataset: {one.cluster for one in samples(dataset).values()} for dataset in STEMS}
    assert {dataset: len(held) for dataset, held in clusters.items()} == {
        "ROD": 2, "VSOD": 1, "MVP-N": 2, "IN-C": 1, "QD": 2, "CIT": 1, "COCO": 1,
    }  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "data")
    return tmp_path / "data"


def change(data: Path, dataset: str, line: int, **fields: Any) -> None:
    file = data / "test" / f"{STEMS[dataset]}_preprocessed.jsonl"
    rows = [json.loads(row) for row in file.read_text("utf-8").splitlines()]
    rows[line - 1] = {name: value for name, value in {**rows[line - 1], **fields}.items() if value != "gone"}
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.mark.parametrize(
    ("dataset", "fields", "field", "problem"),
    [
        ("ROD", {"answer": "Pen."}, "answer", "not one of its categories"),
        ("ROD", {"options": "gone"}, "options", "Field required"),
        ("ROD", {"num_images": "five"}, "num_images", "valid integer"),
        ("ROD", {"image_template": "{frame}.png"}, "image_template", "invalid template"),
        ("ROD", {"image_template": "../{image}.png"}, "image_template", "outside the data folder"),
        ("ROD", {"options": ["Hide it.", "I cannot tell."]}, "options", "names 0 actions"),
        ("ROD", {"options": ["I cannot tell."]}, "options", "none of them is a request"),
        ("ROD", {"num_images": 10**9}, "num_images", "takes 1000000000 answers"),
        ("QD", {"first_image": 9}, "first_image", "no image 9"),
        ("COCO", {"direction": "inwards"}, "direction", "unknown direction"),
        ("MVP-N", {"valid_images": [1]}, "valid_images", "1 views for 3 images"),
        ("MVP-N", {"valid_images": "gone"}, "valid_images", "lacks valid_images"),
        ("IN-C", {"quality_answer": "Repair it."}, "quality_answer", "not one of its options"),
        ("CIT", {"max_steps": 0}, "max_steps", "takes 0 answers"),
        ("CIT", {"options": ["Wait for the object."]}, "options", "no option 'Rewind the video.'"),
        ("COCO", {"crop": {"top": 0}}, "crop.left", "Field required"),
    ],
)
def test_a_broken_record_is_told_of_with_its_place(
    tmp_path: Path, data: Path, dataset: str, fields: dict[str, Any], field: str, problem: str
) -> None:
    change(data, dataset, 1, **fields)
    arguments = ["eval", "run", "proactivebench", "--data", str(data), "--model", "baseline:oracle"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "none"), *setting(datasets=dataset)])
    assert done.exit_code != 0
    told = str(done.exception) + done.output
    assert f"{STEMS[dataset]}_preprocessed.jsonl', line 1, field '{field}'" in told
    assert problem in told
    assert "--skip-bad" in told
    made = run(tmp_path, "baseline:oracle", "--skip-bad", *setting(datasets=dataset), data=data)
    assert problem in made["manifest"]["bad"][0]
    assert [one.get("failure") for one in made["results"].values()].count("data") == 1


def test_a_missing_image_stops_the_run_or_is_listed(tmp_path: Path, data: Path) -> None:
    (data / "test" / "QuickDraw" / "fish" / "1" / "0001.png").unlink()
    arguments = ["eval", "run", "proactivebench", "--data", str(data), "--model", "baseline:oracle"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "none")])
    assert "QuickDraw_preprocessed.jsonl', line 2, field 'image'" in str(done.exception) + done.output
    made = run(tmp_path, "baseline:oracle", "--skip-bad", data=data)
    [bad] = made["manifest"]["bad"]
    assert "0001.png" in bad
    assert made["figures"]["strict acc"] == 100.0


def test_a_missing_file_names_the_remedy(data: Path) -> None:
    (data / "test" / "ChangeIt_preprocessed.jsonl").unlink()
    with pytest.raises(
        DataError, match=r"ChangeIt_preprocessed\.jsonl': the file of CIT is missing\..*--set datasets="
    ):
        samples(data=data)
    assert len(samples("QD", data)) == 2
    with pytest.raises(DataError, match="needs a data folder"):
        SUITE.load(None, SUITE.options())


def test_a_damaged_image_fails_its_sample_alone(tmp_path: Path, data: Path) -> None:
    (data / "test" / "QuickDraw" / "fish" / "1" / "0000.png").write_bytes(b"no picture")
    made = run(tmp_path, script(tmp_path / "m.json", ["no"]), *setting(datasets="QD"), data=data)
    assert sorted(one.get("failure", "") for one in made["results"].values()) == ["", "data"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"mode": "open"}, "needs a judge"),
        ({"mode": "open", "judge": "embedded", "history": True}, "asks once about the first image"),
        ({"mode": "open", "judge": "embedded", "scoring": "robust", "judge_swap": False}, "judge_swap"),
        ({"turns": "single", "history": True}, "no history"),
        ({"examples": 1}, "--set datasets=ROD,MVP-N"),
        ({"examples": 1, "datasets": "ROD", "act": "tool"}, "from the whole list"),
        ({"view": "reference", "act": "tool"}, "needs no help"),
        ({"datasets": "ROD,ROAD"}, "unknown data set 'ROAD'"),
        ({"datasets": ""}, "unknown data set ''"),
        ({"judge": "openai:m@http://me:secret@host/v1"}, "contains a password"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: dict[str, Any], problem: str) -> None:
    arguments = ["eval", "run", "proactivebench", "--data", str(SAMPLE), "--model", "baseline:oracle"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run"), *setting(**options)])
    assert done.exit_code != 0
    assert problem in str(done.exception) + done.output


def test_without_images_the_words_alone_are_asked(tmp_path: Path) -> None:
    made = run(tmp_path, script(tmp_path / "m.json", ["Apple.", "no"]), "--blind", *setting(datasets="CIT"))
    assert {tuple(one.get("frame_ids", ())) for one in made["results"].values()} == {()}
