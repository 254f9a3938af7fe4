"""Actuator for an X desktop: pyautogui for mouse and keys, mss for screenshots, AT-SPI for the tree if there is one.

On X11, pyautogui types ">" for "<" and silently drops every character outside ASCII. So xdotool, if installed, types
ASCII, since it follows the keyboard layout; other characters are mapped to spare keys until the field is read back.
xdotool unmaps such a key at once, so that a busy program misses the character.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tools.errors import ConfigError, MediaError, Stopped, ToolFailed
from tools.gui.actuators.atspi import NoBindings, in_front, read_tree
from tools.gui.actuators.common import (
    DRAG_STEPS,
    KEY_S,
    WrongText,
    check_field,
    check_points,
    key_names,
    not_an_action,
    read,
    settle,
    wait_for,
)
from tools.gui.actuators.screen_text import shown_text
from tools.gui.actuators.x11 import (
    CHUNK_DELAY_MS,
    REMAP_S,
    chunks_of,
    find_spare_keys,
    load_pyautogui,
    on_keys,
    press_key,
    release_inputs,
    run_tool,
    runs_of,
)
from tools.gui.actuators.x11_windows import list_windows
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.vision.controls import find_frames
from tools.gui.guard.kill_switch import KillSwitch, open_display
from tools.gui.types import (
    Action,
    Click,
    Drag,
    PressKey,
    Read,
    Rect,
    Screen,
    Scroll,
    TypeText,
    View,
    WaitFor,
)
from tools.media.screen import mss_backend

FOCUS_S = 1.0
"""Time within which a clicked field shows the focus, as by its frame; a field that already had it shows no change.
Window managers delay clicks but not keys, so keys may overtake a click."""
SELECT_S = 3.0
"""Time within which a program has to answer with its selection, in seconds."""
MIN_SIMILARITY = 0.85
"""Minimum similarity of the text read in a field's pixels to the typed text, if nothing exact is available."""

_NAMES = {"super": "win", "escape": "esc"}
_SELECT_ALL, _TO_END = (["ctrl", "home"], ["ctrl", "shift", "end"]), (["ctrl", "end"], ["end"])
"""Some single-line fields know only the keys for a line."""


