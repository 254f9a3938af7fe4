"""Status of a room: source state, capture and memory statistics, sent to the pages once a second."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agent.perception.session import SourceSession
from agent.server.schemas import Status
from agent.watch.monitor import Watcher
from agent.watch.webhooks import leaves_machine, shown_address
from tools.gui.guard.kill_switch import read_stop
from tools.media.types import mask_credentials

Badge = Literal["live", "playing", "reading", "ended", "paused", "stale"]


def read_status(session: SourceSession, watcher: Watcher, folder: Path) -> Status:
    """Read the status of the source, the watches, the process and the kill switch."""
    import psutil

    status = session.status.numbers()
    problem = None if status.problem is None else mask_credentials(status.problem)
    troubles = [mask_credentials(trouble) for trouble in status.troubles]
    watches = watcher.statuses()
    hooks = {entry.watch.webhook for entry in watches if entry.watch.webhook}
    return Status(
        badge=_badge(session, problem),
        position_s=session.memory.stats.newest_s,
        eyes=status.model_copy(update={"problem": problem, "troubles": troubles}),
        process_mb=psutil.Process().memory_info().rss / 2**20,
        watches=watches,
        alerts_leave_to=sorted(shown_address(hook) for hook in hooks if leaves_machine(hook)),
        screens_stopped_by=read_stop(folder),
    )


def _badge(session: SourceSession, problem: str | None) -> Badge:
    if session.paused:
        return "paused"
    if session.finished:
        return "ended"
    if problem:
        return "stale"
    if session.info.live:
        return "live"
    return "playing" if session.plays else "reading"
