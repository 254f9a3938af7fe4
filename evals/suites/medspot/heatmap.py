"""Heat map of the misses of a MedSPOT run, relative to their targets and on the screen, as one HTML page.

    python -m evals.suites.medspot.heatmap RUN [--out FILE]

RUN is a folder of `attend eval run medspot`. Distances are shares of the screenshot, since screens differ in size. The
first picture centres all targets; an off-centre cloud is a bias, such as clicking labels instead of their fields.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from evals.engine.journal import read_transcripts
from evals.engine.output import write_page
from evals.engine.run import TRANSCRIPTS
from evals.engine.suite import Transcript
from tools.errors import AttendError, ConfigError

WIDTH, HEIGHT = 480, 300
"""Size of a picture, in px."""

COLUMNS, ROWS = 24, 15
"""Cells of a picture in which misses are counted."""

COLOURS = {
    "small_target": "#8a5a00",
    "near_miss": "#2f6f8f",
    "edge_bias": "#7b3f9d",
    "toolbar_confusion": "#1b6552",
    "far_miss": "#a3262a",
}
OTHER = "#55605b"

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1040px;margin:20px auto;padding:0 16px;background:#fff;"
    "color:#1b2321}figure{display:inline-block;margin:0 20px 16px 0}svg{border:1px solid #d5dbd6;max-width:100%}"
    "h2{font-size:1rem}figcaption,p{font-size:.9rem}b{padding:0 6px;color:#fff;border-radius:3px}"
)


def page(transcripts: Iterable[Transcript], title: str = "") -> str:
    """Render the page for some attempts; failed ones, and misses without a point, are only counted."""
    misses: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for transcript in transcripts:
        clicks: Any = transcript.outcome.get("clicks", [])
        misses[transcript.id.split("/")[0]] += [click for click in clicks if click["failure"]]
    everything = [click for held in misses.values() for click in held]
    counts = Counter(click["failure"] for click in everything)
    legend = " ".join(
        f'<b style="background:{_colour(kind)}">{escape(kind)}</b> {counts[kind]}' for kind in sorted(counts)
    )
    parts = [f"<p>{len(everything)} misses: {legend or 'none'}. Without a point, a miss is in no picture.</p>"]
    parts += _section("all programs", everything)
    if len(misses) > 1:
        for software in sorted(misses):
            parts += _section(software, misses[software])
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>misses {escape(title)}</title>'
    return f"{head}<style>{STYLE}</style><h1>Misses {escape(title)}</h1>{''.join(parts)}</html>\n"


def _section(name: str, misses: Sequence[Mapping[str, Any]]) -> list[str]:
    placed = [click for click in misses if click["point"] is not None]
    if not placed:
        return []
    beside, on_screen = [], []
    for click in placed:
        (x, y), (left, top, right, bottom) = click["point"], click["box"]
        # The target's centre is the middle of the picture; a whole screen fits in each direction.
        beside.append((0.5 + (x - (left + right) / 2) / 2, 0.5 + (y - (top + bottom) / 2) / 2, click["failure"]))
        on_screen.append((x, y, click["failure"]))
    boxes = [click["box"] for click in placed]
    cross = f'<path d="M{WIDTH / 2} 0V{HEIGHT}M0 {HEIGHT / 2}H{WIDTH}" stroke="#1b2321" stroke-dasharray="3"/>'
    outlines = "".join(
        f'<rect x="{left * WIDTH:.1f}" y="{top * HEIGHT:.1f}" width="{(right - left) * WIDTH:.1f}" '
        f'height="{(bottom - top) * HEIGHT:.1f}" fill="none" stroke="#1b2321"/>'
        for left, top, right, bottom in boxes
    )
    return [
        f"<h2>{escape(name)}</h2>",
        _figure("From the target's centre, one screen to each side", beside, cross),
        _figure("On the screen, with what was to be hit", on_screen, outlines),
    ]


def _figure(caption: str, dots: Sequence[tuple[float, float, str]], above: str) -> str:
    cells = Counter((_cell(x, COLUMNS), _cell(y, ROWS)) for x, y, _ in dots)
    most = max(cells.values())
    wide, high = WIDTH / COLUMNS, HEIGHT / ROWS
    heat = "".join(
        f'<rect x="{column * wide:.1f}" y="{row * high:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="#e08a1e" '
        f'fill-opacity="{0.15 + 0.65 * count / most:.2f}"><title>{count}</title></rect>'
        for (column, row), count in sorted(cells.items())
    )
    marks = "".join(
        f'<circle cx="{_within(x) * WIDTH:.1f}" cy="{_within(y) * HEIGHT:.1f}" r="3" fill="{_colour(kind)}"/>'
        for x, y, kind in dots
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
    label = escape(caption)
    return f'<figure>{svg} aria-label="{label}">{heat}{above}{marks}</svg><figcaption>{label}</figcaption></figure>'


def _within(share: float) -> float:
    """Clamp points outside to the nearest edge."""
    return min(max(share, 0.0), 1.0)


def _cell(share: float, cells: int) -> int:
    return min(int(_within(share) * cells), cells - 1)


def _colour(failure: str) -> str:
    return COLOURS.get(failure, OTHER)


def main() -> None:
    """Write the page of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, help="output file; by default misses.html in the run's folder")
    arguments = parser.parse_args()
    target = arguments.out or arguments.run / "misses.html"
    try:
        if not (arguments.run / TRANSCRIPTS).is_file():
            raise ConfigError(
                f"{str(arguments.run)!r} has no run.", expected="a folder written by `attend eval run medspot`"
            )
        # A repeated attempt occurs twice; the last one counts.
        last = {(one.task, one.id, one.epoch): one for one in read_transcripts(arguments.run / TRANSCRIPTS)}
        write_page(page(last.values(), arguments.run.name), target)
    except AttendError as error:
        sys.exit(f"error: {error}")
    print(target)


if __name__ == "__main__":
    main()
