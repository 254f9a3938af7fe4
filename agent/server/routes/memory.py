"""The addresses of a room's memory: timeline, moments, pictures, and what a person may do with them."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from agent.perception.timeline import Forgotten, Moment, Timeline
from agent.server.schemas import At, Between, ShownMoment
from agent.server.state import TheRoom
from tools.base import NEAR_S, SeenFrame
from tools.media import Span

MOST_FRAMES = 80
"""The most frames handed out at once, to be played: 20 seconds at 4 a second. Our choice."""

FRAME_ID = "^[0-9a-f]{64}$"

router = APIRouter(prefix="/rooms/{room_id}")


@router.get("/timeline")
async def timeline(room: TheRoom) -> Timeline:
    """All that is remembered."""
    return await room.timeline()


@router.get("/moment")
async def moment(
    room: TheRoom,
    t_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    frame_id: Annotated[str | None, Query(pattern=FRAME_ID)] = None,
) -> ShownMoment:
    """What is known of a moment: its frame (in a video file, whether remembered or not), and why it was kept."""
    session = room.inside.session
    known = await room.timeline()
    near = [entry for entry in known.moments if abs(entry.t_s - t_s) <= NEAR_S]
    found = min(near, key=lambda entry: (entry.frame_id != frame_id, abs(entry.t_s - t_s)), default=None)
    frame: SeenFrame | None = None
    if found and session.memory.store.has(found.frame_id):
        frame = SeenFrame(frame_id=found.frame_id, t_s=found.t_s, detail=found.detail)
    elif frame_id and session.memory.store.has(frame_id):
        frame = SeenFrame(frame_id=frame_id, t_s=t_s)
    else:
        frame = await asyncio.to_thread(session.view.near, t_s)
        if frame and abs(frame.t_s - t_s) > NEAR_S:  # a file is read again no further than it was watched
            frame = None
    reasons = [decision.reason for decision in session.memory.log if found and decision.t_s == found.t_s]
    return ShownMoment(frame=frame, moment=found, reason=reasons[-1] if reasons else "")


@router.get("/frames")
async def frames(
    room: TheRoom,
    start_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    end_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    limit: Annotated[int, Query(ge=1, le=MOST_FRAMES)] = MOST_FRAMES,
) -> list[SeenFrame]:
    """Frames of a stretch, to be played; a video file is read again for them."""
    return await asyncio.to_thread(room.inside.session.view.frames, Span(start_s, end_s), limit)


@router.get("/frames/{frame_id}")
async def picture(
    room: TheRoom,
    frame_id: Annotated[str, Path(pattern=FRAME_ID)],
    side_px: Annotated[int, Query(ge=16, le=4096)] = 1600,
) -> Response:
    """A remembered picture as JPEG."""
    jpeg = await asyncio.to_thread(room.inside.thumbnails.jpeg, frame_id, side_px)
    return Response(jpeg, media_type="image/jpeg")


@router.post("/pause", status_code=204)
async def pause(room: TheRoom) -> None:
    """Look at nothing until `resume`."""
    room.inside.session.pause()
    await room.refresh_status()


@router.post("/resume", status_code=204)
async def resume(room: TheRoom) -> None:
    """Look again."""
    room.inside.session.resume()
    await room.refresh_status()


@router.post("/forget")
async def forget(room: TheRoom, span: Between) -> Forgotten:
    """Remove a stretch from memory for good: pictures, notes and vectors."""
    return await room.forget(Span(span.start_s, span.end_s))


@router.post("/pin")
async def pin(room: TheRoom, at: At) -> Moment:
    """Keep the moment nearest to a time for good."""
    return await room.pin(at.t_s, True)


@router.post("/unpin")
async def unpin(room: TheRoom, at: At) -> Moment:
    """Let a pinned moment give way again."""
    return await room.pin(at.t_s, False)


@router.get("/export")
async def export(room: TheRoom) -> Response:
    """All that is remembered, as a zip file."""
    session = room.inside.session
    folder = tempfile.TemporaryDirectory(prefix="attend-export-")
    path = await asyncio.to_thread(session.source_memory.export, FilePath(folder.name) / "memory.zip")
    name = f"attend-{datetime.now():%Y-%m-%d-%H%M%S}.zip"  # noqa: DTZ005 - a name, in the person's own time
    return FileResponse(path, filename=name, media_type="application/zip", background=BackgroundTask(folder.cleanup))
