"""Kill switch: a person stops the work on a screen by a key, the mouse, a command, or a button.

Actuators poll a `KillSwitch` between their smallest steps, and wait with `pause`, so that nothing continues longer than
one step. `watching` runs a thread beside them that polls external sources (the file that `attend stop` writes, the
keyboard, the mouse) every `POLL_S` and releases held keys. Once set, a switch stays set.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.errors import AttendError, ConfigError, Stopped, StoreError

POLL_S = 0.01
"""Polling interval in seconds: a tenth of the 0.1 s within which work has to stop."""
HOTKEY = "ctrl+alt+escape"
"""Keys that stop the work; an agent has no use for them."""
CORNER_PX = 1
"""Distance of the pointer from a corner of the screen that counts as in the corner."""
STOP_FILE = "gui.stop"
_NO_COOKIES = "Xlib.xauth: warning, no xauthority details available"

Source = Callable[[], str]
"""Polled repeatedly; returns who or what asks to stop, or ""."""


class KillSwitch:
    """Set once, by anybody and from any thread; every actuator that polls it then stops.

    Args:
        folder: state folder of the file that `attend stop` writes; None for a switch of one process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._event = threading.Event()
        self._by = self._interrupt = ""

    def set(self, by: str) -> None:
        """Stop the work; `by` says who or what asked. The first one is kept."""
        self._by = self._by or by
        self._event.set()

    def interrupt(self, by: str) -> None:
        """Request a stop from a signal handler, which may take no lock; the next poll sets the switch."""
        self._interrupt = self._interrupt or by

    @property
    def asked(self) -> str:
        """Return who or what requests a stop by a signal or by the file in the folder; "" if nobody does."""
        return self._interrupt or (read_stop(self.folder) if self.folder else "")

    @property
    def by(self) -> str:
        """Who or what stopped the work, including a signal not yet polled; "" if nobody did."""
        return self._by if self._event.is_set() else self._interrupt

    def check(self) -> None:
        """Raise Stopped if the work has to stop."""
        if not self._event.is_set() and (who := self.asked):
            self.set(who)
        if self._event.is_set():
            held = self.folder and read_stop(self.folder)
            how = f"allow work again with: {clear_command(self.folder)}" if self.folder and held else "start again."
            raise Stopped(f"the work was stopped by {self._by}.", remedy=f"Look at the screen; then {how}")

    def pause(self, seconds: float) -> None:
        """Wait, as between two keys. Raises Stopped as soon as the switch is set."""
        if self._event.wait(seconds) or self._interrupt:
            self.check()

    def wait(self, seconds: float) -> bool:
        """Wait until the switch is set, at most this long; return whether it is."""
        return self._event.wait(seconds)


def write_stop(folder: Path, by: str) -> Path:
    """Stop all work of this state folder, in every process, until `clear_stop`. Raises StoreError."""
    told = json.dumps({"by": by, "at": datetime.now(UTC).isoformat(timespec="seconds")})
    path = folder / STOP_FILE
    unfinished = folder / f".{STOP_FILE}.{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # Readers see all of it or no file. Not synced: an empty file stops the work too.
            unfinished.write_text(told, "utf-8")
            unfinished.replace(path)
        except OSError:
            path.touch()  # an empty file suffices if there is no room for the text
            raise
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write the stop file {str(path)!r}: {error}.", remedy="Stop it by key.") from error
    return path


def read_stop(folder: Path) -> str:
    """Return who stopped the work of a folder; "" if nobody did. An unreadable file stops the work, too."""
    path = folder / STOP_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return f"the unreadable stop file ({error})"
    try:
        told = json.loads(text)
        return f"{told['by']} at {_time(told['at'])}"
    except (ValueError, KeyError, TypeError):
        return "the stop file"


def _time(at: str) -> str:
    """Format our own time for people, without its date, which redaction would take for a patient's.

    Raises:
        ValueError, TypeError: if it is not a time.
    """
    then, now = datetime.fromisoformat(at).astimezone(UTC), datetime.now(UTC)
    days = (now.date() - then.date()).days
    return f"{then:%H:%M:%S} UTC" + (f", {days} day{'s' * (days > 1)} ago" if days > 0 else "")


def clear_command(folder: Path) -> str:
    """Return the shell command that allows the work of a folder again."""
    return f"attend stop --clear --folder {shlex.quote(str(folder.absolute()))}"


def clear_stop(folder: Path) -> bool:
    """Allow work again; return whether it was stopped. Raises StoreError."""
    try:
        (folder / STOP_FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"cannot remove the stop file: {error}.") from error
    return True


@contextlib.contextmanager
def watching(switch: KillSwitch, release: Callable[[], None], sources: Sequence[Source] = ()) -> Iterator[KillSwitch]:
    """Poll external sources in a thread for as long as the context lasts.

    Args:
        switch: set when a source, or the file in its folder, requests it.
        release: releases every key and button, like `Actuator.release`; called once, as soon as the switch is set.
        sources: such as `Hotkey()` and `Corner()`. One that fails stops the work, since it can no longer be trusted.

    Raises:
        AttendError: at the end of the context, if `release` failed.
    """
    ended = threading.Event()
    failed: list[AttendError] = []

    def watch() -> None:
        while not ended.is_set() and not switch.wait(POLL_S):
            look(switch, sources)
        if switch.by:
            try:
                release()
            except AttendError as error:
                failed.append(error)

    thread = threading.Thread(target=watch, name="kill-switch", daemon=True)
    thread.start()
    try:
        yield switch
    finally:
        ended.set()
        thread.join()
        for source in sources:
            getattr(source, "close", lambda: None)()
        if failed:
            raise failed[0]


