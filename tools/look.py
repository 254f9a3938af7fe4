"""`look`: show frames of a span, or enlarge a part of one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Evidence, Seen, SeenFrame, Shown, parse_box, parse_span
from tools.errors import ToolRetry
from tools.media import format_clock

DESCRIPTION = "Show frames of an earlier stretch of the video, or enlarge a part of a frame to see detail."


class LookArgs(BaseModel):
    """Arguments of `look`."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(
        default=None, description="first moment, as m:ss; leave out both ends for the newest frame"
    )
    end: str | None = Field(default=None, description="last moment, as m:ss; the present when left out")
    frames: int = Field(default=4, ge=1, le=8, description="how many frames to show, spread over the span")
    box: list[float] | None = Field(
        default=None, description="part to enlarge: [left, top, right, bottom] in fractions of the picture, 0 to 1"
    )


def look(
    seen: Seen, start: str | None = None, end: str | None = None, frames: int = 4, box: list[float] | None = None
) -> tuple[str, Shown]:
    """Show frames. Raises ToolRetry for an unreadable span or box, or when no frame matches."""
    newest = seen.newest()
    if newest is None:
        raise ToolRetry("nothing has been seen yet.", remedy="Ask the person to start the camera.")
    span = parse_span(start, end, default_end_s=newest.t_s)
    if span and span.start_s > newest.t_s:
        raise ToolRetry(
            f"{format_clock(span.start_s)} has not happened yet.",
            remedy=f"The newest frame is at {format_clock(newest.t_s)}.",
        )
    found = seen.frames(span, frames) if span else [newest]
    if not found:
        raise ToolRetry(
            f"cannot find a frame from {start or '0:00'} to {end or 'now'}.",
            remedy="Try a wider span, or recall.",
        )
    area = parse_box(box)
    if area:
        found = [seen.add_picture(area.crop(seen.picture(frame.frame_id)), frame.t_s) for frame in found]
    times = ", ".join(f"[{format_clock(frame.t_s)}]" for frame in found)
    text = f"{len(found)} frame{'s' if len(found) > 1 else ''}{' (part enlarged)' if area else ''}: {times}"
    return text, Shown(frames=[_clear(frame) for frame in found], evidence=[_evidence(frame) for frame in found])


def _clear(frame: SeenFrame) -> SeenFrame:
    return frame.model_copy(update={"detail": "clear"})


def _evidence(frame: SeenFrame) -> Evidence:
    return Evidence(
        id=f"frame@{format_clock(frame.t_s)}", kind="frame", frame_id=frame.frame_id, t_s=frame.t_s, source=frame.source
    )
