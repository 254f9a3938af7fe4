"""How two places on a screen stand to one another, as factors of 0 to 1. All distances that decide are our choice."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tools.gui.types import Rect

REACH_PX = 300.0
"""At this distance a neighbour counts about a third."""


def relation_factor(relation: str, rect: Rect, anchor: Rect) -> float:
    """How well a place stands in a relation to another; 0 where it does not.

    Args:
        relation: as in `Wanted`, or `under` a heading: below it or beside it.
        rect: the place.
        anchor: what it stands to.
    """
    if relation == "in":
        return _inside(rect, anchor)
    if relation == "for":
        return max(
            _inside(rect, anchor),
            _beside(rect, anchor),
            0.8 * relation_factor("right_of", rect, anchor),
            0.7 * relation_factor("below", rect, anchor),
        )
    if rect.iou(anchor) > 0.6:
        return 0.0
    if relation == "under":
        return max(relation_factor("below", rect, anchor), _beside(rect, anchor))
    if relation == "beside":
        return max(_beside(rect, anchor), 0.35 * _near(rect, anchor))
    if relation in ("left_of", "right_of"):
        near_edge = anchor.right if relation == "right_of" else anchor.left
        gap = rect.left - near_edge if relation == "right_of" else near_edge - rect.right
        return _along(gap, anchor.width) * _shared(rect.top, rect.bottom, anchor.top, anchor.bottom)
    gap = rect.top - anchor.bottom if relation == "below" else anchor.top - rect.bottom
    across = _shared(rect.left, rect.right, anchor.left, anchor.right)
    # A field may begin a little to the side of what stands above it.
    aside = max(anchor.left - rect.right, rect.left - anchor.right, 0.0)
    across = max(across, 0.5 * math.exp(-aside / 120))
    return _along(gap, anchor.height) * across


def region_factor(region: frozenset[str], rect: Rect, screen: Rect) -> float:
    """How well a place lies in a part of a screen or dialog, 0 to 1."""
    across = (rect.center.x_px - screen.left) / max(screen.width, 1.0)
    down = (rect.center.y_px - screen.top) / max(screen.height, 1.0)
    shares = {"left": 1 - across, "right": across, "top": 1 - down, "bottom": down}
    factor = 1.0
    for side in region & shares.keys():
        # All of the outer third counts in full; beyond the middle hardly anything does.
        factor *= min(1.0, max(0.02, (shares[side] - 0.35) / 0.3))
    if "center" in region:
        factor *= max(0.02, 1 - 2 * max(abs(across - 0.5), abs(down - 0.5)))
    return factor


def corner_distance(region: frozenset[str], rect: Rect, screen: Rect) -> float:
    """How far a place is from the corner or edge that a part of the screen lies at, 0 to 1."""
    across = {"left": rect.center.x_px - screen.left, "right": screen.right - rect.center.x_px}
    down = {"top": rect.center.y_px - screen.top, "bottom": screen.bottom - rect.center.y_px}
    x_px, y_px = (sum(away for side, away in sides.items() if side in region) for sides in (across, down))
    return min(1.0, math.hypot(max(x_px, 0), max(y_px, 0)) / math.hypot(screen.width, screen.height))


def contains(outer: Rect, inner: Rect, slack_px: float = 2.0) -> bool:
    """Whether a rectangle lies in another, with a little slack."""
    return (
        outer.left - slack_px <= inner.left
        and outer.top - slack_px <= inner.top
        and inner.right <= outer.right + slack_px
        and inner.bottom <= outer.bottom + slack_px
    )


def union(*rects: Rect) -> Rect:
    """The smallest rectangle around some."""
    return Rect(
        left=min(rect.left for rect in rects),
        top=min(rect.top for rect in rects),
        right=max(rect.right for rect in rects),
        bottom=max(rect.bottom for rect in rects),
    )


def with_below(rect: Rect, boxes: Iterable[Rect], slack_px: float) -> Rect:
    """A rectangle with those of its width that go on right below it."""
    for box in sorted(boxes, key=lambda box: box.top):
        wide = abs(box.left - rect.left) < slack_px and abs(box.right - rect.right) < slack_px
        if wide and abs(box.top - rect.bottom) < slack_px:
            rect = union(rect, box)
    return rect


def _inside(rect: Rect, anchor: Rect) -> float:
    return 1.0 if anchor.holds(rect.center) and rect.area < 0.98 * anchor.area else 0.0


def _beside(rect: Rect, anchor: Rect) -> float:
    """On one line with the anchor, to either side."""
    gap = max(rect.left - anchor.right, anchor.left - rect.right)
    if gap < -0.5 * min(rect.width, anchor.width):
        return 0.0
    slip = abs(rect.center.y_px - anchor.center.y_px)
    height = max(rect.height, anchor.height, 12.0)
    if slip > 1.2 * height:
        return 0.0
    return math.exp(-1.2 * slip / height) * (0.6 + 0.4 * math.exp(-max(gap, 0) / REACH_PX))


def _near(rect: Rect, anchor: Rect) -> float:
    across = max(rect.left - anchor.right, anchor.left - rect.right, 0)
    down = max(rect.top - anchor.bottom, anchor.top - rect.bottom, 0)
    return math.exp(-math.hypot(across, down) / 60)


def _along(gap: float, extent: float) -> float:
    """Nearer is likelier; a small overlap is a slip of the bounds."""
    return 0.0 if gap < -max(4.0, 0.4 * extent) else math.exp(-max(gap, 0) / REACH_PX)


def _shared(start: float, end: float, other_start: float, other_end: float) -> float:
    """The common part of two spans as a share of the shorter one."""
    shorter = min(end - start, other_end - other_start)
    return max(0.0, min(end, other_end) - max(start, other_start)) / shorter if shorter > 0 else 0.0
