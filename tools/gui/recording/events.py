"""What a person did on a screen, as watchers report it; never what was typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tools.errors import MediaError
from tools.gui.types import Point, Screen

DOUBLE_S = 0.4
"""Seconds within which a second click makes a double click; our choice."""
NEAR_PX = 6.0
"""Screen units that a hand may tremble within a click; our choice."""


@dataclass(frozen=True)
class Event:
    """One thing that was done.

    Attributes:
        kind: `text` says that something was typed or pasted into a field, and not what; `stray` that something was
            typed where no field has the keys; `choice` that an option of a list was chosen; `drag` begins at the point;
            `frame` that a frame of another origin was worked in, which tells no more.
        at_s: when, in seconds of `time.monotonic`.
        x, y: where, in screen units (CSS pixels of a browser's page); NaN where it is not known.
        button: `left`, `middle` or `right`.
        count: of a click; 2 is a double click, which was told as a single one before.
        notches: of the wheel, positive ones go down.
        keys: pressed together, such as `ctrl+s`.
    """

    kind: Literal["click", "scroll", "key", "text", "stray", "choice", "drag", "frame"]
    at_s: float
    x: float = float("nan")
    y: float = float("nan")
    button: str = "left"
    count: int = 1
    notches: int = 0
    keys: str = ""


class Closed(MediaError):
    """What was watched is closed, which is a way to end it."""


class Watcher(Protocol):
    """Reports what a person does."""

    def point(self, event: Event, screen: Screen) -> Point:
        """Where an event was, in pixels of a screen's image."""

    def events(self) -> list[Event]:
        """What was done since the last call, in order. Raises Closed, and MediaError if it cannot be watched."""

    def close(self) -> None:
        """Watch no longer."""
