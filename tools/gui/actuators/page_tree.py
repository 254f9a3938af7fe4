"""Accessibility tree of a browser page, over the Chrome DevTools Protocol, as nodes in image pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tools.gui.types import Node, Rect

ROLES = {
    **{"StaticText": "text", "RootWebArea": "document", "Iframe": "document", "image": "img", "LabelText": "label"},
    **{"Date": "textbox", "DateTime": "textbox", "InputTime": "textbox"},
}
"""Chromium's own roles, by the names that ARIA has or would have."""
_NOT_SHOWN = frozenset({"InlineTextBox", "ListMarker", "LineBreak", "LayoutTable", "none", "generic", "Abbr"})
_STATES = ("disabled", "focused", "checked", "selected", "expanded", "modal", "pressed", "readonly", "required")


class DevTools(Protocol):
    """A DevTools session, such as Playwright's `CDPSession`."""

    def send(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a method and return its result."""


def read_nodes(session: DevTools, scale: float = 1.0) -> tuple[Node, ...]:
    """Read the nodes within the viewport of a page's main frame.

    Nodes under a dialog or clipped by a scrolling part are included: the tree does not show that.

    Args:
        session: session of the page.
        scale: pixels of the screenshot per CSS pixel.
    """
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    shot = session.send("DOMSnapshot.captureSnapshot", {"computedStyles": []})["documents"][0]
    size = session.send("Page.getLayoutMetrics")["cssLayoutViewport"]
    seen = Rect(left=0, top=0, right=size["clientWidth"] * scale, bottom=size["clientHeight"] * scale)
    bounds = _bounds(shot, scale)
    by_id = {node["nodeId"]: node for node in tree}
    nodes: list[Node] = []
    waiting = [(node["nodeId"], 0) for node in reversed(tree) if node.get("parentId") not in by_id]
    while waiting:
        name, depth = waiting.pop()
        raw = by_id[name]
        node = _node(raw, bounds.get(raw.get("backendDOMNodeId", -1)), seen, depth)
        if node:
            nodes.append(node)
        below = depth + (node is not None)
        waiting += [(child, below) for child in reversed(raw.get("childIds", [])) if child in by_id]
    return tuple(nodes)


def _bounds(shot: Mapping[str, Any], scale: float) -> dict[int, Rect]:
    """Return rectangles by DOM node id."""
    names, layout = shot["nodes"]["backendNodeId"], shot["layout"]
    across, down = shot.get("scrollOffsetX", 0), shot.get("scrollOffsetY", 0)
    return {
        names[index]: Rect(
            left=(x - across) * scale,
            top=(y - down) * scale,
            right=(x - across + width) * scale,
            bottom=(y - down + height) * scale,
        )
        for index, (x, y, width, height) in zip(layout["nodeIndex"], layout["bounds"], strict=True)
    }


def _node(raw: Mapping[str, Any], rect: Rect | None, seen: Rect, depth: int) -> Node | None:
    """Return a node clipped to the visible part; None if nothing of it is visible, or it has no content."""
    role = _value(raw, "role")
    if raw.get("ignored") or role in _NOT_SHOWN or rect is None:
        return None
    shown = rect.overlap(seen)
    if shown.area <= 0:
        return None
    states = {state["name"] for state in raw.get("properties", ()) if _holds(state)}
    return Node(
        role=ROLES.get(role, role),
        name=" ".join(_value(raw, "name").split()),
        rect=shown,
        value=_value(raw, "value"),
        states=frozenset(states),
        depth=depth,
    )


def _value(raw: Mapping[str, Any], key: str) -> str:
    return str(raw.get(key, {}).get("value", ""))


def _holds(state: Mapping[str, Any]) -> bool:
    return state["name"] in _STATES and state.get("value", {}).get("value") in (True, "true", "mixed")
