"""The observer: what is detected in sampled frames, stored and found again; by a scripted detector on drawn clips."""

from __future__ import annotations

import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from typer.testing import CliRunner

from agent.cli.main import app
from agent.config import Config, load_config
from agent.core.prompt import frame_blocks
from agent.models.embedded.request import read_request
from agent.models.protocol import Abilities
from agent.perception import observer as observing
from agent.perception.observer import MAX_PICTURES, Observer
from agent.perception.seen_over_time import in_all, seen_over_time, told
from agent.perception.session import SourceSession, open_source_session
from agent.perception.when_seen import NAME, make_when_seen
from memory.stream.detections import FILE_NAME, MIN_ROWS, QUOTA_SHARE, ROW_BYTES, Detections, Sighting
from memory.stream.options import StreamOptions
from tools.errors import ConfigError, ModelError, ToolRetry
from tools.media import Frame, Span
from tools.perception.detect import Detection
from tools.perception.options import PerceptionOptions
from tools.perception.zones import HALVES, find_zone, parse_zone

WAIT_S = 30.0


def scene(x: float | None, y: float = 0.5) -> np.ndarray:
    """A dark picture with a white square at a place, or without it."""
    rgb = np.full((120, 160, 3), 20, np.uint8)
    if x is not None:
        left, top = int(x * 160) - 10, int(y * 120) - 10
        rgb[max(0, top) : top + 20, max(0, left) : left + 20] = 255
    return rgb


class Squares:
    """A detector that finds white squares and calls them people; counts its calls."""

    def __init__(self, delay: threading.Event | None = None) -> None:
        self.calls = 0
        self.delay = delay

    def __call__(self, rgb: np.ndarray) -> Sequence[Detection]:
        self.calls += 1
        if self.delay is not None:
            assert self.delay.wait(WAIT_S)
        height, width = rgb.shape[:2]
        count, _, stats, _ = cv2.connectedComponentsWithStats((rgb[..., 0] > 128).astype(np.uint8))
        return [
            Detection("person", 0.9, (x / width, y / height, (x + w) / width, (y + h) / height))
            for x, y, w, h, area in stats[1:count]
            if area > 100
        ]


