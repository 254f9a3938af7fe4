"""`Ears`: turns the sound of a watched source into its transcript, in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from memory.stream.speech import Speech
from tools.errors import AttendError
from tools.extras import MissingExtra
from tools.hearing.whisper import Ear
from tools.hearing.windows import LIVE_WINDOW_S, WINDOW_S, Windows, transcribed
from tools.media import Span
from tools.media.sound import HOLE_S, RATE_HZ, NoSound, Sound

MAX_WAITING_S = 60.0
"""Sound of a live source that waits to be understood; the oldest gives way. Our choice: 4 MB."""
POLL_S = 0.1


class LiveSound:
    """A bounded queue between the capture of a live source and its ears; `put` never waits.

    Args:
        offset_s: media time of the source's first picture, in seconds.
        ended: whether the source has ended.

    Attributes:
        lost_s: sound that gave way before it was understood, in seconds.
    """

    def __init__(self, offset_s: float, ended: Callable[[], bool]) -> None:
        self.lost_s = 0.0
        self.paused = False
        self._offset_s, self._ended = offset_s, ended
        self._waiting: deque[Sound] = deque()
        self._held = 0
        self._changed = threading.Condition()

    def put(self, sound: Sound) -> None:
        """Take sound in the capture's thread."""
        if self.paused:
            return
        with self._changed:
            self._waiting.append(Sound(sound.t_s + self._offset_s, sound.samples))
            self._held += len(sound.samples)
            while self._held > MAX_WAITING_S * RATE_HZ:
                gone = len(self._waiting.popleft().samples)
                self._held -= gone
                self.lost_s += gone / RATE_HZ
            self._changed.notify_all()

    def read(self, closed: threading.Event) -> Iterator[Sound]:
        """Yield what has come, joined, until the source has ended or `closed` is set."""
        while not closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting, POLL_S)
                taken, self._held = list(self._waiting), 0
                self._waiting.clear()
            if not taken and self._ended():
                return
            yield from _joined(taken)


class Ears:
    """Listens to one source and writes down what is said.

    Args:
        speech: the transcript.
        open_sounds: returns the sound of the source; takes an event that ends it. It may raise MediaError.
        open_ear: returns the voice detector and the recogniser; it may raise AttendError.
        live: use short windows, and hand speech on at its first pause.
        reached_s: returns how far the source was watched, in seconds: what comes later is not told before.
        skipped: returns whether a stretch must not be listened to, such as one that was paused.

    Attributes:
        error: why nothing is understood; None while something is.
        heard_s: media time in seconds up to which the transcript is complete.
        finished: whether all of the source was heard, or nothing can be.
    """

    def __init__(
        self,
        speech: Speech,
        open_sounds: Callable[[threading.Event], Iterator[Sound]],
        open_ear: Callable[[], Ear],
        *,
        live: bool,
        reached_s: Callable[[], float],
        skipped: Callable[[Span], bool],
    ) -> None:
        self.error: AttendError | None = None
        self.heard_s = 0.0
        self.finished = False
        self._speech, self._open_sounds, self._open_ear = speech, open_sounds, open_ear
        self._live, self._reached_s, self._skipped = live, reached_s, skipped
        self._forgotten: list[Span] = []
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="attend-ears", daemon=True)

    def start(self) -> Ears:
        """Begin to listen."""
        self._thread.start()
        return self

    @property
    def silent(self) -> bool:
        """Whether the source has no audio track."""
        return isinstance(self.error, NoSound)

    @property
    def lacking(self) -> bool:
        """Whether a package is not installed."""
        return isinstance(self.error, MissingExtra)

    def drain(self, until_s: float, timeout_s: float) -> bool:
        """Wait until the transcript is complete up to a media time; return False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self.finished or self.heard_s >= until_s, timeout_s)

    def drop(self, span: Span) -> None:
        """Leave a span that was watched out of the transcript, whatever is in hand."""
        with self._changed:
            self._forgotten.append(Span(span.start_s, max(span.start_s, min(span.end_s, self._reached_s()))))

    def close(self) -> None:
        """End the thread; the window in hand of a source that plays is finished, that of a file is left out."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        error: AttendError | None = None
        try:
            self._listen()
        except AttendError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - a thread has no caller: the answer and the summary tell of it
            error = AttendError(f"the sound could not be understood: {failure!r}.")
        with self._changed:
            self.error, self.finished = error, True
            self._changed.notify_all()

    def _listen(self) -> None:
        sounds = self._open_sounds(self._closed)
        first = next(sounds, None)  # a source without an audio track needs no recogniser
        if first is None:
            return
        ear = self._open_ear()
        windows = Windows(ear.find_speech, LIVE_WINDOW_S if self._live else WINDOW_S, eager=self._live)

        def write(window: Sound) -> None:
            for utterance in transcribed(window, ear.transcribe):
                with self._changed:
                    span = Span(utterance.start_s, max(utterance.start_s, utterance.end_s))
                    if not any(_overlap(span, gone) for gone in self._forgotten):
                        self._speech.add(utterance)

        for sound in _chained(first, sounds):
            while not self._live and self._reached_s() < sound.end_s and not self._closed.wait(POLL_S):
                pass
            if self._closed.is_set():
                return
            if self._skipped(Span(sound.t_s, sound.end_s)):
                continue
            for window in windows.push(sound):
                write(window)
            self._progress(windows.settled_s)
        for window in windows.flush():
            write(window)

    def _progress(self, heard_s: float) -> None:
        with self._changed:
            self.heard_s = heard_s
            self._changed.notify_all()


def _chained(first: Sound, sounds: Iterator[Sound]) -> Iterator[Sound]:
    yield first
    yield from sounds


def _overlap(one: Span, other: Span) -> bool:
    return one.start_s <= other.end_s and other.start_s <= one.end_s


def _joined(sounds: list[Sound]) -> Iterator[Sound]:
    """Join sounds that follow one another without a hole."""
    run: list[Sound] = []
    for sound in sounds:
        if run and abs(sound.t_s - run[-1].end_s) > HOLE_S:
            yield Sound(run[0].t_s, np.concatenate([one.samples for one in run]))
            run = []
        run.append(sound)
    if run:
        yield Sound(run[0].t_s, np.concatenate([one.samples for one in run]))
