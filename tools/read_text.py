"""`read_text`: read the words in a frame, with their positions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Evidence, Seen, Shown, parse_box, parse_time, untrusted
from tools.errors import ToolRetry
from tools.media import Box, format_clock
from tools.ocr import read_words

CAREFUL_PX = 736
"""Shorter side for line detection. Our choice: twice the time of the default, for small crops."""


DESCRIPTION = "Read the words and numbers in a frame (optical character recognition), with their places."


class ReadTextArgs(BaseModel):
    """Arguments of `read_text`."""

    model_config = ConfigDict(extra="forbid")

    at: str | None = Field(default=None, description="the moment, as m:ss; the newest frame when left out")
    box: list[float] | None = Field(
        default=None, description="part to read: [left, top, right, bottom] in fractions of the picture, 0 to 1"
    )


def read_text(seen: Seen, at: str | None = None, box: list[float] | None = None) -> tuple[str, Shown]:
    """Read words. Raises ToolRetry for an unreadable time or box, or when no frame matches."""
    moment_s = parse_time(at) if at else None
    frame = seen.newest() if moment_s is None else seen.near(moment_s)
    if frame is None:
        raise ToolRetry(f"cannot find a frame at {at or 'present'}.", remedy="Name a moment that was shown.")
    area = parse_box(box) or Box(0, 0, 1, 1)
    words = read_words(area.crop(seen.picture(frame.frame_id)), min_side_px=CAREFUL_PX)
    moment = format_clock(frame.t_s)
    if not words:
        return f"[{moment}] No readable words.", Shown()
    lines = [
        f"- {untrusted(word.text)} at {_place(word.box, area)}, confidence {word.confidence:.2f}" for word in words
    ]
    evidence = Evidence(
        id=f"text@{moment}",
        kind="text",
        text="\n".join(word.text for word in words),
        frame_id=frame.frame_id,
        t_s=frame.t_s,
        source=frame.source,
    )
    return f"[{moment}] Words in the picture:\n" + "\n".join(lines), Shown(evidence=[evidence])


def _place(box: Box, area: Box) -> str:
    """Convert the box of a word from `area` to the whole picture, and format it."""
    width, height = area.right - area.left, area.bottom - area.top
    edges = (
        area.left + box.left * width,
        area.top + box.top * height,
        area.left + box.right * width,
        area.top + box.bottom * height,
    )
    return "[" + ", ".join(f"{edge:.2f}" for edge in edges) + "]"
