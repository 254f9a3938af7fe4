"""WebSockets of a room: events as JSON, and the live picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from agent.server.broadcast import Lagged
from agent.server.jpeg import LiveView
from agent.server.schemas import Snapshot
from agent.server.session import NotOpen, SourceRoom
from agent.server.state import RoomDep

router = APIRouter(prefix="/rooms/{room_id}")

GOING_AWAY, NOT_OPEN = 1001, 4404
"""Close codes: the server or source has closed; the source is not open."""


@router.websocket("/events")
async def events(websocket: WebSocket, room: RoomDep) -> None:
    """Send a `Snapshot`, then every event. Messages of the page are ignored."""
    await websocket.accept()
    with room.broadcast.reading():
        await _until_gone(websocket, _send_events(websocket, room))


@router.websocket("/live")
async def live(websocket: WebSocket, room: RoomDep) -> None:
    """Send a picture for each text message of the page; see `LiveView`."""
    await websocket.accept()
    try:
        view = room.opened.view
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


async def _send_events(websocket: WebSocket, room: SourceRoom) -> None:
    while True:
        cursor = room.broadcast.cursor
        snapshot = Snapshot(room=room.info, conversation=room.conversation, status=room.status)
        await websocket.send_text(snapshot.model_dump_json())
        with suppress(Lagged):
            while True:
                cursor, texts = await room.broadcast.after(cursor)
                if not texts:
                    await websocket.close(GOING_AWAY, "the server is closing")
                    return
                for text in texts:
                    await websocket.send_text(text)


async def _until_gone(
    websocket: WebSocket, sending: Coroutine[Any, Any, None], on_message: Callable[[], None] = lambda: None
) -> None:
    """Send until that ends or the page disconnects; call `on_message` for each message of the page."""

    async def receive() -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            on_message()

    tasks = [asyncio.create_task(sending), asyncio.create_task(receive())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result
