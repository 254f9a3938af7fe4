"""Items of an accessibility tree: exact bounds, roles and names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tools.gui.grounding.field_labels import VALUE
from tools.gui.grounding.geometry import contains, union
from tools.gui.grounding.items import Item, Name
from tools.gui.grounding.tables import HEADED, find_tables, heads_of_cells
from tools.gui.types import Node, Point

ROLES: dict[str, str] = {
    **dict.fromkeys(
        ("textbox", "searchbox", "spinbutton", "entry", "textfield", "Date", "InputTime", "password text"), "field"
    ),
    **dict.fromkeys(
        ("combobox", "listbox", "ComboBoxMenuButton", "PopUpButton", "combo box", "MenuListPopup"), "dropdown"
    ),
    **dict.fromkeys(
        ("button", "push button", "DisclosureTriangle", "ToggleButton", "togglebutton", "toggle button"), "button"
    ),
    **dict.fromkeys(("checkbox", "check box", "menuitemcheckbox", "check menu item"), "checkbox"),
    **dict.fromkeys(("radio", "radio button", "menuitemradio", "radio menu item"), "radio"),
    **dict.fromkeys(("row", "listitem", "option", "treeitem", "table row", "list item", "tree item"), "row"),
    **dict.fromkeys(("dialog", "alertdialog", "alert"), "dialog"),
    "menu": "menu",
    **dict.fromkeys(("menuitem", "menu item"), "menuitem"),
    **dict.fromkeys(("tab", "page tab"), "tab"),
    **dict.fromkeys(("img", "image", "canvas", "graphics-document"), "image"),
    **dict.fromkeys(("columnheader", "column header", "table column header"), "column"),
    **dict.fromkeys(
        ("region", "group", "form", "list", "table", "grid", "complementary", "navigation", "main"), "section"
    ),
    **dict.fromkeys(
        (
            "menubar",
            "article",
            "status",
            "search",
            "banner",
            "contentinfo",
            "panel",
            "toolbar",
            "tabpanel",
            "application",
        ),
        "section",
    ),
    **dict.fromkeys(("text", "label", "paragraph", "strong", "emphasis", "cell", "gridcell", "mark", "term"), "text"),
    **dict.fromkeys(("window", "frame", "file chooser"), "window"),
    "link": "link",
    "switch": "switch",
    "slider": "slider",
    "heading": "heading",
    "document": "document",
}
"""Roles of ARIA, and of AT-SPI where they differ, as the kinds that instructions speak of."""
_TAKE_NAMES = frozenset({"row", "dialog", "section", "link", "button", "tab", "menuitem"})
_MOST_WORDS = 60
_TOOL_PX = 56.0
"""How wide and high a button of a tool bar is at most that shows a picture in place of its name; our choice."""
_CLICKED = frozenset({"row", "link", "button", "menuitem"})
"""What takes a click on the words in it."""
_IN_MENUS = frozenset(
    role for role, kind in ROLES.items() if "menu" in role.lower() and kind not in ("menu", "dropdown")
)


def tree_items(nodes: Sequence[Node]) -> list[Item]:
    """Items for the nodes of a tree, those behind a dialog marked so."""
    dialog = next(
        (node for node in reversed(nodes) if ROLES.get(node.role) == "dialog" and _holds_controls(nodes, node)), None
    )
    inside = {id(node) for node in _below(nodes, dialog)} | {id(dialog)} if dialog else set()
    menus, desktop = _open_menus(nodes), _is_desktop(nodes)
    tables = list(find_tables(nodes)) if desktop else []
    tools, alive = (_within(nodes, kinds) if desktop else set() for kinds in (_is_toolbar, _takes_clicks))
    heads = heads_of_cells(nodes)
    in_tables = {id(cell) for table in tables for cell in table.cells}
    items = []
    for index, node in enumerate(nodes):
        role = ROLES.get(node.role, "text")
        if role == "document":
            continue
        names = _names(nodes, index, role)
        if names and (head := heads.get(id(node))):
            names = (*names, Name(tuple(head.split()), HEADED, head=True))
        if role == "row" and any(ROLES.get(below.role) == "column" for below in _below(nodes, node, index)):
            role = "section"
        if id(node) in in_tables or (role == "text" and not names):
            continue
        front = not dialog or id(node) in inside or not _behind(node, dialog)
        front = front and (not menus or id(node) in menus)
        if role in ("radio", "checkbox") and id(node) in tools and max(node.rect.width, node.rect.height) <= _TOOL_PX:
            # Of some that are drawn as buttons one is down.
            role = "button"
        inert = desktop and node.role in ("text", "label") and id(node) not in alive
        items.append(Item(node.rect, role, names, "tree", _spot(node), front=front, inert=inert))
        if role == "menu" and id(node) in menus and (below := _below(nodes, node, index)):
            # An open menu reaches over its entries, which stand outside of the word that opens it.
            items.append(Item(union(*(each.rect for each in below)), "section", names, "tree"))
    for table in tables:
        front = not menus and (not dialog or id(table.node) in inside)
        items += [replace(item, front=front) for item in table.items]
    return items


def _spot(node: Node) -> Point | None:
    """Where a field for a number is typed into: in desktop programs its steps take up its right half."""
    if node.role != "spinbutton":
        return None
    rect = node.rect
    return Point(x_px=rect.left + min(rect.height, rect.width / 4), y_px=rect.center.y_px)


def _names(nodes: Sequence[Node], index: int, role: str) -> tuple[Name, ...]:
    node, names = nodes[index], []
    if node.name:
        names.append(Name(tuple(node.name.split())))
    if node.value and node.value != node.name:
        names.append(Name(tuple(node.value.split()), VALUE))
    # In desktop programs a tab holds its whole page.
    if role in _TAKE_NAMES and not (role == "tab" and node.name):
        texts = [below.name for below in _below(nodes, node, index) if below.role in ("text", "heading") and below.name]
        words = tuple(word for text in dict.fromkeys(texts) for word in text.split())[:_MOST_WORDS]
        if words and " ".join(words) != node.name:
            names.append(Name(words, 0.9))
        # What stands first names a row or a section: a patient's name, a heading.
        if texts and texts[0] != node.name:
            names.append(Name(tuple(texts[0].split()), 0.93))
    return tuple(names)


def _below(nodes: Sequence[Node], node: Node, index: int | None = None) -> list[Node]:
    """The nodes under one."""
    start = index if index is not None else next(at for at, other in enumerate(nodes) if other is node)
    end = start + 1
    while end < len(nodes) and nodes[end].depth > node.depth:
        end += 1
    return list(nodes[start + 1 : end])


def _within(nodes: Sequence[Node], is_one: Callable[[Node], bool]) -> set[int]:
    """What is below nodes of some kind."""
    return {id(below) for at, node in enumerate(nodes) if is_one(node) for below in _below(nodes, node, at)}


def _is_toolbar(node: Node) -> bool:
    return node.role in ("toolbar", "tool bar")


def _takes_clicks(node: Node) -> bool:
    return ROLES.get(node.role) in _CLICKED


def _open_menus(nodes: Sequence[Node]) -> set[int]:
    """The nodes of menus where one of a desktop program is open, which takes every click; none on a page."""
    if not _is_desktop(nodes):
        return set()
    menus = [(index, node) for index, node in enumerate(nodes) if ROLES.get(node.role) == "menu"]
    within = {id(below) for index, node in menus for below in (node, *_below(nodes, node, index))}
    return within if any(node.role in _IN_MENUS and id(node) in within for node in nodes) else set()


def _is_desktop(nodes: Sequence[Node]) -> bool:
    """Whether a tree is that of a desktop program, and not of a page."""
    return bool(nodes) and ROLES.get(nodes[0].role) in ("window", "dialog")


def _holds_controls(nodes: Sequence[Node], dialog: Node) -> bool:
    """Whether it can be answered: one that only tells something blocks nothing."""
    below = _below(nodes, dialog)
    return "modal" in dialog.states or any(ROLES.get(node.role) in ("button", "link") for node in below)


def _behind(node: Node, dialog: Node) -> bool:
    """Whether a node cannot be reached while a dialog is open; all but what is drawn in it."""
    return not contains(dialog.rect, node.rect) or node.rect.area >= dialog.rect.area
