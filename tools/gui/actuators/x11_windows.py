"""Windows of an X display: bounds, stacking order, and the owners of dialogs and menus."""

from __future__ import annotations

from typing import Any

from tools.gui.types import Rect, View, Window

NESTED = 3
"""Levels below the root at which a window manager's frame may contain a program's window."""


def list_windows(display: Any, view: View, shown: Rect) -> tuple[Window, ...]:
    """List the visible windows, the lowest first.

    A dialog belongs to its WM_TRANSIENT_FOR window. A menu, which no window manager knows, and a dialog for a whole
    program belong to the highest window below them of the same connection. Any other window is its own owner, since it
    may show another record.

    Args:
        display: an open connection of python-xlib.
        view: view of the screenshot.
        shown: its bounds; windows outside are left out.
    """
    from Xlib import X

    root = display.screen().root
    front = _front(display, root)
    found: list[tuple[int, Any, bool, Rect]] = []
    for outer in root.query_tree().children:
        attributes, place = _answer(outer.get_attributes), _answer(outer.get_geometry)
        if not attributes or not place or attributes.map_state != X.IsViewable or attributes.win_class == X.InputOnly:
            continue
        edge = 2 * place.border_width
        start = view.to_image(place.x, place.y)
        end = view.to_image(place.x + place.width + edge, place.y + place.height + edge)
        rect = Rect(left=start.x_px, top=start.y_px, right=end.x_px, bottom=end.y_px).overlap(shown)
        if rect.area > 0:
            found.append((outer.id, _client(display, outer, NESTED) or outer, bool(attributes.override_redirect), rect))
    outer_of = {client.id: number for number, client, _, _ in found} | {number: number for number, *_ in found}
    belongs: dict[int, int] = {}
    programs: dict[int, int] = {}
    for number, client, unmanaged, _ in found:
        owner = _property(display, client, "WM_TRANSIENT_FOR")
        program = client.id & ~display.display.info.resource_id_mask
        if owner in outer_of and outer_of[owner] != number:
            belongs[number] = outer_of[owner]
        elif (unmanaged or owner == root.id) and program in programs:
            belongs[number] = programs[program]
        else:
            programs[program] = number
    windows = []
    for number, client, _, rect in found:
        group = number
        for _ in found:  # a dialog of a dialog; bounded by the number of windows, since two may name each other
            group = belongs.get(group, group)
        windows.append(Window(number=number, group=group, rect=rect, focused=front in (number, client.id)))
    return tuple(windows)


def _front(display: Any, root: Any) -> int:
    """Return the window with the keyboard focus, by the window manager or else by the server; 0 if unknown."""
    if active := _property(display, root, "_NET_ACTIVE_WINDOW"):
        return active
    focus = display.get_input_focus().focus
    # No window manager: keys go to the window under the pointer.
    window = root.query_pointer().child if isinstance(focus, int) or focus == root else focus
    while window and not isinstance(window, int):
        tree = _answer(window.query_tree)
        if tree is None or window == root:
            return 0
        if tree.parent == root:
            return int(window.id)
        window = tree.parent
    return 0


def _client(display: Any, window: Any, levels: int) -> Any:
    """Return a program's own window within a frame of the window manager; None if there is none."""
    if _property(display, window, "WM_STATE") or _property(display, window, "_NET_WM_PID"):
        return window
    tree = _answer(window.query_tree) if levels else None
    below = tree.children if tree else ()
    return next((client for child in below if (client := _client(display, child, levels - 1))), None)


def _property(display: Any, window: Any, name: str) -> int:
    """Return the first number of a property; 0 if there is none."""
    from Xlib import X

    found = _answer(lambda: window.get_full_property(display.intern_atom(name), X.AnyPropertyType))
    return (
        int(found.value[0])
        if found is not None and len(found.value) and not isinstance(found.value, str | bytes)
        else 0
    )


def _answer(ask: Any) -> Any:
    """Return an answer of the server; None if the window closed meanwhile."""
    from Xlib.error import BadDrawable, BadWindow

    try:
        return ask()
    except (BadDrawable, BadWindow):
        return None
