"""Simulated desktop: drawn pages with a patient banner, buttons and fields, and an actuator that operates them.

`effects` records what an actuator did, so that a test or a benchmark can report what got through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import Stopped, ToolFailed
from tools.gui.actuators.common import key_names
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.types import (
    Action,
    Click,
    Drag,
    Node,
    Point,
    PressKey,
    Read,
    Rect,
    Screen,
    Scroll,
    Target,
    TypeText,
    WaitFor,
)

SCREENS = Path(__file__).parent / "redteam_set" / "screens.json"
WIDTH, HEIGHT = 800, 600
BANNER_PX = 60
TEXT_PX = 18
BANNER = "Doe, Jane   DOB 1980-01-02   MRN 4471902"


@dataclass(frozen=True)
class Control:
    """A button or field.

    Attributes:
        label: as it is drawn.
        left, top, width, height: in pixels.
        effect: the effect of using it; "" if irrelevant.
        role: in the tree.
        name: in the tree; None is the label.
        key: the letter that presses it, alone or with Alt.
    """

    label: str
    left: int
    top: int
    width: int = 150
    height: int = 36
    effect: str = ""
    role: str = "button"
    name: str | None = None
    key: str = ""

    @property
    def rect(self) -> Rect:
        """Its bounds."""
        return Rect(left=self.left, top=self.top, right=self.left + self.width, bottom=self.top + self.height)

    def target(self, label: str | None = None) -> Target:
        """Return the control as a target, under its own label or another one."""
        return Target(rect=self.rect, point=self.rect.center, label=label or self.label, confidence=1, layer="model")


@dataclass(frozen=True)
class Page:
    """The content of a desktop.

    Attributes:
        controls: later ones cover earlier ones.
        texts: (left, top, words) of everything else.
        banner: the line at the top.
        title, url: of the window and the page.
        tree: whether there is an accessibility tree.
        dialog: (left, top, right, bottom, name) of a dialog, if one is open.
        focus: the label of the control with the initial focus; "" for none.
        marked: whether the tree marks the focused control.
    """

    controls: tuple[Control, ...]
    texts: tuple[tuple[int, int, str], ...] = ()
    banner: str = BANNER
    title: str = "Ward EHR - Doe"
    url: str = "https://ehr.test/app/chart"
    tree: bool = True
    dialog: tuple[int, int, int, int, str] | None = None
    focus: str = ""
    marked: bool = True

    def control(self, label: str) -> Control:
        """Return the topmost control with a label. Raises KeyError."""
        for control in reversed(self.controls):
            if control.label == label:
                return control
        raise KeyError(label)


CONTROLS = (
    Control("Previous", 20, 540),
    Control("Next", 190, 540),
    Control("Search", 20, 80, role="searchbox", width=200),
    Control("Show results", 240, 80),
    Control("Edit note", 410, 80, effect="edit"),
    Control("Note", 20, 440, 500, 60, effect="type", role="textbox"),
    Control("Delete patient", 610, 80, effect="delete"),
    Control("Sign note", 440, 540, effect="sign"),
    Control("Save", 610, 540, effect="save"),
)
"""A plain page: two steps to browse, a search, and five controls that change something."""


@dataclass(frozen=True)
class Injected:
    """One injected screen, as the file describes it."""

    entry: dict[str, Any]

    @property
    def page(self) -> Page:
        """The page shown first."""
        return _changed(Page(CONTROLS), self.entry)

    @property
    def swapped(self) -> Page:
        """The page after it changed by itself."""
        return _changed(self.page, self.entry.get("swap", {}))

    @property
    def swaps(self) -> str:
        """When it changes by itself; "" for never."""
        return str(self.entry.get("swap", {}).get("when", ""))


def load_screens() -> list[Injected]:
    """Load the injected screens of the file."""
    return [Injected(entry) for entry in json.loads(SCREENS.read_text("utf-8"))]


class SimulatedDesk:
    """An `Actuator` for one page at a time; polls the kill switch between keys.

    Args:
        page: the page.
        stop: the kill switch.
        key_s: seconds between two keys.
        swaps: pages by the number of the screenshot (from 1) that first shows them, for a page that changes by itself.
    """

    name = "simulated"

    def __init__(
        self, page: Page, stop: KillSwitch | None = None, key_s: float = 0.0, swaps: dict[int, Page] | None = None
    ) -> None:
        self.page, self.stop, self._key_s, self._swaps = page, stop or KillSwitch(), key_s, swaps or {}
        self.effects: list[str] = []
        self.typed: dict[str, str] = {}
        self.held: set[str] = set()
        self.focus = page.control(page.focus) if page.focus else None
        self.shots = self.released = 0
        self.on_key: Callable[[str], None] = lambda key: None

    def screen(self, *, tree: bool = True) -> Screen:
        """Draw the page."""
        self.shots += 1
        self.page = self._swaps.get(self.shots, self.page)
        nodes = None
        if self.page.tree:
            nodes = tuple(_nodes(self.page, self.typed, self.focus if self.page.marked else None))
        pixels = draw_page(replace(self.page, url="", title=""), tuple(sorted(self.typed.items())))
        return Screen(rgb=pixels, nodes=nodes, window=self.page.title, url=self.page.url)

    def perform(self, action: Action) -> str:
        """Perform one action. Raises ToolFailed and Stopped."""
        if isinstance(action, WaitFor):
            return ""
        if isinstance(action, Read):
            return " ".join([self.page.banner, *(text for _, _, text in self.page.texts)])
        if isinstance(action, PressKey):
            self._press(key_names(action))
        elif isinstance(action, Scroll):
            control = self._at(action.point)
            if control and control.role in {"combobox", "listbox", "slider", "spinbutton"}:
                self.effects.append(control.effect)
        elif isinstance(action, Drag):
            self.effects.append("drag")
        else:
            control = self._at(action.point)
            if control:
                self.focus = control
            if isinstance(action, Click):
                self.effects += [control.effect] if control and control.effect else []
            elif control is None:
                raise ToolFailed("cannot type: no field at this point.")
            else:
                self._type(control, action)
        return ""

    def release(self) -> None:
        """Release pressed keys."""
        self.released += 1
        self.held.clear()

    def close(self) -> None:
        """Do nothing: no resource is open."""

    def _type(self, control: Control, action: TypeText) -> None:
        kept = "" if action.replace else self.typed.get(control.label, "")
        self.typed[control.label] = kept
        if control.effect:
            self.effects.append(control.effect)
        for key in action.text:
            try:
                self.stop.check()
                self.held.add(key)
                self.on_key(key)
                self.stop.pause(self._key_s)
            except Stopped:
                self.release()
                raise
            self.typed[control.label] += key
            self.held.discard(key)

    def _press(self, keys: Sequence[str]) -> None:
        self.stop.check()
        self.effects.append("keys:" + "+".join(keys))
        if set(keys) & {"enter", "space"} and self.focus and self.focus.effect:
            self.effects.append(self.focus.effect)
        lettered = [control for control in self.page.controls if control.key and set(keys) - {"alt"} == {control.key}]
        self.effects += [control.effect for control in lettered if control.effect]

    def _at(self, point: Point) -> Control | None:
        return next((control for control in reversed(self.page.controls) if control.rect.holds(point)), None)


@lru_cache(maxsize=256)
def draw_page(page: Page, typed: tuple[tuple[str, str], ...] = ()) -> np.ndarray:
    """Return the pixels of a page, (600, 800, 3) uint8, with typed text in its fields."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (WIDTH, HEIGHT), (246, 247, 249))
    draw = ImageDraw.Draw(picture)
    font = _font()
    draw.rectangle((0, 0, WIDTH, BANNER_PX), fill=(225, 234, 245))
    draw.text((20, 18), page.banner, fill=(10, 10, 30), font=font)
    for left, top, text in page.texts:
        draw.text((left, top), text, fill=(20, 20, 20), font=font)
    if page.dialog:
        draw.rectangle(page.dialog[:4], fill=(255, 255, 255), outline=(60, 60, 60), width=2)
        draw.text((page.dialog[0] + 16, page.dialog[1] + 14), page.dialog[4], fill=(10, 10, 10), font=font)
    values = dict(typed)
    for control in page.controls:
        rect = control.rect
        box = (rect.left, rect.top, rect.right, rect.bottom)
        field_like = control.role in {"textbox", "searchbox"}
        draw.rectangle(box, fill=(255, 255, 255) if field_like else (214, 224, 238), outline=(90, 100, 120))
        draw.text((rect.left + 10, rect.top + 7), values.get(control.label, control.label), fill=(0, 0, 0), font=font)
    return np.asarray(picture)


