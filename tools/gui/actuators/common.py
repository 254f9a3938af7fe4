"""Behaviour shared by all actuators: bounds checks, key names, waiting, reading and comparing fields."""

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
"""Pause between two keys in seconds; no program we know loses keys at this rate."""
POLL_S = 0.2
"""Polling interval while waiting, in seconds."""
SETTLE_S, STILL = 3.0, 2
"""A screen has settled when this many consecutive looks agree; the wait ends after SETTLE_S in any case."""
DRAG_STEPS = 12
"""Points between the ends of a drag, since programs ignore a single jump."""


class WrongText(AttendError):
    """A field does not contain what was typed into it, or that cannot be verified; a person has to look.

    The message quotes neither: typed text may be a password, and errors are logged.
    """


class Interrupted(MediaError):
    """The program reported something that a person has to see; the last action may have failed."""


def check_points(action: Action, rect: Rect) -> None:
    """Refuse an action with a point off the screen, before anything is done. Raises ToolFailed."""
    for point in points_of(action):
        if not rect.holds(point):
            raise ToolFailed(
                f"invalid point ({point.x_px:g}, {point.y_px:g}): it is off the screen.",
                expected=f"x from 0 to below {rect.right:g} and y from 0 to below {rect.bottom:g}, in image pixels",
                remedy="Take a new screenshot and find the target again.",
            )


def key_names(action: PressKey) -> list[str]:
    """Return the names of an action's keys, modifiers first. Raises ToolFailed if one is unknown."""
    names = []
    for key in action.keys:
        name = key_name(key)
        if not is_key(name):
            raise ToolFailed(
                f"unknown key {key!r}.", expected=f"a single character or one of {', '.join(sorted(KEYS))}"
            )
        names.append(name.lower() if len(action.keys) > 1 else name)
    return sorted(names, key=lambda name: name not in MODIFIERS)


def wait_for(action: WaitFor, look: Callable[[], Screen], stop: KillSwitch) -> str:
    """Wait until the words appear or disappear.

    Raises:
        ToolFailed: if they did not in time.
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
    """Return the words within the rectangle. Raises ToolFailed if they need OCR and RapidOCR is missing."""
    return shown_text(screen, action.rect)


def settle(look: Callable[[], bytes], stop: KillSwitch, seconds: float = SETTLE_S) -> None:
    """Wait until the result of `look` (pixels or a PNG) stays the same, as after an animation, for at most `seconds`.

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
    """Raise WrongText unless a field contains exactly the typed text; all kinds of line breaks are equal."""
    meant, found = _lines(typed), _lines(held)
    if meant != found:
        pairs = enumerate(zip(meant, found, strict=False))
        alike = next((at for at, (one, other) in pairs if one != other), min(len(meant), len(found)))
        raise WrongText(
            f"cannot verify the typed text: the field has {len(found)} characters (by {how}) instead of "
            f"{len(meant)}; they differ from character {alike + 1} on.",
            remedy="Look at the screen and correct it by hand.",
        )


def not_an_action(action: object) -> ToolFailed:
    """Return the error for an object that is not an action."""
    return ToolFailed(f"unknown action {type(action).__name__}.", expected="one of `tools.gui.types.Action`")


def as_rgb(png: bytes) -> np.ndarray:
    """Decode a PNG to (height, width, 3), uint8. Raises MediaError."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError("cannot decode the screenshot.", expected="a PNG")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def shorten(text: str, most: int = 80) -> str:
    """Truncate a text to this many characters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
