"""Time line of a story as a PNG: `draw_story`."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from memory.narrative.story.html import GENERATOR
from memory.narrative.story.read import PICTURE_PX, Story, is_elsewhen, moment
from memory.narrative.types import LINK_WEIGHTS, Event, Link, LinkType
from tools.errors import StoreError
from tools.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_EVENTS = 1_500
"""Maximum number of events drawn, the most important."""
MAX_LINKS = 150
"""Maximum number of links drawn, the heaviest."""
MAX_CHAINS = 6
"""Maximum number of chains listed and drawn, the best."""
_WIDTH_PX, _LANE_PX, _DPI = 1800, 92, 100
_MARGIN_PX, _NAMES_PX = 32, 130
_CARD_PX, _SMALL_PX = 200, (52, 32)
_SHORT_PX = 14  # shorter links are not drawn: many of them only clutter
_INK, _MUTED, _LINE, _PAPER, _BAR = "#1b2321", "#55605b", "#d5dbd6", "#ffffff", "#4b6f8c"
_LINK_LOOKS: dict[LinkType, tuple[str, tuple[float, ...]]] = {
    "causes": ("#c0272d", ()), "motivates": ("#b35c00", (7, 2)), "enables": ("#1a7f4b", (5, 2)),
    "reveals": ("#1f6fb2", (1, 2)), "blocks": ("#6a3fb0", (6, 2, 1, 2)), "resumes": ("#0f7c86", (3, 2)),
    "contradicts": ("#b0308f", (7, 2, 1, 2, 1, 2)), "next": ("#8a938f", ()),
}  # fmt: skip
"""Colour and dashes by type: distinguishable without colour, too."""
_FONTS = (
    "DejaVu Sans", "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "Hiragino Sans", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS", "Noto Emoji",
)  # fmt: skip
"""The first comes with matplotlib; the others, where installed, supply glyphs that it lacks."""
_CHAIN_COLOURS = ("#8a5a00", "#1b6552", "#7a2e5d", "#2f4b8f", "#6b6b00", "#5c3a21")


def draw_story(story: Story, path: str | Path) -> Path:
    """Draw the events of a story along its time line as a PNG, in lanes by actor, with links and the best chains.

    It is 1800 pixels wide, and as high as its lanes and chains need. Omits links of the type `next`, those between
    adjacent events, and events and links beyond `MAX_EVENTS` and `MAX_LINKS`; a line below the title says so. Glyphs
    that no installed font of `_FONTS` has are drawn as boxes; the page shows them.

    Raises:
        StoreError: if the file cannot be written.
    """
    matplotlib = require("matplotlib", extra="narrative")
    from matplotlib.font_manager import get_font_names

    held = set(get_font_names())
    fonts = [name for name in _FONTS if name in held]
    with matplotlib.rc_context({"font.family": fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = _draw(story)
        try:
            figure.savefig(path, format="png", metadata={"Software": GENERATOR})
        except OSError as error:
            raise StoreError(
                f"cannot write the picture of the story {str(path)!r}: {error.strerror or error}.",
                remedy="Choose a writable folder that exists.",
            ) from error
    return Path(path)


def _draw(story: Story) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chains = story.chains[:MAX_CHAINS]
    strip_px = 76 if story.pictures or story.gone else 0
    top_px, lanes_px = 96 + strip_px, max(1, len(story.lanes)) * _LANE_PX
    height_px = top_px + lanes_px + 52 + len(chains) * 24 + _MARGIN_PX
    figure = Figure(figsize=(_WIDTH_PX / _DPI, height_px / _DPI), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    width_px = _WIDTH_PX - _NAMES_PX - _MARGIN_PX
    axes = figure.add_axes(
        (_NAMES_PX / _WIDTH_PX, 1 - (top_px + lanes_px) / height_px, width_px / _WIDTH_PX, lanes_px / height_px)
    )
    axes.set_xlim(story.start_s, story.end_s)
    axes.set_ylim(lanes_px, 0)  # in pixels, downwards
    per_px = (story.end_s - story.start_s) / width_px
    drawn = story.ranked[:MAX_EVENTS]
    links = _weighty(story, drawn, _SHORT_PX * per_px)
    _dress(axes, story)
    _draw_links(axes, story, links)
    _draw_chains(axes, story)
    _draw_events(axes, story, drawn, per_px)
    if strip_px:
        _draw_pictures(figure, story, width_px, height_px)
    _write_about(figure, story, len(drawn), len(links), height_px)
    _write_chains(figure, story, (52 + len(chains) * 24, height_px))
    return figure


def _weighty(story: Story, drawn: Sequence[int], short_s: float) -> list[Link]:
    """Return the links to draw: of those longer than `short_s`, the heaviest, the longest first."""
    events = {story.events[number].id: story.events[number] for number in drawn}

    def apart_s(link: Link) -> float:
        return abs(events[link.dst].start_s - events[link.src].start_s)

    def worth(link: Link) -> tuple[float, float, str]:
        return -round(LINK_WEIGHTS[link.type] * link.confidence, 9), -apart_s(link), link.id

    known = [link for link in story.links if link.type != "next" and link.src in events and link.dst in events]
    return sorted((link for link in known if apart_s(link) >= short_s), key=worth)[:MAX_LINKS]


def _point(story: Story, number: int) -> tuple[float, float]:
    """Return the position of an event's bar, in seconds and pixels."""
    return story.events[number].start_s, story.lane_of[number] * _LANE_PX + 26


