"""Route that stops work on screens in every process of this machine; see `tools.gui.guard.kill_switch`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from agent.server.schemas import ScreenWork
from agent.server.state import AppStateDep
from tools.gui.guard.kill_switch import read_stop, write_stop

router = APIRouter(prefix="/screens")


@router.post("/stop")
async def stop(state: AppStateDep) -> ScreenWork:
    """Stop all work on screens, in every process that uses this folder, as `attend stop` does.

    Raises:
        StoreError: if the stop file cannot be written.
    """
    folder = state.config.folder
    await asyncio.to_thread(write_stop, folder, "the button of the page")
    return ScreenWork(stopped_by=await asyncio.to_thread(read_stop, folder))
