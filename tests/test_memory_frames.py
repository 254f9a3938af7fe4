"""The frame store: lossless, bounded, and whole after any death of its writer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from memory.store.frames import FrameStore
from tools.errors import StoreError
from tools.media.types import Frame, frame_id

BIG = 10**9


def picture(seed: int, side: int = 32) -> np.ndarray:
    """Noise, so that every picture of a side takes about the same number of bytes."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def frame(seed: int, side: int = 32) -> Frame:
    return Frame("test", float(seed), picture(seed, side))


def test_pixels_come_back_bit_equal_and_equal_pictures_are_stored_once(tmp_path: Path) -> None:
    store = FrameStore(tmp_path / "new" / "folder", BIG)
    first = store.put(frame(1))
    assert first == frame_id(picture(1))
    np.testing.assert_array_equal(store.get(first), picture(1))
    assert store.put(Frame("other", 9.0, picture(1))) == first
    assert len(store) == 1
    assert store.bytes_used == sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    odd = Frame("test", 0.0, np.arange(3 * 5 * 7, dtype=np.uint8).reshape(5, 7, 3))  # neither square nor even
    np.testing.assert_array_equal(store.get(store.put(odd)), odd.rgb)


def test_the_oldest_give_way_under_the_quota_and_age_survives_a_reopening(tmp_path: Path) -> None:
    probe = FrameStore(tmp_path / "probe", BIG)
    probe.put(frame(0))
    quota = int(probe.bytes_used * 4.5)
    store = FrameStore(tmp_path / "store", quota)
    ids = [store.put(frame(seed)) for seed in range(3)]
    store.put(frame(0))  # seen again: the newest now
    again = FrameStore(tmp_path / "store", quota)
    assert again.ids() == [ids[1], ids[2], ids[0]]
    late = [again.put(frame(seed)) for seed in (10, 11)]
    assert again.ids() == [ids[2], ids[0], *late]
    for seed in range(20, 40):
        again.put(frame(seed))
        assert again.bytes_used <= quota
    assert len(again) == 4


def test_new_frames_are_the_newest_even_if_the_clock_went_back(tmp_path: Path) -> None:
    first = FrameStore(tmp_path, BIG).put(frame(0))
    ahead_ns = 4_000_000_000 * 10**9
    os.utime(tmp_path / f"{first}.png", ns=(ahead_ns, ahead_ns))
    store = FrameStore(tmp_path, BIG)
    second = store.put(frame(1))
    assert store.ids() == [first, second]


def test_pinned_frames_stay_and_each_pin_needs_its_own_unpin(tmp_path: Path) -> None:
    probe = FrameStore(tmp_path / "probe", BIG)
    probe.put(frame(0))
    store = FrameStore(tmp_path / "store", int(probe.bytes_used * 2.5))
    oldest = store.put(frame(0))
    store.pin(oldest)
    store.pin(oldest)
    for seed in range(1, 6):
        store.put(frame(seed))
    store.unpin(oldest)
    store.put(frame(6))
    assert store.has(oldest)
    store.pin(store.ids()[-1])
    with pytest.raises(StoreError, match="in use"):
        store.put(frame(7))
    store.unpin(oldest)
    store.put(frame(7))
    assert not store.has(oldest)


def test_a_frame_larger_than_the_quota_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, 10_000)
    small = store.put(frame(0))
    with pytest.raises(StoreError, match=r"200 x 200 pixels.*quota of 10,000"):
        store.put(frame(1, side=200))
    assert store.ids() == [small]


def test_a_damaged_file_is_found_and_removed(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, BIG)
    kept, cut, empty, swapped = (store.put(frame(seed)) for seed in range(4))
    path = tmp_path / f"{cut}.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / f"{empty}.png").write_bytes(b"")
    (tmp_path / f"{swapped}.png").write_bytes((tmp_path / f"{kept}.png").read_bytes())  # a valid picture, not this one
    for bad in (cut, empty, swapped):
        with pytest.raises(StoreError, match="damaged"):
            store.get(bad)
        assert not store.has(bad)
    np.testing.assert_array_equal(store.get(kept), picture(0))


def test_what_is_not_there_and_what_is_no_id_are_told_apart(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, BIG)
    with pytest.raises(StoreError, match="was evicted"):
        store.get("0" * 64)
    for foreign in ("../secret", "", "A" * 64):
        with pytest.raises(StoreError, match="not a frame id"):
            store.get(foreign)
    with pytest.raises(StoreError, match="positive"):
        FrameStore(tmp_path, 0)


