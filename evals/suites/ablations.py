"""Ablations: one suite under several settings, such as with given and with retrieved evidence, compared case by case.

A run selects its settings with `--set setting=one,two`. Several settings become tasks of the run, over the same cases;
runs with one setting differ in their options, and `attend eval compare` pairs them. A limit counts cases.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evals.engine.suite import Judged, Transcript
from evals.stats.means import score_interval
from evals.stats.paired import deciding_p, paired_difference

SETTING = "setting"
"""The key of a sample's setting in its `fields`."""


def listed(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Parse settings such as `base,rag`, each once, in order.

    Raises:
        ValueError: if one is unknown, or there is none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if odd := [name for name in names if name not in known]:
        raise ValueError(f"unknown setting {odd[0]!r}; expected {', '.join(known)}")
    if not names:
        raise ValueError(f"expected at least one of {', '.join(known)}")
    return names


@dataclass(frozen=True)
class Contrast:
    """One setting minus another over the cases that both have; failures count as wrong, except those of the judge.

    Attributes:
        n: number of cases.
        difference: of the means; None without cases.
        low, high: its 95% interval (`evals.stats.paired.paired_difference`); None if undefined.
        up: the share of cases with a higher score in the first setting.
        down: the share with a lower score. For scores of 0 or 1, `up - down` is the difference.
        p: see `evals.stats.paired.deciding_p`; None if undefined.
    """

    n: int
    difference: float | None
    low: float | None
    high: float | None
    up: float | None
    down: float | None
    p: float | None


def by_setting(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Return the mean over attempts of each case's score, failures as 0, by setting and case.

    If the judge failed, it is unknown whether the answer is right: such attempts are left out, and so are cases without
    others.
    """
    held: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample, _, scored in judged:
        if scored.failure != "judge":
            held[sample.fields[SETTING]][sample.id].append(scored.value or 0.0)
    return {name: {case: fmean(values) for case, values in cases.items()} for name, cases in held.items()}


def contrast(ours: Mapping[str, float], rival: Mapping[str, float], cluster: Mapping[str, Hashable]) -> Contrast:
    """Compare two settings, each a score by case."""
    both = [case for case in ours if case in rival]
    if not both:
        return Contrast(0, None, None, None, None, None, None)
    found = paired_difference(ours, rival, cluster)
    change = [ours[case] - rival[case] for case in both]
    up, down = sum(one > 0 for one in change), sum(one < 0 for one in change)
    binary = all(side[case] in (0, 1) for side in (ours, rival) for case in both)
    p = deciding_p(found, up, down, binary=binary)
    return Contrast(
        n=len(both),
        difference=fmean(change),
        low=None if math.isnan(found.low) else found.low,
        high=None if math.isnan(found.high) else found.high,
        up=up / len(both),
        down=down / len(both),
        p=None if math.isnan(p) else p,
    )


def told(name: str, found: Contrast, up: str = "", down: str = "") -> dict[str, float]:
    """Return a contrast as figures of a run, with the prefix `name`; `up` and `down` name the two shares."""
    shown = {
        name: found.difference,
        f"{name}: low": found.low,
        f"{name}: high": found.high,
        f"{name}: n": float(found.n),
        f"{name}: p": found.p,
        **({up: found.up} if up else {}),
        **({down: found.down} if down else {}),
    }
    return {key: value for key, value in shown.items() if value is not None} if found.n else {}


def shares(name: str, values: Sequence[float], clusters: Sequence[Hashable], *, n: bool = True) -> dict[str, float]:
    """Return a mean of values from 0 to 1 as figures of a run: `NAME`, the ends of its 95% interval `NAME low` and
    `NAME high` (`evals.stats.means.score_interval`), and optionally `NAME n`, the number of values.

    There is no interval with fewer than two clusters, and no figure without values.
    """
    found = score_interval(values, clusters)
    ends = {name: found.value, f"{name} low": found.low, f"{name} high": found.high}
    told = {key: value for key, value in ends.items() if value is not None}
    return told | ({f"{name} n": float(found.n)} if n and found.n else {})


def accuracies(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the accuracy of each setting with its 95% interval, half its width, and the number of unread answers.

    Two headlines: with failures as wrong, and of scored attempts only. Attempts without a judge's verdict are in
    neither, and counted.
    """
    figures: dict[str, float] = {}
    scores = by_setting(judged)
    cluster = {sample.id: sample.cluster or sample.id for sample, _, _ in judged}
    for setting in dict.fromkeys(sample.fields[SETTING] for sample, _, _ in judged):
        cases = scores.get(setting, {})
        mine = [scored for sample, _, scored in judged if sample.fields[SETTING] == setting]
        kept = [scored.value for scored in mine if scored.value is not None]
        unjudged = sum(scored.failure == "judge" for scored in mine)
        found = shares(f"{setting}: accuracy", list(cases.values()), [cluster[case] for case in cases], n=False)
        if f"{setting}: accuracy low" in found:
            width = found[f"{setting}: accuracy high"] - found[f"{setting}: accuracy low"]
            found[f"{setting}: half-width at n"] = width / 2
        figures |= {
            **found,
            f"{setting}: n": float(len(cases)),
            f"{setting}: unparsed": float(sum(scored.failure == "parse" for scored in mine)),
            **({f"{setting}: without a verdict": float(unjudged)} if unjudged else {}),
            **({f"{setting}: accuracy of the parsed": fmean(kept)} if kept else {}),
        }
    return figures


def costs(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the mean cost of an attempt in each setting: calls to the model, tokens, and seconds of wall clock."""
    held: defaultdict[str, list[Transcript]] = defaultdict(list)
    for sample, transcript, _ in judged:
        held[sample.fields[SETTING]].append(transcript)
    return {
        f"{setting}: {name}": fmean(getattr(one, of) for one in made)
        for setting, made in held.items()
        for name, of in (
            ("calls", "model_calls"), ("tokens in", "tokens_in"), ("tokens out", "tokens_out"), ("seconds", "seconds"),
        )
    }  # fmt: skip
