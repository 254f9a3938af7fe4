"""How a room stands: the source's state, the numbers of capture and memory, told to the pages once a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from agent.server.shapes import Status

if TYPE_CHECKING:
    from agent.eyes import Eyes
    from agent.server.room import Room

EVERY_S = 1.0
"""How often pages are told how a room stands; our choice."""

Badge = Literal["live", "playing", "reading", "ended", "paused", "stale"]


async def follow_status(room: Room) -> None:
    """Tell the feed of a room how it stands, while somebody reads it, until the room closes."""
    while not room.closed:
        if room.feed.readers and room.info.state == "open":
            eyes = room.assistant.eyes
            room.tell_status(await asyncio.to_thread(read_status, eyes))
        await room.wait_closed(EVERY_S)


def read_status(eyes: Eyes) -> Status:
    """Read how eyes stand, and the memory of this process."""
    import psutil

    newest = eyes.memory.stats.newest_s
    return Status(
        badge=_badge(eyes, None),
        position_s=newest,
        process_mb=psutil.Process().memory_info().rss / 2**20,
    )


def _badge(eyes: Eyes, problem: str | None) -> Badge:
    if eyes.paused:
        return "paused"
    if eyes.finished:
        return "ended"
    if problem:
        return "stale"
    if eyes.info.live:
        return "live"
    return "playing" if eyes.plays else "reading"
