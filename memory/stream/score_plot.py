"""Plot of the memory's scores and decisions over time: `draw_scores`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memory.stream.options import StreamOptions
from memory.stream.policies import Decision, State
from memory.stream.queue import FrameRef
from tools.errors import StoreError
from tools.extras import require
from tools.media.clock import format_clock
from tools.media.types import Gap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_PX, _HEIGHT_PX, _DPI = 1600, 700, 100
_MAX_THUMBNAILS = 20
_COLOURS: dict[State, str] = {
    "clear": "#1f6fb2",
    "fuzzy": "#e08a1e",
    "discard": "#b8bec6",
}  # distinguishable when colour-blind
_INK, _PAPER = "#2b3440", "#ffffff"


def draw_scores(
    log: Sequence[Decision],
    kept: Sequence[FrameRef],
    gaps: Sequence[Gap],
    options: StreamOptions,
    path: str | Path,
    image: Callable[[FrameRef], np.ndarray] | None = None,
) -> Path:
    """Draw the score of every frame over time, both thresholds, the kept frames and the gaps, as a PNG of 1600 x 700.

    Args:
        log: the decisions, `StreamMemory.log`.
        kept: the frames in memory, such as a snapshot; marked by a ring, and shown below if `image` is given.
        gaps: stretches that could not be read, shaded.
        options: the settings shown in the title.
        path: path of the PNG.
        image: loads the pixels of a kept frame, such as `StreamMemory.image`; a missing frame leaves an empty place.
            Shows at most 20, spread over `kept`.

    Raises:
        StoreError: if there is nothing to draw, or the file cannot be written.
    """
    if not log:
        raise StoreError("cannot draw an empty log of decisions.", remedy="Push frames first.")
    require("matplotlib", extra="narrative")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_PX / _DPI, _HEIGHT_PX / _DPI), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    strip_height = 0.15 if image is not None and kept else 0.0
    axes = figure.add_axes((0.05, 0.11 + strip_height, 0.935, 0.79 - strip_height))
    _draw_gaps(axes, gaps, log[-1].t_s)
    _draw_curve(axes, log, kept, gaps)
    _dress(axes, log, options)
    if image is not None and kept:
        _draw_thumbnails(axes, kept, image)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise StoreError(f"cannot write the score curve {str(path)!r}: {error}.") from error
    return Path(path)


def _draw_curve(axes: Axes, log: Sequence[Decision], kept: Sequence[FrameRef], gaps: Sequence[Gap]) -> None:
    scored = [[d.t_s, d.CS, d.g1, d.g2] for d in log if d.CS is not None]
    if scored:
        breaks = [[gap.start_s, np.nan, np.nan, np.nan] for gap in gaps]  # no line across gaps
        rows = np.array([*scored, *breaks], float)
        times, scores, g1, g2 = rows[np.argsort(rows[:, 0], kind="stable")].T
        axes.plot(times, scores, color=_INK, linewidth=0.9, alpha=0.45, zorder=2)
        for name, values, colour in (
            ("threshold of clear", g2, _COLOURS["clear"]),
            ("threshold of keeping", g1, _COLOURS["fuzzy"]),
        ):
            drawn = np.where(np.isfinite(values), values, np.nan)
            axes.plot(times, drawn, color=colour, linewidth=1.3, linestyle=(0, (5, 2)), label=name, zorder=3)
    for state in ("discard", "fuzzy", "clear"):
        chosen = [decision for decision in log if decision.state == state]
        axes.scatter(
            [decision.t_s for decision in chosen],
            [decision.CS or 0.0 for decision in chosen],
            s=14 if state == "discard" else 34,
            color=_COLOURS[state],
            label=f"{'discarded' if state == 'discard' else state} ({len(chosen):,})",
            zorder=4,
        )
    score_at = {decision.t_s: decision.CS or 0.0 for decision in log}
    ringed = [item for item in kept if item.t_s in score_at]
    axes.scatter(
        [item.t_s for item in ringed],
        [score_at[item.t_s] for item in ringed],
        s=110,
        facecolors="none",
        edgecolors=[_COLOURS[item.state] for item in ringed],
        linewidths=1.4,
        zorder=5,
        label=f"in memory now ({len(kept)})",
    )


def _draw_gaps(axes: Axes, gaps: Sequence[Gap], newest_s: float) -> None:
    for number, gap in enumerate(gaps):
        axes.axvspan(
            gap.start_s,
            newest_s if gap.end_s is None else gap.end_s,
            facecolor="#f3d9d9",
            edgecolor="#d9a0a0",
            hatch="//",
            linewidth=0,
            zorder=1,
            label="not readable" if number == 0 else None,
        )


def _dress(axes: Axes, log: Sequence[Decision], options: StreamOptions) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    first_s, last_s = log[0].t_s, log[-1].t_s
    margin = max(0.5, 0.01 * (last_s - first_s))
    axes.set_xlim(first_s - margin, last_s + margin)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=16, steps=[1, 1.5, 2, 3, 5, 6, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t_s, _: format_clock(t_s) if t_s >= 0 else ""))
    axes.tick_params(colors=_INK, labelsize=10)
    axes.set_ylabel("score", color=_INK, fontsize=11)
    axes.grid(axis="y", color="#e6e9ed", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    settings = f"λ {options.lam:g}   γ {options.gamma:g}   k₁ {options.k1:g}   k₂ {options.k2:g}"
    title = f"{options.policy}   {settings}   capacity {options.capacity}"
    axes.set_title(title, loc="left", color=_INK, fontsize=12, pad=26)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=7,
        frameon=False,
        fontsize=10,
        borderaxespad=0.2,
        labelcolor=_INK,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def _draw_thumbnails(axes: Axes, kept: Sequence[FrameRef], image: Callable[[FrameRef], np.ndarray]) -> None:
    """Draw kept frames in a row of equal places below the axes, each joined to its moment on the time axis."""
    from matplotlib.patches import ConnectionPatch

    figure = axes.get_figure(root=True)
    assert figure is not None
    count = min(len(kept), _MAX_THUMBNAILS)
    shown = [kept[round(index)] for index in np.linspace(0, len(kept) - 1, count)]
    area = axes.get_position()
    place = area.width / max(count, 8)
    left = area.x0 + (area.width - place * count) / 2
    for number, item in enumerate(shown):
        colour = _COLOURS[item.state]
        tile = figure.add_axes((left + number * place + 0.05 * place, 0.03, 0.9 * place, 0.145))
        tile.set_xticks([])
        tile.set_yticks([])
        try:
            rgb = image(item)
        except StoreError:  # evicted in the meantime
            tile.set_facecolor("#eef0f2")
        else:
            step = max(1, max(rgb.shape[:2]) // 400)
            aspect = item.width_px / item.height_px  # fuzzy frames are square in pixels, not in aspect ratio
            tile.imshow(rgb[::step, ::step], extent=(0, aspect, 0, 1), interpolation="antialiased")
        for spine in tile.spines.values():
            spine.set_edgecolor(colour)
            spine.set_linewidth(2.2)
        tile.set_anchor("N")
        tile.set_xlabel(format_clock(item.t_s), color=colour, fontsize=9, labelpad=2)
        axes.add_artist(
            ConnectionPatch(
                (item.t_s, 0),
                (0.5, 1),
                axes.get_xaxis_transform(),
                tile.transAxes,
                color=colour,
                linewidth=0.8,
                alpha=0.5,
                clip_on=False,
                zorder=0,
            )
        )
