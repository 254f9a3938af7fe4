"""Tables for people: nothing that is a number is cut, however narrow the terminal, and a pipe has no width at all."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

WIDEST = 10_000
"""Columns of a table in a file or a pipe, at most; our choice, above what any table has."""


def figures_table(names: Sequence[str], *, words: Sequence[str], title: str | None = None) -> Table:
    """Return an empty table, whose columns of words fold where it is narrow, and whose columns of figures never do.

    Args:
        names: of the columns, in order.
        words: those that hold words.
        title: in rich markup.
    """
    columns = (Column(name, no_wrap=name not in words, overflow="fold") for name in names)
    return Table(*columns, title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False, title_justify="left")


def show_table(table: Table, console: Console) -> None:
    """Print a table: as wide as the terminal lets it be, and in a file or a pipe as wide as it is."""
    width = console.width
    if not console.is_terminal:
        wanted = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
        console.width = max(width, wanted)
    console.print(table)
    console.width = width
