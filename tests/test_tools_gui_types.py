"""Coordinates of screens: one transform between image pixels and the screen, and rectangles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tools.gui.types import Action, Click, Drag, Point, PressKey, Rect, Screen, View, points_of, region_hash

coordinates = st.floats(-5_000, 5_000, allow_nan=False)
scales = st.floats(0.1, 8)
views = st.builds(View, coordinates, coordinates, scales)
points = st.builds(Point, x_px=coordinates, y_px=coordinates)
pixels = st.integers(0, 200)


@st.composite
def rects(draw: st.DrawFn) -> Rect:
    left, right = sorted((draw(coordinates), draw(coordinates)))
    top, bottom = sorted((draw(coordinates), draw(coordinates)))
    return Rect(left=left, top=top, right=right, bottom=bottom)


def near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6) for a, b in zip(one, other, strict=True))


@given(views, points)
def test_to_the_screen_and_back_is_the_same_point(view: View, point: Point) -> None:
    back = view.to_image(*view.to_screen(point))
    assert near((back.x_px, back.y_px), (point.x_px, point.y_px))


@given(views, points, scales)
def test_a_resized_image_shows_the_same_places(view: View, point: Point, factor: float) -> None:
    moved = Point(x_px=point.x_px * factor, y_px=point.y_px * factor)
    assert near(view.resized(factor).to_screen(moved), view.to_screen(point))


@given(views, points, rects())
def test_a_cropped_image_shows_the_same_places(view: View, point: Point, cut: Rect) -> None:
    moved = Point(x_px=point.x_px - cut.left, y_px=point.y_px - cut.top)
    assert near(view.cropped(cut).to_screen(moved), view.to_screen(point))


@given(views, points, rects(), scales)
def test_cropping_then_resizing_composes(view: View, point: Point, cut: Rect, factor: float) -> None:
    shown = view.cropped(cut).resized(factor)
    moved = Point(x_px=(point.x_px - cut.left) * factor, y_px=(point.y_px - cut.top) * factor)
    assert near(shown.to_screen(moved), view.to_screen(point))


def test_known_places_on_a_second_monitor_of_double_density() -> None:
    view = View(left=1920, top=-100, scale=2)
    assert view.to_screen(Point(x_px=0, y_px=0)) == (1920, -100)
    assert view.to_screen(Point(x_px=300, y_px=51)) == (2070, -74.5)
    assert view.to_image(2070, -74.5) == Point(x_px=300, y_px=51)


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_a_view_without_a_scale_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        View(scale=scale)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_coordinates_are_finite(wrong: float) -> None:
    with pytest.raises(ValidationError):
        Point(x_px=wrong, y_px=0)
    with pytest.raises(ValidationError):
        Rect(left=0, top=0, right=wrong, bottom=1)


@given(rects(), rects())
def test_overlap_is_common_to_both_and_iou_is_a_share(one: Rect, other: Rect) -> None:
    common = one.overlap(other)
    assert common == other.overlap(one)
    assert common.area <= min(one.area, other.area) + 1e-6
    assert 0 <= one.iou(other) <= 1 + 1e-9
    assert one.iou(other) == other.iou(one)
    if common.area:
        assert one.holds(common.center)
        assert other.holds(common.center)


@given(rects())
def test_a_rectangle_is_itself(rect: Rect) -> None:
    assert rect.iou(rect) == (pytest.approx(1) if rect.area else 0)
    assert not rect.holds(Point(x_px=rect.right, y_px=rect.center.y_px))


@given(pixels, pixels, pixels, pixels)
def test_a_crop_holds_the_pixels_within(left: int, top: int, width: int, height: int) -> None:
    rows, columns = np.mgrid[0:90, 0:120]
    screen = Screen(rgb=np.dstack([rows, columns, rows]).astype(np.uint8))
    cut = screen.crop(Rect(left=left, top=top, right=left + width, bottom=top + height))
    assert cut.shape[:2] == (max(0, min(height, 90 - top)), max(0, min(width, 120 - left)))
    if cut.size:
        assert tuple(cut[0, 0]) == (top, left, top)


def test_the_name_of_pixels_follows_them_and_their_shape() -> None:
    rgb = np.zeros((4, 6, 3), np.uint8)
    other = rgb.copy()
    other[3, 5, 2] = 1
    assert region_hash(rgb) == Screen(rgb=rgb).sha256 == region_hash(rgb.copy())
    assert len({region_hash(rgb), region_hash(other), region_hash(rgb.reshape(6, 4, 3))}) == 3
    assert region_hash(rgb[:, ::2]) == region_hash(np.ascontiguousarray(rgb[:, ::2]))


def test_actions_read_from_json_by_their_kind() -> None:
    adapter: TypeAdapter[Action] = TypeAdapter(Action)
    click = adapter.validate_json('{"kind": "click", "point": {"x_px": 3, "y_px": 4}, "count": 2}')
    assert click == Click(point=Point(x_px=3, y_px=4), count=2)
    drag = Drag(start=Point(x_px=1, y_px=1), end=Point(x_px=2, y_px=2))
    assert list(points_of(drag)) == [drag.start, drag.end]
    assert list(points_of(PressKey(keys=("enter",)))) == []
    for wrong in ('{"kind": "run", "code": "1"}', '{"kind": "click", "point": {"x_px": 3, "y_px": 4}, "count": 9}'):
        with pytest.raises(ValidationError):
            adapter.validate_json(wrong)
