"""Optional fast decoder: decord, with PyAV as the fallback wherever it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator

from tools.extras import require
from tools.media.options import MediaOptions
from tools.media.sampling import TICK_TOLERANCE_S, Sampler, fit
from tools.media.types import Frame

logger = logging.getLogger(__name__)


SHORT_S = 0.5
"""A recording that decord finds this much shorter than stated is read by PyAV, which reports the loss; our choice."""


def read_with_decord(
    path: str,
    name: str,
    bounds_s: tuple[float, float | None],
    options: MediaOptions,
    sampler: Sampler,
    closed: threading.Event,
) -> Generator[Frame, None, float | None]:
    """Yield the sampled frames of a recording.

    Args:
        path: the file.
        name: name of the source in frames.
        bounds_s: media times of its first picture and of its end (None if unknown), in seconds; decord drops start
            offsets, and the end of a damaged recording.
        options: see `MediaOptions`.
        sampler: chooses the frames; a decoder that continues must use the same one.
        closed: stops the reading when set.

    Returns:
        None when all was read, else the time in seconds from which another decoder has to continue.

    Raises:
        MissingExtra: if decord is not installed; it has wheels for Linux on x86-64 and for Windows only.
    """
    decord = require("decord", extra="decord")
    first_s, end_s = bounds_s
    resume_s = options.start_s
    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
        spans_s = reader.get_frame_timestamp(range(len(reader))).astype(float)
        spans_s += first_s - spans_s[0, 0]
        if end_s is not None and spans_s[-1, 1] < end_s - SHORT_S:
            return resume_s
        for index, t_s in enumerate(spans_s[:, 0].tolist()):
            if closed.is_set() or (options.end_s is not None and t_s > options.end_s):
                return None
            if sampler.wants(t_s):
                rgb = reader[index].asnumpy()
                sampler.took(t_s)
                yield Frame(name, t_s, fit(rgb, options))
                resume_s = t_s + 2 * TICK_TOLERANCE_S
    except (decord.DECORDError, RuntimeError) as error:
        logger.warning("%s: decord failed (%s); continuing with PyAV.", name, str(error).strip().splitlines()[-1:])
        return resume_s
    return None