class DesktopActuator:
    """An `Actuator` for one monitor of the X display that $DISPLAY names.

    Args:
        stop: the kill switch, polled between keys.
        monitor: number of the monitor, from 1.
        tree: whether to read the accessibility tree, if there is one.

    Raises:
        ConfigError: if there is no X display (as on Wayland), pyautogui cannot use it, or there is no such monitor.
    """

    name = "desktop"

    def __init__(self, stop: KillSwitch | None = None, *, monitor: int = 1, tree: bool = True) -> None:
        self._stop, self._tree = stop or KillSwitch(), tree
        self._display, self._other_display = open_display(), open_display()
        self._gui = load_pyautogui()
        self._thread, self._lock = threading.get_ident(), threading.Lock()
        self._keys: list[str] = []
        self._buttons: list[str] = []
        import mss

        self._shots = mss.MSS(backend=mss_backend())
        if not 1 <= monitor < len(self._shots.monitors):
            count = len(self._shots.monitors) - 1
            self.close()
            raise ConfigError(f"unknown monitor {monitor}.", expected=f"a number from 1 to {count}")
        self._monitor = self._shots.monitors[monitor]

    def screen(self, *, tree: bool = True) -> Screen:
        """Take a screenshot of the monitor. Raises MediaError."""
        rgb = self._shoot()
        view = View(self._monitor["left"], self._monitor["top"], rgb.shape[1] / self._monitor["width"])
        shown = Rect(left=0, top=0, right=rgb.shape[1], bottom=rgb.shape[0])
        window, nodes = self._window(), None
        if tree and self._tree:
            try:
                nodes = read_tree(view, shown)
            except NoBindings:
                self._tree = False
        windows = list_windows(self._display, view, shown)
        return Screen(rgb=rgb, view=view, nodes=in_front(nodes or (), window), window=window, windows=windows)

    def perform(self, action: Action) -> str:
        """Perform an action, and wait until the screen settles; return the text read, or the field's text after typing.

        Raises:
            ToolFailed: if it cannot be performed; nothing is done then.
            WrongText: if a field does not contain what was typed.
            Stopped: if the kill switch is set, or the mouse is pushed into a corner.
        """
        self._stop.check()
        rgb = self._shoot()
        check_points(action, Rect(left=0, top=0, right=rgb.shape[1], bottom=rgb.shape[0]))
        view = View(self._monitor["left"], self._monitor["top"], rgb.shape[1] / self._monitor["width"])
        try:
            result = self._do(action, view)
            if action.kind not in ("wait", "read"):
                self._settle()
        except self._gui.FailSafeException as error:
            self._stop.set("the mouse in a corner of the screen")
            self.release()
            raise Stopped("stopped: the mouse is in a corner of the screen.") from error
        except Stopped:
            self.release()
            raise
        return result

    def release(self) -> None:
        """Release all held keys and buttons; from any thread. Raises MediaError if the X server is gone."""
        if not self._keys and not self._buttons:
            return
        if threading.get_ident() == self._thread:
            release_inputs(self._display, self._keys, self._buttons)
            self._keys.clear()
            self._buttons.clear()
            return
        with self._lock:
            # Uses its own connection: the thread that performs actions may wait for an answer on any other. That
            # other. It may also be about to press what it lists, and releases that once more when it next polls.
            release_inputs(self._other_display, tuple(self._keys), tuple(self._buttons))

    def close(self) -> None:
        """Close the display connection."""
        self.release()
        self._shots.close()
        self._display.close()
        self._other_display.close()

    def _settle(self) -> None:
        settle(lambda: self._shoot().tobytes(), self._stop)

    def _shoot(self) -> np.ndarray:
        import mss

        try:
            shot = self._shots.grab(self._monitor)
        except mss.ScreenShotError as error:
            raise MediaError(f"cannot read the screen: {error}.", remedy="Is the X server running?") from error
        return np.frombuffer(shot.rgb, dtype=np.uint8).reshape(shot.height, shot.width, 3)

    def _window(self) -> str:
        """Return the title of the front window, by the window manager, else by keyboard focus, pointer and stack."""
        from Xlib import X
        from Xlib.error import BadWindow

        root = self._display.screen().root
        try:
            active = root.get_full_property(self._display.intern_atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
            window = None
            if active is not None and active.value[0]:
                window = self._display.create_resource_object("window", active.value[0])
            else:
                focus = self._display.get_input_focus().focus
                window = root.query_pointer().child if isinstance(focus, int) or focus == root else focus
            while window and not isinstance(window, int) and window != root:
                if title := self._title(window):
                    return title
                window = window.query_tree().parent
            # No window manager, and the pointer is outside all windows: use the topmost titled one.
            for window in reversed(root.query_tree().children):
                shown = window.get_attributes().map_state == X.IsViewable
                if shown and (title := self._title(window)):
                    return title
        except BadWindow:
            pass  # It closed while it was read.
        return ""

    def _title(self, window: Any) -> str:
        from Xlib import X

        for name in ("_NET_WM_NAME", "WM_NAME"):
            found = window.get_full_property(self._display.intern_atom(name), X.AnyPropertyType)
            if found is not None and found.value:
                return found.value if isinstance(found.value, str) else found.value.decode("utf-8", "replace")
        below = window.query_tree().children
        return next((title for child in below if (title := self._title(child))), "") if len(below) == 1 else ""

    def _do(self, action: Action, view: View) -> str:
        match action:
            case Click():
                self._click(view.to_screen(action.point), action.button, action.count)
            case Drag():
                self._drag(view.to_screen(action.start), view.to_screen(action.end))
            case Scroll():
                self._gui.moveTo(*view.to_screen(action.point), _pause=False)
                self._gui.scroll(-action.notches, _pause=False)
            case TypeText():
                return self._type(action, view)
            case PressKey():
                self._press(key_names(action))
            case WaitFor():
                return wait_for(action, self.screen, self._stop)
            case Read():
                return read(action, self.screen())
            case _:
                raise not_an_action(action)
        return ""

    def _click(self, at: tuple[float, float], button: str = "left", count: int = 1) -> None:
        self._gui.moveTo(*at, _pause=False)
        for _ in range(count):
            self._stop.check()
            with self._button(button):
                pass

    def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._gui.moveTo(*start, _pause=False)
        with self._button("left"):
            for step in range(1, DRAG_STEPS + 1):
                self._stop.pause(2 * KEY_S)
                share = step / DRAG_STEPS
                self._gui.moveTo(
                    start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]), _pause=False
                )

    @contextlib.contextmanager
    def _button(self, button: str) -> Iterator[None]:
        self._buttons.append(button)
        self._gui.mouseDown(button=button, _pause=False)
        yield
        self.release()

    def _press(self, keys: Sequence[str]) -> None:
        for key in keys:
            if not self._gui.isValidKey(_NAMES.get(key, key)):
                raise ToolFailed(f"cannot press the key {key!r} on this keyboard.", remedy="Type it as text.")
        for key in keys:
            self._stop.check()
            self._keys.append(_NAMES.get(key, key))
            self._gui.keyDown(self._keys[-1], _pause=False)
        self.release()

    def _type(self, action: TypeText, view: View) -> str:
        spare = [] if action.text.isascii() else find_spare_keys(self._display)
        if not action.text.isascii() and not spare:
            raise ToolFailed(
                "cannot type characters other than ASCII: the keyboard has no spare key.", remedy="Type in ASCII."
            )
        self._focus(view.to_screen(action.point))
        if action.replace:
            for keys in _SELECT_ALL:
                self._press(keys)
            self._press(["backspace"])
        else:
            for keys in _TO_END:
                self._press(keys)
        with contextlib.ExitStack() as held:
            for number, run in enumerate(runs_of(action.text, len(spare))):
                if number:
                    self._settle()  # the text must be read while its keys are mapped
                    held.close()
                rare = "".join(dict.fromkeys(character for character in run if not character.isascii()))
                self._write(run, held.enter_context(on_keys(self._display, rare, spare)))
            self._settle()
            return self._read_back(action, view)

    def _focus(self, at: tuple[float, float]) -> None:
        """Click a field, and wait until it shows the focus: keys that overtake the click would change another field."""
        self._gui.moveTo(*at, _pause=False)
        self._settle()
        before, ends = self._shoot(), time.monotonic() + FOCUS_S
        self._click(at)
        while np.array_equal(self._shoot(), before) and time.monotonic() < ends:
            self._stop.pause(KEY_S)
        self._settle()

    def _write(self, text: str, keys: Mapping[str, int]) -> None:
        if keys:
            self._stop.pause(REMAP_S)
        for chunk in chunks_of(text):
            self._stop.check()
            if chunk in keys:
                press_key(self._display, keys[chunk])
                self._stop.pause(KEY_S)
            elif shutil.which("xdotool"):
                # Everybody on the machine can see a program's arguments.
                run_tool(["xdotool", "type", "--delay", str(CHUNK_DELAY_MS), "--file", "-"], chunk)
            else:
                for key in chunk:
                    self._gui.press({"\n": "enter", "\t": "tab"}.get(key, key), _pause=False)
                    self._stop.pause(KEY_S)

    def _read_back(self, action: TypeText, view: View) -> str:
        """Return the field's text: from the tree, else by selecting all of it, else from its pixels."""
        if any(mark in action.text for mark in "\n\t"):
            return ""  # The focus may be elsewhere by now.
        screen = self.screen()
        fields = [node for node in screen.nodes or () if node.role == "textbox" and node.rect.holds(action.point)]
        if fields:
            held, how = min(fields, key=lambda node: node.rect.area).value, "the accessibility tree"
        else:
            selected = self._selected()
            if selected is None:
                return _check_pixels(screen, action)
            held, how = selected, "its selection"
        if action.replace:
            check_field(action.text, held, how)
        else:
            check_field(action.text, held[-len(action.text) :] if action.text else "", f"the end of {how}")
        return held

    def _selected(self) -> str | None:
        """Return the text of the focused field by selecting it; None if the program does not answer."""
        if shutil.which("xclip") is None:
            return None
        token, read = secrets.token_hex(8), ["xclip", "-out", "-selection", "primary"]
        run_tool(["xclip", "-in", "-selection", "primary"], token)
        ends = time.monotonic() + SELECT_S
        # xclip returns before it owns the selection, and would take it from the program later.
        while run_tool(read) != token and time.monotonic() < ends:
            self._stop.pause(KEY_S)
        for keys in _SELECT_ALL:
            self._press(keys)
        held, ends = token, time.monotonic() + SELECT_S
        while held == token and time.monotonic() < ends:
            self._stop.pause(KEY_S)
            held = run_tool(read)
        self._press(["end"])
        return None if held == token else held


