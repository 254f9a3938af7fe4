"""What the embedded model makes of places, of colours, and of what a question says of a thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.models.embedded.request import Request
from agent.models.embedded.rules import colours
from agent.models.embedded.rules.over_time import seen_answer, seen_call
from agent.models.embedded.rules.qualifiers import find_extent, qualifiers, within
from agent.models.embedded.rules.question import take_apart
from agent.models.embedded.rules.things import find_targets
from agent.models.protocol import MLLM
from evals.bench.vision import picture
from tests.test_agent_embedded import answer, model  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("question", "colour", "unknown"),
    [
        ("How many cars are there?", None, set()),
        ("How many red cars are there?", "red", set()),
        ("What colour is the big dog?", None, set()),
        ("When does the woman in the blue jacket leave?", "blue", set()),
        ("Where is the man with the umbrella?", None, {"umbrella"}),
        ("Where is the second bus?", None, {"second"}),
        ("What is the person holding?", None, set()),
        ("Are there people on the street?", None, set()),
        ("How many motorcycles are in the garage?", None, set()),
        ("How many motorcycles in the garage?", None, set()),
    ],
)
def test_what_is_said_of_a_thing(question: str, colour: str | None, unknown: set[str]) -> None:
    said = qualifiers(question, find_targets(question)[0])
    assert said.colour == colour
    assert said.unknown == unknown


@pytest.mark.parametrize(
    ("question", "inside", "outside"),
    [
        ("What colour is the car on the left?", (0.2, 0.5), (0.8, 0.5)),
        ("Is there a dog in the top right corner?", (0.9, 0.1), (0.1, 0.1)),
        ("How many people are in the middle of the picture?", (0.5, 0.5), (0.1, 0.5)),
    ],
)
def test_a_part_of_the_picture_is_a_box(
    question: str, inside: tuple[float, float], outside: tuple[float, float]
) -> None:
    extent = find_extent(question)
    assert extent is not None
    assert within(inside, extent)
    assert not within(outside, extent)


def test_a_side_narrows_what_is_counted_and_coloured(model: MLLM) -> None:  # noqa: F811
    cat = picture("cat")[:300, :400]
    canvas = np.full((400, 900, 3), (40, 90, 200), np.uint8)
    canvas[60 : 60 + cat.shape[0], 480 : 480 + cat.shape[1]] = cat
    shown = [(0.0, canvas)]
    assert "I count one cat" in answer(model, shown, "How many cats are on the right?")
    assert "I count" not in answer(model, shown, "How many cats are on the left?")
    assert "can't tell" in answer(model, shown, "How many cats with a collar are there?")


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((200, 30, 30), "red"),
        ((250, 130, 30), "orange"),
        ((240, 220, 40), "yellow"),
        ((40, 140, 50), "green"),
        ((40, 70, 190), "blue"),
        ((120, 50, 160), "purple"),
        ((250, 150, 190), "pink"),
        ((110, 70, 40), "brown"),
    ],
)
def test_plain_colours_have_their_names(rgb: tuple[int, int, int], name: str) -> None:
    assert next(iter(colours.shares(np.full((4, 4, 3), rgb, np.uint8)))) == name


def test_the_table_of_colours_is_the_one_that_its_program_makes() -> None:
    from agent.models.embedded.train.colours import table

    with np.load(colours.TABLE) as data:
        assert (data["names"] == table()).mean() > 0.999  # rounding differs between processors


def test_a_mixed_surface_has_no_one_colour(model: MLLM) -> None:  # noqa: F811
    stripes = np.zeros((300, 400, 3), np.uint8)
    for at, rgb in enumerate([(200, 30, 30), (40, 140, 50), (40, 70, 190), (240, 220, 40)]):
        stripes[:, 100 * at : 100 * (at + 1)] = rgb
    assert "can't tell" in answer(model, [(0.0, stripes)], "What colour is the background?")


def test_indoors_is_told_from_outdoors(model: MLLM) -> None:  # noqa: F811
    inside = answer(model, [(0.0, picture("coffee"))], "Is it indoors or outdoors?")
    assert inside.startswith("It seems to be indoors") or "can't tell" in inside


def test_a_description_that_names_one_thing_says_that_it_is_not_all(model: MLLM) -> None:  # noqa: F811
    assert "What else there is, I can't tell." in answer(model, [(0.0, picture("astronaut"))], "What do you see?")


def test_what_detections_of_the_whole_recording_answer() -> None:
    told = (
        "person in the zone left: 3 in all, at most 2 at once, in 2 stretches of time (by an object detector).\n"
        "[0:04] to [0:10]: at most 2 at once, left\n[0:20] to [0:31]: at most 1 at once, left, then middle"
    )
    tools: list[dict[str, Any]] = [{"type": "function", "function": {"name": "when_seen", "parameters": {}}}]
    when = take_apart("When was a person in the left half?")
    assert seen_call(when, Request(when.text), tools, "auto") == (
        tools[0]["function"],
        {"label": "person", "zone": "left"},
    )
    answered = "I saw a person in the left half from [0:04] to [0:10] and from [0:20] to [0:31]."
    assert seen_answer(when, [("when_seen", told)]) == answered
    total = take_apart("How many people were there in all?")
    assert seen_answer(total, [("when_seen", told)]) == "In all I count three people, at most two at once [0:04]."
    assert seen_answer(when, [("when_seen", "person: not detected (by ...)")]) == (
        "I saw no person in the left half in what was looked at."
    )
    other = take_apart("When does the woman with the umbrella appear?")
    assert seen_call(other, Request(other.text), tools, "auto") is None
    assert seen_answer(other, [("when_seen", told)]) is None


def test_things_are_named_by_how_they_lie_to_another(model: MLLM) -> None:  # noqa: F811
    coffee = picture("coffee")
    assert answer(model, [(0.0, coffee)], "What is on the table?").startswith("On the table: a cup")
    cat = picture("cat")[:300, :400]
    canvas = np.full((400, 1100, 3), 235, np.uint8)
    canvas[60 : 60 + cat.shape[0], 20 : 20 + cat.shape[1]] = cat
    canvas[: coffee.shape[0], 480 : 480 + coffee.shape[1]] = coffee[:400, :600]
    shown = [(0.0, canvas)]
    assert "cat" in answer(model, shown, "What is left of the cup?").split("[")[0]
    assert "cat" not in answer(model, shown, "What is right of the cup?").split("I see")[0]
