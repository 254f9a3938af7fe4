"""Layout of a screen from its pixels: words, the frames around and beside them, rows and dialogs, as items."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tools.gui.grounding.geometry import contains, union
from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.vision.colours import summed
from tools.gui.grounding.vision.controls import TALLEST_PX, Frames, find_frames
from tools.gui.grounding.vision.icons import icon_items
from tools.gui.grounding.vision.menus import Menus, find_menus
from tools.gui.grounding.vision.ocr import Line, parted_by, read_cells
from tools.gui.grounding.vision.rows import rows_of_tables, stacks_of
from tools.gui.grounding.vision.windows import find_titled
from tools.gui.types import Rect

BUTTON_HEIGHTS = 3.6
"""Maximum height of a button's frame, in heights of its only line; our choice."""
LABEL_GAP_PX, ABOVE_GAP_PX, ASIDE_PX = 260.0, 26.0, 100.0
"""Maximum distance of a label to the left of or above its field, and its maximum offset there; our choice."""
CLOSE_PX, BEFORE_PX = 16.0, 90.0
"""Distance at which a label right of a check box is its only one, and one left of it a candidate; our choice."""
COLUMN_PX, HEAD_GAP_PX = 4.0, 48.0
"""Maximum misalignment of check boxes in a column, and distance of the column header from the first; our choice."""
TWICE = 2.0
"""Width, in widths of a check box, from which on an item is more than a check box; our choice."""
ELSEWHERE = 0.92
"""Weight of items in another window than the active one; our choice."""
SHORTEST_PX, WIDE, PART = 14, 2.0, 0.8
"""Minimum height of a field, its aspect ratio, and its share of its surrounding frame, with a label beside it; our
choice."""
HIGHEST_ROW = 0.3
"""Maximum height of a table row, as a share of the screen; our choice."""
_RINGS = frozenset("Oo0Q○〇◯●©@V✓√口□日回")
"""Characters as which OCR reads radio buttons and check boxes."""
_MARKS = frozenset("<>^vV十一")
"""Characters as which OCR reads the steps of a spin button and the arrow of a combo box, besides punctuation."""


def pixel_items(rgb: np.ndarray, lines: Sequence[Line]) -> list[Item]:
    """Convert an image (height, width, 3), uint8, and its lines to items: words, controls and icons."""
    frames = find_frames(rgb)
    lines = [line for line in lines if line.rect.area > 0]
    boxes = [box for box in frames.boxes if not _in_word(box, lines)]
    lines += read_cells(rgb, [_inside(box) for box in boxes if _is_cell(box, lines)])
    clean = replace(
        frames, boxes=tuple(boxes), checks=tuple(check for check in frames.checks if not _in_word(check, lines))
    )
    read, lines = lines, [part for line in lines for part in _without_check(line, clean)]
    lines = [part for line in lines for part in parted_by(line, boxes)]
    screen = Rect(left=0, top=0, right=rgb.shape[1], bottom=rgb.shape[0])
    held = {box: [line for line in lines if contains(box, line.rect, 4.0)] for box in boxes}
    stacks = stacks_of(held)
    # Lines across a dialog divide it into a stacked head, body and foot.
    parted = {union(*stack): [line for box in stack for line in held[box]] for stack in stacks}
    dialogs = _dialogs(rgb, screen, {**held, **parted})
    modal = next((rect for rect, _, dims in dialogs if dims), None)
    texts = _texts(lines, clean, held)
    buttons = {item.names[0].words for item in texts if item.role == "button"}
    # Words on a button label nothing beside it; the label of a check box labels nothing else.
    labels = [line for line in lines if line.words not in buttons]
    others = [line for line in labels if not any(_is_close(line, check) for check in clean.checks)]
    joined = [Name(line.words, 0.97, rects=line.rects) for line in _joined(lines)]
    items = [Item(union(*name.rects), "text", (name,), "words") for name in joined]
    items += [*texts, *_fields(held, others), *_checks(clean, labels)]
    # What was read as a letter is not an icon.
    ticked = [
        check for check in clean.checks if check in clean.blank and any(_is_close(line, check) for line in labels)
    ]
    items += [icon for icon in icon_items(rgb, read, clean) if not any(_is_drawn_as(tick, icon) for tick in ticked)]
    items += [Item(rect, "row", names, "words", point) for rect, names, point in rows_of_tables(lines, held, stacks)
              if rect.height <= HIGHEST_ROW * screen.height]  # fmt: skip
    items += [
        Item(box, "section", (Name(inside[0].words, 0.95, rects=inside[0].rects),), "words")
        for box, inside in held.items()
        if inside and box.height > TALLEST_PX and box.area < 0.9 * screen.area
    ]
    titled = find_titled(rgb, held, lines)
    menus = find_menus(titled, boxes, lines)
    if menus.items:
        items = [*menus.items, *(item for item in items if not _is_of_menu(item, menus))]
    windows = [
        Item(
            each.rect, "window" if each.is_window else "section", _named([each.title]), "words", each.title.rect.center
        )
        for each in titled
        if each.title not in menus.lines
    ]
    shown = [Item(rect, "dialog", _named(inside), "words") for rect, inside, _ in dialogs]
    # A dialog that dims the page is active; others may be any frame in the middle.
    items += [*windows, *shown] if modal is None else [*shown, *windows]
    if modal is None:
        return [_less_sure(item, [each.rect for each in windows if each.role == "window"]) for item in items]
    return [item if contains(modal, item.rect, 4.0) else replace(item, front=False) for item in items]


