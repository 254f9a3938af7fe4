"""Terminal tables that never cut a number, however narrow the terminal; a pipe has no width limit."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

WIDEST = 10_000
"""Maximum width of a table in a file or a pipe, above what any table needs."""


def figures_table(names: Sequence[str], *, words: Sequence[str], title: str | None = None) -> Table:
    """Return an empty table, whose columns of words wrap in a narrow terminal, and whose columns of figures never do.

    Args:
        names: of the columns, in order.
        words: the columns of words.
        title: in rich markup.
    """
    columns = (Column(name, no_wrap=name not in words, overflow="fold") for name in names)
    return Table(*columns, title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False, title_justify="left")


def show_table(table: Table, console: Console) -> None:
    """Print a table: limited to the terminal's width, and in a file or a pipe as wide as it is."""
    width = console.width
    if not console.is_terminal:
        wanted = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
        console.width = max(width, wanted)
    console.print(table)
    console.width = width
