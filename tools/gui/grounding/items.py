"""What may be meant on a screen: items with their names, from whichever layer found them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tools.gui.grounding.geometry import contains
from tools.gui.grounding.lexicon import MIDDLE
from tools.gui.types import Layer, Point, Rect

_ENTRIES = frozenset({"menuitem", "menu", "radio", "checkbox"})
EDGE_PX = 4.0
"""How far the left edges of what stands in one column may be apart; our choice."""
UNEVEN = 0.15
"""By how much of their pitch icons may stand off an even row; our choice."""


@dataclass(frozen=True)
class Name:
    """Words that something goes by.

    Attributes:
        words: one by one.
        weight: how surely they are its own, 0 to 1.
        label: whether they stand beside it, as the label of a field does.
        rects: where each word stands, in image pixels; empty where unknown.
        head: whether they are the head of the column that it stands in.
    """

    words: tuple[str, ...]
    weight: float = 1.0
    label: bool = False
    rects: tuple[Rect, ...] = ()
    head: bool = False


@dataclass(frozen=True)
class Item:
    """Something on a screen.

    Attributes:
        rect: its bounds in image pixels.
        role: a key of `tools.gui.grounding.kind_match.FITS`' rows, such as `button`, `field`, `text`, `row`.
        names: what it goes by.
        layer: what found it.
        point: where to click; None is on the words that fit, or in the middle.
        front: whether it can be reached; False behind a dialog that has to be answered first.
        sure: how surely it is there and is what `role` says, 0 to 1.
        inert: whether a click on it does nothing, as on the words that label something in a desktop program.
    """

    rect: Rect
    role: str
    names: tuple[Name, ...]
    layer: Layer
    point: Point | None = None
    front: bool = True
    sure: float = 1.0
    inert: bool = False

    @property
    def title(self) -> str:
        """Its best name."""
        best = max(self.names, key=lambda name: name.weight, default=None)
        return " ".join(best.words) if best else ""


@dataclass(frozen=True)
class Choice:
    """An item with how well it fits, and where to click."""

    item: Item
    score: float
    point: Point
    label: str


def window_of(items: Iterable[Item], screen: Rect) -> Rect:
    """The window or dialog that is worked in, which "top left" is said of; the screen where none is known."""
    windows = (item.rect for item in items if item.role == "window" or (item.role == "dialog" and item.front))
    return next((rect for rect in windows if rect.area), screen)


def entries_of_menu(items: Sequence[Item], called: str = "") -> list[Item]:
    """The entries of an open menu of a desktop program: of that which is called so, or else of the innermost.

    A menu of that name which is not open has none.
    """
    menus = {item.names for item in items if item.role == "menu"}
    opened = [item for item in items if item.role == "section" and item.names in menus]
    named = [menu for menu in opened if menu.title.casefold() == called.casefold()]
    is_shut = not named and any(item.role == "menu" and item.title.casefold() == called.casefold() for item in items)
    meant = [] if is_shut else (named or opened)[-1:]
    # The bounds of a menu reach over the submenus that are open.
    inner = [other.rect for other in opened if meant and other.rect.area < meant[0].rect.area]
    return [
        item
        for item in items
        if meant
        and item.role in _ENTRIES
        and item.front
        and contains(meant[0].rect, item.rect)
        and not any(contains(menu, item.rect) for menu in inner)
    ]


def column_of(items: Sequence[Item], item: Item) -> list[Item]:
    """Those of its role that stand right below one another with something, itself among them, from the top."""
    column: list[Item] = []
    for other in sorted(items, key=lambda each: each.rect.top):
        if other.role != item.role or abs(other.rect.left - item.rect.left) > EDGE_PX:
            continue
        if column and other.rect.top - column[-1].rect.bottom > item.rect.height:
            if item in column:
                break
            column = []
        column.append(other)
    return column if item in column else []


def number(items: Iterable[Item], ordinal: int) -> Item | None:
    """The one at a place in reading order, from 1; -1 is the last, `MIDDLE` the middle one; None if there is none."""
    ordered = in_reading_order(items)
    if ordinal == MIDDLE:
        return ordered[len(ordered) // 2] if len(ordered) % 2 else None
    index = ordinal - 1 if ordinal > 0 else ordinal
    return ordered[index] if -len(ordered) <= index < len(ordered) else None


def numbered_by_pitch(items: Sequence[Item], ordinal: int) -> Item | None:
    """As `number`; but a gap in a line of icons, as wide as some of them, is counted for these.

    Not every icon is recognised in pixels. Where one is missing, the third one that was recognised is not the third.
    """
    ordered = in_reading_order(items)
    middles = [item.rect.center.x_px for item in ordered]
    gaps = [after - before for before, after in pairwise(middles)]
    if (
        ordinal < 1
        or ordinal == MIDDLE
        or len(gaps) < 2
        or any(item.layer == "tree" for item in items)
        or min(gaps) <= 0
    ):
        return number(ordered, ordinal)
    steps = [gap / min(gaps) for gap in gaps]
    if any(abs(step - round(step)) > UNEVEN for step in steps):
        return number(ordered, ordinal)
    places = accumulate((round(step) for step in steps), initial=1)
    return next((item for item, place in zip(ordered, places, strict=True) if place == ordinal), None)


def in_reading_order(items: Iterable[Item]) -> list[Item]:
    """By lines from the top, and from left to right within a line."""
    lines: list[list[Item]] = []
    for item in sorted(items, key=lambda item: item.rect.center.y_px):
        last = lines[-1][-1].rect if lines else None
        if last and item.rect.center.y_px - last.center.y_px < 0.5 * min(last.height, item.rect.height):
            lines[-1].append(item)
        else:
            lines.append([item])
    return [item for line in lines for item in sorted(line, key=lambda item: item.rect.left)]
