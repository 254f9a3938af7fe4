"""Menu bars and open menus of desktop programs in pixels: words below a title, and the frames attached to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.gui.grounding.geometry import contains, with_below
from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.vision.ocr import Line
from tools.gui.grounding.vision.windows import Titled
from tools.gui.types import Rect

FIRST = frozenset({"file", "datei", "fichier", "archivo"})
"""First words of menu bars; other rows of words below a title may be tabs."""
BELOW_PX, GAP_PX = 40.0, 70.0
"""Maximum distance of a menu bar below its title, and between menus; our choice."""
ENTRY_PX = 36.0
"""Maximum height of a menu per entry; our choice."""
_LEVEL_PX, _EDGE_PX = 8.0, 5.0
"""Maximum vertical offset of words of one bar, and distance of edges that count as one; our choice."""
_HANGS_PX, _COLUMN_PX = 14.0, 70.0
"""Maximum distance of a menu from its word, and width of the column where its entries begin; our choice."""
_MAX_WORDS = 3
"""Maximum number of words of a menu; our choice."""


@dataclass(frozen=True)
class Menus:
    """The menus of a screen.

    Attributes:
        items: clickable menus and entries, and each open menu as a section, the innermost last.
        lines: their words.
        opened: bounds of the open ones.
    """

    items: tuple[Item, ...]
    lines: tuple[Line, ...]
    opened: tuple[Rect, ...]


def find_menus(windows: Sequence[Titled], boxes: Sequence[Rect], lines: Sequence[Line]) -> Menus:
    """Find the menus of windows with a menu bar.

    Args:
        windows: as returned by `find_titled`.
        boxes: frames.
        lines: the lines read.
    """
    items: list[Item] = []
    own: list[Line] = []
    opened: list[Rect] = []
    for window in windows:
        bar = _bar(window, lines) if window.is_window else []
        found = [(line, _open_menu(line, boxes)) for line in bar]
        hanging = [(line, box) for line, box in found if box and _is_apart(box, window) and _is_full(box, lines)]
        items += [_item(line, "menu") for line in bar]
        own += bar
        while hanging:
            line, frame = hanging.pop()
            entries = list(_entries(frame, lines))
            items.append(Item(frame, "section", _names(line), "words", line.rect.center))
            beside = [(entry, _beside(entry, frame, boxes)) for entry in entries]
            below = [(entry, box) for entry, box in beside if box and _is_full(box, lines)]
            opening = [entry for entry, _ in below]
            items += [_item(entry, "menu" if entry in opening else "menuitem") for entry in entries]
            own += entries
            opened.append(frame)
            hanging += below
    return Menus(tuple(items), tuple(own), tuple(opened))


def _bar(window: Titled, lines: Sequence[Line]) -> list[Line]:
    """Return the words of a window's menu bar, from the left; [] if it has none."""
    title = window.title.rect
    near = [
        line
        for line in lines
        if title.bottom - 2 <= line.rect.center.y_px <= title.bottom + BELOW_PX
        and window.rect.left - _EDGE_PX <= line.rect.left < window.rect.right
        and len(line.words) <= _MAX_WORDS
    ]
    first = next((line for line in near if line.text.casefold() in FIRST), None)
    if first is None or first.rect.left - window.rect.left > GAP_PX:
        return []
    bar = [first]
    for line in sorted(near, key=lambda line: line.rect.left):
        level = abs(line.rect.center.y_px - first.rect.center.y_px) < _LEVEL_PX
        if level and 0 < line.rect.left - bar[-1].rect.right < GAP_PX:
            bar.append(line)
    return bar


def _open_menu(menu: Line, boxes: Sequence[Rect]) -> Rect | None:
    """Return the frame of an open menu below its word."""
    for box in sorted(boxes, key=lambda box: box.top):
        begins = -4 <= menu.rect.left - box.left < 2 * _HANGS_PX and -4 <= box.top - menu.rect.bottom < _HANGS_PX
        if begins and box.right > menu.rect.right + _EDGE_PX:
            return with_below(box, boxes, _EDGE_PX)
    return None


def _is_apart(box: Rect, window: Titled) -> bool:
    """Return whether a frame below a menu bar is not part of its window: it is narrower or ends lower."""
    return box.right < window.rect.right - _HANGS_PX or box.bottom > window.rect.bottom + _HANGS_PX


def _is_full(box: Rect, lines: Sequence[Line]) -> bool:
    """Return whether a frame is filled with words like a menu."""
    return box.height <= ENTRY_PX * len(list(_entries(box, lines)))


def _beside(entry: Line, menu: Rect, boxes: Sequence[Rect]) -> Rect | None:
    """Return the frame of a submenu at the side of the entry that opens it."""
    for box in boxes:
        at_side = abs(box.left - menu.right) < _EDGE_PX and box.right > menu.right + _COLUMN_PX / 2
        if at_side and -_EDGE_PX < entry.rect.top - box.top < _HANGS_PX:
            return with_below(box, boxes, _EDGE_PX)
    return None


def _entries(menu: Rect, lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the entries of an open menu, without their shortcuts."""
    inside = [line for line in lines if contains(menu, line.rect, 4.0)]
    left = min((line.rect.left for line in inside if len(line.text) > 1), default=0.0)
    for line in sorted(inside, key=lambda line: line.rect.top):
        if len(line.text) > 1 and line.rect.left - left < _COLUMN_PX:
            yield line


def _names(line: Line) -> tuple[Name, ...]:
    return (Name(line.words, rects=line.rects),)


def _item(line: Line, role: str) -> Item:
    return Item(line.rect, role, _names(line), "words", sure=0.9 + 0.1 * line.confidence)
