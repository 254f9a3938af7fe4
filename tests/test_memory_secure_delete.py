"""Nothing of what was deleted stays in the file."""

from __future__ import annotations

import ctypes
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from memory.store.secure_delete import wipe
from memory.store.vectors import VectorIndex
from memory.stream.archive import Archive
from memory.stream.keyframes import SKETCH_SHAPE, KeyMoment
from memory.stream.queue import FrameRef
from tools.errors import StoreError
from tools.media.types import Span


def moment(t_s: float, frame_id: str, feature: np.ndarray) -> KeyMoment:
    kept = FrameRef(frame_id, "camera", t_s, 160, 120, "clear", 0.5, None)
    return KeyMoment(kept, feature, np.zeros(SKETCH_SHAPE, np.uint8), t_s, t_s, 1, 0, pinned=False)


@pytest.mark.parametrize(("dim", "seed"), [(960, 13078), (1024, 2919)])
def test_no_copy_stays_where_sqlite_moved_a_row_away(tmp_path: Path, dim: int, seed: int) -> None:
    # These orders of writing leave one in the unused part of a page (SQLite 3.46), whatever `secure_delete` says.
    rng = np.random.default_rng(seed)
    old = int(rng.integers(5, 20))
    frame_ids = [rng.bytes(32).hex() for _ in range(old + 5)]
    held: list[KeyMoment] = []
    archive = Archive(tmp_path)
    for second, frame_id in enumerate(frame_ids):
        held.append(moment(float(second), frame_id, rng.random(dim).astype(np.float32)))
        archive.save(held[-1])
        for _ in range(int(rng.integers(0, 3))):
            archive.save(held[int(rng.integers(max(0, len(held) - 2), len(held)))])
        if len(held) > 3 and rng.random() < 0.4:
            archive.drop([held.pop(int(rng.integers(0, len(held) - 1))).t_s])
    archive.drop([each.t_s for each in held if each.t_s < old])
    archive.forget(Span(0.0, old - 0.5))
    wipe(archive.path)
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [frame_id for frame_id in frame_ids if frame_id.encode() in left] == frame_ids[old:]
    assert archive.frame_ids() == set(frame_ids[old:])
    archive.close()


def test_a_log_that_stays_in_use_is_told_of_and_wiped_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.sqlite.BUSY_S", 0.2)
    archive = Archive(tmp_path)
    archive.save(moment(1.0, "ab" * 32, np.ones(4, np.float32)))
    with closing(sqlite3.connect(archive.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM moments").fetchall()
        archive.forget(Span(0.0, 2.0))
        with pytest.raises(StoreError, match=r"cannot purge deleted data.*no other process"):
            wipe(archive.path)
    wipe(archive.path)
    assert b"ab" * 32 not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    archive.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told to give blank memory")
def test_what_lay_in_memory_does_not_come_to_the_disk_with_an_index(tmp_path: Path) -> None:
    vectors = np.eye(3, 384, dtype=np.float32)
    index = VectorIndex(tmp_path / "x", "notes", lambda: [(str(n), one, {"n": 1.0}) for n, one in enumerate(vectors)])
    perturb, mark = -6, b"Z"
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(perturb, mark[0] ^ 0xFF)  # all memory that is taken looks as if such letters had been there
    try:
        index.add(["0"], vectors[:1], [{"n": 1.0}])
        assert index.rebuild() == 3
        mallopt(perturb, mark[0] ^ 0xFF)
        assert index.query(vectors[2], 1)[0][0] == "2"
        index.close()
    finally:
        mallopt(perturb, 0)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert written
    assert mark * 64 not in written
