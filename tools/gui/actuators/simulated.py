"""A simulated program with fields, buttons and dialogs, and its actuator: deterministic, without display or browser.

The program is one form that stores records, with a confirmation dialog before a deletion. It behaves like real ones:
scrolling on a field does nothing, keys go to the focused field, and a dialog blocks what is behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import Stopped, ToolFailed
from tools.extras import require
from tools.gui.actuators.common import KEY_S, check_field, check_points, key_names, not_an_action, read, wait_for
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.types import Action, Click, Drag, Node, Point, PressKey, Read, Rect, Screen, Scroll, TypeText, WaitFor

WIDTH_PX, HEIGHT_PX, TEXT_PX = 640, 480, 18
_ROW_PX = 34


@dataclass
class Part:
    """A control of the program.

    Attributes:
        role: `textbox` or `button`.
        label: its words, on a button or before a field.
        rect: its bounds.
        press: the effect of a click, for buttons.
        text: the text of a field.
        most: maximum length of a field's text.
    """

    role: str
    label: str
    rect: Rect
    press: Callable[[], None] = lambda: None
    text: str = ""
    most: int = 10_000


@dataclass
class Program:
    """A form with two fields that stores records.

    Attributes:
        records: what was saved, "Name: Note"; the effect that tests check.
        status: the line at the bottom.
        dialog: its question; "" if it is closed.
        upside_down: draws the buttons of the form in another order, as a new version of a program might.
        level: 0 to 100, set by dragging its slider.
    """

    records: list[str] = field(default_factory=list)
    status: str = "Ready"
    dialog: str = ""
    upside_down: bool = False
    level: int = 0

    def __post_init__(self) -> None:
        self.name = Part("textbox", "Name", _box(150, 60, 300))
        self.note = Part("textbox", "Note", _box(150, 110, 440))
        self.code = Part("textbox", "Code", _box(150, 160, 120), most=6)
        self.slider = _box(150, 210, 300)

    @property
    def parts(self) -> list[Part]:
        """The reachable controls; only the dialog's own while it is open."""
        if self.dialog:
            return [
                Part("button", "OK", _box(200, 270, 100), self._delete),
                Part("button", "Cancel", _box(330, 270, 100), self._cancel),
            ]
        lefts = (470, 310, 150) if self.upside_down else (150, 310, 470)
        buttons = (("Save", self._save), ("Clear", self._clear), ("Delete", self._ask))
        pressed = [
            Part("button", label, _box(left, 390, 130), act) for (label, act), left in zip(buttons, lefts, strict=True)
        ]
        return [self.name, self.note, self.code, *pressed]

    @property
    def behind(self) -> list[Part]:
        """The controls that are visible but blocked."""
        return [self.name, self.note, self.code] if self.dialog else []

    def _save(self) -> None:
        self.records.append(f"{self.name.text}: {self.note.text}")
        self.status = f"Saved {self.name.text}"

    def _clear(self) -> None:
        self.name.text = self.note.text = self.code.text = ""
        self.status = "Ready"

    def _ask(self) -> None:
        self.dialog = f"Delete the record of {self.name.text}?"

    def _delete(self) -> None:
        self.dialog = ""
        kept = [record for record in self.records if not record.startswith(f"{self.name.text}: ")]
        self.status = f"Deleted {len(self.records) - len(kept)}"
        self.records = kept

    def _cancel(self) -> None:
        self.dialog, self.status = "", "Cancelled"


