"""The server of the web page, asked over real HTTP and WebSockets."""

import asyncio
import errno
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from websockets.asyncio.client import connect

from agent.core.checkpoints import TABLES, open_threads
from agent.server.options import ServerOptions
from agent.server.schemas import Turn
from agent.server.serve import listen
from tests.fixtures.faults import Camera, jpeg
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import events_of, read_until, seen_until, serving, settings, sign_in, wait_for
from tools.errors import ConfigError

HELP = {"tool": "ask_user", "args": {"kind": "choose", "request": "Which?", "choices": ["left", "right"]}}
SLOW = {"when": "Tell me all", "say": "word " * 200, "tokens_per_s": 40}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3)])


async def test_a_source_that_failed_can_be_tried_again(clip: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    with serving([late], settings(tmp_path / "memory")) as served:
        assert served.state.rooms[0].info.state == "failed"
        late.write_bytes(clip.read_bytes())
        assert served.post("/rooms/1/retry").status_code == 204
        wait_for(lambda: served.state.rooms[0].info.state == "open")
        assert served.post("/rooms/1/ask", text="Hi?").status_code == 202


def test_only_recordings_begin_again_at_their_end(clip: Path, tmp_path: Path) -> None:
    camera = Camera(lambda number: jpeg(1, number % 50))
    try:
        with serving([clip, camera.address], settings(tmp_path), loop=True) as served:
            assert [(room.info.state, room.info.live) for room in served.state.rooms] == [
                ("open", False),
                ("open", True),
            ]
            seen_until(served, 6.0)
    finally:
        camera.close()


async def test_conversations_of_several_sources_are_begun_at_once(tmp_path: Path) -> None:
    async def begin(path: Path) -> set[str]:
        async with open_threads(path) as saver:
            found = await saver.conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name for (name,) in await found.fetchall()}

    for number in range(40):
        begun = await asyncio.gather(*(begin(tmp_path / str(number) / "threads.sqlite") for _ in range(4)))
        assert begun == [set(TABLES)] * 4


async def test_ten_pages_see_the_same_and_one_question_at_a_time(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), {"say": "Red, then green [0:01].", "tokens_per_s": 10}) as served:
        seen_until(served, 1.0)
        pages = [await events_of(served) for _ in range(10)]
        for page in pages:
            await read_until(page, "snapshot", conversation=[])
        turn = served.post("/rooms/1/ask", text="What is it?").json()["turn"]
        busy = served.post("/rooms/1/ask", text="And?")
        assert busy.status_code == 409
        assert "another question" in busy.json()["problem"]
        stories = await asyncio.gather(*(_story(page, turn) for page in pages))
        assert len({json.dumps(story) for story in stories}) == 1
        assert "".join(event["text"] for event in stories[0] if event["type"] == "token") == "Red, then green [0:01]."
        assert stories[0][-1]["answer"]["citations"][0]["frame_id"]
        for page in pages:
            await page.close()


async def _story(page: Any, turn: str) -> list[dict[str, Any]]:
    """The events of a turn up to its end."""
    story = []
    while True:
        message = json.loads(await asyncio.wait_for(page.recv(), 60))
        if message["type"] == "event" and message["turn"] == turn:
            story.append(message["event"])
        if message["type"] == "turn_state":
            assert message["state"] == "done"
            assert message["latency"]["total_s"] > 0
            return story


async def test_a_page_that_comes_in_the_middle_of_an_answer_gets_all_of_it(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), {"say": "one two three four five six", "tokens_per_s": 8}) as served:
        async with events_of(served) as first:
            served.post("/rooms/1/ask", text="Count.")
            await read_until(first, "event")
            for _ in range(3):
                message = await read_until(first, "event")
                assert message["event"]["type"] == "token"
        async with events_of(served) as second:
            snapshot = await read_until(second, "snapshot")
            (turn,) = snapshot["conversation"]
            assert turn["state"] == "running"
            known = "".join(event.get("text", "") for event in turn["events"])
            assert known.startswith("one two three")
            rest = await _story(second, turn["id"])
            streamed = known + "".join(event["text"] for event in rest if event["type"] == "token")
            assert streamed == "one two three four five six"


