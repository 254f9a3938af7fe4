"""Watcher of a person's actions on an X display: clicks, wheel and keys, from the RECORD extension.

Typed text is never recorded: a key that writes a character is reported only as such. Programs are not disturbed, and
input injected by xdotool or another program looks the same as a person's.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from tools.errors import ConfigError
from tools.gui.guard.kill_switch import open_display
from tools.gui.recording.events import DOUBLE_S, NEAR_PX, Event
from tools.gui.types import Point, Screen

_BUTTONS = {1: "left", 2: "middle", 3: "right"}
_WHEEL = {4: -1, 5: 1}
_NAMED = {
    **{"Return": "enter", "KP_Enter": "enter", "Tab": "tab", "Escape": "escape"},
    **{"BackSpace": "backspace", "Delete": "delete", "KP_Delete": "delete", "Insert": "insert", "space": "space"},
    **{"Home": "home", "End": "end", "Prior": "pageup", "Next": "pagedown"},
    **{"Up": "up", "Down": "down", "Left": "left", "Right": "right"},
    **{f"F{number}": f"f{number}" for number in range(1, 13)},
}


_BACK_TAB = 0xFE20
"""Symbol of Tab with Shift (XK_ISO_Left_Tab), which python-xlib does not name."""
_NO_CHARACTER = 0xFE00
"""First symbol, below those of Unicode, of keys that write nothing: Shift and other modifiers, Enter, arrows."""
_KEYPAD = range(0xFFAA, 0xFFBA)
_UNICODE = 0x1000000


class XWatcher:
    """Reports events of the X display in $DISPLAY.

    Raises:
        ConfigError: if there is no X display, or it has no RECORD extension.
    """

    def __init__(self) -> None:
        self._display, self._records = open_display(), open_display()
        from Xlib import X
        from Xlib.ext import record

        if not self._display.has_extension("RECORD"):
            self._display.close()
            self._records.close()
            raise ConfigError(
                "cannot watch this X display: it has no RECORD extension.",
                remedy="Use an X server that has it (Xorg, Xvfb); Wayland does not expose events.",
            )
        self._reported: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._pressed: dict[int, tuple[float, float]] = {}
        self._last = Event("click", 0.0)
        every = {
            "core_requests": (0, 0),
            "core_replies": (0, 0),
            "ext_requests": (0, 0, 0, 0),
            "ext_replies": (0, 0, 0, 0),
            "delivered_events": (0, 0),
            "device_events": (X.KeyPress, X.ButtonRelease),
            "errors": (0, 0),
            "client_started": False,
            "client_died": False,
        }
        self._context = self._records.record_create_context(0, [record.AllClients], [every])
        self._thread = threading.Thread(target=self._watch, name="watch-x11", daemon=True)
        self._thread.start()

    @staticmethod
    def point(event: Event, screen: Screen) -> Point:
        """Return the point of an event, in image pixels."""
        return screen.view.to_image(event.x, event.y)

    def events(self) -> list[Event]:
        """Return the events since the last call, in order."""
        pending = []
        while not self._reported.empty():
            pending.append(self._reported.get())
        return pending

    def close(self) -> None:
        """Stop watching."""
        self._display.record_disable_context(self._context)
        self._display.flush()
        self._thread.join(timeout=5)
        self._display.close()

    def _watch(self) -> None:
        self._records.record_enable_context(self._context, self._take)
        self._records.record_free_context(self._context)
        self._records.close()

    def _take(self, reply: Any) -> None:
        from Xlib import X
        from Xlib.ext import record
        from Xlib.protocol import rq

        if reply.category != record.FromServer or reply.client_swapped or not reply.data:
            return
        data, now = reply.data, time.monotonic()
        while data:
            event, data = rq.EventField(None).parse_binary_value(data, self._records.display, None, None)
            at = float(event.root_x), float(event.root_y)
            if event.type == X.ButtonPress and event.detail in _WHEEL:
                self._reported.put(Event("scroll", now, *at, notches=_WHEEL[event.detail]))
            elif event.type == X.ButtonPress and event.detail in _BUTTONS:
                self._pressed[event.detail] = at
                self._click(event.detail, now, at)
            elif event.type == X.ButtonRelease and event.detail in _BUTTONS:
                begun = self._pressed.pop(event.detail, at)
                if max(abs(begun[0] - at[0]), abs(begun[1] - at[1])) > NEAR_PX:
                    self._reported.put(Event("drag", now, *begun))
            elif event.type == X.KeyPress:
                self._key(event.detail, event.state, now)

    def _click(self, button: int, now: float, at: tuple[float, float]) -> None:
        last = self._last
        again = (
            now - last.at_s < DOUBLE_S
            and last.button == _BUTTONS[button]
            and max(abs(last.x - at[0]), abs(last.y - at[1])) <= NEAR_PX
        )
        self._last = Event("click", now, *at, button=_BUTTONS[button], count=last.count + 1 if again else 1)
        self._reported.put(self._last)

    def _key(self, code: int, state: int, now: float) -> None:
        from Xlib import XK, X

        symbol = self._display.keycode_to_keysym(code, state & X.ShiftMask)
        symbol = symbol or self._display.keycode_to_keysym(code, 0)
        name = next((name for name in _NAMED if XK.string_to_keysym(name) == symbol), "")
        name = "Tab" if symbol == _BACK_TAB else name
        held = [
            word for mask, word in ((X.ControlMask, "ctrl"), (X.Mod1Mask, "alt"), (X.Mod4Mask, "super")) if state & mask
        ]
        writes = symbol < _NO_CHARACTER or symbol in _KEYPAD or symbol >= _UNICODE
        if writes and not held:
            self._reported.put(Event("text", now))
            return
        plain = self._display.keycode_to_keysym(code, 0)
        key = _NAMED.get(name) or (chr(plain).lower() if 0x20 < plain < 0x7F else "")
        if not key:
            return
        shift = ["shift"] if state & X.ShiftMask else []
        self._reported.put(Event("key", now, keys="+".join([*held, *shift, key])))
