"""Small clips with known content, drawn by the tests that use them."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 40, 200)}


def write_clip(path: Path, scenes: Sequence[tuple[str, int]], fps: int = 5, size: tuple[int, int] = (160, 120)) -> Path:
    """Write an H.264 clip of plain scenes, each a colour and a length in seconds, with a moving bar in each."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        number = 0
        for colour, seconds in scenes:
            for _ in range(seconds * fps):
                rgb = np.full((height, width, 3), COLOURS[colour], np.uint8)
                rgb[:, 4 * (number % 30) : 4 * (number % 30) + 6] = 255
                for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
                    container.mux(packet)
                number += 1
        for packet in stream.encode():
            container.mux(packet)
    return path
