"""Types of GUI work: screens and their coordinates, targets, actions, outcomes, and the actuator.

There are two kinds of coordinates: *image* pixels belong to one screenshot, *screen* coordinates are the mouse's.
Only `View` converts between them; everything else works in image pixels, and only an actuator calls `View.to_screen`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Point(_Plain):
    """A point in image pixels; the pixel in the top left corner spans 0 to 1."""

    x_px: float
    y_px: float


class Rect(_Plain):
    """A rectangle in image pixels; right and bottom are the first pixels outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> Point:
        """The centre."""
        return Point(x_px=(self.left + self.right) / 2, y_px=(self.top + self.bottom) / 2)

    @property
    def width(self) -> float:
        """Width in pixels; negative if the rectangle is inside out."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels; negative if the rectangle is inside out."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels; 0 if it is empty."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    def holds(self, point: Point) -> bool:
        """Return whether a point lies within."""
        return self.left <= point.x_px < self.right and self.top <= point.y_px < self.bottom

    def overlap(self, other: Rect) -> Rect:
        """Return the intersection; empty (area 0) if there is none."""
        return Rect(
            left=max(self.left, other.left),
            top=max(self.top, other.top),
            right=min(self.right, other.right),
            bottom=min(self.bottom, other.bottom),
        )

    def iou(self, other: Rect) -> float:
        """Return the intersection over union, 0 to 1; 0 if both are empty."""
        common = self.overlap(other).area
        whole = self.area + other.area - common
        return common / whole if whole > 0 else 0.0


@dataclass(frozen=True, slots=True)
class View:
    """Mapping of the pixels of a screenshot to the screen.

    Attributes:
        left, top: screen coordinates of the image's top left corner: a monitor's origin, or that of a browser's page.
        scale: image pixels per screen unit: 2.0 on a display of double density, 0.5 for a reduced screenshot.
    """

    left: float = 0.0
    top: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"invalid scale {self.scale}: expected a positive number")

    def to_screen(self, point: Point) -> tuple[float, float]:
        """Return the screen coordinates of a point of the image."""
        return self.left + point.x_px / self.scale, self.top + point.y_px / self.scale

    def to_image(self, x: float, y: float) -> Point:
        """Return the point of the image at some screen coordinates."""
        return Point(x_px=(x - self.left) * self.scale, y_px=(y - self.top) * self.scale)

    def resized(self, factor: float) -> View:
        """Return the view of the same image scaled by a factor, as for a model's input."""
        return View(self.left, self.top, self.scale * factor)

    def cropped(self, rect: Rect) -> View:
        """Return the view of a part cropped from the image."""
        left, top = self.to_screen(Point(x_px=rect.left, y_px=rect.top))
        return View(left, top, self.scale)


class Node(_Plain):
    """An element of an accessibility tree, flattened; only visible ones.

    Attributes:
        role: ARIA role, such as `button`, `textbox`, `link`, `row`, `dialog`.
        name: accessible name.
        rect: in image pixels.
        value: the value of a field.
        states: such as `disabled`, `focused`, `checked`, `selected`; for a table cell also whether it is a checkbox
            (`checkable`) or a picture (`pictured`).
        depth: levels below the root; a node's children follow it, one deeper.
    """

    role: str
    name: str = ""
    rect: Rect
    value: str = ""
    states: frozenset[str] = frozenset()
    depth: int = 0


class Window(_Plain):
    """A window of a desktop.

    Attributes:
        number: its id while it is open.
        group: the number of the window that owns it, such as that of a dialog's program; else its own.
        rect: in image pixels, with its frame.
        focused: whether it has the keyboard focus.
    """

    number: int
    group: int
    rect: Rect
    focused: bool = False