def _is_drawn_as(check: Rect, icon: Item) -> bool:
    """Return whether an icon is only a check box or radio button, or several stacked ones."""
    narrow = icon.rect.width < TWICE * check.width
    return narrow and (contains(icon.rect, check, 2.0) or contains(check, icon.rect, 2.0))


def _is_of_menu(item: Item, menus: Menus) -> bool:
    """Return whether an item consists of words or frames of menus, and is not an icon there."""
    within = any(menu.holds(item.rect.center) for menu in menus.opened)
    return (within and item.role != "icon") or any(
        contains(item.rect, line.rect, 1.0) and item.rect.height < 2 * line.rect.height for line in menus.lines
    )


def _without_check(line: Line, frames: Frames) -> list[Line]:
    """Remove a check box or radio button that was read as a line's first letter; an empty result if it is all."""
    first, place = line.words[0], line.rects[0]
    if first not in _RINGS or not any(check.holds(place.center) for check in frames.checks):
        return [line]
    if len(line.words) == 1:
        return [] if any(check.holds(place.center) for check in frames.blank) else [line]
    return [Line(line.words[1:], line.rects[1:], line.confidence)]


def _less_sure(item: Item, windows: Sequence[Rect]) -> Item:
    """Lower an item's certainty if it is in another window than the active first one; menus reach out of that."""
    within = [window.holds(item.rect.center) for window in windows]
    return replace(item, sure=ELSEWHERE * item.sure) if any(within) and not within[0] else item


def _is_cell(box: Rect, lines: Sequence[Line]) -> bool:
    """Return whether a frame may contain a letter or two that were not read."""
    small = 14 <= box.height <= 44 and box.width <= 60
    return small and not any(contains(box, line.rect, 4.0) for line in lines)


def _inside(box: Rect) -> Rect:
    return Rect(left=box.left + 3, top=box.top + 3, right=box.right - 3, bottom=box.bottom - 3)


def _in_word(box: Rect, lines: Sequence[Line]) -> bool:
    """Return whether a frame is only a letter or two of a word."""
    return any(
        len(word) > 2 and contains(place, box, 4.0) and box.width < 0.8 * place.width
        for line in lines
        for word, place in zip(line.words, line.rects, strict=True)
    )


def _texts(lines: Sequence[Line], frames: Frames, held: dict[Rect, list[Line]]) -> list[Item]:
    items = []
    for line in lines:
        box = frames.around(line.rect, BUTTON_HEIGHTS * line.rect.height)
        alone = box is not None and len(held[box]) == 1 and not _is_group(box, frames.boxes)
        name = Name(line.words, rects=line.rects)
        rect = box if box is not None and alone else line.rect
        items.append(Item(rect, "button" if alone else "text", (name,), "words", sure=0.9 + 0.1 * line.confidence))
    return items


