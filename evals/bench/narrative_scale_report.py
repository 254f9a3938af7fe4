"""Report of `evals.bench.narrative_scale`: growth of the cost of a segment, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BLOCK, DRAWS = 20, 2_000
"""Block size of the bootstrap in segments, since Chroma's work comes in bursts, and number of draws."""
RECALL_MS = 50.0
"""Limit of recall at the 95th percentile."""
CONSTANT = 1.25
"""Ingest counts as constant if the 95% interval of the ratio of the last stretch to the first ends below."""
_INGEST_HEAD = (
    f"{'events':>9}{'cpu median':>12}{'p95':>8}{'mean':>8}{'wall median':>13}{'p95':>8}"
    f"  {'to the first':<22}with the encoder"
)
_RECALL_HEAD = f"{'n':>34}{'cpu p50':>10}{'p95':>10}{'p99':>10}{'wall p50':>10}{'p95':>10}{'p99':>10}  found"


def growth(
    stretches: Sequence[dict[str, Any]], clock: str = "cpu_ms", seed: int = 0, encoder_ms: float = 0.0
) -> dict[str, Any]:
    """Return the growth of the cost of a segment: ratios of stretch means to the first, and the slope over 100,000
    events.

    Adds the encoder's cost, the same for each segment, if given. Intervals (95%) come from resampling blocks of `BLOCK`
    segments within each stretch. The slope is the least-squares fit through the means, relative to the first.
    """
    random = np.random.default_rng(seed)
    at = np.array([stretch["events"] for stretch in stretches]) / 100_000
    drawn = []
    for stretch in stretches:
        costs = encoder_ms + np.array([cost[clock] for cost in stretch["costs"]])
        blocks = [costs[start : start + BLOCK] for start in range(0, len(costs), BLOCK)]
        sums, sizes = np.array([block.sum() for block in blocks]), np.array([len(block) for block in blocks])
        which = random.integers(len(blocks), size=(DRAWS, len(blocks)))
        drawn.append(np.append(sums[which].sum(1) / sizes[which].sum(1), costs.mean()))
    means = np.array(drawn)  # (stretches, draws and the whole)
    ratios = means / means[0]
    result: dict[str, Any] = {"ratios": [_interval(row) for row in ratios], "slope": None}
    if len(at) > 1:
        away = at - at.mean()
        result["slope"] = _interval(away @ means / (away @ away) / means[0])
    return result


def _interval(drawn: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(drawn[:-1], [2.5, 97.5])
    return {"value": float(drawn[-1]), "low": float(low), "high": float(high)}


def table(results: dict[str, Any]) -> str:
    """Format the results and requirements as text."""
    encoder_ms = results["encoder_a_segment"]["cpu_ms"]
    lines = [f"load {results['load']:.1f}; the encoder takes {encoder_ms:.0f} ms of the processor a segment, which is "
             f"only in the last column of ingest"]  # fmt: skip
    holds: list[tuple[bool, str]] = []
    for name, result in results["layouts"].items():
        stretches, recalled = result["ingest"], result["recall"]
        grown, whole = growth(stretches), growth(stretches, encoder_ms=encoder_ms)
        lines += ["", f"{name}: ingest of a segment, ms", _INGEST_HEAD]
        for stretch, ratio, with_encoder in zip(stretches, grown["ratios"], whole["ratios"], strict=True):
            cpu, wall = ([cost[clock] for cost in stretch["costs"]] for clock in ("cpu_ms", "wall_ms"))
            lines.append(
                f"{stretch['events']:>9,}{np.median(cpu):>12.1f}{np.percentile(cpu, 95):>8.1f}{np.mean(cpu):>8.1f}"
                f"{np.median(wall):>13.1f}{np.percentile(wall, 95):>8.1f}  {_shown(ratio):<22}{_shown(with_encoder)}"
            )
        if grown["slope"]:
            lines.append(f"growth in 100,000 events, of the first: {_shown(grown['slope'])}")
            holds.append((whole["ratios"][-1]["high"] <= CONSTANT, f"{name}: ingest of a segment, with the encoder, is "
                          f"constant: the ratio of the last to the first is at most {CONSTANT}"))  # fmt: skip
            told = (stretches[-1]["events"] - stretches[0]["events"]) / 1_000
            each = {
                what: (stretches[-1][key] - stretches[0][key]) / told
                for what, key in (("writer", "rss_mb"), ("SQLite", "sqlite_mb"), ("Chroma", "vectors_mb"))
            }
            lines.append(
                f"a thousand events take {each['writer']:.2f} MB of the writer's memory, and on disk "
                f"{each['SQLite']:.2f} MB (SQLite) and {each['Chroma']:.2f} MB (Chroma)"
            )
        lines.append(f"memory of the reader: {recalled['reader']['rss_mb']:.0f} MB more than when it was opened; "
                     f"its first question takes {recalled['reader']['first_wall_ms']:.0f} ms of wall time")  # fmt: skip
        lines += ["", f"{name}: recall, ms", _RECALL_HEAD]
        for who, kinds in recalled.items():
            for kind, cell in kinds.items():
                if isinstance(cell, dict):
                    numbers = [cell[clock][share] for clock in ("cpu_ms", "wall_ms") for share in ("50", "95", "99")]
                    found = f"{cell['found']} of {cell['known']}" if cell["known"] else "-"
                    shown = "".join(f"{number:>10.1f}" for number in numbers)
                    lines.append(f"{f'{who}: {kind}':<30}{cell['n']:>4}{shown}  {found}")
            for clock in ("cpu_ms", "wall_ms"):
                if who != "rival":
                    holds.append((kinds["all"][clock]["95"] < RECALL_MS,
                                  f"{name}, {who}: p95 of recall below {RECALL_MS:.0f} ms ({clock[:-3]})"))  # fmt: skip
        if "rival" in recalled:
            rival, reader = (recalled[who]["all"]["cpu_ms"]["50"] for who in ("rival", "reader"))
            lines.append(f"rival, NumPy and LIKE: {rival / reader:.1f} times the reader's median of the processor")
    lines += ["", "Must hold:", *(f"{'holds' if good else 'FAILS':<7}{text}" for good, text in holds)]
    return "\n".join(lines)


def _shown(interval: dict[str, float]) -> str:
    return f"{interval['value']:.2f} ({interval['low']:.2f} to {interval['high']:.2f})"
