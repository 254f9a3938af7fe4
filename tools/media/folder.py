"""Still pictures: one, or a folder of them as a sequence."""

from __future__ import annotations

import functools
import re
import threading
from pathlib import Path

import numpy as np

from tools.errors import MediaError
from tools.media.options import MediaOptions
from tools.media.sampling import TICK_TOLERANCE_S, Events, ReadableSource, fit
from tools.media.types import Frame, Gap, SourceInfo

DEFAULT_RATE_FPS = 1.0
"""Pictures per second when every frame is requested."""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key under which `frame2` comes before `frame10`."""
    parts = re.findall(r"\d+|\D+", name.casefold())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]


def open_pictures(paths: list[Path], name: str, options: MediaOptions) -> ReadableSource:
    """Open picture files as a source, in natural order of their names, at `options.fps` pictures per second.

    Raises:
        MediaError: if none of them can be read; the message gives the reason for the first.
    """
    paths = sorted(paths, key=lambda path: natural_key(path.name))
    fps = options.fps or DEFAULT_RATE_FPS
    first_error: MediaError | None = None
    first: np.ndarray | None = None
    for path in paths:
        try:
            first = read_picture(path, options)
            break
        except MediaError as error:
            first_error = first_error or error
    if first is None:
        if len(paths) == 1 and first_error is not None:
            raise first_error
        raise MediaError(f"cannot read any of the {len(paths)} pictures of {name!r}. The first: {first_error}")
    last_s = (len(paths) - 1) / fps
    if options.start_s > last_s:
        raise MediaError(
            f"invalid start_s={options.start_s!r}: it is after the last of the {len(paths)} pictures of {name!r}.",
            expected=f"at most {last_s:.1f} s",
        )
    info = SourceInfo(name, "pictures", False, first.shape[1], first.shape[0], fps=fps, duration_s=len(paths) / fps)
    return ReadableSource(info, functools.partial(_read, paths, name, fps, options))


def _read(paths: list[Path], name: str, fps: float, options: MediaOptions, closed: threading.Event) -> Events:
    for index, path in enumerate(paths):
        t_s = index / fps
        if closed.is_set() or (options.end_s is not None and t_s > options.end_s):
            return
        if t_s < options.start_s - TICK_TOLERANCE_S:
            continue
        try:
            rgb = read_picture(path, options)
        except MediaError as error:
            yield Gap(name, t_s, (index + 1) / fps, str(error))
        else:
            yield Frame(name, t_s, rgb)


def read_picture(path: Path, options: MediaOptions) -> np.ndarray:
    """Read a picture file as RGB, shape (height, width, 3), uint8, upright by its EXIF orientation, and scaled down.

    Raises:
        MediaError: if it is empty, damaged, not a picture, too large to be safe, or unreadable.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith(("I", "F")):
                return fit(_deep_to_rgb(np.asarray(upright, dtype=np.float64)), options)
            return fit(np.array(upright.convert("RGB")), options)
    except Image.DecompressionBombError as error:
        raise MediaError(
            f"cannot read the picture {path.name!r}: too large: {error}.", remedy="Scale it down first."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow reports damage by any of these; the text names the file or the fault.
        empty = path.exists() and not path.stat().st_size
        reason = "it is empty (0 bytes)" if empty else str(error).replace(str(path), path.name)
        raise MediaError(
            f"cannot read the picture {path.name!r}: {reason}.",
            expected="an undamaged jpg, png, webp, bmp or tiff",
        ) from error


def _deep_to_rgb(values: np.ndarray) -> np.ndarray:
    """Convert a picture of more than 8 bits (height, width) to RGB uint8, its minimum black and its maximum white."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    grey = ((finite - low) / ((high - low) or 1.0) * 255).round().astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
