"""Text on a screen: from its accessibility tree if there is one, else by OCR."""

from __future__ import annotations

from collections.abc import Iterator

from tools.gui.grounding.label_match import fit, normal, turned_round
from tools.gui.grounding.vision.ocr import Line, read_lines
from tools.gui.types import Rect, Screen

LEAST = 0.9
"""Minimum similarity of words read by OCR to the wanted words. Digits always have to be equal."""


def shown_text(screen: Screen, rect: Rect | None = None, *, pixels: bool = False) -> str:
    """Return the words that a screen shows within a rectangle, line by line.

    Args:
        screen: the screen.
        rect: in image pixels; None is the whole screen.
        pixels: read the pixels even if there is an accessibility tree.

    Raises:
        ToolFailed: if OCR is needed and RapidOCR is not installed.
    """
    where = rect or screen.rect
    if screen.nodes is not None and not pixels:
        return "\n".join(dict.fromkeys(_node_texts(screen, where)))
    return "\n".join(line.text for line in lines_in(screen, where))


def shows(screen: Screen, words: str, rect: Rect | None = None, *, pixels: bool = False) -> bool:
    """Return whether a screen shows some words within a rectangle, as whole words; see `shown_text`.

    In a tree they have to be equal except for case and spaces. Words read by OCR may have recognition errors, but never
    in a digit. Raises ToolFailed as `shown_text` does.
    """
    where = rect or screen.rect
    if screen.nodes is not None and not pixels:
        return any(_contains(normal(words), normal(text)) for text in _node_texts(screen, where))
    return any(
        _contains(normal(words), normal(line.text)) or fit(words, line.words)[0] >= LEAST
        for line in lines_in(screen, where)
    )


def lines_in(screen: Screen, rect: Rect) -> tuple[Line, ...]:
    """Return the lines read by OCR in a part of a screen, in pixels of the whole. Raises ToolFailed."""
    part = rect.overlap(screen.rect)
    crop = screen.crop(part)
    if crop.size == 0 or min(crop.shape[:2]) < 4:
        return ()
    left, top = int(part.left), int(part.top)
    return tuple(
        Line(line.words, tuple(_moved(word, left, top) for word in line.rects), line.confidence)
        for line in read_lines(crop)
    )


def _node_texts(screen: Screen, where: Rect) -> Iterator[str]:
    for node in screen.nodes or ():
        inside = node.rect.overlap(where).area
        if inside and inside >= 0.5 * node.rect.area and node.role != "document":
            yield from (text for text in (node.name, node.value) if text)


def _contains(words: str, text: str) -> bool:
    """Return whether a text contains words as a whole: not as part of a longer word, name or number, nor reversed."""
    at = text.find(words) if words else -1
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(words) : at + len(words) + 1]
        if not (_joins(before) or _joins(after) or turned_round(words, text[:at])):
            return True
        at = text.find(words, at + 1)
    return False


def _joins(mark: str) -> bool:
    return mark.isalnum() or mark in {"^", "_"}


def _moved(rect: Rect, left: float, top: float) -> Rect:
    return Rect(left=rect.left + left, top=rect.top + top, right=rect.right + left, bottom=rect.bottom + top)
