"""A video file is read again where memory holds too little of it: `read_again`, `read_times`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tools.errors import MediaError
from tools.media import Frame, MediaOptions, Span, open_source

LEAST_SPAN_S = 0.1
"""A moment is looked for in at least this much of a recording; our choice."""
SAME_S = 1e-3
"""Two times that differ by less are those of the same frame."""


def read_again(spec: str, options: MediaOptions, span: Span, limit: int, forgotten: Sequence[Span]) -> Iterator[Frame]:
    """Read frames of a span, spread over it, oldest first; none where the file has gone or changed meanwhile.

    Args:
        spec: the file.
        options: how it is read; rate and stretch are replaced.
        span: what to read.
        limit: the number of frames, about.
        forgotten: spans of which nothing may be shown; they may become more while frames are taken.
    """
    length_s = max(span.end_s - span.start_s, LEAST_SPAN_S)
    stretch = {"fps": limit / length_s, "start_s": span.start_s, "end_s": span.start_s + length_s}
    try:
        with open_source(spec, options.model_copy(update=stretch)) as source:
            frames = [frame for frame in source if isinstance(frame, Frame)]
    except MediaError:
        return
    yield from (frame for frame in frames if not any(frame.t_s in gone for gone in forgotten))


def read_times(spec: str, options: MediaOptions, times_s: Sequence[float]) -> Iterator[Frame]:
    """Read the frames of some times that a file was sampled at, oldest first; those it no longer has are left out.

    Args:
        spec: the file.
        options: how it was read when these times were met.
        times_s: media times, increasing.
    """
    start_s = times_s[0]
    if options.fps:  # from the tick of the first frame, so that the same frames are sampled
        ticks = math.floor((start_s - options.start_s) * options.fps + SAME_S)
        start_s = options.start_s + ticks / options.fps
    stretch = {"start_s": max(0.0, start_s), "end_s": times_s[-1] + LEAST_SPAN_S}
    wanted = list(times_s)
    try:
        with open_source(spec, options.model_copy(update=stretch)) as source:
            for frame in source:
                if not isinstance(frame, Frame):
                    continue
                while wanted and wanted[0] < frame.t_s - SAME_S:
                    wanted.pop(0)
                if wanted and abs(wanted[0] - frame.t_s) <= SAME_S:
                    yield frame
    except MediaError:
        return