def write_clip(path: Path, places: Sequence[float | None], fps: int = 5) -> Path:
    """Write a clip with one second for each place of the square."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (160, 120))
    for x in places:
        for _ in range(fps):
            writer.write(scene(x))
    writer.release()
    return path


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Squares:
    squares = Squares()
    monkeypatch.setattr(observing, "_default_detector", squares)
    return squares


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Detections]:
    with closing(Detections(tmp_path, "cam", 16 << 20)) as opened:
        yield opened


def config(folder: Path, **perception: object) -> Config:
    options = PerceptionOptions.model_validate({"detect": True, **perception})
    return Config(folder=folder, memory=StreamOptions(policy="last"), take_notes=False, perception=options)


def watched(clip: Path, settings: Config) -> SourceSession:
    session = open_source_session(str(clip), settings)
    session.watch()
    assert session.observer is not None
    assert session.observer.drain(WAIT_S)
    return session


def frame(t_s: float, x: float | None) -> Frame:
    return Frame("cam", t_s, scene(x))


def test_a_thing_in_a_file_is_stored_with_its_box_and_one_track(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [None, 0.2, 0.4, 0.6, None])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        looks = list(session.source_memory.detections.looks())
    people = [one for look in looks for one in look.sightings]
    assert [round(one.centre[0], 1) for one in people] == [0.2, 0.4, 0.6]
    assert {one.label for one in people} == {"person"}
    assert len({one.track for one in people}) == 1
    assert people[0].track is not None


def test_nothing_is_detected_where_it_is_off_or_nothing_is_noted(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4])
    for number, detect in enumerate((False, None)):
        with closing(open_source_session(str(clip), config(tmp_path / str(number), detect=detect))) as session:
            session.watch()
            assert session.observer is None
    assert detector.calls == 0


def test_a_still_picture_is_looked_at_once(stored: Detections) -> None:
    squares = Squares()
    with closing(Observer(stored, plays=False, detector=squares)) as observer:
        for t_s in range(6):
            observer.submit(frame(float(t_s), 0.3))
        assert observer.drain(WAIT_S)
        assert observer.still == 5
    (look,) = stored.looks()
    assert (look.t_s, look.until_s) == (0.0, 5.0)
    assert squares.calls == 1


def test_frames_of_a_file_beyond_the_queue_are_read_from_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(observing, "_default_detector", Squares(release))
    places = [0.1 + 0.8 * (number % 5) / 5 for number in range(3 * MAX_PICTURES)]
    clip = write_clip(tmp_path / "long.avi", places)
    with closing(open_source_session(str(clip), config(tmp_path / "home"))) as session:
        session.watch()  # which ends though nothing was detected yet
        assert session.memory.stats.seen == len(places)
        release.set()
        assert session.observer is not None
        assert session.observer.drain(WAIT_S)
        found = [look.sightings[0].centre[0] for look in session.source_memory.detections.looks()]
        assert session.observer.skipped == 0
    assert found == pytest.approx(places, abs=0.02)


def test_a_slow_detector_delays_no_frame_of_a_playing_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(observing, "_default_detector", Squares(release))
    clip = write_clip(tmp_path / "live.avi", [0.2, 0.4, 0.6, 0.8])
    with closing(open_source_session(str(clip), config(tmp_path / "home"), realtime=True)) as session:
        session.watch(3.0)
        stats = session.capture_stats
        assert (stats.dropped, session.memory.stats.seen) == (0, 4)
        assert session.status.numbers().not_detected == 2  # the first is in hand, and the last waits
        release.set()


def test_a_playing_source_keeps_to_its_share_of_a_core(stored: Detections, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[float] = []

    def slow(rgb: np.ndarray) -> list[Detection]:
        looked.append(0.05)
        return []

    monkeypatch.setattr(observing, "time", SimpleNamespace(monotonic=lambda: sum(looked)))
    with closing(Observer(stored, plays=True, share=0.001, detector=slow)) as observer:
        observer.submit(frame(0.0, 0.2))
        assert observer.drain(WAIT_S)
        for t_s in (1.0, 2.0, 3.0):
            observer.submit(frame(t_s, 0.1 * t_s))  # it rests for 50 s
        assert (len(looked), observer.skipped, observer.waiting()) == (1, 2, 1)


def test_a_question_and_the_observer_detect_a_frame_once(stored: Detections) -> None:
    squares = Squares()
    asked = frame(1.0, 0.4)
    with closing(Observer(stored, plays=False, detector=squares)) as observer:
        first = observer.look(asked.id, asked.t_s, asked.rgb)
        observer.submit(frame(0.0, 0.2))
        observer.submit(asked)
        assert observer.drain(WAIT_S)
        again = observer.look(asked.id, asked.t_s, asked.rgb)
    assert squares.calls == 2
    assert (first[0].track, again[0].track) == (None, 1)


def test_without_weights_one_error_is_reported_and_nothing_else_is_tried(stored: Detections) -> None:
    calls = []

    def missing(rgb: np.ndarray) -> list[Detection]:
        calls.append(rgb)
        raise ModelError("the weights are missing.")

    with closing(Observer(stored, plays=False, detector=missing)) as observer:
        observer.submit(frame(0.0, 0.2))
        assert observer.drain(WAIT_S)
        observer.submit(frame(1.0, 0.4))
        assert observer.drain(WAIT_S)
        assert "weights are missing" in str(observer.error)
    assert len(calls) == 1


def test_what_is_forgotten_leaves_the_file_and_does_not_return(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4, 0.6])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        detections = session.source_memory.detections
        middle = list(detections.looks())[1]
        rgb = scene(0.4)
        session.forget(Span(0.9, 1.5))
        assert session.observer is not None
        session.observer.look("0" * 64, middle.t_s, rgb)  # a question that was under way
        assert [look.t_s for look in detections.looks()] == [0.0, 2.0]
        assert middle.frame_id.encode() not in detections.path.read_bytes()


def test_detections_survive_the_process_and_tracks_go_on_counting(tmp_path: Path) -> None:
    for number in (1, 2):
        with (
            closing(Detections(tmp_path, "cam", 16 << 20)) as opened,
            closing(Observer(opened, plays=False, detector=Squares())) as observer,
        ):
            observer.submit(frame(100.0 * number, 0.2))
            assert observer.drain(WAIT_S)
    with closing(Detections(tmp_path, "cam", 16 << 20)) as opened:
        assert [look.sightings[0].track for look in opened.looks()] == [1, 2]
        assert opened.labels() == ["person"]


def test_the_oldest_detections_give_way(tmp_path: Path) -> None:
    with closing(Detections(tmp_path, "cam", int(MIN_ROWS * ROW_BYTES / QUOTA_SHARE))) as opened:
        one = Sighting("car", 0.8, (0.1, 0.1, 0.2, 0.2))
        for t_s in range(2 * MIN_ROWS):
            opened.add(float(t_s), f"{t_s:064x}", [one])
        looks = list(opened.looks())
        assert len(looks) + len(opened) <= opened.max_rows
        assert looks[-1].t_s == 2 * MIN_ROWS - 1
        assert looks[0].t_s > MIN_ROWS


def test_the_tables_of_notes_and_moments_are_as_before(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        folder = session.source_memory.place.folder
    names = {}
    for path in folder.glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            names[path.name] = {
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
    assert names[FILE_NAME] == {"looks", "detections"}
    assert "looks" not in names["memory.sqlite"] | names["notes.sqlite"]


def test_the_setting_is_read_from_the_environment() -> None:
    read = load_config(environment={"ATTEND_PERCEPTION__DETECT": "false", "ATTEND_PERCEPTION__SHARE": "0.3"})
    assert (read.perception.detect, read.perception.share) == (False, 0.3)
    with pytest.raises(ConfigError):
        load_config({"perception.share": 0}, environment={})


def looks(stored: Detections, *rows: tuple[float, list[Sighting]]) -> Detections:
    for t_s, sightings in rows:
        stored.add(t_s, f"{int(1000 * t_s):064x}", sightings)
    return stored


def one(x: float, track: int | None, label: str = "person", confidence: float = 0.5) -> Sighting:
    return Sighting(label, confidence, (x - 0.05, 0.3, x + 0.05, 0.7), track)


def test_when_something_was_seen_in_a_half_how_many_and_in_all(stored: Detections) -> None:
    looks(
        stored,
        (0.0, [one(0.2, 1)]),
        (1.0, [one(0.4, 1), one(0.1, 2)]),
        (2.0, [one(0.6, 1), one(0.2, 2)]),
        (3.0, [one(0.8, 1), one(0.7, 3, "car")]),
        (4.0, [one(0.7, 3, "car")]),
        (5.0, []),
        (6.0, [one(0.3, 4)]),
        (7.0, [one(0.4, 4)]),
    )
    whole = seen_over_time(stored, "person")
    assert [(stretch.start_s, stretch.end_s, stretch.most) for stretch in whole] == [(0.0, 3.0, 2), (6.0, 7.0, 1)]
    assert in_all(whole) == 3
    left = seen_over_time(stored, "person", HALVES["left"])
    assert [(stretch.start_s, stretch.end_s) for stretch in left] == [(0.0, 2.0), (6.0, 7.0)]
    assert [stretch.start_s for stretch in seen_over_time(stored, "person", since=4.0)] == [6.0]
    assert [stretch.end_s for stretch in seen_over_time(stored, "person", until=1.0)] == [1.0]
    assert seen_over_time(stored, "dog") == []
    both = seen_over_time(stored, {"person", "car"})
    assert (len(both), in_all(both)) == (1, 4)  # one look without any ends nothing
    assert "3 in all, at most 2 at once" in told("person", whole)
    assert "[0:00] to [0:03]: at most 2 at once, left, then right" in told("person", whole)


def test_an_unsure_sighting_that_comes_once_does_not_count_and_one_miss_ends_nothing(stored: Detections) -> None:
    looks(stored, (0.0, [one(0.5, 1)]), (1.0, []), (2.0, [one(0.5, 1)]), (3.0, []), (4.0, []), (5.0, [one(0.9, 2)]))
    assert [(stretch.start_s, stretch.end_s) for stretch in seen_over_time(stored, "person")] == [(0.0, 2.0)]
    looks(stored, (6.0, [one(0.9, 3, confidence=0.8)]))
    assert seen_over_time(stored, "person")[-1].start_s == 6.0


def test_nothing_is_said_of_the_time_in_which_nobody_looked(stored: Detections) -> None:
    looks(stored, (0.0, [one(0.5, 1)]), (1.0, [one(0.5, 1)]), (600.0, [one(0.5, 2)]), (601.0, [one(0.5, 2)]))
    assert [(s.start_s, s.end_s) for s in seen_over_time(stored, "person")] == [(0.0, 1.0), (600.0, 601.0)]


def test_the_tool_answers_by_kind_and_zone_and_says_what_it_knows(stored: Detections) -> None:
    looks(stored, (0.0, [one(0.2, 1)]), (1.0, [one(0.3, 1)]))
    door = parse_zone("door: 0.7,0 1,0 1,1 0.7,1")
    tool = make_when_seen(stored, [door])
    call = {"name": NAME, "id": "1", "type": "tool_call"}
    found = tool.invoke({**call, "args": {"label": "people", "zone": "left"}})
    assert found.content.startswith("people in the zone left: 1 in all")
    assert [evidence.t_s for evidence in found.artifact.evidence] == [0.0, 1.0]
    assert "not detected" in tool.invoke({**call, "args": {"label": "person", "zone": "door"}}).content
    for args in ({"label": "person", "zone": "attic"}, {"label": "zeppelin"}):
        with pytest.raises(ToolRetry):
            tool.invoke({**call, "args": args})


def test_the_command_finds_what_was_detected(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [None, 0.2, 0.4, None, None])
    with closing(watched(clip, config(tmp_path / "home"))):
        pass
    asked = ["memory", "search", "person", "--folder", str(tmp_path / "home")]
    result = CliRunner().invoke(app, asked)
    assert "1 in all, at most 1 at once" in " ".join(result.output.split()), result.output
    lines = CliRunner().invoke(app, [*asked, "--json", "--zone", "left"]).output.splitlines()
    assert [(row["start_s"], row["end_s"], row["most"]) for row in map(json.loads, lines)] == [(1.0, 2.0, 1)]
    assert "nothing" in CliRunner().invoke(app, [*asked, "--zone", "right"]).output
    assert CliRunner().invoke(app, [*asked, "--zone", "attic"]).exit_code != 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("door 0,0 1,0 1,1", "no zone"),
        ("door: 0,0 1,0", "2 points"),
        ("door: 0,0 1,0 1.2,1", "outside"),
        ("door: 0,0 nan,0 1,1", "outside"),
        ("door: 0,0 1;0 1,1", "no point"),
        ("door: 0,0 1,1 1,0 0,1", "cross"),
        ("door: 0,0 0.5,0.5 1,1", "cross"),
        ("left: 0,0 1,0 1,1", "another"),
    ],
)
def test_invalid_zones_are_refused_with_the_reason(text: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        load_config({"perception.zones": [text]}, environment={})


def test_a_zone_contains_what_lies_in_its_polygon() -> None:
    corner = parse_zone("Corner: 0,0 0.6,0 0.6,0.2 0.2,0.2 0.2,0.6 0,0.6")
    assert corner.name == "corner"
    assert [point in corner for point in ((0.1, 0.5), (0.5, 0.1), (0.5, 0.5))] == [True, True, False]
    assert find_zone("CORNER", [corner]) is corner
    with pytest.raises(ConfigError, match="two zones"):
        load_config({"perception.zones": ["a: 0,0 1,0 1,1", "A: 0,0 1,0 0,1"]}, environment={})


def test_a_frame_comes_to_the_embedded_model_with_what_was_detected_and_to_others_without(
    tmp_path: Path, detector: Squares
) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        calls = detector.calls
        frames = session.view.perceive()
        found = session.view.detected(frames, True)
        blocks, _ = frame_blocks(frames, Abilities(images=True, detections=True), session.view.shown, list, (), found)
        plain, _ = frame_blocks(frames, Abilities(images=True), session.view.shown, list)
    assert detector.calls == calls  # nothing is detected twice
    request = read_request([HumanMessage([*blocks, {"type": "text", "text": "who?"}])])
    assert [[round(thing.centre[0], 1) for thing in frame.found or ()] for frame in request.frames] == [[0.2], [0.4]]
    assert all("detections" not in block.get("extras", {}) for block in plain if isinstance(block, dict))


def test_an_export_has_the_detections_and_pictures_with_boxes(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4, None])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        path = session.source_memory.export(tmp_path / "out.zip")
    with zipfile.ZipFile(path) as bundle:
        rows = [json.loads(line) for line in bundle.read("detections.jsonl").splitlines()]
        boxed = [name for name in bundle.namelist() if name.startswith("boxes/")]
        drawn = cv2.imdecode(np.frombuffer(bundle.read(boxed[0]), np.uint8), cv2.IMREAD_COLOR)
        assert "nobody is identified" in bundle.read("manifest.json").decode()
    assert [len(row["sightings"]) for row in rows] == [1, 1, 0]
    assert sorted(boxed) == sorted(f"boxes/{row['frame_id']}.jpg" for row in rows[:2])
    left, top, right, bottom = rows[0]["sightings"][0]["box"]
    edge = drawn[int(120 * (top + bottom) / 2), int(160 * left) - 1 : int(160 * left) + 2].astype(int)
    assert (edge[:, 2] - edge[:, 0] > 60).any()  # a yellow line
    assert right > left


def test_other_models_are_told_what_was_detected_as_fallible_text(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4, None])
    with closing(watched(clip, config(tmp_path / "home"))) as session:
        calls = detector.calls
        frames = session.view.perceive()
        found = session.view.detected(frames, False)
        for abilities in (Abilities(images=True), Abilities(images=False)):
            blocks, shown = frame_blocks(frames, abilities, session.view.shown, lambda _: [], (), found)
            *_, last = blocks
            assert isinstance(last, dict)
            assert "an object detector" in last["text"]
            assert "it errs, and it identifies nobody" in last["text"]
            assert "[0:00] to [0:01] a person on the left" in last["text"]
            assert len(shown) == 3
    assert detector.calls == calls
