"""Watches that code decides from detections: numbers, zones, motion; by a scripted detector on drawn clips."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from agent.config import Config
from agent.models.scripted import Scripted
from agent.perception import observer as observing
from agent.perception.session import open_source_session
from agent.watch.detected import Condition, DetectedWatch, parse_condition
from agent.watch.monitor import Alert, Watcher, WatchStatus
from agent.watch.options import WatchOptions
from memory.stream.detections import Look, Sighting
from memory.stream.options import StreamOptions
from tests.test_agent_observer import Squares, scene, write_clip
from tools.errors import ConfigError
from tools.perception.motion import Change, compare
from tools.perception.options import PerceptionOptions
from tools.perception.zones import parse_zone

DOOR = "door: 0.6,0 1,0 1,1 0.6,1"


def look(t_s: float, *people: tuple[int, float]) -> Look:
    found = [Sighting("person", 0.9, (x - 0.05, 0.3, x + 0.05, 0.7), track) for track, x in people]
    return Look(t_s, t_s, "0" * 64, tuple(found))


def states(condition: str, looks: Sequence[Look], changes: Sequence[Change | None] = ()) -> list[bool]:
    """Whether a condition is true after each look."""
    parsed = parse_condition(condition, [parse_zone(DOOR)])
    assert parsed is not None
    watch = DetectedWatch(parsed)
    found = [watch.see(one, changes[at] if changes else None) for at, one in enumerate(looks)]
    return [one.true for one in found if one is not None]


@pytest.mark.parametrize(
    ("text", "kind", "how", "number", "zone"),
    [
        ("more than 3 people", "count", "more than", 3, None),
        ("Fewer than two cars.", "count", "fewer than", 2, None),
        ("there are at least 2 dogs in the left half", "count", "at least", 2, "left"),
        ("exactly 1 person in zone door", "count", "exactly", 1, "door"),
        ("4 people are visible", "count", "at least", 4, None),
        ("a person enters zone door", "enters", "at least", 1, "door"),
        ("a dog enters the right half", "enters", "at least", 1, "right"),
        ("something moves in the zone door", "moves", "at least", 1, "door"),
    ],
)
def test_the_grammar(text: str, kind: str, how: str, number: int, zone: str | None) -> None:
    parsed = parse_condition(text, [parse_zone(DOOR)])
    assert isinstance(parsed, Condition)
    assert (parsed.kind, parsed.how, parsed.number, parsed.zone and parsed.zone.name) == (kind, how, number, zone)


@pytest.mark.parametrize(
    "text",
    ["a person appears", "two people shake hands", "more than 3 zeppelins", "the gate opens", "no people", "a person"],
)
def test_other_conditions_are_left_to_the_model(text: str) -> None:
    assert parse_condition(text, []) is None


def test_an_unknown_zone_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="attic") as caught:
        parse_condition("a person enters zone attic", [parse_zone(DOOR)])
    assert "door" in str(caught.value.expected)


def test_a_number_counts_when_two_looks_agree_and_until_two_disagree() -> None:
    numbers = (1, 3, 1, 3, 3, 1, 3, 1, 1)
    looks = [look(t, *((track, 0.1 * track) for track in range(n))) for t, n in enumerate(numbers)]
    assert states("more than 2 people", looks) == [False, False, False, False, True, True, True, True, False]


def test_a_missed_detection_is_no_new_arrival() -> None:
    places = [0.8, 0.8, 0.8, 0.8, 0.8, None, 0.8, 0.8, None, 0.8]
    looks = [look(float(t), *([] if x is None else [(1, x)])) for t, x in enumerate(places)]
    assert [t for t, now in enumerate(states("a person enters zone door", looks)) if now] == [1]


def test_who_enters_a_zone_is_told_once_and_again_when_he_comes_back() -> None:
    places = (0.3, 0.8, 0.8, 0.8, 0.3, 0.3, 0.3, 0.8, 0.8)
    looks = [look(t, (1, x)) for t, x in enumerate(places)]
    entered = states("a person enters zone door", looks)
    assert [t for t, now in enumerate(entered) if now] == [2, 8]
    both = [look(t, (1, 0.8), *([(2, 0.7)] if t >= 3 else [])) for t in range(6)]
    assert [t for t, now in enumerate(states("a person enters zone door", both)) if now] == [1, 4]


def test_only_motion_in_the_zone_counts_and_only_for_as_long_as_it_lasts() -> None:
    places = (0.1, 0.2, 0.3, 0.8, 0.9, 0.7, 0.7, 0.7, 0.7)
    changes = [None, *(compare(scene(a), scene(b)) for a, b in pairwise(places))]
    moving = states("something moves in the zone door", [look(t) for t in range(len(places))], changes)
    assert moving == [False, False, False, False, True, True, True, False, False]


def run(clip: Path, folder: Path, *conditions: str, detect: bool = True) -> tuple[list[Alert], list[WatchStatus]]:
    perception = PerceptionOptions(detect=detect, zones=(DOOR,))
    config = Config(folder=folder, memory=StreamOptions(policy="last"), take_notes=False, perception=perception)
    alerts: list[Alert] = []
    with (
        closing(open_source_session(str(clip), config)) as session,
        Watcher(Scripted(turns=[]), session, WatchOptions(cooldown_s=0), alerts.append) as watcher,
    ):
        for condition in conditions:
            watcher.add(condition)
        session.watch()
        assert watcher.finish(60)
        return alerts, watcher.statuses()


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Squares:
    squares = Squares()
    monkeypatch.setattr(observing, "_default_detector", squares)
    return squares


def test_alerts_come_from_detections_without_a_call_of_the_model(tmp_path: Path, detector: Squares) -> None:
    clip = write_clip(tmp_path / "walk.avi", [None, 0.2, 0.3, 0.7, 0.8, None, None])
    alerts, statuses = run(
        clip, tmp_path / "home", "at least 1 person", "a person enters zone door", "something moves in the zone door"
    )
    assert [(alert.condition, alert.t_s) for alert in sorted(alerts, key=lambda alert: alert.t_s)] == [
        ("at least 1 person", 2.0),
        ("a person enters zone door", 4.0),
        ("something moves in the zone door", 4.0),
    ]
    assert alerts[0].text == "The detector counts 1 of 'person' [0:02], at least 1."
    assert [status.fired for status in statuses] == [1, 1, 1]
    assert {status.checked for status in statuses} == {7}


def test_without_detections_such_a_watch_says_what_it_needs(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.avi", [0.2, 0.4])
    alerts, (status,) = run(clip, tmp_path / "home", "more than 3 people", detect=False)
    assert (alerts, status.state) == ([], "cannot judge")
    assert "perception.detect" in status.reason
