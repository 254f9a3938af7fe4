"""The kill switch, against a real X server: keys, the mouse, a file and a call stop work that types a long text."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evals.bench.redteam_desk import CONTROLS, Page, SimulatedDesk
from tests.fixtures.clips import need
from tools.errors import ConfigError, MediaError, Stopped, StoreError
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.kill_switch import (
    STOP_FILE,
    Corner,
    Hotkey,
    KillSwitch,
    clear_stop,
    read_stop,
    watching,
    write_stop,
)
from tools.gui.guard.policy import Policy
from tools.gui.types import Outcome, Screen, TypeText
from tools.privacy.redact import Redactor

LONG = "a long text " * 800
NOTE = TypeText(point=Page(CONTROLS).control("Note").rect.center, text=LONG)
PLAIN = Policy(name="plain", windows=("*",), urls=({"host": "ehr.test"},), identity="none", auto_labels=("Note",))  # type: ignore[arg-type]


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [need("Xvfb", "xvfb"), "-displayfd", str(write_end), "-noreset", "-screen", "0", "640x480x24"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as numbers:
        monkeypatch.setenv("DISPLAY", f":{numbers.readline().strip()}")
    (tmp_path / "authority").touch()
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "authority"))
    yield
    server.kill()
    server.wait()


def type_until_stopped(desk: SimulatedDesk, sources: tuple[object, ...], person: Callable[[], object]) -> str:
    """Type a long text while a person does something in the middle of it; return what stopped it."""
    begun = threading.Event()

    def on_key(key: str) -> None:
        if len(desk.typed["Note"]) == 20:
            begun.set()

    def act() -> None:
        begun.wait()
        person()

    desk.on_key = on_key

    thread = threading.Thread(target=act)
    thread.start()
    with watching(desk.stop, desk.release, sources), pytest.raises(Stopped):  # type: ignore[arg-type]
        desk.perform(NOTE)
    thread.join()
    assert 20 <= len(desk.typed["Note"]) < len(LONG)
    assert desk.held == set()
    assert desk.released >= 1
    with pytest.raises(Stopped):
        desk.perform(NOTE)
    return desk.stop.by


def slow_desk(switch: KillSwitch | None = None) -> SimulatedDesk:
    return SimulatedDesk(Page(CONTROLS), switch, key_s=0.002)


def press(*names: str) -> None:
    from Xlib import XK, X, display
    from Xlib.ext import xtest

    connection = display.Display()
    codes = [connection.keysym_to_keycode(XK.string_to_keysym(name)) for name in names]
    for code in codes:
        xtest.fake_input(connection, X.KeyPress, code)
    connection.sync()
    connection.close()


def point_at(x: int, y: int) -> None:
    from Xlib import X, display
    from Xlib.ext import xtest

    connection = display.Display()
    xtest.fake_input(connection, X.MotionNotify, x=x, y=y)
    connection.sync()
    connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")
@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("names", [("Control_L", "Alt_L", "Escape"), ("Control_R", "Alt_L", "Escape")])
def test_the_hot_key_stops_the_work(names: tuple[str, ...]) -> None:
    assert type_until_stopped(slow_desk(), (Hotkey(),), lambda: press(*names)) == "the keys ctrl+alt+escape"


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")
@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("corner", [(0, 0), (639, 0), (0, 479), (639, 479)])
def test_the_mouse_in_a_corner_stops_the_work(corner: tuple[int, int]) -> None:
    assert "corner" in type_until_stopped(slow_desk(), (Corner(),), lambda: point_at(*corner))


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")
@pytest.mark.usefixtures("display")
def test_other_keys_and_places_do_not_stop_it() -> None:
    keys, mouse = Hotkey(), Corner()
    press("Control_L", "Escape")
    point_at(320, 0)
    assert (keys(), mouse()) == ("", "")
    with pytest.raises(ConfigError, match="unknown key 'hyperdrive'"):
        Hotkey("ctrl+hyperdrive")


def test_a_button_of_a_page_stops_the_work() -> None:
    desk = slow_desk()
    assert type_until_stopped(desk, (), lambda: desk.stop.set("a button on the page")) == "a button on the page"


def test_the_file_stops_the_work_without_a_watcher_too(tmp_path: Path) -> None:
    desk = slow_desk(KillSwitch(tmp_path))
    begun = threading.Event()
    desk.on_key = lambda key: begun.set()
    thread = threading.Thread(target=lambda: begun.wait() and write_stop(tmp_path, "Ann"))
    thread.start()
    with pytest.raises(Stopped, match="Ann"):
        desk.perform(NOTE)
    thread.join()
    assert desk.held == set()
    assert clear_stop(tmp_path)
    assert not clear_stop(tmp_path)


def test_a_stop_file_is_read_whole_or_not_at_all_while_it_is_written(tmp_path: Path) -> None:
    seen: set[str] = set()

    def look(*_: object) -> object:
        """Read the file before each line that writing it runs, those of the standard library included."""
        seen.add(read_stop(tmp_path).partition(" at ")[0])
        return look

    before = sys.gettrace()
    for by in ("Ann", "Bob"):
        sys.settrace(look)  # type: ignore[arg-type]
        try:
            write_stop(tmp_path, by)
        finally:
            sys.settrace(before)
    assert seen == {"", "Ann", "Bob"}
    assert [path.name for path in tmp_path.iterdir()] == [STOP_FILE]


def test_a_disk_without_room_for_a_stop_file_stops_the_work_too(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StoreError, match="cannot write the stop file"):
            write_stop(tmp_path, "Ann")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_stop(tmp_path) == "the stop file"
    assert [path.name for path in tmp_path.iterdir()] == [STOP_FILE]


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{}"])
def test_any_stop_file_stops(text: str, tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).write_text(text)
    assert read_stop(tmp_path) == "the stop file"
    with pytest.raises(Stopped):
        KillSwitch(tmp_path).check()


def test_when_it_was_stopped_is_told_in_full_where_texts_are_redacted(tmp_path: Path) -> None:
    for days, told in ((0, r"UTC$"), (1, "UTC, 1 day ago$"), (3, "UTC, 3 days ago$")):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        (tmp_path / STOP_FILE).write_text(json.dumps({"by": "attend stop (ann)", "at": at}))
        who = read_stop(tmp_path)
        assert re.search(r"^attend stop \(ann\) at \d\d:\d\d:\d\d " + told, who)
        assert Redactor().text(who) == who


def test_what_lifts_a_stop_is_named_where_a_file_stops_only(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.interrupt("Ctrl+C")
    with pytest.raises(Stopped, match=r"stopped by Ctrl\+C\. Look at the screen; then start again\."):
        switch.pause(0)
    write_stop(tmp_path, "Ann")
    with pytest.raises(Stopped, match=f"allow work again with: attend stop --clear --folder {tmp_path}$"):
        KillSwitch(tmp_path).check()


def test_a_stop_file_that_cannot_be_read_stops(tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).mkdir()
    assert "unreadable stop file" in read_stop(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        write_stop(tmp_path / "file", "Ann")


def test_a_watcher_that_breaks_stops_the_work() -> None:
    broken = threading.Event()

    def source() -> str:
        if broken.is_set():
            raise OSError("the display went away")
        return ""

    assert "failed watcher" in type_until_stopped(slow_desk(), (source,), broken.set)


def test_a_release_that_fails_is_told() -> None:
    def release() -> None:
        raise MediaError("the display went away")

    switch = KillSwitch()
    with pytest.raises(MediaError, match="went away"), watching(switch, release):
        switch.set("Ann")


def test_the_first_one_is_named_and_a_pause_ends_at_once() -> None:
    switch = KillSwitch()
    switch.pause(0)
    assert not switch.wait(0)
    assert switch.by == ""
    switch.set("Ann")
    switch.set("Ben")
    with pytest.raises(Stopped, match="stopped by Ann"):
        switch.pause(3600)


def test_guarded_work_that_is_stopped_is_cancelled_and_recorded(tmp_path: Path) -> None:
    desk = slow_desk()
    guard = Guard(PLAIN, AuditLog(tmp_path / "audit.jsonl"), Mode.AUTO, stop=desk.stop, read_lines=lambda rgb: [])
    desk.on_key = lambda key: len(desk.typed["Note"]) == 20 and desk.stop.set("Ann")  # type: ignore[func-returns-value]
    record = guarded(desk, guard, NOTE, seen=desk.screen())
    assert (record.outcome, len(desk.typed["Note"]), desk.held) == (Outcome.CANCELLED, 20, set())
    assert guarded(desk, guard, NOTE, seen=desk.screen()).outcome == Outcome.CANCELLED


def test_a_signal_that_takes_the_screen_away_too_cancels_though_nobody_looked_at_it_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = slow_desk()
    guard = Guard(PLAIN, AuditLog(tmp_path / "audit.jsonl"), Mode.AUTO, stop=desk.stop, read_lines=lambda rgb: [])
    seen = desk.screen()

    def gone(*, tree: bool = True) -> Screen:
        desk.stop.interrupt("the signal SIGTERM")
        raise MediaError("the browser has been closed")

    monkeypatch.setattr(desk, "screen", gone)
    record = guarded(desk, guard, NOTE, seen=seen)
    assert (record.outcome, desk.stop.by) == (Outcome.CANCELLED, "the signal SIGTERM")


def test_without_a_display_it_is_said_how_else_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    for source in (Hotkey, Corner):
        with pytest.raises(ConfigError, match=r"DISPLAY is not set.*attend stop"):
            source()
    monkeypatch.setenv("DISPLAY", ":98765")
    with pytest.raises(ConfigError, match="cannot open the X display"):
        Hotkey()
