"""The open sequel to MedSPOT: played tasks become annotations that the suite reads, and the bench measures them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from agent.models.scripted import Scripted, Turn
from evals.bench.grounding import measure, read_set, time_screens
from evals.bench.medspot_open import second_desktop, second_pages
from evals.bench.medspot_open.__main__ import PROGRAMS
from evals.bench.medspot_open.amide_tasks import AMIDE
from evals.bench.medspot_open.orthanc_tasks import explorer, viewer
from evals.bench.medspot_open.paraphrases import HANDS, STYLES, told_by
from evals.bench.medspot_open.record import Move, Play, record
from evals.bench.medspot_open.ward_tasks import english, german
from evals.bench.medspot_open.xmedcon_tasks import XMEDCON
from evals.suites.medspot.annotation import read_tasks
from tools.errors import ToolFailed
from tools.gui.types import Screen

pytest_plugins = ["tests.fixtures.browser"]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    yield opened
    opened.close()


def test_played_tasks_are_annotations_with_pictures_and_trees(page: Page, tmp_path: Path) -> None:
    plays = english()[:2]
    first = tmp_path / "first"
    assert record(page, "Ward", plays, first) == 4
    tasks = read_tasks(first)
    assert [[step.instruction for step in task.steps] for task in tasks] == [
        [m.say for m in play.moves] for play in plays
    ]
    left, top, width, height = tasks[0].steps[0].actions[0].bbox or (0, 0, 0, 0)
    assert left > 50
    assert top + height < 100
    assert 2 < width < 10
    said = json.loads((first / "Ward_Annotation.json").read_text("utf-8"))["tasks"][0]["steps"][1]
    assert (first / said["image_path"]).exists()

    both_tasks = list(read_set(tmp_path, "tune"))
    assert [asked.task for asked in both_tasks] == [0, 0, 1, 1]
    assert not list(read_set(tmp_path, "report"))
    tune = both_tasks[:2]
    figures = measure(tune)
    assert figures["tree"]["tca"] == 1
    assert figures["pixels"]["step_hit"] == 1
    assert figures["strings"]["steps"] == 2

    alone = measure(tune, rival=Scripted(turns=[Turn(say="click(640, 799)"), Turn(say="I do not know.")]))
    assert alone["model"]["step_hit"] == 0
    assert (alone["model"]["wrong"], alone["model"]["no_answer"]) == (1, 1)
    assert alone["ahead"]["model"]["step_hit"]["mean"] == 1
    assert alone["ahead"]["strings"]["tca"]["mean"] == 1 - alone["strings"]["tca"]

    assert figures["elsewhere"] == {}
    empty = Screen(rgb=np.full((800, 1280, 3), 255, np.uint8))
    both = measure([tune[0], replace(tune[0], program="Other", screen=empty)])
    # Each is asked on the other one's screen, of which only one shows anything.
    assert both["elsewhere"] == {"of": 2, "pixels": 1, "tree": 1}

    other = list(read_set(tmp_path, "second_hand"))
    assert [asked.step.instruction for asked in other] == [
        each for task in told_by("second")["Ward"][:2] for each in task
    ]
    assert [asked.step.actions for asked in other] == [asked.step.actions for asked in both_tasks]
    times = time_screens(tune)
    assert times["fresh"]["screens"] == times["known"]["screens"] == 1
    assert {"wall_s_median", "wall_s_p95", "cpu_s_median", "cpu_s_most"} < times["tree"].keys()


def test_a_target_that_is_not_there_is_named(page: Page, tmp_path: Path) -> None:
    play = Play("Nothing", english()[0].url, (Move("Click nothing", "#nothing"),))
    with pytest.raises(ToolFailed, match="Ward, task 0, step 1: the selector '#nothing' fits 0 elements"):
        record(page, "Ward", [play], tmp_path)


def test_of_the_second_collection_even_tasks_are_tuned_on_and_odd_ones_reported(page: Page, tmp_path: Path) -> None:
    plays = second_pages.ward()[:2]
    record(page, "Ward", plays, tmp_path / "second")
    for half, names in enumerate((("tune_new", "fifth_tune", "sixth_tune"), ("report", "fifth_hand", "sixth_hand"))):
        for name in names:
            asked = list(read_set(tmp_path, name))
            assert {each.task for each in asked} == {half}
            assert len(asked) == len(plays[half].moves)
    assert not list(read_set(tmp_path, "tune"))


@pytest.mark.parametrize("hand", HANDS[3:])
def test_every_step_of_the_second_collection_is_described_by_another_person(hand: str) -> None:
    told = told_by(hand)
    tasks = {
        "Ward": second_pages.ward(),
        "WardDE": second_pages.ward_german(),
        "OrthancExplorer": second_pages.explorer("http://127.0.0.1"),
        "OrthancViewer": second_pages.viewer("http://127.0.0.1", "series"),
        "XMedCon": second_desktop.xmedcon(),
        "Amide": second_desktop.amide(),
    }
    assert told.keys() == tasks.keys() == set(PROGRAMS)
    for program, plays in tasks.items():
        assert [len(task) for task in told[program]] == [len(play.moves) for play in plays]
        assert all(said.strip() for task in told[program] for said in task)


@pytest.mark.parametrize("hand", HANDS[:3])
def test_every_step_is_told_by_another_hand(hand: str) -> None:
    first = {
        "Ward": english(),
        "WardDE": german(),
        "OrthancExplorer": explorer("http://127.0.0.1"),
        "OrthancViewer": viewer("http://127.0.0.1", "series"),
    }
    desks = {"XMedCon": XMEDCON.plays(), "Amide": AMIDE.plays()} if hand == "fourth" else {}
    told = told_by(hand)
    assert told.keys() == {*first, *desks}
    for program, plays in {**first, **desks}.items():
        assert [len(task) for task in told[program]] == [len(play.moves) for play in plays]
        assert all(said.strip() for task in told[program] for said in task)


@pytest.mark.parametrize("style", STYLES)
def test_even_tasks_are_told_in_other_styles(style: str) -> None:
    for program, plays in (("Ward", english()), ("WardDE", german())):
        for number, (task, play) in enumerate(zip(told_by(style)[program], plays, strict=True)):
            assert len(task) == (0 if number % 2 else len(play.moves))
            assert all(said.strip() for said in task)


def test_a_second_person_says_all_in_other_words() -> None:
    for program, plays in (("Ward", english()), ("WardDE", german())):
        for task, play in zip(told_by("second")[program], plays, strict=True):
            for said, move in zip(task, play.moves, strict=True):
                assert said.casefold() != move.say.casefold()


def test_tasks_have_two_or_three_steps() -> None:
    plays = [*english(), *german()]
    assert len(plays) == 34
    assert {len(play.moves) for play in plays} == {2, 3}
