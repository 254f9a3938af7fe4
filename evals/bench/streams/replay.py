"""Replay of streams through every policy: each frame is drawn and encoded once, each question sees memory of its
time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np

from agent.perception.annotator import WORDS_WORTH, Backlog, note_frame, words_of
from evals.bench.streams.questions import Question
from evals.bench.streams.stream import VERSION, Stream
from memory.store.frames import FrameStore
from memory.stream.encoders import Encoder
from memory.stream.keyframes import KeyMoment, KeyMoments
from memory.stream.memory import StreamMemory
from memory.stream.notes import NoteKind, Notes
from memory.stream.options import StreamOptions
from memory.stream.queue import FrameRef
from tools.errors import StoreError
from tools.media.types import Frame

Budget = Literal["20 frames", "8 frames", "4 frames", "2,560 tokens"]
TOKENS = 2_560
"""The second budget: half the cost of twenty clear frames."""
QUOTA_BYTES = 512 << 20
"""The default of `quota_mb`, as for users."""
NOTE_EVERY_S = 2.0
"""Interval of annotation in real time: a note of about 0.7 s, and a pause of twice that."""


@dataclass(frozen=True)
class Row:
    """One way to choose the frames that a model sees.

    Attributes:
        name: name in the table.
        budget: maximum to show.
        options: of its memory.
        how: `queue` shows the snapshot; `spread` and `asked` use `memory.stream.recall.window`, without and with the
            question.
        even: whether its key moments are `EvenMoments`.
    """

    name: str
    budget: Budget
    options: StreamOptions
    how: Literal["queue", "spread", "asked"] = "queue"
    even: bool = False

    @property
    def key(self) -> str:
        return f"{self.name}, {self.budget}"

    @property
    def memory(self) -> tuple[StreamOptions, bool]:
        """Rows with equal values share one memory."""
        return self.options, self.even


OURS, UNASKED, EVEN = "ours", "ours, question unknown", "ours, moments at even times"
PUBLISHED = "CurveStream as published"


def make_rows(seed: int = 0) -> list[Row]:
    """Return all rows: every policy at 20 frames and at 2,560 visual tokens, the main ones at 8 and at 4 frames.

    Args:
        seed: of the random policy; a different one for each stream, so that streams stay independent.
    """
    published = {"policy": "curvestream", "tiers": False, "noise_gate": None, "warmup": "skip", "init": "zero"}

    def rows(budget: Budget, limit: dict[str, int], names: Sequence[str]) -> Iterator[Row]:
        settings: dict[str, dict[str, object]] = {
            "last": {"policy": "last"},
            "uniform": {"policy": "uniform"},
            "alternate": {"policy": "alternate"},
            # It draws `capacity` frames, all clear: no more than fit the tokens, or it would favour new ones.
            "random": {"policy": "random", "seed": seed, "capacity": min(limit["capacity"], TOKENS // 256)}
            if "token_budget" in limit
            else {"policy": "random", "seed": seed},
            "motion M": {**published, "policy": "motion"},
            "curvature C": {**published, "policy": "curvature"},
            PUBLISHED: published,
            "CurveStream, first 3 kept": {**published, "warmup": "clear"},
            "CurveStream + noise gate": {**published, "noise_gate": StreamOptions().noise_gate},
        }
        for name in names:
            yield Row(name, budget, StreamOptions.model_validate({"tiers": False, **limit, **settings[name]}))
        ours = StreamOptions.model_validate({"tiers": True, **limit})
        yield Row(EVEN, budget, ours, "asked", even=True)
        yield Row(UNASKED, budget, ours, "spread")
        yield Row(OURS, budget, ours, "asked")

    every = ["last", "uniform", "alternate", "random", "motion M", "curvature C", PUBLISHED]
    every += ["CurveStream, first 3 kept", "CurveStream + noise gate"]
    few = ["last", "uniform", "alternate", PUBLISHED]
    return [
        *rows("20 frames", {"capacity": 20}, every),
        *rows("8 frames", {"capacity": 8}, few),
        *rows("4 frames", {"capacity": 4}, few),
        *rows("2,560 tokens", {"capacity": 40, "token_budget": TOKENS}, every),
    ]


class EvenMoments(KeyMoments):
    """Key moments without curvature: every frame is one, and one of the two nearest in time is evicted."""

    def _is_new(self, last: KeyMoment, feature: np.ndarray, sketch: np.ndarray) -> bool:
        return True

    def _least(self) -> int | None:
        inner = range(1, len(self._held) - 1)
        return min(inner, key=lambda index: self._held[index + 1].t_s - self._held[index - 1].t_s, default=None)


class RenderedStore(FrameStore):
    """A frame store without files: pictures are drawn again on request, with the same eviction rule and quota.

    Twenty memories can then share hours of stream. Every picture counts as `frame_bytes`.
    """

    def __init__(self, stream: Stream, quota_bytes: int, frame_bytes: int) -> None:
        self.quota_bytes = quota_bytes
        self._stream, self._frame_bytes = stream, frame_bytes
        self._times: dict[str, int] = {}  # oldest first
        self._held: dict[str, int] = {}

    def put(self, frame: Frame) -> str:
        self._times.pop(frame.id, None)
        self._times[frame.id] = round(frame.t_s)
        if len(self._times) * self._frame_bytes > self.quota_bytes:
            old = next((known for known in self._times if known not in self._held), None)
            if old is None:
                raise StoreError("cannot store the frame: pinned pictures fill the quota.", remedy="Raise the quota.")
            del self._times[old]
        return frame.id

    def get(self, frame_id_: str) -> np.ndarray:
        if frame_id_ not in self._times:
            raise StoreError(f"the frame {frame_id_!r} was evicted.")
        return self._stream.frame(self._times[frame_id_]).rgb

    def has(self, frame_id_: str) -> bool:
        return frame_id_ in self._times

    def ids(self) -> list[str]:
        return list(self._times)

    def remove(self, ids: Iterable[str]) -> None:
        for frame_id_ in ids:
            self._times.pop(frame_id_, None)

    def pin(self, frame_id_: str) -> None:
        self._held[frame_id_] = self._held.get(frame_id_, 0) + 1

    def unpin(self, frame_id_: str) -> None:
        self._held[frame_id_] -= 1
        if not self._held[frame_id_]:
            del self._held[frame_id_]

    @property
    def bytes_used(self) -> int:
        return len(self._times) * self._frame_bytes

    @property
    def pinned_bytes(self) -> int:
        return len(self._held) * self._frame_bytes


class Replayed:
    """An encoder that returns a precomputed feature: that of the frame pushed next."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.dim = encoder.name, encoder.dim
        self.feature = np.empty(0, np.float32)

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        return self.feature


