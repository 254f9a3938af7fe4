"""What fields, check boxes and the like are called that the accessibility tree gives no name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.parse import NAMED
from tools.gui.types import Rect

VALUE = 0.85
"""How surely what a control holds names it; our choice."""
_SAYS = re.compile(r"[^\W\d_]")
_LABEL, _CHAINED, _HEAD = 0.95, 0.88, 0.87
"""How surely a text names the control beside it, the ones after that, and those of the column below it; our choice."""
_REACH_PX, _ABOVE_PX = 160.0, 30.0
"""How far a label may be from its control, beside it and above it; our choice."""
_COLUMN_PX = 60.0
"""How far the controls of one column may be apart; our choice."""
_ASIDE_PX = 24.0
"""How far a control may begin beside its label or the head of its column; our choice."""


def labelled_fields(items: Sequence[Item]) -> list[Item]:
    """Fields and the like without a name, named by the text beside or above them, and by the head of their column."""
    texts = [item for item in items if item.role in ("text", "heading") and item.names]
    boxes = [item for item in items if item.role in NAMED]
    heads = _heads(texts, boxes)
    named = []
    for item in items:
        label = _label_of(item.rect, texts, boxes) if item.role in NAMED else ()
        unnamed = all(name.weight <= VALUE for name in item.names)
        if label and (unnamed or (item.role == "dropdown" and label[0].words[-1].endswith(":"))):
            # What it holds is no name; some desktop programs give it as one.
            head = tuple(name for name in heads.get(id(item), ()) if unnamed and name.words != label[0].words)
            item = replace(item, names=(*label, *head, *item.names))
        named.append(item)
    return named


def _label_of(rect: Rect, texts: Sequence[Item], boxes: Sequence[Item]) -> tuple[Name, ...]:
    """The text at the left of a control, though others of its kind stand between; else at its right; else above it."""
    level = [text for text in texts if _are_level(text.rect, rect)]
    before = max((text for text in level if text.rect.right <= rect.left + 8), key=_right, default=None)
    if before is not None:
        between = [box.rect for box in boxes if _is_between(box.rect, before.rect, rect)]
        sides = sorted((box.left, box.right) for box in between)
        edges = [before.rect.right, *(edge for side in sides for edge in side), rect.left]
        if all(end - start < _REACH_PX for start, end in zip(edges[::2], edges[1::2], strict=True)):
            own = Name(before.names[0].words, _CHAINED if between else _LABEL, label=True)
            # "Beds", "[1...4]" and the field: what it may hold stands between it and its label.
            farther = max((text for text in level if text.rect.right <= before.rect.left + 8), key=_right, default=None)
            if farther is None or between or _SAYS.search(" ".join(own.words)):
                return (own,)
            alone = not any(_is_between(box.rect, farther.rect, before.rect) for box in boxes)
            if not alone or before.rect.left - farther.rect.right > _ASIDE_PX:
                return (own,)
            return (Name(farther.names[0].words, _LABEL, label=True), replace(own, weight=_CHAINED))
    after = [(text.rect.left - rect.right, text) for text in level if text.rect.left >= rect.right - 8]
    above = [
        (rect.top - text.rect.bottom + 10, text)
        for text in texts
        if 0 <= rect.top - text.rect.bottom + 4 < _ABOVE_PX and abs(text.rect.left - rect.left) < _ASIDE_PX
    ]
    distance, nearest = min((*after, *above), key=lambda each: each[0], default=(_REACH_PX, None))
    return (Name(nearest.names[0].words, _LABEL, label=True),) if nearest and distance < _REACH_PX else ()


def _heads(texts: Sequence[Item], boxes: Sequence[Item]) -> dict[int, tuple[Name, ...]]:
    """The heads of columns of controls, of which at least two stand on a line where no control is."""
    free = [text for text in texts if not any(_are_level(text.rect, box.rect) for box in boxes)]
    heads = [head for head in free if any(other is not head and _are_level(head.rect, other.rect) for other in free)]
    found: dict[int, tuple[Name, ...]] = {}
    over: list[tuple[Item, Name]] = []
    for box in sorted(boxes, key=lambda box: box.rect.top):
        named = [(head, Name(head.names[0].words, _HEAD, label=True)) for head in heads if _is_over(head, box)]
        named += [(other, name) for other, name in over if other.role == box.role and _is_over(other, box)]
        if named:
            name = max(named, key=lambda each: (each[0].rect.bottom, each[0].rect.left))[1]
            found[id(box)] = (name,)
            over.append((box, name))
    return found


def _is_over(head: Item, box: Item) -> bool:
    """Whether something is the next above a control in its column."""
    near = -4 <= box.rect.top - head.rect.bottom < _COLUMN_PX
    return near and head.rect.left - _ASIDE_PX < box.rect.center.x_px < head.rect.right + _ASIDE_PX


def _is_between(box: Rect, label: Rect, rect: Rect) -> bool:
    return _are_level(box, rect) and label.right - 8 <= box.left and box.right <= rect.left + 8


def _are_level(rect: Rect, other: Rect) -> bool:
    return abs(rect.center.y_px - other.center.y_px) < 0.6 * max(rect.height, other.height)


def _right(text: Item) -> float:
    return text.rect.right
