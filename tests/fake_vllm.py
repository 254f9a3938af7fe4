"""A small HTTP server on 127.0.0.1 that answers like vLLM's OpenAI-compatible one, its refusals included."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ["A", "cyclist", "crosses", "the", "bridge", "while", "a", "red", "car", "waits", "at", "the", "light."]


@dataclass
class FakeVLLM:
    """The server and its faults; use it as a context manager.

    Attributes:
        faults: (status, headers) answered to the first chat requests, in order; status 0 breaks the connection.
        produced: tokens sent so far. requests: the bodies received.
    """

    models: tuple[str, ...] = ("qwen3-vl",)
    lists_models: bool = True
    any_name: bool = False
    key: str | None = None
    vision: bool = True
    images_per_prompt: int | None = None
    tool_parser: bool = True
    tool_images: bool = False
    knows_stream_options: bool = True
    reports_usage: bool = True
    context: int = 4096
    token_delay_s: float = 0.0
    breaks_after: int | None = None
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    produced: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def __enter__(self) -> FakeVLLM:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    fake: FakeVLLM
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self._authorised():
            return
        if self.path != "/v1/models":
            self._json(404, {"detail": "Not Found"})
            return
        if not self.fake.lists_models:
            self._json(500, {})
            return
        entries = [{"id": name, "object": "model", "max_model_len": self.fake.context} for name in self.fake.models]
        self._json(200, {"object": "list", "data": entries})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._authorised():
            return
        if self.path != "/v1/chat/completions":
            self._json(404, {"detail": "Not Found"})
            return
        self.fake.requests.append(body)
        if self.fake.faults:
            status, headers = self.fake.faults.pop(0)
            if status == 0:
                self.close_connection = True
                self.connection.close()
            else:
                # A careless proxy: it repeats what it was sent.
                self._refuse(status, f"Try later; you sent {self.headers['Authorization']}.", headers)
            return
        refusal = self._refusal(body)
        if refusal:
            self._refuse(*refusal)
        elif body.get("stream"):
            self._stream(body)
        else:
            self._answer(body)

    def _authorised(self) -> bool:
        sent = self.headers.get("Authorization", "")
        self.fake.keys.append(sent)
        if self.fake.key is None or sent == f"Bearer {self.fake.key}":
            return True
        self._json(401, {"error": f"Unauthorized: {sent}"})
        return False

    def _refusal(self, body: dict[str, Any]) -> tuple[int, str] | None:
        fake, name = self.fake, body["model"]
        parts = [
            (message["role"], part)
            for message in body["messages"]
            if isinstance(message.get("content"), list)
            for part in message["content"]
        ]
        images = [role for role, part in parts if part["type"] == "image_url"]
        length = sum(len(str(message.get("content"))) for message in body["messages"]) // 4 if not images else 0
        if name not in fake.models and not fake.any_name:
            return 404, f"The model `{name}` does not exist."
        if any(part.keys() - {"type", "text", "image_url"} for _, part in parts):
            return 400, "Extra inputs are not permitted"
        if images and not fake.vision:
            return 400, f"{name} is not a multimodal model"
        if "tool" in images and not fake.tool_images:
            return 400, "1 validation error: tool messages take text only"
        if fake.images_per_prompt is not None and len(images) > fake.images_per_prompt:
            return 400, f"At most {fake.images_per_prompt} image(s) may be provided in one prompt."
        if body.get("tools") and body.get("tool_choice", "auto") == "auto" and not fake.tool_parser:
            return 400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        if "stream_options" in body and not fake.knows_stream_options:
            return 400, "Unrecognized request argument supplied: stream_options"
        if length > fake.context:
            return 400, f"This model's maximum context length is {fake.context} tokens, however you requested {length}."
        return None

    def _tokens(self, body: dict[str, Any]) -> list[str]:
        # Who allows a long answer gets one.
        limit = body.get("max_tokens", 16)
        return [WORDS[number % len(WORDS)] + " " for number in range(limit if limit >= 100 else min(limit, 6))]

    def _call(self, body: dict[str, Any]) -> dict[str, Any] | None:
        if not body.get("tools") or body.get("tool_choice", "auto") == "auto":
            return None
        name = body["tools"][0]["function"]["name"]
        return {"name": name, "arguments": '{"side": "left", "times": 3}'}

    def _usage(self, body: dict[str, Any], spoken: int) -> dict[str, int]:
        seen = sum(len(str(message.get("content")).split()) for message in body["messages"])
        return {"prompt_tokens": seen, "completion_tokens": spoken, "total_tokens": seen + spoken}

    def _answer(self, body: dict[str, Any]) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        call, tokens = self._call(body), self._tokens(body)
        if call:
            message["tool_calls"] = [{"id": "chatcmpl-tool-1", "type": "function", "function": call}]
        else:
            message["content"] = "".join(tokens)
        self.fake.produced += len(tokens)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
        answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
        self._json(200, answer | ({"usage": self._usage(body, len(tokens))} if self.fake.reports_usage else {}))

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        call, tokens = self._call(body), self._tokens(body)
        deltas: list[dict[str, Any]] = [{"content": token} for token in tokens]
        if call:
            start = {"index": 0, "id": "chatcmpl-tool-1", "type": "function", "function": {**call, "arguments": ""}}
            pieces = [call["arguments"][:9], call["arguments"][9:]]
            rest = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
            deltas = [{"tool_calls": [start]}, *rest]
        try:
            for number, delta in enumerate(deltas):
                if number == self.fake.breaks_after:
                    return
                self._event(body, [{"index": 0, "delta": delta, "finish_reason": None}])
                self.fake.produced += 1
                time.sleep(self.fake.token_delay_s)
            reason = "tool_calls" if call else "stop"
            self._event(body, [{"index": 0, "delta": {}, "finish_reason": reason}])
            if self.fake.reports_usage and body.get("stream_options", {}).get("include_usage"):
                self._event(body, [], usage=self._usage(body, len(tokens)))
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the client went away, which is when vLLM stops generating
        finally:
            self.close_connection = True

    def _event(self, body: dict[str, Any], choices: list[dict[str, Any]], **more: Any) -> None:
        held = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": choices}
        self.wfile.write(f"data: {json.dumps(held | more)}\n\n".encode())
        self.wfile.flush()

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._json(status, {"error": {"message": message, "type": "Error", "param": None, "code": status}}, headers)

    def _json(self, status: int, held: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        encoded = json.dumps(held).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(encoded)
