"""Clock of the clients of remote sources, replaced in tests."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """A clock, a way to wait, and randomness.

    Attributes:
        now: seconds since the epoch. Not a monotonic clock, since processes and dates in headers share it.
        sleep: waits some seconds.
        chance: a number in [0, 1), for jitter.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
