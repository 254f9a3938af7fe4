"""Building blocks of the suite's pictures and films: shapes, signs, boards, receipts, and picture faults.

Everything is drawn with Pillow's own font from its arguments; nothing is random here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_PX, HEIGHT_PX = 640, 360
COLOURS = {
    "red": "#d02020", "green": "#1f9a3a", "blue": "#1d4ed8", "yellow": "#f5c80a", "purple": "#8a35b5",
    "black": "#181818",
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "cross")
GROUNDS = ("#f3efe6", "#e4ebf0", "#e9e4ee", "#e6eee2", "#f1e6dc")
PLATES = (("#181818", "#fbfbf7"), ("#f6f6f6", "#1f4f8f"), ("#5a1010", "#f3d77a"))
"""Colours of writing and of its plate."""
PLACES = ("upper left", "upper middle", "upper right", "lower left", "lower middle", "lower right")
NATURAL = {
    "cat": "a cat", "coffee": "a cup of coffee", "rocket": "a rocket", "astronaut": "an astronaut",
    "cameraman": "a man with a camera", "coins": "coins", "moon": "craters of the moon",
    "palace": "a palace", "flower": "a flower",
}  # fmt: skip
"""Pictures of `vision_set`, with their content. Its clock is left out: it is in motion and unrecognisable."""

Fault = Literal["blurred", "dark", "burnt out", "covered", "cut off"]
FAULTS: tuple[Fault, ...] = ("blurred", "dark", "burnt out", "covered", "cut off")


@dataclass(frozen=True)
class Thing:
    """A shape of a colour at a place of `PLACES`; `size` is its share of the available room."""

    shape: str
    colour: str
    place: int
    size: float = 0.7

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


def blank(ground: int, size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> Image:
    """Make an empty picture of one of `GROUNDS`, darker towards its bottom."""
    from PIL import Image, ImageChops

    plain = Image.new("RGB", size_px, GROUNDS[ground % len(GROUNDS)])
    shade = Image.linear_gradient("L").point(lambda value: 255 - value // 8).resize(size_px)
    return ImageChops.multiply(plain, Image.merge("RGB", (shade, shade, shade)))


def with_things(image: Image, things: Sequence[Thing]) -> Image:
    """Draw shapes into a picture, each in its cell of three by two."""
    from PIL import ImageDraw

    draw, width, height = ImageDraw.Draw(image), image.width / 3, image.height / 2
    for thing in things:
        x, y = (thing.place % 3 + 0.5) * width, (thing.place // 3 + 0.5) * height
        shape(draw, thing.shape, x, y, 0.5 * thing.size * min(width, height), COLOURS[thing.colour])
    return image


def shape(draw: object, kind: str, x: float, y: float, r: float, fill: str) -> None:
    """Draw one of `SHAPES` around a centre, within the radius r, in pixels."""
    from PIL.ImageDraw import ImageDraw

    assert isinstance(draw, ImageDraw)
    if kind == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif kind == "square":
        side = 0.85 * r
        draw.rectangle((x - side, y - side, x + side, y + side), fill=fill)
    elif kind == "cross":
        draw.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill=fill)
        draw.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill=fill)
    else:
        corners = 3 if kind == "triangle" else 10
        reach = [r if corners == 3 or corner % 2 == 0 else 0.42 * r for corner in range(corners)]
        turn = [2 * math.pi * corner / corners - math.pi / 2 for corner in range(corners)]
        draw.polygon([(x + d * math.cos(a), y + d * math.sin(a)) for d, a in zip(reach, turn, strict=True)], fill=fill)


def with_text(
    image: Image, text: str, x: float, y: float, height_px: int, ink: str = "#181818", back: str | None = None
) -> Image:
    """Write one line around a centre, in fractions of the picture; on a plate if `back` is a colour."""
    from PIL import ImageDraw, ImageFont

    draw, font = ImageDraw.Draw(image), ImageFont.load_default(height_px)
    centre = (x * image.width, y * image.height)
    if back is not None:
        left, top, right, bottom = draw.textbbox(centre, text, font=font, anchor="mm")
        pad = 0.5 * height_px
        draw.rounded_rectangle(
            (left - pad, top - pad, right + pad, bottom + pad), 0.2 * height_px, fill=back, outline=ink, width=2
        )
    draw.text(centre, text, fill=ink, font=font, anchor="mm")
    return image


def with_table(image: Image, rows: Sequence[Sequence[str]], columns: Sequence[float], ink: str, back: str) -> Image:
    """Draw rows of texts on a panel; `columns` are where each column begins, in fractions of the picture."""
    from PIL import ImageDraw, ImageFont

    draw, step = ImageDraw.Draw(image), 0.84 * image.height / len(rows)
    draw.rectangle(
        (0.04 * image.width, 0.05 * image.height, 0.96 * image.width, 0.95 * image.height), fill=back, outline=ink
    )
    font = ImageFont.load_default(min(26, round(0.6 * step)))
    for number, row in enumerate(rows):
        y = 0.08 * image.height + (number + 0.5) * step
        for text, x in zip(row, columns, strict=True):
            draw.text((x * image.width, y), text, fill=ink, font=font, anchor="lm")
    return image


def natural(name: str, size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> Image:
    """Load one of the `NATURAL` pictures, scaled and cropped to fill a picture."""
    from PIL import Image, ImageOps

    with files("evals.suites.attend_core").joinpath("vision_set", f"{name}.jpg").open("rb") as file:
        return ImageOps.fit(Image.open(file).convert("RGB"), size_px, Image.Resampling.BICUBIC)


def spoilt(image: Image, fault: Fault, usable: bool) -> Image:
    """Spoil a picture with its message in the middle: so that it is lost or, if `usable`, still readable.

    `covered` and `cut off` hide part of the message, or as much of its surroundings.
    """
    from PIL import Image, ImageDraw, ImageFilter

    width, height = image.size
    if fault == "blurred":
        return image.filter(ImageFilter.GaussianBlur(2.0 if usable else 22.0))
    if fault == "dark":
        # Only the noise of the sensor is left of the light, or a third of it.
        noise = np.random.default_rng(7).normal(0, 2, (height, width, 3))
        dim = np.floor(np.asarray(image) * (0.3 if usable else 0.003)) + noise
        return Image.fromarray(dim.clip(0, 255).astype(np.uint8))
    if fault == "burnt out":
        return image.point(lambda value: min(255, int(value * 0.7 + 75) if usable else int(value * 0.6 + 246)))
    if fault == "covered":
        x = (0.92 if usable else 0.56) * width
        ImageDraw.Draw(image).ellipse(
            (x - 0.24 * width, 0.12 * height, x + 0.24 * width, 0.98 * height), fill="#9c6f58"
        )
        return image
    # The camera points past it: the picture is moved to the left, and another wall fills the gap.
    moved = image.copy()
    shift = round((0.30 if usable else 0.52) * width)
    moved.paste(image.crop((shift, 0, width, height)), (0, 0))
    ImageDraw.Draw(moved).rectangle((width - shift, 0, width, height), fill=GROUNDS[1])
    return moved
