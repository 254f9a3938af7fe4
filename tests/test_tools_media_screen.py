"""The screen, captured from a real X server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fixtures.clips import need
from tools.errors import MediaError
from tools.media import Frame, MediaOptions, open_source

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [need("Xvfb", "xvfb"), "-displayfd", str(write_end), "-noreset", "-screen", "0", "320x200x24"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as numbers:
        monkeypatch.setenv("DISPLAY", f":{numbers.readline().strip()}")
    (tmp_path / "authority").touch()
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "authority"))
    yield server
    server.kill()
    server.wait()


@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("spec", ["screen", "screen:1", "screen:0"])
def test_the_screen_is_a_live_source(spec: str) -> None:
    with open_source(spec, MediaOptions(fps=20)) as source:
        assert (source.info.kind, source.info.live) == ("screen", True)
        events = [event for event, _ in zip(source, range(5), strict=False)]
    assert all(isinstance(event, Frame) and event.rgb.shape == (200, 320, 3) for event in events)
    assert events[0].t_s == 0
    assert all(a.t_s < b.t_s for a, b in pairwise(events))
    assert events[0].wall_s is not None


def _paint_root(blue: int, green: int, red: int) -> None:
    """Fill the screen with one colour through the X protocol."""
    from Xlib import X, display

    connection = display.Display()
    screen = connection.screen()
    context = screen.root.create_gc(foreground=red << 16 | green << 8 | blue, subwindow_mode=X.IncludeInferiors)
    screen.root.fill_rectangle(context, 0, 0, 320, 200)
    connection.sync()
    connection.close()


@pytest.mark.usefixtures("display")
def test_colours_are_rgb() -> None:
    pytest.importorskip("Xlib")
    # A client that stays, since X clears the screen when the last one leaves.
    with open_source("screen", MediaOptions(fps=20)) as source:
        events = iter(source)
        next(events)
        _paint_root(blue=10, green=20, red=200)
        frame = next(events)
    assert frame.rgb[100, 100].tolist() == [200, 20, 10]


@pytest.mark.usefixtures("display")
def test_a_screen_that_is_not_there_is_named() -> None:
    with pytest.raises(MediaError, match=r"cannot find screen 7; 1 found"):
        open_source("screen:7")


def test_without_a_display_the_remedy_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MediaError, match="DISPLAY must name an X server"):
        open_source("screen")


WATCH_UNTIL_IT_DIES = """
from tools.media import MediaOptions, open_source
options = MediaOptions(fps=20, reconnect_attempts=1, backoff_initial_s=0.1)
for event in open_source("screen", options):
    print(type(event).__name__, getattr(event, "end_s", ""), flush=True)
"""


def test_a_display_that_dies_ends_with_a_gap(display: subprocess.Popen[bytes]) -> None:
    # A process of its own: where decord was loaded, Xlib is used, which ends the process with its display.
    command = [sys.executable, "-c", WATCH_UNTIL_IT_DIES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().strip() == "Frame"
        display.kill()
        assert watcher.stdout.read().splitlines()[-1] == "Gap None"
        assert watcher.wait(timeout=20) == 0


@pytest.mark.usefixtures("display")
def test_the_screen_can_be_read_where_decord_was_loaded() -> None:
    pytest.importorskip("decord")
    with open_source("screen") as source:
        assert isinstance(next(iter(source)), Frame)


@pytest.mark.usefixtures("display")
def test_closing_ends_a_slow_screen_at_once() -> None:
    source = open_source("screen", MediaOptions(fps=0.01))
    events = iter(source)
    next(events)
    threading.Timer(0.2, source.close).start()
    assert list(events) == []