async def test_stop_ends_the_answer_and_a_conversation_is_resumed_by_its_name(clip: Path, tmp_path: Path) -> None:
    config = settings(tmp_path)
    with serving([clip], config, SLOW, {"say": "Red."}, HELP, thread="mine") as served:
        async with events_of(served) as events:
            served.post("/rooms/1/ask", text="Tell me all.")
            await read_until(events, "event")
            assert served.post("/rooms/1/stop").status_code == 204
            await read_until(events, "turn_state", state="stopped")
            served.post("/rooms/1/ask", text="Colour?")
            await read_until(events, "turn_state", state="done")
            served.post("/rooms/1/ask", text="Which?")
            await read_until(events, "turn_state", state="waiting")
            assert served.post("/rooms/1/ask", text="Else?").status_code == 409
    with serving([clip], config, {"say": "The left one."}, thread="mine") as served:
        async with events_of(served) as events:
            turns = (await read_until(events, "snapshot"))["conversation"]
            assert [turn["question"] for turn in turns] == ["Tell me all.", "Colour?", "Which?"]
            assert turns[1]["events"][-1]["answer"]["text"] == "Red."
            assert turns[2]["state"] == "waiting"
            assert turns[2]["events"][-1]["request"]["choices"] == ["left", "right"]
            served.post("/rooms/1/reply", text="middle")
            again = await read_until(events, "event", turn=turns[2]["id"])
            while again["event"]["type"] != "needs":
                again = await read_until(events, "event")
            assert "not one of the choices" in again["event"]["problem"]
            await read_until(events, "turn_state", state="waiting")
            served.post("/rooms/1/reply", text="left")
            await read_until(events, "turn_state", state="done")
            assert served.post("/rooms/1/reply", text="left").status_code == 409


async def test_a_question_that_waits_can_be_given_up(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), HELP, {"say": "Red."}) as served:
        async with events_of(served) as events:
            first = served.post("/rooms/1/ask", text="Which?").json()["turn"]
            assert (await read_until(events, "turn_state", state="waiting"))["turn"] == first
            assert served.post("/rooms/1/stop").status_code < 300
            assert (await read_until(events, "turn_state", state="stopped"))["turn"] == first
            second = served.post("/rooms/1/ask", text="Colour?").json()["turn"]
            assert (await read_until(events, "turn_state", state="done"))["turn"] == second != first


async def test_what_the_model_cannot_do_is_told_in_words(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), {"when": "never", "say": "x"}) as served:
        async with events_of(served) as events:
            assert served.post("/rooms/1/ask", text="  ").status_code == 400
            served.post("/rooms/1/ask", text="Hi?")
            failed = await read_until(events, "turn_state", state="failed")
            assert "no answer" in failed["error"]["problem"]
            assert failed["error"]["remedy"]


async def test_forget_pin_and_export_reach_the_disk(clip: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, "curvestream")
    with serving([clip], config, realtime=False) as served:
        session = served.state.rooms[0].opened.session
        wait_for(lambda: session.finished)
        async with events_of(served) as events:
            await read_until(events, "snapshot")
            moments = served.client.get("/rooms/1/timeline").json()["moments"]
            assert [round(moment["t_s"]) for moment in moments] == list(range(6))
            pinned = served.post("/rooms/1/pin", t_s=4.0).json()
            assert (pinned["t_s"], pinned["pinned"]) == (4.0, True)
            await read_until(events, "memory")
            assert served.client.get("/rooms/1/moment?t_s=4").json()["moment"]["pinned"]
            first = f"/rooms/1/frames/{moments[1]['frame_id']}"
            small = served.client.get(first, params={"side_px": 100})
            assert (small.status_code, small.headers["content-type"]) == (200, "image/jpeg")
            bundle = zipfile.ZipFile(io.BytesIO(served.client.get("/rooms/1/export").content))
            names = bundle.namelist()
            assert any(moments[1]["frame_id"] in name for name in names)
            assert len(bundle.read("moments.jsonl").splitlines()) == 6
            gone = served.post("/rooms/1/forget", start_s=0, end_s=2.5).json()
            assert (gone["moments"], gone["frames"] >= 3) == (3, True)
            told = await read_until(events, "memory", forgotten={"start_s": 0.0, "end_s": 2.5})
            assert told
            assert served.client.get(first, params={"side_px": 100}).status_code == 400
            assert not list(tmp_path.rglob(f"*{moments[1]['frame_id']}*"))
            left = served.client.get("/rooms/1/timeline").json()["moments"]
            assert [round(moment["t_s"]) for moment in left] == [3, 4, 5]
            assert served.post("/rooms/1/pin", t_s=500).status_code == 400


async def test_pause_and_resume(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), loop=True) as served:
        async with events_of(served) as events:
            await read_until(events, "status", badge="playing")
            served.post("/rooms/1/pause")
            paused = await read_until(events, "status", badge="paused")
            assert paused["eyes"]["paused"]
            served.post("/rooms/1/resume")
            await read_until(events, "status", badge="playing")


