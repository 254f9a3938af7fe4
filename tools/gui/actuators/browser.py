"""Actuator for a page in Chromium, by Playwright: screenshots, the accessibility tree with bounds, mouse and keys.

Playwright's objects belong to the thread that made them. `release` called from another thread, as by the kill switch's
watcher, therefore does nothing by itself: the actuator polls the switch between keys, and releases before it stops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tools.errors import ConfigError, MediaError, Stopped, ToolFailed
from tools.gui.actuators.chromium import (
    FIELD_AT,
    HELD,
    PLACE,
    BrowserEvents,
    ask_page,
    check_url,
    css_point,
    find_chromium,
    first_line,
    fit,
    flags,
    key_of_page,
    move_onto,
    set_date,
    start_playwright,
)
from tools.gui.actuators.common import (
    DRAG_STEPS,
    KEY_S,
    WrongText,
    as_rgb,
    check_field,
    check_points,
    key_names,
    not_an_action,
    read,
    settle,
    wait_for,
)
from tools.gui.actuators.page_tree import DevTools, read_nodes
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.types import Action, Click, Drag, PressKey, Read, Rect, Screen, Scroll, TypeText, View, WaitFor
from tools.media.types import mask_credentials

WIDTH_PX, HEIGHT_PX = 1280, 800
"""Default page size."""
NOTCH_PX = 100
"""CSS pixels per notch of the wheel, as in Chromium."""
TIMEOUT_MS = 30_000
PATIENCE_MS, PAUSE_S = (2_000, 4_000, 8_000, 16_000, TIMEOUT_MS), 0.2
"""Timeouts of successive attempts to take a page's picture before it counts as unreadable, and the pause between them.
A picture requested while the page navigates away never comes."""
BLANK = "about:blank"
INSTALL = "Install chromium (Debian: apt-get install chromium), or name one in $CHROMIUM."
START = "Start that browser with --remote-debugging-port=9222, and name http://127.0.0.1:9222."


class BrowserActuator:
    """An `Actuator` for one page of Chromium; it follows a page that opens another.

    Args:
        url: opened first; http and https only.
        stop: the kill switch, polled between keys.
        executable: the browser; None uses $CHROMIUM, else the first one found; see `find_chromium`.
        connect: DevTools address of a running browser, such as "http://127.0.0.1:9222"; its front page is used.
        headless: without a window.
        downloads: folder for downloads; None refuses them.
        tree: whether to read the accessibility tree at all.
        size_px: width and height of the page, in CSS pixels.
        least_px: minimum layout size of the page; if `size_px` is smaller, the page is zoomed out to fit.
        scale: pixels of the screenshot per CSS pixel, before zooming.

    Attributes:
        aimed_at: label of the next action's target; "" if unknown.
        shown: whether a person may see its window: it is not headless, or was already running.

    Raises:
        ConfigError: if Playwright or the browser is missing, or the URL's scheme is refused.
        MediaError: if the page cannot be opened.
    """

    name, aimed_at = "browser", ""

    def __init__(
        self,
        url: str = "",
        stop: KillSwitch | None = None,
        *,
        executable: str | None = None,
        connect: str = "",
        headless: bool = True,
        downloads: Path | None = None,
        tree: bool = True,
        size_px: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
        least_px: tuple[int, int] | None = None,
        scale: float = 1.0,
    ) -> None:
        size_px, scale = fit(size_px, least_px, scale)
        if url:
            check_url(url)
        self._stop, self._tree, self._downloads = stop or KillSwitch(), tree, downloads
        self.shown = bool(connect) or not headless
        self._thread = threading.get_ident()
        self._keys: list[str] = []
        self._buttons: list[Any] = []
        self._events = BrowserEvents(downloads)
        self._pages: list[Any] = []
        self._playwright = start_playwright()
        try:
            self._open(executable, connect, headless, size_px, scale)
            if url:
                self.open(url)
        except BaseException:
            self.close()
            raise

    def open(self, url: str) -> None:
        """Open a URL: in a new tab if the browser is a person's, who may have unsaved work.

        Raises:
            ConfigError: if its scheme is refused.
            MediaError: if it cannot be opened.
        """
        from playwright.sync_api import Error

        check_url(url)
        self._stop.check()
        try:
            if not self._own and self._page.url != BLANK:
                self._context.new_page()  # the new tab is used from now on
            self._page.goto(url, wait_until="load", timeout=TIMEOUT_MS)
            self._settle()
        except Error as error:
            problem = f"cannot open the page {url!r}: {first_line(error)}."
            raise MediaError(mask_credentials(problem), remedy="Is it served?") from error

    def screen(self, *, tree: bool = True) -> Screen:
        """Take a screenshot of the viewport, with the accessibility tree in the same pixels.

        Raises:
            Interrupted: if, since the last screenshot or action, the page showed a dialog (answered with Cancel), or
                a download failed.
            MediaError: if the page cannot be read.
        """
        from playwright.sync_api import Error

        try:
            screen = cast(Screen, self._looking(lambda: self._look(tree)))
        except Error as error:
            problem = f"cannot read the page: {first_line(error)}."
            raise MediaError(problem, remedy="Is the browser open?") from error
        self._events.take()
        return screen

    def _look(self, tree: bool) -> Screen:
        rgb = as_rgb(self._png())
        width, left, top = ask_page(self._session, PLACE)
        scale = rgb.shape[1] / width
        nodes = read_nodes(cast(DevTools, self._session), scale) if tree and self._tree else None
        return Screen(
            rgb=rgb,
            view=View(float(left), max(0.0, float(top)), scale),
            nodes=nodes,
            window=self._page.title(),
            url="" if self._page.url == BLANK else self._page.url,
        )

    def perform(self, action: Action) -> str:
        """Perform an action, and wait until the page settles; return the text read, or the field's text after typing.

        Raises:
            ToolFailed: if it cannot be performed; nothing is done then.
            WrongText: if a field does not contain what was typed, or its page closed meanwhile.
            Interrupted: as by `screen`.
            Stopped: if the kill switch is set.
        """
        from playwright.sync_api import Error

        self._stop.check()
        try:
            if self._page.url != BLANK:
                check_url(self._page.url, ToolFailed)
            scale, rect = self._measure()
            self._events.take(ToolFailed)
            check_points(action, rect)
            result = self._unless_closed(action, scale)
            if action.kind not in ("wait", "read"):
                self._settle()
        except Stopped:
            self.release()
            raise
        except Error as error:
            self.release()
            raise MediaError(f"the browser failed: {first_line(error)}.", remedy="Look at the page.") from error
        self._events.take()
        return result

    def release(self) -> None:
        """Release all held keys and buttons; if called from another thread, the actuator does so when it next polls."""
        from playwright.sync_api import Error

        if threading.get_ident() != self._thread:
            return
        while self._keys or self._buttons:
            try:
                if self._keys:
                    self._page.keyboard.up(self._keys.pop())
                else:
                    self._page.mouse.up(button=self._buttons.pop())
            except Error:
                # The page is gone, and with it what it held.
                self._keys.clear()
                self._buttons.clear()

    def close(self) -> None:
        """Close what was opened here; a browser that was already running stays open."""
        from playwright.sync_api import Error

        browser = getattr(self, "_browser", None)
        try:
            if browser and getattr(self, "_own", False):
                browser.close()
        except Error:
            pass  # It is already closed.
        finally:
            self._playwright.stop()

    def _open(
        self, executable: str | None, connect: str, headless: bool, size_px: tuple[int, int], scale: float
    ) -> None:
        from playwright.sync_api import Error

        chromium = self._playwright.chromium
        self._own = not connect
        try:
            if connect:
                self._browser = chromium.connect_over_cdp(connect)
                context = self._browser.contexts[0]
                pages = [page for page in context.pages if page.url.startswith(("http", BLANK))]
                seen = [page for page in pages if page.evaluate("document.visibilityState") == "visible"]
                page = (seen or pages or [None])[-1] or context.new_page()
            else:
                # Ctrl+C also reaches the driver, which would close the browser before an orderly stop.
                found = {"executable_path": find_chromium(executable, headless), "args": flags(), "headless": headless}
                self._browser = chromium.launch(**found, handle_sigint=False)
                context = self._browser.new_context(
                    viewport={"width": size_px[0], "height": size_px[1]},
                    device_scale_factor=scale,
                    accept_downloads=self._downloads is not None,
                )
                page = context.new_page()
        except (Error, IndexError) as error:
            what, remedy = "cannot start Chromium", INSTALL
            if connect:
                what, remedy = f"cannot reach the browser at {connect!r}", START
            raise ConfigError(f"{mask_credentials(f'{what}: {first_line(error)}')}.", remedy=remedy) from error
        self._context = context
        self._take(page)
        context.on("page", self._take)

    def _take(self, page: Any) -> None:
        """Switch to a page; when it closes, switch back to the one before."""
        self._pages.append(page)
        self._events.subscribe(page)
        page.on("close", lambda closed: self._leave(closed))
        self._front()

    def _leave(self, page: Any) -> None:
        if page in self._pages[1:]:
            self._pages.remove(page)
            self._front()

    def _closed_itself(self, page: Any) -> bool:
        """Return whether a page is closed and there is another to return to."""
        others = [one for one in self._pages if one is not page]
        if others:
            others[-1].evaluate("() => 0")  # Once it answers, the close event has arrived.
        return bool(others) and page.is_closed()

    def _front(self) -> None:
        self._page = self._pages[-1]
        self._session = self._context.new_cdp_session(self._page)

    def _png(self) -> bytes:
        patience_ms = iter(PATIENCE_MS)
        return self._looking(lambda: self._page.screenshot(timeout=next(patience_ms)))

    def _ask(self, script: str, *given: Any) -> Any:
        """Return the result of a read-only script."""
        return self._looking(lambda: ask_page(self._session, script, *given))

    def _looking(self, look: Callable[[], Any]) -> Any:
        """Return the result of a read; repeat it if the page closed itself or is navigating away."""
        from playwright.sync_api import Error

        for left in reversed(range(len(PATIENCE_MS))):
            page = self._page
            try:
                return look()
            except Error:
                if self._closed_itself(page):
                    self._leave(page)
                elif page.is_closed() or not left:
                    raise
                else:
                    page.wait_for_load_state("load", timeout=TIMEOUT_MS)
                    self._stop.pause(PAUSE_S)
        raise AssertionError("the last look returns or raises")

    def _settle(self) -> None:
        settle(self._png, self._stop)

    def _measure(self) -> tuple[float, Rect]:
        """Return image pixels per CSS pixel, and the bounds of the screenshot."""
        width, height, scale = self._ask("() => [innerWidth, innerHeight, devicePixelRatio]")
        return scale, Rect(left=0, top=0, right=width * scale, bottom=height * scale)

    def _unless_closed(self, action: Action, scale: float) -> str:
        """Perform an action; if the page closes itself, release everything and show the one before."""
        from playwright.sync_api import Error

        page = self._page
        try:
            result = self._do(action, scale)
        except Error:
            if not self._closed_itself(page):
                raise
            self._keys.clear()
            self._buttons.clear()
            self._leave(page)
            result = ""
        if isinstance(action, TypeText) and page.is_closed():
            # What was read back, if anything, belongs to another page.
            raise WrongText("cannot verify the typed text: the page closed meanwhile.", remedy="Look at the screen.")
        return result

    def _do(self, action: Action, scale: float) -> str:
        mouse = self._page.mouse
        match action:
            case Click():
                move_onto(mouse, css_point(action.point, scale), self.aimed_at, self._ask, self._stop)
                for count in range(1, action.count + 1):
                    self._stop.check()
                    self._buttons.append(action.button)
                    mouse.down(button=action.button, click_count=count)
                    mouse.up(button=self._buttons.pop(), click_count=count)
            case Drag():
                self._drag(action, scale)
            case Scroll():
                mouse.move(*css_point(action.point, scale))
                mouse.wheel(0, action.notches * NOTCH_PX)
            case TypeText():
                return self._type(action, scale)
            case PressKey():
                self._press(key_names(action))
            case WaitFor():
                return wait_for(action, self.screen, self._stop)
            case Read():
                return read(action, self.screen())
            case _:
                raise not_an_action(action)
        return ""

    def _drag(self, action: Drag, scale: float) -> None:
        mouse = self._page.mouse
        (left, top), (right, bottom) = css_point(action.start, scale), css_point(action.end, scale)
        mouse.move(left, top)
        self._buttons.append("left")
        mouse.down()
        for step in range(1, DRAG_STEPS + 1):
            self._stop.pause(KEY_S)
            share = step / DRAG_STEPS
            mouse.move(left + share * (right - left), top + share * (bottom - top))
        mouse.up(button=self._buttons.pop())

    def _type(self, action: TypeText, scale: float) -> str:
        at = css_point(action.point, scale)
        found = self._ask(FIELD_AT, list(at))
        if found in ("none", "locked"):
            why = "cannot find a field" if found == "none" else "cannot change the field"
            raise ToolFailed(f"{why} at ({action.point.x_px:g}, {action.point.y_px:g}).", remedy="Name the field.")
        move_onto(self._page.mouse, at, self.aimed_at, self._ask, self._stop)
        self._page.mouse.click(*at)
        if found not in ("field", "unknown"):
            return set_date(self._ask, found, action.text)
        if action.replace:
            self._press(["ctrl", "a"])
            self._press(["backspace"])
        else:
            self._press(["ctrl", "end"])
        before = "" if action.replace else self._held() or ""
        page, keyboard = self._page, self._page.keyboard
        for key in action.text:
            self._stop.pause(KEY_S)
            if key in "\n\t" or key.isascii():
                keyboard.press({"\n": "Enter", "\t": "Tab"}.get(key, key))
            else:
                keyboard.insert_text(key)
        held = self._held()
        if held is None or "\t" in action.text or page.is_closed():
            return ""
        check_field(before + action.text, held, "the page")
        return held

    def _held(self) -> str | None:
        """Return the text of the focused field; None if no field has the focus."""
        return cast(str | None, self._ask(HELD))

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            self._stop.check()
            self._keys.append(key_of_page(key))
            self._page.keyboard.down(self._keys[-1])
        while self._keys:
            self._page.keyboard.up(self._keys.pop())
