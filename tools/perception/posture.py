"""Postures by joints: upright, sitting, lying, an arm raised. Lengths are in multiples of the torso's."""

from __future__ import annotations

import numpy as np

from tools.perception.pose import Pose

UPRIGHT, LYING = 30.0, 60.0
"""Angles of the body to the vertical, in degrees."""


def body_angle(pose: Pose) -> float | None:
    """Return the angle of hips to shoulders to the vertical in degrees, 0 for upright; None where they are not seen."""
    shoulder, hip = pose.point("shoulder"), pose.point("hip")
    if shoulder is None or hip is None:
        return None
    return float(np.degrees(np.arctan2(abs(shoulder[0] - hip[0]), hip[1] - shoulder[1])))


def stands(pose: Pose) -> bool:
    """Whether somebody is upright with straight legs; knees have to be seen."""
    angle, torso, hip, knee = body_angle(pose), pose.torso, pose.point("hip"), pose.point("knee")
    if angle is None or not torso or hip is None or knee is None:
        return False
    ankle = pose.point("ankle")
    return angle < UPRIGHT and knee[1] - hip[1] > 0.55 * torso and (ankle is None or ankle[1] - knee[1] > 0.4 * torso)


def sits(pose: Pose) -> bool:
    """Whether somebody sits: upright, thighs more level than steep, and shanks below the knees."""
    angle, torso, hip, knee = body_angle(pose), pose.torso, pose.point("hip"), pose.point("knee")
    ankle = pose.point("ankle")
    if angle is None or not torso or hip is None or knee is None or ankle is None:
        return False
    return angle < UPRIGHT and abs(knee[1] - hip[1]) < 0.4 * torso and ankle[1] - knee[1] > 0.45 * torso


def lies(pose: Pose) -> bool:
    """Whether somebody lies: the body level, and the legs not below it."""
    angle, torso, hip, ankle = body_angle(pose), pose.torso, pose.point("hip"), pose.point("ankle")
    knee = pose.point("knee")
    if angle is None or not torso or hip is None or (ankle is None and knee is None):
        return False
    feet = ankle or knee
    return angle > LYING and feet is not None and abs(feet[1] - hip[1]) < 0.6 * torso


def raises_arm(pose: Pose) -> bool:
    """Whether a wrist is higher than the head, and its elbow not below the shoulders."""
    torso, shoulder, angle = pose.torso, pose.point("shoulder"), body_angle(pose)
    nose = pose.point("nose") or pose.point("ear")
    if not torso or shoulder is None or nose is None or angle is None or angle > LYING:
        return False
    for side in ("left", "right"):
        wrist, elbow = pose.point(f"{side} wrist"), pose.point(f"{side} elbow")
        if wrist and elbow and wrist[1] < nose[1] - 0.15 * torso and elbow[1] < shoulder[1] + 0.15 * torso:
            return True
    return False
