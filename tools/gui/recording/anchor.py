"""Grounding in reverse: from a point on a screen to what is there, and to how it is found again.

A label that stands there once is recorded as it is. One that stands there several times is told apart by what it stands
beside, in words that grounding has to understand before they are kept: the place alone may be another patient's row the
next time. What has no label is recorded by its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.errors import ToolRetry
from tools.gui.grounding import locate
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.geometry import contains
from tools.gui.grounding.items import Item
from tools.gui.grounding.locate import items_of
from tools.gui.grounding.tree import tree_items
from tools.gui.types import Point, Rect, Screen, Target
from tools.gui.workflow.recorded_target import ICON_PX, find_recorded, record_pixels, record_target
from tools.gui.workflow.yaml_format import Recorded

NOUNS = {
    **{"button": "button", "field": "field", "dropdown": "drop-down", "checkbox": "check box", "radio": "radio button"},
    **{"row": "row", "menuitem": "menu item", "tab": "tab", "link": "link", "switch": "switch", "slider": "slider"},
    "menu": "menu",
}
"""Kinds of controls, and what instructions call them."""
WHOLES = ("section", "dialog", "window", "document")
"""Kinds that hold others, and are never what was clicked: their middle is another place."""
ICON_SIDE_PX = 32.0
"""The side of what is recorded around a point where nothing is known; our choice."""


@dataclass(frozen=True)
class Anchor:
    """How a place is found again.

    Attributes:
        label: its words, "" where it has none.
        role: what it is, as `tools.gui.grounding.items.Item` names it; "" where that is not known.
        rect: its bounds in image pixels.
        find: an instruction that leads there, "" for none.
        target: as it was; None where only the instruction tells it from others.
        near: the words beside or above that `find` tells it from others by, "" for none.
        doubt: what a person should look at, "" for nothing.
    """

    label: str
    role: str
    rect: Rect
    find: str
    target: Recorded | None
    near: str = ""
    doubt: str = ""


def anchor_at(screen: Screen, point: Point) -> Anchor:
    """What is at a point of a screen, and how it is found again.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is missing.
    """
    items = labelled_fields(tree_items(screen.nodes)) if screen.nodes else items_of(screen)
    item = _item_at(items, point)
    if item is None or not item.title:
        return _by_pixels(screen, point, item)
    target = Target(rect=item.rect, point=item.rect.center, label=item.title, confidence=1, layer=item.layer)
    recorded = record_target(screen, target)
    if recorded is None:
        return _by_pixels(screen, point, item)
    words = f'the "{item.title}" {NOUNS.get(item.role, "")}'.strip()
    if not recorded.words:
        return Anchor(item.title, item.role, item.rect, words, recorded)
    found = find_recorded(recorded.model_copy(update={"place": None}), screen).targets
    if len(found) == 1 and found[0].rect.holds(point):
        return Anchor(item.title, item.role, item.rect, words if _leads(words, screen, point) else "", recorded)
    for said, near in _told_apart(words, item, items):
        if _leads(said, screen, point):
            return Anchor(item.title, item.role, item.rect, said, None, near)
    doubt = f"{item.title!r} stands there several times; only its place tells which is meant"
    return Anchor(item.title, item.role, item.rect, "", recorded, doubt=doubt)


def _item_at(items: Sequence[Item], point: Point) -> Item | None:
    """The smallest control in front that holds a point; without one, the smallest thing with words."""
    holding = sorted((item for item in items if item.front and item.rect.holds(point)), key=lambda item: item.rect.area)
    # On a page a menu lies around its entries; in a desktop program it is the word that opens it.
    parts = [
        item
        for item in holding
        if item.role not in WHOLES and not (item.role in ("menu", "text") and _is_around(item, items))
    ]
    controls = [item for item in parts if item.role in NOUNS]
    named = [item for item in parts if item.title]
    # A row is clicked where nothing else in it is.
    return next(iter(controls or named), None)


def _is_around(item: Item, items: Sequence[Item]) -> bool:
    """Whether other controls lie within something, which is then no place of its own."""
    return any(
        other.role in NOUNS and other.rect.area < item.rect.area and contains(item.rect, other.rect) for other in items
    )


def _by_pixels(screen: Screen, point: Point, item: Item | None) -> Anchor:
    rect = item.rect if item and max(item.rect.width, item.rect.height) <= ICON_PX else None
    if rect is None:
        half = ICON_SIDE_PX / 2
        around = Rect(left=point.x_px - half, top=point.y_px - half, right=point.x_px + half, bottom=point.y_px + half)
        rect = around.overlap(screen.rect)
    recorded = record_pixels(screen, rect)
    found = find_recorded(recorded.model_copy(update={"place": None}), screen).targets
    doubt = "" if len(found) == 1 else "its pixels stand there several times, or say nothing; its place has to tell"
    return Anchor("", item.role if item else "", rect, "", recorded, doubt=doubt)


def _told_apart(words: str, item: Item, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    """Instructions that name what stands beside or above something, with these words, nearest first."""
    # A row, and the words in it, often go by the same name, and are one place.
    texts = [
        one
        for one in items
        if one.front
        and one.title not in ("", item.title)
        and all(other.rect.overlap(one.rect).area for other in items if other.title == one.title)
    ]
    lines = [one for one in texts if abs(one.rect.center.y_px - item.rect.center.y_px) < 0.6 * item.rect.height]
    for one in sorted(lines, key=lambda one: one.rect.left):
        if one.rect.overlap(item.rect).area == 0 and one.rect.width < 40 * one.rect.height:
            yield f'{words} next to "{one.title}"', one.title
            yield f'{words} in the row of "{one.title}"', one.title
    # Only headings are looked for above: a row there may be another patient's.
    above = [one for one in texts if one.role == "heading" and 0 <= item.rect.top - one.rect.bottom < 80]
    for one in sorted(above, key=lambda one: item.rect.top - one.rect.bottom):
        yield f'{words} below "{one.title}"', one.title


def _leads(said: str, screen: Screen, point: Point) -> bool:
    """Whether grounding understands an instruction as what holds a point, and nothing else."""
    try:
        found = locate(said, screen)
    except ToolRetry:
        return False
    return bool(found.targets) and not found.abstained and found.targets[0].rect.holds(point)
