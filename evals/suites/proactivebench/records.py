"""ProactiveBench's records: the seven data sets, a sample's fields, and the actions of its options; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, PositiveInt

from tools.errors import AttendError

ROD, VSOD, MVPN = "Realistic-Occlusion-Dataset", "OcclusionDataSet-MM20", "MVP-N"
INC, QD, CIT, COCO = "ImageNet-C", "QuickDraw", "ChangeIt", "coco2014"
DATASETS = {ROD: "ROD", VSOD: "VSOD", MVPN: "MVP-N", INC: "IN-C", QD: "QD", CIT: "CIT", COCO: "COCO"}
"""The data sets by the stem of their files, with the acronyms of the paper."""


class Action(IntEnum):
    """What is done to the image; the numbers are the package's."""

    STOP = 0
    LEFT = 1
    RIGHT = 2
    REWIND = 3
    FORWARD = 4
    ROTATE = 5
    BRIGHTNESS = 6
    CONTRAST = 7
    SATURATE = 8
    BLUR = 9
    NOISE = 10
    JPEG_COMPRESSION = 11
    PIXELATE = 12
    ARTIFACTS = 13
    DETAILS = 14
    UP = 15
    DOWN = 16
    ZOOM = 17


KEYWORDS = {
    "to the left": Action.LEFT,
    "to the right": Action.RIGHT,
    "rewind the video.": Action.REWIND,
    "wait for the": Action.FORWARD,
    **dict.fromkeys(("rotate", "view", "angle", "orientation", "different"), Action.ROTATE),
    "brightness": Action.BRIGHTNESS,
    "contrast": Action.CONTRAST,
    "saturation": Action.SATURATE,
    "deblur": Action.BLUR,
    "denoise": Action.NOISE,
    "compression": Action.JPEG_COMPRESSION,
    "resolution": Action.PIXELATE,
    "artifacts": Action.ARTIFACTS,
    **dict.fromkeys(("details", "quickdraw", "drawing", "sketch"), Action.DETAILS),
    "up": Action.UP,
    "down": Action.DOWN,
    "farther": Action.ZOOM,
}
"""The phrases that identify an option's action, in the package's order, on which random draws depend."""


class EntryError(AttendError, ValueError):
    """A record of the data contradicts itself, or an answer comes after the end of the episode."""


class OptionError(AttendError, AssertionError):
    """An option has no usable action; the package stops with an assertion here."""


class FieldError(AttendError, KeyError):
    """A record lacks a field of its data set."""

    __str__ = AttendError.__str__


class UnknownEnvironment(AttendError, NotImplementedError):
    """The data set is unknown."""


class Crop(BaseModel):
    """COCO's first crop in pixels; for directions other than zoom, width and height are the right and bottom edges."""

    model_config = ConfigDict(frozen=True, strict=True)

    top: float
    left: float
    height: float
    width: float


class Record(BaseModel):
    """A sample as released; its later fields depend on its data set."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    id: int
    image_template: str
    first_image: int
    num_images: PositiveInt
    reference_image: int
    prompt: str
    options: list[str]
    categories: list[str]
    answer: str
    strong_occlusions: bool | None = None
    valid_images: list[int] = []
    quality_answer: str | None = None
    step_size: int | None = None
    max_steps: int | None = None
    direction: str | None = None
    granularity: int | None = None
    horizontal_step: float | None = None
    vertical_step: float | None = None
    crop: Crop | None = None


NEEDED = {
    MVPN: ("valid_images",),
    INC: ("quality_answer",),
    CIT: ("step_size", "max_steps"),
    COCO: ("direction", "granularity", "horizontal_step", "vertical_step", "crop"),
}
"""The additional fields of a data set's records."""


def action_of(option: str, actions: Sequence[Action]) -> Action:
    """Return the action of an option.

    Raises:
        OptionError: if it has no phrase of these actions, or two (except for turning an object, which has many).
    """
    found = [action for phrase, action in KEYWORDS.items() if action in actions and phrase in option.lower()]
    if not found or (len(found) > 1 and set(found) != {Action.ROTATE}):
        raise OptionError(f"the option {option!r} names {len(found)} actions.", expected="one")
    return found[0]
