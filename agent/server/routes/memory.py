"""Routes of a room's memory: timeline, moments, pictures, pin, forget and export."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from agent.perception.session import SourceSession
from agent.perception.timeline import Forgotten, Moment, Timeline
from agent.server.schemas import DetectedThing, MomentDetails, SpanInput, TimeInput
from agent.server.state import RoomDep
from tools.base import NEAR_S, SeenFrame
from tools.media import Span

MAX_FRAMES = 80
"""Maximum number of frames per request for playback: 20 seconds at 4 per second."""

FRAME_ID = "^[0-9a-f]{64}$"

router = APIRouter(prefix="/rooms/{room_id}")


@router.get("/timeline")
async def timeline(room: RoomDep) -> Timeline:
    """Return the timeline of the memory."""
    return await room.timeline()


@router.get("/moment")
async def moment(
    room: RoomDep,
    t_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    frame_id: Annotated[str | None, Query(pattern=FRAME_ID)] = None,
) -> MomentDetails:
    """Return details of a moment: its frame (from the video file if not in memory), and why it was kept."""
    session = room.opened.session
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
        if frame and abs(frame.t_s - t_s) > NEAR_S:  # do not show parts of a file that were not watched yet
            frame = None
    reasons = [decision.reason for decision in session.memory.log if found and decision.t_s == found.t_s]
    detections = await asyncio.to_thread(_detections, session, frame) if frame else None
    return MomentDetails(frame=frame, moment=found, reason=reasons[-1] if reasons else "", detections=detections)


def _detections(session: SourceSession, frame: SeenFrame) -> list[DetectedThing] | None:
    """What was detected in a frame, or in the one before it if the picture had not changed since."""
    stored = session.source_memory.detections
    look = stored.of_frame(frame.frame_id, frame.t_s) or stored.during(frame.t_s)
    if look is None:
        return None
    return [
        DetectedThing(label=one.label, confidence=one.confidence, box=one.box, track=one.track)
        for one in look.sightings
    ]


@router.get("/frames")
async def frames(
    room: RoomDep,
    start_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    end_s: Annotated[float, Query(ge=0, allow_inf_nan=False)],
    limit: Annotated[int, Query(ge=1, le=MAX_FRAMES)] = MAX_FRAMES,
) -> list[SeenFrame]:
    """Return frames of a span for playback, decoded again from a video file."""
    return await asyncio.to_thread(room.opened.session.view.frames, Span(start_s, end_s), limit)


@router.get("/frames/{frame_id}")
async def picture(
    room: RoomDep,
    frame_id: Annotated[str, Path(pattern=FRAME_ID)],
    side_px: Annotated[int, Query(ge=16, le=4096)] = 1600,
) -> Response:
    """Return a remembered picture as JPEG."""
    jpeg = await asyncio.to_thread(room.opened.thumbnails.jpeg, frame_id, side_px)
    return Response(jpeg, media_type="image/jpeg")


@router.post("/pause", status_code=204)
async def pause(room: RoomDep) -> None:
    """Pause watching."""
    room.opened.session.pause()
    await room.refresh_status()


@router.post("/resume", status_code=204)
async def resume(room: RoomDep) -> None:
    """Resume watching."""
    room.opened.session.resume()
    await room.refresh_status()


@router.post("/forget")
async def forget(room: RoomDep, span: SpanInput) -> Forgotten:
    """Permanently delete a span from memory: pictures, notes and vectors."""
    return await room.forget(Span(span.start_s, span.end_s))


@router.post("/pin")
async def pin(room: RoomDep, at: TimeInput) -> Moment:
    """Pin the moment nearest to a time, so that it is never dropped."""
    return await room.pin(at.t_s, True)


@router.post("/unpin")
async def unpin(room: RoomDep, at: TimeInput) -> Moment:
    """Unpin a moment."""
    return await room.pin(at.t_s, False)


@router.get("/export")
async def export(room: RoomDep) -> Response:
    """Return the whole memory as a zip file."""
    session = room.opened.session
    folder = tempfile.TemporaryDirectory(prefix="attend-export-")
    path = await asyncio.to_thread(session.source_memory.export, FilePath(folder.name) / "memory.zip")
    name = f"attend-{datetime.now():%Y-%m-%d-%H%M%S}.zip"  # noqa: DTZ005 - a name, in the person's own time
    return FileResponse(path, filename=name, media_type="application/zip", background=BackgroundTask(folder.cleanup))
