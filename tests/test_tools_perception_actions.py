"""Actions by rules: drawn people that walk, run, stand, sit, lie, fall, ride, carry, come and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.perception.actions import Action, Moment, actions
from tools.perception.detect import Detection
from tools.perception.motion import Change
from tools.perception.observe import Thing
from tools.perception.pose import JOINTS, Pose
from tools.perception.posture import lies, raises_arm, sits, stands
from tools.perception.relations import relation

HEIGHT = 0.4
"""Of a drawn person, in shares of the picture."""


def body(x: float, y: float, **moved: tuple[float, float]) -> Pose:
    """An upright body whose hips are at a point; `moved` places joints relative to them, by name with `_`."""
    shape = {"nose": (0, -0.16), "shoulder": (0.03, -0.12), "elbow": (0.05, -0.06),
             "wrist": (0.05, 0.0), "hip": (0.02, 0.0), "knee": (0.02, 0.1), "ankle": (0.02, 0.2), "eye": (0.01, -0.17),
             "ear": (0.02, -0.16)}  # fmt: skip
    joints = np.zeros((17, 3), np.float32)
    for index, name in enumerate(JOINTS):
        side, _, part = name.rpartition(" ")
        across, down = moved.get(name.replace(" ", "_")) or moved.get(part) or shape[part]
        sign = -1 if side == "right" and part in shape and part not in moved else 1
        joints[index] = (x + sign * across, y + down, 0.9)
    return Pose(joints)


def person(x: float, y: float = 0.5, score: float = 0.9) -> Detection:
    return Detection("person", score, (x - 0.06, y - HEIGHT / 2, x + 0.06, y + HEIGHT / 2))


def clip(
    places: Sequence[float | None],
    poses: Sequence[Pose | None] = (),
    things: Sequence[Detection] = (),
    step_s: float = 0.5,
    change: Change | None = None,
) -> list[Moment]:
    """A person at some places across, one a frame, beside things that stay."""
    moments = []
    for at, x in enumerate(places):
        shown = [Thing(10 + number, thing) for number, thing in enumerate(things)]
        shown += [Thing(1, person(x))] if x is not None else []
        pose = poses[at] if at < len(poses) else None
        known = {1: pose} if pose is not None and x is not None else {}
        moments.append(Moment(step_s * at, tuple(shown), 4 / 3, known, change if at else None))
    return moments


def kinds(found: Sequence[Action]) -> list[str]:
    return [action.kind for action in found]


def test_somebody_walks_where_the_boxes_go() -> None:
    (walk,) = actions(clip([0.2 + 0.05 * step for step in range(9)]))
    assert (walk.kind, walk.direction, walk.from_s, walk.to_s) == ("walks", "right", 0.0, 4.0)
    (walk,) = actions(clip([0.8 - 0.05 * step for step in range(9)]))
    assert walk.direction == "left"


def test_a_faster_one_runs() -> None:
    assert kinds(actions(clip([0.1 + 0.14 * step for step in range(6)], step_s=0.25))) == ["runs"]


def test_a_single_step_is_no_walk() -> None:
    assert actions(clip([0.3, 0.4])) == []


def test_somebody_who_paces_leads_nowhere() -> None:
    assert "walks" not in kinds(actions(clip([0.4, 0.5] * 5)))


def test_nobody_walks_where_the_camera_moves() -> None:
    panned = Change("camera", 0.9, (0.0, 0.0, 1.0, 1.0), (0.05, 0.0))
    assert actions(clip([0.2 + 0.05 * step for step in range(9)], change=panned)) == []


def test_somebody_stands_and_stays() -> None:
    found = actions(clip([0.5] * 10, [body(2 / 3, 0.5)] * 10))
    assert kinds(found) == ["stands", "stays"]
    assert found[1].to_s == 4.5


def test_postures_are_told_apart() -> None:
    upright = body(0.5, 0.5)
    seated = body(0.5, 0.5, knee=(0.1, 0.02), ankle=(0.1, 0.12))
    flat = body(0.5, 0.5, shoulder=(-0.12, 0.0), nose=(-0.16, 0.0), knee=(0.1, 0.0), ankle=(0.2, 0.0))
    bent = body(0.5, 0.5, shoulder=(-0.12, 0.0), nose=(-0.16, 0.0))
    waving = body(0.5, 0.5, left_wrist=(0.06, -0.24), left_elbow=(0.06, -0.16))
    assert [test(upright) for test in (stands, sits, lies, raises_arm)] == [True, False, False, False]
    assert [test(seated) for test in (stands, sits, lies)] == [False, True, False]
    assert [test(flat) for test in (stands, sits, lies)] == [False, False, True]
    assert [test(bent) for test in (stands, sits, lies)] == [False, False, False]
    assert raises_arm(waving)


def test_a_posture_of_one_frame_counts_in_a_picture_only() -> None:
    seated = body(2 / 3, 0.5, knee=(0.1, 0.02), ankle=(0.1, 0.12))
    assert kinds(actions(clip([0.5], [seated]))) == ["sits"]
    assert "sits" not in kinds(actions(clip([0.5, 0.5, 0.5], [None, seated, None])))


def test_somebody_falls_who_stood_and_keeps_lying() -> None:
    upright = body(2 / 3, 0.5)
    flat = body(2 / 3, 0.65, shoulder=(-0.12, 0.0), nose=(-0.16, 0.0), knee=(0.1, 0.0), ankle=(0.2, 0.0))
    fall = next(one for one in actions(clip([0.5] * 5, [upright, upright, flat, flat, flat])) if one.kind == "falls")
    assert (fall.from_s, fall.to_s) == (0.5, 1.0)
    assert "falls" not in kinds(actions(clip([0.5] * 5, [flat] * 5)))
    assert "falls" not in kinds(actions(clip([0.5] * 5, [upright, upright, flat, upright, upright])))


def bicycle(x: float) -> Detection:
    return Detection("bicycle", 0.8, (x - 0.1, 0.55, x + 0.1, 0.75))


def test_who_passes_a_parked_bicycle_does_not_ride_it() -> None:
    passing = actions(clip([0.3 + 0.05 * step for step in range(9)], things=[bicycle(0.5)]))
    assert kinds(passing) == ["walks"]
    (ride,) = [one for one in actions(clip([0.5] * 4, things=[bicycle(0.5)])) if one.kind == "rides"]
    assert ride.object == "bicycle"
    assert "rides" not in kinds(actions(clip([None, 0.5, None], things=[bicycle(0.5)])))


def test_a_bag_that_goes_along_is_carried() -> None:
    moments = clip([0.2 + 0.05 * step for step in range(6)])
    bag = [Detection("handbag", 0.7, (x - 0.02, 0.5, x + 0.02, 0.58)) for x in (0.2 + 0.05 * step for step in range(6))]
    along = [Moment(one.t_s, (*one.things, Thing(9, held)), one.aspect) for one, held in zip(moments, bag, strict=True)]
    assert kinds(actions(along)) == ["carries", "walks"]
    left = [Moment(one.t_s, (*one.things, Thing(9, bag[0])), one.aspect) for one in moments]
    assert kinds(actions(left)) == ["walks"]


def test_somebody_enters_and_leaves_at_the_sides() -> None:
    found = actions(clip([None, 0.09, 0.24, 0.4, 0.56, 0.72, 0.88, None]))
    assert [(one.kind, one.direction) for one in found] == [("enters", "left"), ("walks", "right"), ("leaves", "right")]


def test_a_cut_is_no_entrance() -> None:
    cut = Change("cut", 1.0, (0.0, 0.0, 1.0, 1.0))
    assert "enters" not in kinds(actions(clip([None, 0.09, 0.24, 0.4], change=cut)))


@given(
    st.lists(st.one_of(st.none(), st.floats(0.1, 0.9)), max_size=10),
    st.lists(st.one_of(st.none(), st.builds(body, st.floats(0, 1), st.floats(0, 1))), max_size=10),
)
def test_actions_lie_within_the_time_of_their_track(places: list[float | None], poses: list[Pose | None]) -> None:
    moments = clip(places, poses, [bicycle(0.5)])
    times = [moment.t_s for moment in moments if len(moment.things) > 1]
    for one in actions(moments):
        assert min(times) <= one.from_s <= one.to_s <= max(times)
        assert 0 <= one.confidence <= 1
        assert one.kind not in ("walks", "runs") or one.direction


def box(x: float, y: float, wide: float = 0.1, high: float = 0.1, name: str = "cup") -> Detection:
    return Detection(name, 0.9, (x, y, x + wide, y + high))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (box(0.4, 0.42), box(0.3, 0.5, 0.4, 0.3, "table"), "on"),
        (box(0.4, 0.1), box(0.3, 0.5, 0.4, 0.3, "table"), "above"),
        (box(0.4, 0.85), box(0.3, 0.5, 0.4, 0.3, "table"), "below"),
        (box(0.2, 0.5), box(0.32, 0.5), "beside"),
        (box(0.1, 0.5), box(0.7, 0.5), "left of"),
        (box(0.7, 0.5), box(0.1, 0.5), "right of"),
    ],
)
def test_things_lie_to_each_other_as_their_boxes_do(one: Detection, other: Detection, expected: str) -> None:
    assert relation(one, other) == expected


@given(*(st.floats(0, 0.9) for _ in range(4)))
def test_relations_are_turned_with_their_things(x: float, y: float, u: float, v: float) -> None:
    turned = {
        "left of": "right of",
        "right of": "left of",
        "beside": "beside",
        "above": ("below",),
        "below": ("above", "on"),
    }
    one, other = box(x, y), box(u, v)
    if (found := relation(one, other)) in turned and x != u:
        assert relation(other, one) in turned[found]
