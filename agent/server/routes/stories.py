"""Routes of the stories: the narrative memory of each source, drawn on a timeline."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from agent.narrative.story import BuiltSource, built_sources, story_page
from agent.server.state import AppStateDep, NotFound
from memory.narrative.story.html import policy

router = APIRouter(prefix="/stories")


@router.get("")
async def stories(state: AppStateDep) -> list[BuiltSource]:
    """List the sources with a narrative memory, by name."""
    return await asyncio.to_thread(built_sources, state.config)


@router.get("/page")
async def story(state: AppStateDep, source: Annotated[str, Query(max_length=4_000)]) -> Response:
    """Return the drawing of a source, as `attend memory story` writes it, for an iframe of the page.

    It is sandboxed: it can run its own script but has an opaque origin and cannot access this server.
    """
    page = await asyncio.to_thread(story_page, state.config, source)
    if page is None:
        raise NotFound(f"no story of {source[:80]!r}.", remedy="Choose another story, or reload the page.")
    headers = {
        "content-security-policy": f"{policy()}; sandbox allow-scripts; frame-ancestors 'self'",
        "x-frame-options": "SAMEORIGIN",
    }
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
