"""Recognition of common toolbar icons by shape: templates drawn in several styles, compared with the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from tools.gui.grounding.geometry import contains
from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.vision.controls import Frames
from tools.gui.grounding.vision.icon_shapes import NAMES, SHAPES, Shape
from tools.gui.grounding.vision.ocr import Line
from tools.gui.guard.effect_words import VERBS, find_verbs
from tools.gui.types import Rect
from tools.ocr import N_THREADS

SIDE = 32
"""Size in pixels at which shapes are compared; our choice, as are all numbers below."""
ALONG = 0.8
"""Share of a button's height that the remains of its border cover."""
SMALLEST_PX, LARGEST_PX = 8, 44
"""Range of an icon's sides; one may be smaller if the shape itself is as flat, such as three dots."""
FLATTER = 1.6
"""Maximum ratio of such a blob's aspect to the shape's."""
STROKES = (0.05, 0.085, 0.13)
"""Stroke widths as shares of a shape's size."""
CONTRAST = 36
"""Difference in grey levels between an icon and its surroundings."""
JOIN_PX = 7
"""Maximum distance between parts of an icon."""
LEAST, FULL = 0.58, 0.82
"""Minimum similarity for a name, and similarity from which on a shape is certain."""


def icon_items(rgb: np.ndarray, lines: Sequence[Line], frames: Frames) -> list[Item]:
    """Return icon-like blobs of an image (height, width, 3), uint8, with the names of the most similar shapes.

    Blobs without a similar shape have no name: "the second icon" may mean them.
    """
    marks = _marks(rgb)
    rects = _blobs(marks, lines, frames)
    if not rects:
        return []
    templates, kinds, ratios = _templates()
    seen = np.stack([_features(_square(_cut(marks, rect))) for rect in rects])
    likeness = seen @ templates.T
    items = []
    for rect, row in zip(rects, likeness, strict=True):
        best: dict[str, float] = {}
        small = min(rect.width, rect.height) < SMALLEST_PX
        for kind, alike, ratio in zip(kinds, row, ratios, strict=True):
            if small and not 1 / FLATTER < rect.width / rect.height / ratio < FLATTER:
                continue
            best[kind] = max(best.get(kind, 0.0), float(alike))
        ranked = sorted(best.items(), key=lambda found: -found[1])[:2]
        names = [
            Name(tuple(word.split()), min(1.0, 0.7 + 0.3 * (alike - LEAST) / (FULL - LEAST)) * (0.8 if place else 1.0))
            for place, (kind, alike) in enumerate(ranked)
            if alike >= LEAST
            for word in NAMES[kind]
            # Less likely readings of a shape must not name an effect, such as deletion.
            if not (place and find_verbs(word, VERBS))
        ]
        items.append(Item(rect, "icon", tuple(names), "icon", rect.center))
    return items


def _marks(rgb: np.ndarray) -> np.ndarray:
    """Return the contrast of each pixel with its surroundings, 0 to 1, for dark on light and light on dark alike."""
    import cv2

    # OpenCV computes medians of one channel in two thirds of the time, and of several channels at once.
    planes = cv2.split(np.ascontiguousarray(rgb))
    with ThreadPoolExecutor(N_THREADS) as pool:
        red, green, blue = pool.map(lambda plane: cv2.absdiff(plane, cv2.medianBlur(plane, 25)), planes)
    apart = np.maximum(np.maximum(red, green), blue)
    return np.clip(apart.astype(np.float32) / 255 * 2, 0, 1)


