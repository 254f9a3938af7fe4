"""Windows and titled parts of a screen in pixels: a bar with a title, above a frame of equal width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.gui.grounding.geometry import contains, with_below
from tools.gui.grounding.vision.colours import summed
from tools.gui.grounding.vision.ocr import Line
from tools.gui.grounding.vision.rows import EDGE_PX
from tools.gui.types import Rect

BAR_PX = (14, 44)
"""Minimum and maximum height of a title bar; our choice."""
LEAST_PX = (120.0, 24.0)
"""Minimum width and height of the area below a title bar; our choice."""
END_PX = 90.0
"""Maximum distance of a title bar's buttons from its end; our choice."""
_BARS = 3
"""Maximum number of stacked bars: a title bar, a menu bar, a tool bar; our choice."""
_BUTTONS, _APART_PX, _SHORT = 2, 3, 3
"""Number of a window's buttons, their minimum distance, and maximum letters as which they are read; our choice."""
_EDGE, _EDGE_SHARE, _INK = 8, 0.85, 24
"""Grey levels of an edge, its minimum share of a side, and grey levels of drawings on a bar; our choice."""
_SLIP_PX, _STEP_PX = 3, 8
"""Maximum displacement of an edge, and step in which a side is followed; our choice."""


@dataclass(frozen=True)
class Titled:
    """A window or a part of one, with its title bar.

    Attributes:
        rect: bounds, including the bar.
        title: the line in the bar.
        is_window: whether it has window buttons at the right end of the bar.
        contrast: contrast of the title, in grey levels.
    """

    rect: Rect
    title: Line
    is_window: bool
    contrast: float


def find_titled(rgb: np.ndarray, held: dict[Rect, list[Line]], lines: Sequence[Line]) -> list[Titled]:
    """Find windows, and parts of them that have a title bar, the active one first.

    The active window is the one with the strongest title; others are paler.

    Args:
        rgb: the screenshot (height, width, 3), uint8.
        held: frames with their lines; some have title bars above them.
        lines: the lines read.
    """
    grey = summed(rgb) / np.float32(3)
    found: list[Titled] = []
    for box in sorted(held, key=lambda box: -box.area):
        if box.width < LEAST_PX[0] or box.height < BAR_PX[0]:
            continue
        # A frame with only its name is a button, a row of a list, or a title bar itself.
        several = box.height >= LEAST_PX[1] and len(held[box]) > 1
        titled = _titled(grey, box, lines) if several else _below_bar(grey, box, held[box])
        if titled and all(titled.title is not other.title for other in found):
            found.append(titled if titled.is_window else replace(titled, rect=with_below(titled.rect, held, EDGE_PX)))
    return sorted(found, key=lambda titled: (-titled.is_window, -titled.contrast, titled.rect.area))


def _titled(grey: np.ndarray, rect: Rect, lines: Sequence[Line]) -> Titled | None:
    """Return a frame with the bars above it, such as a menu bar, up to the title bar; None without a title bar."""
    found = None
    for _ in range(_BARS):
        above = [line for line in lines if _stands_on(line.rect, rect)]
        bar = _bar(grey, rect, max((line.rect.height for line in above), default=0.0)) if above else None
        if bar is None:
            break
        rect = Rect(left=rect.left, top=bar.top, right=rect.right, bottom=rect.bottom)
        titles = [line for line in above if contains(bar, line.rect, 4.0) and not _is_at_end(line, bar)]
        drawn = _drawn_at_ends(grey, bar)
        if len(titles) == 1 and any(drawn):
            is_window = drawn[1] >= _BUTTONS
            whole = rect.model_copy(update={"bottom": _foot(grey, rect)}) if is_window else rect
            found = Titled(whole, titles[0], is_window, _contrast(grey, titles[0].rect))
    return found


def _below_bar(grey: np.ndarray, bar: Rect, inside: Sequence[Line]) -> Titled | None:
    """Return a window whose frame is covered, such as by an open menu, from its title bar and the rest of its frame."""
    titles = [line for line in inside if not _is_at_end(line, bar)]
    foot = _foot(grey, bar) if bar.height <= BAR_PX[1] and len(titles) == 1 else bar.bottom
    if foot - bar.bottom < LEAST_PX[1] or _drawn_at_ends(grey, bar)[1] < _BUTTONS:
        return None
    return Titled(bar.model_copy(update={"bottom": foot}), titles[0], True, _contrast(grey, titles[0].rect))


def _stands_on(line: Rect, box: Rect) -> bool:
    level = box.top - line.bottom >= -4 and box.top - line.top <= BAR_PX[1]
    return level and box.left - 4 <= line.left and line.right <= box.right + 4


def _bar(grey: np.ndarray, box: Rect, least_px: float) -> Rect | None:
    """Return the strip above a frame that ends at its sides, or None."""
    width = grey.shape[1]
    left, right, bottom = int(box.left), min(int(box.right), width), int(box.top)
    inset = min(10, (right - left) // 8)
    for top in range(bottom - max(BAR_PX[0], int(least_px) - 4), max(-1, bottom - BAR_PX[1] - 1), -1):
        edge = top <= 1 or _is_edge(grey[top - 2 : top + 2, left + inset : right - inset], 0)
        rows = slice(max(top + 3, 0), bottom - 3)
        if edge and all(
            at <= 2 or at >= width - 2 or _is_edge(grey[rows, max(at - _SLIP_PX, 0) : at + _SLIP_PX], 1)
            for at in (left, right)
        ):
            return Rect(left=left, top=max(top, 0), right=right, bottom=bottom)
    return None


def _foot(grey: np.ndarray, rect: Rect) -> float:
    """Return where the sides of a window end, if only its upper part has a frame."""
    height, width = grey.shape
    sides = [at for at in (int(rect.left), int(rect.right)) if 2 < at < width - 2]
    foot = int(rect.bottom)
    while (
        sides
        and foot < height
        and all(_is_edge(grey[foot : foot + _STEP_PX, at - _SLIP_PX : at + _SLIP_PX], 1) for at in sides)
    ):
        foot += _STEP_PX
    return float(min(foot, height))


def _is_edge(strip: np.ndarray, axis: int) -> bool:
    """Return whether a change of brightness runs along a narrow strip."""
    return bool((abs(np.diff(strip, axis=axis)).max(axis=axis, initial=0) >= _EDGE).mean() >= _EDGE_SHARE)


def _is_at_end(line: Line, bar: Rect) -> bool:
    """Return whether a line may be a button of the bar."""
    short = all(len(word) <= _SHORT for word in line.words)
    return short and min(line.rect.left - bar.left, bar.right - line.rect.right) < END_PX


def _drawn_at_ends(grey: np.ndarray, bar: Rect) -> tuple[int, int]:
    """Count the drawings at the left and at the right end of a title bar."""
    strip = grey[int(bar.top) + 3 : int(bar.bottom) - 3, int(bar.left) + 4 : int(bar.right) - 4]
    reach = int(min(END_PX, strip.shape[1] / 4))
    ink = (abs(strip - np.median(strip, axis=1, keepdims=True)) > _INK).any(axis=0)
    left, right = (
        np.flatnonzero(np.diff(np.flatnonzero(part), prepend=-_APART_PX) >= _APART_PX)
        for part in (ink[:reach], ink[-reach:])
    )
    return len(left), len(right)


def _contrast(grey: np.ndarray, rect: Rect) -> float:
    cut = grey[int(rect.top) : int(rect.bottom), int(rect.left) : int(rect.right)]
    return float(np.ptp(cut)) if cut.size else 0.0