def _is_group(box: Rect, boxes: Sequence[Rect]) -> bool:
    """Return whether a frame contains a field that covers only a part of it, so that it is not a control itself."""
    return any(
        contains(box, other)
        and SHORTEST_PX <= other.height < TALLEST_PX
        and other.width >= WIDE * other.height
        and other.width < PART * box.width
        for other in boxes
        if other.area < box.area
    )


def _joined(lines: Sequence[Line]) -> list[Line]:
    """Join labels that run over two lines."""
    pairs = []
    for upper in lines:
        for lower in lines:
            gap, height = lower.rect.top - upper.rect.bottom, min(upper.rect.height, lower.rect.height)
            aligned = min(abs(upper.rect.left - lower.rect.left), abs(upper.rect.center.x_px - lower.rect.center.x_px))
            if -0.4 * height < gap < 0.6 * height and aligned < 8 and abs(upper.rect.height - lower.rect.height) < 8:
                sure = min(upper.confidence, lower.confidence)
                pairs.append(Line(upper.words + lower.words, upper.rects + lower.rects, sure))
    return pairs


def _fields(held: dict[Rect, list[Line]], lines: Sequence[Line]) -> list[Item]:
    """Return fillable frames: empty or with one line, named by that line and by the label beside or above."""
    items = []
    joined = _joined(lines)
    parts = [(box, {id(line) for line in inside}) for box, inside in held.items() if len(inside) > 1]
    for box, within in held.items():
        inside = [line for line in within if not _is_mark(line)] or within
        if not (SHORTEST_PX <= box.height <= TALLEST_PX and box.width >= max(40, 1.2 * box.height)) or len(inside) > 1:
            continue
        if inside and _is_group(box, tuple(held)):
            continue
        # A button has its words in the middle, as its label; a field has them on its left.
        left = (
            len(within) > 1 or not inside or inside[0].rect.left - box.left < 0.5 * (box.right - inside[0].rect.right)
        )
        names = [Name(inside[0].words, 0.9 if left else 0.99, rects=inside[0].rects)] if inside else []
        elsewhere = set[int]().union(*(ids for part, ids in parts if not contains(part, box, 4.0)))
        outside = [line for line in lines if id(line) not in elsewhere and not contains(box, line.rect, 4.0)]
        names += _labels(box, outside)
        names += [name for name in _labels(box, joined) if name.words not in {other.words for other in names}]
        # The steps of a spin button are on its right, and may not have been read.
        point = inside[0].rect.center if inside and left else box.center
        items.append(
            Item(box, "field" if left else "dropdown", tuple(names), "words", point, sure=1.0 if names else 0.9)
        )
    return items


def _is_mark(line: Line) -> bool:
    """Return whether a line is the plus, minus or arrow of a spin button or a combo box."""
    return all(word in _MARKS or (len(word) == 1 and unicodedata.category(word)[0] in "SP") for word in line.words)


def _labels(box: Rect, lines: Sequence[Line]) -> list[Name]:
    """Return the nearest line to the left of a box with nothing in between, and the nearest one above it."""
    beside = [
        line
        for line in lines
        if line.rect.right <= box.left + 4
        and box.left - line.rect.right < LABEL_GAP_PX
        and box.top - 0.35 * box.height <= line.rect.center.y_px <= box.bottom
    ]
    above = [
        line
        for line in lines
        if -6 <= box.top - line.rect.bottom < ABOVE_GAP_PX
        and -16 <= line.rect.left - box.left < min(0.5 * box.width, ASIDE_PX)
    ]
    names = []
    if above:
        line = max(above, key=lambda line: (line.rect.bottom, -abs(line.rect.left - box.left)))
        names.append(Name(line.words, 0.96, label=True, rects=line.rects))
    if beside:
        line = max(beside, key=lambda line: line.rect.right)
        gap = box.left - line.rect.right
        names.append(Name(line.words, 0.98 - 0.1 * gap / LABEL_GAP_PX, label=True, rects=line.rects))
    return names


