"""The tiers together: what a question is shown of hours of video, forgetting, pinning, restarts, other processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from memory.store.frames import FrameStore
from memory.store.source_dir import (
    claim_source_dir,
    in_use_by,
    read_source_dir,
    source_dirs,
    source_of,
    tidy_source_dirs,
    visit_source_dir,
)
from memory.stream.archive import Archive
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.options import StreamOptions
from memory.stream.queue import FrameRef
from memory.stream.recall import stretches, window
from tools.errors import StoreError
from tools.media.live import DRIFT_S
from tools.media.types import Frame, Gap, Span

DIM = 64
SCENE_S = 30


class SceneEncoder:
    """Features by the colour of the top left pixel: each scene its own direction, so cuts are certain."""

    name, dim = "scenes", DIM

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        feature = np.full(DIM, 0.01, np.float32)
        feature[int(rgb[0, 0, 0]) % DIM] = 1.0
        return feature / np.linalg.norm(feature)


def scene_frame(t_s: float, wall_s: float | None = None) -> Frame:
    number = int(t_s) // SCENE_S
    rgb = np.random.default_rng(number).integers(0, 255, (36, 64, 3), np.uint8)
    rgb[0, 0] = number % DIM
    rgb[-1, -1] = int(t_s) % 250
    return Frame("camera", t_s, rgb, wall_s)


class Memory:
    """A memory on disk with notes, as the agent composes it."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.archive = Archive(folder)
        self.store = FrameStore(folder / "frames", 10**8)
        chosen = StreamOptions.model_validate({"capacity": 8, "moments": 64, **options})
        self.stream = StreamMemory(chosen, SceneEncoder(), self.store, self.archive)
        self.notes = Notes(folder, "camera")

    def watch(self, start_s: int, end_s: int) -> None:
        for second in range(start_s, end_s):
            frame = scene_frame(float(second))
            if self.stream.push(frame).key:
                self.notes.add(frame.t_s, frame.id, "text", f"WORD{second // SCENE_S}")

    def ask(self, question: str | None) -> list[FrameRef]:
        return window(self.stream, self.notes, question)

    def close(self) -> None:
        self.notes.close()
        self.archive.close()


@pytest.fixture
def memory(tmp_path: Path):
    opened = Memory(tmp_path / "m")
    yield opened
    opened.close()


