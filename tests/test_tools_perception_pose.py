"""Poses: joints of the people in pictures of scikit-image, and geometry on drawn joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.bench.vision import picture
from tools.perception.detect import detect
from tools.perception.pose import JOINTS, MIN_JOINT, Pose, poses


def astronaut() -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """The portrait, and the box of the person."""
    rgb = picture("astronaut")
    return rgb, next(one.box for one in detect(rgb) if one.name == "person")


def test_the_joints_of_a_portrait_lie_where_they_are() -> None:
    rgb, box = astronaut()
    (pose,) = poses(rgb, [box])
    assert pose is not None
    nose, left, right = pose.point("nose"), pose.point("left shoulder"), pose.point("right shoulder")
    assert nose is not None
    assert left is not None
    assert right is not None
    assert nose == pytest.approx((0.44, 0.22), abs=0.08)
    assert left[0] > nose[0] > right[0]
    assert left[1] > nose[1]
    assert right[1] > nose[1]


def test_joints_move_with_the_picture() -> None:
    rgb, box = astronaut()
    (pose,) = poses(rgb, [box])
    height, width = rgb.shape[:2]
    wide = np.zeros((height, 2 * width, 3), np.uint8)
    wide[:, width:] = rgb
    (moved,) = poses(wide, [((box[0] + 1) / 2, box[1], (box[2] + 1) / 2, box[3])])
    assert pose is not None
    assert moved is not None
    sure = pose.joints[:, 2] > 0.5
    assert sure.sum() >= 5
    offset = moved.joints[sure, :2] - pose.joints[sure, :2]
    assert np.allclose(offset, [width / height, 0.0], atol=0.05)


def test_a_person_of_a_few_pixels_has_no_pose() -> None:
    assert poses(picture("astronaut"), [(0.5, 0.5, 0.52, 0.55)]) == [None]


@given(st.lists(st.tuples(st.floats(-2, 3), st.floats(-2, 3), st.floats(0, 1)), min_size=17, max_size=17))
def test_only_joints_that_are_seen_are_points(values: list[tuple[float, float, float]]) -> None:
    pose = Pose(np.array(values, np.float32))
    for index, name in enumerate(JOINTS):
        assert (pose.point(name) is not None) == bool(pose.joints[index, 2] >= MIN_JOINT)
    for pair, (left, right) in {"hip": (11, 12), "wrist": (9, 10)}.items():
        point = pose.point(pair)
        seen = [index for index in (left, right) if pose.joints[index, 2] >= MIN_JOINT]
        assert (point is not None) == bool(seen)
        if point is not None:
            assert min(pose.joints[seen, 0]) - 1e-5 <= point[0] <= max(pose.joints[seen, 0]) + 1e-5
