"""Several windows on one desktop: the banner that counts is that of the window an action goes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from evals.bench import gui_programs
from tests.fixtures import gui_stage
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.identity import Patient
from tools.gui.guard.policy import Policy, Region
from tools.gui.guard.windows import banner_of
from tools.gui.types import Click, Point, PressKey, Rect, Screen, Window

BANNER = Rect(left=0, top=0, right=1000, bottom=70)
LOW, HIGH = Rect(left=0, top=0, right=600, bottom=400), Rect(left=300, top=200, right=900, bottom=600)
IN_LOW, IN_HIGH, IN_BOTH = Point(x_px=50, y_px=300), Point(x_px=800, y_px=500), Point(x_px=400, y_px=300)
PATIENT = Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902")
POLICY = Policy(name="x", windows=("Chart*",), banner=Region(bottom=0.1))
CHART = """
import sys
import tkinter as tk

name, place, extra, ready = sys.argv[1:5]
root = tk.Tk()
root.title("Chart")
root.geometry(place)
tk.Label(root, text=name, font=("DejaVu Sans", 14), bg="#ddd", anchor="w").pack(fill="x", ipady=6)
menu = tk.Menu(root, tearoff=0)
menu.add_command(label="Copy")
menu.add_command(label="Paste")


def more():
    if extra == "menu":
        menu.tk_popup(root.winfo_rootx() + 120, root.winfo_rooty() + 100)
    if extra in ("dialog", "window"):
        other = tk.Toplevel(root)
        other.title("Chart")
        other.geometry("300x100+300+200")
        if extra == "dialog":
            other.transient(root)
    root.after(500, lambda: open(ready, "w").close())


root.after(500, more)
root.mainloop()
"""


def window(number: int, rect: Rect, group: int = 0, focused: bool = False) -> Window:
    return Window(number=number, group=group or number, rect=rect, focused=focused)


def screen(*windows: Window) -> Screen:
    return Screen(rgb=np.zeros((700, 1000, 3), np.uint8), windows=windows)


def test_the_banner_is_the_part_that_lies_in_the_actions_window() -> None:
    both = screen(window(1, LOW), window(2, HIGH))
    assert banner_of(both, BANNER, [IN_LOW]) == (BANNER.overlap(LOW), "")
    for points in ([IN_HIGH], [IN_BOTH]):
        assert "in another window" in banner_of(both, BANNER, points)[1]
    assert "does not go to a single window" in banner_of(both, BANNER, [IN_LOW, IN_HIGH])[1]
    assert "does not go to a single window" in banner_of(both, BANNER, [Point(x_px=950, y_px=650)])[1]
    assert banner_of(screen(), BANNER, [IN_LOW]) == (BANNER, "")


def test_a_dialog_goes_with_its_window_and_may_lie_over_its_banner() -> None:
    asked = screen(window(1, LOW), window(2, Rect(left=100, top=20, right=700, bottom=300), group=1))
    assert banner_of(asked, BANNER, [IN_BOTH]) == (BANNER.overlap(LOW), "")


def test_no_other_window_may_lie_over_the_banner() -> None:
    over = screen(window(1, LOW), window(2, Rect(left=500, top=50, right=900, bottom=90)))
    assert "covers the banner" in banner_of(over, BANNER, [IN_LOW])[1]


@pytest.mark.parametrize(("focused", "holds"), [(1, True), (2, False), (0, False)])
def test_keys_go_to_the_window_that_has_them_or_else_to_the_highest(focused: int, holds: bool) -> None:
    both = screen(*(window(number, rect, focused=number == focused) for number, rect in ((1, LOW), (2, HIGH))))
    assert (banner_of(both, BANNER, [])[0] is not None) == holds


@pytest.fixture(params=["no manager", "openbox"])
def display(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    with gui_stage.x_server(tmp_path, "1000x700"), ExitStack() as held:
        if request.param == "openbox":
            held.enter_context(gui_programs.window_manager())
        yield


@contextmanager
def chart(folder: Path, name: str, place: str, extra: str = "") -> Iterator[None]:
    ready = folder / f"{name}.ready"
    program = subprocess.Popen([sys.executable, "-c", CHART, name, place, extra, str(ready)])
    try:
        gui_stage.until(ready.exists, name)
        yield
    finally:
        program.kill()
        program.wait()


@contextmanager
def eyes() -> Iterator[DesktopActuator]:
    actuator = DesktopActuator(tree=False)
    try:
        yield actuator
    finally:
        actuator.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")
@pytest.mark.parametrize(("extra", "together"), [("menu", True), ("dialog", True), ("window", False)])
def test_menus_and_dialogs_go_with_their_window_and_other_windows_do_not(
    extra: str, together: bool, display: None, tmp_path: Path
) -> None:
    with chart(tmp_path, "one", "600x400+0+0", extra), eyes() as actuator:
        # The window manager shows them in its own time.
        gui_stage.until(lambda: len(actuator.screen().windows) == 2, "the windows")
        low, high = actuator.screen().windows
    assert low.group == low.number
    assert (high.group == low.number) == together
    assert low.rect.left == low.rect.top == 0
    assert 600 <= low.rect.right < 620
    assert high.rect.top >= 100


@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")
def test_another_patients_window_in_front_is_not_worked_in(display: None, tmp_path: Path) -> None:
    """As two charts of one title, of which only the one behind shows its banner in the policy's region."""
    with (
        chart(tmp_path, "Doe, Jane 1980-01-02 4471902", "600x400+0+0"),
        chart(tmp_path, "Roe, John 1970-03-04 4471903", "600x350+350+250"),
        eyes() as actuator,
    ):
        gui_stage.until(lambda: len(actuator.screen().windows) == 2, "the windows")
        guard = Guard(POLICY, AuditLog(tmp_path / "audit.jsonl"), Mode.CONFIRM, PATIENT, read_lines=lambda rgb: [])
        rules = []
        for action in (Click(point=IN_LOW), Click(point=IN_HIGH), PressKey(keys=("a",))):
            record = guarded(actuator, guard, action, seen=actuator.screen())
            rules.append((record.rule, "in another window" in record.reason))
        guard.audit.close()
    # The first has come as far as a person's word.
    assert rules == [("approval", False), ("identity", True), ("identity", True)]
