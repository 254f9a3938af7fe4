"""The desktop of an X server: pyautogui for mouse and keys, mss for screenshots, AT-SPI for the tree if there is one.

pyautogui on X11 types ">" for "<" and drops every character outside ASCII without a word. ASCII is therefore typed by
xdotool, where it is installed, since it follows the keyboard's layout; other characters are put on spare keys until the
field is read back. xdotool clears such a key at once, and a busy program then misses the character.
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
    let_go,
    load_pyautogui,
    on_keys,
    press_key,
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
"""Seconds within which a click on a field shows, as by its frame; one that had the keys before shows nothing new. Our
choice. Window managers hold clicks back, and not keys, so that keys may overtake a click."""
SELECT_S = 3.0
"""Seconds within which a program has to say what is selected; our choice."""
LEAST_READ = 0.85
"""How alike a field's pixels must read to what was typed, where nothing exact can be read; our choice."""

_NAMES = {"super": "win", "escape": "esc"}
_SELECT_ALL, _TO_END = (["ctrl", "home"], ["ctrl", "shift", "end"]), (["ctrl", "end"], ["end"])
"""Some fields of one line know only the keys of a line."""


class DesktopActuator:
    """An `Actuator` for one monitor of the X display that $DISPLAY names.

    Args:
        stop: the kill switch, polled between keys.
        monitor: which one, from 1.
        tree: whether to read the accessibility tree, where there is one.

    Raises:
        ConfigError: if there is no X display (Wayland is none), pyautogui cannot work it, or there is no such monitor.
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
            raise ConfigError(f"there is no monitor {monitor}.", expected=f"a number from 1 to {count}")
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
        """Do one action, and wait until the screen rests; return what was read, or what a field holds after typing.

        Raises:
            ToolFailed: if it cannot be done; nothing is done then.
            WrongText: if a field does not hold what was typed.
            Stopped: if the kill switch falls, or the mouse is pushed into a corner.
        """
        self._stop.check()
        rgb = self._shoot()
        check_points(action, Rect(left=0, top=0, right=rgb.shape[1], bottom=rgb.shape[0]))
        view = View(self._monitor["left"], self._monitor["top"], rgb.shape[1] / self._monitor["width"])
        try:
            said = self._do(action, view)
            if action.kind not in ("wait", "read"):
                self._settle()
        except self._gui.FailSafeException as error:
            self._stop.set("the mouse in a corner of the screen")
            self.release()
            raise Stopped("the work was stopped by the mouse in a corner of the screen.") from error
        except Stopped:
            self.release()
            raise
        return said

    def release(self) -> None:
        """Release every key and button that is held; from any thread. Raises MediaError if the X server is gone."""
        if not self._keys and not self._buttons:
            return
        if threading.get_ident() == self._thread:
            let_go(self._display, self._keys, self._buttons)
            self._keys.clear()
            self._buttons.clear()
            return
        with self._lock:
            # By a connection of its own, since the thread that works the screen may be waiting for an answer on any
            # other. It may also be about to press what it lists, and releases that once more when it next polls.
            let_go(self._other_display, tuple(self._keys), tuple(self._buttons))

    def close(self) -> None:
        """Give the display back."""
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
            raise MediaError(f"the screen cannot be read: {error}.", remedy="Is the X server running?") from error
        return np.frombuffer(shot.rgb, dtype=np.uint8).reshape(shot.height, shot.width, 3)

    def _window(self) -> str:
        """The title of the window in front, by the window manager; without one, by the keys, pointer and stack."""
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
            # No window manager, and the pointer is beside all windows: the topmost one that has a title.
            for window in reversed(root.query_tree().children):
                shown = window.get_attributes().map_state == X.IsViewable
                if shown and (title := self._title(window)):
                    return title
        except BadWindow:
            pass  # It closed while it was asked.
        return ""

    def _title(self, window: Any) -> str:
        from Xlib import X

        for name in ("_NET_WM_NAME", "WM_NAME"):
            told = window.get_full_property(self._display.intern_atom(name), X.AnyPropertyType)
            if told is not None and told.value:
                return told.value if isinstance(told.value, str) else told.value.decode("utf-8", "replace")
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
                raise ToolFailed(f"the key {key!r} cannot be pressed on this keyboard.", remedy="Type it as text.")
        for key in keys:
            self._stop.check()
            self._keys.append(_NAMES.get(key, key))
            self._gui.keyDown(self._keys[-1], _pause=False)
        self.release()

    def _type(self, action: TypeText, view: View) -> str:
        spare = [] if action.text.isascii() else find_spare_keys(self._display)
        if not action.text.isascii() and not spare:
            raise ToolFailed("this keyboard has no spare key for characters other than ASCII.", remedy="Type in ASCII.")
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
                    self._settle()  # what was typed must be read while its keys bear it
                    held.close()
                rare = "".join(dict.fromkeys(character for character in run if not character.isascii()))
                self._write(run, held.enter_context(on_keys(self._display, rare, spare)))
            self._settle()
            return self._read_back(action, view)

    def _focus(self, at: tuple[float, float]) -> None:
        """Click a field, and wait until that shows: keys that overtake the click would change another field."""
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
                # Everybody on the machine sees the arguments of a program.
                run_tool(["xdotool", "type", "--delay", str(CHUNK_DELAY_MS), "--file", "-"], chunk)
            else:
                for key in chunk:
                    self._gui.press({"\n": "enter", "\t": "tab"}.get(key, key), _pause=False)
                    self._stop.pause(KEY_S)

    def _read_back(self, action: TypeText, view: View) -> str:
        """What the field holds now: by the tree, else by selecting it all, else as its pixels read."""
        if any(mark in action.text for mark in "\n\t"):
            return ""  # The keys may be elsewhere by now.
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
        """The text of the field with the focus, by selecting it; None where the program does not say."""
        if shutil.which("xclip") is None:
            return None
        token, read = secrets.token_hex(8), ["xclip", "-out", "-selection", "primary"]
        run_tool(["xclip", "-in", "-selection", "primary"], token)
        ends = time.monotonic() + SELECT_S
        # xclip returns before the selection is its own, and would take it from the program later.
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
    """What the field's pixels read; raises WrongText if that is something else than what was typed, or unreadable."""
    point = Rect(
        left=action.point.x_px - 1, top=action.point.y_px - 1, right=action.point.x_px + 1, bottom=action.point.y_px + 1
    )
    field = find_frames(screen.rgb).around(point, 400.0) or Rect(
        left=point.left - 200, top=point.top - 14, right=point.right + 200, bottom=point.bottom + 14
    )
    try:
        seen = " ".join(shown_text(screen, field, pixels=True).split())
    except ToolFailed as error:
        told = f"{len(action.text)} characters were typed, and nothing can tell what the field holds: {error.problem}"
        raise WrongText(told, remedy="Look at the screen; with xclip installed, fields are read exactly.") from error
    # A long text scrolls: its end is what is seen.
    typed = " ".join(action.text.split())
    end = typed[-len(seen) :] if len(typed) > len(seen) + 3 and seen else typed
    if max(likeness(seen, typed), likeness(seen, end)) < LEAST_READ and (seen or typed):
        raise WrongText(
            f"the field's pixels read as {len(seen)} characters unlike the {len(typed)} that were typed.",
            remedy="Look at the screen; with xclip installed, fields are read exactly.",
        )
    return seen
