"""Results by age of the evidence: shares with intervals, differences to ours, and requirements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evals.bench.streams.questions import AGES
from evals.bench.streams.replay import OURS
from evals.stats.means import Outcome, Rate, rate
from evals.stats.paired import Difference, paired_difference

OLD = ("1-10 min", "30-60 min", "over 1 h")
OLDER = "over 40 s"
"""All of `OLD` together: evidence that CurveStream's queue has mostly evicted."""
CLASSES = (*(name for name, _, _ in AGES), OLDER)
COST_LIMIT = 1.10
WIDE, SLACK = 0.10, 0.05
"""Minimum margin on old evidence, and maximum loss on the present; intervals must clear them."""


@dataclass(frozen=True)
class Point:
    """One question's outcome in one row; `key` numbers the question, `stream` is its cluster."""

    key: int
    stream: int
    age: str
    right: bool


Table = dict[str, dict[str, Rate]]
"""Shares with intervals clustered by stream (see `evals.stats.means.rate`), by row and age class."""
Points = Mapping[str, Sequence[Point]]


def tabulate(points: Points) -> Table:
    """Return the cells of every row (outer key) by age class."""
    table: Table = {}
    for row, found in points.items():
        by_age: defaultdict[str, list[Outcome]] = defaultdict(list)
        for point in found:
            outcome = Outcome(str(point.stream), point.age, point.age, point.right)
            by_age[point.age].append(outcome)
            if point.age in OLD:
                by_age[OLDER].append(outcome)
        table[row] = {age: rate(outcomes) for age, outcomes in by_age.items()}
    return table


def differences(points: Points, ours: str, rivals: Iterable[str]) -> dict[str, dict[str, Difference]]:
    """Return ours minus each baseline, by age class."""
    found: dict[str, dict[str, Difference]] = {}
    for rival in rivals:
        found[rival] = {}
        for age in CLASSES:
            wanted = OLD if age == OLDER else (age,)
            mine = {point.key: point.right for point in points[ours] if point.age in wanted}
            other = {point.key: point.right for point in points[rival] if point.age in wanted}
            cluster = {point.key: point.stream for point in points[ours]}
            found[rival][age] = paired_difference(mine, other, cluster)
    return found


def must_hold(measure: str, points: Points, rivals: Mapping[str, Sequence[str]]) -> list[tuple[bool, str]]:
    """Return the requirements and whether each is met: far better on old evidence, nothing lost on the present.

    Args:
        measure: name of the measure. `recall` has no requirement on the present: every row shows the newest frame.
        points: outcomes by row.
        rivals: by budget, the names of all rows that ours must beat; one that was not measured fails.
    """
    lines = []
    for budget, names in rivals.items():
        ours = f"{OURS}, {budget}"
        keys = [f"{name}, {budget}" for name in names]
        lines += [(False, f"{measure}: {key} was not measured") for key in (ours, *keys) if key not in points]
        if ours not in points:
            continue
        for rival, by_age in differences(points, ours, [key for key in keys if key in points]).items():
            old, now = by_age[OLDER], by_age["now"]
            text = f"{measure}, evidence over 40 s old: ours - {rival} = {_signed(old)}, to be surely above {WIDE:+.2f}"
            lines.append((old.low > WIDE, text))
            if measure != "recall":
                text = f"{measure}, now: ours - {rival} = {_signed(now)}, to be surely above {-SLACK:+.2f} or all 0"
                lines.append((now.low > -SLACK or (now.mean == 0 and now.se == 0), text))
    return lines


def where_last_wins(measure: str, points: Points) -> list[str]:
    """Report at which ages the last frames do better than ours, at the same budget, and the last 4 than our default."""
    lines = []
    pairs = [
        (f"last, {budget}", f"{OURS}, {budget}") for budget in ("4 frames", "8 frames", "20 frames", "2,560 tokens")
    ]
    for last, ours in (*pairs, ("last, 4 frames", f"{OURS}, 20 frames")):
        if ours in points and last in points:
            by_age = differences(points, ours, [last])[last]
            wins = [f"{age} ({_signed(d)})" for age, d in by_age.items() if d.n and d.mean < 0]
            lines.append(f"{measure}: {last} is better than {ours} at: {', '.join(wins) or 'no age'}")
    return lines


def print_table(title: str, table: Table) -> None:
    """Print shares with their intervals, one row per line."""
    ages = [age for age in CLASSES if any(age in cells for cells in table.values())]
    counts = {age: max(cells[age].n for cells in table.values() if age in cells) for age in ages}
    print(f"\n{title}\n{'':<44}" + "".join(f"{f'{age} ({counts[age]})':>20}" for age in ages))
    for row, cells in table.items():
        texts = [_share(cells[age]) if age in cells else "-" for age in ages]
        print(f"{row:<44}" + "".join(f"{text:>20}" for text in texts))


def plain(table: Table) -> dict[str, dict[str, dict[str, object]]]:
    """Return the table as plain data."""
    return {row: {age: cell.model_dump() for age, cell in cells.items()} for row, cells in table.items()}


def _share(cell: Rate) -> str:
    return f"{cell.value:.2f}" if cell.low is None else f"{cell.value:.2f} ({cell.low:.2f}-{cell.high:.2f})"


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.2f} ({difference.low:+.2f} to {difference.high:+.2f}, n {difference.n})"