def _check_pixels(screen: Screen, action: TypeText) -> str:
    """Return the text in the field's pixels; raises WrongText if it differs from the typed text or is unreadable."""
    point = Rect(
        left=action.point.x_px - 1, top=action.point.y_px - 1, right=action.point.x_px + 1, bottom=action.point.y_px + 1
    )
    field = find_frames(screen.rgb).around(point, 400.0) or Rect(
        left=point.left - 200, top=point.top - 14, right=point.right + 200, bottom=point.bottom + 14
    )
    try:
        seen = " ".join(shown_text(screen, field, pixels=True).split())
    except ToolFailed as error:
        reason = f"cannot verify the {len(action.text)} typed characters: {error.problem}"
        raise WrongText(reason, remedy="Look at the screen; with xclip installed, fields are read exactly.") from error
    # A long text scrolls: its end is visible.
    typed = " ".join(action.text.split())
    end = typed[-len(seen) :] if len(typed) > len(seen) + 3 and seen else typed
    if max(likeness(seen, typed), likeness(seen, end)) < MIN_SIMILARITY and (seen or typed):
        raise WrongText(
            f"cannot verify the typed text: OCR reads {len(seen)} characters unlike the {len(typed)} typed.",
            remedy="Look at the screen; with xclip installed, fields are read exactly.",
        )
    return seen
