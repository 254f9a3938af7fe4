"""MedSPOT as a suite: the strict sequence, every rule, the loader's oddities and broken data, on the sample set."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.data import DataError
from evals.engine.solver import play
from evals.engine.suite import Call, Judged, Loaded, Message, Picture, Reply, Sample, Transcript
from evals.suites import load_suite
from evals.suites.medspot.annotation import read_tasks
from evals.suites.medspot.canonical import run_canonical, summarise
from evals.suites.medspot.dialogue import ClickAt, Nothing, in_pixels, read_click, said
from evals.suites.medspot.heatmap import page
from evals.suites.medspot.parsing import GUI_ACTOR, SEECLICK, click_text
from evals.suites.medspot.rules import NAMES, Rules, progress
from evals.suites.medspot.scorer import SCRIPTS, Step, Target, run_task

SUITE = load_suite("medspot")
SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "medspot" / "sample"
SIZE = (640, 400)
OPEN, LEFT_HAND, RULER, SAVE, PRINT, CONFIRM = (65, 62), (320, 166), (165, 62), (265, 62), (365, 62), (550, 347)
BIRCH, BACK, CLOSE, DELETE = (320, 166), (70, 62), (624, 14), (180, 62)
FAR = (450, 250)
"""Pixels of the sample's screens, from the script of its drawings; nothing of it is at `FAR`."""

ALL = {
    "Lantern/00": [OPEN, LEFT_HAND],
    "Lantern/01": [RULER],
    "Lantern/02": [PRINT, CONFIRM],
    "Shelf/00": [BIRCH, BACK, CLOSE],
    "Shelf/01": [DELETE],
}
"""What completes each task by our rules."""


def load(data: Path = SAMPLE, **options: Any) -> Loaded:
    return SUITE.load(data, SUITE.options(**options))


def samples(**options: Any) -> dict[str, Sample]:
    return {sample.id: sample for sample in load(**options).samples}


def click(point: tuple[float, float] | None) -> str:
    return "give_up()" if point is None else f"click({point[0]}, {point[1]})"


def talk(sample: Sample, replies: Sequence[str | Reply], *, blind: bool = False) -> tuple[Transcript, list[Any]]:
    """Put a sample with these replies; the transcript, and the parts and tools of each call."""
    asked: list[Any] = []

    async def respond(messages: Sequence[Message], *, max_tokens: int | None = None, tools: Any = ()) -> Reply:
        asked.append((list(messages[-1].parts), [tool.name for tool in tools]))
        reply = replies[len(asked) - 1]
        return reply if isinstance(reply, Reply) else Reply(reply)

    put: Any = SUITE.blind if blind else SUITE.solve
    outcome = asyncio.run(put(sample, respond, random.Random(0)))
    return Transcript(task="medspot", id=sample.id, outcome=json.loads(json.dumps(outcome))), asked


def rated(sample: Sample, replies: Sequence[str | Reply]) -> tuple[float | None, str, int]:
    """The value or none, how it ended or failed, and the number of calls."""
    transcript, asked = talk(sample, replies)
    scored = SUITE.score(sample, transcript)
    assert SUITE.figures is not None
    told = {} if scored.failure else ends(SUITE.figures([(sample, transcript, scored)]))
    return scored.value, scored.failure or next(iter(told)), len(asked)


def ends(figures: Mapping[str, float]) -> dict[str, float]:
    """How tasks ended, counted."""
    return {name.removeprefix("ended: "): value for name, value in figures.items() if name.startswith("ended: ")}


