"""Objects and people in a picture, with boxes: EfficientDet over the whole picture and over overlapping tiles of it.

The network sees 320 x 320 pixels. A wide picture scaled into that loses its small things, so that it is also cut into
overlapping squares; what a tile shows only in part is left to its neighbours and to the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.perception.efficientdet import SIDE_PX, boxes_and_scores

MIN_SCORE = 0.45
"""Boxes below it are left out. Chosen on 22 pictures and frames, where 36 of 42 boxes were right."""
SAME_IOU = 0.5
"""Boxes of one class that overlap more are one thing."""
WIDE = 1.25
"""Pictures with a longer side beyond this multiple of the shorter one are also cut into squares."""
TILED_MIN_PX = 560
"""Other pictures with a shorter side of at least this many pixels may hold small things: they are cut into quarters."""
TILE_OVERLAP = 0.2
MAX_TILES, MIN_SIDE_PX = 8, 32
"""Squares that a picture is cut into at most; a picture with a shorter side than this is not cut at all."""
_RIM = 0.02
"""A box this near to the inner rim of a tile, in shares of its side, is taken to be cut off."""
_INSIDE = 0.8
"""A box that lies in another of its class by this share of its area is a part of it."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A thing in a picture.

    Attributes:
        name: its COCO class, such as `person`.
        score: 0 to 1, from `MIN_SCORE`.
        box: left, top, right and bottom in shares of the picture's width and height.
    """

    name: str
    score: float
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """Horizontal and vertical centre in shares."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> float:
        """Share of the picture that the box covers."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def detect(rgb: np.ndarray) -> list[Detection]:
    """Return what a picture (height, width, 3), uint8 RGB, shows, the surest first; each pass takes 30 ms of a core.

    Raises:
        ModelError: if the weights of the detector are missing or damaged.
    """
    height, width = rgb.shape[:2]
    found = _pass(rgb, (0, 0, width, height))
    for tile in _tiles(width, height):
        found += _pass(rgb, tile)
    return _distinct(found)


def _pass(rgb: np.ndarray, tile: tuple[int, int, int, int]) -> list[Detection]:
    """Show a part of a picture to the network, and return what is wholly in it."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = tile
    square, across, down = _letterbox(rgb[y0:y1, x0:x1])
    boxes, scores = boxes_and_scores(square, MIN_SCORE)
    boxes = (boxes / (across, down, across, down)).clip(0, 1)
    found = []
    for box, score in zip(boxes, scores, strict=True):
        name = NAMES[int(score.argmax())]
        beside = not (box[2] > box[0] and box[3] > box[1])
        if not name or beside or _is_cut(box, tile, width, height):
            continue
        left, right = ((x0 + float(x) * (x1 - x0)) / width for x in box[::2])
        top, bottom = ((y0 + float(y) * (y1 - y0)) / height for y in box[1::2])
        found.append(Detection(name, float(score.max()), (left, top, right, bottom)))
    return found


def _letterbox(rgb: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Scale a picture into the network's square, black beside it; the square, and the shares that are filled.

    Stretched instead, it finds the thing in 4 of 277 pictures less.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = SIDE_PX / max(height, width)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[:down, :across] = cv2.resize(rgb, (across, down), interpolation=smooth)
    return square, across / SIDE_PX, down / SIDE_PX


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """The tiles of a picture as left, top, right, bottom in pixels: squares along a wide one, else quarters."""
    short = min(width, height)
    if short < MIN_SIDE_PX:
        return
    if max(width, height) > WIDE * short:
        count = min(MAX_TILES, math.ceil(max(width, height) / short * (1 + TILE_OVERLAP / 2)))
        for start in np.linspace(0, max(width, height) - short, count).astype(int).tolist():
            yield (start, 0, start + short, short) if width > height else (0, start, short, start + short)
    elif short >= TILED_MIN_PX:
        share = 1 / (2 - TILE_OVERLAP)
        across, down = int(width * share), int(height * share)
        for x0 in (0, width - across):
            for y0 in (0, height - down):
                yield x0, y0, x0 + across, y0 + down


def _is_cut(box: np.ndarray, tile: tuple[int, int, int, int], width: int, height: int) -> bool:
    """Whether a box reaches an inner rim of its tile."""
    x0, y0, x1, y1 = tile
    return bool(
        (box[0] < _RIM and x0 > 0)
        or (box[1] < _RIM and y0 > 0)
        or (box[2] > 1 - _RIM and x1 < width)
        or (box[3] > 1 - _RIM and y1 < height)
    )


def _distinct(found: list[Detection]) -> list[Detection]:
    """Leave out boxes that show a thing again, the less sure first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if not any(_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _same(one: Detection, other: Detection) -> bool:
    shared = overlap(one.box, other.box)
    if one.name != other.name:
        return shared / (one.area + other.area - shared) > 0.85  # one thing under two names
    union = one.area + other.area - shared
    return shared / union > SAME_IOU or shared / min(one.area, other.area) > _INSIDE


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return the area that two boxes share, in shares of the picture."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(across, 0.0) * max(down, 0.0)


# Class ids 1 to 90 of COCO, in order; eleven of them were never used.
NAMES = tuple(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,,backpack,umbrella,,,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,,dining table,,,toilet,,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,,book,clock,vase,scissors,teddy bear,hair drier,toothbrush".split(",")
)
