"""Chromium through Playwright: discovery, start, refused URLs, and scripts that query pages."""

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
"""Kind of the element at a point: `field`, a key of `DATES`, `locked`, `none`, or `unknown` if the page hides it."""
DATES = {
    "date": "2026-03-04",
    "time": "14:30",
    "month": "2026-03",
    "week": "2026-W10",
    "datetime-local": "2026-03-04T14:30",
}
"""Fields that a browser draws with parts in its own order, with an example of the format each takes."""
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
"""Text of the focused field; null if no field has the focus."""
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
"""Width of a page and its place on the desktop, in CSS pixels."""

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
  if (!own) return ["", "it is in a frame of another address, which the policy does not cover"];
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
    if (seen < 0.1) return [name, "an invisible element covers it"];
  }
  return [name, ""];
}"""
)
"""Name of the element at a point, and why a click would not reach the target there ("" if it would).

The target is the uppermost element with the target's name, else the uppermost interactive one.
"""
HOVER_S = 0.1
"""Time a page may take to react to the pointer before it is read again."""
LEAST_PX, MOST_PX = 200, 8192
"""Range of the side of a window, and of a zoomed-out page. Pictures of larger ones take long or never come."""
SHELL = "chromium-headless-shell"
"""Chromium's headless program, as Debian names it."""
_FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
_NAMES = {
    **{"ctrl": "Control", "alt": "Alt", "shift": "Shift", "super": "Meta", "enter": "Enter", "tab": "Tab"},
    **{"escape": "Escape", "backspace": "Backspace", "delete": "Delete", "insert": "Insert", "space": "Space"},
    **{"home": "Home", "end": "End", "pageup": "PageUp", "pagedown": "PageDown", "up": "ArrowUp"},
    **{"down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight"},
}


def check_url(url: str, error: Callable[..., AttendError] = ConfigError) -> None:
    """Refuse every URL that is not plain http or https: `data:`, `blob:`, `file:`, `javascript:` and the like."""
    if isinstance(problem := parse_url(url), str):
        scheme = urlsplit(url).scheme if ":" in url else ""
        raise error(
            f"cannot open the address {shorten(mask_credentials(url))!r}: {problem}.",
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
            f"cannot start Playwright: {first_line(error)}.", remedy="Call it outside an asyncio loop."
        ) from error


def find_chromium(executable: str | None, headless: bool) -> str | None:
    """Return the path of the browser; None leaves it to Playwright.

    Without a window, Chromium's headless shell is preferred: it draws the same pixels with a quarter less work.

    Raises:
        ConfigError: if the named one does not exist, or cannot show the requested window.
    """
    named = executable or os.environ.get("CHROMIUM")
    if named and shutil.which(named) is None:
        raise ConfigError(f"cannot find the browser {named!r}.", expected="the path of Chromium or Chrome")
    if named and not headless and SHELL in named:
        raise ConfigError(
            f"cannot use the browser {named!r}: it has no window.",
            expected="the path of Chromium or Chrome",
            remedy="Name another in $CHROMIUM, or work without a window.",
        )
    shell = shutil.which(SHELL) if headless else None
    return named or shell or shutil.which("chromium") or shutil.which("google-chrome")


def flags() -> list[str]:
    """Return Chromium's flags; as root it runs without its sandbox."""
    return [*_FLAGS, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]


def fit(size_px: tuple[int, int], least_px: tuple[int, int] | None, scale: float) -> tuple[tuple[int, int], float]:
    """Return the layout size of a page, and pixels per CSS pixel, so that it fits a window that may be smaller.

    Raises:
        ConfigError: if a side would be longer than `MOST_PX`.
    """
    zoom = 1.0 if least_px is None else min(1.0, size_px[0] / least_px[0], size_px[1] / least_px[1])
    width, height = round(size_px[0] / zoom), round(size_px[1] / zoom)
    if max(width, height) > MOST_PX:
        raise ConfigError(
            f"cannot use a page of {width}x{height} CSS pixels: too large.",
            expected=f"sides of at most {MOST_PX}",
            remedy="Use a window with proportions closer to the page's, or a smaller page.",
        )
    return (width, height), scale * zoom


def key_of_page(key: str) -> str:
    """Return Playwright's name of a key."""
    return _NAMES.get(key, key.upper() if key.startswith("f") and key[1:].isdigit() else key)


