"""HTML reports of a run and of a comparison, each a single self-contained file.

Text from a model, a data set or a person is data: the templates escape it, and the page's policy allows no script, no
request and no style but its own. Media are not included; frames are named by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evals.report import charts
from evals.results import RunResults, SampleResult
from evals.stats.compare import Change, Comparison, Delta
from evals.stats.metrics import Metrics, run_metrics

if TYPE_CHECKING:
    from jinja2 import Environment

CASES = 9
"""Maximum number of examples of a kind."""
ROWS = 60
"""Maximum number of tasks, or of values of one slice."""
TEXT = 400
"""Maximum number of characters of a text."""


def report(results: RunResults) -> str:
    """Render the report of a run: both headlines, tasks, slices, attempts, examples, cost, manifest."""
    found = run_metrics(results)
    return _render(
        "run.html",
        title=f"{_model(results.manifest)} on {_suite(results.manifest)}",
        overall=found.overall,
        samples=found.overall.as_wrong.mean.n,
        clusters=len({sample.cluster for sample in results.samples}),
        outcomes=_outcomes(results.samples),
        tasks=_rows(found.tasks),
        more_tasks=max(0, len(found.tasks) - ROWS),
        slices={name: (_rows(by), max(0, len(by) - ROWS)) for name, by in found.slices.items()},
        failed=_spread([sample for sample in results.samples if sample.failure], by="failure"),
        wrong=_spread([sample for sample in results.samples if sample.value is not None and sample.value < 1]),
        flips=_flips(results.samples),
        cost=_cost(results),
        figures=_figures(results.manifest),
        manifest=_plain({name: value for name, value in results.manifest.items() if name != "figures"}),
    )


def report_compare(comparison: Comparison) -> str:
    """Render the report of a comparison: the verdict, tasks, regressions and fixes, differences between the runs."""
    c = comparison
    deltas = {"all tasks": c.overall, **(c.tasks if len(c.tasks) > 1 else {})}
    shown = dict(list(deltas.items())[: ROWS + 1])
    reach = charts.reach_of([end for delta in shown.values() for end in (delta.low, delta.high, delta.difference)])
    a, b = _plain(c.manifest_a), _plain(c.manifest_b)
    names = [*a, *(name for name in b if name not in a)]
    return _render(
        "compare.html",
        title=f"B {_model(c.manifest_b)} against A {_model(c.manifest_a)} on {_suite(c.manifest_a)}",
        c=c,
        model_a=_model(c.manifest_a),
        model_b=_model(c.manifest_b),
        by_verdict={
            verdict: [task for task, delta in c.tasks.items() if delta.verdict == verdict]
            for verdict in ("worse", "better")
        },
        rows=[(name, delta, _difference_row(delta, reach)) for name, delta in shown.items()],
        more_tasks=len(deltas) - len(shown),
        axis=charts.difference_axis(reach),
        regressions=_changes(c.regressions),
        fixes=_changes(c.fixes),
        differing=[(name, a.get(name, "-"), b.get(name, "-")) for name in names if a.get(name) != b.get(name)],
        common={name: a[name] for name in names if name in a and a[name] == b.get(name)},
    )


@dataclass(frozen=True)
class Row:
    """A row of a table of scores."""

    name: str
    headline: Metrics
    plot: Markup


@dataclass(frozen=True)
class Spending:
    """Cost in total, at the median and at the 95th percentile of attempts."""

    name: str
    total: str
    median: str
    high: str


def _rows(by_name: Mapping[str, Metrics]) -> list[Row]:
    return [
        Row(name, one, charts.rate_row(one.as_wrong.mean, one.scored.mean if one.failures else None))
        for name, one in list(by_name.items())[:ROWS]
    ]


def _difference_row(delta: Delta, reach: float) -> Markup:
    noise = None if delta.rerun_se is None else 1.96 * delta.rerun_se
    return charts.difference_row(delta.difference, delta.low, delta.high, noise, reach, delta.verdict)


def _outcomes(samples: Sequence[SampleResult]) -> dict[str, int]:
    counts = {"right": 0, "partly": 0, "wrong": 0, "failed": 0}
    for sample in samples:
        value = sample.value
        counts["failed" if value is None else "right" if value == 1 else "partly" if value > 0 else "wrong"] += 1
    return {name: count for name, count in counts.items() if count}


def _spread(samples: Iterable[SampleResult], by: str = "task") -> list[SampleResult]:
    """Select a few samples, in turns from each task (or cause), in the order of the run; one attempt per sample."""
    groups: defaultdict[str, list[SampleResult]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for sample in samples:
        if (sample.task, sample.id) not in seen:
            seen.add((sample.task, sample.id))
            groups[getattr(sample, by)].append(sample)
    turns = [group[turn] for turn in range(CASES) for group in groups.values() if turn < len(group)]
    return turns[:CASES]


def _flips(samples: Sequence[SampleResult]) -> list[list[SampleResult]]:
    """Return the attempts at samples that are sometimes right, those nearest to one half first."""
    attempts: defaultdict[tuple[str, str], list[SampleResult]] = defaultdict(list)
    for sample in samples:
        attempts[sample.task, sample.id].append(sample)
    mixed = [group for group in attempts.values() if 0 < sum(one.value == 1 for one in group) < len(group)]
    mixed.sort(key=lambda group: abs(sum(one.value == 1 for one in group) / len(group) - 0.5))
    return mixed[:CASES]


def _changes(changes: Sequence[Change]) -> list[Change]:
    """Return the largest changes, in turns from each task."""
    groups: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.task].append(change)
    return [group[turn] for turn in range(CASES) for group in groups.values() if turn < len(group)][:CASES]


def _cost(results: RunResults) -> list[Spending]:
    samples = results.samples
    columns: dict[str, Sequence[float]] = {
        "seconds": [sample.seconds for sample in samples],
        "tokens in": [sample.tokens_in for sample in samples],
        "tokens out": [sample.tokens_out for sample in samples],
        "calls to the model": [sample.model_calls for sample in samples],
    }
    return [
        Spending(name, _count(sum(values)), _count(statistics.median(values)), _count(_percentile(values, 0.95)))
        for name, values in columns.items()
        if samples
    ]


def _figures(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return measures of the whole run that a suite adds, such as an F1."""
    figures = manifest.get("figures")
    told = figures.items() if isinstance(figures, dict) else ()
    return {name: "-" if value is None else f"{value:.4g}" for name, value in told}


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _count(value: float) -> str:
    if value == int(value) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _model(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("model", "a model"))


