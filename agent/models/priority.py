"""Who goes first where one model serves people and watches: watches begin nothing while a person waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Precedence:
    """Counts the questions of people that are being answered; watches begin nothing meanwhile.

    What a watch has begun goes on: it cannot be interrupted everywhere, and takes one short answer.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._questions = 0

    @contextmanager
    def person(self) -> Iterator[None]:
        """While this lasts, a person's question is being answered."""
        with self._changed:
            self._questions += 1
        try:
            yield
        finally:
            with self._changed:
                self._questions -= 1
                self._changed.notify_all()

    def wait_for_people(self, timeout_s: float) -> bool:
        """Wait until no question is being answered; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._questions, timeout_s)
