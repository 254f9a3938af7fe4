"""What a run on a screen needs around it: an actuator for its target, and a guard that writes an audit file."""

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
class Stage:
    """Where a run works.

    Attributes:
        target: `desktop`, or an http(s) address.
        start: the page to open; "" is the target.
        pixels: whether to do without an accessibility tree.
        connect: the DevTools address of a running Chromium; "" starts one.
        headed: whether the browser's window is shown.
        downloads: the folder that downloads are kept in.
        size_px: of the browser's window; None is as large as the page needs.
        least_px: what the page needs; in a smaller window it is zoomed out.
    """

    target: str
    start: str = ""
    pixels: bool = False
    connect: str = ""
    headed: bool = False
    downloads: Path | None = None
    size_px: tuple[int, int] | None = None
    least_px: tuple[int, int] | None = None


def same_server(target: str, start: str) -> None:
    """Check that a target is where a workflow starts. Raises ConfigError if it is another place."""
    if target.startswith("orthanc"):
        target = target.partition("@")[2]
    if target and start and _server(target) != _server(start):
        raise ConfigError(
            f"--target {mask_credentials(target)!r} is not where the workflow works.",
            expected=f"the server of {mask_credentials(start)!r}, or none",
            remedy="Leave --target out, or change `start` and the policy's addresses in the file.",
        )


def _server(address: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        shown = mask_credentials(address)
        raise ConfigError(f"{shown!r} is no address: {error}.", expected="such as http://127.0.0.1:8042") from error
    return parts.scheme, (parts.hostname or "").rstrip("."), port


@contextlib.contextmanager
def acting(stage: Stage, stop: KillSwitch) -> Iterator[Actuator]:
    """An actuator for a stage. Raises ConfigError for a target that is none, or a window that cannot be shown."""
    actuator: Actuator
    if stage.target == "desktop":
        actuator = DesktopActuator(stop, tree=not stage.pixels)
    elif stage.start or stage.target.startswith("http"):
        if stage.headed and not stage.connect:
            check_display()
        actuator = BrowserActuator(
            stage.start or stage.target,
            stop,
            connect=stage.connect,
            headless=not stage.headed,
            downloads=stage.downloads,
            tree=not stage.pixels,
            size_px=stage.size_px or stage.least_px or (WIDTH_PX, HEIGHT_PX),
            least_px=stage.least_px,
        )
    else:
        expected = "an http(s):// address, 'desktop' or 'orthanc'"
        raise ConfigError(f"there is no target {mask_credentials(stage.target)!r}.", expected=expected)
    try:
        yield actuator
    finally:
        actuator.close()


@contextlib.contextmanager
def guarding(
    policy: Policy,
    actuator: Actuator,
    stop: KillSwitch,
    *,
    place: Path,
    mode: Mode,
    patient: Patient | None,
    about: Mapping[str, str],
) -> Iterator[Guard]:
    """A guard that writes `audit.jsonl` in a folder, while the ways to stop are watched.

    Raises:
        StoreError: if the audit file cannot be written.
        ConfigError: if an X display is there and cannot be watched.
    """
    with contextlib.ExitStack() as stack:
        known = list(patient.fields.values()) if patient else []
        audit = AuditLog(place / "audit.jsonl", Redactor(known=known))
        stack.callback(audit.close)
        stack.enter_context(watching(stop, actuator.release, _sources(actuator)))
        yield Guard(policy, audit, mode, patient, stop, about=about)


def _sources(actuator: Actuator) -> list[Any]:
    """Ways to stop beside `attend stop`: keys and the mouse's corner, where there is an X display."""
    return [Hotkey(), Corner()] if watches_display(actuator) else []


def check_display() -> None:
    """Check that a browser's window can be shown. Raises ConfigError if not; browsers only say that they cannot."""
    if sys.platform != "linux" or os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise ConfigError(
            "a browser's window cannot be shown: DISPLAY is not set.",
            remedy="Set it to a display that you see, or name a running Chromium with --connect.",
        )
    open_display().close()


def watches_display(actuator: Actuator) -> bool:
    """Whether a person sees what is worked on an X display, where keys and the mouse can stop the work."""
    return actuator.name == "desktop" or (getattr(actuator, "shown", False) and bool(os.environ.get("DISPLAY")))
