"""MedSPOT's scores: sixteen scripts in seven families, and our own. Boxes and points were worked out by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.medspot.canonical import run_canonical, summarise
from evals.suites.medspot.parsing import GUI_ACTOR, SEECLICK, NumberError, qwen_resized, read_point, read_points
from evals.suites.medspot.scorer import (
    SCRIPTS,
    InstructionError,
    OutputsError,
    Step,
    Target,
    failure_statistics,
    metrics,
    run_task,
)

SIZE = (1000, 500)
BOX = (40.0, 40.0, 10.0, 10.0)
"""In pixels 400 to 500 across and 200 to 250 down; its centre is at (450, 225)."""

TINY = (40.0, 40.0, 1.0, 1.0)
FAMILY = {
    "G": "gpt5",
    "P": "gemma3_27B",
    "Q": "qwen2_5vl",
    "N": "qwen2vl",
    "A": "gui_actor",
    "S": "seeclick",
    "T": "tars",
}


def step(kind: str = "click", box: tuple[float, float, float, float] = BOX) -> Step:
    return Step((Target(kind, box),))


def say(family: str, x: float, y: float) -> Any:
    """A click at pixels as the family's script reads it."""
    share = [x / SIZE[0], y / SIZE[1]]
    return {"A": [share], "S": share}.get(family, f"({x},{y})")


def run(family: str, *points: tuple[float, float], steps: list[Step] | None = None) -> dict[str, Any]:
    outputs = [say(family, *point) for point in points]
    return run_task(f"evaluate_{FAMILY[family]}.py", steps or [step()] * len(points), SIZE, outputs)


# What each family makes of a point, in the order G P Q N A S T.
@pytest.mark.parametrize(
    ("point", "made"),
    [
        ((450, 225), "hit hit hit hit hit hit hit"),
        ((507, 225), "hit hit hit hit hit near_miss hit"),
        ((509, 225), "far_miss far_miss near_miss hit hit near_miss hit"),
        ((450, 263), "far_miss far_miss far_miss hit hit far_miss far_miss"),
        ((450, 265), "far_miss far_miss far_miss far_miss far_miss far_miss far_miss"),
        ((30, 300), "edge_bias edge_bias edge_bias edge_bias edge_bias edge_bias edge_bias"),
        ((300, 490), "far_miss far_miss far_miss edge_bias edge_bias edge_bias far_miss"),
        ((300, 50), "toolbar_confusion toolbar_confusion toolbar_confusion toolbar_confusion "
         "toolbar_confusion toolbar_confusion toolbar_confusion"),
    ],
)  # fmt: skip
def test_families_judge_a_point_their_own_way(point: tuple[float, float], made: str) -> None:
    got = [run(family, point)["steps"][0]["failure_type"] or "hit" for family in FAMILY]
    assert got == made.split()


def test_near_the_centre_of_a_flat_box() -> None:
    flat = [step(box=(40.0, 40.0, 10.0, 0.5))]
    got = {family: run(family, (450, 211), steps=flat)["steps"][0]["failure_type"] for family in "GQST"}
    assert got == {"G": "near_miss", "Q": "far_miss", "S": "far_miss", "T": None}


def test_small_targets_are_told_apart_by_one_family() -> None:
    tiny = [step(box=TINY)]
    assert run("G", (430, 203), steps=tiny)["steps"][0]["failure_type"] == "small_target"
    assert run("T", (430, 203), steps=tiny)["steps"][0]["failure_type"] == "small_target_near"
    assert run("T", (900, 203), steps=tiny)["steps"][0]["failure_type"] == "small_target_far"
    assert [
        run("G", (405, 202), steps=[step(box=box)])["steps"][0]["difficulty"] for box in (TINY, (40, 40, 5, 5))
    ] == [
        "small",
        "medium",
    ]


def test_denominators_differ() -> None:
    steps = [step(), step("type"), step()]
    got = {family: run(family, (450, 225), (450, 225), steps=steps) for family in FAMILY}
    assert {f: (r["completed"], r["correct_steps"], r["num_steps"]) for f, r in got.items()} == {
        "G": (1, 2, 2),
        "P": (0, 2, 3),
        "Q": (0, 2, 3),
        "N": (1, 2, 2),
        "A": (0, 1, 3),
        "S": (0, 1, 3),
        "T": (0, 2, 3),
    }
    assert got["G"]["weighted_prefix_score"] == pytest.approx(1 + 0.8**2)
    assert got["T"]["normalised_weighted_score"] == pytest.approx((1 + 0.64) / (1 + 0.8 + 0.64))
    # A later step may be the first that is logged; UI-TARS's script logs the skipped one.
    later = {family: run(family, (450, 225), steps=[step("hover"), step()])["step1_hit"] for family in "GNQT"}
    assert later == {"G": 1, "N": 1, "Q": 1, "T": 0}


