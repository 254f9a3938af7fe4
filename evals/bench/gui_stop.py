"""Latency of the kill switch, by each way to trigger it.

    python -m evals.bench.gui_stop [--drag] [--json]

A simulated actuator types a long text, a key every 5 ms. Measures the time from the trigger until typing has ended and
every key is released. The hot key and the mouse are measured if there is an X display (DISPLAY).

With `--drag`, the real desktop actuator drags on its own X server (Xvfb), and is stopped at some moment: while it is
working (`drag`), and while it hangs in the middle (`drag_hung`). Measures the time from the trigger until the X server
reports no pressed key or button.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.gui_programs import x_server
from evals.bench.redteam_desk import CONTROLS, Page, SimulatedDesk
from tools.errors import Stopped
from tools.gui.guard.kill_switch import Corner, Hotkey, KillSwitch, Source, open_display, watching, write_stop
from tools.gui.types import Drag, Point, TypeText

TIMES = 20
KEY_S = 0.005
TEXT = "long " * 2000


def stop_ms(times: int = TIMES) -> dict[str, dict[str, float]]:
    """Return median and worst of `times` stops, in milliseconds, for each trigger."""
    figures = {
        "call": [_stop_once(lambda switch: switch.set("bench")) for _ in range(times)],
        "file": [_stop_once(lambda switch: write_stop(switch.folder or Path(), "bench")) for _ in range(times)],
    }
    if os.environ.get("DISPLAY"):
        figures["hot_key"] = [_stop_by_display(Hotkey, _press) for _ in range(times)]
        figures["mouse"] = [_stop_by_display(Corner, _point) for _ in range(times)]
    return _told(figures)


def drag_ms(times: int = TIMES) -> dict[str, dict[str, float]]:
    """Return median and worst of `times` stops of real drags, in milliseconds.

    Raises:
        ToolFailed: if Xvfb or xdotool is missing.
        RuntimeError: if something stayed pressed.
    """
    with tempfile.TemporaryDirectory() as folder, x_server(Path(folder), "640x480"):
        wait_s = np.linspace(0.0, 0.2, times)
        return _told(
            {
                "drag": [_stop_a_drag(KillSwitch(), after_s) for after_s in wait_s],
                "drag_hung": [_stop_a_drag(_Hanging(), after_s) for after_s in wait_s],
            }
        )


def _told(figures: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        way: {"median": round(float(np.median(values)), 2), "worst": round(max(values), 2), "n": len(values)}
        for way, values in figures.items()
    }


class _Hanging(KillSwitch):
    """A switch that hangs at its first pause until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def pause(self, seconds: float) -> None:
        self.freed.wait()
        super().pause(seconds)


def _stop_a_drag(switch: KillSwitch, after_s: float) -> float:
    from tools.gui.actuators.desktop import DesktopActuator

    took_s: list[float] = []
    with contextlib.redirect_stdout(sys.stderr):  # python-xlib prints its warnings.
        actuator, display = DesktopActuator(switch, tree=False), open_display()

    def person() -> None:
        while not _held(display):
            time.sleep(0.001)
        time.sleep(after_s)
        asked_s = time.perf_counter()
        switch.set("bench")
        # A press in progress at the trigger is released, too: it has to stay up.
        up_s, ends_s = 0.0, asked_s + 1.0
        while (now_s := time.perf_counter()) < ends_s:
            held = _held(display)
            up_s = 0.0 if held else up_s or time.perf_counter()
        took_s.append((up_s or now_s) - asked_s)
        if isinstance(switch, _Hanging):
            switch.freed.set()

    thread = threading.Thread(target=person)
    thread.start()
    with watching(switch, actuator.release), contextlib.suppress(Stopped):
        while True:
            actuator.perform(Drag(start=Point(x_px=50, y_px=50), end=Point(x_px=300, y_px=300)))
    thread.join()
    held = _held(display)
    actuator.close()
    display.close()
    if held:
        raise RuntimeError("a button is still held")
    return took_s[0] * 1000


def _held(display: Any) -> bool:
    """Return whether the X server reports a pressed key or button."""
    return any(display.query_keymap()) or bool(display.screen().root.query_pointer().mask & 0x1F00)


def _stop_once(ask: Callable[[KillSwitch], object], sources: tuple[Source, ...] = ()) -> float:
    with tempfile.TemporaryDirectory() as folder:
        switch = KillSwitch(Path(folder))
        desk, begun = SimulatedDesk(Page(CONTROLS), switch, key_s=KEY_S), threading.Event()
        desk.on_key = lambda key: begun.set()
        asked_s = 0.0

        def person() -> None:
            nonlocal asked_s
            begun.wait()
            asked_s = time.perf_counter()
            ask(switch)

        thread = threading.Thread(target=person)
        thread.start()
        with watching(switch, desk.release, sources), contextlib.suppress(Stopped):
            desk.perform(TypeText(point=desk.page.control("Note").rect.center, text=TEXT))
        ended_s = time.perf_counter()
        thread.join()
    if desk.held or desk.typed["Note"] == TEXT:
        raise RuntimeError("the work was not stopped")
    return (ended_s - asked_s) * 1000


def _stop_by_display(source: Callable[[], Source], ask: Callable[[Any, bool], None]) -> float:
    display = open_display()
    try:
        ask(display, False)
        return _stop_once(lambda switch: ask(display, True), (source(),))
    finally:
        ask(display, False)
        display.close()


def _press(display: Any, on: bool) -> None:
    from Xlib import XK, X
    from Xlib.ext import xtest

    for name in ("Control_L", "Alt_L", "Escape"):
        code = display.keysym_to_keycode(XK.string_to_keysym(name))
        xtest.fake_input(display, X.KeyPress if on else X.KeyRelease, code)
    display.sync()


def _point(display: Any, on: bool) -> None:
    from Xlib import X
    from Xlib.ext import xtest

    xtest.fake_input(display, X.MotionNotify, x=0 if on else 200, y=0 if on else 200)
    display.sync()


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drag", action="store_true", help="also stop real drags, on a separate X server")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    chosen = parser.parse_args(arguments)
    figures = stop_ms() | (drag_ms() if chosen.drag else {})
    lines = [f"{way}: median {one['median']} ms, worst {one['worst']} ms of {one['n']}" for way, one in figures.items()]
    sys.stdout.write((json.dumps(figures, indent=1) if chosen.json else "\n".join(lines)) + "\n")


if __name__ == "__main__":
    main()
