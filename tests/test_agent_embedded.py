"""The embedded model through its public interface, on pictures that come with scikit-image and on drawn screens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from agent.models import load_mllm
from agent.models.blocks import image_block, text_of
from agent.models.embedded.rules.describe import other_ground
from agent.models.embedded.rules.question import find_phrase, holds
from agent.models.options import ModelOptions
from agent.models.protocol import MLLM
from evals.bench.vision import clip, picture, screen
from tools.ask_user import Intervention
from tools.media import format_clock
from tools.media.clock import cited_times
from tools.registry import make_tools

Frame = tuple[float | None, np.ndarray]


@pytest.fixture(scope="module")
def model() -> MLLM:
    return load_mllm("embedded", ModelOptions(max_tokens=120))


@pytest.fixture(scope="module")
def tools() -> tuple[BaseTool, ...]:
    return described(plays=True)


def described(plays: bool) -> tuple[BaseTool, ...]:
    """The tools of a source that is never asked for anything."""
    return make_tools(SimpleNamespace(plays=plays, tells=False))  # type: ignore[arg-type]  # described, never run


def message(frames: Sequence[Frame], question: str) -> HumanMessage:
    content: list[str | dict[str, Any]] = []
    for t_s, rgb in frames:
        if t_s is not None:
            content.append({"type": "text", "text": f"[{format_clock(t_s)}]"})
        content.append(image_block(rgb, t_s=t_s))
    return HumanMessage(content=[*content, {"type": "text", "text": question}])


def answer(model: MLLM, frames: Sequence[Frame], question: str) -> str:
    return text_of(model.invoke([message(frames, question)]))


def covered() -> np.ndarray:
    return np.full((240, 320, 3), (120, 90, 70), dtype=np.uint8)


THREE: tuple[Frame, ...] = ((0.0, picture("cat")), (2.0, picture("coffee")), (4.0, picture("cameraman")))


def test_names_a_picture_with_its_time_and_streams_the_same_text(model: MLLM) -> None:
    asked = [message([(5.0, picture("cat"))], "What is this?")]
    chunks = list(model.stream(asked))
    text = "".join(text_of(chunk) for chunk in chunks)
    assert "cat" in text
    assert cited_times(text) == [5.0]
    assert len([chunk for chunk in chunks if chunk.content]) > 1
    assert text_of(model.invoke(asked)) == text
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert usage["output_tokens"] > 0


@pytest.mark.parametrize(
    "question", ["What do you see, in order?", "What happens?", "Describe the video.", "Summarize."]
)
def test_an_account_names_the_scenes_in_order(model: MLLM, question: str) -> None:
    text = answer(model, THREE, question)
    assert "can't tell" not in text
    assert text.index("cat") < text.index("espresso") < text.index("tripod")
    assert cited_times(text) == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("question", "named", "t_s"),
    [
        ("What do you see at the end?", "tripod", 4.0),
        ("What do you see now?", "tripod", 4.0),
        ("What is in the last frame?", "tripod", 4.0),
        ("What did you see at the beginning?", "cat", 0.0),
        ("What comes after the cat?", "espresso", 2.0),
        ("When does the tripod appear?", "tripod", 4.0),
        ("Is there an espresso?", "Yes", 2.0),
    ],
)
def test_answers_about_a_moment(model: MLLM, question: str, named: str, t_s: float) -> None:
    text = answer(model, THREE, question)
    assert named in text
    assert cited_times(text) == [t_s]


def test_what_is_nowhere_is_not_affirmed(model: MLLM) -> None:
    text = answer(model, THREE[:1], "Is there a banana?")
    assert text.startswith(("No, I don't see a banana", "Probably not"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_change_times_are_those_of_the_clip(model: MLLM, seed: int) -> None:
    frames, times = clip(seed)
    assert cited_times(answer(model, frames, "When does the picture change?")) == times


def test_a_sign_of_another_colour_is_a_change(model: MLLM) -> None:
    navy = screen("SALE TODAY", 1)
    frames = [(0.0, navy), (2.0, navy), (4.0, np.maximum(navy, (130, 0, 0)).astype(np.uint8))]
    assert cited_times(answer(model, frames, "When does the picture change?")) == [4.0]
    assert not other_ground(picture("cat"), picture("coffee"))


def test_reads_a_drawn_word(model: MLLM) -> None:
    text = answer(model, [(1.0, screen("Platform 9", 1))], "What does the screen say?")
    assert "Platform 9" in text
    assert cited_times(text) == [1.0]


def test_abstains_on_noise(model: MLLM) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert "can't tell" in answer(model, [(0.0, noise)], "What is this?")


def test_no_frames_are_said_to_be_missing(model: MLLM) -> None:
    assert "not been shown any frames" in answer(model, [], "What do you see now?")
    abstract = "Patients here were seen at the clinic and followed for a year. The changes now appear to be small. " * 4
    told = answer(model, [], f"{abstract}Do the changes happen after the start? Answer yes, no or maybe.")
    assert "not been shown any frames" not in told, "a long text brings what it is about"


def test_general_knowledge_goes_to_the_language_model(model: MLLM) -> None:
    no_frames: tuple[Frame, ...] = ()
    for frames in (no_frames, THREE[:1]):
        text = answer(model, frames, "What is the capital of France?")
        assert "Paris" in text
        assert not cited_times(text)


def test_talk_does_not_go_on_citing_what_was_read_before(model: MLLM) -> None:
    earlier = [message([(9.0, picture("cat"))], "What does the sign say?"), AIMessage('It says "G" [0:09].')]
    told = text_of(model.invoke([*earlier, message([(9.0, picture("cat"))], "What is the capital of France?")]))
    assert "Paris" in told
    assert cited_times(told) == []


def test_a_covered_newest_frame_is_asked_about_once(model: MLLM, tools: tuple[BaseTool, ...]) -> None:
    bound = model.bind_tools(tools)
    asked = message([THREE[0], (2.0, covered())], "What do you see now?")
    called = bound.invoke([asked])
    assert [call["name"] for call in called.tool_calls] == ["ask_user"]
    assert Intervention.model_validate(called.tool_calls[0]["args"]).kind == "move_occluder"
    said = "The person answered: done. What is seen now follows."
    result = ToolMessage(said, tool_call_id=called.tool_calls[0]["id"], name="ask_user")
    after = bound.invoke([asked, called, result, message([(4.0, picture("coffee"))], "")])
    assert not after.tool_calls
    assert "espresso" in text_of(after)
    still = bound.invoke([asked, called, result])
    assert isinstance(still, AIMessage)
    assert not still.tool_calls
    assert "covered" in text_of(still)


@pytest.mark.parametrize(
    ("plays", "question"), [(True, "What was there 20 seconds ago?"), (False, "What is there now?")]
)
def test_no_help_is_asked_for_what_is_over_or_recorded(model: MLLM, plays: bool, question: str) -> None:
    red = np.full((240, 320, 3), (250, 10, 10), dtype=np.uint8)
    frames = [(2.0, red)] if not plays else [(0.0, picture("cat")), (10.0, red), (30.0, picture("coffee"))]
    told = model.bind_tools(described(plays)).invoke([message(frames, question)])
    assert isinstance(told, AIMessage)
    assert not told.tool_calls
    assert text_of(told).startswith("A plain red picture")


def test_no_help_is_asked_for_a_good_picture(model: MLLM, tools: tuple[BaseTool, ...]) -> None:
    assert not model.bind_tools(tools).invoke([message(THREE, "What do you see now?")]).tool_calls


@pytest.mark.parametrize("name", ["ask_user", "look", "read_text", "recall"])
def test_a_forced_call_meets_the_schema(model: MLLM, tools: tuple[BaseTool, ...], name: str) -> None:
    schema = next(tool.args_schema for tool in tools if tool.name == name)
    assert isinstance(schema, type)
    assert issubclass(schema, BaseModel)
    called = model.bind_tools(tools, tool_choice=name).invoke([message(THREE[:1], "What is on the left?")])
    assert [call["name"] for call in called.tool_calls] == [name]
    schema.model_validate(called.tool_calls[0]["args"])


@pytest.mark.parametrize("question", ["What was there 5 minutes ago?", "Was there a cat 5 minutes ago?"])
def test_what_was_before_the_beginning_was_not_watched(model: MLLM, tools: tuple[BaseTool, ...], question: str) -> None:
    told = model.bind_tools(tools).invoke([message(THREE, question)])
    assert text_of(told) == "I was not watching 5 minutes ago; I began at 0:00."


SIGNS: tuple[Frame, ...] = (
    (0.0, picture("cat")),
    (15.0, screen("GATE OPEN", 1)),
    (30.0, picture("coffee")),
    (45.0, screen("GATE CLOSED", 1)),
    (60.0, picture("cat")),
    (75.0, screen("ROOM 42", 1)),
    (90.0, picture("cameraman")),
    (105.0, screen("GATE OPEN", 1)),
    (120.0, picture("coffee")),
)


@pytest.mark.parametrize(
    ("question", "told", "times_s"),
    [
        ("How many times was GATE OPEN shown?", "twice", [15.0, 105.0]),
        ("How many times was the word GATE CLOSED shown?", "once", [45.0]),
        ("How many times was ROOM 43 shown?", "I don't read", []),
        ("Was GATE CLOSED shown?", "Yes", [45.0]),
        ("Was 'gate closed' written on the sign?", "Yes", [45.0]),
        ("Was GATE SHUT shown?", "I don't read", []),
        ("How long was GATE CLOSED shown?", "at most 15 seconds", [45.0, 60.0]),
        ("When was ROOM 42 shown?", "ROOM 42", [75.0]),
        ("When did the sign say GATE OPEN last?", "GATE OPEN", [105.0]),
        ("Which word was shown after GATE CLOSED?", '"ROOM 42"', [75.0]),
    ],
)
def test_words_in_capitals_are_one_phrase(model: MLLM, question: str, told: str, times_s: list[float]) -> None:
    text = answer(model, SIGNS, question)
    assert told in text
    assert cited_times(text) == times_s


def test_past_words_are_read_in_all_frames(model: MLLM, tools: tuple[BaseTool, ...]) -> None:
    for question in ("What did the sign say earlier?", "What words were shown?"):
        told = model.bind_tools(tools).invoke([message(SIGNS, question)])
        assert text_of(told) == (
            'I read "GATE OPEN" [0:15], then "GATE CLOSED" [0:45], then "ROOM 42" [1:15], then "GATE OPEN" [1:45].'
        )


def test_a_word_from_a_time_ago_is_one_word(model: MLLM) -> None:
    told = answer(model, SIGNS, "Do you remember the words from 75 seconds ago?")
    assert told == 'It says "GATE CLOSED" [0:45].'


def test_what_came_beside_words_is_a_scene_or_words(model: MLLM) -> None:
    after = answer(model, SIGNS, "What came after GATE CLOSED?")
    assert "cat" in after
    assert 'After that, it says "ROOM 42"' in after
    assert cited_times(after) == [60.0, 75.0]
    assert cited_times(answer(model, SIGNS[3:6:2], "What came before ROOM 42?")) == [45.0]


def test_words_that_no_frame_shows_are_searched_for_and_no_others_taken(
    model: MLLM, tools: tuple[BaseTool, ...]
) -> None:
    bound = model.bind_tools(tools)
    asked = message(SIGNS, "When was GATE 7 shown?")
    called = bound.invoke([asked])
    assert [(call["name"], call["args"]) for call in called.tool_calls] == [("recall", {"query": "GATE 7"})]
    for noted, told in (("[0:15] text: GATE OPEN", "I don't read"), ("[0:40] text: GATE 7", "My notes say: GATE 7")):
        result = ToolMessage(noted, tool_call_id=called.tool_calls[0]["id"], name="recall")
        assert told in text_of(bound.invoke([asked, called, result]))


@pytest.mark.parametrize(
    ("lines", "phrase", "held"),
    [
        (("GATE OPEN",), "GATE OPEN", True),
        (("GATE", "OPEN"), "GATE OPEN", True),
        (("Mind: GATEOPEN now",), "GATE OPEN", True),
        (("GATE CLOSED", "OPEN"), "GATE OPEN", False),
        (("OPEN GATE",), "GATE OPEN", False),
        (("GATE OPENED",), "GATE OPEN", False),
        (("ROOM 423",), "ROOM 42", False),
        (("LAMPS",), "LAMP", False),
    ],
)
def test_a_phrase_is_found_as_a_whole(lines: tuple[str, ...], phrase: str, held: bool) -> None:
    assert holds(lines, phrase) is held


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("When did I see GATE OPEN?", "GATE OPEN"),
        ("Was PLATFORM A shown?", "PLATFORM A"),
        ("Was the sign “no entry” there?", "NO ENTRY"),
        ("Is there a USB stick?", ""),
        ("WAS THE GATE OPEN?", ""),
        ("Is the TV on?", ""),
        ("Do you see a dog? I don't.", ""),
    ],
)
def test_a_phrase_is_what_a_question_gives_as_it_is_written(question: str, phrase: str) -> None:
    assert find_phrase(question) == phrase


async def test_streaming_stops_when_cancelled(model: MLLM) -> None:
    received: list[str] = []

    async def consume() -> None:
        async for chunk in model.astream([message(THREE, "What do you see, in order?")]):
            received.append(text_of(chunk))
            task.cancel()  # here, and not from outside, where a busy machine may come too late

    task = asyncio.create_task(consume())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len("".join(received)) < 200
    assert "cat" in await asyncio.to_thread(answer, model, THREE[:1], "What is this?")  # it still answers
