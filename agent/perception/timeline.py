"""What is remembered of one source, as records for people and pages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from memory.stream.policies import State


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Moment(_Record):
    """A remembered moment.

    Attributes:
        t_s: media time in seconds.
        wall_s: Unix time of capture in seconds, for live sources.
        frame_id: sha256 of the pixels.
        detail: how a model is shown it, `clear` or `fuzzy`.
        tier: `recent` (the queue), `key` (a key moment) or `past` (gave way to others; its picture may be gone).
        score: CS when it was decided on.
        pinned: whether it never gives way.
        scene: number of the scene; None for frames that are no key moment.
        note: what was noted there, in one line.
    """

    t_s: float
    wall_s: float | None
    frame_id: str
    detail: Literal["clear", "fuzzy"]
    tier: Literal["recent", "key", "past"]
    score: float | None
    pinned: bool = False
    scene: int | None = None
    note: str = ""


class CurvePoint(_Record):
    """The score of one frame, and the thresholds it was compared with."""

    t_s: float
    score: float | None
    keep_from: float | None
    clear_from: float | None
    state: State


class Timeline(_Record):
    """All that is remembered of a source, oldest first; `gaps` are (start_s, end_s, reason)."""

    moments: list[Moment]
    curve: list[CurvePoint]
    gaps: list[tuple[float, float | None, str]]
    begin_s: float
    now_s: float | None


class SourceNumbers(_Record):
    """How capture and memory are doing.

    Attributes:
        seen: frames that memory was given by this process.
        kept: frames in the queue now.
        dropped: frames that a newer one replaced before memory could take them.
        lost: frames that could not be remembered, as on a full disk.
        unnoted: key moments that others replaced before they could be noted.
        detections: detected things held, each once a frame.
        not_detected: frames in which nothing was looked for, since newer ones replaced them.
        key_moments: key moments held.
        notes: notes held.
        quiet_s: seconds since the source last gave anything.
        capture_late_s: the most that a frame of a recording came after its due time, in seconds.
        queue_s: how long the last frame waited between capture and memory, in seconds.
        encode_ms: mean time to encode a frame, in milliseconds.
        disk_mb: bytes of stored pictures, in MiB.
        quota_mb: the most that they may take, in MiB.
        problem: what is wrong with the picture now, in words; None where nothing is.
        troubles: errors so far, in words.
        paused: whether nobody looks.
    """

    seen: int
    kept: int
    dropped: int
    lost: int = 0
    unnoted: int = 0
    detections: int = 0
    not_detected: int = 0
    key_moments: int
    notes: int
    quiet_s: float
    capture_late_s: float
    queue_s: float
    encode_ms: float
    disk_mb: float
    quota_mb: float
    problem: str | None
    troubles: list[str]
    paused: bool


class Forgotten(_Record):
    """What was removed: pictures from disk, notes, their vectors, and moments of any tier."""

    frames: int
    notes: int
    vectors: int
    moments: int
