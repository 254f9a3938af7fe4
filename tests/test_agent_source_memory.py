"""What is remembered on disk of a source: timeline, forgetting for good, export, restarts, commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.cli.memory import ALL, forget_memories, parse_when
from agent.config import Config, load_config
from agent.perception.session import SourceSession, open_source_session
from agent.watch.trigger import open_moments
from memory.store.frames import FrameStore
from memory.store.source_dir import claim_source_dir, source_dirs, source_of
from memory.stream.archive import Archive
from memory.stream.notes import Notes
from memory.stream.queue import FrameRef
from tests.fixtures.faults import wait_for
from tests.fixtures.here import attend_here
from tools.errors import AttendError, ConfigError
from tools.media import Frame, Span

WORDS = ("GATE", "LAMP", "RIVER", "CASTLE")


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of four signs, each before its own background; a folder of pictures shows one a second."""
    folder = tmp_path_factory.mktemp("signs")
    for number, word in enumerate(WORDS):
        coarse = np.random.default_rng(number).integers(40, 220, (9, 16, 3), np.uint8)
        rgb = cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC)
        cv2.rectangle(rgb, (110, 110), (530, 250), (255, 255, 255), -1)
        cv2.putText(rgb, word, (130, 205), cv2.FONT_HERSHEY_SIMPLEX, 2.4, (0, 0, 0), 6)
        cv2.imwrite(str(folder / f"{number}.png"), rgb)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config({"folder": tmp_path / "memory of mine"}, environment={})


@pytest.fixture
def session(signs: Path, config: Config) -> Iterator[SourceSession]:
    opened = open_source_session(str(signs), config)
    opened.watch()
    opened.view.search("wait for the notes", 1, None)
    yield opened
    opened.close()


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_timeline_tells_of_each_moment_what_was_noted(session: SourceSession) -> None:
    timeline = session.source_memory.timeline()
    assert [moment.t_s for moment in timeline.moments] == [0.0, 1.0, 2.0, 3.0]
    assert all(word in moment.note for word, moment in zip(WORDS, timeline.moments, strict=True))
    assert [point.t_s for point in timeline.curve] == [0.0, 1.0, 2.0, 3.0]
    assert timeline.now_s == 3.0
    assert len(session.source_memory.timeline(points=2).curve) == 2


def test_words_noted_are_found_by_meaning_and_forgotten_for_good(session: SourceSession, config: Config) -> None:
    found = session.view.search("a fortress with towers", 4, None)
    assert any("CASTLE" in entry.text for entry in found)
    (place,) = source_dirs(config.folder)
    ids = [moment.frame_id for moment in session.source_memory.timeline().moments]
    vectors = [row.tobytes() for row in _vectors(place)]
    assert (place / "vectors").is_dir()
    assert b"CASTLE" in bytes_on_disk(place)
    gone = session.forget(Span(3.0, 3.0))
    assert (gone.frames, gone.moments) == (1, 1)
    assert gone.notes >= 1
    assert gone.vectors == gone.notes
    session.close()
    left = bytes_on_disk(place)
    assert b"CASTLE" not in left
    assert ids[3] not in {path.stem for path in place.rglob("*.png")}
    assert {path.stem for path in place.rglob("*.png")} == set(ids[:3])
    kept = {row.tobytes() for row in _vectors(place)}
    assert kept < set(vectors)
    for vector in set(vectors) - kept:
        assert vector[:64] not in left
    assert b"LAMP" in left


def _vectors(place: Path) -> list[np.ndarray]:
    import sqlite3

    database = sqlite3.connect(place / "notes.sqlite")
    rows = database.execute("SELECT vector FROM notes WHERE vector IS NOT NULL").fetchall()
    database.close()
    return [np.frombuffer(row[0], np.float32) for row in rows]


def test_a_picture_that_a_tool_cut_out_is_forgotten_too(session: SourceSession) -> None:
    rgb = session.view.picture(session.source_memory.timeline().moments[1].frame_id)
    part = session.view.add_picture(np.ascontiguousarray(rgb[:100, :100]), 1.0)
    session.forget(Span(1.0, 1.0))
    with pytest.raises(AttendError):
        session.view.picture(part.frame_id)
    assert session.view.picture(session.source_memory.timeline().moments[0].frame_id).shape == (360, 640, 3)


def test_what_others_forget_is_not_noted_afterwards(signs: Path, config: Config) -> None:
    session = open_source_session(str(signs), config)
    try:
        session.watch()  # notes take longer: frames wait for them
        session.source_memory.forget(Span(1.0, 3.0))
        assert not session.view.search("sign", 9, Span(1.0, 3.0))
        assert all(note.t_s == 0.0 for note in session.notes.between())
    finally:
        session.close()


