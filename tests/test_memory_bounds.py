"""The formula of what a memory takes at most: every part is filled beyond its bound, and the formula holds."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.perception.annotator import BACKLOG, Backlog
from memory.store import frames
from memory.store.frames import FrameStore
from memory.stream import archive, notes, queue
from memory.stream import bounds as formula
from memory.stream import memory as module
from memory.stream.keyframes import KeyMoment
from memory.stream.notes import Notes
from tests.test_memory_tiers import DIM, Memory, noise_frame
from tools.errors import StoreError
from tools.media.types import Frame, Gap, Span

SMALL = (
    (module, "LOG_LENGTH", 300),
    (module, "GAPS_LENGTH", 20),
    (queue, "HISTORY_LENGTH", 200),
    (archive, "MOST_WAITING", 50),
    (archive, "PAST_ROWS", 100),
    (archive, "GAP_ROWS", 100),
    (frames, "MOST_PICTURES", 150),
    (notes, "MAX_ROWS", 200),
)
WORDS = [f"word{number}" for number in range(300)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that can be filled within seconds."""
    for owner, name, length in SMALL:
        monkeypatch.setattr(owner, name, length)
        monkeypatch.setattr(formula, name, length)


@contextlib.contextmanager
def traced() -> Iterator[list[int]]:
    """How much more this process holds, and held at most, when the block is left."""
    gc.collect()
    tracemalloc.start()
    found: list[int] = []
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield found
        gc.collect()
        found += [size - before for size in tracemalloc.get_traced_memory()]
    finally:
        tracemalloc.stop()


def fill(memory: Memory, seconds: int) -> None:
    rng = np.random.default_rng(0)
    for second in range(seconds):
        frame = noise_frame(second)
        with contextlib.suppress(StoreError):
            memory.stream.push(frame)
            memory.stream.push_gap(Gap("camera", float(second), second + 0.5, "a hole " * 20))
        text = " ".join(rng.choice(WORDS, 200))
        memory.notes.add(frame.t_s, frame.id, "text", text)
        if second % 50 == 0:
            memory.notes.search("word1 word2", 6)
            memory.stream.past(Span(0.0, float(second)))


def test_the_process_stays_within_the_formula_while_the_disk_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = Memory(tmp_path / "warm")  # what libraries load on first use is not counted
    fill(warm, 150)
    warm.close()
    with traced() as used:
        memory = Memory(tmp_path / "filled", moments=40)
        fill(memory, 500)

        def refuse(moment: KeyMoment) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(memory.archive, "save", refuse)
        for second in range(500, 700):
            with contextlib.suppress(StoreError):
                memory.stream.push(noise_frame(second))
    monkeypatch.setattr(formula, "UNNOTED", 0)  # nothing is noted here
    bound = formula.bounds(memory.stream.options, DIM, 64, 36, memory.store.quota_bytes)
    assert max(used) < bound.process
    assert max(used) > bound.process / 4, "the formula says something"
    assert (len(memory.stream.moments or ()), len(memory.store), len(memory.notes)) == (40, 150, 200)
    memory.close()


def test_what_waits_to_be_noted_is_counted() -> None:
    assert BACKLOG <= formula.UNNOTED
    backlog = Backlog()
    with traced() as used:
        for number in range(2 * BACKLOG):
            backlog.add(float(number), f"{number:064x}", number / 1e6)
    assert len(backlog) == BACKLOG
    assert max(used) < formula.UNNOTED * formula.REFERENCE_BYTES


def test_the_disk_stays_within_the_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in (notes, formula):
        monkeypatch.setattr(owner, "MAX_ROWS", 3000)
    monkeypatch.setattr(formula, "LOG_BYTES", 6_000_000)  # so that the rest of it counts for something
    rng = np.random.default_rng(0)

    def embed(texts: list[str]) -> np.ndarray:
        return rng.normal(size=(len(texts), 384)).astype(np.float32)

    with contextlib.closing(Memory(tmp_path, moments=40)) as memory:
        memory.store.quota_bytes = 500_000
        fill(memory, 400)
        options = memory.stream.options
    with Notes(tmp_path, "camera", embed) as noted:
        for number in range(3200):
            noted.add(1000.0 + number, "f" * 64, "text", f"{number} " + "x" * 3000)
            if number % 400 == 399:
                noted.index()
    used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    bound = formula.bounds(options, DIM, 64, 36, 500_000)
    assert bound.disk / 2 < used < bound.disk


def test_small_pictures_are_bounded_in_number(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, 10**9)
    ids = [store.put(Frame("s", float(n), np.full((4, 4, 3), n % 256, np.uint8))) for n in range(200)]
    assert store.ids() == ids[-150:]