def test_a_task_without_clicks() -> None:
    steps = [step("type")]
    got = {family: run(family, steps=steps)["completed"] for family in FAMILY}
    assert got == {"G": 0, "P": 0, "Q": 0, "N": 1, "A": 0, "S": 0, "T": 0}


def test_the_first_miss_ends_the_task_and_only_the_first_box_counts() -> None:
    both = Step((Target("click", TINY), Target("click", BOX)))
    got = run("N", (450, 225), (450, 225), steps=[both, step()])
    assert (got["completed"], got["num_steps"], got["model_calls"]) == (0, 1, 1)


def test_ui_tars_is_asked_again_twice() -> None:
    got = run_task("evaluate_tars.py", [step()], SIZE, ["?", "hm", "CLICK(450, 225)"])
    assert (got["completed"], got["model_calls"]) == (1, 3)
    with pytest.raises(OutputsError, match="call 3"):
        run_task("evaluate_tars.py", [step()], SIZE, ["?", "hm"])


def test_an_object_for_an_instruction_stops_one_script() -> None:
    steps = [Step((Target("click", BOX),), {"text": ["a", "b"]})]
    with pytest.raises(InstructionError):
        run("Q", (450, 225), steps=steps)
    assert run("P", (450, 225), steps=steps)["completed"] == 1


@pytest.mark.parametrize(
    ("script", "text", "point"),
    [
        ("gpt5", "(-5,10)", (5, 10)),
        ("gpt5", "[7, 8]", (7, 8)),
        ("gpt5", "X: 7; Y: 8", (7, 8)),
        ("gpt4omini", "coordinates: 7 8", (7, 8)),
        ("gpt4omini", "7 8", (7, 8)),
        ("gpt5", "(2000,8)", None),
        ("qwen3vl0", "<think>(1,1)</think>(500,500)", (500, 250)),
        ("qwen3vl0", "X=5, Y=5", None),
        ("gemma3_27B", "<p>(7,8)</p>", (7, 8)),
        ("llama", "(0.5,0.5)", (500, 250)),
        ("llama", "(50,50)", (500, 250)),
        ("llama", "(50,101)", (50, 101)),
        ("qwen2_5vl", "X=5, y=6", (5, 6)),
        ("qwen2vl", "(2000,250)", (1, 0.5)),
        ("mistral", "(500,250)", (0.5, 0.5)),
        ("deepseek", "(0.5,0.5)", (0.5, 0.5)),
        ("uground", "(500,1)", (0.5, 0.002)),
        ("Aguvis", "pyautogui.click(x=0.1, y=0.2)", (0.1, 0.2)),
        ("cogagent", "CLICK(box=[[100,200,300,400]])", (0.2, 0.3)),
        ("cogagent", "CLICK(point=[[100,200]])", (0.1, 0.2)),
        ("cogagent", "(100,200)", None),
        ("osatlas", "[[100,200]]", (0.1, 0.2)),
        ("osatlas", "(0.1,0.2)", (0.0001, 0.0002)),
        ("tars", "[7, 8, 9, 10]", (7, 8)),
        ("tars", "click(7, 8)", (7, 8)),
        ("tars", "(0.5, 0.5)", (500, 250)),
    ],
)
def test_scripts_read_replies_their_own_way(script: str, text: str, point: tuple[float, float] | None) -> None:
    got = read_point(f"evaluate_{script}.py", text, SIZE)
    assert got == (pytest.approx(point) if point else None)


def test_what_looks_like_numbers_but_is_none() -> None:
    with pytest.raises(NumberError):
        read_point("evaluate_gpt5.py", "(1.2.3,4)", SIZE)
    with pytest.raises(NumberError):
        read_points(GUI_ACTOR, "here")
    assert read_points(SEECLICK, "here") == read_points(SEECLICK, None) == read_points(SEECLICK, {"box": [1]}) == []
    assert read_points(SEECLICK, {"box": [[100, 200], [300, 400]]}) == [[0.2, 0.3]]


def test_images_are_resized_to_patches() -> None:
    # 1,280 patches at most, in the shape of the image: 1920 by 1080 becomes 47 by 26 patches.
    assert qwen_resized((1920, 1080)) == (47 * 28, 26 * 28)
    assert qwen_resized((560, 560)) == (560, 560)
    width, height = qwen_resized((100, 50))
    assert width * height >= 256 * 28 * 28
    with pytest.raises(NumberError):
        qwen_resized((1000, 1))


