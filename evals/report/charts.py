"""Plots of reports as inline SVG, without script or styles; classes take their colours from the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

from evals.stats.means import Rate

WIDTH, HEIGHT, PAD = 300, 22, 18
"""Height of the plot in a table row, in px."""


def rate_axis() -> Markup:
    """Draw the scale above `rate_row`: 0 to 1."""
    return _axis({at: f"{at:g}" for at in (0, 0.25, 0.5, 0.75, 1)}, "scale from 0 to 1")


def rate_row(rate: Rate, scored: Rate | None = None) -> Markup:
    """Draw a score with its interval on a scale from 0 to 1; `scored` is a hollow mark below it."""
    parts = [_line(_x(at), 0, _x(at), HEIGHT, "grid") for at in (0, 0.25, 0.5, 0.75, 1)]
    parts += _interval(rate, HEIGHT / 2 - (3 if scored else 0), "score")
    if scored is not None:
        parts += _interval(scored, HEIGHT / 2 + 6, "scored")
    return _svg(WIDTH, HEIGHT, rate_text(rate), "".join(parts))


def difference_axis(reach: float) -> Markup:
    """Draw the scale above `difference_row`: -reach to +reach."""
    ticks = {(at + 1) / 2: _signed(at * reach) for at in (-1, -0.5, 0, 0.5, 1)}
    return _axis(ticks, f"scale from {_signed(-reach)} to {_signed(reach)}")


def difference_row(
    difference: float | None, low: float | None, high: float | None, noise: float | None, reach: float, verdict: str
) -> Markup:
    """Draw a difference with its interval around 0; `noise` is half the width of a band around 0."""

    def x(value: float) -> float:
        return _x((max(-reach, min(reach, value)) / reach + 1) / 2)

    parts = []
    if noise:
        parts.append(
            f'<rect x="{x(-noise):.1f}" y="0" width="{x(noise) - x(-noise):.1f}" height="{HEIGHT}" class="noise"/>'
        )
    parts += [_line(x(at * reach), 0, x(at * reach), HEIGHT, "grid") for at in (-1, -0.5, 0.5, 1)]
    parts.append(_line(x(0), 0, x(0), HEIGHT, "zero"))
    kind = verdict.split()[0]
    if low is not None and high is not None:
        parts.append(_line(x(low), HEIGHT / 2, x(high), HEIGHT / 2, f"whisker {kind}"))
    if difference is not None:
        parts.append(f'<circle cx="{x(difference):.1f}" cy="{HEIGHT / 2}" r="5" class="dot {kind}"/>')
    return _svg(WIDTH, HEIGHT, "no difference known" if difference is None else _signed(difference), "".join(parts))


def reach_of(values: Sequence[float | None]) -> float:
    """Return the end of a symmetric scale that includes all values: 1, 2, 3 or 5 times a power of ten."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    steps = [step / power for power in (1000, 100, 10) for step in (1, 2, 3, 5)] + [1.0]
    return next((step for step in steps if step >= largest), 1.0)


def shares_bar(shares: Mapping[str, int]) -> Markup:
    """Draw counts as parts of one bar, (class, count), to be shown with a legend."""
    total, x, parts = sum(shares.values()) or 1, 0.0, []
    for kind, count in shares.items():
        wide = 720 * count / total
        parts.append(f'<rect x="{x:.2f}" y="0" width="{wide:.2f}" height="20" class="part {escape(kind)}"/>')
        x += wide
    label = ", ".join(f"{kind} {count}" for kind, count in shares.items())
    return _svg(720, 20, label, "".join(parts), stretch=True)


def attempts_plot(any_right: Mapping[int, Rate], all_right: Mapping[int, Rate]) -> Markup:
    """Plot by k: the chance that one of k attempts is right, above, and that all are, below, with their intervals."""
    wide, high, left, low = 460, 220, 40, 190
    ks = sorted(any_right)
    place = {k: left + 24 + (wide - left - 130) * n / max(1, len(ks) - 1) for n, k in enumerate(ks)}

    def y(value: float) -> float:
        return low - (low - 12) * value

    parts = [_line(left, y(at), wide - 84, y(at), "grid") for at in (0, 0.5, 1)]
    parts += [f'<text x="{left - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{at:g}</text>' for at in (0, 0.5, 1)]
    parts += [f'<text x="{place[k]:.1f}" y="{low + 20}" text-anchor="middle">k = {k}</text>' for k in ks]
    for name, by_k, kind in (("one of k right", any_right, "score"), ("all k right", all_right, "all")):
        seen = [(k, rate) for k, rate in sorted(by_k.items()) if rate.value is not None]
        points = " ".join(f"{place[k]:.1f},{y(rate.value or 0.0):.1f}" for k, rate in seen)
        parts.append(f'<polyline points="{points}" class="curve {kind}"/>')
        for k, rate in seen:
            if rate.low is not None and rate.high is not None:
                parts.append(_line(place[k], y(rate.low), place[k], y(rate.high), f"whisker {kind}"))
            parts.append(f'<circle cx="{place[k]:.1f}" cy="{y(rate.value or 0.0):.1f}" r="4.5" class="dot {kind}"/>')
        if seen:
            last = seen[-1][1].value or 0.0
            parts.append(f'<text x="{place[seen[-1][0]] + 10:.1f}" y="{y(last) + 4:.1f}" class="name">{name}</text>')
    return _svg(wide, high, "chances by the number of attempts", "".join(parts))


def rate_text(rate: Rate) -> str:
    """Format a score with its interval."""
    if rate.value is None:
        return "none"
    if rate.low is None or rate.high is None:
        return f"{rate.value:.3f}"
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"


def _axis(ticks: Mapping[float, str], label: str) -> Markup:
    texts = (f'<text x="{_x(at):.1f}" y="14" text-anchor="middle">{text}</text>' for at, text in ticks.items())
    return _svg(WIDTH, 18, label, "".join(texts))


def _interval(rate: Rate, y: float, kind: str) -> list[str]:
    if rate.value is None:
        return []
    parts = []
    if rate.low is not None and rate.high is not None:
        parts.append(_line(_x(rate.low), y, _x(rate.high), y, f"whisker {kind}"))
    radius = 5 if kind == "score" else 3
    return [*parts, f'<circle cx="{_x(rate.value):.1f}" cy="{y:g}" r="{radius}" class="dot {kind}"/>']


def _x(share: float) -> float:
    return PAD + (WIDTH - 2 * PAD) * share


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _signed(value: float) -> str:
    return f"{value:+.3g}" if value else "0"


def _svg(wide: int, high: int, label: str, inside: str, *, stretch: bool = False) -> Markup:
    size = 'width="100%" height="20" preserveAspectRatio="none"' if stretch else f'width="{wide}" height="{high}"'
    return Markup(f'<svg viewBox="0 0 {wide} {high}" {size} role="img" aria-label="{escape(label)}">{inside}</svg>')
