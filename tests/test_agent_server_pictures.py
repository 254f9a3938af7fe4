"""What happens and what is seen, told to pages that read fast, slowly or not at all, and forgotten for good."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel
from websockets.asyncio.client import connect

from agent.perception.session import SourceSession
from agent.server import broadcast as feeds
from agent.server import jpeg
from agent.server.broadcast import MAX_MESSAGES, Broadcast, Lagged
from agent.server.jpeg import LiveView
from agent.server.options import ServerOptions
from memory.store.frames import FrameStore
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, events_of, read_until, serving, settings, wait_for
from tools.media import Frame, Span


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3)])


class _Number(BaseModel):
    number: int


@given(st.lists(st.integers(0, 2 * MAX_MESSAGES // 3), min_size=1, max_size=8))
def test_a_reader_sees_everything_in_order_or_learns_that_it_lagged(batches: list[int]) -> None:
    async def read() -> None:
        broadcast, told, seen, cursor = Broadcast(), 0, [], 0
        for number, batch in enumerate(batches):
            for _ in range(batch):
                broadcast.send(_Number(number=told))
                told += 1
            if number % 3 == 2 or not batch:
                continue  # a slow reader
            try:
                cursor, texts = await broadcast.after(cursor)
            except Lagged:
                assert told - len(seen) > MAX_MESSAGES
                cursor, seen = broadcast.cursor, list(range(told))
                continue
            seen += [json.loads(text)["number"] for text in texts]
            assert seen == list(range(told))

    asyncio.run(read())


async def test_a_page_that_reads_nothing_for_a_while_gets_a_fresh_snapshot(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MAX_MESSAGES", 20)
    words = [f"{number} {'x' * 40_000} " for number in range(250)]  # 10 MB: more than the sockets' buffers hold
    with serving([clip], settings(tmp_path), {"say": "".join(words)}, loop=True) as served:
        events = await events_of(served, max_queue=1, max_size=None)
        assert (await read_until(events, "snapshot"))["conversation"] == []
        served.post("/rooms/1/ask", text="Tell me all.")
        wait_for(lambda: served.state.rooms[0].conversation[0].state == "done")  # type: ignore[union-attr]
        tokens = 0
        while (message := json.loads(await asyncio.wait_for(events.recv(), 60)))["type"] != "snapshot":
            tokens += message["type"] == "event" and message["event"]["type"] == "token"
        assert 0 < tokens < 2 * len(words)
        (turn,) = message["conversation"]
        assert turn["state"] == "done"
        assert turn["events"][-1]["answer"]["text"].split() == "".join(words).split()
        await read_until(events, "status")
        await events.close()


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures that take a megabyte each as JPEG."""
    folder = tmp_path_factory.mktemp("noise")
    chance = np.random.default_rng(1)
    for number in range(12):
        Image.fromarray(chance.integers(0, 256, (540, 960, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def open_unread(served: Served, asks: int) -> socket.socket:
    """Open the live picture on a socket that asks for pictures and takes in none."""
    host, port = served.url.removeprefix("http://").split(":")
    unread = socket.socket()
    unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unread.connect((host, int(port)))
    lines = [
        "GET /rooms/1/live HTTP/1.1", f"Host: {host}:{port}", f"Origin: {served.url}", "Connection: Upgrade",
        "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "",
    ]  # fmt: skip
    unread.sendall("\r\n".join(lines).encode())
    assert unread.recv(12) == b"HTTP/1.1 101"
    unread.sendall(asks * (b"\x81\x84\0\0\0\0" + b"next"))
    return unread


async def test_a_slow_viewer_delays_nobody(noise: Path, tmp_path: Path) -> None:
    with (
        serving([noise], settings(tmp_path, view_fps=10, jpeg_quality=95), loop=True) as served,
        open_unread(served, asks=400),
    ):
        async with connect(f"{served.ws}/rooms/1/live", origin=served.url) as quick:  # type: ignore[arg-type]
            times = []
            for _ in range(25):
                await quick.send("next")
                picture = await asyncio.wait_for(quick.recv(), 60)
                assert isinstance(picture, bytes)
                assert picture[16:18] == b"\xff\xd8"
                assert len(picture) > 500_000  # so that all of them do not fit into the other's buffers
                times.append(picture[:8])
            assert len(set(times)) == len(times)
        session = served.state.rooms[0].opened.session
        before = session.capture_stats.captured
        wait_for(lambda: session.capture_stats.captured > before)


async def test_each_picture_is_encoded_once_for_all(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[np.ndarray] = []
    encode_jpeg = jpeg.encode_jpeg

    def count(rgb: np.ndarray, side_px: int, quality: int) -> bytes:
        encoded.append(rgb)
        return encode_jpeg(rgb, side_px, quality)

    monkeypatch.setattr(jpeg, "encode_jpeg", count)
    with serving([clip], settings(tmp_path), loop=True) as served:
        address = f"{served.ws}/rooms/1/live"
        viewers = [await connect(address, origin=served.url) for _ in range(4)]  # type: ignore[arg-type]
        for _ in range(5):
            for viewer in viewers:
                await viewer.send("next")
            for viewer in viewers:
                assert await asyncio.wait_for(viewer.recv(), 60)
        for viewer in viewers:
            await viewer.close()
        assert len(encoded) >= 5
        assert len({id(rgb) for rgb in encoded}) == len(encoded)

        def idle() -> bool:
            before = len(encoded)
            time.sleep(0.5)
            return len(encoded) == before

        wait_for(idle)  # nobody watches


class Looking:
    """A source whose newest frame the test sets."""

    def __init__(self, t_s: float = 1.0) -> None:
        self.see(t_s)

    def see(self, t_s: float) -> None:
        self.frame = Frame("camera", t_s, np.full((9, 16, 3), int(t_s), np.uint8))

    def live_frame(self) -> Frame:
        return self.frame


def open_view(session: Looking) -> LiveView:
    return LiveView(cast(SourceSession, session), ServerOptions(view_fps=60))


async def test_a_live_picture_is_waited_for_after_the_newest_was_forgotten() -> None:
    session = Looking()
    view = open_view(session)
    with view.watching() as number:
        number, message = await view.after(number)
        assert message
        view.forget(Span(0.0, 1.0))
        waiting = asyncio.create_task(view.after(number - 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        session.see(2.0)
        assert (await waiting)[1]


async def test_a_picture_that_is_not_of_the_forgotten_stretch_stays() -> None:
    view = open_view(Looking(7.0))
    with view.watching() as number:
        number, message = await view.after(number)
        view.forget(Span(0.0, 5.0))
        with view.watching() as begin:
            assert await view.after(begin) == (number, message)


async def test_a_picture_that_is_forgotten_while_it_is_encoded_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    session, view = Looking(), cast(LiveView, None)
    encode_jpeg = jpeg.encode_jpeg

    def encode_slowly(rgb: np.ndarray, side_px: int, quality: int) -> bytes:
        if rgb[0, 0, 0] == 1:
            session.see(2.0)
            view.forget(Span(0.0, 1.0))
        return encode_jpeg(rgb, side_px, quality)

    monkeypatch.setattr(jpeg, "encode_jpeg", encode_slowly)
    view = open_view(session)
    with view.watching() as number:
        _, message = await asyncio.wait_for(view.after(number), 60)
        assert np.frombuffer(message[:8]) == 2.0


async def test_a_picture_that_cannot_be_encoded_does_not_end_the_live_picture(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = Looking()
    encode_jpeg = jpeg.encode_jpeg

    def fail_first(rgb: np.ndarray, side_px: int, quality: int) -> bytes:
        if rgb[0, 0, 0] == 1:
            session.see(2.0)
            raise MemoryError
        return encode_jpeg(rgb, side_px, quality)

    monkeypatch.setattr(jpeg, "encode_jpeg", fail_first)
    view = open_view(session)
    with view.watching() as number:
        assert (await asyncio.wait_for(view.after(number), 60))[1]
    assert "cannot encode a live picture" in caplog.text


async def test_a_status_that_cannot_be_read_once_is_told_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving([clip], settings(tmp_path), loop=True) as served:
        async with events_of(served) as events:
            await read_until(events, "status")
            scandir = os.scandir

            def fail(path: Any) -> Any:
                raise OSError(5, "Input/output error")

            monkeypatch.setattr(os, "scandir", fail)
            wait_for(lambda: "cannot read the status of a room" in caplog.text)
            monkeypatch.setattr(os, "scandir", scandir)
            wait_for(lambda: served.state.rooms[0].status is not None)
            seen = served.state.rooms[0].status
            wait_for(lambda: served.state.rooms[0].status is not seen)
            later = served.state.rooms[0].status
            assert later is not None
            assert later.eyes.seen >= seen.eyes.seen


@pytest.fixture
def watched(clip: Path, tmp_path: Path) -> Iterator[Served]:
    """A recording that was watched to its end."""
    with serving([clip], settings(tmp_path, "curvestream"), realtime=False) as served:
        wait_for(lambda: served.state.rooms[0].opened.session.finished)
        yield served


def test_a_forgotten_stretch_of_a_file_is_not_read_again(watched: Served, tmp_path: Path) -> None:
    assert watched.client.get("/rooms/1/frames?start_s=0&end_s=5").json()[0]["t_s"] < 1
    assert watched.post("/rooms/1/forget", start_s=0, end_s=2.5).status_code == 200
    (store,) = [FrameStore(path, 1 << 30) for path in tmp_path.rglob("frames") if path.is_dir()]
    left = set(store.ids())
    assert watched.client.get("/rooms/1/moment?t_s=1").json()["frame"] is None
    assert watched.client.get("/rooms/1/frames?start_s=0&end_s=2").json() == []
    assert set(store.ids()) == left
    frames = watched.client.get("/rooms/1/frames?start_s=0&end_s=5").json()
    assert min(frame["t_s"] for frame in frames) > 2.5
    assert len(frames) > 6  # the rest of the file is read again


async def test_the_last_picture_of_a_recording_stays_when_something_else_is_forgotten(watched: Served) -> None:
    assert watched.post("/rooms/1/forget", start_s=0, end_s=2.5).status_code == 200
    async with connect(f"{watched.ws}/rooms/1/live", origin=watched.url) as live:  # type: ignore[arg-type]
        await live.send("next")
        assert np.frombuffer(await asyncio.wait_for(live.recv(), 60), "<f8", 1) > 5  # type: ignore[call-overload]


async def test_pages_hear_of_what_the_command_line_forgets(clip: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, "curvestream")
    with serving([clip], config, loop=True) as served:
        wait_for(lambda: (served.state.rooms[0].opened.session.memory.stats.newest_s or 0.0) >= 2.0)
        async with events_of(served) as events:
            await read_until(events, "snapshot")
            forget = [
                sys.executable,
                "-c",
                "from agent.cli.main import main; main()",
                "memory",
                "forget",
                "--all",
                "--yes",
            ]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
            subprocess.run([*forget, "--folder", str(config.folder)], check=True, env=environment, capture_output=True)
            assert (await read_until(events, "memory"))["forgotten"]["start_s"] == 0.0
