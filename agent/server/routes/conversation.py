"""Routes of the conversation: ask, reply, stop, and retry a failed source."""

from __future__ import annotations

from fastapi import APIRouter

from agent.server.schemas import Accepted, TextInput
from agent.server.state import RoomDep

router = APIRouter(prefix="/rooms/{room_id}")


@router.post("/ask", status_code=202)
async def ask(room: RoomDep, words: TextInput) -> Accepted:
    """Ask a question; its events arrive over the room's WebSocket. 409 while another is being answered."""
    return Accepted(turn=room.opened.conversation.ask(words.text).id)


@router.post("/reply", status_code=202)
async def reply(room: RoomDep, words: TextInput) -> Accepted:
    """Reply to a request of the agent."""
    return Accepted(turn=room.opened.conversation.reply(words.text).id)


@router.post("/stop", status_code=204)
async def stop(room: RoomDep) -> None:
    """Stop the answer, or abandon the question that waits for a reply."""
    room.opened.conversation.stop()


@router.post("/retry", status_code=204)
async def retry(room: RoomDep) -> None:
    """Try to open a failed source again."""
    room.retry()
