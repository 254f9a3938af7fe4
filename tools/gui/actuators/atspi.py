"""Accessibility tree of a desktop, read by AT-SPI, in image pixels."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.errors import ConfigError
from tools.gui.types import Node, Rect, View

SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's Python has the AT-SPI bindings, which no wheel contains."""
NO_BINDINGS = 3
"""Exit code of `atspi_dump` if they are missing."""
_REMEDY = "Install them (Debian: apt-get install gir1.2-atspi-2.0 python3-gi)."


class NoBindings(ConfigError):
    """The AT-SPI bindings are missing, so no accessibility tree can be read on this machine."""


def read_tree(view: View, shown: Rect) -> tuple[Node, ...] | None:
    """Read the accessibility tree of all programs on the desktop by AT-SPI; None if it cannot be read this time.

    Args:
        view: view of the screenshot.
        shown: its bounds; nodes outside are left out.

    Raises:
        NoBindings: if it can never be read on this machine.
    """
    script = Path(__file__).with_name("atspi_dump.py")
    if not Path(SYSTEM_PYTHON).exists():
        raise NoBindings(f"cannot find {SYSTEM_PYTHON}.", remedy=_REMEDY)
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None
    try:
        done = subprocess.run([SYSTEM_PYTHON, str(script)], capture_output=True, timeout=10, check=False)
        if done.returncode == NO_BINDINGS:
            raise NoBindings(done.stderr.decode("utf-8", "replace").strip(), remedy=_REMEDY)
        raw = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None  # No bus, or a program that does not answer: use the pixels; it may answer next time.
    nodes = []
    for entry in raw:
        left, top, width, height = entry["extents"]
        start, end = view.to_image(left, top), view.to_image(left + width, top + height)
        rect = Rect(left=start.x_px, top=start.y_px, right=end.x_px, bottom=end.y_px).overlap(shown)
        if rect.area > 0:
            kept = {key: entry[key] for key in ("role", "name", "value", "depth")}
            nodes.append(Node(rect=rect, states=frozenset(entry["states"]), **kept))
    return tuple(nodes)


def in_front(nodes: Sequence[Node], window: str) -> tuple[Node, ...] | None:
    """Return the nodes of the window with a title, and of windows without one, such as open menus.

    None if no window has the title: its program has no accessibility tree, though others may; only its pixels count.
    """
    kept: list[Node] = []
    inside = found = False
    for node in nodes:
        if node.depth == 0:
            inside = node.name in ("", window)
            found = found or (bool(window) and node.name == window)
        if inside:
            kept.append(node)
    return tuple(kept) if found else None
