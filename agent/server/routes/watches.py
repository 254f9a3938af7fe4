"""The addresses of a room's watches; how each is doing is part of the room's status."""

from __future__ import annotations

from fastapi import APIRouter

from agent.server.schemas import NewWatch
from agent.server.state import TheRoom
from agent.watch.monitor import WatchStatus
from tools.errors import ConfigError

MOST_WATCHES = 20
"""Watches of one room; our choice: each takes its share of the same budget."""

router = APIRouter(prefix="/rooms/{room_id}/watches")


@router.post("", status_code=201)
async def add(room: TheRoom, watch: NewWatch) -> WatchStatus:
    """Tell the conversation when a condition comes true."""
    watcher = room.inside.watcher
    if len(watcher.statuses()) >= MOST_WATCHES:
        raise ConfigError(f"there are {MOST_WATCHES} watches already.", remedy="Remove one first.")
    added = watcher.add(watch.condition, watch.cooldown_s, watch.webhook or None)
    await room.refresh_status()
    return added


@router.delete("/{watch_id}", status_code=204)
async def remove(room: TheRoom, watch_id: str) -> None:
    """Watch no more for a condition."""
    room.inside.watcher.remove(watch_id[:64])
    await room.refresh_status()
