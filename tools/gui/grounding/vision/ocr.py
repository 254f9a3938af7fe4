"""Words on a screen with their places, read by RapidOCR line by line, with a cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from tools.gui.grounding.geometry import union
from tools.gui.types import Rect, region_hash
from tools.ocr import MIN_CONFIDENCE, N_THREADS, load_recogniser

DETECT_SCALE = 0.75
"""Scale of the screen for line detection, which halves the time and misses none; our choice."""
MAX_PICTURES = 64
"""Size of the cache of pictures, and parts of pictures, with their lines."""
MAX_LINES = 8192
"""Size of the cache of lines by their pixels."""
GAP, SPLIT = 0.55, 1.3
"""Gaps between words, in heights of a line, that separate two labels read as one, such as the menus of a menu bar: the
first if pixels show the gap, the second if only the recogniser places the words; our choice."""
_INK, _LEAST_INK, _LEAST_HEIGHT_PX = 0.3, 24, 4
"""Share of the strongest contrast, and grey levels, from which on a column has ink, and minimum height of a line for
column analysis; our choice."""
_FRAMES, _FRAME_PX = 3.0, 40.0
"""Height in heights of a line, or width, below which a frame is not that of a field or button; our choice."""
_STROKES = frozenset("[]|(){}")
"""Characters as which OCR reads the side of a frame; letters or digits also occur, but may be a field's value."""
_PAD_PX = 2
_MIN_CELL_PX, _MIN_CONTRAST, _CELL_LETTERS, _CELL_CONFIDENCE = 8, 48, 4, 0.9

_lock = threading.Lock()
_Word = tuple[str, float, float, bool]
"""A word, its start and end as shares of the line's width, and whether it is separate from the word before."""
_read: OrderedDict[str, tuple[str, float, tuple[_Word, ...]]] = OrderedDict()
_pictures: OrderedDict[str, tuple[Line, ...]] = OrderedDict()


@dataclass(frozen=True)
class Line:
    """Words together on a line.

    Attributes:
        words: the words as read.
        rects: their places, in image pixels.
        confidence: of the recogniser, 0 to 1.
    """

    words: tuple[str, ...]
    rects: tuple[Rect, ...]
    confidence: float

    @property
    def text(self) -> str:
        """The words separated by spaces."""
        return " ".join(self.words)

    @cached_property
    def rect(self) -> Rect:
        """The bounds of all words."""
        return union(*self.rects)


def read_lines(rgb: np.ndarray) -> tuple[Line, ...]:
    """Read the lines of a screenshot (height, width, 3), uint8, from top to bottom.

    Lines with cached pixels are not read again, so that a screen that changes little is fast; an unchanged one is not
    searched again.

    Raises:
        ToolFailed: if RapidOCR is not installed.
    """
    picture = region_hash(rgb)
    with _lock:
        if picture in _pictures:
            _pictures.move_to_end(picture)
            return _pictures[picture]
        lines = _found_in(rgb)
        _pictures[picture] = lines
        while len(_pictures) > MAX_PICTURES:
            _pictures.popitem(last=False)
    return lines


def _found_in(rgb: np.ndarray) -> tuple[Line, ...]:
    import cv2

    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    height, width = bgr.shape[:2]
    engine = _engine()
    small = cv2.resize(bgr, None, fx=DETECT_SCALE, fy=DETECT_SCALE, interpolation=cv2.INTER_AREA)
    found = engine(small, use_det=True, use_rec=False).boxes
    rects = [] if found is None else [_rect(corners, width, height) for corners in np.asarray(found)]
    places = {rect: bgr[int(rect.top) : int(rect.bottom), int(rect.left) : int(rect.right)] for rect in rects}
    named = _remembered({rect: crop for rect, crop in places.items() if crop.size})
    lines = [line for rect, name in named.items() for line in _lines(rect, *_read[name])]
    while len(_read) > MAX_LINES:
        _read.popitem(last=False)
    return tuple(sorted(lines, key=lambda line: (line.rect.top, line.rect.left)))


def read_cells(rgb: np.ndarray, cells: Sequence[Rect]) -> tuple[Line, ...]:
    """Read single letters and short words in small frames, which line detection misses.

    Args:
        rgb: the screenshot (height, width, 3), uint8.
        cells: the insides of frames without a detected line.

    Raises:
        ToolFailed: if RapidOCR is not installed.
    """
    lines = []
    crops = {cell: rgb[int(cell.top) : int(cell.bottom), int(cell.left) : int(cell.right), ::-1] for cell in cells}
    drawn = {cell: np.ascontiguousarray(crop) for cell, crop in crops.items() if _is_drawn_on(crop)}
    with _lock:
        for cell, name in _remembered(drawn).items():
            text, confidence, _ = _read[name]
            if text.isascii() and text.isalnum() and len(text) <= _CELL_LETTERS and confidence >= _CELL_CONFIDENCE:
                lines.append(Line((text,), (cell,), confidence))
    return tuple(lines)


def _is_drawn_on(crop: np.ndarray) -> bool:
    large = min(crop.shape[:2], default=0) >= _MIN_CELL_PX
    return large and int(crop.max()) - int(crop.min()) >= _MIN_CONTRAST


def _remembered(crops: dict[Rect, np.ndarray]) -> dict[Rect, str]:
    """Return the cache keys in `_read` of crops, (height, width, 3), uint8, BGR, after reading new ones."""
    named = {rect: region_hash(crop) for rect, crop in crops.items()}
    new = {name: crops[rect] for rect, name in named.items() if name not in _read}
    engine = _engine()
    with ThreadPoolExecutor(N_THREADS) as pool:
        _read.update(zip(new, pool.map(lambda crop: _recognise(engine, crop), new.values()), strict=True))
    for name in named.values():
        _read.move_to_end(name)
    return named


