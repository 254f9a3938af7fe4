"""Windows of speech: sound is cut in its pauses, so that the recogniser gets whole sentences and no silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tools.media.sound import HOLE_S, RATE_HZ, Sound, SpokenWord, Utterance

FindSpeech = Callable[[np.ndarray], list[tuple[int, int]]]
"""Returns the stretches of samples in which somebody speaks, as (first, behind the last), in order."""
Transcribe = Callable[[np.ndarray], list[Utterance]]
"""Returns what is said in samples, with times in seconds from the first sample."""

WINDOW_S, LIVE_WINDOW_S = 28.0, 10.0
"""The longest window. Whisper works on 30 s at once, so that files take long ones; a live source must not wait."""
STEP_S = 2.0
"""New sound after which speech is looked for again in a window that is not full."""
PAUSE_S = 0.6
"""Silence that ends a sentence; our choice."""
ONSET_S = 0.5
"""Sound kept where nobody speaks: the beginning of a word may be in it."""
SEARCH_S = 3.0
"""The end of a window of unbroken speech in which the quietest place is cut."""
QUIET_S = 0.1
SENTENCE_PAUSE_S = 0.8
MAX_LINE_S = 8.0
"""An utterance longer than this is split at a comma, so that its time says when something was said."""


class Windows:
    """Cuts sound into windows of at most `window_s` seconds that begin and end in pauses.

    Args:
        find_speech: finds where somebody speaks.
        window_s: the longest window.
        eager: hand speech on as soon as a pause follows it, rather than when the window is full.
    """

    def __init__(self, find_speech: FindSpeech, window_s: float = WINDOW_S, *, eager: bool = False) -> None:
        self._find_speech, self._window, self._eager = find_speech, round(window_s * RATE_HZ), eager
        self._held = np.zeros(0, np.float32)
        self._start_s = 0.0
        self._looked = 0

    @property
    def settled_s(self) -> float:
        """Media time in seconds up to which all speech was handed on."""
        return self._start_s

    def push(self, sound: Sound) -> Iterator[Sound]:
        """Take the next sound, and yield the windows that are complete."""
        if abs(sound.t_s - self._start_s - len(self._held) / RATE_HZ) > HOLE_S:
            yield from self.flush()
            self._start_s = sound.t_s
        self._held = np.concatenate([self._held, sound.samples])
        while len(self._held) >= self._window or len(self._held) - self._looked >= STEP_S * RATE_HZ:
            full = len(self._held) >= self._window
            if not (full or self._eager):
                return
            before = len(self._held)
            yield from self._cut(full=full, ended=False)
            if len(self._held) == before:
                return

    def flush(self) -> Iterator[Sound]:
        """Yield what is left at the end of the sound."""
        while len(self._held):
            yield from self._cut(full=len(self._held) >= self._window, ended=len(self._held) < self._window)

    def _cut(self, *, full: bool, ended: bool) -> Iterator[Sound]:
        held = self._held[: self._window]
        speech = self._find_speech(held)
        self._looked = len(self._held)
        if not speech:
            self._drop(len(held) if ended else max(0, len(held) - round(ONSET_S * RATE_HZ)))
            return
        last_open = not ended and speech[-1][1] > len(held) - PAUSE_S * RATE_HZ
        if not last_open:
            yield self._window_of(speech[0][0], speech[-1][1])
            self._drop(len(held) if ended else speech[-1][1])
        elif full:
            if len(speech) > 1:
                yield self._window_of(speech[0][0], speech[-2][1])
            start = speech[-1][0]
            end = start or _quietest(held)
            if not start:
                yield self._window_of(0, end)
            self._drop(end)

    def _window_of(self, first: int, end: int) -> Sound:
        return Sound(self._start_s + first / RATE_HZ, self._held[first:end])

    def _drop(self, samples: int) -> None:
        self._held = self._held[samples:]
        self._start_s += samples / RATE_HZ
        self._looked = len(self._held)


def listen(
    sounds: Iterable[Sound], find_speech: FindSpeech, transcribe: Transcribe, window_s: float = WINDOW_S
) -> Iterator[Utterance]:
    """Yield what is said in the sound of a recording, in order of time."""
    windows = Windows(find_speech, window_s)
    for sound in sounds:
        for window in windows.push(sound):
            yield from transcribed(window, transcribe)
    for window in windows.flush():
        yield from transcribed(window, transcribe)


def transcribed(window: Sound, transcribe: Transcribe) -> Iterator[Utterance]:
    """Yield what is said in a window, in utterances at most a sentence long, with media times."""
    for utterance in transcribe(window.samples):
        yield from sentences(_shifted(utterance, window.t_s))


def sentences(utterance: Utterance) -> Iterator[Utterance]:
    """Split an utterance at the ends of sentences and at pauses, and a long sentence at commas."""
    words: list[SpokenWord] = []
    for index, word in enumerate(utterance.words):
        words.append(word)
        following = utterance.words[index + 1] if index + 1 < len(utterance.words) else None
        pause_s = following.start_s - word.end_s if following else 0.0
        long = word.end_s - words[0].start_s > MAX_LINE_S and word.text.endswith((",", ";", ":"))
        if following is None or pause_s > SENTENCE_PAUSE_S or long or word.text.endswith((".", "?", "!")):
            yield Utterance(words[0].start_s, word.end_s, " ".join(one.text for one in words), tuple(words))
            words = []
    if not utterance.words and utterance.text.strip():
        yield utterance


def _shifted(utterance: Utterance, by_s: float) -> Utterance:
    words = tuple(SpokenWord(word.start_s + by_s, word.end_s + by_s, word.text) for word in utterance.words)
    return Utterance(utterance.start_s + by_s, utterance.end_s + by_s, utterance.text, words)


def _quietest(samples: np.ndarray) -> int:
    """Return the middle of the quietest place near the end of samples."""
    size = round(QUIET_S * RATE_HZ)
    first = max(size, len(samples) - round(SEARCH_S * RATE_HZ))
    loud = [float(np.square(samples[at : at + size]).mean()) for at in range(first, len(samples) - size, size // 2)]
    return first + int(np.argmin(loud)) * (size // 2) + size // 2 if loud else len(samples)
