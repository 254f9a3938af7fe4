"""What was heard of a watched source: which utterances a question gets to see, and why there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from agent.config import Config
from agent.perception.ears import Ears, LiveSound
from agent.perception.source_memory import SourceMemory
from memory.stream.memory import StreamMemory
from memory.stream.speech import Speech
from memory.stream.time_expressions import parse_time_expression
from tools.base import Evidence, Heard, SeenFrame, untrusted
from tools.hearing.questions import asks_about_sound
from tools.hearing.weights import EXTRA
from tools.hearing.whisper import open_ear
from tools.media import Source, SourceInfo, Span, format_clock
from tools.media.capture import PAUSED
from tools.media.sampling import ReadableSource
from tools.media.sound import Sound, Utterance, read_sound

MAX_LINES, MAX_BESIDE = 40, 20
"""Utterances shown with a question about what is heard, and with any other question; our choice: 800 and 400 tokens."""
MAX_FOUND = 12
"""Utterances of them that are searched for by the words of the question; our choice."""
BESIDE_S = 3.0
"""How far from the frames, or from the time that a question names, an utterance may be."""
WAIT_S = 60.0
"""How long a question about what is heard waits for the transcript of a recording, in seconds."""
EVERYTHING_S = 1e9


@dataclass(frozen=True)
class Hearing:
    """The transcript of a source, and the ears that write it.

    Attributes:
        speech: the transcript.
        ears: None where the source is not listened to.
        deaf: why it is not, in words.
        live: the queue of a live source.
    """

    speech: Speech
    ears: Ears | None
    deaf: str = ""
    live: LiveSound | None = None

    @property
    def problem(self) -> str:
        """Why nothing can be heard, in words; "" where something can."""
        if self.ears is None:
            return self.deaf
        if self.ears.silent:
            return "there is no audio track"
        if self.ears.lacking:
            return f"the extra that understands speech is not installed; run: attend setup {EXTRA}"
        return f"speech is not understood: {self.ears.error}" if self.ears.error else ""

    @property
    def finished(self) -> bool:
        """Whether all that can be heard was heard."""
        return self.ears is None or self.ears.finished

    def heard(
        self, question: str | None, frames: Sequence[SeenFrame], now_s: float, epoch_wall_s: float | None, wait: bool
    ) -> Heard:
        """Return what to tell a model of what is heard.

        Args:
            question: the question; None returns nothing.
            frames: the frames shown with it.
            now_s: how far the source was watched: later speech is withheld.
            epoch_wall_s: Unix time of media time 0 of a live source.
            wait: whether a question about what is heard waits until the transcript is complete up to `now_s`.

        Returns:
            texts to put between the frames, each with the time where it belongs; and the utterances as evidence.
        """
        asked = question is not None and asks_about_sound(question)
        if question is None or (self.problem and not asked):
            return [], []
        if asked and wait and self.ears:
            self.ears.drain(now_s, WAIT_S)
        lines = self._chosen(question, frames, now_s, epoch_wall_s, asked)
        first_s, last_s = (frames[0].t_s, frames[-1].t_s) if frames else (0.0, 0.0)
        texts = [(min(max(line.start_s, first_s), last_s), speech_text(line)) for line in lines]
        if asked:
            texts.append((last_s, f"(sound: {self._state(now_s)})"))
        return texts, [_as_evidence(line) for line in lines]

    def search(self, query: str, limit: int, span: Span | None) -> list[Evidence]:
        """Return the utterances that match a query, best first."""
        return [_as_evidence(line) for line in self.speech.search(query, limit, span)]

    def _state(self, now_s: float) -> str:
        if self.problem:
            return self.problem
        until_s = now_s if self.finished else min(now_s, self.ears.heard_s if self.ears else now_s)
        late = not self.finished and until_s < now_s - BESIDE_S
        return f"listened from {format_clock(0.0)} to {format_clock(until_s)}{' so far' if late else ''}"

    def _chosen(
        self, question: str, frames: Sequence[SeenFrame], now_s: float, epoch_wall_s: float | None, asked: bool
    ) -> list[Utterance]:
        known = [line for line in self.speech.between() if line.start_s <= now_s]
        hint = parse_time_expression(question, now_s, epoch_wall_s=epoch_wall_s)
        if asked and hint.span:
            return _within(known, hint.span)[:MAX_LINES]
        if asked and len(known) <= MAX_LINES:
            return known
        if asked:
            found = self.speech.search(question, MAX_FOUND, Span(0.0, now_s))
            rest = [line for line in known if line not in found]
            return sorted([*found, *rest[len(found) - MAX_LINES :]], key=lambda line: line.start_s)
        return _within(known, Span(frames[0].t_s, frames[-1].t_s))[-MAX_BESIDE:] if frames else []


def speech_text(line: Utterance) -> str:
    """Write an utterance as models are shown it."""
    quoted = untrusted(f'"{line.text}"')
    return f"speech at {format_clock(_shown_s(line))}: {quoted}"


def open_hearing(
    spec: str,
    config: Config,
    source: Source,
    source_memory: SourceMemory,
    memory: StreamMemory,
    finished: Callable[[], bool],
) -> Hearing:
    """Begin to listen to a source that is being watched.

    Args:
        spec: the source, as it was opened.
        config: the settings.
        source: the open source; a live one hands its sound on.
        source_memory: the transcript, and the gaps that a pause leaves.
        memory: how far the source was watched.
        finished: whether it has ended.
    """
    speech, info = source_memory.speech, source.info
    if deaf := _deaf(config, info, source):
        return Hearing(speech, None, deaf)
    live: LiveSound | None = None
    sounds: Callable[[threading.Event], Iterator[Sound]]
    if isinstance(source, ReadableSource) and source.tap is not None:
        live = LiveSound(source_memory.offset_s, finished)
        source.tap.listener = live.put
        sounds = live.read
    else:
        sounds = partial(_of_file, spec, config)

    def reached_s() -> float:
        return EVERYTHING_S if finished() else memory.stats.newest_s or 0.0

    def skipped(span: Span) -> bool:
        return any(
            gap.reason == PAUSED and gap.start_s < span.end_s and (gap.end_s is None or gap.end_s > span.start_s)
            for gap in memory.gaps
        )

    ears = Ears(speech, sounds, partial(open_ear, config.hearing), live=info.live, reached_s=reached_s, skipped=skipped)
    return Hearing(speech, ears.start(), live=live)


def _deaf(config: Config, info: SourceInfo, source: Source) -> str:
    """Say why a source is not listened to; "" where it is."""
    if not config.hearing.enabled:
        return "hearing is switched off; set enabled = true under [hearing] in attend.toml"
    tap = source.tap if isinstance(source, ReadableSource) else None
    if tap is not None and tap.present is False:
        return "there is no audio track"
    if info.kind == "video" or tap is not None:
        return ""
    return "this kind of source is watched without sound"


def _of_file(spec: str, config: Config, closed: threading.Event) -> Iterator[Sound]:
    for sound in read_sound(spec, config.media):
        if closed.is_set():
            return
        yield sound


def _within(lines: Sequence[Utterance], span: Span) -> list[Utterance]:
    return [line for line in lines if line.end_s >= span.start_s - BESIDE_S and line.start_s <= span.end_s + BESIDE_S]


def _as_evidence(line: Utterance) -> Evidence:
    t_s = _shown_s(line)
    return Evidence(id=f"speech@{format_clock(t_s)}", kind="speech", text=line.text, t_s=t_s)


def _shown_s(line: Utterance) -> float:
    """The whole second from which an utterance is heard, which is also the time to cite."""
    return float(int(line.start_s))
