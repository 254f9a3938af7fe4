"""What is remembered of a live source on disk, over restarts, changed settings, and suspends of the machine."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.assistant import open_assistant
from agent.cli.console import make_console
from agent.cli.memory import ALL, forget_memories, list_memories
from agent.core.events import Answered, Token
from agent.models.scripted import Scripted
from agent.perception.annotator import embed_texts
from agent.perception.session import SourceSession
from agent.perception.timeline import Moment
from memory.store.source_dir import source_dirs
from memory.stream.notes import Notes
from memory.stream.wall_clock import WallTimes
from tests.fixtures.faults import Camera, jpeg, settings, wait_for, wait_problem, watching


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera(lambda n: jpeg(1 + n // 10, n), fps=20)
    yield made
    made.close()


class Thumbnail:
    """A small true encoder: the picture's means over a grid."""

    def __init__(self, name: str, rows: int) -> None:
        self.name, self.dim, self._rows = name, 12 * rows, rows

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        import cv2

        feature = cv2.resize(rgb, (4, self._rows), interpolation=cv2.INTER_AREA).ravel().astype(np.float32) + 1
        return feature / np.linalg.norm(feature)


def test_another_encoder_begins_its_own_key_moments_and_keeps_what_a_person_pinned(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders = {"one": Thumbnail("one", 4), "as long": Thumbnail("as long", 4), "longer": Thumbnail("longer", 5)}
    monkeypatch.setattr("agent.perception.source_memory.load_encoder", encoders.__getitem__)
    before: set[float] = set()
    pinned_s: float | None = None
    for name, same in (("one", True), ("one", True), ("as long", False), ("longer", False), ("longer", True)):
        config = settings(tmp_path, "curvestream")
        config = config.model_copy(update={"memory": config.memory.model_copy(update={"encoder": name})})
        with watching(camera.address, config) as session:
            tiers = {
                moment.t_s: moment.tier for moment in session.source_memory.timeline(0).moments if moment.t_s in before
            }
            assert tiers == {t_s: "key" if same or t_s == pinned_s else "past" for t_s in before}
            known = session.status.numbers().key_moments
            wait_for(lambda known=known: session.status.numbers().key_moments > known + 3)
            assert session.status.numbers().troubles == []
            if pinned_s is None:
                pinned_s = session.source_memory.pin(session.source_memory.timeline(0).moments[0].t_s, True).t_s
            moments = session.source_memory.timeline(0).moments
            assert [moment.t_s for moment in moments if moment.pinned] == [pinned_s]
        before = {moment.t_s for moment in session.source_memory.memory.moments.all()}


def note_key_moments(session: SourceSession, words: str) -> list[str]:
    """Wait for new key moments, note something of each, and return their frames."""
    since_wall_s = time.time()

    def new_moments() -> list[Moment]:
        moments = session.source_memory.timeline(0).moments
        return [one for one in moments if one.tier == "key" and (one.wall_s or 0.0) >= since_wall_s]

    wait_for(lambda: len(new_moments()) >= 3)
    new = new_moments()
    for number, moment in enumerate(new):
        session.notes.add(moment.t_s, moment.frame_id, "text", f"{words} number {number}")
    session.view.search(words, 1, None)
    return [moment.frame_id for moment in new]


def on_disk(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


@pytest.mark.parametrize("watched", [False, True])
def test_forgetting_what_was_before_a_time_goes_by_the_clock_and_not_by_how_long_was_watched(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], watched: bool
) -> None:
    now = time.time
    config = settings(tmp_path, "curvestream")
    with watching(camera.address, config) as session:
        (place,) = source_dirs(tmp_path)
        before = note_key_moments(session, "LANTERN")
        # All at once, as they were embedded: how many there are tells the last bits on some processors.
        vectors = [vector.tobytes() for vector in embed_texts([f"LANTERN number {n}" for n in range(len(before))])]
        assert all(vector[:64] in on_disk(place) for vector in vectors)
        monkeypatch.setattr(time, "time", lambda: now() + 7200)  # two hours of suspend, in which media time stood still
        after = note_key_moments(session, "HARBOUR")
        assert max(moment.t_s for moment in session.source_memory.timeline(0).moments) < 600
        if watched:
            forgotten, failures = forget_memories(config, None, "1h", None, False)
            wait_for(lambda: not {path.stem for path in place.rglob("*.png")} & set(before))
    if not watched:
        forgotten, failures = forget_memories(config, None, "1h", None, False)
    assert failures == []
    assert forgotten[0][1].notes >= 3
    pictures, left = {path.stem for path in place.rglob("*.png")}, on_disk(place)
    for frame_id in before:
        assert frame_id not in pictures
        assert frame_id.encode() not in left
    assert set(after) <= pictures
    assert b"LANTERN" not in left
    assert b"HARBOUR" in left
    assert not any(vector[:64] in left for vector in vectors)
    with Notes(place, camera.address, embed_texts) as notes:
        assert {note.text.split()[0] for note in notes.search("LANTERN HARBOUR", 9)} == {"HARBOUR"}
    capsys.readouterr()
    list_memories(config, make_console(), as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert row["until_wall_s"] == pytest.approx(now() + 7200, abs=60)
    assert row["until_wall_s"] - row["from_wall_s"] > 7000


def test_a_clock_that_was_set_back_leaves_several_stretches_to_forget() -> None:
    walls = WallTimes([(0.0, 1000.0), (10.0, 1010.0), (20.0, 500.0), (30.0, 510.0), (40.0, 2000.0)])
    assert [(round(span.start_s), round(span.end_s)) for span in walls.before(600.0)] == [(20, 40)]
    assert [(round(span.start_s), round(span.end_s)) for span in walls.before(1005.0)] == [(0, 5), (20, 40)]
    assert walls.before(100.0) == []
    assert (walls.at(35.0), walls.at(45.0)) == (515.0, 2005.0)
    assert WallTimes([]).at(1.0) is None


def test_a_memory_that_is_no_database_is_kept_aside_and_watching_goes_on(camera: Camera, tmp_path: Path) -> None:
    config = settings(tmp_path, "curvestream")
    with watching(camera.address, config) as session:
        note_key_moments(session, "LANTERN")
    (place,) = source_dirs(tmp_path)
    (place / "memory.sqlite").write_bytes(b"no database" * 1000)
    with watching(camera.address, config) as session:
        assert any("memory.sqlite' was damaged" in trouble for trouble in session.status.numbers().troubles)
        assert "memory.sqlite' was damaged" in session.status.summary()
        assert note_key_moments(session, "HARBOUR")
        assert [entry.text for entry in session.view.search("LANTERN", 9, None) if "LANTERN" in entry.text] == []
        assert b"LANTERN" in on_disk(place)
        assert (place / "memory.sqlite.damaged").read_bytes().startswith(b"no database")
        session.forget(ALL)
        assert b"LANTERN" not in on_disk(place)
        assert not list(place.glob("*.damaged*"))


async def test_an_answer_about_now_says_that_the_camera_shows_nothing_new(camera: Camera, tmp_path: Path) -> None:
    model = Scripted.model_validate({"turns": [{"say": "A wall."}] * 3})
    async with open_assistant(camera.address, settings(tmp_path), model=model) as assistant:

        async def ask() -> tuple[str, str]:
            events = [event async for event in assistant.ask("What is shown now?")]
            assert isinstance(events[-1], Answered)
            return "".join(event.text for event in events if isinstance(event, Token)), events[-1].answer.text

        await assistant.watch()
        assert await ask() == ("A wall.", "A wall.")
        camera.silent.set()
        await asyncio.to_thread(wait_problem, assistant.session, "no new picture for ")
        streamed, answered = await ask()
        assert streamed == answered
        assert re.fullmatch(
            r"A wall\.\n\n\(What is there now cannot be seen: no new picture for \d+\.\d s; "
            r"last good picture at \d\d:\d\d:\d\d\.\)",
            answered,
        )
        camera.silent.clear()
        await asyncio.to_thread(wait_problem, assistant.session, "")
        assert await ask() == ("A wall.", "A wall.")