def _blobs(marks: np.ndarray, lines: Sequence[Line], frames: Frames) -> list[Rect]:
    """Return places with the size of an icon that contain marks and no words."""
    import cv2

    mask = (marks > 2 * CONTRAST / 255).astype(np.uint8)
    words = tuple(_words(lines))
    for word, rect in words:
        aside = 0.3 * rect.height * (len(word) > 3)
        left = max(0, int(rect.left - aside))
        mask[int(rect.top) : math.ceil(rect.bottom), left : math.ceil(rect.right + aside)] = 0
    cells, found = [], []
    for frame in frames.boxes:
        inner = Rect(left=frame.left + 3, top=frame.top + 3, right=frame.right - 3, bottom=frame.bottom - 3)
        sides = sorted((frame.width, frame.height))
        if sides[0] >= SMALLEST_PX + 6 and sides[1] <= LARGEST_PX and (tight := _tight(mask, inner)) is not None:
            cells.append(frame)
            found.append(tight)
    joined = cv2.dilate(mask, np.ones((JOIN_PX, JOIN_PX), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    for left, top, width, height, _ in stats[1:]:
        rect = Rect(left=left, top=top, right=left + width, bottom=top + height)
        tight = _tight(mask, rect) if max(width, height) <= LARGEST_PX + JOIN_PX else None
        # Only the inside of a framed icon counts, unless the frame is a tight part of its drawing.
        if tight is not None and not any(tight.iou(cell) > 0.75 and cell.width > 24 for cell in cells):
            found.append(tight)
    kept: list[Rect] = []
    buttons = [frame for frame in frames.boxes if any(contains(frame, word) for _, word in words)]
    for rect in sorted(found, key=lambda rect: -rect.area):
        if min(rect.width, rect.height) < SMALLEST_PX and any(contains(_and_edges(word), rect) for _, word in words):
            continue
        if any(_is_side(rect, button) for button in buttons):
            continue
        if not any(contains(other, rect) or rect.iou(other) > 0.5 for other in kept):
            kept.append(rect)
    return kept


def _is_side(rect: Rect, frame: Rect) -> bool:
    """Return whether a rectangle is the rest of a button's left or right border after its words are removed."""
    across = any(rect.left - 2 <= side <= rect.right + 2 for side in (frame.left, frame.right))
    shared = min(rect.bottom, frame.bottom) - max(rect.top, frame.top)
    return across and rect.width < 0.5 * frame.width and shared >= ALONG * frame.height


def _words(lines: Sequence[Line]) -> Iterator[tuple[str, Rect]]:
    """Yield words that are certainly not misread icons: an x that closes, <, or a letter of another script."""
    for line in lines:
        if len(line.text.replace(" ", "")) > 2:
            for word, rect in zip(line.words, line.rects, strict=True):
                if any(character.isalnum() for character in word):
                    yield word, rect


def _and_edges(word: Rect) -> Rect:
    """Return a word's place, extended by what OCR may have cut off: a stem of its first or last letter."""
    aside = 0.3 * word.height
    return Rect(left=word.left - aside, top=word.top - aside, right=word.right + aside, bottom=word.bottom + aside)


def _tight(mask: np.ndarray, rect: Rect) -> Rect | None:
    """Return the bounds of the marks within a rectangle; None if too small, too large or too flat for an icon."""
    left, top = max(0, int(rect.left)), max(0, int(rect.top))
    rows, columns = np.nonzero(mask[top : int(rect.bottom), left : int(rect.right)])
    if len(rows) < 12:
        return None
    tight = Rect(
        left=left + columns.min(), top=top + rows.min(), right=left + columns.max() + 1, bottom=top + rows.max() + 1
    )
    long, short = max(tight.width, tight.height), min(tight.width, tight.height)
    return tight if SMALLEST_PX <= long <= LARGEST_PX and short >= max(3, 0.12 * long) else None


def _cut(marks: np.ndarray, rect: Rect) -> np.ndarray:
    return marks[int(rect.top) : math.ceil(rect.bottom), int(rect.left) : math.ceil(rect.right)]


def _square(shape: np.ndarray) -> np.ndarray:
    """Return a shape centred in a square of `SIDE`, as large as fits with a margin."""
    import cv2

    height, width = shape.shape
    scale = (SIDE - 4) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(shape, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square / max(1e-6, float(square.max()))


def _features(square: np.ndarray) -> np.ndarray:
    """Return a unit vector of the shape and its edge directions, blurred for tolerance to small shifts."""
    import cv2

    blurred = cv2.GaussianBlur(square, (0, 0), 1.5)
    across, down = cv2.Sobel(square, cv2.CV_32F, 1, 0), cv2.Sobel(square, cv2.CV_32F, 0, 1)
    angle, strength = np.arctan2(down, across) % np.pi, np.hypot(across, down)
    parts = [_unit(blurred - blurred.mean())]
    for turn in range(4):
        # A stroke has edges on both sides, so the directions count, not their signs.
        near = np.clip(1 - np.abs((angle - turn * np.pi / 4 + np.pi / 2) % np.pi - np.pi / 2) / (np.pi / 4), 0, 1)
        parts.append(cv2.resize(cv2.GaussianBlur(strength * near, (0, 0), 2.0), (16, 16), interpolation=cv2.INTER_AREA))
    edges = np.concatenate([part.ravel() for part in parts[1:]])
    return np.concatenate([math.sqrt(0.45) * parts[0].ravel(), math.sqrt(0.55) * _unit(edges)])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(1e-6, float(np.linalg.norm(vector)))


@cache
def _templates() -> tuple[np.ndarray, tuple[str, ...], tuple[float, ...]]:
    """Return feature vectors of all shapes at all strokes, (N, D), with the name and aspect ratio of each."""
    vectors, kinds, ratios = [], [], []
    for kind, hands in SHAPES.items():
        for hand in hands:
            for stroke in STROKES:
                drawn = draw(hand, stroke)
                vectors.append(_features(_square(drawn)))
                kinds.append(kind)
                ratios.append(drawn.shape[1] / drawn.shape[0])
    return np.stack(vectors), tuple(kinds), tuple(ratios)


def draw(shape: Shape, stroke: float, side: int = 96) -> np.ndarray:
    """Draw a shape, cropped to its bounds: float32 of 0 to 1.

    Args:
        shape: parts in coordinates of 0 to 1; see `icon_shapes`.
        stroke: stroke width as a share of the size.
        side: pixels per unit.
    """
    import cv2

    margin = side // 4
    canvas = np.zeros((side + 2 * margin, side + 2 * margin), np.uint8)
    width = max(1, round(stroke * side))
    for part, *points in shape:
        at = (np.array(points, np.float32) * side + margin).round().astype(np.int32)
        if part == "fill":
            cv2.fillPoly(canvas, [at], 255, cv2.LINE_AA)
        elif part == "clear":
            cv2.fillPoly(canvas, [at], 0, cv2.LINE_AA)
        else:
            cv2.polylines(canvas, [at], part == "ring", 255, width, cv2.LINE_AA)
    rows, columns = np.nonzero(canvas > 40)
    cut = canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return cut.astype(np.float32) / 255
