"""Turn messages into token ids in ChatML: control tokens come from here alone, frames become lines of evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from agent.models.blocks import move_tool_images, text_of
from agent.models.embedded.request import Shown, split_message
from agent.models.llama.runtime import END, START

EVIDENCE_RULES = (
    "You do not see pictures. Code has looked at the frames for you: what it found is listed as evidence, one finding "
    "a line, each with its time in brackets. Answer the question in one or two short sentences from this evidence "
    "alone. Begin with Yes or No where the question asks for that. Take numbers from the line that begins with "
    '"counted". Something that is not listed was not seen: say so. If the evidence does not tell, such as a name, a '
    "reason, a feeling or a sound, answer: I can't tell from these frames."
)
_MARKUP = re.compile(r"<(?=/?[a-z_|])")


class Tokenizer(Protocol):
    """The vocabulary of a model."""

    def tokens(self, text: str, *, control: bool = False) -> list[int]:
        """Return the token ids of a text; its control tokens are read as such only where `control` is set."""


@dataclass(frozen=True)
class Turn:
    """One message: its role, its text, and the frames that come with it.

    Attributes:
        role: `system`, `user` or `assistant`.
        text: what it says.
        frames: what it shows; their evidence is put before the text.
        gaps: stretches without a picture, in words.
        calls: tool calls of the assistant, as JSON.
        result: whether the text is the result of a tool.
    """

    role: str
    text: str
    frames: tuple[Shown, ...] = ()
    gaps: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    result: bool = False


def read_turns(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> list[Turn]:
    """Return the turns of a conversation; rules for evidence and tools are added to the system's."""
    turns = [_turn(message) for message in move_tool_images(messages)]
    rules = [turn.text for turn in turns if turn.role == "system"]
    if any(turn.frames for turn in turns):
        rules.append(EVIDENCE_RULES)
    if tools:
        rules.append(describe_tools(tools))
    system = [Turn("system", "\n\n".join(rules))] if rules else []
    return [*system, *(turn for turn in turns if turn.role != "system")]


def _turn(message: BaseMessage) -> Turn:
    if isinstance(message, SystemMessage):
        return Turn("system", text_of(message))
    if isinstance(message, ToolMessage):
        return Turn("user", text_of(message), result=True)
    if isinstance(message, AIMessage):
        calls = [json.dumps({"name": call["name"], "arguments": call["args"]}) for call in message.tool_calls]
        return Turn("assistant", text_of(message), calls=tuple(calls))
    words, frames, gaps = split_message(message)
    return Turn("user", words, tuple(frames), gaps)


def describe_tools(tools: Sequence[dict[str, Any]]) -> str:
    """List tools in few words: their schemas would take longer to read, and bind the calls by grammar anyway."""
    lines = []
    for tool in tools:
        function = tool["function"]
        parameters = function.get("parameters", {})
        needed = parameters.get("required", [])
        names = [name + ("" if name in needed else "?") for name in parameters.get("properties", {})]
        lines.append(f"- {function['name']}({', '.join(names)}): {function.get('description', '')}")
    return (
        "You may call one of these tools where the evidence does not answer the question and the tool would help; "
        'write nothing but <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call> then.\n' + "\n".join(lines)
    )


def encode(tokenizer: Tokenizer, turns: Sequence[Turn], evidence: Callable[[Sequence[Shown]], str]) -> list[int]:
    """Return the token ids of turns and of the beginning of the assistant's answer."""
    ids: list[int] = []
    for text, control in _segments(turns, evidence):
        ids += tokenizer.tokens(text, control=True) if control else as_letters(tokenizer, text)
    return ids


def as_letters(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the token ids of a text by others, none of which is a control token or a mark of tool calls.

    Some vocabularies know marks such as `<tool_call>` as words of their own, which are found even where control tokens
    are not looked for: what begins like a mark is therefore split behind its bracket.
    """
    ids: list[int] = []
    start = 0
    for match in _MARKUP.finditer(text):
        ids += tokenizer.tokens(text[start : match.end()])
        start = match.end()
    return ids + tokenizer.tokens(text[start:])


def _segments(turns: Sequence[Turn], evidence: Callable[[Sequence[Shown]], str]) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a prompt, and whether each is a control text of this module."""
    for turn in turns:
        yield f"{START}{turn.role}\n", True
        if turn.frames or turn.gaps:
            yield _evidence_block(turn, evidence), False
        if turn.result:
            yield "<tool_response>\n", True
        if turn.text:
            yield turn.text, False
        if turn.result:
            yield "\n</tool_response>", True
        for call in turn.calls:
            yield "<tool_call>\n", True
            yield call, False
            yield "\n</tool_call>", True
        yield f"{END}\n", True
    yield f"{START}assistant\n", True


def _evidence_block(turn: Turn, evidence: Callable[[Sequence[Shown]], str]) -> str:
    lines = [evidence(turn.frames)] if turn.frames else []
    lines += [f"no picture from {gap}" for gap in turn.gaps]
    return "\n".join(["Evidence:", *lines, "", "Question: " if turn.text else ""])


def fit(turns: Sequence[Turn], size: Callable[[Sequence[Turn]], int], room: int) -> list[Turn] | None:
    """Shorten a conversation until it fits: the oldest frames go first, by halves, and then the oldest turns.

    Args:
        turns: the whole conversation.
        size: returns how many tokens turns take.
        room: how many there is room for.

    Returns:
        What is kept, or None where not even the system's rules and the newest turn fit without frames.
    """
    kept = list(turns)
    while size(kept) > room:
        at = next((at for at, turn in enumerate(kept) if turn.frames), None)
        oldest = next((at for at, turn in enumerate(kept[:-1]) if turn.role != "system"), None)
        if at is not None:
            frames = kept[at].frames
            kept[at] = replace(kept[at], frames=frames[(len(frames) + 1) // 2 :])
        elif oldest is not None:
            del kept[oldest]
        else:
            return None
    return kept
