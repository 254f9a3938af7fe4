"""Keyboard of an X display: pyautogui with corrections, xdotool, xclip, and characters that no key has."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tools.errors import AttendError, ConfigError, MediaError
from tools.extras import MissingExtra, require
from tools.gui.guard.kill_switch import cookies_if_any

CHUNK, CHUNK_DELAY_MS = 4, 8
"""Characters that xdotool types per call, which bounds the delay of the kill switch, and its own delay."""
REMAP_S = 0.05
"""Time for programs to notice remapped keys before one is pressed; our choice: most read the notice in time."""


def load_pyautogui() -> Any:
    """Load pyautogui for the display in $DISPLAY, with "<" corrected. Raises ConfigError."""
    loaded = sys.modules.get("pyautogui._pyautogui_x11")
    try:
        with cookies_if_any():
            pyautogui = require("pyautogui", extra="gui")
            import pyautogui._pyautogui_x11 as keyboard

            if loaded is not None:
                # It keeps the display of its first import, which may be gone.
                importlib.reload(keyboard)
    except MissingExtra:
        raise
    except Exception as error:  # It connects during import, and fails in many ways.
        raise ConfigError(
            f"cannot use this display with pyautogui: {type(error).__name__}: {error}.",
            remedy="Set DISPLAY to an X server, and XAUTHORITY to its cookie file if it requires one.",
        ) from error
    keyboard.keyboardMapping["<"] = keyboard.keyboardMapping[","]
    return pyautogui


def runs_of(text: str, most: int) -> Iterator[str]:
    """Split a text into pieces as long as possible, each with at most `most` different characters outside ASCII."""
    run, rare = "", set[str]()
    for character in text:
        if not character.isascii() and character not in rare:
            if len(rare) == most:
                yield run
                run, rare = "", set()
            rare.add(character)
        run += character
    if run:
        yield run


def chunks_of(text: str) -> Iterator[str]:
    """Split a text into pieces typed at once: a few characters of ASCII, others one by one."""
    chunk = ""
    for character in text:
        if chunk and (len(chunk) == CHUNK or not character.isascii() or not chunk.isascii()):
            yield chunk
            chunk = ""
        chunk += character
    if chunk:
        yield chunk


def find_spare_keys(display: Any) -> list[int]:
    """Return the codes of keys without a character."""
    first, last = display.display.info.min_keycode, display.display.info.max_keycode
    mapping = display.get_keyboard_mapping(first, last - first + 1)
    return [first + number for number, symbols in enumerate(mapping) if not any(symbols)]


@contextmanager
def on_keys(display: Any, characters: str, spare: list[int]) -> Iterator[Mapping[str, int]]:
    """Map characters to spare keys; yields the key codes, and unmaps the keys at the end.

    A program looks up a key's character only when it processes the key: if it was unmapped by then, the character is
    lost. Stay in the context until the program shows that it has read them all.
    """
    keys = dict(zip(characters, spare, strict=False))
    try:
        for character, code in keys.items():
            symbol = ord(character) if ord(character) < 0x100 else 0x1000000 | ord(character)
            display.change_keyboard_mapping(code, [(symbol, symbol)])
        display.sync()
        yield keys
    finally:
        for code in keys.values():
            display.change_keyboard_mapping(code, [(0, 0)])
        display.sync()


def release_inputs(display: Any, keys: Sequence[str], buttons: Sequence[str]) -> None:
    """Release keys and buttons, by pyautogui's names; those that are up stay up.

    pyautogui itself refuses to release anything while the pointer is in a corner, and has one connection for all
    threads, without a lock: two that use it at once may wait for each other's answers forever.

    Args:
        display: a connection that no other thread uses at this time.
        keys, buttons: names, no matter who pressed them.

    Raises:
        MediaError: if the X server is gone.
    """
    import pyautogui._pyautogui_x11 as keyboard
    from Xlib import X
    from Xlib.error import ConnectionClosedError
    from Xlib.ext import xtest

    try:
        for key in reversed(keys):
            xtest.fake_input(display, X.KeyRelease, keyboard.keyboardMapping[key])
        for button in buttons:
            xtest.fake_input(display, X.ButtonRelease, keyboard.BUTTON_NAME_MAPPING[button])
        display.sync()
    except (ConnectionClosedError, OSError) as error:
        raise MediaError(f"cannot reach the X server: {error}.", remedy="Look at the screen.") from error


def press_key(display: Any, code: int) -> None:
    """Press and release a key by its code."""
    from Xlib import X
    from Xlib.ext import xtest

    for event in (X.KeyPress, X.KeyRelease):
        xtest.fake_input(display, event, code)
    display.sync()


def run_tool(command: list[str], text: str = "") -> str:
    """Run a program of the X tools. Raises AttendError if it fails, since keys may have been sent."""
    into = subprocess.DEVNULL if command[:2] == ["xclip", "-in"] else subprocess.PIPE
    try:
        # xclip stays in the background to serve the selection, and would hold a pipe open.
        done = subprocess.run(
            command, input=text.encode(), stdout=into, stderr=subprocess.DEVNULL, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AttendError(f"{command[0]} failed: {error}.") from error
    if done.returncode and command[0] == "xdotool":
        raise AttendError(f"cannot type with xdotool: exit code {done.returncode}.", remedy="Look at the screen.")
    return (done.stdout or b"").decode("utf-8", "replace")