async def test_watches_are_set_listed_and_removed(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path), loop=True) as served:
        async with events_of(served) as events:
            added = served.post(
                "/rooms/1/watches", condition="a car", cooldown_s=5, webhook="http://u:hush@192.0.2.1/hook?k=hush"
            )
            assert added.status_code == 201
            status = await read_until(events, "status")
            while not status["watches"]:
                status = await read_until(events, "status")
            assert status["watches"][0]["watch"]["condition"] == "a car"
            assert status["alerts_leave_to"]
            assert "hush" not in json.dumps(status) + added.text
            assert served.post("/rooms/1/watches", condition=" ").status_code == 400
            path = f"/rooms/1/watches/{added.json()['watch']['id']}"
            assert served.client.delete(path).status_code == 204
            assert served.client.delete(path).status_code == 400


ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


def attend(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "ATTEND_TAKE_NOTES": "false", "PYTHONPATH": str(Path(__file__).parent.parent), "COLUMNS": "200",
        "PYTHONUNBUFFERED": "1", "CI": "true",
    }  # fmt: skip
    command = [*ATTEND, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, stdout=pipe, stderr=pipe)


def read_url(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What is printed up to the address, and the address."""
    assert process.stdout
    text = ""
    for line in process.stdout:
        text += line
        if found := re.search(r"Open (http://\S+)", line):
            return text, found[1]
    raise AssertionError(text + (process.stderr.read() if process.stderr else ""))


def test_the_command_says_where_the_page_is_and_ends_with_ctrl_c(clip: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"say": "Red."}]))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        same = ["--model", f"scripted:{script}", "--folder", tmp_path / "f", "--policy", "last"]
        refused = attend("serve", clip, "--port", port, *same, cwd=tmp_path)
        _, told = refused.communicate(timeout=60)
        assert refused.returncode == 1
        assert f"port {port}" in told
        assert os.strerror(errno.EADDRINUSE) in told
        assert "--port" in told
    process = attend("serve", clip, "missing.mp4", "--loop", "--port", 0, *same, cwd=tmp_path)
    text, url = read_url(process)
    assert "scenes.mp4" in text
    assert "missing.mp4" in text
    assert "does not exist" in text
    assert "Nothing leaves this machine" in text
    assert httpx.get(url).status_code == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in out + err


async def test_a_question_that_a_kill_cut_off_goes_on(clip: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"say": "word " * 400, "tokens_per_s": 20}]))
    folder = tmp_path / "memory"
    same = ["--model", f"scripted:{script}", "--folder", folder, "--policy", "last", "--thread", "t"]
    process = attend("serve", clip, "--port", 0, *same, cwd=tmp_path)
    try:
        _, url = read_url(process)
        with httpx.Client(base_url=url, headers={"origin": url.rstrip("/")}) as client:
            sign_in(client)
            async with connect(f"{url.replace('http', 'ws')}rooms/1/events", origin=url.rstrip("/")) as events:  # type: ignore[arg-type]
                assert client.post("/rooms/1/ask", json={"text": "Tell me."}).status_code == 202
                while (await read_until(events, "event"))["event"]["type"] != "token":
                    pass
    finally:
        process.kill()
        process.communicate()
    with serving([clip], settings(folder), {"say": "Told."}, thread="t") as served:
        async with events_of(served) as events:
            snapshot = await read_until(events, "snapshot")
            if snapshot["conversation"][0]["state"] != "done":
                await read_until(events, "turn_state", state="done")
        (turn,) = served.state.rooms[0].conversation
        assert isinstance(turn, Turn)
        assert turn.question == "Tell me."
        assert turn.events[-1].answer.text == "Told."  # type: ignore[union-attr]


def test_chat_on_the_web_refuses_what_belongs_to_the_terminal(clip: Path, tmp_path: Path) -> None:
    refused = attend("chat", clip, "--web", "--ask", "x", cwd=tmp_path)
    _, told = refused.communicate(timeout=60)
    assert refused.returncode == 1
    assert "--ask" in told


def test_chat_on_the_web_reads_a_file_ahead(clip: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"say": "Red."}]))
    model = ["--model", f"scripted:{script}", "--folder", tmp_path, "--policy", "last"]
    process = attend("chat", clip, "--web", *model, cwd=tmp_path)
    text, url = read_url(process)
    assert "reading" in text
    assert httpx.get(url).status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_the_next_free_port_is_taken_unless_one_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    default = ServerOptions()
    with listen(default, Console()) as first, listen(default, Console()) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
        assert ports[0] < ports[1] <= default.port + 20
        assert "is in use" in capsys.readouterr().out
        with pytest.raises(ConfigError, match=f"port {ports[0]}"), listen(ServerOptions(port=ports[0]), Console()):
            pass
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"), listen(ServerOptions(host="192.0.2.1"), Console()):
        pass
