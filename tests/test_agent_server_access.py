"""Who may speak to the page's server, and what it never tells, tried over real HTTP and WebSockets."""

import asyncio
import io
import json
import os
import socket
import struct
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect

from agent.models import Abilities
from agent.models.scripted import Scripted, Turn
from agent.server.auth import Access, printed_url
from agent.server.options import ServerOptions
from agent.server.serve import describe_egress
from agent.server.session import SourceRoom
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, events_of, read_until, seen_until, serving, settings, sign_in

NO_FRAME = "/rooms/1/frames/" + "0" * 64


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3)])


@pytest.fixture(scope="module")
def shared(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving([clip], settings(tmp_path_factory.mktemp("memory")), loop=True) as served:
        yield served


@pytest.mark.parametrize("host", ["evil.example", "evil.example:PORT", "localhost:1", "127.0.0.1.evil.example", ""])
async def test_a_foreign_name_that_leads_here_is_refused(shared: Served, host: str) -> None:
    port = shared.url.rsplit(":", 1)[1]
    named = {"host": host.replace("PORT", port)}
    for path in ("/", "/session", "/rooms/1/timeline", "/page/main.js"):
        reply = shared.client.get(path, headers=named)
        assert reply.status_code == 400
        assert "unknown host name" in reply.json()["problem"]
    if host:
        with pytest.raises(websockets.InvalidStatus):
            await asyncio.wait_for(_connect_as(shared, named["host"]), 60)


async def _connect_as(served: Served, host: str) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    address = f"ws://{host.split(':')[0]}:{port}/rooms/1/events"
    async with connect(address, host="127.0.0.1", port=port, origin=f"http://{host}"):
        pass


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_names_of_this_machine_are_known(shared: Served, host: str) -> None:
    port = shared.url.rsplit(":", 1)[1]
    assert shared.client.get("/session", headers={"host": f"{host}:{port}"}).status_code == 200


ORIGINS = ["http://evil.example", "null", None, "http://127.0.0.1:1", "file://", "http://[x"]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_changes_and_sockets_from_elsewhere_are_refused(shared: Served, origin: str | None) -> None:
    headers = {"x-attend-csrf": shared.client.headers["x-attend-csrf"], **({"origin": origin} if origin else {})}
    for path in ("ask", "stop", "pause", "forget", "watches"):
        reply = httpx.post(f"{shared.url}/rooms/1/{path}", json={"text": "x"}, headers=headers)
        assert reply.status_code == 403, path
    for name in ("events", "live"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connect(f"{shared.ws}/rooms/1/{name}", origin=origin):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403


def test_a_change_needs_the_page_s_own_token_and_other_sites_read_nothing(shared: Served) -> None:
    headers = {"origin": shared.url}
    assert httpx.post(f"{shared.url}/rooms/1/stop", headers=headers).status_code == 403
    assert httpx.post(f"{shared.url}/rooms/1/stop", headers={**headers, "x-attend-csrf": "x"}).status_code == 403
    assert shared.client.post("/rooms/1/stop").status_code == 204
    for path in ("/session", "/rooms/1/export", "/rooms/1/timeline"):
        assert shared.client.get(path, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert "access-control-allow-origin" not in shared.client.get("/session").headers


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/session", "/nothing", "/rooms/9/timeline"])
def test_every_reply_carries_the_security_headers(shared: Served, path: str) -> None:
    headers = shared.client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_defect_is_told_in_words_and_with_the_security_headers(
    shared: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(room: SourceRoom) -> None:
        raise RuntimeError("rtsp://user:hush@camera")

    monkeypatch.setattr(SourceRoom, "timeline", break_down)
    reply = shared.client.get("/rooms/1/timeline")
    assert reply.status_code == 500
    assert "internal error" in reply.json()["problem"]
    assert "hush" not in reply.text
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert (reply.headers["x-content-type-options"], reply.headers["cache-control"]) == ("nosniff", "no-store")
    assert "unhandled error in a request" in caplog.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/page/..%2fapp.py", 404),
        ("/page/app.py", 422),
        ("/page/missing.js", 404),
        ("/rooms/1/frames/..%2f..%2fthreads.sqlite", 404),
        ("/rooms/1/frames/" + "z" * 64, 422),
        ("/rooms/1/frames/" + "0" * 64, 400),
        ("/rooms/1/frames?start_s=5&end_s=1", 400),
        ("/rooms/1/frames?start_s=nan&end_s=1", 422),
        ("/rooms/1/moment?t_s=-1", 422),
        ("/rooms/1/moment?t_s=1&frame_id=../x", 422),
        ("/rooms/2/timeline", 404),
        ("/docs", 404),
        ("/openapi.json", 404),
    ],
)
def test_what_is_not_there_is_said_in_words(shared: Served, path: str, status: int) -> None:
    reply = shared.client.get(path)
    assert reply.status_code == status, reply.text
    assert reply.json()["problem"]


def test_long_bodies_are_cut_off(shared: Served) -> None:
    assert shared.post("/rooms/1/ask", text="x" * 70_000).status_code == 413
    assert shared.post("/rooms/1/ask", text="x" * 5_000).status_code == 422
    endless = (part for part in (b'{"text": "Hi?"}', *[b" " * 10_000] * 10))  # its length is not said
    reply = shared.client.post("/rooms/1/ask", content=endless, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["problem"]
    assert not shared.state.rooms[0].conversation


async def test_elsewhere_a_token_is_asked_for_everywhere(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path, host="0.0.0.0"), {"say": "Red [0:01]."}) as served:
        token = served.state.access.token
        assert len(token) >= 32
        assert token in printed_url("0.0.0.0", 1, token).split("#")[1]
        client = served.client
        assert "token" in client.get("/").text
        assert "main.js" not in client.get("/").text
        for path in (
            "/session",
            "/page/main.js",
            "/rooms/1/timeline",
            "/rooms/1/export",
            NO_FRAME,
        ):
            assert client.get(path).status_code in (401, 403), path
        assert served.post("/rooms/1/ask", text="Hi?").status_code == 401
        for name in ("events", "live"):
            with pytest.raises(websockets.InvalidStatus):
                async with connect(f"{served.ws}/rooms/1/{name}", origin=served.url):  # type: ignore[arg-type]
                    pass
        wrong = served.post("/session", token="wrong")
        assert wrong.status_code == 403
        assert token not in wrong.text
        let_in = client.post("/session", json={"token": token})
        cookie = let_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert token not in cookie
        sign_in(client)
        assert "main.js" in client.get("/").text
        assert served.post("/rooms/1/ask", text="Hi?").status_code == 202
        jar = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        async with events_of(served, additional_headers={"cookie": jar}) as events:
            assert (await read_until(events, "snapshot"))["room"]["state"] == "open"


def test_behind_a_proxy_a_token_is_asked_for_too(clip: Path, tmp_path: Path) -> None:
    with serving([clip], settings(tmp_path, allowed_hosts=("attend.example",))) as served:
        named = {"host": "attend.example", "origin": "https://attend.example"}
        assert "main.js" not in served.client.get("/", headers=named).text
        assert served.client.get("/rooms/1/timeline", headers=named).status_code == 401
        token = {"token": served.state.access.token}
        assert served.client.post("/session", json=token, headers=named).status_code == 204
        assert served.client.get("/rooms/1/timeline", headers=named).status_code == 200


def test_a_printed_token_may_hold_anything() -> None:
    url = printed_url("127.0.0.1", 1, "a token & more=#%")
    assert parse_qs(urlsplit(url).fragment) == {"token": ["a token & more=#%"]}


def test_tokens_and_cookies_are_secrets_of_one_run() -> None:
    first, second = (Access(ServerOptions(host="0.0.0.0"), 1) for _ in range(2))
    assert first.token != second.token
    assert first.csrf != second.csrf
    assert not first.fits_token(second.token)
    assert not Access(ServerOptions(), 1).token
    assert Access(ServerOptions(token="0123456789abcdef"), 1).fits_token("0123456789abcdef")
    assert "0123456789abcdef" not in repr(ServerOptions(token="0123456789abcdef"))


async def test_credentials_of_a_source_show_nowhere_and_other_sources_go_on(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "rtsp://user:hush@127.0.0.1:1/stream?token=hush2"
    with serving([secret, clip], settings(tmp_path)) as served:
        rooms = served.client.get("/session").json()["rooms"]
        assert [room["state"] for room in rooms] == ["failed", "open"]
        assert rooms[0]["problem"]["problem"]
        told = [served.client.get("/session").text, served.client.get("/").text]
        told += [served.client.get("/rooms/1/timeline").text, served.post("/rooms/1/ask", text="Hi?").text]
        async with events_of(served) as events:
            told.append(json.dumps(await read_until(events, "snapshot")))
            assert served.post("/rooms/1/retry").status_code == 204
            assert (await read_until(events, "room", state="opening"))["problem"] is None
            told.append(json.dumps(await read_until(events, "room", state="failed")))
        assert served.post("/rooms/2/retry").status_code == 409
        assert served.client.get("/rooms/2/timeline").status_code == 200
    captured = capfd.readouterr()
    assert "hush" not in "".join(told) + captured.out + captured.err
    assert "***" in told[0]


async def test_a_camera_s_password_shows_nowhere_while_it_is_watched(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True).returncode:
        missing = "no RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(__file__).parent / "fixtures" / "rtsp_server.py"
    command = ["/usr/bin/python3", str(program), str(port), "nurse", "s3cret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as camera:
        try:
            assert camera.stdout
            assert camera.stdout.readline() == "ready\n"
            address = f"rtsp://nurse:s3cret@127.0.0.1:{port}/cam"
            with serving([address], settings(tmp_path), {"when": "Now", "say": "A test card."}) as served:
                told = []
                async with events_of(served) as events:
                    told.append(json.dumps(await read_until(events, "snapshot")))
                    status = await read_until(events, "status", badge="live")
                    async with connect(f"{served.ws}/rooms/1/live", origin=served.url) as live:  # type: ignore[arg-type]
                        await live.send("next")
                        picture = await asyncio.wait_for(live.recv(), 60)
                    (wall_s,) = struct.unpack_from("<d", picture, 8)  # type: ignore[arg-type]
                    assert abs(time.time() - wall_s) < 60
                    served.post("/rooms/1/ask", text="Hi?")
                    told += [json.dumps(await read_until(events, "turn_state", state="failed")), json.dumps(status)]
                    seen_until(served, 1.0)
                    served.post("/rooms/1/ask", text="Now?")
                    latency = (await read_until(events, "turn_state", state="done"))["latency"]
                    assert 0 < latency["age_s"] < 10
                    assert latency["late_s"] is None  # a camera has no time at which a frame is due
                    camera.kill()
                    told.append(json.dumps(await read_until(events, "status", badge="stale")))
                told += [served.client.get(path).text for path in ("/", "/session", "/rooms/1/timeline")]
                bundle = zipfile.ZipFile(io.BytesIO(served.client.get("/rooms/1/export").content))
                told += [bundle.read(name).decode("latin-1") for name in bundle.namelist()]
        finally:
            camera.kill()
    captured = capfd.readouterr()
    assert "rtsp://***@127.0.0.1" in told[0]
    assert "s3cret" not in "".join(told) + captured.out + captured.err


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("openai:m@https://user:hush@models.example/v1?key=hush", "Frames and words go to models.example"),
        ("openai:m@http://192.0.2.7:8000/v1", "Frames and words go to 192.0.2.7"),
    ],
)
def test_what_leaves_the_machine_is_named_without_credentials(spec: str, told: str) -> None:
    away = Scripted(turns=[Turn(say="x")], spec=spec, declared=Abilities(images=True, local=False))
    egress = describe_egress(away)
    assert (egress.local, egress.text) == (False, told)
    assert "hush" not in egress.model_dump_json()
    assert describe_egress(Scripted(turns=[Turn(say="x")])).local
