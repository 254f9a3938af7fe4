"""Rate limit by a token bucket shared by a user's threads and processes: at most `1 + rate * t` requests in t seconds.

It is stored as one number, the time at which the bucket will be full again (the virtual schedule of the generic cell
rate algorithm, ITU-T I.371, annex A), and a second one: the time until which a server asked to wait.
"""

from __future__ import annotations

from pathlib import Path

from tools.errors import AttendError
from tools.literature.remote.clock import Timing
from tools.literature.remote.database import transaction

_SCHEMA = "CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, full_s REAL NOT NULL, held_s REAL NOT NULL)"
_SHORTEST_S = 1e-3  # so that rounding cannot cause an endless loop of empty naps


class Held(AttendError):
    """A server asked for a longer pause than the caller waits; `wait_s` is its length."""

    def __init__(self, name: str, wait_s: float) -> None:
        super().__init__(
            f"cannot ask {name}: it asked for a pause of {wait_s:.0f} s.",
            remedy="Ask again then, or answer from the cache with `literature.offline`.",
        )
        self.wait_s = wait_s


class Bucket:
    """The rate limit of one server.

    Args:
        path: a SQLite file that the processes share; it may have many buckets.
        name: name of the server, the same for all who share the bucket.
        rate: requests per second.
        timing: the clock, and how to wait.

    Raises:
        ValueError: if the rate is not above 0.
    """

    def __init__(self, path: Path, name: str, rate: float, timing: Timing | None = None) -> None:
        if not rate > 0:
            raise ValueError(f"invalid rate {rate!r}: it must be positive")
        self.path, self.name, self.rate = path, name, rate
        self._timing = timing or Timing()

    def take(self, patience_s: float) -> float:
        """Wait for a token, and return the time (s since the epoch) at which it was taken.

        Nobody locks the file while waiting, and the token is stamped when it is taken, not when it was promised, so an
        early waker does not catch up with a late one.

        Args:
            patience_s: maximum pause to wait for, if the server asked for one.

        Raises:
            Held: immediately, if the server asked for a longer one.
            StoreError: if the shared file is not usable: uncounted requests are not sent.
        """
        while True:
            now_s, wait_s = self._try(patience_s)
            if wait_s <= 0:
                return now_s
            self._timing.sleep(max(wait_s, _SHORTEST_S))

    def hold(self, wait_s: float) -> None:
        """Block all requests for some seconds from now, as requested by the server. Raises StoreError."""
        with transaction(self.path, _SCHEMA, durable=False) as sql:
            until_s = self._timing.now() + wait_s
            sql.execute(
                "INSERT INTO bucket VALUES (?, 0, ?) ON CONFLICT (name) DO UPDATE SET held_s = max(held_s, ?)",
                (self.name, until_s, until_s),
            )

    def _try(self, patience_s: float) -> tuple[float, float]:
        """Take a token if there is one; return the time, and how long to wait before trying again."""
        step_s = 1 / self.rate
        with transaction(self.path, _SCHEMA, durable=False) as sql:
            now_s = self._timing.now()  # read while the file is locked: an earlier value may be stale by then
            row = sql.execute("SELECT full_s, held_s FROM bucket WHERE name = ?", (self.name,)).fetchone()
            full_s, held_s = row or (0.0, 0.0)
            if (back_s := full_s - now_s - step_s) > 0:  # the clock was set back
                full_s, held_s = full_s - back_s, held_s - back_s  # an empty bucket, and as long a pause as before
            if held_s - now_s > patience_s:
                raise Held(self.name, held_s - now_s)
            free_s = max(full_s, held_s)
            if free_s <= now_s:
                full_s = max(full_s, now_s) + step_s
            sql.execute("INSERT OR REPLACE INTO bucket VALUES (?, ?, ?)", (self.name, full_s, held_s))
        return now_s, free_s - now_s
