"""The stories of the page: what narrative memory holds of each source, drawn on a time line."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from agent.narrative.story import BuiltSource, built_sources, story_page
from agent.server.state import NotFound, TheHouse
from memory.narrative.story.html import policy

router = APIRouter(prefix="/stories")


@router.get("")
async def stories(house: TheHouse) -> list[BuiltSource]:
    """What was built, by name."""
    return await asyncio.to_thread(built_sources, house.config)


@router.get("/page")
async def story(house: TheHouse, source: Annotated[str, Query(max_length=4_000)]) -> Response:
    """The drawing of a source: the page that `attend memory story` writes, for a frame of this server's own page.

    The browser treats it as a page of nobody (`sandbox`): it can run its own script, and reach nothing of this server.
    """
    page = await asyncio.to_thread(story_page, house.config, source)
    if page is None:
        raise NotFound(f"nothing was built of {source[:80]!r}.", remedy="Choose another story, or reload the page.")
    headers = {
        "content-security-policy": f"{policy()}; sandbox allow-scripts; frame-ancestors 'self'",
        "x-frame-options": "SAMEORIGIN",
    }
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
