"""What all actuators do alike: refuse points off the screen, name keys, wait for words, read, and compare fields."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tools.errors import AttendError, MediaError, ToolFailed
from tools.gui.actuators.screen_text import shown_text, shows
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.keys import KEYS, MODIFIERS, is_key, key_name
from tools.gui.types import Action, PressKey, Read, Rect, Screen, WaitFor, points_of

KEY_S = 0.008
"""Seconds between two keys; our choice: quick, and no program we know loses keys at it."""
POLL_S = 0.2
"""Seconds between two looks while waiting; our choice."""
SETTLE_S, STILL = 3.0, 2
"""A screen has come to rest when so many looks in a row agree, and is not waited for longer; our choice."""
DRAG_STEPS = 12
"""Places between the ends of a drag, since programs take a leap for no drag; our choice."""


class WrongText(AttendError):
    """A field does not hold what was typed into it, or nobody can tell; a person has to look.

    It quotes neither: what is typed may be a password, and errors go into records.
    """


class Interrupted(MediaError):
    """What is worked on told something by itself that a person has to see; what was done may have failed."""


def check_points(action: Action, rect: Rect) -> None:
    """Refuse an action that touches a point off the screen, before anything is done. Raises ToolFailed."""
    for point in points_of(action):
        if not rect.holds(point):
            raise ToolFailed(
                f"the point ({point.x_px:g}, {point.y_px:g}) lies off the screen.",
                expected=f"x from 0 to below {rect.right:g} and y from 0 to below {rect.bottom:g}, in image pixels",
                remedy="Take a new screenshot and find the target again.",
            )


def key_names(action: PressKey) -> list[str]:
    """The keys of an action by their names here, modifiers first. Raises ToolFailed if one is unknown."""
    names = []
    for key in action.keys:
        name = key_name(key)
        if not is_key(name):
            raise ToolFailed(
                f"there is no key {key!r}.", expected=f"a single character or one of {', '.join(sorted(KEYS))}"
            )
        names.append(name.lower() if len(action.keys) > 1 else name)
    return sorted(names, key=lambda name: name not in MODIFIERS)


def wait_for(action: WaitFor, look: Callable[[], Screen], stop: KillSwitch) -> str:
    """Wait as an action says.

    Raises:
        ToolFailed: if the words did not come (or go) in time.
        Stopped: if the kill switch is set.
    """
    if not action.words:
        stop.pause(action.seconds)
        return ""
    ends = time.monotonic() + action.seconds
    while True:
        stop.check()
        if shows(look(), action.words) != action.gone:
            return ""
        if time.monotonic() > ends:
            raise ToolFailed(
                f"{action.words!r} is {'still' if action.gone else 'not'} shown after {action.seconds:g} s.",
                remedy="Look at the screen; allow more seconds if the program is only slow.",
            )
        stop.pause(POLL_S)


def read(action: Read, screen: Screen) -> str:
    """The words within an action's rectangle. Raises ToolFailed if they have to be read and RapidOCR is missing."""
    return shown_text(screen, action.rect)


def settle(look: Callable[[], bytes], stop: KillSwitch, seconds: float = SETTLE_S) -> None:
    """Wait until what `look` gives (pixels or a PNG) stays the same, as after an animation; give up after some seconds.

    Raises:
        Stopped: if the kill switch is set.
    """
    ends, before, same = time.monotonic() + seconds, look(), 1
    while same < STILL and time.monotonic() < ends:
        stop.pause(0.05)
        now = look()
        same = same + 1 if now == before else 1
        before = now


def check_field(typed: str, held: str, how: str) -> None:
    """Raise WrongText unless a field holds exactly what was typed; line breaks count alike however they are written."""
    meant, found = _lines(typed), _lines(held)
    if meant != found:
        pairs = enumerate(zip(meant, found, strict=False))
        alike = next((at for at, (one, other) in pairs if one != other), min(len(meant), len(found)))
        raise WrongText(
            f"the field holds {len(found)} characters (by {how}) where {len(meant)} were meant; they differ from "
            f"character {alike + 1} on.",
            remedy="Look at the screen and set it right by hand.",
        )


def not_an_action(action: object) -> ToolFailed:
    """The error for something that no actuator can do."""
    return ToolFailed(f"{type(action).__name__} is no action.", expected="one of `tools.gui.types.Action`")


def as_rgb(png: bytes) -> np.ndarray:
    """Decode a PNG to (height, width, 3), uint8. Raises MediaError."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError("the screenshot cannot be decoded.", expected="a PNG")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def shorten(text: str, most: int = 80) -> str:
    """A text cut to so many characters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