def look(switch: KillSwitch, sources: Sequence[Source]) -> None:
    """Poll the file and every source once, and set the switch if one requests it."""
    if who := switch.asked:
        switch.set(who)
    for source in sources:
        try:
            who = source()
        except Exception as error:  # noqa: BLE001 - whatever breaks a way to stop, the work has to stop
            who = f"a failed watcher ({type(error).__name__}: {error})"
        if who:
            switch.set(who)


class Hotkey:
    """A source that watches the keyboard of an X display.

    Args:
        keys: such as "ctrl+alt+escape"; all have to be pressed at once.

    Raises:
        ConfigError: if there is no X display, or a key is unknown.
    """

    def __init__(self, keys: str = HOTKEY) -> None:
        from Xlib import XK

        self._keys, self._display, self._codes = keys, open_display(), []
        for key in keys.lower().split("+"):
            names = _KEYSYMS.get(key.strip(), (key.strip(),))
            codes = [self._display.keysym_to_keycode(XK.string_to_keysym(name)) for name in names]
            if not any(codes):
                self._display.close()
                raise ConfigError(f"unknown key {key!r} in the hot key {keys!r}.", expected=f"keys such as {HOTKEY}")
            self._codes.append([code for code in codes if code])

    def __call__(self) -> str:
        down = self._display.query_keymap()
        pressed = all(any(down[code // 8] >> (code % 8) & 1 for code in codes) for codes in self._codes)
        return f"the keys {self._keys}" if pressed else ""

    def close(self) -> None:
        """Close the display connection."""
        self._display.close()


class Corner:
    """A source that watches the pointer of an X display: in a corner of the screen, it requests a stop.

    Raises:
        ConfigError: if there is no X display.
    """

    def __init__(self) -> None:
        self._display = open_display()
        screen = self._display.screen()
        self._root, self._right, self._bottom = screen.root, screen.width_in_pixels - 1, screen.height_in_pixels - 1

    def __call__(self) -> str:
        pointer = self._root.query_pointer()
        in_x = min(pointer.root_x, self._right - pointer.root_x) < CORNER_PX
        in_y = min(pointer.root_y, self._bottom - pointer.root_y) < CORNER_PX
        return "the mouse in a corner of the screen" if in_x and in_y else ""

    def close(self) -> None:
        """Close the display connection."""
        self._display.close()


@contextlib.contextmanager
def cookies_if_any() -> Iterator[None]:
    """Within the context, let python-xlib open displays without a cookie file, and silence its warning.

    It requires the file in XAUTHORITY, else `~/.Xauthority`, although servers such as Xvfb need no cookie, and other
    programs do without. The environment is restored afterwards. Other output goes to stderr, since a program's answer
    goes to stdout.
    """
    before, printed = os.environ.get("XAUTHORITY"), io.StringIO()
    path = before or str(Path(os.environ.get("HOME", ""), ".Xauthority"))
    os.environ["XAUTHORITY"] = path if os.access(path, os.R_OK) else os.devnull
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        if before is None:
            del os.environ["XAUTHORITY"]
        else:
            os.environ["XAUTHORITY"] = before
        for line in printed.getvalue().splitlines():
            if line != _NO_COOKIES:
                print(line, file=sys.stderr)


def open_display() -> Any:
    """Open a connection to the X display of the environment. Raises ConfigError if there is none."""
    remedy = (
        "Start one and set DISPLAY, and XAUTHORITY to its cookie file if it requires one; or stop with "
        "`attend stop`; Wayland does not expose keys and pointer."
    )
    if not os.environ.get("DISPLAY"):
        raise ConfigError("cannot watch the keyboard and the mouse: DISPLAY is not set.", remedy=remedy)
    try:
        from Xlib import display
        from Xlib.error import ConnectionClosedError, DisplayError, XauthError

        with cookies_if_any():
            return display.Display()
    except ImportError as error:
        raise ConfigError(f"cannot watch the keyboard: {error}.", remedy="Run: pip install python3-Xlib") from error
    except (ConnectionClosedError, DisplayError, XauthError, OSError) as error:
        raise ConfigError(f"cannot open the X display: {error}.", remedy=remedy) from error


_KEYSYMS = {
    "ctrl": ("Control_L", "Control_R"),
    "alt": ("Alt_L", "Alt_R"),
    "shift": ("Shift_L", "Shift_R"),
    "super": ("Super_L", "Super_R"),
    "escape": ("Escape",),
    "esc": ("Escape",),
    "pause": ("Pause",),
    "space": ("space",),
    "enter": ("Return",),
    **{f"f{number}": (f"F{number}",) for number in range(1, 13)},
}
