"""Keys on an X display: pyautogui with its faults mended, xdotool and xclip, and characters that are on no key."""

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
"""Characters that xdotool types in one go, so that the kill switch waits for no more than these, and its delay. Our
choice."""
REMAP_S = 0.05
"""How long programs have to take note of new keys before one is pressed; our choice: most read the notice in time."""


def load_pyautogui() -> Any:
    """pyautogui for the display that $DISPLAY names now, with "<" mended. Raises ConfigError."""
    loaded = sys.modules.get("pyautogui._pyautogui_x11")
    try:
        with cookies_if_any():
            pyautogui = require("pyautogui", extra="gui")
            import pyautogui._pyautogui_x11 as keyboard

            if loaded is not None:
                # It keeps the display that was there at its first import, which may be gone.
                importlib.reload(keyboard)
    except MissingExtra:
        raise
    except Exception as error:  # It connects while it is imported, and fails in many ways.
        raise ConfigError(
            f"pyautogui cannot work this display: {type(error).__name__}: {error}.",
            remedy="Set DISPLAY to an X server, and XAUTHORITY to its file of cookies where it asks for one.",
        ) from error
    keyboard.keyboardMapping["<"] = keyboard.keyboardMapping[","]
    return pyautogui


def runs_of(text: str, most: int) -> Iterator[str]:
    """Pieces of a text, as long as may be, with at most `most` different characters outside ASCII in each."""
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
    """Pieces of a text to type in one go: a few characters of ASCII, others one by one."""
    chunk = ""
    for character in text:
        if chunk and (len(chunk) == CHUNK or not character.isascii() or not chunk.isascii()):
            yield chunk
            chunk = ""
        chunk += character
    if chunk:
        yield chunk


def find_spare_keys(display: Any) -> list[int]:
    """The codes of keys that bear no character."""
    first, last = display.display.info.min_keycode, display.display.info.max_keycode
    mapping = display.get_keyboard_mapping(first, last - first + 1)
    return [first + number for number, symbols in enumerate(mapping) if not any(symbols)]


@contextmanager
def on_keys(display: Any, characters: str, spare: list[int]) -> Iterator[Mapping[str, int]]:
    """Put characters on spare keys; gives the key codes, and clears these keys at the end.

    A program looks up what a key bears when it gets round to it: characters that were taken off their keys by then are
    lost to it. Stay in here until it has shown that it read them all.
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


def let_go(display: Any, keys: Sequence[str], buttons: Sequence[str]) -> None:
    """Release keys and buttons, by pyautogui's names of them; those that are up already stay so.

    pyautogui itself refuses to release anything while the pointer is in a corner, and has one connection for all
    threads, without a lock: two that use it at once may wait for each other's answers for ever.

    Args:
        display: a connection that no other thread uses at this time.
        keys, buttons: by whom they were pressed does not matter.

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
        raise MediaError(f"the X server is gone: {error}.", remedy="Look at the screen.") from error


def press_key(display: Any, code: int) -> None:
    """Press and release a key by its code."""
    from Xlib import X
    from Xlib.ext import xtest

    for event in (X.KeyPress, X.KeyRelease):
        xtest.fake_input(display, event, code)
    display.sync()


def run_tool(command: list[str], told: str = "") -> str:
    """Run a program of the X tools. Raises AttendError if it fails, since keys may have been sent."""
    into = subprocess.DEVNULL if command[:2] == ["xclip", "-in"] else subprocess.PIPE
    try:
        # xclip stays behind to serve what it was given, and would hold a pipe open.
        done = subprocess.run(
            command, input=told.encode(), stdout=into, stderr=subprocess.DEVNULL, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AttendError(f"{command[0]} failed: {error}.") from error
    if done.returncode and command[0] == "xdotool":
        raise AttendError(f"xdotool failed with exit code {done.returncode}.", remedy="Look at the screen.")
    return (done.stdout or b"").decode("utf-8", "replace")
