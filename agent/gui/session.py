"""Session of a GUI run: an actuator for the target, and a guard that writes the audit file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.errors import ConfigError
from tools.gui.actuators.browser import HEIGHT_PX, WIDTH_PX, BrowserActuator
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import Corner, Hotkey, KillSwitch, open_display, watching
from tools.gui.guard.policy import Policy
from tools.gui.types import Actuator
from tools.media.types import mask_credentials
from tools.privacy.redact import Redactor


@dataclass(frozen=True)
class SessionOptions:
    """Options of a session.

    Attributes:
        target: `desktop`, or an http(s) URL.
        start: the page to open; "" opens the target.
        pixels: use no accessibility tree.
        connect: the DevTools address of a running Chromium; "" starts one.
        headed: show the browser window.
        downloads: folder for downloads.
        size_px: size of the browser window; None takes what the page needs.
        least_px: size that the page needs; in a smaller window it is zoomed out.
    """

    target: str
    start: str = ""
    pixels: bool = False
    connect: str = ""
    headed: bool = False
    downloads: Path | None = None
    size_px: tuple[int, int] | None = None
    least_px: tuple[int, int] | None = None


def check_same_server(target: str, start: str) -> None:
    """Check that a target is on the server where a workflow starts. Raises ConfigError."""
    if target.startswith("orthanc"):
        target = target.partition("@")[2]
    if target and start and _server(target) != _server(start):
        raise ConfigError(
            f"--target {mask_credentials(target)!r} is not the server of the workflow.",
            expected=f"the server of {mask_credentials(start)!r}, or no target",
            remedy="Leave --target out, or change `start` and the policy's addresses in the file.",
        )


def _server(address: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        shown = mask_credentials(address)
        raise ConfigError(f"invalid address {shown!r}: {error}.", expected="such as http://127.0.0.1:8042") from error
    return parts.scheme, (parts.hostname or "").rstrip("."), port


@contextlib.contextmanager
def open_actuator(session: SessionOptions, stop: KillSwitch) -> Iterator[Actuator]:
    """Open an actuator. Raises ConfigError if the target is unknown or a window cannot be shown."""
    actuator: Actuator
    if session.target == "desktop":
        actuator = DesktopActuator(stop, tree=not session.pixels)
    elif session.start or session.target.startswith("http"):
        if session.headed and not session.connect:
            check_display()
        actuator = BrowserActuator(
            session.start or session.target,
            stop,
            connect=session.connect,
            headless=not session.headed,
            downloads=session.downloads,
            tree=not session.pixels,
            size_px=session.size_px or session.least_px or (WIDTH_PX, HEIGHT_PX),
            least_px=session.least_px,
        )
    else:
        expected = "an http(s):// address, 'desktop' or 'orthanc'"
        raise ConfigError(f"unknown target {mask_credentials(session.target)!r}.", expected=expected)
    try:
        yield actuator
    finally:
        actuator.close()


@contextlib.contextmanager
def open_guard(
    policy: Policy,
    actuator: Actuator,
    stop: KillSwitch,
    *,
    place: Path,
    mode: Mode,
    patient: Patient | None,
    about: Mapping[str, str],
) -> Iterator[Guard]:
    """Open a guard that writes `audit.jsonl` in a folder, while watching for stop requests.

    Raises:
        StoreError: if the audit file cannot be written.
        ConfigError: if there is an X display that cannot be watched.
    """
    with contextlib.ExitStack() as stack:
        known = list(patient.fields.values()) if patient else []
        audit = AuditLog(place / "audit.jsonl", Redactor(known=known))
        stack.callback(audit.close)
        stack.enter_context(watching(stop, actuator.release, _stop_inputs(actuator)))
        yield Guard(policy, audit, mode, patient, stop, about=about)


def _stop_inputs(actuator: Actuator) -> list[Any]:
    """Return the ways to stop besides `attend stop`: a hotkey and a screen corner, on an X display."""
    return [Hotkey(), Corner()] if watches_display(actuator) else []


def check_display() -> None:
    """Check that a browser window can be shown, as browsers do not say why they cannot. Raises ConfigError."""
    if sys.platform != "linux" or os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise ConfigError(
            "cannot show a browser window: DISPLAY is not set.",
            remedy="Set it to a visible display, or give a running Chromium with --connect.",
        )
    open_display().close()


def watches_display(actuator: Actuator) -> bool:
    """Return whether the work is visible on an X display, where keys and the mouse can stop it."""
    return actuator.name == "desktop" or (getattr(actuator, "shown", False) and bool(os.environ.get("DISPLAY")))