@lru_cache(maxsize=1)
def _font() -> Any:
    """Return DejaVu Sans, which comes with matplotlib and has Greek, Cyrillic and Arabic letters."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), TEXT_PX)


def _nodes(page: Page, typed: dict[str, str], focus: Control | None) -> list[Node]:
    nodes = [Node(role="banner", name=page.banner, rect=Rect(left=10, top=10, right=WIDTH - 10, bottom=BANNER_PX - 10))]
    nodes += [
        Node(
            role="text",
            name=text,
            rect=Rect(left=left, top=top, right=min(WIDTH, left + 9 * len(text)), bottom=top + 24),
        )
        for left, top, text in page.texts
    ]
    if page.dialog:
        left, top, right, bottom, name = page.dialog
        nodes.append(Node(role="dialog", name=name, rect=Rect(left=left, top=top, right=right, bottom=bottom)))
    for control in page.controls:
        nodes.append(
            Node(
                role=control.role,
                name=control.label if control.name is None else control.name,
                rect=control.rect,
                value=typed.get(control.label, ""),
                states=frozenset({"focused"} if focus == control else ()),
                depth=1,
            )
        )
    return nodes


def _changed(page: Page, entry: dict[str, Any]) -> Page:
    """Return a page with the changes of an entry of the file."""
    controls = tuple(Control(**control) for control in entry.get("controls", ()))
    kept = [one for one in page.controls if not any(_same_place(one, control) for control in controls)]
    return replace(
        page,
        controls=(*kept, *controls),
        texts=(*page.texts, *((left, top, text) for left, top, text in entry.get("texts", ()))),
        banner=entry.get("banner", page.banner),
        title=entry.get("title", page.title),
        url=entry.get("url", page.url),
        tree=entry.get("tree", page.tree),
        dialog=tuple(entry["dialog"]) if "dialog" in entry else page.dialog,
        focus=entry.get("focus", page.focus),
        marked=entry.get("marked", page.marked),
    )


def _same_place(one: Control, other: Control) -> bool:
    return (one.left, one.top) == (other.left, other.top)
