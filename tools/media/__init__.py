"""Pictures, clips and times: what they are, and where they come from."""

from tools.media.clock import cited_times, format_clock, parse_clock
from tools.media.types import Box, Clip, Frame, Gap, Span, frame_id

__all__ = ["Box", "Clip", "Frame", "Gap", "Span", "cited_times", "format_clock", "frame_id", "parse_clock"]
