"""The backend for OpenAI-compatible servers, against a server that behaves like vLLM."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.models import ModelOptions, load_mllm
from agent.models.blocks import image_block
from agent.models.openai.backend import OpenAI
from tests.fake_vllm import FakeVLLM
from tests.mllm_conformance import Zoom, ask, picture, tool_exchange
from tools.errors import ModelError
from tools.loopback import is_local

SECRET = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def connect(server: FakeVLLM, name: str = "qwen3-vl", **options: Any) -> OpenAI:
    model = load_mllm(f"openai:{name}@{server.url}", ModelOptions(**{"timeout_s": 20, "max_tokens": 16, **options}))
    assert isinstance(model, OpenAI)
    return model


def images_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (role, data URL) of the pictures in a request."""
    return [
        (message["role"], part["image_url"]["url"])
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


def test_pictures_travel_as_small_data_urls_outside_tool_messages() -> None:
    with FakeVLLM() as server:
        large = image_block(np.zeros((400, 800, 3), np.uint8), t_s=1.0)
        connect(server, max_side_px=64).invoke([HumanMessage([large, {"type": "text", "text": "?"}]), *tool_exchange()])
    sent = images_of(server.requests[0])
    assert [role for role, _ in sent] == ["user", "user"]
    assert all(url.startswith("data:image/jpeg;base64,") for _, url in sent)
    assert len(sent[0][1]) < len(large["base64"]) / 2
    tool = next(message for message in server.requests[0]["messages"] if message["role"] == "tool")
    assert "twice as large" in tool["content"]


def test_the_oldest_pictures_are_left_out_beyond_the_limit() -> None:
    with FakeVLLM(images_per_prompt=2) as server:
        shown = [image_block(picture(shade)) for shade in (0, 40, 80)]
        connect(server, max_images=2).invoke([HumanMessage([*shown, {"type": "text", "text": "?"}])])
    kept = [url.partition(",")[2] for _, url in images_of(server.requests[0])]
    assert kept == [shown[1]["base64"], shown[2]["base64"]]
    assert "1 older picture left out" in str(server.requests[0])


def test_options_reach_the_server() -> None:
    with FakeVLLM() as server:
        connect(server, temperature=0.5, seed=3, max_tokens=9).invoke("Hi")
    body = server.requests[0]
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.5, 3, 9)
    assert "max_completion_tokens" not in body


def test_a_server_that_refuses_stream_options_still_streams() -> None:
    with FakeVLLM(knows_stream_options=False, reports_usage=False) as server:
        model = connect(server)
        chunks = list(model.stream("Hi"))
        list(model.stream("Hi"))
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].response_metadata["usage"] == "estimated"
    assert ["stream_options" in body for body in server.requests] == [True, False, False]


