"""A model's answers to the questions from each row's frames, through the agent's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from langchain_core.messages import HumanMessage

from agent.core.prompt import build_prompt
from agent.core.state import State
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from evals.bench.streams.questions import Question
from evals.bench.streams.replay import Asked
from evals.bench.streams.scoring import is_right
from evals.bench.streams.stream import Stream
from tools.base import SeenFrame

ORACLE = "the evidence itself"
"""An upper bound for any memory: a frame of each needed span, the context of the question, and the newest frame."""
PERCEIVED = 320
"""Frames with cached perception, so that rows with the same frames share it; about 330 MB."""


@dataclass(frozen=True)
class Told:
    """An answer and whether it is right."""

    question: Question
    row: str
    text: str
    right: bool


def answer(
    model: MLLM, stream: Stream, asked: Sequence[Asked], keys: Sequence[str], told: Callable[[], None]
) -> list[Told]:
    """Ask a model the questions, once for each row and once with the evidence itself.

    Args:
        model: the model.
        stream: the stream of the questions.
        asked: questions with their windows.
        keys: of the rows.
        told: called after each answer.
    """
    names = sorted({shot.scene.said for shot in stream.shots if shot.scene.said})
    found = []
    for entry in asked:
        question = entry.question
        windows = {key: [(kept.t_s, kept.state) for kept in entry.windows[key]] for key in keys}
        windows[ORACLE] = [(float(t_s), "clear") for t_s in _evidence(question)]
        for row, window in windows.items():
            text = _ask(model, stream, question.text, window)
            found.append(Told(question, row, text, is_right(question, text, names)))
            told()
    return found


def share_perception() -> None:
    """Enlarge the embedded model's cache of perceived frames beyond that of a conversation."""
    from agent.models.embedded import model

    model.KEPT = PERCEIVED


def _ask(model: MLLM, stream: Stream, text: str, window: Sequence[tuple[float, str]]) -> str:
    import cv2

    def picture(frame: SeenFrame) -> np.ndarray:
        rgb = stream.frame(round(frame.t_s)).rgb
        side = 224  # CurveStream's TRANSITION_SIZE
        return rgb if frame.detail == "clear" else cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)

    frames = [
        SeenFrame.model_validate({"frame_id": f"{t_s}", "t_s": t_s, "detail": state, "source": stream.name})
        for t_s, state in window
    ]
    state = State(messages=[HumanMessage(text)], window=[frame.model_dump() for frame in frames])
    messages, _ = build_prompt(state, model.abilities, picture, lambda _: [], history=0)
    return text_of(model.invoke(messages))


def _evidence(question: Question) -> list[int]:
    middles = [(start_s + end_s - 1) // 2 for start_s, end_s in question.spans]
    return sorted({*(t_s for t_s in middles if t_s <= question.t_q), *question.context, question.t_q})
