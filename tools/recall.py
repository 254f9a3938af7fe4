"""`recall`: search what the memory holds and what was noted about it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Evidence, Seen, SeenFrame, Shown, parse_span, untrusted
from tools.media import Span, format_clock

SHOWN_FRAMES = 3
"""Frames brought up with the notes; our choice: notes carry most of it, and frames cost tokens."""


STRETCHES_TOLD = 12
"""Stretches of time told of, when something was noted several times; our choice."""


DESCRIPTION = "Search earlier moments of the video by what was seen, read or noted, and how often it was."
TELLS = "It knows what is told in the video, too: who does what, and why."
"""Said to the model where that is so; the embedded model looks for it."""
TOLD = "told"
"""What a line of a result begins with that says what is told."""


class RecallArgs(BaseModel):
    """What to search for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=300, description="what to search for, in a few words")
    start: str | None = Field(default=None, description="search from this moment on, as m:ss")
    end: str | None = Field(default=None, description="search up to this moment, as m:ss")
    limit: int = Field(default=6, ge=1, le=20, description="how many findings at most")


def recall(
    seen: Seen, query: str, start: str | None = None, end: str | None = None, limit: int = 6
) -> tuple[str, Shown]:
    """Search memory. Raises ToolRetry for an unreadable span; finding nothing is an answer, not an error."""
    newest = seen.newest()
    span = parse_span(start, end, default_end_s=newest.t_s if newest else 0.0)
    found = seen.search(query, limit, span)
    told = seen.told(query, limit, span)
    if not found and not told:
        return f"Nothing about {query!r} is remembered.", Shown()
    in_order = sorted([*found, *told], key=lambda evidence: evidence.t_s or 0.0)
    lines = [_line(entry) for entry in in_order]
    stretches = seen.stretches(query, span)
    if stretches:
        times = "; ".join(_told(stretch) for stretch in stretches[:STRETCHES_TOLD])
        more = len(stretches) - STRETCHES_TOLD
        lines.append(
            f"Noted in {len(stretches)} separate stretch{'es' * (len(stretches) > 1)} of time: {times}"
            + (f"; and {more} more" if more > 0 else "")
        )
    shown: dict[str, SeenFrame] = {}
    for entry in found:
        if entry.frame_id and entry.t_s is not None and len(shown) < SHOWN_FRAMES:
            frame = SeenFrame(frame_id=entry.frame_id, t_s=entry.t_s, source=entry.source)
            shown.setdefault(entry.frame_id, frame)
    frames = sorted(shown.values(), key=lambda frame: frame.t_s)
    counted = [_evidence(query, stretch) for stretch in stretches[:STRETCHES_TOLD]]
    return "\n".join(lines), Shown(frames=frames, evidence=[*in_order, *counted])


def _line(entry: Evidence) -> str:
    kind = TOLD if entry.kind == "event" else entry.kind
    return f"[{format_clock(entry.t_s or 0.0)}] {kind}: {untrusted(' '.join(entry.text.split()))}"


def _told(stretch: Span) -> str:
    start, end = format_clock(stretch.start_s), format_clock(stretch.end_s)
    return start if start == end else f"{start} to {end}"


def _evidence(query: str, stretch: Span) -> Evidence:
    text = f"{query}: noted from {format_clock(stretch.start_s)} to {format_clock(stretch.end_s)}"
    return Evidence(id=f"stretch@{format_clock(stretch.start_s)}", kind="note", text=text, t_s=stretch.start_s)
