"""Broadcast of a room's events to any number of pages, each at its own speed and in bounded memory.

Each page has a cursor. The broadcast keeps the latest messages and the newest of each state (such as the status); a
page that falls behind further starts again from a snapshot, so that a slow page delays nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel

MAX_MESSAGES = 2_000
"""Number of messages kept for slow pages; most are single tokens of an answer."""


class Lagged(Exception):
    """Raised when messages after a cursor are no longer kept, so that the page needs a snapshot."""


class Broadcast:
    """A bounded log of messages, each serialised once for all pages. Use it from one event loop only."""

    def __init__(self) -> None:
        self._log: deque[tuple[int, str]] = deque(maxlen=MAX_MESSAGES)
        self._states: dict[str, tuple[int, str]] = {}
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False
        self.readers = 0

    @property
    def cursor(self) -> int:
        """The cursor after the newest message."""
        return self._number

    def send(self, message: BaseModel) -> None:
        """Send a message to every page."""
        self._number += 1
        self._log.append((self._number, message.model_dump_json()))
        self._wake()

    def send_state(self, name: str, message: BaseModel) -> None:
        """Send the current state of something to every page; only the newest message of a name is kept."""
        self._number += 1
        self._states[name] = (self._number, message.model_dump_json())
        self._wake()

    def close(self) -> None:
        """End all readers."""
        self._closed = True
        self._wake()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a reader for the duration of the block."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    async def after(self, cursor: int) -> tuple[int, list[str]]:
        """Wait for messages after a cursor; return the new cursor and the messages, or none once it is closed.

        Raises:
            Lagged: if messages after the cursor are no longer kept.
        """
        while True:
            if self._closed:
                return cursor, []
            oldest = self._log[0][0] if self._log else self._number + 1
            if len(self._log) == MAX_MESSAGES and cursor < oldest - 1:
                raise Lagged
            found = [entry for entry in (*self._log, *self._states.values()) if entry[0] > cursor]
            if found:
                found.sort()
                return self._number, [text for _, text in found]
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