def scenes(found: list[FrameRef]) -> list[int]:
    return [int(kept.t_s) // SCENE_S for kept in found]


def test_what_was_seen_after_a_suspend_is_not_of_the_day_before_though_the_picture_is_the_same(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    suspended_s = 7200.0  # media time stood still meanwhile, and nothing moved before the camera
    for second in range(20):
        memory.stream.push(scene_frame(second, 1000.0 + second + (suspended_s if second >= 12 else 0.0)))
    assert [moment.t_s for moment in memory.stream.moments.all()] == [0.0, 12.0]
    memory.archive.set_clock(last_s=19.0, last_wall_s=1019.0 + suspended_s)
    (forgotten,) = memory.archive.wall_times().before(1020.0 + suspended_s / 2)
    assert forgotten.start_s == 0.0
    assert 11.0 < forgotten.end_s < 12.0


def test_a_stall_of_a_stream_and_the_burst_after_it_begin_no_scene(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for second, late_s in enumerate([0.0, DRIFT_S, 0.0, -DRIFT_S, DRIFT_S, 0.0]):
        memory.stream.push(scene_frame(float(second), 1000.0 + second + late_s))
    assert [moment.t_s for moment in memory.stream.moments.all()] == [0.0]


def test_a_question_about_now_is_shown_what_curvestream_shows(memory: Memory) -> None:
    memory.watch(0, 900)
    assert memory.ask("What does the sign say now?") == memory.stream.snapshot()


@pytest.mark.parametrize(
    ("question", "scene"),
    [
        ("What was shown 10 minutes ago?", 10),
        ("What was there at 2:10?", 4),
        ("Where did you see WORD7?", 7),
        ("What was shown before WORD20?", 19),
        ("What was shown after WORD20?", 21),
        ("What was there at the beginning?", 0),
    ],
)
def test_a_question_about_the_past_is_shown_its_moment_and_the_present(
    memory: Memory, question: str, scene: int
) -> None:
    memory.watch(0, 900)
    found = memory.ask(question)
    assert scene in scenes(found)
    assert len(found) <= 8
    assert found[-1].t_s == 899
    assert [kept.t_s for kept in found] == sorted({kept.t_s for kept in found})
    assert scene not in scenes(memory.stream.snapshot()) or scene > 27


def sign_frame(second: int) -> Frame:
    """One scene, with a sign whose place tells the second."""
    rgb = np.full((36, 64, 3), 90, np.uint8)
    row, column = divmod(second % 40, 8)
    rgb[4 + 6 * row : 9 + 6 * row, 8 * column : 8 * column + 7] = 255
    rgb[0, 0] = 1
    return Frame("camera", float(second), rgb)


@pytest.mark.parametrize("restart", [False, True])
def test_what_was_noted_is_shown_as_it_was_and_not_by_the_moment_that_stands_for_it(
    tmp_path: Path, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.stream.queue.HISTORY_LENGTH", 4)  # as after hours
    memory = Memory(tmp_path, moments=4, capacity=5)
    for second in range(40):
        assert memory.stream.push(sign_frame(second)).key
        memory.notes.add(float(second), sign_frame(second).id, "text", f"SIGN{second}")
    if restart:
        memory.close()
        memory = Memory(tmp_path, moments=4, capacity=5)
        memory.stream.restore(memory.archive.key_moments(), [], 39.0)
        memory.stream.push(sign_frame(40))
    assert 7.0 not in [moment.t_s for moment in memory.stream.moments.all()]
    for question in ("Where did you see SIGN7?", "What was there at 0:07?", "What was SIGN7 like at 0:07?"):
        assert sign_frame(7).id in [kept.frame_id for kept in memory.ask(question)], question
    assert sign_frame(8).id in [kept.frame_id for kept in memory.ask("What was shown after SIGN8?")]
    memory.close()


def test_the_window_fits_the_token_budget(tmp_path: Path) -> None:
    memory = Memory(tmp_path, token_budget=600)
    memory.watch(0, 300)
    found = memory.ask("What was shown before WORD5?")
    cost = sum(256 if kept.state == "clear" else 64 for kept in found)
    assert 0 < cost <= 600
    memory.close()


def test_without_a_question_the_window_spreads_over_all_that_was_seen(memory: Memory) -> None:
    memory.watch(0, 900)
    times = [kept.t_s for kept in memory.ask(None)]
    assert times[0] < 300 < times[-1]
    assert len([t_s for t_s in times if t_s < 600]) >= 2


def test_stretches_count_how_often_something_was_noted(memory: Memory) -> None:
    for second, text in enumerate(["LAMP", "LAMP", "GATE", "LAMP", "tree"]):
        frame = scene_frame(float(second * SCENE_S))
        memory.stream.push(frame)
        memory.notes.add(frame.t_s, frame.id, "text", text)
    found = stretches(memory.stream, memory.notes, "the word LAMP")
    assert [(span.start_s, span.end_s) for span in found] == [(0, 30), (90, 90)]


def test_memory_is_bounded_by_its_budget_and_disk_by_its_quota(tmp_path: Path) -> None:
    memory = Memory(tmp_path, moments=10)
    memory.store.quota_bytes = 200_000
    memory.watch(0, 2000)
    assert len(memory.stream.moments or ()) <= 10
    assert memory.store.bytes_used <= 200_000
    assert memory.store.pinned_bytes <= 200_000
    assert len(memory.archive.key_moments()) == len(memory.stream.moments or ())
    assert memory.archive.past()
    memory.close()


def noise_frame(second: int) -> Frame:
    return Frame("camera", float(second), np.random.default_rng(second).integers(0, 255, (36, 64, 3), np.uint8))


@pytest.mark.parametrize(("policy", "pictures"), [("curvestream", 28), ("curvestream", 3), ("uniform", 6), ("last", 2)])
def test_what_memory_holds_makes_room_for_what_comes_however_small_the_quota(
    tmp_path: Path, policy: str, pictures: int
) -> None:
    size = FrameStore(tmp_path / "probe", 10**6)
    size.put(noise_frame(0))
    memory = Memory(tmp_path / "m", policy=policy, capacity=20, moments=256)
    memory.store.quota_bytes = size.bytes_used * pictures
    for second in range(200):
        memory.stream.push(noise_frame(second))
    assert memory.stream.stats.lost == 0
    assert memory.stream.snapshot()[-1].t_s == 199
    assert memory.store.pinned_bytes <= memory.store.bytes_used <= memory.store.quota_bytes
    assert memory.stream.stats.kept_now > 0
    memory.close()


def test_after_a_restart_under_smaller_bounds_the_least_missed_give_way_at_once(tmp_path: Path) -> None:
    first = Memory(tmp_path)
    for second in range(60):
        first.stream.push(noise_frame(second))
    held = first.archive.key_moments()
    size = first.store.bytes_used // len(first.store)
    first.close()
    again = Memory(tmp_path, moments=32)
    again.store.quota_bytes = 20 * size
    again.stream.restore(held, [], 59.0)
    assert len(again.stream.moments or ()) <= 15
    assert again.store.pinned_bytes <= 0.75 * again.store.quota_bytes
    assert len(again.archive.key_moments()) == len(again.stream.moments or ())
    for second in range(60, 90):
        again.stream.push(noise_frame(second))
    assert again.stream.stats.lost == 0
    assert again.store.bytes_used <= again.store.quota_bytes
    again.close()


def test_forgetting_removes_pixels_rows_and_log_of_the_span_only(memory: Memory, tmp_path: Path) -> None:
    memory.watch(0, 300)
    span = Span(60.0, 149.0)
    gone = {kept.frame_id for kept in memory.stream.remembered(span)}
    assert gone
    removed = memory.stream.forget(span)
    memory.archive.forget(span)
    assert memory.notes.forget(span)[0] == 3
    assert gone <= set(removed)
    assert not any(memory.store.has(frame_id) for frame_id in gone)
    assert memory.stream.remembered(span) == []
    assert not [decision for decision in memory.stream.log if decision.t_s in span]
    assert [moment for moment in memory.archive.key_moments() if moment.t_s in span] == []
    assert {int(moment.t_s) // SCENE_S for moment in memory.archive.key_moments()} == {0, 1, 5, 6, 7, 8, 9}
    assert not any(len(list(folder.glob("*.tmp"))) for folder in (tmp_path / "m").rglob("*") if folder.is_dir())
    assert 3 not in scenes(memory.ask("Where did you see WORD3?"))


def test_forgetting_the_newest_frame_leaves_no_frame_of_now(memory: Memory) -> None:
    memory.watch(0, 40)
    memory.stream.forget(Span(0.0, 39.0))
    assert memory.stream.snapshot() == []
    assert memory.ask("What was there at 0:10?") == []
    memory.watch(40, 42)
    assert memory.stream.snapshot()[-1].t_s == 41.0


def test_pixels_shared_with_a_moment_outside_the_span_stay(memory: Memory) -> None:
    still = scene_frame(0.0).rgb
    for second in range(12):
        memory.stream.push(Frame("camera", float(second), still))
    memory.stream.forget(Span(0.0, 5.0))
    assert memory.stream.snapshot()
    assert memory.store.has(memory.stream.snapshot()[-1].frame_id)


def test_a_pinned_moment_outlives_the_budget_and_a_discarded_time_cannot_be_pinned(tmp_path: Path) -> None:
    memory = Memory(tmp_path, moments=4)
    memory.watch(0, 40)
    pinned = memory.stream.pin(0.4)
    memory.watch(40, 2000)
    assert pinned in memory.stream.remembered()
    with pytest.raises(StoreError, match=r"near 5000\.0 s"):
        memory.stream.pin(5000.0)
    memory.stream.pin(pinned.t_s, False)
    memory.watch(2000, 2400)
    assert pinned.t_s not in [moment.t_s for moment in memory.archive.key_moments()]
    memory.close()


def test_key_moments_come_back_after_a_restart(tmp_path: Path) -> None:
    first = Memory(tmp_path)
    first.watch(0, 300)
    before = [(m.t_s, m.scene, m.kept.frame_id) for m in first.archive.key_moments()]
    first.close()
    again = Memory(tmp_path)
    again.stream.restore(again.archive.key_moments(), [Gap("camera", 300, 1000, "nobody was watching")], 300.0)
    again.watch(1000, 1100)
    assert [(m.t_s, m.scene, m.kept.frame_id) for m in again.archive.key_moments()][: len(before)] == before
    assert 3 in scenes(again.ask("Where did you see WORD3?"))
    assert again.stream.gaps[0].reason == "nobody was watching"
    again.close()


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_memory_tiers import Memory
memory = Memory(Path(sys.argv[1]))
second = int(sys.argv[3])
while True:
    memory.watch(second, second + 30)
    second += 30
    print(second, flush=True)
"""


def test_a_kill_while_writing_loses_nothing_that_was_written(tmp_path: Path) -> None:
    reached = 0
    for number in range(8):
        command = [
            sys.executable,
            "-c",
            WRITER,
            str(tmp_path),
            str(Path(__file__).parent),
            str(reached + 1000 * number),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(1 + number % 3):
            reached = int(process.stdout.readline())
        time.sleep(0.013 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        memory = Memory(tmp_path)
        moments = memory.archive.key_moments()
        assert max(moment.t_s for moment in moments) >= reached - SCENE_S
        for moment in moments:
            assert memory.store.get(moment.kept.frame_id).shape == (36, 64, 3)
        memory.stream.restore(moments, memory.archive.gaps(), max(moment.end_s for moment in moments))
        assert memory.notes.search(f"WORD{int(moments[0].t_s) // SCENE_S}", 1)
        memory.close()


def test_what_one_process_forgets_the_other_is_told(memory: Memory) -> None:
    memory.watch(0, 90)
    assert memory.archive.told_to_forget() == []
    script = (
        "import sys; from pathlib import Path; from memory.stream.archive import Archive; "
        "from tools.media.types import Span; Archive(Path(sys.argv[1])).forget(Span(0.0, 29.0))"
    )
    folder = str(memory.archive.path.parent)
    subprocess.run([sys.executable, "-c", script, folder], check=True, cwd=Path(__file__).parent.parent)
    assert memory.archive.told_to_forget() == [Span(0.0, 29.0)]
    assert memory.archive.told_to_forget() == []
    memory.archive.forget(Span(30.0, 31.0))
    assert memory.archive.told_to_forget() == []  # its own is no news


def test_who_asks_to_forget_is_told_apart_within_a_process_too_and_a_failed_look_is_made_again(memory: Memory) -> None:
    memory.watch(0, 90)
    other = Archive(memory.archive.path.parent)  # two containers may have the same process numbers
    other.forget(Span(0.0, 29.0))
    with contextlib.closing(sqlite3.connect(memory.archive.path)) as database:
        database.execute("ALTER TABLE forgotten RENAME TO hidden")
        with pytest.raises(StoreError):
            memory.archive.told_to_forget()
        database.execute("ALTER TABLE hidden RENAME TO forgotten")
    other.forget(Span(30.0, 59.0))
    assert memory.archive.told_to_forget() == [Span(0.0, 29.0), Span(30.0, 59.0)]
    assert memory.archive.told_to_forget() == []
    assert other.told_to_forget() == []
    other.close()


def test_an_archive_of_the_first_format_is_gone_on_with(memory: Memory) -> None:
    memory.watch(0, 90)
    before = [moment.t_s for moment in memory.archive.key_moments()]
    memory.close()
    with contextlib.closing(sqlite3.connect(memory.archive.path)) as database:
        database.executescript(
            "DROP TABLE forgotten; DROP TABLE encoder; PRAGMA user_version=1;"
            "CREATE TABLE forgotten (id INTEGER PRIMARY KEY, start_s REAL NOT NULL, end_s REAL NOT NULL, pid INTEGER);"
            "INSERT INTO forgotten (start_s, end_s, pid) VALUES (0, 1, 1);"
        )
    one, two = Archive(memory.archive.path.parent), Archive(memory.archive.path.parent)
    assert [moment.t_s for moment in one.key_moments()] == before
    assert one.told_to_forget() == []
    one.forget(Span(0.0, 29.0))
    assert two.told_to_forget() == [Span(0.0, 29.0)]
    one.close()
    two.close()


def test_a_damaged_or_newer_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "memory.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"memory\.sqlite"):
        Archive(tmp_path)


def test_two_watchers_of_one_source_get_a_place_each(tmp_path: Path) -> None:
    first = claim_source_dir(tmp_path, "rtsp://***@camera/1", "camera")
    second = claim_source_dir(tmp_path, "rtsp://***@camera/1", "camera")
    other = claim_source_dir(tmp_path, "rtsp://***@camera/1", "another")
    assert len({first.folder, second.folder, other.folder}) == 3
    assert (first.second, second.second, other.second) == (False, True, False)
    assert in_use_by(first.folder) == os.getpid()
    assert source_of(first.folder) == "rtsp://***@camera/1"
    first.release()
    assert in_use_by(first.folder) is None
    assert claim_source_dir(tmp_path, "rtsp://***@camera/1", "camera").folder == first.folder
    assert len(list(source_dirs(tmp_path))) == 3


def test_memories_of_recordings_make_room_and_those_of_cameras_stay(tmp_path: Path) -> None:
    for number, recording in enumerate((True, True, False)):
        place = claim_source_dir(tmp_path, f"clip{number}", str(number))
        if recording:
            place.clear(recording=True)
            os.utime(place.folder / "recording", (number + 1, number + 1))
        place.frames.mkdir()
        (place.frames / "picture").write_bytes(bytes(1000))
        place.release()
    used = claim_source_dir(tmp_path, "used", "used")
    used.clear(recording=True)
    tidy_source_dirs(tmp_path, 1500)
    assert [source_of(path) for path in source_dirs(tmp_path)] == ["clip1", "clip2", "used"]
    used.release()


def test_a_watcher_waits_for_a_visitor_and_not_for_another_watcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim_source_dir(tmp_path, "camera", "camera").release()
    (path,) = source_dirs(tmp_path)
    visitor = visit_source_dir(path)
    assert visitor.alone
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        visitor.release()

    monkeypatch.setattr(time, "sleep", sleep)
    first = claim_source_dir(tmp_path, "camera", "camera")
    assert (first.folder, first.second) == (path, False)
    assert sum(slept) > 0
    assert not visit_source_dir(path).alone
    assert read_source_dir(path).folder == path
    slept.clear()
    second = claim_source_dir(tmp_path, "camera", "camera")
    assert second.second
    assert sum(slept) == 0
    first.release()
    second.release()


def test_memories_are_tidied_and_claimed_by_many_at_once(tmp_path: Path) -> None:
    """What is claimed is never removed, and nobody fails because another removes something."""
    failures: list[BaseException] = []

    def watch(number: int) -> None:
        try:
            for turn in range(15):
                name = f"clip{(number + turn) % 4}"
                place = claim_source_dir(tmp_path, name, name)
                place.clear(recording=True)
                place.frames.mkdir(exist_ok=True)
                (place.frames / "picture").write_bytes(bytes(1000))
                tidy_source_dirs(tmp_path, 500)
                assert (place.frames / "picture").exists()
                place.release()
        except BaseException as error:  # noqa: BLE001 - a thread has no caller
            failures.append(error)

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_full_disk_loses_the_frame_but_not_the_memory(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.watch(0, 60)

    def full(frame: Frame) -> str:
        raise StoreError("no space left", remedy="Free some.")

    with monkeypatch.context() as patched:
        patched.setattr(memory.store, "put", full)
        with pytest.raises(StoreError, match="no space"):
            memory.stream.push(scene_frame(60.0))
    assert 60.0 not in [moment.t_s for moment in memory.archive.key_moments()]
    memory.watch(61, 130)
    assert {2, 3, 4} <= set(scenes(memory.stream.remembered()))
