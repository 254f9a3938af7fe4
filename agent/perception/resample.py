"""A video file is read again where memory holds too little of it: `read_again`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.errors import MediaError
from tools.media import Frame, MediaOptions, Span, open_source

LEAST_SPAN_S = 0.1
"""A moment is looked for in at least this much of a recording; our choice."""


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