def _dress(axes: Axes, story: Story) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for lane, name in enumerate(story.lanes):
        top = lane * _LANE_PX
        axes.axhspan(top, top + _LANE_PX, facecolor="#f5f6f3" if lane % 2 else _PAPER, edgecolor=_LINE, zorder=0)
        axes.annotate(
            "\n".join(textwrap.wrap(_plain(name) or "others", 17, max_lines=3, placeholder=" …")),
            (0, top + 26), (-10, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="center", fontsize=9, fontweight="bold", color=_INK,
        )  # fmt: skip
    if len(story.segments) <= 300:
        for number, segment in enumerate(story.segments):
            shade = "#d5dbd6" if number % 2 else "#eef1ec"
            axes.axvspan(segment.start_s, segment.end_s, 1, 1 + 8 / axes.get_ylim()[0], facecolor=shade,
                         linewidth=0, clip_on=False)  # fmt: skip
    sections = story.clock == "sections"
    axes.set_yticks([])
    axes.xaxis.set_ticks_position("top")
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=12, steps=[1, 2, 5, 10] if sections else [1, 1.5, 3, 6, 10], integer=True)
    )
    last_s = story.end_s - 1 if sections else story.end_s
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t_s, _: moment(t_s, story.clock) if t_s <= last_s else ""))
    axes.tick_params(axis="x", colors=_INK, labelsize=9, length=10, pad=4)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_links(axes: Axes, story: Story, links: Sequence[Link]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyArrowPatch

    number_of = {event.id: number for number, event in enumerate(story.events)}
    between: Counter[tuple[str, str]] = Counter()  # number of links drawn between two events
    for link in links:
        start, end = _point(story, number_of[link.src]), _point(story, number_of[link.dst])
        colour, dashes = _LINK_LOOKS[link.type]
        axes.add_patch(
            FancyArrowPatch(
                path=_way(start, end, between[link.src, link.dst]),
                arrowstyle="-|>",
                mutation_scale=7,
                color=colour,
                alpha=0.35 + 0.35 * link.confidence,
                linewidth=1.1,
                linestyle=(0, dashes) if dashes else "-",
                zorder=2,
            )
        )
        between[link.src, link.dst] += 1
    used = [type_ for type_ in _LINK_LOOKS if any(link.type == type_ for link in links)]
    looks = [
        Line2D([], [], color=_LINK_LOOKS[type_][0], linewidth=1.6, linestyle=(0, _LINK_LOOKS[type_][1]))
        if _LINK_LOOKS[type_][1]
        else Line2D([], [], color=_LINK_LOOKS[type_][0], linewidth=1.6)
        for type_ in used
    ]
    if used:
        axes.legend(looks, used, loc="upper left", bbox_to_anchor=(0, 0), ncols=8, frameon=False, fontsize=10,
                    labelcolor=_INK, borderaxespad=0.3, handlelength=2.6)  # fmt: skip


def _way(start: tuple[float, float], end: tuple[float, float], beside: int = 0):  # type: ignore[no-untyped-def]
    """Return a matplotlib path: an arc above a lane, or a curve from lane to lane, offset from others between the
    same."""
    from matplotlib.path import Path as Way

    (x1, y1), (x2, y2) = start, end
    if y1 == y2:
        return Way([start, ((x1 + x2) / 2, y1 - max(6, 34 - 12 * beside)), end], [Way.MOVETO, Way.CURVE3, Way.CURVE3])
    middle, bend = (y1 + y2) / 2 - 14 * beside, (x2 - x1) / 5
    return Way([start, (x1 + bend, middle), (x2 - bend, middle), end], [Way.MOVETO, Way.CURVE4, Way.CURVE4, Way.CURVE4])


def _draw_chains(axes: Axes, story: Story) -> None:
    from matplotlib.patches import PathPatch

    number_of = {event.id: number for number, event in enumerate(story.events)}
    for number, chain in enumerate(story.chains[:MAX_CHAINS]):
        points = [_point(story, number_of[id_]) for id_ in chain.event_ids]
        colour = _CHAIN_COLOURS[number]
        for start, end in pairwise(points):
            axes.add_patch(
                PathPatch(_way(start, end), facecolor="none", edgecolor=colour, linewidth=4, alpha=0.22, zorder=1)
            )
        axes.text(*points[0], str(number + 1), ha="right", va="bottom", fontsize=8, fontweight="bold", color=_PAPER,
                  bbox={"boxstyle": "circle,pad=0.2", "facecolor": colour, "linewidth": 0}, zorder=6)  # fmt: skip


def _draw_events(axes: Axes, story: Story, drawn: Sequence[int], per_px: float) -> None:
    """Draw a bar for each event, and the words of the most important, as far as there is room."""
    number_of = {segment.id: number for number, segment in enumerate(story.segments)}

    def places(event: Event) -> list[int]:
        return [number_of[id_] for id_ in event.segment_ids if id_ in number_of]

    taken: dict[int, list[float]] = {}
    right_s = story.end_s - _CARD_PX * per_px
    for number in drawn:
        event, (start_s, middle) = story.events[number], _point(story, number)
        axes.broken_barh(
            [(start_s, max(event.end_s - start_s, 4 * per_px))], (middle - 5, 10), facecolor=_BAR,
            alpha=0.4 + 0.6 * event.confidence, edgecolor=_INK if is_elsewhen(event) else _PAPER, linewidth=1, zorder=4,
        )  # fmt: skip
        left_s = min(start_s, max(right_s, story.start_s))
        cards = taken.setdefault(story.lane_of[number], [])
        if all(abs(other - left_s) >= (_CARD_PX + 6) * per_px for other in cards):
            cards.append(left_s)
            picture = next((story.pictures[place] for place in places(event) if place in story.pictures), None)
            if picture is not None:
                wide_s, high_px = _SMALL_PX[0] * per_px, _SMALL_PX[1]
                box = (left_s, left_s + wide_s, middle + 8 + high_px, middle + 8)
                axes.imshow(picture, extent=box, aspect="auto", zorder=5, interpolation="antialiased")
            axes.text(
                left_s if picture is None else left_s + (_SMALL_PX[0] + 5) * per_px, middle + 9,
                _words(story, event, 36 if picture is None else 27), ha="left", va="top", fontsize=7.4, color=_INK,
                linespacing=1.1, zorder=5, clip_on=True,
                bbox={"facecolor": _PAPER, "alpha": 0.8, "linewidth": 0, "pad": 1},
            )  # fmt: skip


def _words(story: Story, event: Event, width: int) -> str:
    mark = "" if not is_elsewhen(event) else f" (in the story {moment(event.story_s or 0.0, story.clock)})"
    words = f"{moment(event.start_s, story.clock)}{mark}: {_plain(event.summary)}"
    return "\n".join(textwrap.wrap(words, width, max_lines=4, placeholder=" …"))


def _draw_pictures(figure: Figure, story: Story, width_px: int, height_px: int) -> None:
    """Draw a row of pictures of segments below the title, each where its segment begins, as far as there is room."""
    last_px = -math.inf
    for number in sorted((*story.pictures, *story.gone)):
        share = (story.segments[number].start_s - story.start_s) / (story.end_s - story.start_s)
        left_px = share * width_px
        if left_px < last_px + PICTURE_PX + 4 or left_px > width_px - PICTURE_PX:
            continue
        last_px = left_px
        box = ((_NAMES_PX + left_px) / _WIDTH_PX, 1 - 132 / height_px, PICTURE_PX / _WIDTH_PX, 64 / height_px)
        tile = figure.add_axes(box)
        tile.set_xticks([])
        tile.set_yticks([])
        tile.set_anchor("NW")
        if number in story.pictures:
            tile.imshow(story.pictures[number], interpolation="antialiased")
        else:
            tile.set_facecolor("#eef1ec")
            tile.text(0.5, 0.5, "gone", ha="center", va="center", fontsize=8, color=_MUTED, transform=tile.transAxes)
        for spine in tile.spines.values():
            spine.set_edgecolor(_LINE)


def _write_about(figure: Figure, story: Story, events: int, links: int, height_px: int) -> None:
    figure.text(_MARGIN_PX / _WIDTH_PX, 1 - 26 / height_px, _plain(story.title), fontsize=15, fontweight="bold",
                color=_INK, va="center")  # fmt: skip
    shown = [f"{events:,} of {len(story.events):,} events" if events < len(story.events) else f"{events:,} events"]
    shown.append(f"{links:,} of {len(story.links):,} links (left out are short ones, and those of the type next)")
    shown.append(f"chains: {len(story.chains):,}")
    if story.gone:
        shown.append(f"segments whose pictures are gone: {len(story.gone):,}")
    about = f"version {story.version} of the memory; {'; '.join(shown)}"
    figure.text(_MARGIN_PX / _WIDTH_PX, 1 - 50 / height_px, about, fontsize=9.5, color=_MUTED, va="center")


def _write_chains(figure: Figure, story: Story, place: tuple[float, float]) -> None:
    bottom_px, height_px = place
    told = {event.id: event.summary for event in story.events}
    for number, chain in enumerate(story.chains[:MAX_CHAINS]):
        y = (bottom_px - 30 - number * 24) / height_px
        dot = {"boxstyle": "circle,pad=0.25", "facecolor": _CHAIN_COLOURS[number], "linewidth": 0}
        figure.text(_MARGIN_PX / _WIDTH_PX + 0.006, y, str(number + 1), fontsize=8, fontweight="bold", color=_PAPER,
                    va="center", ha="center", bbox=dot)  # fmt: skip
        summary = chain.summary or " → ".join(told[id_] for id_ in chain.event_ids)
        span = f"{round(chain.span_s)} sections" if story.clock == "sections" else moment(chain.span_s, story.clock)
        facts = f"{chain.kind}, {len(chain.event_ids)} events, score {chain.score:.2f}, over {span}"
        words = textwrap.shorten(f"{facts}: {_plain(summary)}", 240, placeholder=" …")
        figure.text((_MARGIN_PX + 30) / _WIDTH_PX, y, words, fontsize=9, color=_INK, va="center")


def _plain(text: str) -> str:
    """Return a foreign text on one line, without dollar signs, which matplotlib would read as a formula."""
    return " ".join(text.split()).replace("$", r"\$")
