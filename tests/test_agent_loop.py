"""The loop end to end: a real clip through real capture and memory, with a scripted model in place of a large one."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langsmith.utils import get_env_var
from PIL import Image

from agent.assistant import Assistant, open_assistant
from agent.config import Config, Limits
from agent.core.events import Answered, Event, Needs, Perceived, Revising, Token, ToolCalled, ToolReturned
from agent.models.blocks import count_images, decode_image, split_content, text_of
from agent.models.protocol import Abilities
from agent.models.scripted import Scripted
from memory.stream.options import StreamOptions
from tests.fixtures.scenes import write_scenes
from tools.errors import AttendError, ModelError
from tools.media import Gap


class Listening(Scripted):
    """A scripted model that keeps what it was shown."""

    heard: list[list[BaseMessage]]

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Any:
        self.heard.append(messages)
        yield from super()._stream(messages, stop, run_manager, **kwargs)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3), ("blue", 3)])


def config(folder: Path, **limits: Any) -> Config:
    memory = StreamOptions(policy="last", capacity=6)
    return Config(folder=folder, memory=memory, limits=Limits(**limits), take_notes=False)


def scripted(*turns: dict[str, Any]) -> Listening:
    return Listening.model_validate({"turns": turns, "heard": []})


def images(messages: list[BaseMessage]) -> list[dict[str, Any]]:
    return [part for message in messages for part in split_content(message.content) if part["type"] == "image"]


async def run(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def talk(clip: Path, settings: Config, model: Scripted, *lines: str, thread: str = "t") -> list[list[Event]]:
    """Put each line to the assistant: as a reply where it waits for one, else as a question."""
    runs = []
    async with open_assistant(str(clip), settings, thread=thread, model=model) as assistant:
        await assistant.watch()
        for line in lines:
            waiting = isinstance(await assistant.pending(), Needs)
            runs.append(await run(assistant.reply(line) if waiting else assistant.ask(line)))
    return runs


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_an_answer_streams_and_cites_frames_it_was_shown(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "Blue at the end [0:08]."})
    ((*events, last),) = await talk(clip, config(tmp_path), model, "What now?")
    assert "".join(token.text for token in of(events, Token)) == "Blue at the end [0:08]."
    assert len(of(events, Token)) > 2
    assert isinstance(last, Answered)
    assert [citation.t_s for citation in last.answer.citations] == [8.0]
    assert last.tokens_out > 0
    assert of(events, Perceived)[0].frames == 6


async def test_the_model_sees_frames_in_time_order_each_after_its_time(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "Yes."})
    await talk(clip, config(tmp_path), model, "Well?")
    (messages,) = model.heard
    assert isinstance(messages[0], SystemMessage)
    parts = [part["text"] if part["type"] == "text" else part["type"] for part in messages[-1].content]
    assert parts == [x for t in range(3, 9) for x in (f"[0:0{t}]", "image")] + ["Well?"]


async def test_the_model_is_told_where_pictures_are_missing(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "Yes."})
    async with open_assistant(str(clip), config(tmp_path), model=model) as assistant:
        await assistant.watch()
        assistant.session.memory.push_gap(Gap("scenes.mp4", 5.1, 5.9, "the camera was unplugged"))
        await run(assistant.ask("Well?"))
    parts = [part["text"] for part in model.heard[0][-1].content if part["type"] == "text"]
    place = parts.index("(no picture from 0:05.1 to 0:05.9: the camera was unplugged)")
    assert (parts[place - 1], parts[place + 1]) == ("[0:05]", "[0:06]")


async def test_an_invented_time_is_caught_once_mended_and_else_marked(clip: Path, tmp_path: Path) -> None:
    mended = scripted({"say": "Red [0:55]."}, {"say": "Blue [0:07]."})
    ((*events, last),) = await talk(clip, config(tmp_path / "a"), mended, "When?")
    assert len(of(events, Revising)) == 1
    assert last.answer.text == "Blue [0:07]."
    async with open_assistant(str(clip), config(tmp_path / "a"), thread="t", model=mended) as assistant:
        assert [message.text for message in await assistant.history()] == ["When?", "Blue [0:07]."]
    assert "0:55" in text_of(mended.heard[1][-1])
    stubborn = scripted({"say": "Red [0:55]."}, {"say": "Red [0:55]."})
    ((*_, last),) = await talk(clip, config(tmp_path / "b"), stubborn, "When?")
    assert last.answer.text == "Red [unverified 0:55]."
    assert last.answer.unverified == (55.0,)
    assert last.answer.citations == ()


async def test_a_tool_brings_frames_that_memory_no_longer_holds(clip: Path, tmp_path: Path) -> None:
    model = scripted({"tool": "look", "args": {"start": "0:00", "end": "0:01"}}, {"say": "Red at first [0:00]."})
    ((*events, last),) = await talk(clip, config(tmp_path), model, "How did it begin?")
    assert of(events, ToolCalled)[0].name == "look"
    assert of(events, ToolReturned)[0].ok
    assert [citation.t_s for citation in last.answer.citations] == [0.0]
    assert count_images(model.heard[1]) > count_images(model.heard[0])
    assert not any(count_images([m]) for m in model.heard[1] if m.type == "tool"), "servers refuse images there"


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ({"tool": "fly", "args": {}}, "There is no tool 'fly'"),
        ({"tool": "look", "args": {"frames": 99}}, "do not fit"),
        ({"tool": "look", "args": {"start": "noon"}}, "call again"),
    ],
)
async def test_a_failed_tool_is_told_to_the_model_and_the_run_goes_on(
    clip: Path, tmp_path: Path, turn: dict[str, Any], words: str
) -> None:
    model = scripted(turn, {"say": "I can't tell from these frames."})
    ((*events, last),) = await talk(clip, config(tmp_path), model, "Well?")
    (result,) = of(events, ToolReturned)
    assert not result.ok
    assert words in result.text
    assert isinstance(last, Answered)


async def test_asking_the_person_waits_survives_the_process_and_goes_on(clip: Path, tmp_path: Path) -> None:
    ask = {"tool": "ask_user", "args": {"kind": "choose", "request": "Which?", "choices": ["left", "right"]}}
    ((*_, waiting),) = await talk(clip, config(tmp_path), scripted(ask), "Which one?")
    assert isinstance(waiting, Needs)
    assert waiting.request.choices == ["left", "right"]
    model = scripted({"say": "The right one."})
    wrong, (*_, last) = await talk(clip, config(tmp_path), model, "up", "2")
    assert "'up'" in wrong[-1].problem
    assert last.answer.text == "The right one."
    assert any(message.type == "tool" and "right" in message.text for message in model.heard[0])


HELP = {"tool": "ask_user", "args": {"kind": "move_occluder", "request": "Move the box, please."}}


async def test_after_help_the_model_sees_what_is_there_now(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "c.mp4", [("red", 2), ("blue", 4)])
    model = scripted(HELP, {"say": "Blue now."})
    async with open_assistant(str(clip), config(tmp_path), realtime=True, model=model) as assistant:
        assert isinstance((await run(assistant.ask("What is it?")))[-1], Needs)
        await assistant.watch(until_s=3.0)
        await run(assistant.reply(""))
    red, blue = (decode_image(images(messages)[-1])[60, 150] for messages in model.heard)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert any("What is seen now follows" in text_of(message) for message in model.heard[1])


async def test_a_recording_does_not_pretend_to_show_something_new(clip: Path, tmp_path: Path) -> None:
    model = scripted(HELP, {"say": "I can't tell."})
    await talk(clip, config(tmp_path), model, "What is it?", "cannot")
    assert any("cannot. This is a recording" in text_of(message) for message in model.heard[1])


async def test_limits_end_in_an_answer(clip: Path, tmp_path: Path) -> None:
    look = {"tool": "look", "args": {}}
    model = scripted(look, look, {"say": "Enough."})
    ((*events, last),) = await talk(clip, config(tmp_path, steps=3), model, "Go on?")
    assert len(of(events, ToolCalled)) == 2
    assert (last.answer.text, last.steps) == ("Enough.", 3)
    assert "limit" in text_of(model.heard[2][-1])


async def test_a_slow_model_is_stopped_by_the_clock(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "word " * 400, "tokens_per_s": 20})
    ((*_, last),) = await talk(clip, config(tmp_path, seconds=1), model, "Well?")
    assert last.answer.text.startswith("word word")
    assert last.answer.text.endswith("(cut off after 1 seconds)")
    assert last.tokens_out > 2
    assert model.produced_tokens < 60


async def test_the_last_answer_is_bounded_too(clip: Path, tmp_path: Path) -> None:
    model = scripted({"tool": "look"}, {"say": "word " * 400, "tokens_per_s": 20})
    ((*_, last),) = await talk(clip, config(tmp_path, seconds=2, steps=2), model, "Well?")
    assert "cut off" in last.answer.text
    assert model.produced_tokens < 100


async def test_an_empty_reply_is_asked_for_again_and_never_passed_on(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": " "}, {"say": "Blue."})
    ((*events, last),) = await talk(clip, config(tmp_path / "a"), model, "Well?")
    assert last.answer.text == "Blue."
    assert "no answer" in of(events, Revising)[0].reason
    ((*_, last),) = await talk(clip, config(tmp_path / "b"), scripted({"say": " "}, {"say": " "}), "Well?")
    assert last.answer.text == "I have no answer to that."


async def test_only_frames_that_were_in_the_prompt_can_be_cited(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "Green [0:05]."}, {"say": "Green [0:05]."})
    model.declared = Abilities(images=True, max_images=1)
    ((*_, last),) = await talk(clip, config(tmp_path), model, "Well?")
    assert last.answer.unverified == (5.0,)


async def test_looking_into_a_folder_of_pictures_shows_the_right_ones(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(np.full((40, 40, 3), 25 * number, np.uint8)).save(folder / f"{number}.png")
    model = scripted({"tool": "look", "args": {"start": "0:02", "end": "0:03", "frames": 8}}, {"say": "Yes [0:02]."})
    ((*_, last),) = await talk(folder, config(tmp_path), model, "Which?")
    brought = [decode_image(block)[0, 0, 0] for block in images(model.heard[1])[6:]]
    assert brought == pytest.approx([50, 75], abs=3)
    assert last.answer.unverified == ()


async def test_capture_goes_on_while_a_slow_model_speaks(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "word " * 30, "tokens_per_s": 10})
    async with open_assistant(str(clip), config(tmp_path), realtime=True, loop=True, model=model) as assistant:
        await assistant.watch(until_s=0.0)
        before = assistant.session.capture_stats.captured
        last = (await run(assistant.ask("Well?")))[-1]
        after = assistant.session.capture_stats
    assert isinstance(last, Answered)
    assert after.captured - before >= int(last.seconds) - 1 >= 1
    assert after.late_max_s < 0.5


async def test_nothing_is_traced_whatever_the_environment_says(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "x")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    get_env_var.cache_clear()
    try:
        await talk(clip, config(tmp_path), scripted({"say": "Blue."}), "Well?")
        await asyncio.sleep(1.5)
    finally:
        monkeypatch.undo()
        get_env_var.cache_clear()
        server.shutdown()
    assert asked == []


async def test_only_one_tool_runs_a_step(clip: Path, tmp_path: Path) -> None:
    class Twice(Listening):
        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            for chunk in super()._stream(messages, stop, run_manager, **kwargs):
                if calls := getattr(chunk.message, "tool_call_chunks", []):
                    chunk.message.tool_call_chunks = [calls[0], {**calls[0], "id": "second", "index": 1}]
                yield chunk

    model = Twice.model_validate({"turns": [{"say": "Looking.", "tool": "look"}, {"say": "Done."}], "heard": []})
    ((*events, last),) = await talk(clip, config(tmp_path), model, "Well?")
    assert len(of(events, ToolReturned)) == 1
    assert "one tool a step" in str([m.content for m in model.heard[1] if m.type == "tool"][1])
    assert isinstance(last, Answered)


async def test_earlier_turns_are_shown_as_text_without_their_frames(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "Blue."}, {"say": "Still blue."})
    await talk(clip, config(tmp_path), model, "Colour?", "And now?")
    second = model.heard[1]
    assert [text_of(message) for message in second[1:3]] == ["Colour?", "Blue."]
    assert count_images(second[:-1]) == 0


async def test_a_model_without_images_is_shown_notes(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "I only read."})
    model.declared = Abilities(images=False)
    settings = config(tmp_path)
    async with open_assistant(str(clip), settings, model=model) as assistant:
        await assistant.watch()
        newest = assistant.session.view.newest()
        assert newest is not None
        assistant.session.notes.add(newest.t_s, newest.frame_id, "label", "a blue wall")
        assistant.session.memory.push_gap(Gap("scenes.mp4", 8.1, 8.9, "the camera was unplugged"))
        await run(assistant.ask("What is there?"))
    assert count_images(model.heard[0]) == 0
    assert "(no picture from 0:08.1 to 0:08.9: the camera was unplugged)\n" in text_of(model.heard[0][-1])
    assert "[0:08] <untrusted>a blue wall</untrusted>\n" in text_of(model.heard[0][-1])


async def test_stopping_an_answer_leaves_the_conversation_usable(clip: Path, tmp_path: Path) -> None:
    model = scripted({"say": "word " * 500, "tokens_per_s": 50}, {"say": "Here."})
    async with open_assistant(str(clip), config(tmp_path), model=model) as assistant:
        await assistant.watch()
        task = asyncio.create_task(run(assistant.ask("Tell me everything.")))
        while model.produced_tokens < 3:
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        produced = model.produced_tokens
        await asyncio.sleep(0.3)
        assert model.produced_tokens <= produced + 2
        assert await assistant.pending() is False
        assert (await run(assistant.ask("Still there?")))[-1].answer.text == "Here."


async def test_leaving_the_stream_at_a_request_keeps_the_request(clip: Path, tmp_path: Path) -> None:
    async with open_assistant(str(clip), config(tmp_path), model=scripted(HELP)) as assistant:
        await assistant.watch()
        events = assistant.ask("What is it?")
        async for event in events:
            if isinstance(event, Needs):
                break
        await events.aclose()  # type: ignore[attr-defined]
        assert isinstance(await assistant.pending(), Needs)


async def test_a_model_that_fails_leaves_the_conversation_usable(clip: Path, tmp_path: Path) -> None:
    async with open_assistant(str(clip), config(tmp_path), model=scripted({"say": "x", "when": "never"})) as assistant:
        await assistant.watch()
        with pytest.raises(ModelError):
            await run(assistant.ask("Well?"))
        assert await assistant.pending() is False
        assert next(message.text for message in await assistant.history()) == "Well?"


async def test_an_empty_question_is_refused(clip: Path, tmp_path: Path) -> None:
    async with open_assistant(str(clip), config(tmp_path), model=scripted({"say": "x"})) as assistant:
        with pytest.raises(AttendError, match="question is empty"):
            assistant.ask("   ")
        assert await assistant.history() == []


async def test_checkpoints_hold_references_and_grow_in_a_straight_line(clip: Path, tmp_path: Path) -> None:
    turns, sizes = 200, []
    model = scripted(*[{"say": f"Answer {turn}: blue [0:08]."} for turn in range(turns)])
    settings = config(tmp_path)
    async with open_assistant(str(clip), settings, thread="long", model=model) as assistant:
        await assistant.watch()
        for turn in range(turns):
            await run(assistant.ask(f"Question {turn}?"))
            if turn % 50 == 49:
                sizes.append(_bytes(settings.folder / "threads.sqlite", assistant))
        history = await assistant.history()
    assert len(history) == 2 * turns
    steps = [after - before for before, after in pairwise(sizes)]
    assert max(steps) < 1.3 * min(steps), f"sizes after 50, 100, 150, 200 turns: {sizes}"
    assert sizes[-1] < 1_000 * turns
    assert isinstance(history[0], HumanMessage)


def _bytes(database: Path, assistant: Assistant) -> int:
    """Bytes of all checkpoints and writes; the file itself also holds free pages."""
    columns = [("checkpoint", "checkpoints"), ("value", "writes")]
    with sqlite3.connect(database) as connection:
        sums = [f"SELECT coalesce(sum(length({column})), 0) FROM {table}" for column, table in columns]
        return sum(int(connection.execute(query).fetchone()[0]) for query in sums)