@dataclass(frozen=True, eq=False)
class Screen:
    """A screenshot, with metadata.

    Attributes:
        rgb: (height, width, 3), uint8.
        view: mapping of its pixels to the screen.
        nodes: the accessibility tree; None if it was not read or there is none.
        window: title of the front window or page, "" if unknown.
        url: address of the page, "" if there is none.
        windows: the visible windows of the desktop, the lowest first; empty if unknown, and in a browser.
    """

    rgb: np.ndarray
    view: View = field(default_factory=View)
    nodes: tuple[Node, ...] | None = None
    window: str = ""
    url: str = ""
    windows: tuple[Window, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Hash of the pixels of the whole screen."""
        return region_hash(self.rgb)

    @property
    def rect(self) -> Rect:
        """The whole image."""
        height, width = self.rgb.shape[:2]
        return Rect(left=0, top=0, right=width, bottom=height)

    def crop(self, rect: Rect) -> np.ndarray:
        """Return the pixels within a rectangle, clipped to the image's bounds; may be empty."""
        inside = rect.overlap(self.rect)
        return self.rgb[
            int(inside.top) : math.ceil(max(inside.bottom, inside.top)),
            int(inside.left) : math.ceil(max(inside.right, inside.left)),
        ]


def region_hash(rgb: np.ndarray) -> str:
    """Return the sha256 of the shape and pixels of an image or a part of one."""
    return hashlib.sha256(repr(rgb.shape).encode() + np.ascontiguousarray(rgb).tobytes()).hexdigest()


Layer = Literal["tree", "words", "icon", "model"]
UNSURE: frozenset[Layer] = frozenset({"model"})
"""Layers whose targets a person has to confirm before they are clicked or typed into, in every mode."""


class Target(_Plain):
    """A candidate for the intended control.

    Attributes:
        rect: bounds in image pixels.
        point: where to click.
        label: its words or kind.
        confidence: 0 to 1, comparable within one answer only.
        layer: how it was found: in the accessibility tree, by words read, by an icon's shape, or by the model.
    """

    rect: Rect
    point: Point
    label: str
    confidence: float = Field(ge=0, le=1)
    layer: Layer


class Located(_Plain):
    """The result of grounding: targets, best first, or none with the reason for people in `abstained`.

    If two candidates tie, both are listed and `abstained` says so: a person has to choose. `asked` is the result of
    asking a model, "" if none was asked; its choice has the layer `model`, and precedes other targets with the same
    label.
    """

    targets: tuple[Target, ...] = ()
    abstained: str = ""
    asked: str = ""


class Click(_Plain):
    """Click a mouse button `count` times at a point."""

    kind: Literal["click"] = "click"
    point: Point
    button: Literal["left", "middle", "right"] = "left"
    count: int = Field(default=1, ge=1, le=3)


class Drag(_Plain):
    """Press the left button at one point and release it at another."""

    kind: Literal["drag"] = "drag"
    start: Point
    end: Point


class Scroll(_Plain):
    """Scroll over a point; positive notches go down."""

    kind: Literal["scroll"] = "scroll"
    point: Point
    notches: int = Field(ge=-100, le=100)


class TypeText(_Plain):
    """Type into the field at a point, which is clicked first; `replace` clears it before."""

    kind: Literal["type"] = "type"
    point: Point
    text: str = Field(max_length=10_000)
    replace: bool = True


class PressKey(_Plain):
    """Press keys together, such as ("ctrl", "s") or ("enter",)."""

    kind: Literal["key"] = "key"
    keys: tuple[str, ...] = Field(min_length=1, max_length=4)


class WaitFor(_Plain):
    """Wait until some words are shown (or, with `gone`, no longer are), or this many seconds if there are none."""

    kind: Literal["wait"] = "wait"
    words: str = ""
    gone: bool = False
    seconds: float = Field(default=10.0, gt=0, le=300)


class Read(_Plain):
    """Read the words within a rectangle; None is the whole screen. Changes nothing."""

    kind: Literal["read"] = "read"
    rect: Rect | None = None


Action = Annotated[Click | Drag | Scroll | TypeText | PressKey | WaitFor | Read, Field(discriminator="kind")]
CHANGES_NOTHING = ("wait", "read", "scroll")
"""Kinds of actions that leave the program's data unchanged."""


def points_of(action: Click | Drag | Scroll | TypeText | PressKey | WaitFor | Read) -> Iterator[Point]:
    """Yield the points that an action touches, in order; none for keys, waiting and reading."""
    if isinstance(action, Click | Scroll | TypeText):
        yield action.point
    elif isinstance(action, Drag):
        yield action.start
        yield action.end


class Outcome(StrEnum):
    """How an action ended; only the first means that the intended effect happened."""

    VERIFIED = "verified"
    """It was performed, and a check of its effect succeeded."""
    COMPLETED_UNVERIFIED = "completed_unverified"
    """It was performed; no check could tell whether it had its effect."""
    HALTED_BEFORE_EFFECT = "halted_before_effect"
    """A rule, a guard or a person halted it; nothing was done."""
    RECONCILE = "reconcile"
    """It was performed and a check failed, or it was interrupted: a person has to look."""
    CANCELLED = "cancelled"
    """A person cancelled it, or the kill switch was set; keys and buttons are released."""


class Actuator(Protocol):
    """Input and output of one screen: a desktop, a browser page, or a simulated one."""

    name: str

    def screen(self, *, tree: bool = True) -> Screen:
        """Take a screenshot; with `tree`, also the accessibility tree, if there is one. Raises MediaError."""

    def perform(self, action: Click | Drag | Scroll | TypeText | PressKey | WaitFor | Read) -> str:
        """Perform an action, and return the text read, else "".

        Raises:
            ToolFailed: if it cannot be performed, as for a point outside the screen; nothing is done then.
            Stopped: if the kill switch is set; keys and buttons are released first.
        """

    def release(self) -> None:
        """Release all held keys and buttons."""

    def close(self) -> None:
        """Close the screen's resources."""
