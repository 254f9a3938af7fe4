"""Rows of tables and lists in pixels: stacked boxes, adjacent cells, lines of words in columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tools.gui.grounding.geometry import contains, union
from tools.gui.grounding.items import Name
from tools.gui.grounding.vision.ocr import Line
from tools.gui.types import Point, Rect

Row = tuple[Rect, list[Line]]
"""The place of a row, and its lines of words."""
ALIGNED_PX = 10.0
"""Maximum misalignment of sides or centres of cells in a column; our choice."""
UNEVEN_PX = 16.0
"""Maximum difference of the right sides of rows found in different ways; our choice."""
EDGE_PX = 6.0
"""Maximum distance of edges that count as one; our choice."""
APART_PX = 20.0
"""Maximum gap between rows of one list; our choice."""
SAME_HEIGHT_PX = 4.0
"""Maximum difference in height of separate rows; our choice."""
ANOTHER = 1.5
"""Distance, in heights of a row, from which on a line aligned with its start belongs to another row; our choice."""
MIN_ROWS = 3
"""Minimum number of lines of words, or rows below a header, of a table; our choice."""


def rows_of_tables(
    lines: Sequence[Line], held: dict[Rect, list[Line]], stacks: Sequence[Sequence[Rect]]
) -> list[tuple[Rect, tuple[Name, ...], Point]]:
    """Return the rows of tables and lists, with their names and click points.

    Args:
        lines: the lines read.
        held: the lines in each box.
        stacks: as returned by `stacks_of`.
    """
    stacked = [box for stack in stacks for box in stack]
    cells = [
        *stacked,
        *(box for box, inside in held.items() if inside and any(_is_level(box, cell) for cell in stacked)),
    ]
    lines_of_cells = _across([(box, _in_order(held[box])) for box in dict.fromkeys(cells)])
    # A box with the height of a row that touches none is not part of a table.
    rows = _without_heads([row for row in lines_of_cells if any(contains(row[0], box) for box in stacked)])
    boxes = [box for box, _ in rows]
    rows += [row for table in _tables(lines) for row in table if not any(box.holds(row[0].center) for box in boxes)]
    named = []
    for rect, inside in _evened(rows):
        names = [Name(tuple(word for line in inside for word in line.words), 0.9)]
        names += [Name(line.words, 0.93, rects=line.rects) for line in inside[:1]]
        named.append((rect, tuple(names), inside[0].rect.center))
    return named


def _evened(rows: Sequence[Row]) -> list[Row]:
    """Equalise the widths of stacked rows that are nearly equal, since some are known by their words alone."""
    even: list[Row] = []
    for rect, inside in sorted(rows, key=lambda row: row[0].top):
        above = next((other for other, _ in reversed(even) if _is_next(other, rect)), rect)
        even.append((rect.model_copy(update={"left": above.left, "right": above.right}), inside))
    return even


def _is_next(above: Rect, rect: Rect) -> bool:
    aligned = abs(above.left - rect.left) < ALIGNED_PX and abs(above.right - rect.right) < UNEVEN_PX
    return aligned and above.center.y_px < rect.top and rect.top - above.bottom < APART_PX


def stacks_of(held: dict[Rect, list[Line]]) -> list[list[Rect]]:
    """Return lists of boxes of equal width that are stacked, or slightly apart if they have equal heights."""
    boxes = [box for box, inside in held.items() if inside and box.width > 120 and box.height > 18]
    stacks: list[list[Rect]] = []
    for box in sorted(boxes, key=lambda box: box.top):
        for stack in stacks:
            last, gap = stack[-1], box.top - stack[-1].bottom
            wide = abs(last.left - box.left) < EDGE_PX and abs(last.right - box.right) < EDGE_PX
            if wide and (abs(gap) < EDGE_PX or (0 < gap < APART_PX and abs(last.height - box.height) < SAME_HEIGHT_PX)):
                stack.append(box)
                break
        else:
            stacks.append([box])
    return [stack for stack in stacks if len(stack) >= 2]


def _across(rows: Sequence[Row]) -> list[Row]:
    """Join adjacent cells of a grid to rows."""
    lines: list[list[Row]] = []
    for box, inside in sorted(rows, key=lambda row: row[0].left):
        for line in lines:
            last = line[-1][0]
            if _is_level(last, box) and abs(box.left - last.right) < EDGE_PX:
                line.append((box, inside))
                break
        else:
            lines.append([(box, inside)])
    return [(union(*(box for box, _ in line)), [each for _, inside in line for each in inside]) for line in lines]


def _is_level(box: Rect, other: Rect) -> bool:
    return abs(box.top - other.top) < SAME_HEIGHT_PX and abs(box.bottom - other.bottom) < SAME_HEIGHT_PX


def _without_heads(rows: Sequence[Row]) -> list[Row]:
    """Remove column headers, and boxes around others that have no further words."""
    tables: list[list[Row]] = []
    for box, inside in sorted((row for row in rows if not _is_around(row, rows)), key=lambda row: row[0].top):
        for table in tables:
            last, gap = table[-1][0], box.top - table[-1][0].bottom
            # Below a header that spans several columns rows may begin elsewhere.
            begins = abs(last.left - box.left) < EDGE_PX or len(table) == 1
            if begins and abs(last.right - box.right) < EDGE_PX and -EDGE_PX < gap < APART_PX:
                table.append((box, inside))
                break
        else:
            tables.append([(box, inside)])
    return [row for table in tables for row in table[_has_head([inside for _, inside in table]) :]]


def _is_around(row: Row, rows: Sequence[Row]) -> bool:
    box, inside = row
    own = {id(line) for line in inside}
    inner = ((other, held) for other, held in rows if other.area < box.area and contains(box, other))
    return any(own <= {id(line) for line in held} for _, held in inner)


def _has_head(table: Sequence[Sequence[Line]]) -> bool:
    return len(table) >= MIN_ROWS and _is_head(table)


def _in_order(inside: Sequence[Line]) -> list[Line]:
    """Sort from left to right if all are on one line, else from top to bottom."""
    middles = [line.rect.center.y_px for line in inside]
    flat = max(middles) - min(middles) < max(line.rect.height for line in inside)
    return sorted(inside, key=lambda line: line.rect.left if flat else line.rect.top)


def _tables(lines: Sequence[Line]) -> list[list[Row]]:
    """Return bands of lines that begin at the same places as those above or below them."""
    tables: list[list[list[Line]]] = []
    for band in _bands(lines):
        for table in tables:
            shared = _aligned(table[-1], band)
            if len(shared) >= 2 and band[0].rect.top - table[-1][0].rect.bottom < 3.5 * band[0].rect.height:
                table.append(band)
                break
        else:
            tables.append([band])
    rows = [_as_rows(_columns_only(table)) for table in tables if len(table) >= MIN_ROWS]
    return [[(_clipped(rect, inside[0], lines), inside) for rect, inside in table] for table in rows]


def _clipped(rect: Rect, first: Line, lines: Sequence[Line]) -> Rect:
    """Clip a row halfway to the aligned text above or below, which belongs to another row.

    Args:
        rect: the row.
        first: its first line.
        lines: all lines read.
    """
    middle, apart = first.rect.center.y_px, ANOTHER * first.rect.height
    others = [line.rect.center.y_px for line in lines if abs(line.rect.left - first.rect.left) < EDGE_PX]
    above = max((y_px for y_px in others if y_px < middle - apart), default=-math.inf)
    below = min((y_px for y_px in others if y_px > middle + apart), default=math.inf)
    return Rect(
        left=rect.left,
        top=max(rect.top, (above + middle) / 2),
        right=rect.right,
        bottom=min(rect.bottom, (below + middle) / 2),
    )


def _bands(lines: Sequence[Line]) -> list[list[Line]]:
    """Group lines into horizontal bands, from top to bottom."""
    bands: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.rect.center.y_px):
        if bands and line.rect.center.y_px - bands[-1][0].rect.center.y_px < 0.5 * line.rect.height:
            bands[-1].append(line)
        else:
            bands.append([line])
    return bands


def _columns_only(table: Sequence[list[Line]]) -> list[list[Line]]:
    """Trim the rows of a table to the lines aligned with the row above or below."""
    rows = []
    for at, row in enumerate(table):
        near = [*table[max(0, at - 1) : at], *table[at + 1 : at + 2]]
        shared = [line for other in near for line in _aligned(other, row)]
        left, right = min(line.rect.left for line in shared), max(line.rect.right for line in shared)
        rows.append([line for line in row if left <= line.rect.center.x_px <= right])
    return rows


def _as_rows(table: Sequence[list[Line]]) -> list[Row]:
    """Return the rows of a table below its header, which may take two lines, as high as their spacing."""
    heads = (at for at in (2, 1) if len(table) > at + 1 and not any(map(_has_figures, table[:at])))
    body = table[next((at for at in heads if _is_head(table[at - 1 :])), 0) :]
    left, right = (
        min(line.rect.left for row in body for line in row),
        max(line.rect.right for row in body for line in row),
    )
    middles = [row[0].rect.center.y_px for row in body]
    half = float(np.median([after - before for before, after in pairwise(middles)])) / 2 if len(body) > 1 else 12.0
    return [
        (
            Rect(left=left, top=y_px - half, right=right, bottom=y_px + half),
            sorted(row, key=lambda line: line.rect.left),
        )
        for row, y_px in zip(body, middles, strict=True)
    ]


def _aligned(row: Sequence[Line], band: Sequence[Line]) -> list[Line]:
    """Return the lines of a band whose start, end or centre is aligned with a line of a row."""
    return [
        line
        for line in band
        if any(
            min(
                abs(line.rect.left - other.rect.left),
                abs(line.rect.right - other.rect.right),
                abs(line.rect.center.x_px - other.rect.center.x_px),
            )
            < ALIGNED_PX
            for other in row
        )
    ]


def _is_head(table: Sequence[Sequence[Line]]) -> bool:
    """Return whether the first row has the columns' names: no digits, while most rows have some."""
    return not _has_figures(table[0]) and sum(map(_has_figures, table[1:])) > 0.5 * (len(table) - 1)


def _has_figures(row: Sequence[Line]) -> bool:
    return any(character.isdigit() for line in row for character in line.text)
