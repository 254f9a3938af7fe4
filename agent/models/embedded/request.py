"""What is asked: the frames, the question, the tool results and the talk so far, read from a list of messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.models.blocks import Detail, decode_image, image_sha256, move_tool_images, split_content, text_of
from tools.media.clock import CITATION, CLOCK, parse_clock
from tools.perception.detect import Detection

# What `agent.core.prompt` and `agent.models.blocks` add to a message beside the user's words.
_NOT_ASKED = re.compile(
    r"Picture from the tool call .*:|\(\d+ pictures? in the next user message\.\)|\(this frame is .*\)|"
    r"\(no picture from .*\)|\(sound: .*\)|speech at [\d:.]+: <untrusted>.*</untrusted>"
)
_SPEECH = re.compile(rf'speech at ({CLOCK.pattern}): <untrusted>"(?P<text>.*)"</untrusted>')
_SOUND = re.compile(r"\(sound: (.*)\)")
_GAP = re.compile(r"\(no picture from (.*)\)")


@dataclass(frozen=True, eq=False)
class Shown:
    """One frame of a request.

    Attributes:
        block: its image block.
        t_s: media time in seconds; None where neither the block nor the text before it says.
        detail: how much of it is to be shown.
        found: what was detected in it as it was captured; None where nobody looked.
    """

    block: dict[str, Any]
    t_s: float | None
    detail: Detail
    found: tuple[Detection, ...] | None = None

    @cached_property
    def key(self) -> str:
        """Names the pixels: a hash of the file. One frame id may come in several levels of detail."""
        return image_sha256(self.block)

    @cached_property
    def rgb(self) -> np.ndarray:
        """Pixels, (height, width, 3), uint8."""
        return decode_image(self.block)


@dataclass(frozen=True)
class Request:
    """A request as the embedded model understands it.

    Attributes:
        question: the newest text of the user, without the frames' time stamps.
        frames: the frames that belong to it, oldest first where their times are known.
        results: (tool name, text) of the tools called since the question.
        talk: (role, text) of earlier turns, oldest first.
        gaps: stretches without a picture, in words, oldest first.
        speech: (media time in seconds, words) of what is heard, oldest first.
        sound: what the prompt says of the sound, such as that there is no audio track; empty where it says nothing.
        watch: for the check of a watch, its condition and the media time in seconds up to which it was judged before.
    """

    question: str
    frames: tuple[Shown, ...] = ()
    results: tuple[tuple[str, str], ...] = ()
    talk: tuple[tuple[str, str], ...] = field(default=())
    gaps: tuple[str, ...] = ()
    speech: tuple[tuple[float, str], ...] = ()
    sound: str = ""
    watch: tuple[str, float | None] | None = None


def read_request(messages: Sequence[BaseMessage]) -> Request:
    """Return what the messages ask; they have passed `agent.models.blocks.checked_messages`."""
    checked = move_tool_images(messages)
    asked = _index_of_question(checked)
    question, frames = _read(checked[asked]) if asked is not None else ("", [])
    after = checked[asked + 1 :] if asked is not None else []
    results = [(message.name or "", text_of(message)) for message in after if isinstance(message, ToolMessage)]
    for message in after:
        if isinstance(message, HumanMessage):
            frames += _read(message)[1]
    before = checked[:asked]
    if not frames:  # a follow-up question on pictures shown earlier
        for message in reversed(before):
            if isinstance(message, HumanMessage):
                frames = _read(message)[1]
                if frames:
                    break
    if all(frame.t_s is not None for frame in frames):
        frames.sort(key=lambda frame: frame.t_s or 0.0)
    talk = [
        ("assistant" if isinstance(message, AIMessage) else "user", text)
        for message in before
        if isinstance(message, HumanMessage | AIMessage) and (text := _read(message)[0])
    ]
    watch = checked[asked].additional_kwargs.get("watch") if asked is not None else None
    judged = (str(watch["condition"]), watch["since_s"]) if watch else None
    remarks = _remarks(checked[asked]) if asked is not None else []
    gaps = tuple(match[1] for text in remarks if (match := _GAP.fullmatch(text)))
    speech = [(parse_clock(match[1]), match["text"]) for text in remarks if (match := _SPEECH.fullmatch(text))]
    sound = next((match[1] for text in remarks if (match := _SOUND.fullmatch(text))), "")
    return Request(question, tuple(frames), tuple(results), tuple(talk), gaps, tuple(sorted(speech)), sound, judged)


def split_message(message: BaseMessage) -> tuple[str, list[Shown], tuple[str, ...]]:
    """Return a message's own words, its frames, and the lines between them: stretches without a picture, and speech."""
    lines = [text for text in _remarks(message) if any(form.fullmatch(text) for form in (_GAP, _SPEECH, _SOUND))]
    return *_read(message), tuple(line.strip("()") for line in lines)


def _index_of_question(messages: Sequence[BaseMessage]) -> int | None:
    """The newest user message with words of its own; one with pictures alone follows the question it belongs to."""
    people = [
        index
        for index, message in enumerate(messages)
        if isinstance(message, HumanMessage) and not message.additional_kwargs.get("hint")
    ]
    worded = [index for index in people if _read(messages[index])[0]]
    if worded:
        return worded[-1]
    if people:
        return people[-1]
    others = [index for index, message in enumerate(messages) if not isinstance(message, SystemMessage)]
    return others[-1] if others else len(messages) - 1


def _remarks(message: BaseMessage) -> list[str]:
    """The texts that the prompt puts among the frames of a question: stretches without a picture, and speech."""
    return [part["text"].strip() for part in split_content(message.content) if part["type"] == "text"]


def _read(message: BaseMessage) -> tuple[str, list[Shown]]:
    """Split a message into its own words and its frames; a stamp such as `[0:05]` before a frame is its time."""
    texts: list[str] = []
    frames: list[Shown] = []
    stamp: float | None = None
    for part in split_content(message.content):
        if part["type"] == "text":
            text = part["text"].strip()
            if CITATION.fullmatch(text):
                stamp = parse_clock(text)
            elif text and not _NOT_ASKED.fullmatch(text):
                texts.append(text)
        else:
            extras = part.get("extras", {})
            t_s = extras.get("t_s", stamp)
            detail = extras.get("detail", "clear")
            time_s = None if t_s is None else float(t_s)
            found = _found(extras.get("detections"))
            frames.append(Shown(part, time_s, detail if detail in _DETAILS else "clear", found))
            stamp = None
    return "\n".join(texts), frames


def _found(detections: list[tuple[str, float, Sequence[float]]] | None) -> tuple[Detection, ...] | None:
    """Detections from the extras of an image block."""
    if detections is None:
        return None
    return tuple(Detection(label, score, (x0, y0, x1, y1)) for label, score, (x0, y0, x1, y1) in detections)


_DETAILS = ("clear", "fuzzy", "glance")
