"""Conversations on disk: a SQLite checkpointer that resumes after a crash and keeps one checkpoint a conversation."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from tools.errors import StoreError

LOCKED_S = 5.0
"""How long another that sets up the same file is waited for; our choice, sqlite3's own for all later writes."""


@asynccontextmanager
async def open_threads(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """Open the checkpoints in a SQLite file, made when missing. Only plain data and messages are ever deserialised.

    Raises:
        StoreError: if the file cannot be opened, is no database, or can no longer be written.
    """
    async with AsyncExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = await stack.enter_async_context(aiosqlite.connect(path))
            saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
            await _set_up(saver)
        except (OSError, sqlite3.Error) as error:
            raise failure("opened", error, path) from error
        try:
            yield saver
        except sqlite3.Error as error:
            raise failure("written", error, path) from error


async def _set_up(saver: AsyncSqliteSaver) -> None:
    """Make the tables. SQLite itself does not wait for others to change the journal mode, as all do at first."""
    give_up_s = time.monotonic() + LOCKED_S
    while True:
        try:
            await saver.setup()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_s:
                raise
        await asyncio.sleep(0.02)


def failure(verb: str, error: Exception, path: Path | None = None) -> StoreError:
    """The error for people where conversations cannot be opened or written."""
    where = f" in {str(path)!r}" if path else ""
    return StoreError(
        f"the conversations{where} cannot be {verb}: {error}.",
        remedy="Check that the folder is writable and the disk not full, or name another with --folder.",
    )


async def prune(saver: AsyncSqliteSaver, thread_id: str) -> None:
    """Drop all checkpoints of a conversation but the newest.

    Each checkpoint holds the whole conversation, so keeping all of them would grow with the square of its length.
    """
    newest = "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '')"
    async with saver.lock:
        for table in ("checkpoints", "writes"):
            await saver.conn.execute(
                f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = '' AND checkpoint_id < {newest}",
                (thread_id, thread_id),
            )
        await saver.conn.commit()
