"""Conversations on disk: a SQLite checkpointer that resumes after a crash and keeps one checkpoint a conversation.

FOLDER/threads.sqlite     the conversations
       questions.txt      what was typed, for the arrow keys of the next dialogue
       talking/           a lock for each conversation that a process is in, see `holding`
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import aiosqlite
from filelock import FileLock, Timeout
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from memory.store.secure_delete import wipe
from tools.errors import StoreError
from tools.sqlite import connect, failures

FILE_NAME = "threads.sqlite"
QUESTIONS = "questions.txt"
TALKING = "talking"
TABLES = ("checkpoints", "writes")

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
        for table in TABLES:
            await saver.conn.execute(
                f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = '' AND checkpoint_id < {newest}",
                (thread_id, thread_id),
            )
        await saver.conn.commit()


@asynccontextmanager
async def holding(folder: Path, thread_id: str) -> AsyncIterator[None]:
    """Let other processes know that this one is in a conversation: they must not remove it.

    Raises:
        StoreError: if the folder cannot be written.
    """
    # A file for each who is in it: two processes may be in one conversation.
    path = folder / TALKING / f"{_digest(thread_id)}-{secrets.token_hex(4)}"
    lock = FileLock(path, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise failure("opened", error, folder) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def count_threads(folder: Path) -> int:
    """How many conversations are on disk. Raises StoreError if they cannot be read."""
    path = folder / FILE_NAME
    if not path.exists():
        return 0
    with _failures(path, "read"), closing(connect(path)) as database:
        return len(_names(database))


def forget_threads(folder: Path) -> tuple[int, list[str]]:
    """Remove all conversations for good, but those that a running process is in.

    Returns:
        How many were removed, and the names of those that were kept.

    Raises:
        StoreError: if a file cannot be read or written, or another process keeps it from being cleaned.
    """
    path = folder / FILE_NAME
    held = _held(folder)
    with _failures(path, "removed"):
        (folder / QUESTIONS).unlink(missing_ok=True)
        if not path.exists():
            return 0, []
        with closing(connect(path)) as database, database:
            names = _names(database)
            kept = sorted(name for name in names if _digest(name) in held)
            database.execute("PRAGMA secure_delete=ON")
            database.execute("BEGIN IMMEDIATE")
            for table in TABLES if names else ():
                gone = [(name,) for name in names.difference(kept)]
                database.executemany(f"DELETE FROM {table} WHERE thread_id = ?", gone)
    wipe(path)
    return len(names) - len(kept), kept


def _names(database: sqlite3.Connection) -> set[str]:
    """The names of all conversations in a file."""
    there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = (database.execute(f"SELECT DISTINCT thread_id FROM {table}") for table in TABLES if table in there)
    return {name for rows in found for (name,) in rows}


def _held(folder: Path) -> set[str]:
    """The digests of the conversations that running processes are in."""
    held: set[str] = set()
    for path in (folder / TALKING).glob("*-*"):
        try:
            with FileLock(path, thread_local=False).acquire(timeout=0):
                path.unlink(missing_ok=True)  # its process was killed
        except (Timeout, OSError):
            held.add(path.name.partition("-")[0])
    return held


def _digest(thread_id: str) -> str:
    return hashlib.sha256(thread_id.encode()).hexdigest()[:16]


def _failures(path: Path, verb: str) -> AbstractContextManager[None]:
    return failures(path, verb, name="the conversations in", damaged="Remove the file by hand.")
