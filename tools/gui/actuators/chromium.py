"""Chromium by Playwright: how it is found and started, which addresses are refused, and what is asked of its pages."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.errors import AttendError, ConfigError, ToolFailed
from tools.extras import require
from tools.gui.actuators.common import Interrupted, check_field, shorten
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.policy import parse_url
from tools.gui.types import Point
from tools.media.types import mask_credentials

_INSIDE = """
  const inside = (frame, x, y) => {
    const at = frame.getBoundingClientRect(), style = getComputedStyle(frame);
    const left = frame.clientLeft + parseFloat(style.paddingLeft), top = frame.clientTop + parseFloat(style.paddingTop);
    return [x - at.x - left, y - at.y - top];
  };
"""
FIELD_AT = (
    "([x, y]) => {"
    + _INSIDE
    + """
  let found = document.elementFromPoint(x, y);
  while (found && (found.shadowRoot || found.tagName === "IFRAME")) {
    const inner = found.shadowRoot || found.contentDocument;
    if (!inner) return "unknown";
    if (found.tagName === "IFRAME") [x, y] = inside(found, x, y);
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
  if (!typed || field.disabled || field.readOnly) return typed ? "locked" : "none";
  return /^(date|time|month|week|datetime-local)$/.test(field.type) ? field.type : "field";
}"""
)
"""What is at a point: `field`, a key of `DATES`, `locked`, `none`, or `unknown` where the page does not tell."""
DATES = {
    "date": "2026-03-04",
    "time": "14:30",
    "month": "2026-03",
    "week": "2026-W10",
    "datetime-local": "2026-03-04T14:30",
}
"""Fields in which a browser shows parts of its own, in an order of its own; how what they take is written."""
_ACTIVE = """
  let found = document.activeElement;
  while (found && (found.shadowRoot || found.contentDocument)) {
    const inner = (found.shadowRoot || found.contentDocument).activeElement;
    if (!inner) break;
    found = inner;
  }
"""
HELD = (
    "() => {"
    + _ACTIVE
    + """
  if (!found) return null;
  return "value" in found ? String(found.value) : found.isContentEditable ? found.innerText : null;
}"""
)
"""What the field with the focus holds; null if that is none."""
_SET_DATE = (
    "(text) => {"
    + _ACTIVE
    + """
  if (!found || !("value" in found)) return null;
  const before = found.value;
  found.value = text;
  if (found.value !== text) { found.value = before; return ""; }
  for (const kind of ["input", "change"]) found.dispatchEvent(new Event(kind, { bubbles: true, composed: true }));
  return found.value;
}"""
)
PLACE = "() => [innerWidth, screenX + (outerWidth - innerWidth) / 2, screenY + outerHeight - innerHeight]"
"""How wide a page is, and where it is on the desktop, in CSS pixels."""

_STACK = (
    _INSIDE
    + """
  const above = (node) => node.parentNode || node.host || (node.defaultView && node.defaultView.frameElement);
  const within = (inner, outer) => { for (let n = inner; n; n = above(n)) if (n === outer) return true; return false; };
  const stack = (root, x, y) => root.elementsFromPoint(x, y).flatMap((found) => {
    if (found.getRootNode() !== root) return [];
    if (found.shadowRoot) return [...stack(found.shadowRoot, x, y), found];
    let inner = null;
    try { inner = found.tagName === "IFRAME" && found.contentDocument; } catch (error) { inner = null; }
    if (!inner) return [found];
    return [...stack(inner, ...inside(found, x, y)), found];
  });
  const plain = (text) => (text || "").normalize("NFKC").toLowerCase().replace(/[^\\p{L}\\p{N}]+/gu, " ").trim();
  const named = (found) => {
    const ids = (found.getAttribute("aria-labelledby") || "").split(/\\s+/).filter(Boolean);
    const root = found.getRootNode();
    const told = ids.map((id) => (root.getElementById(id) || {}).textContent || "").join(" ");
    const pressed = found.tagName === "INPUT" && /^(button|submit|reset)$/.test(found.type);
    const drawn = ["::before", "::after"].map((part) => getComputedStyle(found, part).content)
      .filter((text) => /^".+"$/.test(text)).join(" ");
    return [
      found.title, told, found.getAttribute("aria-label"), found.alt, found.placeholder, found.innerText,
      pressed ? found.value || found.type : "", ...[...(found.labels || [])].map((label) => label.innerText), drawn,
    ].map(plain);
  };
