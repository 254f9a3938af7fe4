"""Plot of the results: recall of the evidence and right answers, by the age of the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from evals.bench.streams.questions import AGES
from evals.bench.streams.report import Table
from evals.stats.means import Rate

_INK = "#333a44"
_OURS = "#c2410c"
_RIVALS = ("#1d4ed8", "#0f766e", "#7c3aed", "#6b7280", "#a16207", "#be185d", "#0369a1")
_MARKS = "osD^vPX"


def draw(tables: Mapping[str, Table], rows: Sequence[str], ours: str, path: Path) -> None:
    """Write a PNG with one panel per table: a line per row over the age classes, with 95% intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ages = [name for name, _, _ in AGES]
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        shown = [row for row in rows if row in table]
        for number, row in enumerate(shown):
            at = [index for index, age in enumerate(ages) if age in table[row]]
            cells = [table[row][ages[index]] for index in at]
            mine = row == ours
            shift = 0.5 * (number - (len(shown) - 1) / 2) / max(1, len(shown))
            axes.errorbar(
                [index + shift for index in at],
                [cell.value or 0.0 for cell in cells],
                yerr=[_reach(cells, "low"), _reach(cells, "high")],
                color=_OURS if mine else _RIVALS[number % len(_RIVALS)],
                marker=_MARKS[number % len(_MARKS)],
                linewidth=2.6 if mine else 1.3,
                elinewidth=0.9,
                markersize=7 if mine else 5,
                capsize=2,
                zorder=5 if mine else 3,
                label=row,
            )
        axes.set_title(title, loc="left", color=_INK, fontsize=12)
        axes.set_xticks(range(len(ages)), ages)
        axes.set_xlabel("age of the evidence", color=_INK)
        axes.set_ylim(-0.03, 1.03)
        axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
        axes.tick_params(colors=_INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9, labelcolor=_INK)
    figure.savefig(path)


def _reach(cells: Sequence[Rate], side: Literal["low", "high"]) -> list[float]:
    ends = [getattr(cell, side) for cell in cells]
    return [abs((cell.value or 0.0) - end) if end is not None else 0.0 for cell, end in zip(cells, ends, strict=True)]
