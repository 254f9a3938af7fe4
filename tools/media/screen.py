"""The screen of this machine as a live source."""

from __future__ import annotations

import functools
import sys
import threading
import time

import numpy as np

from tools.errors import MediaError
from tools.media.live import Picture, Pictures, watch
from tools.media.options import MediaOptions
from tools.media.sampling import ReadableSource, fit
from tools.media.types import SourceInfo

FASTEST_FPS = 30.0
"""Rate when every frame is requested, since a screen has none of its own."""


def open_screen(number: int, options: MediaOptions) -> ReadableSource:
    """Open a screen: 1 is the first, 0 all of them side by side.

    Raises:
        MediaError: if there is no display, or no screen with this number.
    """
    opening = _screen_pictures(number, options, threading.Event())
    shape = next(opening).rgb().shape
    # The mss handle belongs to this thread, and the source is read in another.
    opening.close()
    name = f"screen:{number}"
    info = SourceInfo(name, "screen", True, shape[1], shape[0], fps=options.fps or FASTEST_FPS)
    connect = functools.partial(_screen_pictures, number, options)
    return ReadableSource(info, functools.partial(watch, connect, [], name, options))


def _screen_pictures(number: int, options: MediaOptions, closed: threading.Event) -> Pictures:
    import mss

    period_s = 1 / (options.fps or FASTEST_FPS)
    try:
        with mss.MSS(backend=mss_backend()) as screens:
            if number >= len(screens.monitors):
                raise MediaError(
                    f"cannot find screen {number}; {len(screens.monitors) - 1} found.",
                    expected="screen:1 for the first, or screen:0 for all together",
                )
            area = screens.monitors[number]
            next_s = time.monotonic()
            while not closed.is_set():
                shot = screens.grab(area)
                rgb = np.frombuffer(shot.rgb, dtype=np.uint8).reshape(shot.height, shot.width, 3)
                yield Picture(None, functools.partial(fit, rgb, options))
                next_s = max(next_s + period_s, time.monotonic())
                closed.wait(next_s - time.monotonic())
    except mss.ScreenShotError as error:
        raise MediaError(
            f"cannot read the screen: {error}.",
            remedy="Run in a graphical session. On Linux, DISPLAY must name an X server (such as Xvfb).",
        ) from error


def mss_backend() -> str:
    """Return the backend of mss. decord brings an old libxcb that crashes mss with XCB, but not with Xlib."""
    return "xlib" if sys.platform == "linux" and "decord" in sys.modules else "default"