@pytest.mark.parametrize("fault", [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0.1"}), (503, {}), (0, {})])
@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
async def test_busy_servers_are_asked_again(fault: tuple[int, dict[str, str]], way: str) -> None:
    with FakeVLLM(faults=[fault]) as server:
        model = connect(server)
        if way == "invoke":
            text = model.invoke("Hi").text
        elif way == "stream":
            text = "".join(chunk.text for chunk in model.stream("Hi"))
        elif way == "ainvoke":
            text = (await model.ainvoke("Hi")).text
        else:
            text = "".join([chunk.text async for chunk in model.astream("Hi")])
    assert text.startswith("A cyclist")
    assert len(server.requests) == 2


def test_a_server_that_stays_busy_is_given_up_within_the_timeout() -> None:
    with FakeVLLM(faults=[(429, {"Retry-After": "60"})] * 3) as server, pytest.raises(ModelError, match="too busy"):
        connect(server, timeout_s=2).invoke("Hi")
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_an_error_and_not_repeated() -> None:
    with FakeVLLM(faults=[], breaks_after=3) as server:
        seen = []
        stream = connect(server).stream("Hi")
        # vLLM that dies mid-stream closes the connection without the final chunk.
        with pytest.raises(ModelError, match="broke off"):
            seen.extend(chunk.text for chunk in stream)
        assert len(server.requests) == 1


def test_a_conversation_that_is_too_long_names_the_remedy() -> None:
    with (
        FakeVLLM(context=50) as server,
        pytest.raises(ModelError, match=r"longer than the server's context.*Show fewer"),
    ):
        connect(server).invoke("word " * 500)


def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match="did not answer in time"):
            load_mllm(f"openai:m@{url}", ModelOptions(timeout_s=0.3)).invoke("Hi")


def test_a_good_server_has_no_findings() -> None:
    with FakeVLLM(tool_images=True) as server:
        model = connect(server)
        assert model.preflight() == []
    assert model.abilities.context_tokens == 4096
    assert model.abilities.local
    assert all(body["max_tokens"] == 1 for body in server.requests)


@pytest.mark.parametrize(
    ("faults", "what", "said"),
    [
        ({"vision": False}, ["no vision"], "--mmproj"),
        ({"images_per_prompt": 1, "tool_images": True}, ["image limit"], "--limit-mm-per-prompt"),
        ({"images_per_prompt": 4, "tool_images": True}, ["image limit"], "--limit-mm-per-prompt"),
        ({"tool_parser": False}, ["no tools"], "--enable-auto-tool-choice"),
        ({"tool_images": False}, ["no tool images"], "user message"),
    ],
)
def test_preflight_tells_the_lacks_apart(faults: dict[str, Any], what: list[str], said: str) -> None:
    with FakeVLLM(**faults) as server:
        model = connect(server)
        findings = model.preflight()
    assert [finding.what for finding in findings] == what
    assert said in findings[0].remedy
    assert model.abilities.images == ("no vision" not in what)
    assert model.abilities.tool_calls == ("no tools" not in what)
    assert model.abilities.max_images == (0 if "no vision" in what else faults.get("images_per_prompt"))


def test_what_preflight_found_is_heeded() -> None:
    with FakeVLLM(vision=False, tool_parser=False) as server:
        model = connect(server)
        model.preflight()
        with pytest.raises(ModelError, match="without vision"):
            model.invoke(ask("?", image_block(picture())))
        with pytest.raises(ModelError, match="cannot call tools"):
            model.bind_tools([Zoom])
    with FakeVLLM(images_per_prompt=1) as server:
        model = connect(server)
        model.preflight()
        assert isinstance(model.invoke(ask("?", image_block(picture()), image_block(picture(9)))), AIMessage)


def test_without_preflight_the_refusals_are_explained() -> None:
    with FakeVLLM(vision=False, tool_parser=False) as server:
        model = connect(server)
        with pytest.raises(ModelError, match="cannot see pictures"):
            model.invoke(ask("?", image_block(picture())))
        with pytest.raises(ModelError, match="--enable-auto-tool-choice"):
            model.bind_tools([Zoom]).invoke("Hi")


def test_a_missing_model_names_the_nearest() -> None:
    with FakeVLLM(models=("qwen3-vl-8b", "llama-4")) as server, pytest.raises(ModelError) as caught:
        connect(server, "qwen3-vl").preflight()
    assert "'llama-4'" in str(caught.value)
    assert "Did you mean 'qwen3-vl-8b'?" in str(caught.value)


def test_a_server_that_cannot_list_its_models_is_still_asked() -> None:
    with FakeVLLM(lists_models=False, tool_images=True) as server:
        assert connect(server).preflight() == []
        with pytest.raises(ModelError, match=r"HTTP 404.*does not exist"):
            connect(server, "another").preflight()


def test_a_server_that_serves_any_name_is_not_refused_for_its_list() -> None:
    with FakeVLLM(models=("/models/qwen.gguf",), any_name=True, tool_images=True) as server:
        assert connect(server, "qwen").preflight() == []


def test_no_server_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    model = load_mllm(f"openai:m@http://127.0.0.1:{port}/v1")
    assert isinstance(model, OpenAI)
    for call in (lambda: model.preflight(), lambda: model.invoke("Hi"), lambda: list(model.stream("Hi"))):
        with pytest.raises(ModelError, match="no server answers"):
            call()


def test_a_refused_key_is_told_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FakeVLLM(key="sk-another") as server:
        model = connect(server)
        for call in (lambda: model.preflight(), lambda: model.invoke("Hi"), lambda: list(model.stream("Hi"))):
            with pytest.raises(ModelError, match="refuses the key") as caught:
                call()
            assert SECRET not in str(caught.value)
            assert caught.value.__cause__ is None
    assert server.keys[0] == f"Bearer {SECRET}"
    assert SECRET not in repr(model) + str(model.model_dump()) + caplog.text


def test_a_server_that_repeats_the_key_does_not_spread_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FakeVLLM(faults=[(400, {})]) as server, pytest.raises(ModelError, match=r"you sent Bearer \*\*\*") as caught:
        connect(server).invoke("Hi")
    assert SECRET not in str(caught.value)


def test_without_a_key_a_placeholder_is_sent() -> None:
    with FakeVLLM() as server:
        connect(server).invoke("Hi")
    assert server.keys == ["Bearer not-needed"]


def test_a_wrong_path_is_told() -> None:
    with FakeVLLM() as server:
        model = load_mllm(f"openai:m@{server.url}/v2")
        assert isinstance(model, OpenAI)
        with pytest.raises(ModelError, match="ends in /v1"):
            model.preflight()


class _Website(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


@pytest.fixture
def website() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Website)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_website_is_not_taken_for_a_model_server(website: ThreadingHTTPServer) -> None:
    model = load_mllm(f"openai:m@http://127.0.0.1:{website.server_address[1]}")
    assert isinstance(model, OpenAI)
    for call in (lambda: model.preflight(), lambda: model.invoke("Hi")):
        with pytest.raises(ModelError, match=r"not as a model server|not a chat completion"):
            call()


def test_an_unknown_certificate_is_told(website: ThreadingHTTPServer, tmp_path: Path) -> None:
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", *files],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    website.socket = context.wrap_socket(website.socket, server_side=True)
    model = load_mllm(f"openai:m@https://127.0.0.1:{website.server_address[1]}/v1")
    with pytest.raises(ModelError, match="could not prove who it is"):
        model.invoke("Hi")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.3.4.5:8000/v1", True),
        ("http://[::1]:11434/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://192.168.1.5:8000/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_only_loopback_hosts_are_local(url: str, local: bool) -> None:
    assert is_local(url) is local
    model = load_mllm(f"openai:m@{url}")
    assert model.abilities.local is local


def test_the_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert load_mllm("openai:qwen@q4").spec == "openai:qwen@q4@http://127.0.0.1:9/v1"


@pytest.mark.parametrize(("spec", "said"), [("openai:m", "no address"), ("openai:m@ftp://host/v1", "not the address")])
def test_a_spec_without_an_address_is_refused(spec: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_mllm(spec)


def test_credentials_in_the_address_are_masked() -> None:
    model = load_mllm("openai:m@http://me:hunter2@127.0.0.1:9/v1")
    assert "hunter2" not in model.spec + repr(model)
