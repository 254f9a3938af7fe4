"""Objects and people in a picture, with boxes: the SSD over the whole picture and over overlapping squares of it.

The network sees 300 x 300 pixels. A wide picture squeezed into that loses its small things, so that it is also cut into
overlapping squares; what a square shows only in part is left to its neighbours and to the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.perception.ssd import SIDE_PX, shared_ssd

MIN_SCORE = 0.45
"""Boxes below it are left out. Chosen on 20 ImageNet pictures and 16 frames of two clips: 26 of 32 boxes were right."""
SAME_IOU = 0.5
"""Boxes of one class that overlap more are one thing."""
WIDE = 1.25
"""Pictures with a longer side beyond this multiple of the shorter one are also cut into squares."""
TILED_MIN_PX = 420
"""Pictures with a shorter side of at least this many pixels may hold small things: they are also cut into quarters."""
TILE_OVERLAP = 0.2
MAX_TILES, MIN_SIDE_PX = 8, 32
"""Squares that a picture is cut into at most; a picture with a shorter side than this is not cut at all."""
BATCH = 4
"""Passes through the network at once; more take memory and no less time."""
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
    """Return what a picture (height, width, 3), uint8 RGB, shows, the surest first; each pass takes 50 ms of a core.

    Raises:
        ModelError: if the weights of the detector are missing.
    """
    import cv2

    height, width = rgb.shape[:2]
    tiles = [(0, 0, width, height), *_tiles(width, height)]
    pictures = np.stack(
        [cv2.resize(rgb[y0:y1, x0:x1], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR) for x0, y0, x1, y1 in tiles]
    )
    passes = [shared_ssd()(pictures[start : start + BATCH]) for start in range(0, len(pictures), BATCH)]
    boxes, scores = (np.concatenate(parts) for parts in zip(*passes, strict=True))
    found = []
    for tile, tile_boxes, tile_scores in zip(tiles, boxes, scores, strict=True):
        for index in np.flatnonzero(tile_scores.max(-1) >= MIN_SCORE):
            box = tile_boxes[index]
            if not (box[2] > box[0] and box[3] > box[1]):  # it lies beside the picture
                continue
            if tile is not tiles[0] and _is_cut(box, tile, width, height):
                continue
            class_id = int(tile_scores[index].argmax())
            if name := NAMES[class_id]:
                x0, y0, x1, y1 = tile
                across, down = (x1 - x0) / width, (y1 - y0) / height
                placed = (
                    x0 / width + float(box[0]) * across,
                    y0 / height + float(box[1]) * down,
                    x0 / width + float(box[2]) * across,
                    y0 / height + float(box[3]) * down,
                )
                found.append(Detection(name, float(tile_scores[index, class_id]), placed))
    return _distinct(found)


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """The tiles of a picture as left, top, right, bottom in pixels: squares along a wide one, else its quarters."""
    short = min(width, height)
    if short < MIN_SIDE_PX:
        return
    if max(width, height) > WIDE * short:
        count = min(MAX_TILES, math.ceil(max(width, height) / short * (1 + TILE_OVERLAP / 2)))
        for start in np.linspace(0, max(width, height) - short, count).astype(int).tolist():
            yield (start, 0, start + short, short) if width > height else (0, start, short, start + short)
    if short >= TILED_MIN_PX:
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