@dataclass
class Known:
    """Cached features and notes of a stream's frames by id; kept in a folder, if there is one, for the next run."""

    file: Path | None
    features: dict[str, np.ndarray] = field(default_factory=dict)
    notes: dict[str, list[tuple[NoteKind, str]]] = field(default_factory=dict)
    note_s: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, stream: Stream, encoder: Encoder, folder: Path | None) -> Known:
        """Load the cache of a stream."""
        if folder is None:
            return cls(None)
        from agent.perception import annotator

        shots = [(shot.start_s, shot.scene.key, shot.seed) for shot in stream.shots]
        noted = [annotator.NOTED_MAX_PX, annotator.NOTED_MIN_PX, annotator.MIN_PROBABILITY, annotator.LABELS]
        named = json.dumps([VERSION, stream.seed, stream.length_s, stream.part, shots, encoder.name, noted])
        known = cls(folder / f"{hashlib.sha256(named.encode()).hexdigest()[:16]}.npz")
        if known.file and known.file.exists():
            with np.load(known.file) as saved:
                known.features = dict(zip(saved["ids"].tolist(), saved["features"], strict=True))
                known.notes = json.loads(str(saved["notes"]))
        return known

    def save(self) -> None:
        """Write the cache."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(".part.npz")
        ids, features = list(self.features), np.stack(list(self.features.values()))
        np.savez(part, ids=ids, features=features, notes=json.dumps(self.notes))
        part.replace(self.file)

    def feature(self, frame: Frame, encoder: Encoder) -> np.ndarray:
        """Return the feature of a frame, encoding it the first time."""
        if frame.id not in self.features:
            self.features[frame.id] = encoder.embed(frame.rgb)
        return self.features[frame.id]

    def note(self, notes: Notes, frame: Frame) -> frozenset[str]:
        """Annotate a frame as the agent does, synchronously; classifier and reader run once a picture.

        Returns:
            The words that were read.
        """
        if frame.id in self.notes:
            return words_of([notes.add(frame.t_s, frame.id, kind, text) for kind, text in self.notes[frame.id]])
        started = time.perf_counter()
        taken = note_frame(notes, frame)
        self.note_s.append(time.perf_counter() - started)
        self.notes[frame.id] = [(note.kind, note.text) for note in taken]
        return words_of(taken)


@dataclass(frozen=True)
class Asked:
    """A question and the frames of each row for it, oldest first; `choose_s` is how long each row took to choose."""

    question: Question
    windows: dict[str, list[FrameRef]]
    choose_s: dict[str, float]


def replay(
    stream: Stream, rows: Sequence[Row], questions: Sequence[Question], encoder: Encoder, known: Known, notes: Notes
) -> Iterator[Asked]:
    """Push a stream through the memory of every row and ask the questions at their times.

    Nothing after a question's time has been pushed, or even drawn, when it is asked.
    """
    replayed = Replayed(encoder)
    frame_bytes = _png_bytes(stream)
    memories: Memories = {}
    for row in rows:
        if row.memory not in memories:
            store = RenderedStore(stream, QUOTA_BYTES, frame_bytes)
            memories[row.memory] = memory = StreamMemory(row.options, replayed, store)
            if row.even:
                memory.moments = EvenMoments(row.options.moments, row.options.scene_change, 0.0, 0.0)
    ours = [memory.moments for memory in memories.values() if memory.moments]
    # Key moments do not depend on the capacity of the queue: all our rows share one memory.
    noted = next((memory for (options, even), memory in memories.items() if options.tiers and not even), None)
    backlog, rested_s, read = Backlog(), 0.0, frozenset[str]()
    waiting = [(t_q, list(group)) for t_q, group in groupby(questions, key=lambda question: question.t_q)]
    for frame in stream.frames():
        if not waiting:
            break
        replayed.feature = known.feature(frame, encoder)
        for memory in memories.values():
            decision = memory.push(frame)
            if memory is noted and decision.key:
                backlog.add(frame.t_s, frame.id, decision.surprise)
        if backlog and frame.t_s >= rested_s:
            t_s, _ = backlog.take()
            words = known.note(notes, stream.frame(round(t_s)))
            rested_s = frame.t_s + NOTE_EVERY_S
            for moments in ours if words - read else ():
                moments.value(t_s, WORDS_WORTH)
            read = words
        if waiting[0][0] == frame.t_s:
            for question in waiting.pop(0)[1]:
                yield _ask(question, rows, memories, notes)
    known.save()


Memories = dict[tuple[StreamOptions, bool], StreamMemory]


def _ask(question: Question, rows: Sequence[Row], memories: Memories, notes: Notes) -> Asked:
    from memory.stream.recall import window

    windows, choose_s = {}, {}
    for row in rows:
        memory = memories[row.memory]
        started = time.perf_counter()
        if row.how == "queue":
            windows[row.key] = memory.snapshot()
        else:
            asked = question.text if row.how == "asked" else None
            windows[row.key] = window(memory, notes, asked, float(question.t_q))
        choose_s[row.key] = time.perf_counter() - started
    return Asked(question, windows, choose_s)


def _png_bytes(stream: Stream) -> int:
    """Estimate the size of a frame in the real store from a few samples."""
    import cv2

    sizes = []
    for t_s in range(0, stream.length_s, max(1, stream.length_s // 5)):
        done, png = cv2.imencode(".png", stream.frame(t_s).rgb)
        sizes.append(png.nbytes if done else 0)
    return sum(sizes) // len(sizes)