def parted_by(line: Line, boxes: Sequence[Rect]) -> list[Line]:
    """Split a line where a frame begins or ends between its words, such as a field with a value beside its label.

    A stroke that is the side of a frame, and was read as a letter, is removed.
    """
    level = [box for box in boxes if _is_level(box, line.rect)] if len(line.words) > 1 else []
    parts: list[list[tuple[str, Rect]]] = []
    before: frozenset[Rect] | None = None
    for word, place in zip(line.words, line.rects, strict=True):
        if word in _STROKES and any(place.left - _PAD_PX <= box.left <= place.right + _PAD_PX for box in level):
            continue
        within = frozenset(box for box in level if box.left < place.center.x_px < box.right)
        if within == before:
            parts[-1].append((word, place))
        else:
            parts.append([(word, place)])
        before = within
    return [Line(tuple(word for word, _ in part), tuple(place for _, place in part), line.confidence) for part in parts]


def _is_level(box: Rect, line: Rect) -> bool:
    """Return whether a frame may be that of a field or button with words of a line."""
    level = box.top < line.center.y_px < box.bottom and 0.7 * line.height < box.height < _FRAMES * line.height
    return level and box.width >= _FRAME_PX


@cache
def _engine() -> Any:
    # One line at a time on each of two threads: a batch would be padded to its longest line.
    one = {"Rec.rec_batch_num": 1, "Rec.rec_img_shape": [3, 48, 64]}
    settings = {"Global.use_cls": False, "Global.return_word_box": True, "Det.limit_side_len": 32, **one}
    return load_recogniser(N_THREADS, 1, settings)


def _rect(corners: np.ndarray, width: int, height: int) -> Rect:
    left, top = np.floor(corners.min(axis=0) / DETECT_SCALE)
    right, bottom = np.ceil(corners.max(axis=0) / DETECT_SCALE)
    return Rect(
        left=max(0, left - _PAD_PX), top=max(0, top), right=min(width, right + _PAD_PX), bottom=min(height, bottom)
    )


def _recognise(engine: Any, crop: np.ndarray) -> tuple[str, float, tuple[_Word, ...]]:
    """Return the text of a line, its confidence, and its words."""
    height, width = crop.shape[:2]
    found = engine.recognize_txt([crop])
    text, confidence = found.txts[0].strip(), float(found.scores[0])
    if not text or confidence < MIN_CONFIDENCE:
        return "", confidence, ()
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    boxes = engine.calc_word_boxes([crop], corners[None], found)
    words = []
    for word, _, box in boxes[0] if boxes else ():
        across = np.asarray(box)[:, 0] / width
        words.append((word, float(across.min()), float(across.max())))
    if not words or "".join(word for word, *_ in words) != text.replace(" ", ""):
        words = _even(text)
    return text, confidence, tuple(_parted(words, crop))


def _parted(words: Sequence[tuple[str, float, float]], crop: np.ndarray) -> list[_Word]:
    """Return each word with whether it is separate from the word before."""
    height, width = crop.shape[:2]
    if height < _LEAST_HEIGHT_PX:
        return [(*word, False) for word in words]
    # The background, such as that of an open menu, may change its colour between the words.
    away = np.ptp(crop[int(0.12 * height) : int(0.88 * height)].mean(axis=2), axis=0)
    ink = away > max(_LEAST_INK, _INK * away.max())
    parted = [(*word, False) for word in words[:1]]
    for (_, start, end), (word, left, right) in pairwise(words):
        middle = int((start + end) / 2 * width)
        before, after = (middle + at for at in _blank(ink[middle : int((left + right) / 2 * width) + 1]))
        if after - before > GAP * height:
            # If pixels show the gap, the words extend to it.
            parted[-1] = (*parted[-1][:2], max(end, (before + 1) / width), parted[-1][3])
            parted.append((word, min(left, after / width), right, True))
        else:
            parted.append((word, left, right, (left - end) * width >= SPLIT * height))
    return parted


def _blank(ink: np.ndarray) -> tuple[int, int]:
    """Return the columns with ink on both sides of the widest gap; (0, 0) if fewer than two have ink."""
    columns = np.flatnonzero(ink)
    if len(columns) < 2:
        return 0, 0
    at = int(np.diff(columns).argmax())
    return int(columns[at]), int(columns[at + 1])


def _even(text: str) -> list[tuple[str, float, float]]:
    """Place words by counting characters, for lines whose words the recogniser cannot place."""
    words, at = [], 0
    for word in text.split(" "):
        words.append((word, at / len(text), (at + len(word)) / len(text)))
        at += len(word) + 1
    return [word for word in words if word[0]]


def _lines(rect: Rect, text: str, confidence: float, words: tuple[_Word, ...]) -> list[Line]:
    """Split a detected line into several if its words are far apart."""
    if not text:
        return []
    inset = min(rect.height * 0.12, 3.0)
    parts: list[list[tuple[str, Rect]]] = []
    for word, start, end, apart in words:
        place = Rect(
            left=rect.left + start * rect.width,
            top=rect.top + inset,
            right=rect.left + max(end, start + 1e-3) * rect.width,
            bottom=rect.bottom - inset,
        )
        if parts and not apart:
            parts[-1].append((word, place))
        else:
            parts.append([(word, place)])
    return [Line(tuple(word for word, _ in part), tuple(place for _, place in part), confidence) for part in parts]