def test_a_frame_that_comes_while_others_are_forgotten_keeps_its_picture(
    session: SourceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = session.memory.snapshot
    new = Frame(session.source, 9.0, np.full((360, 640, 3), 77, np.uint8))

    def then_a_frame_comes() -> list[FrameRef]:
        found = snapshot()
        if session.memory.stats.newest_s == 3.0:
            session.memory.push(new)
        return found

    monkeypatch.setattr(session.memory, "snapshot", then_a_frame_comes)
    session.forget(Span(1.0, 1.0))
    assert session.memory.store.has(new.id)


def test_watching_a_recording_goes_on_after_all_of_it_was_forgotten(session: SourceSession) -> None:
    moments = open_moments(session, 3)
    session.forget(ALL)
    assert moments.next(None, 30.0) is None
    moment = moments.last(None)
    assert moment is not None
    assert moment.t_s == 3.0


def test_pin_and_unpin_show_on_the_timeline(session: SourceSession) -> None:
    assert session.source_memory.pin(1.2, True).t_s == 1.0
    assert [moment.t_s for moment in session.source_memory.timeline().moments if moment.pinned] == [1.0]
    session.source_memory.pin(1.0, False)
    assert not [moment for moment in session.source_memory.timeline().moments if moment.pinned]
    with pytest.raises(AttendError, match="no frame is remembered"):
        session.source_memory.pin(99.0, True)


def test_an_export_holds_pictures_notes_and_what_they_mean(session: SourceSession, tmp_path: Path) -> None:
    with zipfile.ZipFile(session.source_memory.export(tmp_path / "some.zip", Span(1.0, 2.0))) as bundle:
        moments = [json.loads(line) for line in bundle.read("moments.jsonl").splitlines()]
        notes = [json.loads(line) for line in bundle.read("notes.jsonl").splitlines()]
        manifest = json.loads(bundle.read("manifest.json"))
        pictures = [name for name in bundle.namelist() if name.startswith("frames/")]
        rgb = cv2.imdecode(np.frombuffer(bundle.read(pictures[0]), np.uint8), cv2.IMREAD_COLOR)
    assert [moment["t_s"] for moment in moments] == [1.0, 2.0]
    assert {"LAMP", "RIVER"} <= {word for note in notes for word in note["text"].split()}
    assert (manifest["moments"], len(pictures)) == (2, 2)
    assert rgb.shape == (360, 640, 3)
    with pytest.raises(AttendError, match="cannot be written"):
        session.source_memory.export(tmp_path / "no such folder" / "some.zip")


def test_a_question_about_the_past_brings_back_its_moment(signs: Path, config: Config) -> None:
    small = config.model_copy(update={"memory": config.memory.model_copy(update={"capacity": 2})})
    session = open_source_session(str(signs), small)
    try:
        session.watch()
        session.view.search("wait for the notes", 1, None)
        assert [frame.t_s for frame in session.view.perceive("What does the sign say now?")][-1] == 3.0
        assert 0.0 not in [frame.t_s for frame in session.view.perceive("What does the sign say now?")]
        assert [frame.t_s for frame in session.view.perceive("What was shown before LAMP?")] == [1.0, 3.0]
        assert [frame.t_s for frame in session.view.perceive("What was there three seconds ago?")] == [0.0, 3.0]
        assert [(span.start_s, span.end_s) for span in session.view.stretches("RIVER")] == [(2.0, 2.0)]
    finally:
        session.close()


def test_a_recording_is_watched_anew_and_its_end_is_not_known_before(signs: Path, config: Config) -> None:
    for _ in range(2):
        session = open_source_session(str(signs), config, realtime=True)
        try:
            session.watch(0.5)
            assert "CASTLE" not in " ".join(note.text for note in session.notes.between())
            session.watch()
            session.close()
        finally:
            session.close()
    assert len(list(source_dirs(config.folder))) == 1


def attend_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [str(Path(sys.executable).parent / "attend"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_command_line_lists_searches_and_forgets_while_another_process_watches(
    session: SourceSession, config: Config
) -> None:
    folder = str(config.folder)
    (listed,) = attend_alone("memory", "list", "--folder", folder, "--json").stdout.splitlines()
    row = json.loads(listed)
    assert (row["moments"], row["live"], row["process"]) == (4, False, os.getpid())
    found = attend_alone("memory", "search", "river", "--folder", folder).stdout
    assert "0:02" in found
    assert "LAMP" not in found
    source = row["source"]
    gone = attend_alone(
        "memory", "forget", "--source", source, "--from", "0:02", "--to", "0:02", "--yes", "--folder", folder
    )
    assert gone.returncode == 0, gone.stderr
    assert [moment.t_s for moment in session.source_memory.timeline().moments] == [0.0, 1.0, 3.0]
    assert session.view.search("river", 3, Span(2.0, 2.0)) == []


def test_showing_what_is_kept_changes_nothing_of_it(
    session: SourceSession, config: Config, signs: Path, tmp_path: Path
) -> None:
    session.close()
    before = {path: path.stat().st_mtime_ns for path in config.folder.rglob("*")}
    shown = attend_here(["memory", "show", signs, "--folder", config.folder, "--png", tmp_path / "m.png"])
    assert shown.returncode == 0, shown.stderr
    assert "4 frames seen" in shown.stdout
    assert {path: path.stat().st_mtime_ns for path in config.folder.rglob("*")} == before
    assert "0:02" in attend_here(["memory", "search", "river", "--folder", config.folder]).stdout


@pytest.mark.parametrize("closing", [False, True])
def test_what_others_forget_after_the_source_has_ended_leaves_the_disk(
    session: SourceSession, config: Config, closing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if closing:
        monkeypatch.setattr("memory.stream.recorder.AFTER_END_S", 3600.0)
        time.sleep(1.0)  # the wait in progress
    assert session.finished
    rgb = session.view.picture(session.source_memory.timeline().moments[1].frame_id)
    session.view.add_picture(np.ascontiguousarray(rgb[:100, :100]), 1.0)  # no row names it
    forget_memories(config, None, None, None, True)
    if closing:
        session.close()
    (place,) = source_dirs(config.folder)
    wait_for(lambda: not list(place.rglob("*.png")), 0.0 if closing else 10.0)


def test_a_forgetting_that_was_cut_off_removes_the_vectors_when_it_is_done_again(
    session: SourceSession, config: Config
) -> None:
    (place,) = source_dirs(config.folder)
    source = session.source
    session.close()
    with Notes(place, source) as notes:
        notes.forget(ALL)  # and killed, before the index was removed
    assert (place / "vectors").exists()
    forget_memories(config, source, None, ALL, False)
    assert not (place / "vectors").exists()


def test_what_is_forgotten_must_be_said(config: Config) -> None:
    with pytest.raises(ConfigError, match="what to forget"):
        forget_memories(config, None, None, None, False)
    with pytest.raises(ConfigError, match="need a source"):
        forget_memories(config, None, None, Span(0, 1), False)
    with pytest.raises(ConfigError, match="nothing is remembered of 'garden'"):
        forget_memories(config, "garden", None, ALL, False)
    refused = attend_here(["memory", "forget", "--before", "soon", "--yes", "--folder", config.folder])
    assert refused.returncode == 1
    assert "'soon'" in refused.stderr
    assert "90m" in refused.stderr


def test_before_forgets_recordings_watched_before(signs: Path, config: Config) -> None:
    session = open_source_session(str(signs), config)
    session.watch()
    session.close()
    assert forget_memories(config, None, "24h", None, False) == ([], [])
    (place,) = source_dirs(config.folder)
    assert list(place.rglob("*.png"))
    time.sleep(0.05)
    ((_, gone),), _ = forget_memories(config, None, "0.01s", None, False)
    assert gone.frames == 4
    assert not list(place.rglob("*.png"))


@pytest.fixture
def damaged(config: Config) -> Path:
    """The place of a camera between two others, with a memory that is no database any more."""
    for name in ("a garden", "b hall", "c yard"):
        with claim_source_dir(config.folder, name, name) as place:
            Archive(place.folder).close()
            FrameStore(place.frames, 10**6).put(Frame(name, 1.0, np.full((8, 8, 3), ord(name[0]), np.uint8)))
    (path,) = (path for path in source_dirs(config.folder) if source_of(path) == "b hall")
    for file in path.glob("memory.sqlite*"):
        file.write_bytes(b"no database" * 1000)
    return path


def test_a_damaged_memory_does_not_keep_others_from_being_listed_and_forgotten(config: Config, damaged: Path) -> None:
    for command in (["list", "--json"], ["search", "a word", "--json"], ["forget", "--before", "1s", "--yes"]):
        run = attend_here(["memory", *command, "--folder", config.folder])
        assert run.returncode == 1
        assert str(damaged / "memory.sqlite") in run.stderr
        if command[0] == "list":
            assert [json.loads(line)["source"] for line in run.stdout.splitlines()] == ["a garden", "c yard"]
    whole = attend_here(["memory", "forget", "--all", "--yes", "--folder", config.folder])
    assert whole.returncode == 0, whole.stderr
    assert "b hall: 1 pictures" in whole.stdout
    assert not list(config.folder.rglob("*.png"))
    assert not list((config.folder / "memory").iterdir())


def test_what_cannot_be_removed_is_told_and_removed_the_next_time(
    config: Config, damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def refuse(path: Path, *arguments: object, **more: object) -> None:
        if (path / "source").exists() and source_of(path) == "b hall":
            raise PermissionError(13, "Permission denied", str(path))
        remove(path)

    with monkeypatch.context() as patched:
        patched.setattr("memory.store.source_dir.shutil.rmtree", refuse)
        told, failures = forget_memories(config, None, None, None, True)
    assert [name for name, _ in told] == ["a garden", "c yard"]
    assert ["Permission denied" in str(failure) for failure in failures] == [True]
    assert len(list(config.folder.rglob("*.png"))) == 1
    assert forget_memories(config, None, None, None, True) == ([], [])
    assert not list(config.folder.rglob("*.png"))


def test_moments_are_read_as_people_write_them() -> None:
    now = 1_800_000_000.0
    assert parse_when("90m", now) == now - 5400
    assert parse_when("7d", now) == now - 604_800
    assert parse_when("yesterday", now) == parse_when("today", now) - 86_400
    assert parse_when("2026-03-01T10:30", now) - parse_when("2026-03-01", now) == 37_800
