"""Upper bounds of memory and disk use of one stream: `bounds`, a formula checked by tests."""

from __future__ import annotations

from dataclasses import dataclass

from memory.store.frames import MOST_PICTURES
from memory.stream.archive import GAP_ROWS, MOST_WAITING, PAST_ROWS
from memory.stream.keyframes import SKETCH_SHAPE
from memory.stream.memory import GAPS_LENGTH, LOG_LENGTH
from memory.stream.notes import MAX_ROWS
from memory.stream.options import StreamOptions
from memory.stream.queue import HISTORY_LENGTH

PICTURES = 8
"""Pictures in the process: the newest, those passing through capture, recorder and store, the live view's, and the one
being annotated."""
UNNOTED = 4_096
"""References to moments that wait for annotation (`agent.perception.annotator.BACKLOG`)."""
REFERENCE_BYTES = 1_000
"""A frame reference with its strings as a Python object; measured, rounded up."""
DECISION_BYTES = 400
"""A decision in the log; measured, rounded up."""
LISTED_BYTES = 300
"""A picture in a store's file list; measured, rounded up."""
FOUND_BYTES = 300
"""A note that matches one word of a search, while it runs; measured, rounded up."""
NOTE_BYTES = 12_000
"""A note on disk: its text twice, at most 2,000 bytes each, its vector in SQLite and again in Chroma; measured."""
PAST_BYTES = 500
"""A moment of the long tier on disk; measured, rounded up."""
GAP_BYTES = 400
"""A gap on disk; measured, rounded up."""
PAGE_BYTES = 4_096
"""Space that the row of a key moment may leave free in SQLite's pages."""
LOG_BYTES = 24_000_000
"""Write-ahead logs of the three databases, and their empty size; measured, rounded up."""


@dataclass(frozen=True)
class Bounds:
    """The maximum that one stream takes, in bytes, of the process and of the disk."""

    process: int
    disk: int


def bounds(options: StreamOptions, dim: int, width_px: int, height_px: int, quota_bytes: int) -> Bounds:
    """Return the maximum that the memory of one stream takes, however long it runs.

        process = moments * (3 * 4 * dim + S + R) + 2,000 * (4 * dim + S + R) + (capacity + 4,096 + 1,000 + 20,000) * R
                  + 4,096 * R + 20,000 * 400 + 30,000 * 300 + 20,000 * 300 + 8 * 3 * width * height
        disk    = quota + moments * (2 * dim + S + 500 + 4,096) + 20,000 * 12,000 + 20,000 * 500 + 20,000 * 400
                  + 24,000,000

    with R = 1,000 bytes a reference and S = 90 * 160 a sketch. In the process: key moments (a feature, its row in the
    feature matrix, which doubles when it is full, and a sketch); changes that wait for a full disk; the queue, evicted
    frames, gaps, and the long tier while it is read; the annotation backlog; the decision log; the list of stored
    pictures; search results; pictures. Excludes networks and libraries, Chroma's index among them, and moments pinned
    by a person beyond the budget. On disk: pictures, key moments, notes, the long tier, gaps, and write-ahead logs,
    which double during a large deletion.

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
        + MOST_WAITING * (4 * dim + sketch + REFERENCE_BYTES)
        + (options.capacity + HISTORY_LENGTH + GAPS_LENGTH + PAST_ROWS + UNNOTED) * REFERENCE_BYTES
        + LOG_LENGTH * DECISION_BYTES
        + MOST_PICTURES * LISTED_BYTES
        + MAX_ROWS * FOUND_BYTES
        + PICTURES * 3 * width_px * height_px
    )
    disk = (
        quota_bytes
        + moments * (2 * dim + sketch + PAST_BYTES + PAGE_BYTES)
        + MAX_ROWS * NOTE_BYTES
        + PAST_ROWS * PAST_BYTES
        + GAP_ROWS * GAP_BYTES
        + LOG_BYTES
    )
    return Bounds(process, disk)
