"""Stream solver: plays the clip before a question into memory, and asks at the question's times.

Pipeline: source at `fps` -> StreamMemory -> the frames for the question -> the agent's prompt -> the model. Frames
enter memory up to the time of a question, not beyond. There are no notes, such as words read in frames: they cost more
than all the rest.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import HumanMessage

from agent.config import Config
from agent.core.graph import GAPS_TOLD
from agent.core.prompt import build_prompt
from agent.core.state import State
from agent.models.blocks import text_of
from evals.engine.instrumented import InstrumentedModel
from evals.engine.suite import Clip, Sample
from memory.store.frames import FrameStore
from memory.stream.encoders import Encoder, load_encoder
from memory.stream.memory import StreamMemory
from memory.stream.policies import make_policy
from memory.stream.recall import window
from tools.base import SeenFrame
from tools.errors import MediaError
from tools.media import Frame, Gap, open_source

SHORTEST_S = 1e-3
"""Minimum playing time, so that a question at the very beginning still sees the first frame."""


async def watch_and_ask(
    sample: Sample,
    model: InstrumentedModel,
    config: Config,
    answers: list[str],
    outcome: dict[str, Any],
    *,
    blind: bool,
) -> None:
    """Play a sample's clip and ask at its times until the model speaks; adds replies and what was seen.

    Raises:
        MediaError: if the clip cannot be read, or has no picture up to a question's time.
    """
    clip = sample.clip
    assert clip is not None
    asking = _Asking(sample, clip, model, answers, outcome)
    if blind:
        await asking.ask_at_moments(None, None)
        return
    with tempfile.TemporaryDirectory(prefix="attend-eval-", ignore_cleanup_errors=True) as folder:
        encoder = await asyncio.to_thread(_encoder, config.memory.encoder) if _scores_frames(config) else None
        memory = StreamMemory(config.memory, encoder, FrameStore(Path(folder), config.quota_mb << 20))
        media = config.media.model_copy(update=await asyncio.to_thread(_span, sample.source, clip, config))
        with open_source(sample.source, media) as source:
            stream = _Stream(iter(source), memory)
            await asking.ask_at_moments(memory, stream)


@cache
def _encoder(name: str) -> Encoder:
    return load_encoder(name)


def _scores_frames(config: Config) -> bool:
    return make_policy(config.memory).needs_feature


def _span(source: str, clip: Clip, config: Config) -> dict[str, float]:
    """Return the span to play, in seconds of media time. A question beyond the end of a video means its end."""
    with open_source(source, config.media) as opened:
        end_s = opened.info.duration_s
    asked_s = clip.asked_s if end_s is None else min(clip.asked_s, end_s)
    start_s = 0.0 if clip.context_s is None else max(0.0, asked_s - clip.context_s)
    return {"start_s": start_s, "end_s": max(clip.moments_s[-1], start_s + SHORTEST_S)}


class _Asking:
    """One question to one model, at all its times."""

    def __init__(
        self, sample: Sample, clip: Clip, model: InstrumentedModel, answers: list[str], outcome: dict[str, Any]
    ) -> None:
        self._sample, self._clip, self._model = sample, clip, model
        self._answers, self._outcome = answers, outcome

    async def ask_at_moments(self, memory: StreamMemory | None, stream: _Stream | None) -> None:
        """Ask at each time until the model speaks; without a memory it sees nothing."""
        for t_s in self._clip.moments_s:
            if memory is not None and stream is not None:
                await stream.advance(t_s)
                if memory.stats.newest_s is None:
                    raise MediaError(
                        f"{self._sample.source!r} has no picture up to {t_s:g} s.", remedy="Check the video."
                    )
            if await self._speaks(memory):
                self._outcome["said_s"] = t_s
                return
        self._outcome["said_s"] = None

    async def _speaks(self, memory: StreamMemory | None) -> bool:
        reply = await self._ask(memory, self._clip.prompt, self._sample.max_tokens)
        if not self._clip.polls_s:
            return True
        if "yes" not in reply.lower():  # the authors' test
            return False
        await self._ask(memory, self._clip.speak, self._clip.speak_tokens)
        return True

    async def _ask(self, memory: StreamMemory | None, question: str, max_tokens: int | None) -> str:
        def build() -> tuple[list[Any], list[SeenFrame]]:
            frames, gaps = _seen(memory, self._sample.questions[0])
            state = State(messages=[HumanMessage(question)], window=frames, gaps=gaps)
            return build_prompt(state, self._model.abilities, lambda frame: _pixels(memory, frame), lambda _: [], 0)

        prompt, shown = await asyncio.to_thread(build)
        message = await self._model.ask(prompt, {} if max_tokens is None else {"max_tokens": max_tokens})
        self._answers.append(text_of(message))
        usage = message.usage_metadata
        self._outcome.update(
            frames=len(shown),
            tokens=usage["input_tokens"] if usage else None,
            span_s=shown[-1].t_s - shown[0].t_s if shown else 0.0,
            clear_share=sum(frame.detail == "clear" for frame in shown) / max(1, len(shown)),
        )
        return self._answers[-1]


def _seen(memory: StreamMemory | None, question: str) -> tuple[list[dict[str, Any]], list[tuple[float, str]]]:
    """Return the frames that memory keeps for a question, and the gaps between them; nothing without a memory."""
    if memory is None:
        return [], []
    frames = [
        SeenFrame(frame_id=one.frame_id, t_s=one.t_s, detail=one.state, source=one.source).model_dump()
        for one in window(memory, None, question)
    ]
    return frames, [(gap.start_s, f"(no picture from {gap.text})") for gap in memory.gaps[-GAPS_TOLD:]]


def _pixels(memory: StreamMemory | None, frame: SeenFrame) -> np.ndarray:
    assert memory is not None
    rgb = memory.pixels(frame.frame_id)
    return rgb if frame.detail == "clear" else memory.blurred(rgb)


class _Stream:
    """Moves frames of a source into a memory, up to a media time."""

    def __init__(self, events: Iterator[Frame | Gap], memory: StreamMemory) -> None:
        self._events, self._memory = events, memory
        self._ahead: Frame | Gap | None = None
        self._left = False

    async def advance(self, until_s: float) -> None:
        """Push frames up to a time; the first one after it waits outside the memory."""
        task = asyncio.ensure_future(asyncio.to_thread(self._push, until_s))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            # A source must not be closed while a thread still reads it.
            self._left = True
            await asyncio.wait([task])
            raise

    def _push(self, until_s: float) -> None:
        while not self._left and (event := self._ahead or next(self._events, None)) is not None:
            if (event.start_s if isinstance(event, Gap) else event.t_s) > until_s:
                self._ahead = event
                return
            self._ahead = None
            if isinstance(event, Gap):
                self._memory.push_gap(event)
            else:
                self._memory.push(event)
