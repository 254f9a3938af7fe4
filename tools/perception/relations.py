"""How two things in a picture lie to each other."""

from __future__ import annotations

from typing import Literal

from tools.perception.detect import Detection

Relation = Literal["on", "beside", "left of", "right of", "above", "below"]


def relation(one: Detection, other: Detection) -> Relation | None:
    """Return how a thing lies to another: on it, beside it, or to which side of it; None where they are mixed up."""
    (left, top, right, bottom), box = one.box, other.box
    wide, high = box[2] - box[0], box[3] - box[1]
    inside = min(right, box[2]) - max(left, box[0])
    if inside > 0.6 * min(right - left, wide) and box[1] - 0.1 * high < bottom < box[1] + 0.6 * high and top < box[1]:
        return "on" if bottom > box[1] + 0.02 * high else "above"
    if inside > 0.5 * min(right - left, wide):
        return "above" if bottom <= box[1] else "below" if top >= box[3] else None
    gap = max(box[0] - right, left - box[2])
    if gap < 0.5 * max(right - left, wide) and min(bottom, box[3]) - max(top, box[1]) > 0.3 * min(bottom - top, high):
        return "beside"
    return "left of" if one.centre[0] < other.centre[0] else "right of"
