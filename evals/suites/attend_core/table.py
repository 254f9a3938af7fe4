"""Table of several runs of attend-core: a row per category, with 95% intervals over scenes.

    python -m evals.suites.attend_core.table embedded=RUN "question only=RUN" ... > docs/attend_core.json
    python -m evals.suites.attend_core.table --markdown docs/attend_core.json

The first form reads folders of finished runs, the second prints the README's table from the output of the first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.engine.output import results_of
from evals.results import RunResults
from evals.stats.metrics import run_metrics

SLICES = ("age", "picture", "asked about", "notice", "tool")
"""The slices in the output, beside the categories."""


def main() -> None:
    """Print the JSON of some runs, or the table of such a JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="NAME=FOLDER, or with --markdown one JSON file")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    if arguments.markdown:
        print(markdown(json.loads(Path(arguments.runs[0]).read_text("utf-8"))))
        return
    rows: dict[str, Any] = {}
    for given in arguments.runs:
        name, equals, folder = given.partition("=")
        if not equals:
            parser.error(f"invalid run {given!r}: expected NAME=FOLDER, such as embedded=RUN")
        rows[name] = figures_of(results_of(Path(folder)))
    print(json.dumps(rows, indent=1))


def figures_of(results: RunResults) -> dict[str, Any]:
    """Return the output for a run: rates with their intervals, failures as wrong, and what ran."""
    found, manifest = run_metrics(results), results.manifest
    rates = {"all": found.overall, **found.tasks}
    slices = {
        f"{name}: {value}": headline
        for name, by in found.slices.items()
        if name in SLICES
        for value, headline in by.items()
    }
    return {
        "version": manifest["scored"]["version"],
        "model": manifest["model"],
        "blind": manifest["blind"],
        "seed": manifest["seed"],
        "git": manifest["git"],
        "clusters": len({sample.cluster for sample in results.samples}),
        "failures": found.overall.failures,
        "rates": {name: one.as_wrong.mean.model_dump() for name, one in rates.items()},
        "slices": {name: one.as_wrong.mean.model_dump() for name, one in slices.items()},
        "shares": manifest.get("figures", {}),
    }


def markdown(rows: Mapping[str, Any]) -> str:
    """Format the README's table: a line per category or age, a column per row of the JSON."""
    first = next(iter(rows.values()))
    ages = [name for name in first["slices"] if name.startswith("age: ")]
    order = ["age: now", "age: under 1 min", "age: 1-5 min", "age: over 5 min"]
    lines = [f"| | n | {' | '.join(rows)} |", f"|---|---|{'---|' * len(rows)}"]
    for part, names in (("rates", list(first["rates"])), ("slices", [name for name in order if name in ages])):
        for name in names:
            cells = [_cell(row[part][name]) for row in rows.values()]
            label = name.replace("age: ", "memory, ")
            lines.append(f"| {label} | {first[part][name]['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(rate: Mapping[str, Any]) -> str:
    return f"{rate['value']:.2f} ({rate['low']:.2f} to {rate['high']:.2f})"


if __name__ == "__main__":
    main()
