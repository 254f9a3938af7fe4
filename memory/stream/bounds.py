"""How much memory and disk the memory of one stream can take at most: `bounds`, a formula that a test holds to."""

from __future__ import annotations

from dataclasses import dataclass

from memory.stream.archive import PAST_ROWS
from memory.stream.memory import GAPS_LENGTH, LOG_LENGTH
from memory.stream.moments import SKETCH_SHAPE
from memory.stream.notes import MAX_ROWS
from memory.stream.options import StreamOptions
from memory.stream.queue import HISTORY_LENGTH

REFERENCE_BYTES = 1_000
"""A reference to a frame, with its strings, as Python holds it; measured, rounded up."""
DECISION_BYTES = 400
"""A decision of the log; measured, rounded up."""
NOTE_BYTES = 4_000
"""A note on disk: its text, its vector in SQLite and again in Chroma; measured, rounded up."""
PAST_BYTES = 500
"""A moment of the long tier on disk; measured, rounded up."""


@dataclass(frozen=True)
class Bounds:
    """The most that one stream takes, in bytes: in the process for what is remembered, and on disk."""

    process: int
    disk: int


def bounds(options: StreamOptions, dim: int, width_px: int, height_px: int, quota_bytes: int) -> Bounds:
    """Return the most that the memory of one stream takes, however long it runs.

        process = moments * (3 * 4 * dim + 90 * 160 + R) + (capacity + 4,096) * R + 20,000 * 400 + 1,000 * R
                  + 3 * width * height
        disk    = quota + moments * (2 * dim + 90 * 160 + 500) + 20,000 * 4,000 + 20,000 * 500

    with R = 1,000 bytes a reference: key moments (a feature, its place among features, which doubles when it is full,
    and a sketch), the queue and what left it, the log of decisions, gaps, and the newest picture. Capture, the note
    taker and the live view hold up to 18 pictures more; networks and libraries are not counted.

    Args:
        options: the settings.
        dim: length of a feature.
        width_px: width of a picture.
        height_px: height of a picture.
        quota_bytes: of the frame store.
    """
    sketch = SKETCH_SHAPE[0] * SKETCH_SHAPE[1]
    moments = options.moments if options.tiers else 0
    process = (
        moments * (3 * 4 * dim + sketch + REFERENCE_BYTES)
        + (options.capacity + HISTORY_LENGTH + GAPS_LENGTH) * REFERENCE_BYTES
        + LOG_LENGTH * DECISION_BYTES
        + 3 * width_px * height_px
    )
    disk = quota_bytes + moments * (2 * dim + sketch + PAST_BYTES) + MAX_ROWS * NOTE_BYTES + PAST_ROWS * PAST_BYTES
    return Bounds(process, disk)
