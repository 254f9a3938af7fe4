"""Print the accessibility tree of the desktop as JSON. Run by Debian's Python, which has the AT-SPI bindings.

This file imports nothing of the project, and the project does not import it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ROLES = {
    **{"push button": "button", "toggle button": "button", "push button menu": "button", "entry": "textbox"},
    **{"text": "textbox", "password text": "textbox", "spin button": "spinbutton", "check box": "checkbox"},
    **{"radio button": "radio", "combo box": "combobox", "list item": "listitem", "menu item": "menuitem"},
    **{"check menu item": "menuitemcheckbox", "radio menu item": "menuitemradio", "menu bar": "menubar"},
    **{"page tab": "tab", "page tab list": "tablist", "label": "text", "static": "text", "image": "img"},
    **{"table cell": "cell", "tree item": "treeitem", "tool bar": "toolbar", "scroll bar": "scrollbar"},
    **{"alert": "alertdialog", "document web": "document", "document frame": "document", "frame": "window"},
}
STATES = ("focused", "checked", "selected", "expanded", "modal", "pressed", "required")
MOST_NODES, MOST_TEXT = 4000, 10_000
NO_BINDINGS = 3


def main() -> int:
    """Print a list of nodes, each before its children."""
    try:
        import gi  # type: ignore[import-not-found]

        gi.require_version("Atspi", "2.0")
        from gi.repository import Atspi  # type: ignore[import-not-found]
    except (ImportError, ValueError) as error:
        print(f"cannot read AT-SPI: {error}", file=sys.stderr)
        return NO_BINDINGS
    nodes: list[dict[str, Any]] = []
    desktop = Atspi.get_desktop(0)
    waiting = [(desktop.get_child_at_index(index), 0) for index in reversed(range(desktop.get_child_count()))]
    while waiting and len(nodes) < MOST_NODES:
        found, depth = waiting.pop()
        if found is None:
            continue
        try:
            node, showing, count = _node(Atspi, found, depth), _has(Atspi, found, "SHOWING"), found.get_child_count()
            children = [found.get_child_at_index(index) for index in reversed(range(min(count, 500)))]
        except gi.repository.GLib.GError:
            continue  # It disappeared while it was read.
        kept = showing and node is not None
        if kept and node:
            nodes.append(node)
        waiting += [(child, depth + kept) for child in children]
    json.dump(nodes, sys.stdout)
    return 0


def _node(atspi: Any, found: Any, depth: int) -> dict[str, Any] | None:
    component = found.get_component_iface()
    if component is None:
        return None
    box = component.get_extents(atspi.CoordType.SCREEN)
    if box.width <= 0 or box.height <= 0:
        return None
    role = found.get_role_name()
    text = found.get_text_iface()
    value = atspi.Text.get_text(text, 0, min(atspi.Text.get_character_count(text), MOST_TEXT)) if text else ""
    states = [name for name in STATES if _has(atspi, found, name.upper())]
    if not _has(atspi, found, "SENSITIVE") and not _has(atspi, found, "ENABLED"):
        states.append("disabled")
    if role == "table cell":
        states += _cell_states(atspi, found)
    return {
        "role": ROLES.get(role, role),
        "name": found.get_name() or "",
        "value": value.replace("\ufffc", "") if role in ("text", "entry", "password text") else "",
        "extents": [box.x, box.y, box.width, box.height],
        "states": states,
        "depth": depth,
    }


def _cell_states(atspi: Any, cell: Any) -> list[str]:
    """Return the state in which a table cell is drawn, which its role does not show."""
    actions = cell.get_action_iface()
    count = atspi.Action.get_n_actions(actions) if actions else 0
    is_box = any(atspi.Action.get_action_name(actions, at) == "toggle" for at in range(count))
    return ["checkable"] * is_box + ["pictured"] * bool(cell.get_image_iface())


def _has(atspi: Any, found: Any, state: str) -> bool:
    return bool(found.get_state_set().contains(getattr(atspi.StateType, state)))


if __name__ == "__main__":
    sys.exit(main())
