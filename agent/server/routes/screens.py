"""Stop work on screens that any process of this machine does; see `tools.gui.guard.kill_switch`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from agent.server.schemas import ScreenWork
from agent.server.state import TheHouse
from tools.gui.guard.kill_switch import read_stop, write_stop

router = APIRouter(prefix="/screens")


@router.post("/stop")
async def stop(house: TheHouse) -> ScreenWork:
    """Stop all work on screens, in every process that shares this folder, as `attend stop` does.

    Raises:
        StoreError: if that cannot be told to them.
    """
    folder = house.config.folder
    await asyncio.to_thread(write_stop, folder, "the button of the page")
    return ScreenWork(stopped_by=await asyncio.to_thread(read_stop, folder))