@given(st.sampled_from(sorted(SCRIPTS)), st.floats(0, 90), st.floats(0, 90), st.floats(1, 10), st.floats(1, 10))
def test_the_centre_of_a_box_is_a_hit_in_every_script(script: str, x: float, y: float, w: float, h: float) -> None:
    share = [(x + w / 2) / 100, (y + h / 2) / 100]
    pixels = f"({share[0] * SIZE[0]:.3f},{share[1] * SIZE[1]:.3f})"
    thousandths = f"[[{share[0] * 1000:.3f},{share[1] * 1000:.3f}]]"
    said: dict[str, Any] = {
        GUI_ACTOR: [share],
        SEECLICK: share,
        "evaluate_qwen3vl0.py": thousandths.replace("[[", "(").replace("]]", ")"),
        "evaluate_llama.py": f"({share[0]:.6f},{share[1]:.6f})",
        "evaluate_Aguvis.py": f"({share[0]:.6f},{share[1]:.6f})",
        "evaluate_cogagent.py": f"CLICK(point={thousandths})",
        "evaluate_osatlas.py": thousandths,
    }
    got = run_task(script, [step(box=(x, y, w, h))], SIZE, [said.get(script, pixels)])
    # Tiny pixel numbers look like shares to two scripts; their point is then elsewhere.
    misread = script in ("evaluate_tars.py", "evaluate_deepseek.py", "evaluate_uground.py") and max(share) < 0.01
    assert got["completed"] or misread


def test_metrics_and_failures_of_a_family() -> None:
    steps = [step(), step()]
    results = [run("G", (450, 225), (450, 225)), run("G", (450, 225), (30, 300), steps=steps)]
    got = metrics("evaluate_gpt5.py", results)
    assert got == {
        "task_completion_accuracy": 0.5,
        "step1_accuracy": 1.0,
        "avg_correct_prefix": 1.5,
        "step_hit_rate": 0.75,
        "avg_weighted_prefix_score": pytest.approx(1.4),
    }
    assert failure_statistics("evaluate_gpt5.py", results) == {
        "total_failed_tasks": 1,
        "failure_type_histogram": {"edge_bias": 1},
        "failure_by_difficulty": {"large": {"edge_bias": 1}},
    }
    blocked = [run("Q", (450, 225), steps=[step(), step("type")])]
    assert failure_statistics("evaluate_qwen2_5vl.py", blocked)["failure_type_histogram"] == {"null": 1}
    blocked = [run("T", (450, 225), steps=[step(), step("type")])]
    assert failure_statistics("evaluate_tars.py", blocked)["failure_type_histogram"] == {}
    assert metrics("evaluate_tars.py", blocked)["step_hit_rate"] == 1


def test_metrics_without_tasks() -> None:
    assert {script for script in SCRIPTS if metrics(script, []) == {}} == {s for s, f in SCRIPTS.items() if f == "N"}
    assert metrics("evaluate_tars.py", [])["total_tasks"] == 0


def test_our_own_scores_take_any_box_and_skip_what_is_no_click() -> None:
    either = Step((Target("click", TINY), Target("double_click", BOX)))
    got = run_canonical([either, step("type"), step()], SIZE, [(450, 225), (450, 225)])
    assert (got.hits, got.scored, got.first, got.failure, got.normalised) == (2, 2, True, None, 1.0)
    missed = run_canonical([step(), step()], SIZE, [(505, 225)])
    assert (missed.hits, missed.asked, missed.window_hit, missed.failure) == (0, 1, True, "near_miss")
    silent = run_canonical([step("hover"), step()], SIZE, [])
    assert (silent.first, silent.failure) == (None, "no_prediction")
    edge, bar, far, tiny = (
        run_canonical([step(box=box)], SIZE, [point]).failure
        for box, point in [(BOX, (30, 300)), (BOX, (300, 50)), (BOX, (300, 300)), (TINY, (300, 300))]
    )
    assert (edge, bar, far, tiny) == ("edge_bias", "toolbar_confusion", "far_miss", "small_target")
    total = summarise([got, missed, silent, run_canonical([step("type")], SIZE, [])])
    assert (total["tasks"], total["tca"], total["s1a"]) == (3, pytest.approx(1 / 3), 0.5)
    assert (total["shr_reached"], total["shr_annotated"]) == (2 / 4, 2 / 5)
    assert summarise([])["tca"] is None
