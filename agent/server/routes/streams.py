"""The WebSockets of a room: what happens, as JSON, and the live picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from agent.server.broadcast import Lagged
from agent.server.jpeg import LiveView
from agent.server.schemas import Snapshot
from agent.server.session import NotOpen, Room
from agent.server.state import TheRoom

router = APIRouter(prefix="/rooms/{room_id}")

GOING_AWAY, NOT_OPEN = 1001, 4404
"""Close codes: the server or the source ends; the source is not open."""


@router.websocket("/events")
async def events(websocket: WebSocket, room: TheRoom) -> None:
    """A `Snapshot`, then everything that happens. What a page sends is not read."""
    await websocket.accept()
    with room.feed.reading():
        await _until_gone(websocket, _send_events(websocket, room))


@router.websocket("/live")
async def live(websocket: WebSocket, room: TheRoom) -> None:
    """Pictures, each after the page has asked for one by sending any text; see `LiveView`."""
    await websocket.accept()
    try:
        view = room.inside.view
    except NotOpen as error:
        await websocket.close(NOT_OPEN, error.problem[:100])
        return
    asked = asyncio.Semaphore(0)
    with view.watching() as number:
        await _until_gone(websocket, _send_pictures(websocket, view, number, asked), asked.release)


async def _send_pictures(websocket: WebSocket, view: LiveView, number: int, asked: asyncio.Semaphore) -> None:
    while True:
        await asked.acquire()
        number, message = await view.after(number)
        if not message:
            await websocket.close(GOING_AWAY, "the source has closed")
            return
        await websocket.send_bytes(message)


async def _send_events(websocket: WebSocket, room: Room) -> None:
    while True:
        cursor = room.feed.cursor
        snapshot = Snapshot(room=room.info, conversation=room.conversation, status=room.status)
        await websocket.send_text(snapshot.model_dump_json())
        with suppress(Lagged):
            while True:
                cursor, texts = await room.feed.after(cursor)
                if not texts:
                    await websocket.close(GOING_AWAY, "the server ends")
                    return
                for text in texts:
                    await websocket.send_text(text)


async def _until_gone(
    websocket: WebSocket, sending: Coroutine[Any, Any, None], heard: Callable[[], None] = lambda: None
) -> None:
    """Send until that ends or the page is gone; `heard` is called with each message of the page."""

    async def gone() -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            heard()

    tasks = [asyncio.create_task(sending), asyncio.create_task(gone())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result