def first_line(error: Exception) -> str:
    """Return the first line of an error of Playwright, which runs to pages."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def css_point(point: Point, scale: float) -> tuple[float, float]:
    """Convert a point of the screenshot to CSS pixels."""
    return point.x_px / scale, point.y_px / scale


def _free(path: Path) -> Path:
    """Return a path that does not exist yet: this one, or with a number after its name."""
    others = (path.with_stem(f"{path.stem} ({number})") for number in itertools.count(1))
    return path if not path.exists() else next(other for other in others if not other.exists())


class BrowserEvents:
    """Asynchronous browser events: dialogs of its pages, and downloads.

    Playwright delivers them during its next call, so they have to be collected at each step.

    Args:
        folder: folder for downloads; None discards them.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._asked: list[str] = []
        self._arrived: list[tuple[Any, str | None]] = []

    def subscribe(self, page: Any) -> None:
        """Subscribe to the events of a page of Playwright; its dialogs are answered with Cancel."""
        page.on("dialog", self._refuse)
        page.on("download", self._await)

    def take(self, error: Callable[..., AttendError] = Interrupted) -> None:
        """Save completed downloads. Raises `error`, once, if one failed or a page showed a dialog."""
        from playwright.sync_api import Error

        if self._asked:
            asked = shorten(self._asked[0])
            self._asked.clear()
            raise error(
                f"cannot continue: the page showed the dialog {asked!r}, which was answered with Cancel.",
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
                raise error(f"cannot download {name!r}: {problem}.", remedy="Look at the page.")

    def _refuse(self, dialog: Any) -> None:
        from playwright.sync_api import Error

        self._asked.append(dialog.message)
        with contextlib.suppress(Error):  # Its page may be gone.
            dialog.dismiss()

    def _await(self, download: Any) -> None:
        from playwright.sync_api import Error

        # Playwright runs this concurrently: nothing waits for a slow download.
        try:
            problem = download.failure()
        except Error as failed:
            problem = first_line(failed)
        self._arrived.append((download, problem))


def ask_page(session: Any, script: str, *given: Any) -> Any:
    """Return the result of a function run in the page's isolated world, which the page's scripts cannot forge.

    Args:
        session: a DevTools session of Playwright.
        script: a read-only function in JavaScript.
        given: its arguments, as JSON.

    Raises:
        playwright.sync_api.Error: if the script cannot run, as while the page navigates away.
    """
    from playwright.sync_api import Error

    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "attend"})
    asked = {
        "expression": f"({script})({', '.join(map(json.dumps, given))})",
        "contextId": world["executionContextId"],
        "returnByValue": True,
    }
    answer = session.send("Runtime.evaluate", asked)
    if "exceptionDetails" in answer:
        raise Error(
            answer["exceptionDetails"].get("exception", {}).get("description", "cannot run a script in the page")
        )
    return answer["result"].get("value")


def set_date(ask: Callable[..., Any], kind: str, text: str) -> str:
    """Put a date or time into the focused field, and return the field's value.

    Raises:
        ToolFailed: if the text has the wrong format for such a field; the field is unchanged.
        WrongText: if the page changed the value.
    """
    held = ask(_SET_DATE, text)
    if not held:
        raise ToolFailed(
            f"cannot type the text into a {kind} field: invalid format.", expected=f"such as {DATES[kind]}"
        )
    check_field(text, str(held), "the page")
    return str(held)


def move_onto(mouse: Any, at: tuple[float, float], label: str, ask: Callable[..., Any], stop: KillSwitch) -> None:
    """Move the pointer, and check that a click would reach the target: not covered, and its name unchanged.

    Frames of other origins and canvases are not inspected.

    Args:
        mouse: Playwright's mouse.
        at: position, in CSS pixels.
        label: name of the target; "" if unknown.
        ask: evaluates a function in the page.
        stop: the kill switch.

    Raises:
        ToolFailed: if it would not; nothing is clicked then.
        Stopped: if the kill switch is set.
    """

    def look() -> str:
        name, problem = ask(_COVERED, [*at, label])
        if problem:
            raise ToolFailed(f"cannot click {label or 'the place'!r}: {problem}.", remedy="Look at the page.")
        return str(name)

    before = look()
    mouse.move(*at)
    stop.pause(HOVER_S)
    if look() != before:
        raise ToolFailed(
            f"cannot click {label or 'the place'!r}: its name changes once the pointer is on it.",
            remedy="Look at the page.",
        )
