"""Desktop programs, each task in one of its own on an X server of ours, recorded as `play` records pages.

A target is a path through the accessibility tree, written as Playwright writes it: parts are parted by ` >> `, each is
sought within what was found before it, and `nth` counts what is left in reading order, from 0:

    role=dialog[name='Threshold Dialog'] >> role=radio >> nth=1

Names match whole, with spaces at their ends left out and those within made one. A tree that is recorded is what the
project's actuator reads (`DesktopActuator.screen`): that of the window in front. Programs have a home of their own,
so that neither settings nor files of the machine are shown.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from evals.bench.gui_programs import accessibility, environment, need, running, until, window_manager, x_server
from evals.bench.medspot_open.phantom import draw_images
from evals.bench.medspot_open.record import HEIGHT_PX, WIDTH_PX, Play, save_step, save_tasks
from tools.errors import ToolFailed
from tools.gui.actuators.atspi import read_tree
from tools.gui.actuators.desktop import DesktopActuator
from tools.gui.types import Click, Node, Point, Rect, Screen, TypeText, View

WHOLE = Rect(left=0, top=0, right=WIDTH_PX, bottom=HEIGHT_PX)
SHOWN_WITHIN_S = 20.0
"""How long a window or target may take to be shown, as while a program starts; our choice."""
SETTLE_S = 0.5
"""How long a program may take to come to rest after its pixels do; our choice."""
FIELD_PX = 20.0
"""Where a field is clicked, from its left edge; in the middle of a spin button are other buttons."""
SETTINGS = "[Settings]\ngtk-cursor-blink = 0\ngtk-enable-animations = 0\n"
"""Of GTK, so that a screen has one picture."""
menu = "role=menu[name='{}']".format
item = "role=menuitem[name='{}']".format
button = "role=button[name='{}']".format
radio = "role=radio[name='{}']".format
check = "role=checkbox[name='{}']".format
tab = "role=tab[name='{}']".format
"""Selectors of what has a role and a name: `menu("File")`."""
_PART = re.compile(r"role=([\w ]+?)(?:\[name='(.*)'\])?")


@dataclass(frozen=True)
class Desktop:
    """A desktop program and its tasks.

    Attributes:
        program: its command, and the Debian package that brings it.
        plays: its tasks; their `url` is the one of `draw_images`' files that the program is started with.
        places: by title, where its first windows are put, left and top in pixels; the last one is in front.
    """

    program: str
    plays: Callable[[], list[Play]]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)


def record_desktop(desktop: Desktop, name: str, plays: Sequence[Play], folder: Path) -> int:
    """Play tasks, and write `NAME_Annotation.json`, `images/` and `trees/`.

    Args:
        desktop: the program.
        name: that the files bear.
        plays: its tasks, or some of them.
        folder: where they are written.

    Returns:
        How many steps there are.

    Raises:
        ToolFailed: if the program or what it runs on is missing, or a target is not shown, covered or not unique; the
            message names task and step.
        NoBindings: if no accessibility tree can be read.
    """
    command = need(desktop.program, desktop.program)
    tasks = []
    with _stage() as home:
        for number, play in enumerate(plays):
            images = _furnish(home)
            draw_images(images)
            with running([command, play.url], cwd=images), contextlib.closing(DesktopActuator()) as actuator:
                _arrange(desktop.places, f"{name}, task {number}")
                steps = []
                for selector in play.before:
                    _click(actuator, find(selector, f"{name}, task {number}, before its steps"))
                for place, move in enumerate(play.moves, start=1):
                    where = f"{name}, task {number}, step {place}"
                    find(move.target, where)
                    _rest()
                    screen, node = actuator.screen(), find(move.target, where)
                    _check(screen, node, where)
                    said = save_step(folder, f"{name}/{number:02d}_{place}", move, node.rect, *_seen(screen))
                    steps.append({"step_id": place, **said})
                    _click(actuator, node, move.typed)
            tasks.append({"task_overview": play.overview, "steps": steps})
    return save_tasks(folder, name, tasks)


def find(selector: str, where: str) -> Node:
    """The one element on the display that a selector names, once it is shown. Raises ToolFailed; see the module."""
    ends_s = time.monotonic() + SHOWN_WITHIN_S
    while len(found := select(read_tree(View(), WHOLE) or (), selector)) != 1:
        if time.monotonic() > ends_s:
            raise ToolFailed(f"{where}: the selector {selector!r} fits {len(found)} elements.", expected="one element")
        time.sleep(0.2)
    return found[0]


def select(nodes: Sequence[Node], selector: str) -> list[Node]:
    """The elements of a tree that a selector names. Raises ValueError if it has another form; see the module."""
    places = [-1]
    for part in selector.split(" >> "):
        if part.startswith("nth="):
            in_order = sorted(places, key=lambda place: (nodes[place].rect.top, nodes[place].rect.left))
            places = in_order[int(part[4:]) :][:1]
        elif told := _PART.fullmatch(part):
            role, name = told.groups()
            below = dict.fromkeys(place for scope in places for place in _within(nodes, scope))
            places = [
                place for place in below if nodes[place].role == role and name in (None, _plain(nodes[place].name))
            ]
        else:
            raise ValueError(f"{part!r} is no part of a selector; expected role=ROLE, role=ROLE[name='NAME'] or nth=N")
    return [nodes[place] for place in places]


def _within(nodes: Sequence[Node], scope: int) -> Iterator[int]:
    """The places of what is below an element, or of all for -1."""
    for place in range(scope + 1, len(nodes)):
        if scope >= 0 and nodes[place].depth <= nodes[scope].depth:
            break
        yield place


def _plain(name: str) -> str:
    return " ".join(name.split())


@contextlib.contextmanager
def _stage() -> Iterator[Path]:
    """An X server with a window manager and an accessibility bus; yields the home of who works there."""
    with tempfile.TemporaryDirectory(prefix="attend-desktop-") as folder, contextlib.ExitStack() as held:
        home = Path(folder) / "home"
        held.enter_context(x_server(Path(folder), f"{WIDTH_PX}x{HEIGHT_PX}"))
        # The bus of accessibility keeps its socket with the caches, which outlast a home.
        own = {"CONFIG": home / ".config", "DATA": home / ".local/share", "CACHE": Path(folder) / "cache"}
        held.enter_context(environment(**{f"XDG_{kind}_HOME": str(place) for kind, place in own.items()}))
        held.enter_context(environment(HOME=str(home), LC_ALL="C.UTF-8", TZ="UTC", GSETTINGS_BACKEND="memory"))
        foreign = ("LANGUAGE", "GTK_THEME", "GTK_MODULES", "GDK_SCALE", "GDK_DPI_SCALE", "NO_AT_BRIDGE")
        held.enter_context(environment(**dict.fromkeys(foreign)))
        held.enter_context(accessibility())
        held.enter_context(window_manager())
        yield home


def _furnish(home: Path) -> Path:
    """Make a home as it is for somebody who never used the program; returns its folder for images."""
    shutil.rmtree(home, ignore_errors=True)
    images, settings = home / "images", home / ".config" / "gtk-3.0"
    for folder in (images, settings):
        folder.mkdir(parents=True)
    (settings / "settings.ini").write_text(SETTINGS, "utf-8")
    return images


def _arrange(places: dict[str, tuple[int, int]], where: str) -> None:
    """Put windows where they are wanted, since they come in any order."""
    for title in places:
        find(f"role=window[name='{title}']", where)
    time.sleep(SETTLE_S)
    for title, place in places.items():
        until(partial(_put, title, place, where), f"{where}: the window {title!r} at {place}", SHOWN_WITHIN_S)


def _put(title: str, place: tuple[int, int], where: str) -> bool:
    """Move a window and bring it to the front; whether it went there."""
    search = ["xdotool", "search", "--onlyvisible", "--name", f"^{re.escape(title)}$"]
    # It fails while a window is just being framed.
    subprocess.run([*search, "windowmove", *map(str, place), "windowactivate"], check=False, capture_output=True)
    time.sleep(SETTLE_S)
    rect = find(f"role=window[name='{title}']", where).rect
    return (rect.left, rect.top) == place


def _rest() -> None:
    """Take the mouse away, which no step is about."""
    subprocess.run(["xdotool", "mousemove", str(WIDTH_PX - 3), str(HEIGHT_PX - 3)], check=True)
    time.sleep(0.1)


def _click(actuator: DesktopActuator, node: Node, typed: str = "") -> None:
    point = node.rect.center
    if node.role in ("textbox", "spinbutton"):
        point = Point(x_px=node.rect.left + FIELD_PX, y_px=point.y_px)
    actuator.perform(TypeText(point=point, text=typed) if typed else Click(point=point))
    time.sleep(SETTLE_S)


def _check(screen: Screen, node: Node, where: str) -> None:
    """Raise ToolFailed if a target is not in the window in front, whose tree is recorded, or lies under another one."""
    what = f"{where}: {node.role} {node.name!r} at {node.rect}"
    if not any((node.role, node.name, node.rect) == (each.role, each.name, each.rect) for each in screen.nodes or ()):
        raise ToolFailed(f"{what} is not in the tree of the window in front, {screen.window!r}.")
    over = [window.rect for window in screen.windows if window.rect.overlap(node.rect).area > 0]
    if not over or over[-1].overlap(node.rect) != node.rect:
        raise ToolFailed(f"{what} lies under another window.")


def _seen(screen: Screen) -> tuple[bytes, tuple[Node, ...]]:
    """A screen's picture as PNG, and its tree."""
    png = io.BytesIO()
    Image.fromarray(screen.rgb).save(png, "PNG")
    return png.getvalue(), screen.nodes or ()
