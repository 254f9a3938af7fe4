"""Frames and notes of memory as the loop and the tools are told of them."""

from __future__ import annotations

from memory.stream.kept import Kept
from memory.stream.notes import Note
from tools.base import Evidence, SeenFrame
from tools.media import format_clock


def as_evidence(note: Note, source: str) -> Evidence:
    """A note as evidence of a source."""
    return Evidence(
        id=f"{note.kind}@{format_clock(note.t_s)}",
        kind="text" if note.kind == "text" else "note",
        text=note.text,
        frame_id=note.frame_id,
        t_s=note.t_s,
        source=source,
    )


def as_seen(kept: Kept) -> SeenFrame:
    """A remembered frame by reference."""
    return SeenFrame(frame_id=kept.frame_id, t_s=kept.t_s, detail=kept.state, source=kept.source)


def spread(frames: list[SeenFrame], limit: int) -> list[SeenFrame]:
    """At most `limit` of them, evenly spaced, the first and the last included."""
    if len(frames) <= limit:
        return frames
    if limit == 1:
        return [frames[len(frames) // 2]]
    return [frames[round(step * (len(frames) - 1) / (limit - 1))] for step in range(limit)]
