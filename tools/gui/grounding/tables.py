"""Rows and cells of the tables and lists of desktop programs, whose accessibility trees hold cells alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.gui.grounding.geometry import union
from tools.gui.grounding.items import Item, Name
from tools.gui.types import Node, Point, Rect

CELLS = frozenset({"cell", "gridcell", "table cell"})
"""Roles of cells."""
HEADED = 0.95
"""How surely the head of its column names a cell; our choice."""
BESIDE = 0.95
"""How surely the name of its row names a box to tick or a picture; our choice."""
LEVEL_PX = 3.0
"""How far the tops of the cells of one row may differ; our choice."""
_TABLES = frozenset({"table", "tree table", "grid"})
_HEADS = frozenset({"columnheader", "column header", "table column header"})
_ROWS = frozenset({"row", "table row"})
_SAYS = re.compile(r"\w")


@dataclass(frozen=True)
class Table:
    """A table whose rows a tree does not have.

    Attributes:
        node: the table.
        cells: its nodes that are cells or parts of cells.
        items: its rows, named by all of their cells and by the first, and its cells, named by what they hold and by
            their column; cells of a single column are their rows. Boxes to tick and pictures go by their row.
    """

    node: Node
    cells: tuple[Node, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class _Cell:
    rect: Rect
    spot: Point
    name: str
    head: str
    role: str


def find_tables(nodes: Sequence[Node]) -> Iterator[Table]:
    """The tables of a tree that have cells, and neither rows nor tables in them."""
    for start, node in enumerate(nodes):
        if node.role not in _TABLES:
            continue
        end = next((at for at in range(start + 1, len(nodes)) if nodes[at].depth <= node.depth), len(nodes))
        below = nodes[start + 1 : end]
        if any(each.role in _ROWS | _TABLES for each in below):
            continue
        heads = [each for each in below if each.role in _HEADS]
        rows = _rows(list(_cells(below, heads)))
        cells = tuple(each for each in below if each.role in CELLS)
        yield Table(node, cells, tuple(item for row in rows for item in _items_of(row)))


def heads_of_cells(nodes: Sequence[Node]) -> dict[int, str]:
    """What the column of each cell is called, by `id` of the cell, of tables that have rows."""
    found: dict[int, str] = {}
    for start, node in enumerate(nodes):
        if node.role not in _TABLES:
            continue
        end = next((at for at in range(start + 1, len(nodes)) if nodes[at].depth <= node.depth), len(nodes))
        below = nodes[start + 1 : end]
        heads = [each for each in below if each.role in _HEADS]
        for cell in below if any(each.role in _ROWS for each in below) else ():
            middle = cell.rect.center.x_px
            over = [each for each in heads if each.rect.left <= middle <= each.rect.right]
            # Of heads in two lines the lower one is that of a single column.
            head = min(over, key=lambda each: each.rect.width, default=None)
            if cell.role in CELLS and head is not None and cell.name:
                found[id(cell)] = head.name
    return found


def _items_of(row: Sequence[_Cell]) -> Iterator[Item]:
    # A mark, such as the star of what was changed, is no name.
    named = [cell for cell in row if _SAYS.search(cell.name)] or [cell for cell in row if cell.name]
    if not named:
        return
    words = tuple(word for cell in named for word in cell.name.split())
    names = (Name(words, 0.9), Name(tuple(named[0].name.split()), 0.93)) if len(named) > 1 else (Name(words),)
    yield Item(union(*(cell.rect for cell in row)), "row", names, "tree", point=named[0].spot)
    for cell in row if len(row) > 1 else ():
        own = (Name(tuple(cell.name.split())),) if cell.name else ()
        head = (Name(tuple(cell.head.split()), HEADED),) if cell.head else ()
        beside = () if own or cell.role == "cell" else (Name(tuple(named[0].name.split()), BESIDE, label=True),)
        if own or head or beside:
            yield Item(cell.rect, cell.role, own + head + beside, "tree", point=cell.spot)


def _cells(below: Sequence[Node], heads: Sequence[Node]) -> Iterator[_Cell]:
    """The cells of a table; those that have parts, such as an icon and a name, go by the part that has a name."""
    cells = [(at, node) for at, node in enumerate(below) if node.role in CELLS]
    outermost = min((node.depth for _, node in cells), default=0)
    for at, node in cells:
        if node.depth != outermost:
            continue
        end = next((later for later in range(at + 1, len(below)) if below[later].depth <= node.depth), len(below))
        part = next((each for each in (node, *below[at + 1 : end]) if each.name.strip()), node)
        middle = node.rect.center.x_px
        head = next((each.name for each in heads if each.rect.left <= middle <= each.rect.right), "")
        yield _Cell(node.rect, part.rect.center, part.name, head, _role(node))
        for each in below[at + 1 : end]:
            if _role(each) == "icon":
                yield _Cell(each.rect, each.rect.center, "", head, "icon")


def _role(cell: Node) -> str:
    if cell.states & {"checkable", "checked"}:
        return "checkbox"
    return "icon" if "pictured" in cell.states and not cell.name else "cell"


def _rows(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = []
    for cell in sorted(cells, key=lambda cell: cell.rect.top):
        if rows and cell.rect.top - rows[-1][0].rect.top <= LEVEL_PX:
            rows[-1].append(cell)
        else:
            rows.append([cell])
    return [sorted(row, key=lambda cell: cell.rect.left) for row in rows]