def test_remove_forgets_frames_and_passes_over_those_that_are_gone(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, BIG)
    ids = [store.put(frame(seed)) for seed in range(3)]
    store.remove([ids[0], ids[2], "0" * 64])
    assert store.ids() == [ids[1]]


def test_two_stores_share_a_folder_under_one_quota(tmp_path: Path) -> None:
    probe = FrameStore(tmp_path / "probe", BIG)
    probe.put(frame(0))
    quota = int(probe.bytes_used * 5.5)
    one, two = FrameStore(tmp_path / "store", quota), FrameStore(tmp_path / "store", quota)
    for seed in range(20):
        writer, reader = (one, two) if seed % 2 else (two, one)
        np.testing.assert_array_equal(reader.get(writer.put(frame(seed))), picture(seed))
    for seed in (30, 31, 32):
        one.put(frame(seed))
    assert one.ids() == two.ids()
    assert one.bytes_used <= quota


KILLED = """
    import os, signal, sys, time, random
    import numpy as np, cv2
    from memory.store.frames import FrameStore
    from tools.media.types import Frame
    folder, journal = sys.argv[1:]
    cv2.setNumThreads(1)  # threads of OpenCV do not survive a fork
    random.seed(0)
    for life in range(15):
        child = os.fork()
        if child == 0:
            store = FrameStore(folder, 10**9)
            done = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            generator = np.random.default_rng(life)
            while True:
                rgb = generator.integers(0, 256, (120, 160, 3), dtype=np.uint8)
                os.write(done, store.put(Frame("killed", 0.0, rgb)).encode() + b"\\n")
        time.sleep(random.uniform(0.02, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


def test_a_writer_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    folder, journal = tmp_path / "store", tmp_path / "journal"
    run_script(KILLED, str(folder), str(journal))
    acknowledged = set(journal.read_text().split())
    for path in folder.glob(".*.tmp"):
        path.unlink()
    old, young = folder / ".999999999.0123abcd.tmp", folder / ".0123abcd.tmp"
    old.write_bytes(b"half a picture of a writer that died long ago")
    os.utime(old, (0, 0))
    young.write_bytes(b"of a writer that lives, though its process is not seen from here")
    store = FrameStore(folder, BIG)
    assert list(folder.glob(".*")) == [young]
    store.remove_leftovers()
    assert list(folder.glob(".*")) == []
    ids = store.ids()
    assert len(acknowledged) > 15
    assert acknowledged <= set(ids)
    for frame_id_ in ids:
        assert store.get(frame_id_).shape == (120, 160, 3)  # verified against the id


FULL = """
    import resource, sys
    import numpy as np
    from memory.store.frames import FrameStore
    from tools.errors import StoreError
    from tools.media.types import Frame
    store = FrameStore(sys.argv[1], 10**9)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the kernel refuses to write more, as on a full disk
    try:
        store.put(Frame("full", 0.0, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    except StoreError as error:
        print(error)
"""

READ_ONLY = """
    import os, sys
    import numpy as np, cv2
    from memory.store.frames import FrameStore
    from tools.errors import StoreError
    from tools.media.types import Frame
    store = FrameStore(sys.argv[1], 10**9)
    os.chmod(sys.argv[1], 0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)  # permissions do not bind root
    try:
        store.put(Frame("denied", 0.0, np.zeros((4, 4, 3), np.uint8)))
    except StoreError as error:
        print(error)
"""


def test_a_full_disk_is_told_with_a_remedy_and_leaves_nothing_behind(tmp_path: Path) -> None:
    message = run_script(FULL, str(tmp_path / "store"))
    assert "The disk is full: free some space" in message
    assert list((tmp_path / "store").iterdir()) == []


def test_a_folder_without_permission_is_told_with_a_remedy(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in a folder that only its owner may enter
        Path(folder).chmod(0o755)
        assert "a writable folder" in run_script(READ_ONLY, f"{folder}/store")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot open the frame store"):
        FrameStore(tmp_path / "file" / "store", BIG)


def test_files_are_ordinary_png(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, BIG)
    path = tmp_path / f"{store.put(frame(0))}.png"
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], picture(0))


def run_script(script: str, *arguments: str) -> str:
    """Run Python in a process of its own, from the repository root, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
