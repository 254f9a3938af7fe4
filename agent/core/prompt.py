"""What the model is shown: the system text, earlier turns as text, and the present question with its frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from itertools import count
from typing import Any, Protocol

import numpy as np
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.core.state import State, final_answer, split_turns
from agent.models.blocks import image_block, move_tool_images, text_of
from agent.models.protocol import Abilities
from memory.stream.detections import Sighting
from tools.base import Evidence, SeenFrame, Shown, untrusted
from tools.errors import StoreError
from tools.media import format_clock
from tools.perception.detect import Detection
from tools.perception.observe import Thing

DETECTED = "What an object detector found in the frames; it errs, and it identifies nobody:"
"""Heads the detections in a prompt."""

Picture = Callable[[SeenFrame], np.ndarray]
Noted = Callable[[Sequence[SeenFrame]], list[Evidence]]
Found = Mapping[str, Sequence[Sighting]]
Detected = Callable[[Sequence[SeenFrame], bool], Found]


class Shows(Protocol):
    """What is shown and noted of frames, and what was detected in them."""

    def shown(self, frame: SeenFrame) -> np.ndarray:
        """The pixels of a frame in its detail, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""

    def noted(self, frames: Sequence[SeenFrame]) -> list[Evidence]:
        """What was noted about frames, for models without images."""

    def detected(self, frames: Sequence[SeenFrame], anew: bool) -> dict[str, tuple[Sighting, ...]]:
        """What was detected in whole frames, by frame id; `anew` also detects in those that nobody has looked at."""


def build_prompt(
    state: State,
    abilities: Abilities,
    picture: Picture,
    noted: Noted,
    history: int,
    detected: Detected | None = None,
) -> tuple[list[BaseMessage], list[SeenFrame]]:
    """Assemble the messages for one model call, and say which frames are really in them.

    Args:
        state: the state of the conversation.
        abilities: of the model; one without images is shown what was noted about the frames instead.
        picture: returns the pixels of a frame in the detail it is to be shown in.
        noted: returns what was noted about frames.
        history: how many earlier turns are shown, as question and answer without their frames.
        detected: returns what was detected in whole frames; None where nothing is.
    """
    *earlier, present = split_turns(state["messages"])
    prompt: list[BaseMessage] = [SystemMessage(_system_text())]
    for turn in earlier[-history:] if history else []:
        prompt += _as_text(turn)
    window = [SeenFrame.model_validate(frame) for frame in state.get("window", [])]
    found = detected(window, abilities.detections) if detected else {}
    content, shown = frame_blocks(window, abilities, picture, noted, state.get("gaps", []), found)
    content.append({"type": "text", "text": text_of(present[0])})
    prompt.append(HumanMessage(content=content))
    for message in present[1:]:
        artifact = message.artifact if isinstance(message, ToolMessage) else None
        frames = Shown.model_validate(artifact).frames if artifact else []
        if frames:
            blocks, brought = frame_blocks(frames, abilities, picture, noted)
            shown += brought
            message = message.model_copy(update={"content": [{"type": "text", "text": text_of(message)}, *blocks]})
        prompt.append(message)
    return move_tool_images(prompt), shown


def _system_text() -> str:
    return files("agent").joinpath("prompts", "system.md").read_text("utf-8")


def _as_text(turn: list[AnyMessage]) -> list[BaseMessage]:
    """A past turn as its question and its final answer; tool traffic is left out."""
    answer = final_answer(turn)
    return [HumanMessage(text_of(turn[0])), *([AIMessage(text_of(answer))] if answer else [])]


def frame_blocks(
    frames: Sequence[SeenFrame],
    abilities: Abilities,
    picture: Picture,
    noted: Noted,
    gaps: Sequence[tuple[float, str]] = (),
    found: Found | None = None,
) -> tuple[list[str | dict[str, Any]], list[SeenFrame]]:
    """The blocks of frames, each picture after its time, gaps between them; and the frames that could be shown.

    Args and what a model without images is shown: see `build_prompt`; `gaps` are (start in seconds, text), and `found`
    is what was detected in frames, by frame id.
    """
    if not abilities.images:
        notes = noted(frames)
        told_of = [(entry.t_s or 0.0, f"[{format_clock(entry.t_s or 0.0)}] {untrusted(entry.text)}") for entry in notes]
        told_of += [gap for gap in gaps if frames and gap[0] >= frames[0].t_s]
        lines = [line for _, line in sorted(told_of, key=lambda entry: entry[0])]
        told = {entry.frame_id for entry in notes} | set(found or ())
        text = "What was noted about the frames:\n" + "\n".join(lines) + "\n"
        noticed = [{"type": "text", "text": text}] if lines else []
        return [*noticed, *_detected(frames, found)], [f for f in frames if f.frame_id in told]
    if abilities.max_images is not None:
        frames = frames[len(frames) - min(len(frames), abilities.max_images) :]
    blocks: list[str | dict[str, Any]] = []
    shown: list[SeenFrame] = []
    untold = [gap for gap in gaps if frames and gap[0] >= frames[0].t_s]
    for frame in frames:
        while untold and untold[0][0] <= frame.t_s:
            blocks.append({"type": "text", "text": untold.pop(0)[1]})
        blocks.append({"type": "text", "text": f"[{format_clock(frame.t_s)}]"})
        try:
            rgb = picture(frame)
        except StoreError:
            # Pixels may have left the store since: the model is untold, and the run goes on with the other frames.
            blocks.append({"type": "text", "text": "(this frame is no longer stored)"})
            continue
        shown.append(frame)
        block = image_block(
            rgb, t_s=frame.t_s, detail=frame.detail, frame_id=frame.frame_id, max_side_px=abilities.max_side_px
        )
        if abilities.detections and found and (known := found.get(frame.frame_id)) is not None:
            block["extras"]["detections"] = [[one.label, one.confidence, list(one.box)] for one in known]
        blocks.append(block)
    blocks += [{"type": "text", "text": text} for _, text in untold]
    return blocks if abilities.detections else [*blocks, *_detected(shown, found)], shown


def _detected(frames: Sequence[SeenFrame], found: Found | None) -> list[str | dict[str, Any]]:
    """What was detected in frames, as text for models that do not read detections themselves."""
    known = [(frame, found[frame.frame_id]) for frame in frames if frame.frame_id in found] if found else []
    if not known:
        return []
    from agent.perception.evidence_text import Moment, evidence_text

    others = count(-1, -1)  # things that no track was found for are things of their own
    moments = [
        Moment(
            frame.t_s,
            tuple(
                Thing(next(others) if one.track is None else one.track, Detection(one.label, one.confidence, one.box))
                for one in sightings
            ),
        )
        for frame, sightings in known
    ]
    return [{"type": "text", "text": f"{DETECTED}\n{evidence_text(moments)}\n"}]
