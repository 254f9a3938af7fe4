"""Results by age of the evidence: shares with intervals, differences to ours, and what must hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from evals.bench.streams.questions import AGES
from evals.bench.streams.replay import OURS, UNASKED
from evals.bench.streams.scoring import Difference, paired_difference
from evals.bench.vision import wilson

OLD = ("1-10 min", "30-60 min", "over 1 h")
OLDER = "over 40 s"
"""All of `OLD` together: what CurveStream's queue has mostly forgotten."""
CLASSES = (*(name for name, _, _ in AGES), OLDER)
COST_LIMIT = 1.10


@dataclass(frozen=True)
class Point:
    """One question's outcome in one row; `key` numbers the question, `stream` is the cluster it belongs to."""

    key: int
    stream: int
    age: str
    right: bool


@dataclass(frozen=True)
class Cell:
    """A share with Wilson's 95% interval."""

    n: int
    right: int
    share: float
    low: float
    high: float


Table = dict[str, dict[str, Cell]]
Points = Mapping[str, Sequence[Point]]


def tabulate(points: Points) -> Table:
    """Return the cells of every row (outer key) by age class."""
    table: Table = {}
    for row, found in points.items():
        by_age: defaultdict[str, list[bool]] = defaultdict(list)
        for point in found:
            by_age[point.age].append(point.right)
            if point.age in OLD:
                by_age[OLDER].append(point.right)
        table[row] = {
            age: Cell(len(hits), sum(hits), sum(hits) / len(hits), *wilson(sum(hits), len(hits)))
            for age, hits in by_age.items()
        }
    return table


def differences(points: Points, ours: str, rivals: Iterable[str]) -> dict[str, dict[str, Difference]]:
    """Return ours minus each rival, by age class."""
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


def must_hold(measure: str, points: Points, budgets: Sequence[str]) -> list[tuple[bool, str]]:
    """Say what must hold of ours and whether it does: better on old evidence, nothing lost on the present."""
    lines = []
    for budget in budgets:
        ours = f"{OURS}, {budget}"
        rivals = [row for row in points if row.endswith(f", {budget}") and not row.startswith((f"{OURS},", UNASKED))]
        if ours not in points:
            continue
        for rival, by_age in differences(points, ours, rivals).items():
            old, now = by_age[OLDER], by_age["now"]
            if old.n:
                text = f"{measure}, evidence over 40 s old: ours - {rival} = {_signed(old)}, to be above 0"
                lines.append((old.low > 0, text))
            if now.n:
                lines.append((now.mean >= 0, f"{measure}, now: ours - {rival} = {_signed(now)}, not to be below 0"))
    return lines


def where_last_wins(measure: str, points: Points) -> list[str]:
    """Say at which ages the last frames do better than ours, at the same number of frames."""
    lines = []
    for budget in ("4 frames", "8 frames", "20 frames", "2,560 tokens"):
        ours, last = f"{OURS}, {budget}", f"last, {budget}"
        if ours in points and last in points:
            by_age = differences(points, ours, [last])[last]
            wins = [f"{age} ({_signed(d)})" for age, d in by_age.items() if d.n and d.mean < 0]
            lines.append(f"{measure}, {budget}: the last frames are better than ours at: {', '.join(wins) or 'no age'}")
    return lines


def print_table(title: str, table: Table) -> None:
    """Print shares with their intervals, a row a line."""
    ages = [age for age in CLASSES if any(age in cells for cells in table.values())]
    counts = {age: max(cells[age].n for cells in table.values() if age in cells) for age in ages}
    print(f"\n{title}\n{'':<44}" + "".join(f"{f'{age} ({counts[age]})':>20}" for age in ages))
    for row, cells in table.items():
        texts = [
            f"{cells[age].share:.2f} ({cells[age].low:.2f}-{cells[age].high:.2f})" if age in cells else "-"
            for age in ages
        ]
        print(f"{row:<44}" + "".join(f"{text:>20}" for text in texts))


def plain(table: Table) -> dict[str, dict[str, dict[str, float]]]:
    """The table as plain data."""
    return {row: {age: asdict(cell) for age, cell in cells.items()} for row, cells in table.items()}


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.2f} ({difference.low:+.2f} to {difference.high:+.2f}, n {difference.n})"
