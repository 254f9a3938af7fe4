"""Playing videos to a model through the real pipeline, and putting questions to it at their moments.

source at `fps` -> StreamMemory -> the frames for the question -> the agent's prompt -> the model. Frames reach memory
up to the moment of a question and not beyond; questions about one video that begin at the same time share one pass.
Notes, such as words read in frames, are not taken: they cost more than all the rest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from langchain_core.messages import HumanMessage
from langsmith import tracing_context

from agent.config import Config
from agent.core.graph import GAPS_TOLD
from agent.core.prompt import build_prompt
from agent.core.state import State
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from evals.suites.sample import Sample
from memory.store.frames import FrameStore
from memory.stream.encoders import Encoder
from memory.stream.memory import StreamMemory
from memory.stream.recall import window
from tools.base import SeenFrame
from tools.errors import AttendError, MediaError
from tools.media import Frame, Gap, open_source

SHORTEST_S = 1e-3
"""A question at the very beginning still sees the first frame; our choice of how much is played for it."""
SPEAK_TIMES = 4
"""A proactive answer may have so many times the tokens of a letter; our choice."""


@dataclass(frozen=True)
class Reply:
    """What came of one question.

    Attributes:
        text: the model's words.
        said_s: media time at which it spoke, in seconds; None for a proactive question that it never spoke to.
        frames: pictures that were shown.
        tokens: input tokens of the last prompt as the model counts them; None if it does not.
        span_s: media time between the oldest and the newest frame shown, in seconds.
        clear_share: share of the frames shown that were clear.
        encode_ms: mean time to encode a frame, in milliseconds; 0 where the policy scores nothing.
        answer_ms: time of all model calls of the question, in milliseconds.
        calls: model calls of the question.
    """

    text: str
    said_s: float | None
    frames: int
    tokens: int | None
    span_s: float
    clear_share: float
    encode_ms: float
    answer_ms: float
    calls: int = 1


@dataclass(frozen=True)
class Player:
    """Plays videos to one model.

    Attributes:
        model: who answers; it must take images.
        config: memory and sampling; all that memory chooses is shown, and samples set `media.start_s` and `end_s`.
        encoder: scores frames; None for policies that need none.
        prompts: a template for each kind of sample.
        folder: where pixels are kept meanwhile.
        max_tokens: the most tokens of a short answer.
    """

    model: MLLM
    config: Config
    encoder: Encoder | None
    prompts: Mapping[str, str]
    folder: Path
    max_tokens: int

    def play(self, video: Path, samples: Sequence[Sample]) -> Iterator[tuple[Sample, Reply | AttendError]]:
        """Put the questions about one video; each comes back once, with a reply or with what went wrong."""
        try:
            passes = self._passes(video, samples)
        except AttendError as error:
            yield from ((sample, error) for sample in samples)
            return
        for start_s, together in passes.items():
            waiting = {sample.id: sample for sample in together}
            try:
                for sample, reply in self._pass(video, start_s, together):
                    del waiting[sample.id]
                    yield sample, reply
            except AttendError as error:
                # This stretch cannot be read, or memory cannot hold it; others may well be fine.
                for sample in waiting.values():
                    yield sample, error

    def _passes(self, video: Path, samples: Sequence[Sample]) -> dict[float, list[Sample]]:
        """Samples by the media time at which they begin to watch. Times beyond the end of the video mean its end."""
        with open_source(str(video.absolute()), self.config.media) as source:
            end_s = source.info.duration_s
        passes: dict[float, list[Sample]] = defaultdict(list)
        for sample in samples:
            asked_s = sample.asked_s if end_s is None else min(sample.asked_s, end_s)
            passes[0.0 if sample.context_s is None else max(0.0, asked_s - sample.context_s)].append(sample)
        return passes

    def _pass(
        self, video: Path, start_s: float, samples: Sequence[Sample]
    ) -> Iterator[tuple[Sample, Reply | AttendError]]:
        moments = sorted(
            ((t_s, number) for number, sample in enumerate(samples) for t_s in sample.polls or (sample.asked_s,))
        )
        end_s = max(moments[-1][0], start_s + SHORTEST_S)
        options = self.config.media.model_copy(update={"start_s": start_s, "end_s": end_s})
        memory = StreamMemory(self.config.memory, self.encoder, FrameStore(self.folder, self.config.quota_mb << 20))
        asked: dict[int, list[Reply]] = defaultdict(list)
        done: set[int] = set()
        with open_source(str(video.absolute()), options) as source:
            stream = _Stream(iter(source), memory)
            for t_s, number in moments:
                if number in done:
                    continue
                sample = samples[number]
                stream.advance(t_s)
                reply = self._reply_at(memory, sample, t_s)
                last = t_s == (sample.polls or (sample.asked_s,))[-1]
                if isinstance(reply, Reply):
                    asked[number].append(reply)
                    if reply.said_s is None and not last:
                        continue
                    reply = _total(asked[number])
                done.add(number)
                yield sample, reply

    def _reply_at(self, memory: StreamMemory, sample: Sample, t_s: float) -> Reply | AttendError:
        if memory.stats.newest_s is None:
            return MediaError(f"{sample.video!r} has no picture up to {t_s:g} s.", remedy="Check the video.")
        try:
            reply = self._ask(memory, sample, sample.kind, self.max_tokens, t_s)
            if not sample.polls:
                return reply
            if "yes" not in reply.text.lower():  # the authors' test
                return _silent(reply)
            return _total([reply, self._ask(memory, sample, "speak", SPEAK_TIMES * self.max_tokens, t_s)])
        except AttendError as error:
            return error

    def _ask(self, memory: StreamMemory, sample: Sample, kind: str, max_tokens: int, t_s: float) -> Reply:
        def picture(frame: SeenFrame) -> np.ndarray:
            rgb = memory.pixels(frame.frame_id)
            return rgb if frame.detail == "clear" else memory.blurred(rgb)

        kept = window(memory, None, sample.question)
        frames = [
            SeenFrame(frame_id=one.frame_id, t_s=one.t_s, detail=one.state, source=one.source).model_dump()
            for one in kept
        ]
        gaps = [(gap.start_s, f"(no picture from {gap.text})") for gap in memory.gaps[-GAPS_TOLD:]]
        question = self.prompts[kind].format_map(sample.fields)
        state = State(messages=[HumanMessage(question)], window=frames, gaps=gaps)
        prompt, shown = build_prompt(state, self.model.abilities, picture, lambda _: [], 0)
        started = time.perf_counter()
        with tracing_context(enabled=False):
            message = self.model.invoke(prompt, max_tokens=max_tokens)
        answer_ms = 1000 * (time.perf_counter() - started)
        stats = memory.stats
        return Reply(
            text=text_of(message),
            said_s=t_s,
            frames=len(shown),
            tokens=message.usage_metadata["input_tokens"] if message.usage_metadata else None,
            span_s=shown[-1].t_s - shown[0].t_s if shown else 0.0,
            clear_share=sum(frame.detail == "clear" for frame in shown) / max(1, len(shown)),
            encode_ms=1000 * stats.encode_s / stats.seen,
            answer_ms=answer_ms,
        )


class _Stream:
    """Moves frames of a source into a memory, up to a media time."""

    def __init__(self, events: Iterator[Frame | Gap], memory: StreamMemory) -> None:
        self._events, self._memory = events, memory
        self._ahead: Frame | Gap | None = None

    def advance(self, until_s: float) -> None:
        """Push what lies at or before a time; the first thing after it waits outside the memory."""
        while (event := self._ahead or next(self._events, None)) is not None:
            if (event.start_s if isinstance(event, Gap) else event.t_s) > until_s:
                self._ahead = event
                return
            self._ahead = None
            if isinstance(event, Gap):
                self._memory.push_gap(event)
            else:
                self._memory.push(event)


def _silent(reply: Reply) -> Reply:
    return Reply(**{**vars(reply), "said_s": None})


def _total(replies: Sequence[Reply]) -> Reply:
    """The last of several replies to one question, with the time and the calls of all."""
    sums = {"answer_ms": sum(r.answer_ms for r in replies), "calls": sum(r.calls for r in replies)}
    return Reply(**{**vars(replies[-1]), **sums})
