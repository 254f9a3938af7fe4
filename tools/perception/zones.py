"""Zones: named polygons of the picture, in shares of its width and height."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
MIN_POINTS, MAX_POINTS = 3, 100
EXPECTED = "NAME: X,Y X,Y X,Y, with at least three points of 0 to 1, e.g. 'door: 0.1,0.2 0.3,0.2 0.3,0.9 0.1,0.9'"
_FORM = re.compile(r"\s*([A-Za-z][\w-]{0,39})\s*:\s*(\S.*)")


@dataclass(frozen=True)
class Zone:
    """A polygon without holes whose sides do not cross.

    Attributes:
        name: letters, digits, `_` and `-`, in lower case.
        points: its corners in order, as shares of the picture's width and height.
    """

    name: str
    points: tuple[Point, ...]

    def __contains__(self, point: Point) -> bool:
        """Whether a point lies in the polygon, by the number of sides that a ray to the right crosses."""
        x, y = point
        inside = False
        for (x0, y0), (x1, y1) in _sides(self.points):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                inside = not inside
        return inside

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the polygon."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


HALVES = {
    name: Zone(name, points)
    for name, points in {
        "left": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
        "right": ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)),
        "top": ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)),
        "bottom": ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)),
    }.items()
}
"""The halves of the picture, which are zones without being configured."""


def parse_zone(text: str) -> Zone:
    """Parse `NAME: X,Y X,Y X,Y ...`.

    Raises:
        ValueError: if the form, the name or a number is invalid, there are fewer than three points, one lies outside
            the picture, or sides cross or touch.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is no zone; expected {EXPECTED}")
    name = form[1].lower()
    if name in HALVES:
        raise ValueError(f"the zone {name!r} has the name of a half of the picture; choose another")
    points = []
    for corner in form[2].split():
        try:
            x, y = (float(number) for number in corner.split(","))
        except ValueError:
            raise ValueError(f"{corner!r} in the zone {name!r} is no point; expected {EXPECTED}") from None
        if not (0 <= x <= 1 and 0 <= y <= 1):  # also catches NaN
            raise ValueError(f"{corner!r} in the zone {name!r} lies outside the picture; expected 0 to 1")
        points.append((x, y))
    if not MIN_POINTS <= len(points) <= MAX_POINTS:
        raise ValueError(f"the zone {name!r} has {len(points)} points; expected {MIN_POINTS} to {MAX_POINTS}")
    if _crosses_itself(points):
        raise ValueError(f"the sides of the zone {name!r} cross or touch; list its corners in order around it")
    return Zone(name, tuple(points))


def find_zone(name: str, zones: Sequence[Zone]) -> Zone | None:
    """Return the zone or half of the picture of a name; None where there is none."""
    folded = name.strip().lower()
    return HALVES.get(folded) or next((zone for zone in zones if zone.name == folded), None)


def _sides(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(points, [*points[1:], points[0]], strict=True))


def _crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two sides that are not neighbours meet, a corner comes twice, or all corners lie on one line."""
    if len(set(points)) < len(points) or abs(_area(points)) < 1e-9:
        return True
    sides = _sides(points)
    return any(
        _meet(*sides[one], *sides[other])
        for one in range(len(sides))
        for other in range(one + 2, len(sides))
        if (other + 1) % len(sides) != one
    )


def _area(points: Sequence[Point]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in _sides(points)) / 2


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive where a, b, c turn one way, negative the other, 0 on a line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the lines from a to b and from c to d have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    return any(
        turn == 0 and min(p[0], q[0]) <= r[0] <= max(p[0], q[0]) and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])
        for turn, p, q, r in zip(turns, (a, a, c, c), (b, b, d, d), (c, d, a, b), strict=True)
    )
