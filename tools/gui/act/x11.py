"""Keys on an X display: pyautogui with its faults mended, and xdotool and xclip for what it cannot do."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from tools.errors import AttendError, ConfigError

CHUNK, CHUNK_DELAY_MS, RARE_DELAY_MS = 4, 8, 20
"""Characters that xdotool types in one go, so that the kill switch waits for no more than these, and its delays; other
characters than ASCII take a moment, since a key is mapped to them first. Our choice."""


def load_pyautogui() -> Any:
    """pyautogui for the display that $DISPLAY names now, with "<" mended. Raises ConfigError."""
    loaded = sys.modules.get("pyautogui._pyautogui_x11")
    try:
        import pyautogui
        import pyautogui._pyautogui_x11 as keyboard

        if loaded is not None:
            # It keeps the display that was there at its first import, which may be gone.
            importlib.reload(keyboard)
    except Exception as error:  # It connects while it is imported, and fails in many ways.
        raise ConfigError(
            f"pyautogui cannot work this display: {type(error).__name__}: {error}.",
            remedy="Set DISPLAY to an X server, and XAUTHORITY to a file (an empty one will do where none is needed).",
        ) from error
    keyboard.keyboardMapping["<"] = keyboard.keyboardMapping[","]
    return pyautogui


@lru_cache(maxsize=1)
def find_typist() -> str:
    """What types a text: `xdotool`; `paste`, where there is only xclip; or `pyautogui`, for ASCII alone."""
    if shutil.which("xdotool"):
        return "xdotool"
    return "paste" if shutil.which("xclip") else "pyautogui"


def chunks_of(text: str) -> Iterator[str]:
    """Pieces of a text to type in one go: a few characters of ASCII, others one by one."""
    chunk = ""
    for character in text:
        if not character.isascii():
            if chunk:
                yield chunk
            yield character
            chunk = ""
        else:
            chunk += character
            if len(chunk) == CHUNK:
                yield chunk
                chunk = ""
    if chunk:
        yield chunk


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