"""
)
_COVERED = (
    "([x, y, label]) => {"
    + _STACK
    + """
  const all = stack(document, x, y), top = all[0], meant = plain(label);
  if (!top) return ["", "nothing is there"];
  let own = true;
  try { own = !/^I?FRAME$/.test(top.tagName) || !!top.contentDocument; } catch (error) { own = false; }
  if (!own) return ["", "it lies in a frame of another address, which the policy knows nothing of"];
  const called = meant && all.find((found) => named(found).includes(meant));
  const works = "a, button, input, select, textarea, label, summary, option, [role], [onclick], [tabindex]";
  const aimed = called || all.find((found) => found.matches(works) && !found.matches("iframe, html, body"));
  // Libraries take a title away while their own tooltip is shown.
  const name = JSON.stringify(named(aimed || top).slice(1));
  if (aimed && top !== aimed && !within(top, aimed)) {
    const same = within(aimed, top) && named(top).some((text) => text && named(aimed).includes(text));
    if (!same) return [name, "it is covered by another element of the page"];
  }
  if (!called) {
    let seen = 1;
    for (let n = top; n; n = above(n)) if (n.nodeType === 1) seen *= Number(getComputedStyle(n).opacity);
    if (seen < 0.1) return [name, "an element that cannot be seen lies over it"];
  }
  return [name, ""];
}"""
)
"""What an element at a point is called, and why the pointer would not reach what is aimed at there, "" if it would.

Aimed at is the uppermost element that is called as the target is, else the uppermost one that can be worked.
"""
HOVER_S = 0.1
"""How long a page may take to answer the pointer before it is looked at again; our choice."""
LEAST_PX, MOST_PX = 200, 8192
"""What a side of a window may measure, and of a page that is zoomed out; our choice. Pictures of larger ones take long
or never come."""
SHELL = "chromium-headless-shell"
"""Chromium's program for work without a window, as Debian calls it."""
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
            f"the address {shorten(mask_credentials(url))!r} is refused: {problem}.",
            expected="an address that begins with http:// or https://",
            remedy="Serve the page over HTTP." if scheme == "file" else "",
        )


def start_playwright() -> Any:
    """Start Playwright's driver; the caller stops it. Raises ConfigError."""
    playwright = require("playwright.sync_api", extra="gui")
    try:
        return playwright.sync_playwright().start()
    except playwright.Error as error:
        raise ConfigError(
            f"Playwright cannot be started: {first_line(error)}.", remedy="Call it outside of an asyncio loop."
        ) from error


def find_chromium(executable: str | None, headless: bool) -> str | None:
    """The path of the browser; None leaves it to Playwright.

    Without a window, Chromium's headless shell comes first: it draws the same pixels with a quarter less work.

    Raises:
        ConfigError: if the named one is not there, or cannot show the window that is wanted.
    """
    named = executable or os.environ.get("CHROMIUM")
    if named and shutil.which(named) is None:
        raise ConfigError(f"there is no browser {named!r}.", expected="the path of Chromium or Chrome")
    if named and not headless and SHELL in named:
        raise ConfigError(
            f"the browser {named!r} has no window.",
            expected="the path of Chromium or Chrome",
            remedy="Name another in $CHROMIUM, or work without a window.",
        )
    shell = shutil.which(SHELL) if headless else None
    return named or shell or shutil.which("chromium") or shutil.which("google-chrome")


def flags() -> list[str]:
    """What Chromium is started with; as root it has no sandbox."""
    return [*_FLAGS, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]


def fit(size_px: tuple[int, int], least_px: tuple[int, int] | None, scale: float) -> tuple[tuple[int, int], float]:
    """The size to lay a page out in, and pixels to one CSS pixel, so that it fits a window that may be smaller.

    Raises:
        ConfigError: if a side would be longer than `MOST_PX`.
    """
    zoom = 1.0 if least_px is None else min(1.0, size_px[0] / least_px[0], size_px[1] / least_px[1])
    width, height = round(size_px[0] / zoom), round(size_px[1] / zoom)
    if max(width, height) > MOST_PX:
        raise ConfigError(
            f"a page of {width}x{height} CSS pixels is too large to work on.",
            expected=f"sides of at most {MOST_PX}",
            remedy="Take a window that is shaped more like the page, or a smaller one.",
        )
    return (width, height), scale * zoom


def key_of_page(key: str) -> str:
    """Playwright's name of a key."""
    return _NAMES.get(key, key.upper() if key.startswith("f") and key[1:].isdigit() else key)


