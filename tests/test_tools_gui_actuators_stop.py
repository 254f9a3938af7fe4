"""The kill switch of the desktop's actuator, on a real X server: what is held comes up, whatever its thread does."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.bench.gui_stop import drag_ms
from tests.fixtures import gui_stage
from tools.errors import MediaError, Stopped
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.guard.kill_switch import KillSwitch, watching
from tools.gui.types import Click, Drag, Point, PressKey

HERE, THERE = Point(x_px=50, y_px=50), Point(x_px=300, y_px=300)
TRIES = 60
STRESS = f"""
import threading
from tests.fixtures.gui_stage import keys_down
from tools.errors import Stopped
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.guard.kill_switch import KillSwitch, watching
from tools.gui.types import Drag, Point, PressKey

drag = Drag(start=Point(x_px=50, y_px=50), end=Point(x_px=300, y_px=300))
keys = PressKey(keys=("ctrl", "shift", "home"))
stopped = 0
for number in range({TRIES}):
    switch = KillSwitch()
    actuator = DesktopActuator(switch, tree=False)
    with watching(switch, actuator.release):
        threading.Timer(0.02 + 0.003 * number, switch.set, ["a test"]).start()
        try:
            while True:
                actuator.perform(drag)
                actuator.perform(keys)
        except Stopped:
            stopped += not keys_down()
    actuator.close()
print(stopped)
"""


@pytest.fixture(scope="module", autouse=True)
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("display")
    with gui_stage.x_server(folder, "640x480"):
        yield folder


class Blocking(KillSwitch):
    """A switch at whose first pause the work hangs, as in a program that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.goes_on = threading.Event(), threading.Event()

    def pause(self, seconds: float) -> None:
        self.hangs.set()
        self.goes_on.wait()
        super().pause(seconds)


def test_stopping_at_any_moment_of_a_drag_hangs_nothing() -> None:
    """The watcher releases while the other thread works the same display."""
    run = subprocess.run([sys.executable, "-c", STRESS], capture_output=True, text=True, timeout=240, check=False)
    assert run.stdout.split("\n")[-2:] == [str(TRIES), ""], run.stderr


def test_what_is_held_comes_up_while_the_work_hangs() -> None:
    switch = Blocking()
    actuator = DesktopActuator(switch, tree=False)

    def person() -> None:
        switch.hangs.wait()
        held.extend(gui_stage.keys_down())
        switch.set("a test")
        try:
            gui_stage.until(lambda: not gui_stage.keys_down(), "the release")
        finally:
            switch.goes_on.set()

    held: list[int] = []
    thread = threading.Thread(target=person)
    thread.start()
    with watching(switch, actuator.release), pytest.raises(Stopped):
        actuator.perform(Drag(start=HERE, end=THERE))
    thread.join()
    assert held == [0x100]
    assert not gui_stage.keys_down()
    actuator.close()


def test_the_bench_stops_drags() -> None:
    figures = drag_ms(2)
    assert {way: figure["n"] for way, figure in figures.items()} == {"drag": 2, "drag_hung": 2}
    assert not gui_stage.keys_down()


@pytest.mark.parametrize("key", ["ctrl", "super", "escape", "A", "<"])
def test_keys_come_up_from_another_thread(key: str) -> None:
    actuator = DesktopActuator(tree=False)
    actuator.perform(Click(point=HERE))
    actuator._keys.append({"super": "win", "escape": "esc"}.get(key, key))
    actuator._gui.keyDown(actuator._keys[0], _pause=False)
    assert gui_stage.keys_down()
    thread = threading.Thread(target=actuator.release)
    thread.start()
    thread.join()
    assert not gui_stage.keys_down()
    actuator.close()


def test_the_button_comes_up_where_a_drag_ends_in_the_corner() -> None:
    """There, pyautogui refuses to do anything, also to release."""
    actuator = DesktopActuator(tree=False)
    actuator.perform(Drag(start=HERE, end=Point(x_px=0, y_px=0)))
    assert not gui_stage.keys_down()
    with pytest.raises(Stopped, match="corner"):
        actuator.perform(PressKey(keys=("ctrl", "a")))
    assert not gui_stage.keys_down()
    actuator.close()


def test_a_display_that_went_away_is_told(tmp_path: Path) -> None:
    actuator = DesktopActuator(tree=False)
    actuator._buttons.append("left")
    actuator._display.close()
    with pytest.raises(MediaError, match="cannot reach the X server"):
        actuator.release()
