"""`Conversation`: one question at a time whatever pages do at the same moment, and what it tells of an answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from agent.assistant import Assistant
from agent.core.citations import Answer
from agent.core.events import Answered, Event, Needs, Perceived, Token
from agent.models.scripted import Scripted
from agent.server.broadcast import Broadcast
from agent.server.conversation_task import Busy, Conversation
from agent.server.schemas import Turn
from agent.watch.monitor import Alert
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import events_of, read_until, seen_until, serving, settings
from tools.ask_user import Intervention
from tools.media import CaptureStats, Frame

NEEDS = Needs(request=Intervention(kind="free_text", request="What is it?"), new_frame=False)
HALF = "\ud83d"  # the first half of an emoji


class Acted:
    """An assistant whose events a test gives, and whose ends take as long as the test says."""

    def __init__(self, *events: Event, **session: Any) -> None:
        self.events, self.session = events, SimpleNamespace(**session)
        self.may_end = asyncio.Event()
        self.ends = 0

    def ask(self, question: str) -> AsyncIterator[Event]:
        return self._run()

    reply = ask

    async def give_up(self) -> None:
        self.ends += 1
        await self.may_end.wait()

    async def _run(self) -> AsyncIterator[Event]:
        try:
            for event in self.events:
                yield event
                await asyncio.sleep(0)
            if not isinstance(self.events[-1], Needs | Answered):
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.shield(self.give_up())
            raise


def open_dialogue(assistant: Acted) -> Conversation:
    return Conversation(cast(Assistant, assistant), Broadcast())


async def settle() -> None:
    """Let all that can go on without waiting do so."""
    for _ in range(100):
        await asyncio.sleep(0)


async def until(turn: Turn, state: str) -> None:
    async with asyncio.timeout(60):
        while turn.state != state:
            await asyncio.sleep(0.001)


async def test_a_question_that_is_stopped_before_it_began_leaves_room_for_the_next() -> None:
    conversation = open_dialogue(Acted(Token(text="word")))
    first = conversation.ask("What is it?")
    conversation.stop()
    await until(first, "stopped")
    assert conversation.ask("And now?").state == "running"
    conversation.stop()
    await until(first, "stopped")


async def test_nothing_is_accepted_while_a_waiting_question_is_given_up() -> None:
    assistant = Acted(NEEDS)
    conversation = open_dialogue(assistant)
    turn = conversation.ask("What is it?")
    await until(turn, "waiting")
    conversation.stop()
    await settle()
    with pytest.raises(Busy):
        conversation.reply("a bus")  # another page has not heard of the stop yet
    with pytest.raises(Busy):
        conversation.ask("And now?")
    conversation.stop()
    assistant.may_end.set()
    await until(turn, "stopped")
    await settle()
    assert (turn.state, assistant.ends) == ("stopped", 1)
    assert conversation.ask("And now?").state == "running"
    await conversation.end()


async def test_a_second_stop_does_not_cut_off_the_first() -> None:
    assistant = Acted(Token(text="word"))
    conversation = open_dialogue(assistant)
    turn = conversation.ask("What is it?")
    await settle()
    conversation.stop()
    await settle()
    conversation.stop()
    ending = asyncio.create_task(conversation.end())
    await settle()
    assert (turn.state, assistant.ends) == ("running", 1)  # its end is still being written down
    with pytest.raises(Busy):
        conversation.ask("And now?")
    assert not ending.done()
    assistant.may_end.set()
    await ending
    assert turn.state == "stopped"


async def test_the_delays_of_an_answer_are_those_of_the_frames_it_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    stats = CaptureStats(9, 9, 0, 0, 7.0, 0.0, late_max_s=0.0, late_mean_s=0.0, queue_s=0.25)
    newest = Frame("camera", 8.0, np.zeros((9, 16, 3), np.uint8), wall_s=998.0)
    answered = Answered(
        answer=Answer(text="A bus."), steps=1, tokens_in=5, tokens_out=2, seconds=3.0, first_token_s=1.0
    )
    seen = {"live_frame": lambda: newest, "plays": True, "info": SimpleNamespace(live=True), "capture_stats": stats}
    assistant = Acted(Perceived(frames=3, newest_s=7.0, dropped=0), Token(text="A bus."), answered, **seen)
    conversation = open_dialogue(assistant)
    turn = conversation.ask("What is it?")
    while not turn.events:
        await asyncio.sleep(0)
    assistant.session.capture_stats = CaptureStats(99, 99, 0, 0, 9.0, 0.0, 0.0, 0.0, queue_s=60.0)  # frames come on
    await until(turn, "done")
    assert turn.latency
    assert turn.latency.age_s == pytest.approx(3.0)  # a second older than the newest, which is 2 seconds old
    assert (turn.latency.late_s, turn.latency.queue_s, turn.latency.total_s) == (None, 0.25, 3.0)


@pytest.mark.parametrize("realtime", [True, False])
async def test_a_recording_has_no_age_and_one_that_is_read_ahead_no_delay(tmp_path: Path, realtime: bool) -> None:
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 3)])
    with serving([clip], settings(tmp_path / "memory"), {"say": "Red."}, realtime=realtime) as served:
        seen_until(served, 1.0)
        async with events_of(served) as events:
            served.post("/rooms/1/ask", text="Colour?")
            latency = (await read_until(events, "turn_state", state="done"))["latency"]
            known = [latency["age_s"] is not None, latency["late_s"] is not None, latency["queue_s"] is not None]
            assert known == [False, realtime, realtime]


async def test_half_an_emoji_of_the_model_leaves_the_room_usable(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 3)])
    model = Scripted.model_validate(
        {"turns": [{"tool": "look", "args": {"start": HALF, "more": [{"it": HALF}]}}, {"say": "later"}]}
    )
    model.turns[1] = model.turns[1].model_copy(update={"say": f"Red {HALF} it is."})
    with serving([clip], settings(tmp_path / "memory"), model=model) as served:
        async with events_of(served) as events:
            escaped = json.dumps({"text": f"Colour {HALF}?"}).encode()  # as a browser writes it
            served.client.post("/rooms/1/ask", content=escaped, headers={"content-type": "application/json"})
            while (called := await read_until(events, "event"))["event"]["type"] != "tool_called":
                pass
            assert called["event"]["args"] == {"start": "\ufffd", "more": [{"it": "\ufffd"}]}
            await read_until(events, "turn_state", state="done")
        async with events_of(served) as events:
            (turn,) = (await read_until(events, "snapshot"))["conversation"]
            assert "\ufffd" in turn["question"]
            assert turn["events"][-1]["answer"]["text"] == "Red \ufffd it is."


async def test_what_cannot_be_sent_is_not_kept() -> None:
    conversation = open_dialogue(Acted(Token(text="word")))
    alert = Alert(watch_id="1", condition=f"a bus {HALF}", t_s=1.0, wall_s=None, text="", frames=[])
    with pytest.raises(ValueError, match="surrogates"):
        conversation.add_alert(alert)
    assert not conversation.items


async def test_a_source_with_broken_bytes_in_its_name_leaves_the_page_usable(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 3)])
    with serving([clip, tmp_path / "caf\udce9.mp4"], settings(tmp_path / "memory")) as served:
        rooms = served.client.get("/session").json()["rooms"]
        assert [room["state"] for room in rooms] == ["open", "failed"]
        assert json.dumps(rooms[1]["name"], ensure_ascii=False).endswith('caf\ufffd.mp4"')
