"""Faults of live sources and of the disk: each is told in clear words, and gone when its cause is gone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from agent.assistant import Assistant, open_assistant
from agent.cli.console import make_console
from agent.cli.memory import forget_memories, search_memories
from agent.core.events import Answered
from agent.models.scripted import Scripted
from agent.perception.session import open_source_session
from memory.store.frames import FrameStore
from memory.store.source_dir import source_dirs
from memory.store.vectors import WRITING, VectorIndex
from memory.stream.archive import MOST_WAITING, Archive, PastMoment, WriteQueue
from memory.stream.keyframes import KeyMoment
from memory.stream.memory import StreamMemory
from memory.stream.notes import Notes
from memory.stream.options import StreamOptions
from memory.stream.queue import FrameRef
from memory.stream.recorder import Recorder
from tests.fixtures.clips import need
from tests.fixtures.faults import (
    QUICK,
    RTSP_SERVER,
    Camera,
    fill,
    jpeg,
    problem,
    settings,
    small_disk,
    wait_for,
    wait_problem,
    watching,
)
from tools.errors import StoreError
from tools.media import Frame, Gap, Span

ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera(lambda n: jpeg(1, n % 50), fps=20)
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def capture_threads() -> int:
    return sum(thread.name.startswith("capture") for thread in threading.enumerate())


@contextlib.contextmanager
def rtsp_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True, check=False).returncode:
        if os.environ.get("CI") == "true":
            pytest.fail("no RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0")
        pytest.skip("no RTSP server")
    with subprocess.Popen(["/usr/bin/python3", str(RTSP_SERVER), str(port)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_an_rtsp_server_that_dies_and_comes_back_leaves_a_gap_in_one_timeline(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(rtsp_server(port))
        with watching(f"rtsp://127.0.0.1:{port}/cam", settings(tmp_path)) as session:
            wait_for(lambda: session.status.numbers().seen > 5)
            timeline, before = session.view.session, session.view.kept()
            first.kill()
            wait_problem(session, "no new picture for ")
            assert re.search(r"last good picture at \d\d:\d\d:\d\d$", problem(session))
            assert problem(session)[:15] in session.status.summary()
            now = session.view.gaps()[-1]
            assert (now.end_s, now.start_s) == (None, pytest.approx(session.capture_stats.last_t_s or 0))
            servers.enter_context(rtsp_server(port))
            wait_problem(session, "")
            wait_for(lambda: session.memory.gaps and session.memory.gaps[-1].end_s)
            assert session.view.session == timeline
            assert session.view.kept()[-1].t_s > before[-1].t_s
            assert session.view.picture(before[0].frame_id).shape == (240, 320, 3)


def test_a_frozen_rtsp_server_is_told_and_does_not_hold_up_closing(tmp_path: Path) -> None:
    port, threads = free_port(), capture_threads()
    with (
        rtsp_server(port) as server,
        watching(f"rtsp://127.0.0.1:{port}/cam", settings(tmp_path)) as session,
    ):
        wait_for(lambda: session.status.numbers().seen > 3)
        server.send_signal(signal.SIGSTOP)
        wait_problem(session, "no new picture for ")
        seen = session.status.numbers().seen
        server.send_signal(signal.SIGCONT)
        wait_problem(session, "")
        wait_for(lambda: session.status.numbers().seen > seen)
        server.send_signal(signal.SIGSTOP)
        wait_problem(session, "no new picture for ")
        assert session.view.gaps()[-1].end_s is None
    wait_for(lambda: capture_threads() <= threads)
    assert capture_threads() <= threads


def test_a_camera_that_freezes_goes_black_is_covered_and_unplugged_recovers_each_time(
    camera: Camera, tmp_path: Path
) -> None:
    good = camera.draw
    config = settings(tmp_path).model_copy(update={"media": QUICK.model_copy(update={"fps": 20})})
    with watching(camera.address, config) as session:
        wait_for(lambda: session.status.numbers().seen > 60)
        assert problem(session) == ""
        for bad, words in (
            (lambda n: jpeg(1), "frozen picture since "),
            (lambda n: jpeg(0), "black picture since "),
            (lambda n: jpeg(-1), "the lens may be covered"),
        ):
            camera.draw = bad
            wait_problem(session, words)
            assert words in session.view.gaps()[-1].reason
            assert words in session.status.summary()
            camera.draw = good
            wait_problem(session, "")
            wait_for(
                lambda words=words: session.memory.gaps and words.split(" since")[0] in session.memory.gaps[-1].reason
            )
            told = session.view.gaps()
            assert told == session.memory.gaps
            assert told[-1].start_s < (told[-1].end_s or 0.0) < (session.memory.stats.newest_s or 0.0) + 0.1
        assert len(session.memory.gaps) == 3
        camera.on = False
        wait_problem(session, "no new picture for ")
        camera.on = True
        wait_problem(session, "")
        assert session.memory.gaps[-1].end_s is not None
        camera.silent.set()
        wait_problem(session, "no new picture for ")
        camera.silent.clear()
        camera.draw = lambda n: jpeg(0)
        wait_problem(session, "black picture since ")
    with watching(camera.address, config) as session:
        assert [gap.reason for gap in session.memory.gaps[-2:]] == ["black picture", "nobody was watching"]


def test_a_pause_is_no_fault(camera: Camera, tmp_path: Path) -> None:
    with watching(camera.address, settings(tmp_path)) as session:
        session.pause()
        time.sleep(3.5)
        assert problem(session) == ""
        session.resume()
        assert problem(session) == ""
        seen = session.status.numbers().seen
        wait_for(lambda: session.status.numbers().seen > seen)
        assert problem(session) == ""


@contextlib.contextmanager
def sender(port: int, offset_s: float = 0.0) -> Iterator[None]:
    """MPEG-TS over UDP whose clock begins at an offset."""
    source = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=15"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-threads", "1"]
    out = ["-output_ts_offset", str(offset_s), "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"]
    command = [need("ffmpeg", "ffmpeg"), "-loglevel", "error", *source, *codec, *out]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def test_corrupt_packets_are_left_out_and_told(tmp_path: Path) -> None:
    inner, outer, damage, done = free_port(), free_port(), threading.Event(), threading.Event()

    def proxy() -> None:
        rng = np.random.default_rng(0)
        with socket.socket(type=socket.SOCK_DGRAM) as taking, socket.socket(type=socket.SOCK_DGRAM) as giving:
            taking.bind(("127.0.0.1", inner))
            taking.settimeout(0.2)
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    packet = bytearray(taking.recv(65536))
                    if damage.is_set() and rng.random() < 0.2:
                        for place in rng.integers(0, len(packet), 40):
                            packet[place] ^= 0xFF
                    giving.sendto(packet, ("127.0.0.1", outer))

    thread = threading.Thread(target=proxy)
    thread.start()
    try:
        with (
            sender(inner),
            watching(f"udp://127.0.0.1:{outer}", settings(tmp_path)) as session,
        ):
            wait_for(lambda: session.status.numbers().seen > 5)
            assert not any("damaged" in gap.reason for gap in session.memory.gaps[1:])
            damage.set()
            told = []
            wait_for(lambda: told.append(problem(session)) or "damaged" in told[-1] or "no new picture" in told[-1])
            damage.clear()
            wait_for(lambda: "damaged packets or pictures" in str(session.memory.gaps))
            wait_problem(session, "")
            seen = session.status.numbers().seen
            wait_for(lambda: session.status.numbers().seen > seen + 5)
    finally:
        done.set()
        thread.join()


def test_a_stream_clock_that_jumps_or_wraps_keeps_one_timeline(tmp_path: Path) -> None:
    port = free_port()
    config = settings(tmp_path).model_copy(update={"media": QUICK.model_copy(update={"read_timeout_s": 8})})
    wraps_s = 2**33 / 90_000
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(sender(port, wraps_s - 4))
        session = stack.enter_context(watching(f"udp://127.0.0.1:{port}", config))
        begun_s, heard = time.monotonic(), []
        session.listen(lambda frame, decision: heard.append(frame.t_s))
        wait_for(lambda: heard and heard[-1] > 5)
        first.close()
        for offset_s in (9_000, 20):
            seen = session.status.numbers().seen
            with sender(port, offset_s):
                wait_for(lambda seen=seen: session.status.numbers().seen > seen + 10)
        took_s = time.monotonic() - begun_s
    assert all(a < b for a, b in pairwise(heard))
    assert heard[-1] < took_s + 6  # a stream may run ahead of our clock by that much, but not by hours
    assert heard[-1] > 4


def test_a_wall_clock_that_is_set_does_not_disorder_moments(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    with watching(camera.address, settings(tmp_path, "curvestream")) as session:
        wait_for(lambda: session.status.numbers().key_moments > 0)
        for scene, jump_s in ((2, -7200.0), (3, 7200.0)):
            monkeypatch.setattr(time, "time", lambda jump_s=jump_s: now() + jump_s)
            before = session.status.numbers().key_moments
            camera.draw = lambda n, scene=scene: jpeg(scene, n % 50)
            wait_for(lambda before=before: session.status.numbers().key_moments > before)
            clock = time.strftime("%H:%M:%S", time.localtime(now() + jump_s))
            found = session.view.perceive(f"What was there at {clock}?")
            assert found[-1].t_s == max(frame.t_s for frame in found)
            assert (session.source_memory.clock_epoch_s() or 0) + found[-1].t_s == pytest.approx(now() + jump_s, abs=10)
        moments = session.source_memory.timeline().moments
        assert [moment.t_s for moment in moments] == sorted(moment.t_s for moment in moments)
    monkeypatch.setattr(time, "time", lambda: now() - 7200)
    with watching(camera.address, settings(tmp_path, "curvestream")) as session:
        wait_for(lambda: session.status.numbers().key_moments > len(moments) - 8)
        assert session.view.kept()[-1].t_s > moments[-1].t_s


def note_much(notes: Notes) -> None:
    for number in range(1000):
        notes.add(1.0, "f", "text", f"{number} " * 2000)


def test_a_full_disk_costs_frames_that_are_counted_and_nothing_else(camera: Camera, tmp_path: Path) -> None:
    camera.draw = lambda n: jpeg(1 + n // 4 % 40, n % 50)
    with small_disk(tmp_path / "disk", 24) as disk:
        config = settings(disk, "curvestream")
        with watching(camera.address, config) as session:
            wait_for(lambda: session.status.numbers().key_moments > 3)
            ballast = fill(disk)
            wait_for(lambda: session.status.numbers().lost > 3)
            status = session.status.numbers()
            assert any("disk is full" in trouble or "disk space" in trouble for trouble in status.troubles)
            assert (
                f"{session.status.numbers().lost} lost" in session.status.summary()
                or session.status.numbers().lost > status.lost
            )
            with pytest.raises(StoreError, match=r"notes.*(disk is full|disk I/O)"):
                note_much(session.notes)
            ballast.unlink()
            kept = len(Archive(session.source_memory.place.folder).key_moments())
            wait_for(lambda: len(Archive(session.source_memory.place.folder).key_moments()) > kept + 3)
            session.notes.add(1.0, "f", "text", "there is room again")
            lost = session.status.numbers().lost
            seen = session.status.numbers().seen
            wait_for(lambda: session.status.numbers().seen > seen + 10)
            assert session.status.numbers().lost == lost
            held = session.memory.moments
        assert held is not None
        written = {moment.t_s for moment in Archive(session.source_memory.place.folder).key_moments()}
        assert {moment.t_s for moment in held.all()} == written


async def ask_much(assistant: Assistant) -> None:
    for _ in range(50):
        async for _event in assistant.ask("And now? " + "x" * 20_000):
            pass


async def test_a_full_disk_fails_a_question_clearly_and_the_next_is_answered(camera: Camera, tmp_path: Path) -> None:
    model = Scripted.model_validate({"turns": [{"say": "One."}, {"say": "Two."}, {"say": "Three."}]})
    with small_disk(tmp_path / "disk", 8) as disk:
        async with open_assistant(camera.address, settings(disk), model=model) as assistant:
            await assistant.watch()
            assert isinstance([event async for event in assistant.ask("What is there?")][-1], Answered)
            assistant.session.pause()  # else a picture that gives way makes room
            ballast = fill(disk)
            with pytest.raises(StoreError, match=r"conversation.*(disk is full|disk I/O)"):
                await ask_much(assistant)
            ballast.unlink()
            assistant.session.resume()
            last = [event async for event in assistant.ask("And at last?")][-1]
            assert isinstance(last, Answered)
            assert last.answer.text in ("Two.", "Three.")


def test_a_disk_that_is_read_only_at_a_restart_is_told_and_left_unharmed(camera: Camera, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        with watching(camera.address, settings(disk)) as session:
            wait_for(lambda: session.status.numbers().seen > 3)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(StoreError, match=r"Read-only file system.*--folder"):
            open_source_session(camera.address, settings(disk))
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        with watching(camera.address, settings(disk)) as session:
            assert session.view.gaps()[0].reason == "nobody was watching"


@contextlib.contextmanager
def attend_chat(address: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`attend chat` in a process of its own, watching into a folder."""
    script = folder.parent / "script.json"
    script.write_text(json.dumps([{"say": "Yes."}]))
    flags = ["--json", "--fps", "10", "--model", f"scripted:{script}", "--folder", str(folder)]
    with subprocess.Popen(
        [*ATTEND, "chat", address, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    ) as process:
        try:
            assert process.stdout
            assert json.loads(process.stdout.readline())["live"]
            yield process
        finally:
            process.kill()


def key_moments(folder: Path) -> list[float]:
    found = list(source_dirs(folder))
    if not found or not (found[0] / "memory.sqlite").exists():
        return []
    archive = Archive(found[0])
    try:
        return [moment.t_s for moment in archive.key_moments()]
    finally:
        archive.close()


def by_meaning(texts: list[str]) -> np.ndarray:
    """Vectors of texts, in which a gate and a portal are the same."""
    return np.eye(2, dtype=np.float32)[[int(text in ("a gate", "portal")) for text in texts]]


def test_a_killed_chat_is_gone_on_with_and_a_damaged_index_is_made_anew(camera: Camera, tmp_path: Path) -> None:
    camera.draw = lambda n: jpeg(1 + n // 8 % 40, n % 50)
    folder = tmp_path / "memory"
    with attend_chat(camera.address, folder) as process:
        wait_for(lambda: len(key_moments(folder)) >= 4, 60)
        killed_s = key_moments(folder)[-1]
        process.send_signal(signal.SIGKILL)
        process.wait()
    place = next(source_dirs(folder))
    with Notes(place, camera.address, by_meaning) as notes:
        notes.add(killed_s, "f", "text", "a gate")
        assert [note.text for note in notes.search("portal", 1)] == ["a gate"]
    (place / "vectors" / "chroma.sqlite3").write_bytes(b"damaged" * 999)
    config = settings(folder, "curvestream")
    with watching(camera.address, config) as session:
        times = [moment.t_s for moment in session.source_memory.timeline().moments]
        assert killed_s in times
        assert [gap.reason for gap in session.view.gaps()].count("nobody was watching") == 1
        assert session.memory.gaps[-1].start_s >= killed_s
        assert session.view.kept()[-1].t_s > killed_s
        span = Span(killed_s, killed_s)
        assert session.view.frames(span, 1)[0].t_s == killed_s
        with Notes(place, camera.address, by_meaning) as notes:
            assert [note.text for note in notes.search("portal", 1)] == ["a gate"]


def test_two_processes_share_a_folder_and_forget_for_each_other(
    camera: Camera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera.draw = lambda n: jpeg(1 + n // 8 % 40, n % 50)
    folder = tmp_path / "memory"
    config = settings(folder, "curvestream")
    with attend_chat(camera.address, folder) as process:
        wait_for(lambda: len(key_moments(folder)) > 4, 60)
        with watching(camera.address, config) as session:
            assert session.source_memory.place.second
            wait_for(lambda: session.status.numbers().key_moments > 1)
        first = next(source_dirs(folder))
        with Notes(first, camera.address) as notes:
            notes.add(1.0, "f", "text", "a gate")
        search_memories(config, "gate", None, 5, make_console(), as_json=True)
        assert "a gate" in capsys.readouterr().out
        gone = key_moments(folder)[:3]
        pictures = {moment.kept.frame_id for moment in Archive(first).key_moments()[:3]}
        assert forget_memories(config, first.name, None, Span(0.0, gone[-1]), False)[1] == []
        wait_for(lambda: not any((first / "frames" / f"{frame_id}.png").exists() for frame_id in pictures))
        wait_for(lambda: len(key_moments(folder)) > 4)
        assert not {*gone} & {*key_moments(folder)}
        assert process.poll() is None


def test_reconnecting_for_long_leaks_nothing(camera: Camera, tmp_path: Path) -> None:
    options = QUICK.model_copy(update={"backoff_initial_s": 0.01, "backoff_max_s": 0.02})
    with watching(camera.address, settings(tmp_path).model_copy(update={"media": options})) as session:

        def hang_up_often(times: int) -> tuple[int, int]:
            camera.draw = lambda n: (_ for _ in ()).throw(OSError) if n > 2 else jpeg(1, n)
            target = camera.opened + times
            wait_for(lambda: camera.opened >= target, 60)
            return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

        threads, files = hang_up_often(10)
        more_threads, more_files = hang_up_often(60)
        assert more_threads <= threads + 3
        assert more_files <= files + 6
        assert len(session.memory.gaps) > 10


def test_an_index_cut_off_while_it_was_written_is_not_even_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = np.random.default_rng(0).normal(size=(1200, 16)).astype(np.float32)
    rows = [(str(number), vector, {"source": "a", "t_s": float(number)}) for number, vector in enumerate(vectors)]
    index = VectorIndex(tmp_path / "vectors", "notes", lambda: rows)
    index.rebuild()
    assert not (tmp_path / "vectors" / WRITING).exists()
    for path in (tmp_path / "vectors").rglob("*.bin"):
        path.write_bytes(path.read_bytes()[:10])  # Chroma may hang on such files
    (tmp_path / "vectors" / WRITING).touch()
    again = VectorIndex(tmp_path / "vectors", "notes", lambda: rows)
    assert again.query(vectors[7], 1)[0][0] == "7"
    assert again.count() == 1200
    assert ["was interrupted" in record.message for record in caplog.records] == [True]


class Disk:
    """A ledger that can be full."""

    def __init__(self) -> None:
        self.full, self.written = False, list[object]()

    def push_gap(self, gap: Gap) -> None:
        if self.full:
            raise StoreError("full")
        self.written.append(gap)

    def save(self, moment: KeyMoment) -> None:
        if self.full:
            raise StoreError("full")
        self.written.append(("save", moment.t_s, moment.frames))

    def drop(self, times_s: Iterable[float]) -> None:
        if self.full:
            raise StoreError("full")
        self.written.append(("drop", *times_s))

    def past(self, span: Span | None = None) -> list[PastMoment]:
        return []


def test_what_a_full_disk_refused_is_written_in_order_and_as_it_is_by_then() -> None:
    disk = Disk()
    journal = WriteQueue(disk)
    moment = KeyMoment(
        FrameRef("f", "cam", 1.0, 4, 4, "clear", None, None), np.ones(2), np.zeros((90, 160)), 1, 1, 1, 1
    )
    disk.full = True
    journal.push_gap(Gap("cam", 0.0, 0.5, "lost"))
    journal.save(moment)
    with pytest.raises(StoreError):
        journal.write()
    moment.frames = 5
    journal.drop([0.2])
    disk.full = False
    journal.write()
    journal.write()
    assert disk.written == [Gap("cam", 0.0, 0.5, "lost"), ("save", 1.0, 5), ("drop", 0.2)]
    disk.full = True
    for number in range(MOST_WAITING + 500):
        journal.push_gap(Gap("cam", float(number), None, "lost"))
    disk.full, disk.written = False, []
    journal.write()
    assert len(disk.written) == MOST_WAITING


def test_gaps_of_a_flapping_camera_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory.stream.archive.GAP_ROWS", 10)
    archive = Archive(tmp_path)
    for number in range(30):
        archive.push_gap(Gap("cam", float(number), number + 0.5, "lost"))
    assert [gap.start_s for gap in archive.gaps()] == [float(number) for number in range(20, 30)]
    archive.close()


def test_vectors_of_what_the_command_line_forgets_leave_the_disk(camera: Camera, tmp_path: Path) -> None:
    config = settings(tmp_path)
    with watching(camera.address, config) as session:
        place = session.source_memory.place.folder
    with Notes(place, camera.address, by_meaning) as notes:
        notes.add(1.0, "f", "text", "a gate")
        notes.add(9.0, "f", "text", "a wall")
        notes.search("gate", 1)
    [(_, forgotten)], _ = forget_memories(config, camera.address, None, Span(0.0, 5.0), False)
    assert (forgotten.notes, forgotten.vectors) == (1, 1)
    assert not (place / "vectors").exists()
    with Notes(place, camera.address, by_meaning) as notes:
        assert [note.text for note in notes.search("wall", 5)] == ["a wall"]


def test_a_gap_that_cannot_be_written_does_not_end_the_recording(tmp_path: Path) -> None:
    disk = Disk()
    disk.full = True
    events = [Gap("cam", 0.0, 1.0, "lost"), Frame("cam", 2.0, np.zeros((8, 8, 3), np.uint8))]

    class Played:
        start = close = staticmethod(lambda: None)
        finished = property(lambda self: not events)

        def get(self, timeout_s: float) -> Frame | Gap | None:
            return events.pop(0) if events else None

    memory = StreamMemory(StreamOptions(policy="last"), None, FrameStore(tmp_path, 10**6), disk)
    with Recorder(Played(), memory) as recorder:
        assert recorder.drain(60)
    assert [str(error) for error in recorder.take_errors()] == ["full", "full"]
    assert (memory.stats.seen, len(memory.gaps)) == (1, 1)
    disk.full = False
    memory.push(Frame("cam", 3.0, np.zeros((8, 8, 3), np.uint8)))
    assert disk.written == [Gap("cam", 0.0, 1.0, "lost")]