def run(tmp_path: Path, model: str, *more: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    """`attend eval run` with JSON; what it printed, with transcripts and results by sample."""
    arguments = ["eval", "run", "medspot", "--data", str(data), "--model", model, "--json", *more]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / out), "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output + str(done.exception)
    lines = (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()
    results = [json.loads(line) for line in (tmp_path / out / "results.jsonl").read_text("utf-8").splitlines()[1:]]
    return {
        **json.loads(done.stdout),
        "transcripts": {one["id"]: one for one in map(json.loads, lines)},
        "results": {one["id"]: one for one in results},
    }


def refused(data: Path | None, *more: str) -> str:
    """What `attend eval run` says where it does not begin, on one line."""
    named = ["--data", str(data)] if data else []
    done = CliRunner().invoke(app, ["eval", "run", "medspot", *named, "--model", "baseline:oracle", *more])
    assert done.exit_code != 0
    return " ".join((done.output + str(done.exception)).split())


def played(baseline: str, **options: Any) -> tuple[dict[str, float | None], dict[str, str], Mapping[str, float]]:
    """A baseline on the sample set: values and failures by sample, and the figures."""
    judged: list[Judged] = []
    for sample in load(**options).samples:
        player = SUITE.baselines[baseline](sample, random.Random(sample.id))
        assert callable(player)
        transcript = asyncio.run(play(SUITE, sample, 1, player, seed=0))
        judged.append((sample, transcript, SUITE.score(sample, transcript)))
    assert SUITE.figures is not None
    values = {sample.id: scored.value for sample, _, scored in judged}
    return values, {sample.id: scored.failure for sample, _, scored in judged}, SUITE.figures(judged)


def script(path: Path, by_id: dict[str, Sequence[str]]) -> str:
    held = {"turns": [], "samples": {id_: [{"say": text} for text in said] for id_, said in by_id.items()}}
    path.write_text(json.dumps(held), "utf-8")
    return f"scripted:{path}"


def test_a_task_is_asked_step_by_step_until_the_first_miss(tmp_path: Path) -> None:
    clicks: dict[str, list[Any]] = ALL | {
        "Lantern/00": [OPEN, FAR],
        "Shelf/00": [(320, 192), BACK, CLOSE],
        "Shelf/01": [None],
    }
    model = script(tmp_path / "m.json", {id_: [click(point) for point in held] for id_, held in clicks.items()})
    made = run(tmp_path, model)
    assert {id_: (one["value"], one["model_calls"]) for id_, one in made["results"].items()} == {
        "Lantern/00": (0.0, 2),
        "Lantern/01": (1.0, 1),
        "Lantern/02": (1.0, 2),
        "Shelf/00": (0.0, 1),
        "Shelf/01": (0.0, 1),
    }
    # Seven steps were reached and four hit, of nine with a click; the first step of one task is none.
    figures = made["figures"]
    assert (figures["tasks"], figures["tca"], figures["s1a"]) == (5, 0.4, 0.5)
    assert (figures["shr_reached"], figures["shr_annotated"]) == (pytest.approx(4 / 7), pytest.approx(4 / 9))
    assert figures["wps"] == pytest.approx((1 + 0.8 + (1 + 0.8)) / 5)
    assert figures["wps_normalised"] == pytest.approx((1 / 1.8 + 1 + 1) / 5)
    assert ends(figures) == {"complete": 2, "far_miss": 1, "near_miss": 1, "no_prediction": 1}
    assert figures["missed, but within 7 px"] == 1
    # How a task ended is its outcome: a mean over those that ended alike would only say so again.
    assert set(made["slices"]) == {"software", "smallest target", "steps"}
    overall = made["overall"]["as_wrong"]["mean"]
    assert (overall["value"], overall["n"]) == (0.4, 5)


def test_the_figures_are_those_of_the_golden_scorer(tmp_path: Path) -> None:
    rng = random.Random(3)
    clicks = {id_: [rng.choice([point, FAR]) for point in held] for id_, held in ALL.items()}
    model = script(tmp_path / "m.json", {id_: [click(point) for point in held] for id_, held in clicks.items()})
    made = run(tmp_path, model)
    tasks = {f"{task.software}/{task.index:02}": task.steps for task in read_tasks(SAMPLE)}
    outcomes = {id_: run_canonical(tasks[id_], SIZE, held) for id_, held in clicks.items()}
    for name, value in summarise(list(outcomes.values())).items():
        assert made["figures"][name] == pytest.approx(value), name
    assert {id_: one["value"] for id_, one in made["results"].items()} == {
        id_: float(one.hits == one.scored) for id_, one in outcomes.items()
    }


@given(data=st.data())
@settings(max_examples=120)
def test_the_sequence_under_any_rules_is_the_scripts_own(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    rules = Rules.named(name)
    kinds, box = st.sampled_from(["click", "double_click", "drag", "type"]), (40.0, 40.0, 10.0, 10.0)
    steps = [Step((Target(kind, box),), "go", SIZE) for kind in data.draw(st.lists(kinds, max_size=4))]
    places = st.one_of(st.none(), st.sampled_from([(288.0, 180.0), (330.0, 180.0), (600.0, 390.0), (5.0, 9.0)]))
    points = data.draw(st.lists(places, min_size=12, max_size=12))
    outputs: list[Any] = []
    while (now := progress(rules, steps, outputs)).wanted is not None:
        assert rules.targets(steps[now.wanted])
        outputs.append(rules.output(points[len(outputs)], SIZE))
    assert not now.failure
    if not rules.script:
        assert now.outcome == run_canonical(steps, SIZE, points[: len(outputs)])
    else:
        spare = [*outputs, *(rules.output(point, SIZE) for point in points)]
        assert now.result == run_task(rules.script, steps, SIZE, spare)
    judged = [clicked.failure for clicked in now.clicks]
    assert all(judged[-1:]) or not any(judged)
    assert not any(judged[:-1])


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_player_completes_what_each_rule_lets_it(name: str) -> None:
    values, failures, figures = played("oracle", rules=name)
    script_name = Rules.named(name).script
    completed = {id_ for id_, value in values.items() if value == 1.0}
    if not script_name:
        assert (completed, figures["tca"]) == (set(ALL), 1.0)
        return
    tasks = {f"{task.software}/{task.index:02}" for task in read_tasks(SAMPLE)}
    assert set(values) == tasks
    # Hovering and dragging, typing, a double click, and steps without an action.
    blocked = {"Lantern/01", "Lantern/03", "Shelf/00", "Shelf/01"}
    stopped = {"Lantern/02"} if "qwen2_5vl" in script_name else set()
    expected = {"G": tasks - {"Lantern/03"}, "N": tasks}.get(SCRIPTS[script_name], tasks - blocked - stopped)
    assert completed == expected
    # One script stops at an instruction that is an object.
    assert {id_ for id_, failure in failures.items() if failure == "data"} == stopped
    assert figures.get("tasks at which the script stops", 0) == len(stopped)
    assert figures["task_completion_accuracy"] == len(expected) / (len(tasks) - len(stopped))


def test_rules_differ_where_the_scripts_do() -> None:
    # 4 px below the Ruler button, whose first step is to hover.
    below = (165, 84)
    strict, window, seeclick = (samples(rules=rules)["Lantern/01"] for rules in ("canonical", "G", "S"))
    assert rated(strict, [click(below)]) == (0.0, "near_miss", 1)
    assert rated(window, [click(below)]) == (1.0, "complete", 1)
    assert rated(seeclick, []) == (0.0, "a step that is no click", 0)
    # Only the first box counts for the authors, either for us.
    assert rated(samples()["Lantern/02"], [click(PRINT), click(CONFIRM)])[0] == 1.0
    assert rated(samples(rules="P")["Lantern/02"], [click(PRINT)])[0] == 0.0


def test_a_scripts_name_reads_as_that_script_does_and_its_family_as_we_do() -> None:
    def ends(rules: str, *replies: str) -> tuple[float | None, str, int]:
        return rated(samples(rules=rules)["Lantern/00"], replies)

    in_thousandths = [f"({x / 0.64}, {y / 0.4})" for x, y in (OPEN, LEFT_HAND)]
    assert ends("qwen3vl0", *in_thousandths) == (1.0, "complete", 2)
    assert ends("P", *in_thousandths)[0] == 0.0
    assert ends("P", click(OPEN), click(LEFT_HAND))[0] == 1.0
    assert ends("cogagent", click(OPEN)) == (0.0, "no_prediction", 1)
    assert ends("gpt5", "(1.2.3,4)") == (None, "parse", 1)
    # UI-TARS is asked up to three times, by either reading.
    for rules in ("T", "tars"):
        assert ends(rules, "?", "hm", click(OPEN), click(LEFT_HAND)) == (1.0, "complete", 4)
        assert ends(rules, "?", "hm", "no") == (0.0, "no_prediction", 3)


def test_every_step_may_be_a_sample_of_its_own(tmp_path: Path) -> None:
    found = samples(unit="step")
    assert list(found) == [
        *("Lantern/00/1", "Lantern/00/2", "Lantern/01/2", "Lantern/02/1", "Lantern/02/2"),
        *("Shelf/00/1", "Shelf/00/2", "Shelf/00/3", "Shelf/01/1"),
    ]
    assert found["Shelf/00/3"].slices == {"software": "Shelf", "target": "medium"}
    replies = {id_: [click(FAR)] for id_ in found} | {"Shelf/00/2": [click(BACK)], "Shelf/00/3": [click(CLOSE)]}
    made = run(tmp_path, script(tmp_path / "m.json", replies), "--set", "unit=step")
    assert (made["figures"]["steps"], made["figures"]["step_hit_rate"]) == (9, pytest.approx(2 / 9))
    assert made["overall"]["as_wrong"]["mean"]["value"] == pytest.approx(2 / 9)
    assert made["figures"]["medium targets hit"] == 1.0
    assert made["figures"]["large targets hit"] == pytest.approx(1 / 8)


def test_baselines_without_a_model(tmp_path: Path) -> None:
    random_run = run(tmp_path, "baseline:random", "--set", "unit=step", "--attempts", "3", out="random")
    again = run(tmp_path, "baseline:random", "--set", "unit=step", "--attempts", "3", out="again")
    assert random_run["figures"] == again["figures"]
    places = {tuple(one["outcome"]["outputs"][0]) for one in random_run["transcripts"].values()}
    assert len(places) > 3
    assert all(0 <= x <= 640 and 0 <= y <= 400 for x, y in places)
    centre = run(tmp_path, "baseline:centre", out="centre")
    assert [one["outcome"]["outputs"] for one in centre["transcripts"].values()] == [[[320.0, 200.0]]] * 5
    for options in ({"act": "tool"}, {"coordinates": "thousandths"}, {"act": "tool", "coordinates": "thousandths"}):
        assert played("oracle", **options)[0] == dict.fromkeys(ALL, 1.0)


def test_our_own_grounding_is_measured_by_pixels_alone(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr")
    made = run(tmp_path, "baseline:grounding")
    value = {id_: one["value"] for id_, one in made["results"].items()}
    assert value["Lantern/00"] == value["Lantern/01"] == value["Shelf/01"] == 1.0
    assert value["Lantern/02"] == 1.0, "of two buttons that one instruction offers, either will do"
    # What is not on the screenshot cannot be found, whatever its annotation says.
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    shutil.copy(SAMPLE / "Images/Lantern/L(1).png", data / "Images/Shelf/S_2.png")
    hidden = run(tmp_path, "baseline:grounding", "--set", "software=Shelf", data=data, out="hidden")
    assert hidden["results"]["Shelf/01"]["value"] == 0.0


@pytest.mark.parametrize("model", ["baseline:grounding", "scripted"])
def test_a_torn_screenshot_fails_its_task_only(model: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    torn = data / "Images" / "Shelf" / "S_2.png"
    torn.write_bytes(torn.read_bytes()[:300])
    if model == "scripted":
        model = script(tmp_path / "m.json", {id_: [click(point) for point in held] for id_, held in ALL.items()})
    made = run(tmp_path, model, "--set", "software=Shelf", data=data)
    assert made["results"]["Shelf/01"]["failure"] == "data"
    assert "S_2.png" in made["transcripts"]["Shelf/01"]["problem"]


def test_the_model_sees_the_screenshot_the_instruction_and_no_path() -> None:
    sample = samples()["Lantern/02"]
    _, asked = talk(sample, [click(SAVE), click(CONFIRM)])
    (first, tools), (second, _) = asked
    assert first[0] == Picture(SAMPLE / "Images/Lantern/L 3. opened.png")
    assert "640 pixels wide and 400 pixels high" in first[1]
    assert first[-1] == "Click the Save button; or click the Print button"
    assert (second[-1], tools, len(first)) == ("Click on Confirm", [], 3)
    assert "Keep or print" not in first[1]
    assert "Save" not in second[1]
    told = samples(overview=True, history=True)["Lantern/01"]
    assert talk(told, [click(RULER)])[1][0][0][1].count("Measure a length") == 1
    assert "1. Hover over the image" in talk(told, [click(RULER)])[1][0][0][1]
    blind = talk(sample, [click(SAVE), click(CONFIRM)], blind=True)[1]
    assert all(isinstance(part, str) for parts, _ in blind for part in parts)


def test_a_model_may_click_by_a_tool() -> None:
    sample = samples(act="tool")["Shelf/00"]
    good = [Reply("", [Call("click", ClickAt(x=x, y=y))]) for x, y in ALL["Shelf/00"]]
    transcript, asked = talk(sample, good)
    assert SUITE.score(sample, transcript).value == 1.0
    assert asked[0][1] == ["click", "give_up"]
    assert rated(sample, [Reply("", [Call("give_up", Nothing())])]) == (0.0, "no_prediction", 1)
    assert rated(sample, [click(BIRCH)]) == (0.0, "no_prediction", 1)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("click(10, 20)", (10, 20)),
        ("Click (x=10,y=20.5).", (10, 20.5)),
        ("<think>click(1, 1)</think> I click(10, 20)", (10, 20)),
        ("First click(1, 2)? No: click(10, 20)", (10, 20)),
        ("[10, 20, 30, 40]", (20, 30)),
        ("It is at (10, 20).", (10, 20)),
        ('{"x": 10, "y": 20}', (10, 20)),
        ("x=10, y=20", (10, 20)),
        ("click(-5, 20)", (-5, 20)),
        ("give_up()", None),
        ("", None),
        ("somewhere near 10", None),
        (f"click({'9' * 400}, 1)", None),
    ],
)
def test_replies_are_read(text: str, point: tuple[float, float] | None) -> None:
    assert read_click(text, SIZE) == point


@given(st.floats(0, 640), st.floats(0, 400), st.sampled_from(["pixels", "thousandths"]))
def test_what_is_said_is_read_back(x: float, y: float, coordinates: str) -> None:
    spoken = said((x, y), SIZE, coordinates)
    assert spoken is not None
    read = read_click(f"click({spoken[0]:.6f}, {spoken[1]:.6f})", SIZE, coordinates)
    assert read == pytest.approx((x, y), abs=1e-5)
    assert in_pixels(spoken, SIZE, coordinates) == pytest.approx((x, y))


@given(st.sampled_from([name for name in NAMES if Rules.named(name).script]), st.floats(2, 638), st.floats(2, 398))
def test_each_script_reads_what_is_said_for_it(name: str, x: float, y: float) -> None:
    rules = Rules.named(name)
    box = (100 * (x - 1) / 640, 100 * (y - 1) / 400, 200 / 640, 200 / 400)
    output = click_text(rules.script, (x, y), SIZE) if rules.reads else rules.output((x, y), SIZE)
    [clicked] = progress(rules, [Step((Target("click", box),), "go", SIZE)], [output]).clicks
    assert not clicked.failure
    assert clicked.point == pytest.approx((x / 640, y / 400), abs=1e-6)
    assert rules.script in (GUI_ACTOR, SEECLICK) or isinstance(output, str)


def test_slices_clusters_and_what_is_left_out() -> None:
    loaded = load()
    assert loaded.notices == ("skipped tasks without a click: Lantern/03.",)
    assert load(rules="N").notices == ()
    by_id = {sample.id: sample for sample in loaded.samples}
    assert by_id["Shelf/00"].slices == {"software": "Shelf", "smallest target": "medium", "steps": "3"}
    # One screenshot is in two tasks of each program.
    assert {sample.cluster for sample in loaded.samples if sample.id.startswith("Shelf")} == {"Shelf/00"}
    assert by_id["Lantern/01"].cluster == by_id["Lantern/02"].cluster == "Lantern/01"
    assert by_id["Lantern/00"].cluster == "Lantern/00"
    assert set(samples(software="Shelf")) == {"Shelf/00", "Shelf/01"}


def write(folder: Path, *tasks: Any, name: str = "Odd", indent: int | None = 1) -> Path:
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLE / "Images" / "Shelf" / "S_1.png", folder / "Images" / "s.png")
    (folder / f"{name}_Annotation.json").write_text(json.dumps({"tasks": list(tasks)}, indent=indent), "utf-8")
    return folder


def task(*boxes: Any, image: str = "Images/s.png", instruction: Any = "Click it", **more: Any) -> dict[str, Any]:
    steps = [
        {"step_id": 1, "image_path": image, "instruction": instruction, "actions": [{"type": "click", "bbox": box}]}
        for box in boxes
    ]
    return {"task_overview": "t", "steps": steps, **more}


BOX = [10, 10, 5, 5]


def test_annotations_may_be_odd(tmp_path: Path) -> None:
    odd = task(BOX)
    odd["steps"].append({"step_id": 7, "image_path": "gone.png", "instruction": "", "actions": []})
    odd["steps"].append({"image_path": "gone.png", "actions": [{"type": "shake", "bbox": None}], "new": 1})
    (tmp_path / "hub" / "Odd").mkdir(parents=True)
    shutil.copy(SAMPLE / "Images" / "Shelf" / "S_2.png", tmp_path / "hub" / "Odd" / "[1] a.b.png")
    loaded = load(write(tmp_path, odd, task(BOX, image=" Images\\Odd\\[1] a.b.png "), {"steps": []}))
    assert ([sample.id for sample in loaded.samples], loaded.bad) == (["Odd/00", "Odd/01"], ())
    assert loaded.notices == ("skipped tasks without a click: Odd/02.",)


@pytest.mark.parametrize(
    ("broken", "field", "says"),
    [
        (task([1, 2, 3]), "tasks.1.steps.0.actions.0.bbox", "at least 4 items"),
        (task([1, 2, 0, 4]), "tasks.1.steps.0.actions.0", "has no size"),
        (task([1, 2, float("nan"), 4]), "tasks.1.steps.0.actions.0.bbox.2", "finite"),
        (task(["1", 2, 3, 4]), "tasks.1.steps.0.actions.0.bbox.0", "valid number"),
        ({"task_overview": "t"}, "tasks.1.steps", "required"),
        (task(BOX, instruction=" "), "tasks.1.steps.0.instruction", "it is empty"),
        (task(BOX, instruction={"text": [1]}), "tasks.1.steps.0.instruction", "it is empty"),
        (task(BOX, image="Images/gone.png"), "tasks.1.steps.0.image_path", "'Images/gone.png' is missing"),
        (task(BOX, image="../s.png"), "tasks.1.steps.0.image_path", "'../s.png' is missing"),
        (task(BOX, image="Images/torn.png"), "tasks.1.steps.0.image_path", "is not a picture"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 1])
def test_a_broken_task_is_named_and_can_be_passed_over(
    broken: Any, field: str, says: str, indent: int | None, tmp_path: Path
) -> None:
    data = write(tmp_path / "data", task(BOX), broken, broken, task(BOX), indent=indent)
    (data / "Images" / "torn.png").write_bytes(b"\x89PNG torn")
    line = 1 if indent is None else 3 + len(json.dumps(task(BOX), indent=1).splitlines())
    told = refused(data)
    for part in ("Odd_Annotation.json'", f"line {line}", f"field '{field}", says, "1 other record is broken too"):
        assert part in told, told
    loaded = load(data)
    assert ([sample.id for sample in loaded.samples], len(loaded.bad)) == (["Odd/00", "Odd/03"], 2)


def test_what_is_passed_over_counts_as_failed(tmp_path: Path) -> None:
    data = write(tmp_path / "data", task(BOX), task([1, 2]), task([1, 2, 0, 4]), task(BOX), indent=None)
    made = run(tmp_path, "baseline:oracle", "--skip-bad", data=data)
    assert [id_ for id_, one in made["results"].items() if one.get("value") == 1.0] == ["Odd/00", "Odd/03"]
    assert [one.get("failure") for one in made["results"].values()].count("data") == 2
    assert made["overall"]["as_wrong"]["mean"]["value"] == 0.5


def test_missing_screenshots_are_told_in_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    (data / "Images" / "Shelf" / "S_1.png").unlink()
    told = refused(data)
    for part in ("Shelf_Annotation.json', line 3", "'Images/Shelf/S_1.png' is missing. So are those of 1 more",
                 "field 'tasks.0.steps.0.image_path'", "Tajamul21/MedSPOT", "--skip-bad"):  # fmt: skip
        assert part in told, told
    # A file of that name in another program's folder is another screenshot.
    shutil.copy(data / "Images" / "Shelf" / "S_2.png", data / "Images" / "Lantern" / "S_1.png")
    assert "'Images/Shelf/S_1.png' is missing" in refused(data)
    shutil.rmtree(data / "Images")
    assert "all screenshots that the annotations name are missing" in refused(data, "--skip-bad")


def test_folders_that_hold_no_data(tmp_path: Path) -> None:
    assert "needs a data folder" in refused(None)
    with pytest.raises(DataError, match="nowhere' does not exist"):
        load(tmp_path / "nowhere")
    assert "there is no file *_Annotation.json" in refused(tmp_path)
    (tmp_path / "A_Annotation.json").write_text('{"jobs": []}', "utf-8")
    assert "field 'tasks': it contains a NoneType" in refused(tmp_path)
    (tmp_path / "A_Annotation.json").write_text('{"tasks": [},', "utf-8")
    assert "it is not JSON" in refused(tmp_path)
    assert "unknown program 'Pacs'; known are Lantern, Shelf." in refused(SAMPLE, "--set", "software=Pacs")


@pytest.mark.parametrize(
    ("option", "says"),
    [("rules=gpt6", "unknown rules 'gpt6'"), ("unit=word", "unit"), ("max_tokens=0", "max_tokens")],
)
def test_options_that_do_not_fit(option: str, says: str) -> None:
    assert says in refused(SAMPLE, "--set", option)
    assert "own unit" in refused(SAMPLE, "--set", "rules=gpt5", "--set", "act=tool")


def test_every_screenshot_has_its_own_size(tmp_path: Path) -> None:
    from PIL import Image

    data = write(tmp_path, task(BOX, [50, 50, 5, 5]))
    Image.new("RGB", (200, 100)).save(data / "Images" / "small.png")
    held = json.loads((data / "Odd_Annotation.json").read_text("utf-8"))
    held["tasks"][0]["steps"][1]["image_path"] = "Images/small.png"
    (data / "Odd_Annotation.json").write_text(json.dumps(held), "utf-8")
    for rules in ("canonical", *"GPQNAST"):
        [sample] = load(data, rules=rules).samples
        assert rated(sample, ["click(80, 50)", "click(105, 52)"]) == (1.0, "complete", 2), rules
        assert rated(sample, ["click(80, 50)", "click(336, 210)"])[0] == 0.0, rules


def test_the_map_of_misses(tmp_path: Path) -> None:
    clicks = {id_: [click(FAR)] for id_ in ALL} | {"Shelf/01": ["give_up()"], "Lantern/01": [click(RULER)]}
    run(tmp_path, script(tmp_path / "m.json", clicks))
    command = [sys.executable, "-m", "evals.suites.medspot.heatmap", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    html = (tmp_path / "run" / "misses.html").read_text("utf-8")
    assert done.stdout.strip().endswith("misses.html")
    assert "4 misses" in html
    # Three of them have a point; they are in both pictures of all programs, and of their own.
    assert html.count("<circle") == 12
    assert "<h2>Lantern</h2>" in html
    assert "none" in page([])
    failed = subprocess.run([*command[:-1], str(tmp_path / "no")], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "has no run" in failed.stderr
