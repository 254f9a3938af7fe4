"""Events of a person's work on a screen, as watchers report them; never the typed text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from tools.errors import MediaError
from tools.gui.types import Point, Screen

DOUBLE_S = 0.4
"""Maximum interval of the clicks of a double click, in seconds."""
NEAR_PX = 6.0
"""Maximum movement within a click, in screen units."""


@dataclass(frozen=True)
class Event:
    """A single action of a person.

    Attributes:
        kind: `text` means that something was typed or pasted into a field, without the text; `stray` that something was
            typed without a focused field; `choice` that an option of a list was chosen; `drag` begins at the point;
            `frame` that a frame of another origin was used, without details.
        at_s: time, in seconds of `time.monotonic`.
        x, y: position in screen units (CSS pixels of a browser page); NaN if unknown.
        button: `left`, `middle` or `right`.
        count: of a click; 2 is a double click, which was reported as a single one before.
        notches: of the wheel, positive ones scroll down.
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
    """The watched page or window is closed, which ends the recording."""


class Watcher(Protocol):
    """Reports a person's actions."""

    def point(self, event: Event, screen: Screen) -> Point:
        """Return the point of an event, in pixels of a screen's image."""

    def events(self) -> list[Event]:
        """Return the events since the last call, in order. Raises Closed, and MediaError if watching fails."""

    def close(self) -> None:
        """Stop watching."""
