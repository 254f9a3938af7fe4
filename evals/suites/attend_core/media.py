"""Pictures and films on disk, drawn on demand and written atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from evals.engine.manifest import file_hash
from tools.errors import StoreError

if TYPE_CHECKING:
    from PIL.Image import Image

LIST = "media.json"
"""The file that lists all others with their hashes, written last."""
TICKS = 10
"""Film times are stored in tenths of a second."""
WAIT_S = 600.0
"""How long to wait for another process that is drawing."""


@dataclass(frozen=True)
class Still:
    """A picture, saved as PNG."""

    name: str
    draw: Callable[[], Image]

    @property
    def file(self) -> str:
        return f"{self.name}.png"

    def write(self, path: Path) -> None:
        """Draw and save it."""
        self.draw().save(path, "PNG")


@dataclass(frozen=True)
class Film:
    """A silent film of pictures at given times in seconds, to the tenth; each stays until the next. Saved as H.264."""

    name: str
    times_s: tuple[float, ...]
    draw: Callable[[int], Image]

    @property
    def file(self) -> str:
        return f"{self.name}.mp4"

    def write(self, path: Path) -> None:
        """Draw and encode it; one thread, so that the same pictures give the same bytes."""
        import av

        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=TICKS)
            stream.width, stream.height = self.draw(0).size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            stream.codec_context.time_base = Fraction(1, TICKS)
            stream.options = {"crf": "18", "preset": "veryfast"}
            for number, t_s in enumerate(self.times_s):
                rgb = np.asarray(self.draw(number).convert("RGB"))
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame.pts, frame.time_base = round(TICKS * t_s), Fraction(1, TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


Media = Still | Film


def draw_all(media: Sequence[Media], folder: Path) -> Path:
    """Draw the files that are missing or differ from the last drawing, and return the list of the files.

    Raises:
        StoreError: if the folder cannot be written, or another process locks it for `WAIT_S` seconds.
    """
    listed = folder / LIST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=WAIT_S):
            known = _read_list(listed)
            if known.keys() == {one.file for one in media} and not _broken(folder, known):
                return listed
            broken = _broken(folder, known)
            hashes = {one.file: known[one.file] for one in media if one.file in known and one.file not in broken}
            for one in media:
                if one.file not in hashes:
                    hashes[one.file] = _write(one, folder)
            text = json.dumps(dict(sorted(hashes.items())), indent=0)
            _whole(listed, lambda path: path.write_text(text, "utf-8"))
    except Timeout as error:
        raise StoreError(
            f"another process has been drawing into {str(folder)!r} for {WAIT_S:.0f} s.",
            remedy="Wait for it, or choose another folder with --data.",
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot write the pictures of attend-core to {str(folder)!r}: {error}.",
            remedy="Free some space, or choose another folder with --data.",
        ) from error
    return listed


def _write(one: Media, folder: Path) -> str:
    path = folder / one.file
    _whole(path, one.write)
    return file_hash(path)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_list(path: Path) -> dict[str, str]:
    """Return the listed files with their hashes; empty if the list is missing or damaged."""
    try:
        held = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _broken(folder: Path, known: dict[str, str]) -> set[str]:
    """Return the listed files that are missing or have changed."""
    return {
        name for name, sha256 in known.items() if not (folder / name).is_file() or file_hash(folder / name) != sha256
    }
