"""Watcher of a person's actions on a page of Chromium: document events, received in an isolated world.

The page's scripts can neither call nor see the listener; the browser does not trust synthetic events, and they are not
reported. Frames of the page's own origin are watched; of others, only entering one is reported. Typed text stays in the
page: only the fact, and the field if there was one, are reported.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from tools.errors import MediaError
from tools.gui.actuators.browser import BrowserActuator
from tools.gui.actuators.chromium import first_line
from tools.gui.recording.events import Closed, Event
from tools.gui.types import Point, Screen

WORLD = "attend"
PUMP_MS = 40
"""Time the page runs between two polls for events."""
_LISTEN = """(() => {
  if (globalThis.attendListens) return;
  globalThis.attendListens = true;
  const send = (event, told) => globalThis.%s(JSON.stringify({at: performance.timeOrigin + event.timeStamp, ...told}));
  // Where the frame's corner is on the page; null where a frame around it is of another origin.
  const corner = () => {
    const at = {x: 0, y: 0};
    for (let inner = window; inner !== inner.parent; inner = inner.parent) {
      let frame = null;
      try { frame = inner.frameElement; } catch { return null; }
      if (!frame) return null;
      const around = frame.getBoundingClientRect(), style = getComputedStyle(frame);
      at.x += around.x + frame.clientLeft + parseFloat(style.paddingLeft);
      at.y += around.y + frame.clientTop + parseFloat(style.paddingTop);
    }
    return at;
  };
  const tell = (event, told) => {
    if (!event.isTrusted) return;
    const at = corner();
    if (!at) send(event, {kind: "frame"});
    else send(event, "x" in told ? {...told, x: told.x + at.x, y: told.y + at.y} : told);
  };
  const buttons = ["left", "middle", "right"];
  const place = event => ({x: event.clientX, y: event.clientY});
  let pressed = null;
  const middle = field => { const at = field.getBoundingClientRect();
    return {x: at.x + at.width / 2, y: at.y + at.height / 2}; };
  const kinds = /^(button|submit|reset|checkbox|radio|file|image|range|color|hidden)$/;
  addEventListener("mousedown", event => {
    pressed = place(event);
    if (event.button < 3) tell(event, {kind: "click", ...pressed, button: buttons[event.button], count: event.detail});
  }, true);
  addEventListener("mouseup", event => {
    const at = place(event);
    const moved = pressed && Math.max(Math.abs(at.x - pressed.x), Math.abs(at.y - pressed.y)) > 6;
    if (moved && event.button === 0) tell(event, {kind: "drag", ...pressed});
  }, true);
  addEventListener("wheel", event => tell(event, {kind: "scroll", ...place(event), notches: event.deltaY / 100}), true);
  addEventListener("input", event => {
    const field = event.composedPath()[0];
    if (field.tagName === "SELECT") tell(event, {kind: "choice", ...middle(field)});
    else if (field.tagName !== "INPUT" || !kinds.test(field.type)) tell(event, {kind: "text", ...middle(field)});
  }, true);
  const written = field => field.isContentEditable || (!field.readOnly
    && (field.tagName === "TEXTAREA" || (field.tagName === "INPUT" && !kinds.test(field.type))));
  const foreign = field => {
    try { return field?.tagName === "IFRAME" && !field.contentDocument; } catch { return true; }
  };
  addEventListener("blur", event => {
    if (event.isTrusted && event.target === window && foreign(document.activeElement)) send(event, {kind: "frame"});
  }, true);
  addEventListener("keydown", event => {
    const held = [event.ctrlKey && "ctrl", event.altKey && "alt", event.metaKey && "super"].filter(Boolean);
    const field = event.composedPath()[0];
    if (event.key.length === 1 && !held.length) {
      // A field reports its own input; so does a list whose options are chosen by letters.
      if (written(field) || (field.tagName === "SELECT" && event.key !== " ")) return;
      // A space presses buttons and scrolls, where it writes nothing.
      if (event.key !== " ") { tell(event, {kind: "stray"}); return; }
    }
    if (["Control", "Alt", "Shift", "Meta", "AltGraph", "Dead", "Process", "Unidentified"].includes(event.key)) return;
    tell(event, {kind: "key", keys: [...held, event.shiftKey && "shift", event.key].filter(Boolean).join("+")});
  }, true);
})()"""
_NAMES = {"arrowup": "up", "arrowdown": "down", "arrowleft": "left", "arrowright": "right", " ": "space"}


class BrowserWatcher:
    """Reports events of a page and of pages that it opens.

    Args:
        actuator: the actuator of the page; used in the thread that made it.
    """

    def __init__(self, actuator: BrowserActuator) -> None:
        self._events: list[Event] = []
        self._binding = f"attend_{secrets.token_hex(8)}"
        self._page = actuator._page
        self._pages: list[Any] = []
        self._attach(self._page)
        self._page.context.on("page", self._attach)

    @staticmethod
    def point(event: Event, screen: Screen) -> Point:
        """Return the point of an event in image pixels; it is reported in CSS pixels of the page."""
        return Point(x_px=event.x * screen.view.scale, y_px=event.y * screen.view.scale)

    def events(self) -> list[Event]:
        """Return the events since the last call, in order. Raises Closed once all these pages are closed."""
        from playwright.sync_api import Error

        pages = [page for page in self._pages if not page.is_closed()]
        if not pages:
            raise Closed("the page was closed.")
        try:
            pages[-1].wait_for_timeout(PUMP_MS)  # Events arrive during this wait.
        except Error as error:
            if not pages[-1].is_closed():
                raise MediaError(f"cannot watch the page: {first_line(error)}.") from error
        pending, self._events = self._events, []
        return pending

    def close(self) -> None:
        """Stop watching."""
        self._page.context.remove_listener("page", self._attach)

    def _attach(self, page: Any) -> None:
        self._pages.append(page)
        session = page.context.new_cdp_session(page)
        session.on("Runtime.bindingCalled", self._take)
        session.send("Runtime.enable")
        session.send("Page.enable")
        session.send("Runtime.addBinding", {"name": self._binding, "executionContextName": WORLD})
        listen = _LISTEN % self._binding
        session.send("Page.addScriptToEvaluateOnNewDocument", {"source": listen, "worldName": WORLD})
        # Documents that exist already were created before.
        trees = [session.send("Page.getFrameTree")["frameTree"]]
        while trees:
            tree = trees.pop()
            trees += tree.get("childFrames", ())
            made = session.send("Page.createIsolatedWorld", {"frameId": tree["frame"]["id"], "worldName": WORLD})
            session.send("Runtime.evaluate", {"expression": listen, "contextId": made["executionContextId"]})

    def _take(self, called: dict[str, Any]) -> None:
        if called["name"] != self._binding:
            return
        event = json.loads(called["payload"])
        event["at_s"] = time.monotonic() - time.time() + event.pop("at") / 1000
        if "keys" in event:
            event["keys"] = "+".join(_NAMES.get(key.lower(), key.lower()) for key in event["keys"].split("+") if key)
        if "notches" in event:
            event["notches"] = round(event["notches"]) or (1 if event["notches"] > 0 else -1)
        self._events.append(Event(**event))
