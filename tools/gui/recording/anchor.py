"""Anchors: from a point on a screen to the control there, and to how it can be found again (inverse grounding).

A unique label is recorded as it is. A repeated label is distinguished by a neighbour, in words that grounding has to
understand before they are recorded: position alone may point at another patient's row the next time. A control without
a label is recorded by its pixels.
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
"""Kinds of controls, and their names in instructions."""
CONTAINERS = ("section", "dialog", "window", "document")
"""Kinds that contain others, and are never the target of a click: their centre is another control."""
ICON_SIDE_PX = 32.0
"""Side of the recorded area around a point without a known control."""


@dataclass(frozen=True)
class Anchor:
    """How a control is found again.

    Attributes:
        label: its words, "" if it has none.
        role: its kind, as in `tools.gui.grounding.items.Item`; "" if unknown.
        rect: its bounds in image pixels.
        find: an instruction that leads there, "" for none.
        target: its recorded form; None if only the instruction distinguishes it from others.
        near: the words beside or above it that `find` uses, "" for none.
        doubt: what a person should check, "" for nothing.
    """

    label: str
    role: str
    rect: Rect
    find: str
    target: Recorded | None
    near: str = ""
    doubt: str = ""


def anchor_at(screen: Screen, point: Point) -> Anchor:
    """Return what is at a point of a screen, and how it can be found again.

    Raises:
        ToolFailed: if OCR is needed and RapidOCR is missing.
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
        return Anchor(item.title, item.role, item.rect, words if _resolves(words, screen, point) else "", recorded)
    for instruction, near in _distinguishing(words, item, items):
        if _resolves(instruction, screen, point):
            return Anchor(item.title, item.role, item.rect, instruction, None, near)
    doubt = f"{item.title!r} appears several times; only its position distinguishes it"
    return Anchor(item.title, item.role, item.rect, "", recorded, doubt=doubt)


def _item_at(items: Sequence[Item], point: Point) -> Item | None:
    """Return the smallest front control that contains a point; without one, the smallest item with words."""
    holding = sorted((item for item in items if item.front and item.rect.holds(point)), key=lambda item: item.rect.area)
    # On a page a menu contains its entries; in a desktop program it is the word that opens it.
    parts = [
        item
        for item in holding
        if item.role not in CONTAINERS and not (item.role in ("menu", "text") and _is_around(item, items))
    ]
    controls = [item for item in parts if item.role in NOUNS]
    named = [item for item in parts if item.title]
    # A row is clicked if nothing else in it is.
    return next(iter(controls or named), None)


def _is_around(item: Item, items: Sequence[Item]) -> bool:
    """Return whether an item contains other controls, so that it is not a target itself."""
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
    doubt = (
        ""
        if len(found) == 1
        else "its pixels appear several times, or have no detail; only its position distinguishes it"
    )
    return Anchor("", item.role if item else "", rect, "", recorded, doubt=doubt)


def _distinguishing(words: str, item: Item, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    """Yield instructions that name a neighbour beside or above an item, with these words, nearest first."""
    # A row, and the words in it, often have the same name, and are one place.
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
    # Only headings count above: a row there may be another patient's.
    above = [one for one in texts if one.role == "heading" and 0 <= item.rect.top - one.rect.bottom < 80]
    for one in sorted(above, key=lambda one: item.rect.top - one.rect.bottom):
        yield f'{words} below "{one.title}"', one.title


def _resolves(instruction: str, screen: Screen, point: Point) -> bool:
    """Return whether grounding resolves an instruction to what contains a point, and nothing else."""
    try:
        found = locate(instruction, screen)
    except ToolRetry:
        return False
    return bool(found.targets) and not found.abstained and found.targets[0].rect.holds(point)