def _suite(manifest: Mapping[str, Any]) -> str:
    """Return the suite's name; for a suite in a file, the file's name."""
    return Path(str(manifest.get("suite", "a suite"))).stem


def _plain(manifest: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Flatten all values to text, with dotted names for nested objects."""
    found: dict[str, str] = {}
    for name, value in manifest.items():
        if isinstance(value, Mapping) and value:
            found |= _plain(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found


def _short(text: object) -> str:
    """Return a text without control characters and lone surrogates, shortened.

    Spells out invisible characters that affect others, such as one that reverses the text direction.
    """
    plain = "".join(map(_visible, str(text)))
    return plain if len(plain) <= TEXT else f"{plain[:TEXT]}…"


def _visible(one: str) -> str:
    category = unicodedata.category(one)
    if category == "Cf":
        return f"\\u{ord(one):04x}"
    return "\ufffd" if category in ("Cc", "Cs") and one not in "\n\t" else one


def _render(template: str, **values: object) -> str:
    style = (files("evals.report") / "page" / "style.css").read_text("utf-8")
    policy = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template(template).render(style=Markup(style), policy=policy, charts=charts, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evals.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": _short,
        "rate": charts.rate_text,
        "signed": lambda value: "-" if value is None else f"{value:+.3f}",
        "score": lambda value: "-" if value is None else f"{value:.3f}",
        "p": lambda value: "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}",
    }
    return environment
