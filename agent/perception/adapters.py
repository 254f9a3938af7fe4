"""Frames and notes of memory as the loop and the tools are told of them."""

from __future__ import annotations

from collections.abc import Sequence

from memory.stream.frame_ref import FrameRef
from memory.stream.memory import Stats
from memory.stream.notes import Note
from tools.base import Evidence, SeenFrame
from tools.media import Gap, format_clock


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


def as_seen(kept: FrameRef) -> SeenFrame:
    """A remembered frame by reference."""
    return SeenFrame(frame_id=kept.frame_id, t_s=kept.t_s, detail=kept.state, source=kept.source)


def spread(frames: list[SeenFrame], limit: int) -> list[SeenFrame]:
    """At most `limit` of them, evenly spaced, the first and the last included."""
    if len(frames) <= limit:
        return frames
    if limit == 1:
        return [frames[len(frames) // 2]]
    return [frames[round(step * (len(frames) - 1) / (limit - 1))] for step in range(limit)]


def summary(stats: Stats, dropped: int, unnoted: int, remark: str | None, gaps: Sequence[Gap]) -> str:
    """One line on what was seen, kept, dropped and missed, for people.

    Args:
        stats: of the memory.
        dropped: frames that memory could not take in time.
        unnoted: moments of which no notes were taken in time.
        remark: what is wrong with the picture, or None.
        gaps: the newest times without a picture.
    """
    parts = [
        f"{stats.seen} frame{'s' * (stats.seen != 1)} seen",
        f"{stats.kept_now} kept",
        f"{dropped} dropped",
    ]
    parts += [f"{stats.lost} lost"] if stats.lost else []
    parts += [f"{unnoted} not noted"] if unnoted else []
    parts += [f"now at {format_clock(stats.newest_s)}"] if stats.newest_s is not None else []
    parts += [remark] if remark else []
    return ", ".join(parts + [f"no picture from {gap.text}" for gap in gaps])
