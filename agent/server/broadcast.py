"""`Feed`: what happens in a room, told to any number of pages, each at its own speed and within fixed memory.

A page holds a cursor. The feed keeps the last messages and the newest of each state (such as the status); a page that
fell behind further than that is told so and starts from a fresh snapshot. So a slow page costs nobody anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel

MESSAGES_HELD = 2_000
"""Messages kept for pages that lag, mostly single tokens of an answer; our choice."""


class Lagged(Exception):
    """A page fell further behind than the feed reaches back: it needs a snapshot."""


class Feed:
    """A bounded log of messages, each made to JSON once for all pages. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._log: deque[tuple[int, str]] = deque(maxlen=MESSAGES_HELD)
        self._states: dict[str, tuple[int, str]] = {}
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False
        self.readers = 0

    @property
    def cursor(self) -> int:
        """Where a page stands that knows everything told so far."""
        return self._number

    def tell(self, message: BaseModel) -> None:
        """Tell every page of something that happened."""
        self._number += 1
        self._log.append((self._number, message.model_dump_json()))
        self._wake()

    def state(self, name: str, message: BaseModel) -> None:
        """Tell every page how something stands now; only the newest message of a name is kept."""
        self._number += 1
        self._states[name] = (self._number, message.model_dump_json())
        self._wake()

    def close(self) -> None:
        """End all reading."""
        self._closed = True
        self._wake()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count a reader for as long as this lasts."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    async def after(self, cursor: int) -> tuple[int, list[str]]:
        """Wait for messages after a cursor; return the new cursor and the messages, none once the feed is closed.

        Raises:
            Lagged: if messages after the cursor are no longer kept.
        """
        while True:
            if self._closed:
                return cursor, []
            oldest = self._log[0][0] if self._log else self._number + 1
            if len(self._log) == MESSAGES_HELD and cursor < oldest - 1:
                raise Lagged
            found = [entry for entry in (*self._log, *self._states.values()) if entry[0] > cursor]
            if found:
                found.sort()
                return self._number, [text for _, text in found]
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
