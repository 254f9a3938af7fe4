"""`recall`: search the memory and its notes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tools.base import Evidence, Seen, SeenFrame, Shown, parse_span, untrusted
from tools.media import Span, format_clock

SHOWN_FRAMES = 3
"""Frames shown with the notes: notes carry most of the information, and frames cost tokens."""


MAX_STRETCHES = 12
"""Maximum number of spans listed when something was noted several times."""


DESCRIPTION = "Search earlier moments of the video by what was seen, read or noted, and how often it was."
TELLS = "It knows what is told in the video, too: who does what, and why."
"""Part of the description when the source has a narrative memory; the embedded model looks for it."""
TOLD = "told"
"""Prefix of a result line that gives an event of the narrative."""


class RecallArgs(BaseModel):
    """Arguments of `recall`."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=300, description="what to search for, in a few words")
    start: str | None = Field(default=None, description="search from this moment on, as m:ss")
    end: str | None = Field(default=None, description="search up to this moment, as m:ss")
    limit: int = Field(default=6, ge=1, le=20, description="how many findings at most")


def recall(
    seen: Seen, query: str, start: str | None = None, end: str | None = None, limit: int = 6
) -> tuple[str, Shown]:
    """Search memory. Raises ToolRetry for an unreadable span; an empty result is an answer, not an error."""
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
        times = "; ".join(_told(stretch) for stretch in stretches[:MAX_STRETCHES])
        more = len(stretches) - MAX_STRETCHES
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
    counted = [_evidence(query, stretch) for stretch in stretches[:MAX_STRETCHES]]
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