def first_line(error: Exception) -> str:
    """The first line of an error of Playwright, which go on for pages."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def css_point(point: Point, scale: float) -> tuple[float, float]:
    """A point of the screenshot in CSS pixels."""
    return point.x_px / scale, point.y_px / scale


def _free(path: Path) -> Path:
    """A path where nothing is yet: that one, or with a number after its name."""
    others = (path.with_stem(f"{path.stem} ({number})") for number in itertools.count(1))
    return path if not path.exists() else next(other for other in others if not other.exists())


class News:
    """What a browser tells by itself, and at any time: dialogs of its pages, and downloads.

    Playwright tells it whenever it is called next, so that it is to be taken up at each look.

    Args:
        folder: that downloads are kept in; None forgets them.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._asked: list[str] = []
        self._arrived: list[tuple[Any, str | None]] = []

    def hear(self, page: Any) -> None:
        """Hear of a page of Playwright's from now on; its dialogs are answered with Cancel."""
        page.on("dialog", self._refuse)
        page.on("download", self._await)

    def take(self, error: Callable[..., AttendError] = Interrupted) -> None:
        """Save the downloads that are complete. Raises `error` if one failed, or a page asked something; only once."""
        from playwright.sync_api import Error

        if self._asked:
            asked = shorten(self._asked[0])
            self._asked.clear()
            raise error(
                f"the page asked {asked!r} by a dialog of the browser; it was answered with Cancel.",
                remedy="Do this step by hand.",
            )
        while self._arrived and self._folder is not None:
            download, problem = self._arrived.pop(0)
            name = Path(download.suggested_filename).name
            try:
                if not problem:
                    path = _free(self._folder / name)
                    download.save_as(path)
                    path.chmod(0o600)
            except (Error, OSError) as failed:
                problem = first_line(failed)
            if problem:
                raise error(f"the download {name!r} failed: {problem}.", remedy="Look at the page.")

    def _refuse(self, dialog: Any) -> None:
        from playwright.sync_api import Error

        self._asked.append(dialog.message)
        with contextlib.suppress(Error):  # Its page may be gone.
            dialog.dismiss()

    def _await(self, download: Any) -> None:
        from playwright.sync_api import Error

        # Playwright runs this beside everything else: nothing waits for a download that takes long.
        try:
            problem = download.failure()
        except Error as failed:
            problem = first_line(failed)
        self._arrived.append((download, problem))


def ask_page(session: Any, script: str, *given: Any) -> Any:
    """What a function of the page says; it runs in a world of its own, which the page's scripts cannot forge.

    Args:
        session: Playwright's, of DevTools.
        script: a function in JavaScript that only looks.
        given: its arguments, as JSON.

    Raises:
        playwright.sync_api.Error: if the page cannot be asked, as while it leaves for another.
    """
    from playwright.sync_api import Error

    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "attend"})
    asked = {
        "expression": f"({script})({', '.join(map(json.dumps, given))})",
        "contextId": world["executionContextId"],
        "returnByValue": True,
    }
    said = session.send("Runtime.evaluate", asked)
    if "exceptionDetails" in said:
        raise Error(said["exceptionDetails"].get("exception", {}).get("description", "the page cannot be asked"))
    return said["result"].get("value")


def set_date(ask: Callable[..., Any], kind: str, text: str) -> str:
    """Put a date or time into the field with the focus, and return what it holds.

    Raises:
        ToolFailed: if the text is not written as such a field takes it; the field is as it was.
        WrongText: if the page has put something else into it.
    """
    held = ask(_SET_DATE, text)
    if not held:
        raise ToolFailed(f"this field takes a {kind}, which the text is not.", expected=f"such as {DATES[kind]}")
    check_field(text, str(held), "the page")
    return str(held)


def move_onto(mouse: Any, at: tuple[float, float], label: str, ask: Callable[..., Any], stop: KillSwitch) -> None:
    """Move the pointer, and see that a press would reach what is aimed at: not covered, nor called otherwise now.

    Frames of other origins and canvases are not looked into.

    Args:
        mouse: Playwright's.
        at: where, in CSS pixels.
        label: what the target is called; "" if nobody knows.
        ask: asks a function of the page.
        stop: the kill switch.

    Raises:
        ToolFailed: if it would not; nothing is pressed then.
        Stopped: if the kill switch falls.
    """

    def look() -> str:
        name, problem = ask(_COVERED, [*at, label])
        if problem:
            raise ToolFailed(f"{label or 'the place'!r} cannot be pressed: {problem}.", remedy="Look at the page.")
        return str(name)

    before = look()
    mouse.move(*at)
    stop.pause(HOVER_S)
    if look() != before:
        raise ToolFailed(
            f"{label or 'the place'!r} cannot be pressed: it is called otherwise once the pointer is on it.",
            remedy="Look at the page.",
        )
