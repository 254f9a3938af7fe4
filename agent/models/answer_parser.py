"""Take a model's raw text apart while it streams: what it says, what it thinks, which tools it calls.

Understood are `<think>...</think>`; `<tool_call>` around JSON (Qwen, Hermes) or around `<function=NAME>` with
`<parameter=KEY>` (Qwen3-Coder and later); and, where tools are bound, an answer that is nothing but JSON, with or
without `[TOOL_CALLS]` before it (Llama 3, Mistral). What cannot be read as a call stays text: nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

_OPENINGS = {"<think>": "</think>", "<tool_call>": "</tool_call>"}
_XML_CALL = re.compile(r"\s*<function=([^>\s]+)>(.*?)(?:</function>)?\s*", re.DOTALL)
_XML_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_BARE_STARTS = ("{", "[{", "[TOOL_CALLS]")


class Part(NamedTuple):
    """A piece of the answer: said or thought text, or a whole call, whose text is its arguments as JSON."""

    kind: Literal["text", "reasoning", "call"]
    text: str
    name: str = ""


class AnswerParser:
    """Reads one answer, piece by piece.

    Args:
        tools: the OpenAI tool definitions that are bound.
        thinking: whether the prompt already opened `<think>`.
    """

    def __init__(self, tools: list[dict[str, Any]], *, thinking: bool = False) -> None:
        self._properties = {
            tool["function"]["name"]: tool["function"].get("parameters", {}).get("properties", {}) for tool in tools
        }
        self._buffer = ""
        self._inside = "<think>" if thinking else ""
        self._said_something = False

    def feed(self, piece: str) -> Iterator[Part]:
        """Yield what the next piece of raw text completes."""
        self._buffer += piece
        while True:
            if self._inside:
                closing = _OPENINGS[self._inside]
                body, closed, rest = self._buffer.partition(closing)
                if not closed:
                    if self._inside == "<think>":
                        yield from self._say("reasoning", self._take_safe([closing]))
                    return
                opening, self._inside, self._buffer = self._inside, "", rest
                if opening == "<think>":
                    yield from self._say("reasoning", body)
                else:
                    yield from self._call(body, opening + body + closing)
            else:
                if self._may_be_bare_call():
                    return
                place = re.search("|".join(_OPENINGS), self._buffer)
                if place is None:
                    yield from self._say("text", self._take_safe(list(_OPENINGS)))
                    return
                yield from self._say("text", self._buffer[: place.start()])
                self._inside, self._buffer = place[0], self._buffer[place.end() :]

    def end(self) -> Iterator[Part]:
        """Yield what is left when the answer is over."""
        held, self._buffer = self._buffer, ""
        if self._inside == "<think>":
            yield from self._say("reasoning", held)
        elif self._inside:
            yield from self._call(held, self._inside + held)
        elif held:
            calls = self._bare_calls(held) if self._properties else []
            yield from calls or self._say("text", held)

    def _say(self, kind: Literal["text", "reasoning"], text: str) -> Iterator[Part]:
        if kind == "text" and not self._said_something:
            text = text.lstrip()
        if text:
            self._said_something |= kind == "text"
            yield Part(kind, text)

    def _take_safe(self, tags: list[str]) -> str:
        """Take the buffer but for a tail that may be the beginning of a tag."""
        longest = max(len(tag) for tag in tags)
        for length in range(min(longest, len(self._buffer)), 0, -1):
            if any(tag.startswith(self._buffer[-length:]) for tag in tags):
                break
        else:
            length = 0
        cut = len(self._buffer) - length
        safe, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return safe

    def _may_be_bare_call(self) -> bool:
        start = self._buffer.lstrip()
        if not self._properties or self._said_something or not start:
            return False
        return any(start.startswith(bare) or bare.startswith(start) for bare in _BARE_STARTS)

    def _call(self, body: str, raw: str) -> Iterator[Part]:
        xml = _XML_CALL.fullmatch(body)
        if xml:
            given = {key: self._typed(xml[1], key, text) for key, text in _XML_PARAMETER.findall(xml[2])}
            yield Part("call", json.dumps(given), xml[1])
            return
        calls = _json_calls(body)
        yield from calls or self._say("text", raw)

    def _typed(self, name: str, key: str, text: str) -> Any:
        if self._properties.get(name, {}).get(key, {}).get("type") == "string":
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _bare_calls(self, text: str) -> list[Part]:
        calls = _json_calls(text.strip().removeprefix("[TOOL_CALLS]"))
        return calls if all(call.name in self._properties for call in calls) else []


def _json_calls(text: str) -> list[Part]:
    """Read `{"name": ..., "arguments": {...}}`, or a list of these; empty if the text is anything else."""
    try:
        held = json.loads(text)
    except ValueError:
        return []
    calls = []
    for entry in held if isinstance(held, list) else [held]:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            return []
        given = entry.get("arguments", entry.get("parameters", {}))
        calls.append(Part("call", given if isinstance(given, str) else json.dumps(given), entry["name"]))
    return calls


def until(pieces: Iterator[Any], stop: list[str]) -> Iterator[Any]:
    """Pass pieces on up to the first stop text, which is left out."""
    if not stop:
        yield from pieces
        return
    longest = max(map(len, stop))
    held = ""
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece
            continue
        held += piece
        ends = [at for word in stop if (at := held.find(word)) >= 0]
        if ends:
            yield held[: min(ends)]
            return
        if len(held) >= longest:
            yield held[: len(held) - longest + 1]
            held = held[len(held) - longest + 1 :]
    if held:
        yield held
