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

EVIDENCE = """\
You do not see the frames yourself. Code has looked at them: what it found is listed as evidence, one finding a line, \
with its time in brackets."""
ANSWERS = """\
Answer in one or two full sentences, in the language of the question, from this evidence alone:
- What, describe, caption, sum up: name the things of the evidence, what they do and where, however few they are.
- How many: take the number from the line "counted"; do not count lines.
- Is there, do you see: begin with Yes or No. A thing that the evidence does not list was not seen: No.
- When: the time in brackets.
- The line "a rule answers" answers this very question: say the same in your own words.
- A name, a reason, a face, a feeling, a sound, an amount, or a detail that is not listed: only say "I can't tell from \
these frames."
For example, with the evidence "counted, at most: two dogs at once [0:01], seen from [0:01] to [0:04]; one car at once \
[0:03], seen only at [0:03]" and "[0:03] two dogs (black) on the left; a car (red) in the middle":
Describe the video. Two black dogs are on the left, and a red car passes in the middle [0:03].
How many dogs are there? There are two dogs [0:01].
Is there a bicycle? No, I see no bicycle.
When does the car appear? The car appears at [0:03].
Are the dogs happy? I can't tell from these frames.
Que voit-on ? Deux chiens noirs et une voiture rouge [0:03]."""
_MARKUP = re.compile(r"<(?=/?[a-z_|])")


Evidence = Callable[[Sequence[Shown], str], str]
"""Returns what code found in frames, and what its rules say to a question about them."""


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
        remarks: stretches without a picture and lines of speech, as the prompt words them.
        calls: tool calls of the assistant, as JSON.
        result: whether the text is the result of a tool.
    """

    role: str
    text: str
    frames: tuple[Shown, ...] = ()
    remarks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    result: bool = False


def read_turns(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]], *, bound: bool = False) -> list[Turn]:
    """Return the turns of a conversation; rules for evidence and tools are added to the system's.

    Args:
        messages: the conversation.
        tools: OpenAI tool definitions.
        bound: whether the answer is bound to a schema, so that it is no sentence.
    """
    turns = [_turn(message) for message in move_tool_images(messages)]
    rules = [turn.text for turn in turns if turn.role == "system"]
    if any(turn.frames for turn in turns):
        rules.append(EVIDENCE if bound else f"{EVIDENCE}\n{ANSWERS}")
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
    words, frames, remarks = split_message(message)
    return Turn("user", words, tuple(frames), remarks)


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


def encode(tokenizer: Tokenizer, turns: Sequence[Turn], evidence: Evidence) -> list[int]:
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


def _segments(turns: Sequence[Turn], evidence: Evidence) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a prompt, and whether each is a control text of this module."""
    for turn in turns:
        yield f"{START}{turn.role}\n", True
        if turn.frames or turn.remarks:
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


def _evidence_block(turn: Turn, evidence: Evidence) -> str:
    lines = [evidence(turn.frames, turn.text)] if turn.frames else []
    lines += turn.remarks
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