class SimulatedActuator:
    """An `Actuator` for a `Program`.

    Args:
        program: the program.
        stop: the kill switch, polled between keys.
        tree: whether there is an accessibility tree.
        key_s: pause between two keys in seconds.
    """

    name = "simulated"

    def __init__(
        self, program: Program | None = None, stop: KillSwitch | None = None, *, tree: bool = True, key_s: float = KEY_S
    ) -> None:
        self.program, self._stop, self._tree, self._key_s = program or Program(), stop or KillSwitch(), tree, key_s
        self.held: set[str] = set()
        self._focus: str = ""

    def screen(self, *, tree: bool = True) -> Screen:
        """Draw the program."""
        nodes = tuple(self._nodes()) if tree and self._tree else None
        return Screen(rgb=_draw(self.program), nodes=nodes, window="Records")

    def perform(self, action: Action) -> str:
        """Perform an action. Raises ToolFailed, WrongText and Stopped."""
        self._stop.check()
        check_points(action, Rect(left=0, top=0, right=WIDTH_PX, bottom=HEIGHT_PX))
        match action:
            case Click():
                for _ in range(action.count):
                    self._click(action.point, action.button)
            case TypeText():
                return self._type(action)
            case PressKey():
                self._press(key_names(action))
            case Drag():
                self._drag(action)
            case WaitFor():
                return wait_for(action, self.screen, self._stop)
            case Read():
                return read(action, self.screen())
            case Scroll():
                pass
            case _:
                raise not_an_action(action)
        return ""

    def release(self) -> None:
        """Release all held keys and buttons."""
        self.held.clear()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
        self.release()

    def _click(self, point: Point, button: str = "left") -> Part | None:
        part = next((part for part in self.program.parts if part.rect.holds(point)), None)
        if part and part.role == "textbox":
            self._focus = part.label
        elif part and button == "left":
            part.press()
        return part

    def _type(self, action: TypeText) -> str:
        part = next((part for part in self.program.parts if part.rect.holds(action.point)), None)
        if part is None or part.role != "textbox":
            raise ToolFailed(
                f"cannot find a field at ({action.point.x_px:g}, {action.point.y_px:g}).",
                remedy="Name the field to type into.",
            )
        self._focus = part.label
        before = "" if action.replace else part.text
        part.text = before
        for key in action.text:
            self._hold(key)
            part.text = (part.text + key)[: part.most]
            self.held.discard(key)
        check_field(before + action.text, part.text, "the program")
        return part.text

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            self._hold(key)
        field_ = next((part for part in self.program.parts if part.label == self._focus), None)
        if field_ and keys == ["backspace"]:
            field_.text = field_.text[:-1]
        elif self.program.dialog and keys == ["escape"]:
            self.program._cancel()
        self.release()

    def _drag(self, action: Drag) -> None:
        self._hold("left button")
        slider = self.program.slider
        if slider.holds(action.start):
            share = (action.end.x_px - slider.left) / slider.width
            self.program.level = round(100 * min(max(share, 0.0), 1.0))
        self.release()

    def _hold(self, key: str) -> None:
        try:
            self._stop.check()
            self.held.add(key)
            self._stop.pause(self._key_s)
        except Stopped:
            self.release()
            raise

    def _nodes(self) -> list[Node]:
        program = self.program
        nodes = [Node(role="document", name="Records", rect=_whole())]
        nodes += [self._node(part, 1) for part in program.behind]
        depth = 1
        if program.dialog:
            nodes.append(Node(role="dialog", name=program.dialog, rect=_DIALOG, states=frozenset({"modal"}), depth=1))
            depth = 2
        nodes += [self._node(part, depth) for part in program.parts]
        nodes += [
            Node(role="text", name=record, rect=_box(150, 250 + 22 * row, 480, 20), depth=1)
            for row, record in enumerate(program.records[-4:])
            if not program.dialog
        ]
        nodes.append(Node(role="slider", name="Level", rect=program.slider, value=str(program.level), depth=1))
        return [*nodes, Node(role="status", name=program.status, rect=_box(20, 440, 600, 24), depth=1)]

    def _node(self, part: Part, depth: int) -> Node:
        states = frozenset({"focused"} if part.label == self._focus and part.role == "textbox" else ())
        return Node(role=part.role, name=part.label, rect=part.rect, value=part.text, states=states, depth=depth)


def _box(left: float, top: float, width: float, height: float = _ROW_PX) -> Rect:
    return Rect(left=left, top=top, right=left + width, bottom=top + height)


def _whole() -> Rect:
    return Rect(left=0, top=0, right=WIDTH_PX, bottom=HEIGHT_PX)


_DIALOG = Rect(left=160, top=200, right=560, bottom=320)


def _draw(program: Program) -> np.ndarray:
    """Return the program's pixels, (480, 640, 3) uint8."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (244, 245, 247))
    draw = ImageDraw.Draw(picture)
    font = _font()
    draw.text((20, 14), "Records", fill=(20, 20, 60), font=font)
    for part in (program.name, program.note, program.code):
        draw.text((20, part.rect.top + 7), part.label, fill=(0, 0, 0), font=font)
    slider = program.slider
    draw.text((20, slider.top + 7), "Level", fill=(0, 0, 0), font=font)
    draw.rectangle((slider.left, slider.top + 12, slider.right, slider.top + 20), fill=(200, 205, 215))
    knob = slider.left + slider.width * program.level / 100
    draw.rectangle((knob - 6, slider.top + 4, knob + 6, slider.top + 28), fill=(70, 90, 140))
    for row, record in enumerate(program.records[-4:]):
        draw.text((150, 250 + 22 * row), record, fill=(30, 30, 30), font=font)
    shown = [*program.behind, *program.parts]
    for part in shown if not program.dialog else program.behind:
        _draw_part(draw, part, font)
    if program.dialog:
        draw.rectangle(
            (_DIALOG.left, _DIALOG.top, _DIALOG.right, _DIALOG.bottom), fill=(255, 255, 255), outline=(0, 0, 0), width=2
        )
        draw.text((_DIALOG.left + 16, _DIALOG.top + 20), program.dialog, fill=(0, 0, 0), font=font)
        for part in program.parts:
            _draw_part(draw, part, font)
    draw.text((20, 440), program.status, fill=(60, 60, 60), font=font)
    return np.asarray(picture)


def _draw_part(draw: Any, part: Part, font: Any) -> None:
    rect = part.rect
    typed = part.role == "textbox"
    box = (rect.left, rect.top, rect.right, rect.bottom)
    draw.rectangle(box, fill=(255, 255, 255) if typed else (212, 222, 238), outline=(90, 100, 120))
    draw.text((rect.left + 10, rect.top + 6), part.text if typed else part.label, fill=(0, 0, 0), font=font)


@lru_cache(maxsize=1)
def _font() -> Any:
    """Return DejaVu Sans, which comes with matplotlib."""
    matplotlib = require("matplotlib", extra="gui")
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), TEXT_PX)
