"""The addresses of a conversation: ask, reply, stop, and try a source again."""

from __future__ import annotations

from fastapi import APIRouter

from agent.server.schemas import Accepted, Words
from agent.server.state import TheRoom

router = APIRouter(prefix="/rooms/{room_id}")


@router.post("/ask", status_code=202)
async def ask(room: TheRoom, words: Words) -> Accepted:
    """Put a question; what happens comes over the room's WebSocket. Refused (409) while another is being answered."""
    return Accepted(turn=room.inside.dialogue.ask(words.text).id)


@router.post("/reply", status_code=202)
async def reply(room: TheRoom, words: Words) -> Accepted:
    """Answer what the agent asks for."""
    return Accepted(turn=room.inside.dialogue.reply(words.text).id)


@router.post("/stop", status_code=204)
async def stop(room: TheRoom) -> None:
    """Stop the answer, or give up the question that waits for a reply."""
    room.inside.dialogue.stop()


@router.post("/retry", status_code=204)
async def retry(room: TheRoom) -> None:
    """Try again to open a source that failed."""
    room.retry()
