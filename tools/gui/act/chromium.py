"""Chromium by Playwright: how it is found and started, which addresses are refused, and what is asked of its pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tools.errors import AttendError, ConfigError
from tools.gui.act.common import shorten
from tools.gui.guard.policy import parse_url

FIELD_AT = """([x, y]) => {
  let found = document.elementFromPoint(x, y);
  while (found && (found.shadowRoot || found.tagName === "IFRAME")) {
    const inner = found.shadowRoot || found.contentDocument;
    if (!inner) return "unknown";
    if (found.tagName === "IFRAME") { const at = found.getBoundingClientRect(); x -= at.x; y -= at.y; }
    const next = inner.elementFromPoint(x, y);
    if (!next || next === found) break;
    found = next;
  }
  const label = found && found.closest("label");
  const field = label && label.control ? label.control : found && found.closest("input, textarea, [contenteditable]");
  if (!field) return "none";
  if (field.isContentEditable) return "field";
  const kinds = /^(button|submit|reset|checkbox|radio|file|image|range|color|hidden)$/;
  const typed = field.tagName === "TEXTAREA" || !kinds.test(field.type);
  return !typed ? "none" : field.disabled || field.readOnly ? "locked" : "field";
}"""
"""What is at a point: `field`, `locked`, `none`, or `unknown` where the page does not tell."""
HELD = """() => {
  let found = document.activeElement;
  while (found && (found.shadowRoot || found.contentDocument)) {
    const inner = (found.shadowRoot || found.contentDocument).activeElement;
    if (!inner) break;
    found = inner;
  }
  if (!found) return null;
  return "value" in found ? found.value : found.isContentEditable ? found.innerText : null;
}"""
"""What the field with the focus holds; null if that is none."""

_FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
_NAMES = {
    **{"ctrl": "Control", "alt": "Alt", "shift": "Shift", "super": "Meta", "enter": "Enter", "tab": "Tab"},
    **{"escape": "Escape", "backspace": "Backspace", "delete": "Delete", "insert": "Insert", "space": "Space"},
    **{"home": "Home", "end": "End", "pageup": "PageUp", "pagedown": "PageDown", "up": "ArrowUp"},
    **{"down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight"},
}


def check_url(url: str, error: Callable[..., AttendError] = ConfigError) -> None:
    """Refuse every address that is not plain http or https: `data:`, `blob:`, `file:`, `javascript:` and the like."""
    if isinstance(problem := parse_url(url), str):
        scheme = urlsplit(url).scheme if ":" in url else ""
        raise error(
            f"the address {shorten(url)!r} is refused: {problem}.",
            expected="an address that begins with http:// or https://",
            remedy="Serve the page over HTTP." if scheme == "file" else "",
        )


def start_playwright() -> Any:
    """Start Playwright's driver; the caller stops it. Raises ConfigError."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise ConfigError(
            f"the browser cannot be worked: {error}.", remedy="Run: pip install 'attend-agent[gui]'"
        ) from error
    try:
        return sync_playwright().start()
    except Error as error:
        raise ConfigError(
            f"Playwright cannot be started: {first_line(error)}.", remedy="Call it outside of an asyncio loop."
        ) from error


def find_chromium(executable: str | None) -> str | None:
    """The path of the browser; None leaves it to Playwright. Raises ConfigError if the named one is not there."""
    named = executable or os.environ.get("CHROMIUM")
    if named and shutil.which(named) is None:
        raise ConfigError(f"there is no browser {named!r}.", expected="the path of Chromium or Chrome")
    return named or shutil.which("chromium") or shutil.which("google-chrome")


def flags() -> list[str]:
    """What Chromium is started with; as root it has no sandbox."""
    return [*_FLAGS, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]


def fit(size_px: tuple[int, int], least_px: tuple[int, int] | None, scale: float) -> tuple[tuple[int, int], float]:
    """The size to lay a page out in, and pixels to one CSS pixel, so that it fits a window that may be smaller."""
    if least_px is None:
        return size_px, scale
    zoom = min(1.0, size_px[0] / least_px[0], size_px[1] / least_px[1])
    return (round(size_px[0] / zoom), round(size_px[1] / zoom)), scale * zoom


def key_of_page(key: str) -> str:
    """Playwright's name of a key."""
    return _NAMES.get(key, key.upper() if key.startswith("f") and key[1:].isdigit() else key)


def first_line(error: Exception) -> str:
    """The first line of an error of Playwright, which go on for pages."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