def _is_close(line: Line, check: Rect) -> bool:
    """Return whether a line begins right next to a check box, on its right."""
    level = check.top < line.rect.center.y_px < check.bottom
    return level and -4 <= line.rect.left - check.right < CLOSE_PX


def _checks(frames: Frames, lines: Sequence[Line]) -> list[Item]:
    """Return check boxes and radio buttons, named by the nearest line on their right, or else on their left."""
    items = []
    for check in frames.checks:
        near = [
            line
            for line in lines
            if abs(line.rect.center.y_px - check.center.y_px) < 0.6 * max(line.rect.height, check.height)
        ]
        # A line in the same frame labels it; one beside that frame does not.
        around = next((box for box in frames.boxes if contains(box, check) and box.area > 4 * check.area), check)
        near = [line for line in near if contains(around, line.rect, 4.0)] or near
        after = min((line for line in near if -4 <= line.rect.left - check.right < 60),
                    key=lambda line: line.rect.left, default=None)  # fmt: skip
        before = max((line for line in near if -4 <= check.left - line.rect.right < 200),
                     key=lambda line: line.rect.right, default=None)  # fmt: skip
        after_px = after.rect.left - check.right if after else math.inf
        names = []
        if after and (before is None or after_px < max(CLOSE_PX, check.left - before.rect.right)):
            names.append(Name(after.words, 0.97, label=after_px >= CLOSE_PX))
        if before and after_px >= CLOSE_PX:
            # A line on the right of a box may be the label of the next one.
            near_px = check.left - before.rect.right < BEFORE_PX
            names.append(Name(before.words, 0.95 if near_px and not names else 0.8, label=True))
        if after_px >= CLOSE_PX and (head := _head(check, frames.checks, lines)):
            names.append(Name(head.words, 0.9, label=True, rects=head.rects))
        items.append(Item(check, "checkbox", tuple(names), "words", check.center, sure=0.95))
    return items


def _head(check: Rect, checks: Sequence[Rect], lines: Sequence[Line]) -> Line | None:
    """Return the header of a table column with check boxes; None if there are fewer than two."""
    x_px = check.center.x_px
    column = [other for other in checks if abs(other.center.x_px - x_px) < COLUMN_PX]
    first = min(column, key=lambda other: other.top)
    if all(other.top < first.bottom for other in column):
        return None
    over = (line for line in lines if line.rect.left <= x_px <= line.rect.right)
    head = max(
        (line for line in over if line.rect.center.y_px < first.top), key=lambda line: line.rect.bottom, default=None
    )
    return head if head and first.top - head.rect.bottom < HEAD_GAP_PX else None


def _dialogs(rgb: np.ndarray, screen: Rect, held: dict[Rect, list[Line]]) -> list[tuple[Rect, list[Line], bool]]:
    """Return possible dialogs, each with its lines and whether its surroundings are dimmed; dimming ones first."""
    grey = summed(rgb) / 3.0
    found = []
    for box, inside in held.items():
        large = 0.012 < box.area / screen.area < 0.6 and box.width < 0.8 * screen.width and box.height > 60
        if not large or len(inside) < 2 or abs(box.center.x_px - screen.center.x_px) > 0.15 * screen.width:
            continue
        cut = grey[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
        ring = _ring(grey, box)
        dims = bool(ring.size and np.percentile(ring, 95) < 0.8 * np.percentile(cut, 95))
        found.append((box, inside, dims))
    return sorted(found, key=lambda dialog: (not dialog[2], -dialog[0].area))


def _ring(grey: np.ndarray, box: Rect, width: int = 60) -> np.ndarray:
    """Return the pixels around a box, a little away from it, since dialogs cast shadows."""
    top, bottom, left, right = int(box.top), int(box.bottom), int(box.left), int(box.right)
    outer = np.zeros(grey.shape, bool)
    outer[max(0, top - width) : bottom + width, max(0, left - width) : right + width] = True
    outer[max(0, top - 12) : bottom + 12, max(0, left - 12) : right + 12] = False
    return grey[outer]


def _named(inside: Sequence[Line]) -> tuple[Name, ...]:
    return (Name(inside[0].words, rects=inside[0].rects),) if inside else ()
