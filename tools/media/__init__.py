"""Pictures, clips and times, and the sources that yield them."""

from tools.media.capture import Capture, CaptureStats
from tools.media.clock import cited_times, format_clock, parse_clock
from tools.media.options import MediaOptions
from tools.media.sources import open_source
from tools.media.types import Box, Clip, Frame, Gap, Source, SourceInfo, Span, frame_id, mask_credentials

__all__ = [
    "Box",
    "Capture",
    "CaptureStats",
    "Clip",
    "Frame",
    "Gap",
    "MediaOptions",
    "Source",
    "SourceInfo",
    "Span",
    "cited_times",
    "format_clock",
    "frame_id",
    "mask_credentials",
    "open_source",
    "parse_clock",
]
