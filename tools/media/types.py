"""Types for pictures and time: `Frame`, `Gap`, `Span`, `Box`, `Clip`, and the `Source` that yields them.

Times are seconds of media time, counted from the start of the source. Pixels are RGB, uint8, shape (height, width, 3).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, Self

import numpy as np

from tools.errors import MediaError
from tools.media.clock import format_clock


def frame_id(rgb: np.ndarray) -> str:
    """Return the sha256 (hex) of an RGB picture: its shape, then its bytes. Equal pixels have equal ids."""
    digest = hashlib.sha256(f"{rgb.shape[1]}x{rgb.shape[0]}:rgb8:".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        source: origin, with credentials masked.
        t_s: media time in seconds from the start of the source, never negative.
        rgb: pixels, shape (height, width, 3), uint8, made read-only.
        wall_s: Unix time of capture in seconds for live sources, else None.
    """

    source: str
    t_s: float
    rgb: np.ndarray = field(repr=False)
    wall_s: float | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8 or not self.rgb.size:
            raise MediaError(
                f"invalid frame of shape {self.rgb.shape} and type {self.rgb.dtype}.",
                expected="RGB pixels of shape (height, width, 3) and type uint8",
            )
        if not (math.isfinite(self.t_s) and self.t_s >= 0):
            raise MediaError(f"invalid time of a frame {self.t_s!r}.", expected="seconds from the start, 0 or more")
        self.rgb.flags.writeable = False

    @cached_property
    def id(self) -> str:
        """sha256 of the pixels; computed once, on first use."""
        return frame_id(self.rgb)

    @property
    def width_px(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.rgb.shape[0])


@dataclass(frozen=True)
class Gap:
    """A span of a source that could not be read. `end_s` is None while it lasts, or if its end is unknown."""

    source: str
    start_s: float
    end_s: float | None
    reason: str

    @property
    def text(self) -> str:
        """Its span and reason, for people."""
        end = "now on" if self.end_s is None else format_clock(self.end_s)
        return f"{format_clock(self.start_s)} to {end}: {self.reason}"


@dataclass(frozen=True)
class Span:
    """A span of media time, both ends included, in seconds.

    Raises:
        MediaError: if it starts before 0 or ends before it starts.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.start_s <= self.end_s < math.inf):
            raise MediaError(
                f"invalid span {self.start_s!r} to {self.end_s!r} s.",
                expected="0 <= start <= end, in seconds",
            )

    def __contains__(self, t_s: float) -> bool:
        return self.start_s <= t_s <= self.end_s


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of the picture: (0, 0) is the top left corner, (1, 1) the bottom right one.

    Raises:
        MediaError: if it is empty or exceeds the picture.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise MediaError(
                f"invalid box {(self.left, self.top, self.right, self.bottom)}: outside the picture or empty.",
                expected="0 <= left < right <= 1 and 0 <= top < bottom <= 1, in fractions of width and height",
            )

    def to_px(self, width_px: int, height_px: int) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom) in whole pixels, at least one pixel wide and high."""
        left = min(math.floor(self.left * width_px), width_px - 1)
        top = min(math.floor(self.top * height_px), height_px - 1)
        right = max(left + 1, math.ceil(self.right * width_px))
        bottom = max(top + 1, math.ceil(self.bottom * height_px))
        return left, top, min(right, width_px), min(bottom, height_px)

    def crop(self, rgb: np.ndarray) -> np.ndarray:
        """Return the part of a picture (height, width, 3) inside the box, as a view."""
        left, top, right, bottom = self.to_px(rgb.shape[1], rgb.shape[0])
        return rgb[top:bottom, left:right]


@dataclass(frozen=True)
class Clip:
    """A span of one source, with the ids of its known frames, oldest first."""

    source: str
    span: Span
    frame_ids: tuple[str, ...] = ()


SourceKind = Literal["video", "pictures", "dicom", "stream", "webcam", "screen"]


@dataclass(frozen=True)
class SourceInfo:
    """Description of a source, known before it is read.

    Attributes:
        name: name in frames, traces and messages; credentials and patient names are masked.
        kind: kind of source; a "stream" comes over the network.
        live: whether it continues even if nobody reads; a recording has an end and can be read again.
        width_px: width of the first frame as delivered.
        height_px: height of the first frame as delivered.
        fps: native frame rate in frames/s; None if unknown or variable.
        duration_s: length in seconds; None if unknown or endless.
        notes: remarks for people, such as "not for diagnosis".
    """

    name: str
    kind: SourceKind
    live: bool
    width_px: int
    height_px: int
    fps: float | None = None
    duration_s: float | None = None
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """A source of frames. Iterating yields `Frame` and `Gap` in time order and raises `MediaError`.

    Each new iteration of a recording starts from its beginning; only one iteration runs at a time. `close` may be
    called repeatedly and from any thread; a running iteration then ends at its next step.
    """

    @property
    def info(self) -> SourceInfo: ...

    def __iter__(self) -> Iterator[Frame | Gap]: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


# The first form allows "/", "?" and "#" in a password, since people forget to percent-encode, but not a port number.
_USERINFO = re.compile(r"(?<=://)(?:[^\s/?#@:]*:(?!\d+[/?#])[^\s]*@|[^\s/?#]*@)")
_SECRET = re.compile(
    r"(?i)(?<![a-z])((?:user(?:name)?|usr|login|password|passwd|passphrase|pass|pwd|psw|token|access[_-]?token|auth(?:orization)?"
    r"|api[_-]?key|key|secret|sig|signature|session)=)[^&;\s#'\"]*"
)


def mask_credentials(text: str) -> str:
    """Replace user and password of every URL in a text, and secrets such as `password=`, by `***`.

    Works on single URLs and on messages that contain some. When in doubt it masks too much.
    """
    return _SECRET.sub(r"\1***", _USERINFO.sub("***@", text))
