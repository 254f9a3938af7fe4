"""Routes of a room's watches; their state is part of the room's status."""

from __future__ import annotations

from fastapi import APIRouter

from agent.server.schemas import NewWatch
from agent.server.state import RoomDep
from agent.watch.monitor import WatchStatus
from tools.errors import ConfigError

MAX_WATCHES = 20
"""Maximum number of watches per room, as they share one budget."""

router = APIRouter(prefix="/rooms/{room_id}/watches")


@router.post("", status_code=201)
async def add(room: RoomDep, watch: NewWatch) -> WatchStatus:
    """Add a watch; its alerts appear in the conversation."""
    watcher = room.opened.watcher
    if len(watcher.statuses()) >= MAX_WATCHES:
        raise ConfigError(f"cannot add more than {MAX_WATCHES} watches.", remedy="Remove one first.")
    added = watcher.add(watch.condition, watch.cooldown_s, watch.webhook or None)
    await room.refresh_status()
    return added


@router.delete("/{watch_id}", status_code=204)
async def remove(room: RoomDep, watch_id: str) -> None:
    """Remove a watch."""
    room.opened.watcher.remove(watch_id[:64])
    await room.refresh_status()
