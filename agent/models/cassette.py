"""Cassettes: `record` writes what a model is asked and answers; `replay:FILE` answers the same without the model.

A cassette is JSON lines. The first line names the model and its abilities; every other line is one call: its request,
the sha256 of that request, and the streamed chunks. Pictures are held as the sha256 of their bytes only. Of the keyword
arguments only those listed in `_KEPT` are written, so that no key, header or address can slip in.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from pydantic import PrivateAttr, ValidationError

from agent.models.blocks import image_sha256, split_content
from agent.models.protocol import MLLM, Abilities, Finding, Request
from tools.errors import ModelError

_VERSION = 1
_KEPT = ("tools", "tool_choice", "max_tokens", "temperature", "seed")
_CUT_OFF = "cut_off"


def record(model: MLLM, path: Path) -> MLLM:
    """Return the model with every call appended to a cassette, which is created if need be.

    An answer that is cancelled is recorded as far as it was streamed; one that fails, with its error.

    Raises:
        ModelError: if the file cannot be written, or holds calls of another model.
    """
    # Answers are on the cassette, embeddings are not.
    abilities = model.abilities.model_copy(update={"embeddings": False}).model_dump(mode="json")
    abilities["details"].sort()
    header = {"cassette": _VERSION, "model": model.spec, "abilities": abilities}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            path.write_text(_line(header), "utf-8")
    except OSError as error:
        raise ModelError(f"the cassette {str(path)!r} cannot be written: {error}.") from error
    recorded, _ = _read(path)
    if recorded["model"] != model.spec:
        raise ModelError(
            f"the cassette {str(path)!r} holds calls of {recorded['model']!r}, not of {model.spec!r}.",
            remedy="Record into another file, or delete this one.",
        )
    return Recorder(spec=model.spec, inner=model, path=path)


class Recorder(MLLM):
    """A model whose calls are written to a cassette; made by `record`."""

    inner: MLLM
    path: Path
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def abilities(self) -> Abilities:
        return self.inner.abilities

    def preflight(self) -> list[Finding]:
        """Ask the recorded model; what it finds is not recorded."""
        return self.inner.preflight()

    def unjudgeable(self, condition: str) -> str:
        """Ask the recorded model; what it says is not recorded."""
        return self.inner.unjudgeable(condition)

    def embed_image(self, rgb: np.ndarray) -> np.ndarray:
        """Have the recorded model embed a picture; this is not recorded."""
        return self.inner.embed_image(rgb)

    @property
    def _llm_type(self) -> str:
        return "attend-recorder"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        asked = _as_json(request)
        call: dict[str, Any] = {"sha256": _digest(asked), "request": asked, "chunks": []}
        call[_CUT_OFF] = True
        try:
            for message in self.inner._answer(request):
                call["chunks"].append(_chunk_to_json(message))
                yield message
            del call[_CUT_OFF]
        except ModelError as error:
            call["error"] = {"problem": error.problem, "expected": error.expected, "remedy": error.remedy}
            raise
        finally:
            with self._lock, self.path.open("a", encoding="utf-8") as file:
                file.write(_line(call))


class Replay(MLLM):
    """A model that repeats a cassette: the calls must come in the recorded order, with equal requests."""

    calls: list[dict[str, Any]]
    declared: Abilities
    _next: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def abilities(self) -> Abilities:
        return self.declared

    @property
    def _llm_type(self) -> str:
        return "attend-replay"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        asked = _as_json(request)
        with self._lock:
            number = self._next
            if number >= len(self.calls):
                raise ModelError(
                    f"{self.spec!r} has no call {number + 1}; it ends after {len(self.calls)}.",
                    remedy="Record it again with the program as it is now.",
                )
            call = self.calls[number]
            if call["sha256"] != _digest(asked):
                _refuse(self.spec, number, call["request"], asked)
            self._next += 1
        for chunk in call["chunks"]:
            yield _chunk_from_json(chunk)
        if "error" in call:
            raise ModelError(**call["error"])


def load_replay(path: Path) -> Replay:
    """Read a cassette.

    Raises:
        ModelError: if the file cannot be read or is not a cassette.
    """
    header, calls = _read(path)
    try:
        return Replay(spec=f"replay:{path}", calls=calls, declared=Abilities(**header["abilities"]))
    except (ValidationError, TypeError, KeyError) as error:
        raise ModelError(f"the first line of {str(path)!r} does not state a model's abilities.") from error


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ModelError(f"the cassette {str(path)!r} cannot be read: {error}.", expected="JSON lines") from error
    if not lines or not isinstance(lines[0], dict) or lines[0].get("cassette") != _VERSION or "model" not in lines[0]:
        raise ModelError(
            f"{str(path)!r} is not a cassette.",
            expected=f'a first line with "cassette": {_VERSION}, as `record` writes it',
        )
    for number, call in enumerate(lines[1:], start=2):
        if not isinstance(call, dict) or not {"sha256", "request", "chunks"} <= call.keys():
            raise ModelError(f"line {number} of the cassette {str(path)!r} is not a recorded call.")
    return lines[0], lines[1:]


def _as_json(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {"messages": [_message_to_json(message) for message in request.messages]}
    if request.stop:
        asked["stop"] = request.stop
    return {**asked, **{name: request.options[name] for name in _KEPT if name in request.options}}


def _message_to_json(message: BaseMessage) -> dict[str, Any]:
    held: dict[str, Any] = {"type": message.type, "content": []}
    for part in split_content(message.content):
        if part["type"] == "image":
            image = {"type": "image", "sha256": image_sha256(part)}
            held["content"].append({**image, "extras": part["extras"]} if part.get("extras") else image)
        else:
            held["content"].append(part)
    if isinstance(message, AIMessage) and message.tool_calls:
        held["tool_calls"] = [{key: call[key] for key in ("name", "args", "id")} for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        held["tool_call_id"] = message.tool_call_id
    return held


def _chunk_to_json(message: AIMessageChunk) -> dict[str, Any]:
    held: dict[str, Any] = {}
    if message.text:
        held["text"] = message.text
    if message.tool_call_chunks:
        calls = [dict(call) for call in message.tool_call_chunks]
        held["tool_calls"] = [{key: call.get(key) for key in ("name", "args", "id", "index")} for call in calls]
    if message.usage_metadata:
        held["usage"] = message.usage_metadata
    if message.chunk_position:
        held["position"] = message.chunk_position
    if reasoning := message.additional_kwargs.get("reasoning_content"):
        held["reasoning"] = reasoning
    return held


def _chunk_from_json(held: dict[str, Any]) -> AIMessageChunk:
    return AIMessageChunk(
        content=held.get("text", ""),
        tool_call_chunks=[tool_call_chunk(**call) for call in held.get("tool_calls", [])],
        usage_metadata=held.get("usage"),
        chunk_position=held.get("position"),
        additional_kwargs={"reasoning_content": held["reasoning"]} if "reasoning" in held else {},
    )


def _refuse(spec: str, number: int, recorded: dict[str, Any], asked: dict[str, Any]) -> NoReturn:
    before, now = (json.dumps(request, indent=1, sort_keys=True).splitlines() for request in (recorded, asked))
    changed = [
        line for line in difflib.unified_diff(before, now, n=0, lineterm="") if line[:2] not in ("--", "++", "@@")
    ]
    shown = "\n".join(line if len(line) <= 160 else line[:157] + "..." for line in changed[:12])
    more = f"\n... and {len(changed) - 12} lines more" if len(changed) > 12 else ""
    raise ModelError(
        f"call {number + 1} of {spec!r} differs from the recorded one (- recorded, + now):\n{shown}{more}\n",
        remedy="Undo the change, or record the cassette again.",
    )


def _digest(request: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _line(held: dict[str, Any]) -> str:
    return json.dumps(held, ensure_ascii=False) + "\n"
