"""What the embedded model says of what is seen: people, counts, places, colours, changes; and what it leaves alone."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
import yaml
from langchain_core.messages import HumanMessage

from agent.models.blocks import text_of
from agent.models.embedded.rules.intents import intent_of
from agent.models.embedded.rules.language import only_english
from agent.models.embedded.rules.things import find_targets, subject_of
from agent.models.protocol import MLLM
from evals.bench.vision import picture
from tests.test_agent_embedded import answer, message, model  # noqa: F401 - a fixture

INTENTS = {
    "what": {"describe", "name", "where", "setting", "action", "words", "exists"},
    "people": {"exists", "doing", "count", "action", "unseen", "quality"},
    "absent": {"exists", "doing", "count"},
    "count": {"count", "change", "order"},
    "colour": {"colour", "setting"},
    "summary": {"describe"},
    "change": {"change", "doing", "order"},
    "words": {"words"},
    "time": {"when", "describe", "order", "action"},
    "action": {"action", "doing", "exists", "describe", "unseen"},
    "place": {"where", "setting", "describe", "exists", "name"},
}
"""Intents that suit a kind of question; the questions were written before there were intents."""


def test_intents_suit_questions_that_nobody_wrote_for_them() -> None:
    asked = yaml.safe_load((files("evals.bench") / "street_set" / "tune.yaml").read_text("utf-8"))
    asked = [one for one in asked if one["kind"] in INTENTS]
    missed = [one["question"] for one in asked if intent_of(one["question"]).name not in INTENTS[one["kind"]]]
    print(*missed, sep="\n")
    assert len(asked) > 140
    assert 1 - len(missed) / len(asked) >= 0.85


@pytest.mark.parametrize(
    ("question", "word", "before"),
    [
        ("Is there a big red car in the shot?", "car", ["a", "big", "red"]),
        ("Do you see any dogs?", "dog", ["any"]),
        ("is there a second ball?", "ball", ["a", "second"]),
        ("Is there a cookie next to the cup?", None, ["a", "cookie"]),
        ("Can you see the moon?", None, ["the", "moon"]),
    ],
)
def test_the_subject_of_a_question_is_what_it_asks_for(question: str, word: str | None, before: list[str]) -> None:
    target, words = subject_of(question)
    assert (target.word if target else None) == word
    assert words == before


def test_words_for_things_cover_classes_of_the_detector() -> None:
    vehicle, person = find_targets("a vehicle beside two women")
    assert vehicle.classes >= {"car", "bus", "truck"}
    assert person.is_people


def test_people_are_seen_and_missed(model: MLLM) -> None:  # noqa: F811
    shown = [(0.0, picture("astronaut"))]
    assert answer(model, shown, "Is anybody there?").startswith("Yes, a person")
    assert answer(model, [(0.0, picture("coffee"))], "Is there a person?").startswith("No, I don't see anybody")
    assert "can't tell" in answer(model, shown, "Is there a man?")  # the detector knows people, not men


def test_things_are_counted_with_one_answer_for_one_thing(model: MLLM) -> None:  # noqa: F811
    assert answer(model, [(3.0, picture("cat"))], "How many cats are there?").startswith("I count one cat [0:03]")
    assert "don't see any dogs" in answer(model, [(3.0, picture("coffee"))], "How many dogs are in the picture?")


def test_places_and_colours_are_those_of_the_box(model: MLLM) -> None:  # noqa: F811
    canvas = np.full((400, 900, 3), (40, 90, 200), np.uint8)
    cat = picture("cat")[:300, :400]
    canvas[60 : 60 + cat.shape[0], 480 : 480 + cat.shape[1]] = cat
    shown = [(0.0, canvas)]
    assert "on the right" in answer(model, shown, "Where is the cat?")
    assert "blue" in answer(model, shown, "What colour is the background?")


def test_the_kind_of_change_is_told(model: MLLM) -> None:  # noqa: F811
    one, other = picture("cat"), picture("coffee")
    cut = answer(model, [(0.0, one), (1.0, one), (2.0, other), (3.0, other)], "Are there any cuts?")
    assert cut.startswith("Yes, there is 1 cut at [0:02]")
    still = answer(model, [(float(t_s), one) for t_s in range(4)], "Does anything move?")
    assert still.startswith("No, nothing changes")


@pytest.mark.parametrize("question", ["What is written?", "What does it say?", "Read the text, please."])
def test_where_nothing_is_written_nothing_is_quoted(model: MLLM, question: str) -> None:  # noqa: F811
    for name in ("cat", "coffee"):
        text = answer(model, [(0.0, picture(name))], question)
        assert '"' not in text
        assert "can't read any words" in text


@pytest.mark.parametrize(
    "question", ["What is her name?", "How much did the cup cost?", "Why is it there?", "What music is playing?"]
)
def test_what_no_frame_shows_is_not_made_up(model: MLLM, question: str) -> None:  # noqa: F811
    assert "can't tell" in answer(model, [(0.0, picture("coffee"))], question)


@pytest.mark.parametrize(
    ("question", "start"),
    [
        ("¿Qué se ve en este vídeo?", "Solo entiendo inglés"),
        ("Was ist auf dem Bild zu sehen?", "Ich verstehe nur Englisch"),
        ("Qu'est-ce qu'on voit sur cette image ?", "Je ne comprends que l'anglais"),
        ("画面里有什么？", "我只懂英语"),
    ],
)
def test_another_language_is_answered_in_it(model: MLLM, question: str, start: str) -> None:  # noqa: F811
    text = answer(model, [(0.0, picture("cat"))], question)
    assert text.startswith(start)
    assert "I only understand English" in text
    assert "cat" in text


def test_english_is_not_taken_for_another_language() -> None:
    asked = yaml.safe_load((files("evals.bench") / "street_set" / "tune.yaml").read_text("utf-8"))
    found = Counter(only_english(one["question"]) is None for one in asked if one["kind"] != "language")
    assert found[False] == 0


def test_what_somebody_does_with_a_thing_is_asked_of_that_thing(model: MLLM) -> None:  # noqa: F811
    shown = [(0.0, picture("astronaut"))]
    assert not answer(model, shown, "Is she holding a book?").startswith("Yes")
    assert answer(model, shown, "Is the man wearing a tie?")
    assert not answer(model, shown, "Is he riding a horse?").startswith("Yes")


def test_pictures_without_times_are_answered_without_times(model: MLLM) -> None:  # noqa: F811
    shown = [(None, picture("cat")), (None, picture("coffee"))]
    text = answer(model, shown, "Does anything change?")
    assert "[" not in text
    assert " at ." not in text


@pytest.mark.parametrize("question", ["𗀀𗀁", "???", "a" * 4000, "Is there?"])
def test_odd_questions_are_answered(model: MLLM, question: str) -> None:  # noqa: F811
    assert answer(model, [(0.0, picture("cat"))], question)


def test_a_thin_picture_is_not_cut_into_hundreds_of_squares(model: MLLM) -> None:  # noqa: F811
    for shape in ((4, 4000, 3), (1, 1, 3), (2000, 40, 3)):
        assert answer(model, [(0.0, np.full(shape, 90, np.uint8))], "Is anybody there?")


def test_english_that_quotes_another_language_is_english() -> None:
    assert only_english('What does "où est la gare" mean?') is None
    assert only_english("Find El Paso on the map of Los Angeles") is None


def test_interruptions_are_those_of_the_capture_log(model: MLLM) -> None:  # noqa: F811
    blocks = message([(0.0, picture("cat")), (9.0, picture("cat"))], "Was the camera interrupted?")
    whole = text_of(model.invoke([blocks]))
    assert whole == "No, I know of no interruption from [0:00] to [0:09]."
    gap = {"type": "text", "text": "(no picture from 0:03 to 0:05: the connection was lost)"}
    cut = HumanMessage(content=[*blocks.content[:2], gap, *blocks.content[2:]])
    assert "no picture from 0:03 to 0:05: the connection was lost" in text_of(model.invoke([cut]))
