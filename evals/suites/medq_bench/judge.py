"""Judge of descriptions of image quality: four ratings from 0 to 2 (MedQ-Bench, arXiv 2510.01691)."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.judge import Prompt, VerdictCache, judge, read_prompt
from evals.suites.judges import Mark
from evals.suites.medq_bench.scorer import METRICS

PAIRED = ("consistency", "quality_accuracy")
"""Prompts that differ if two images are compared."""


class Decided(Mark):
    """A rating of which of two images is called better: right or not."""

    score: Literal[0, 2]


def rate(
    cache: VerdictCache, model: MLLM, reference: str, description: str, *, paired: bool
) -> tuple[dict[str, int | None], tuple[Answer[Any], ...]]:
    """Have a judge rate a description against the reference by each of `METRICS`; None for a missing verdict.

    An empty description gets 0 in all, without a judge.

    Raises:
        StoreError: if the cache cannot be read or written.
    """
    if not description.strip():
        return dict.fromkeys(METRICS, 0), ()
    verdicts: dict[str, Answer[Any]] = {}
    for metric in METRICS:
        form = Decided if paired and metric == "quality_accuracy" else Mark
        asked = prompt(f"paired_{metric}" if paired and metric in PAIRED else metric)
        verdicts[metric] = judge(cache, model, asked, form, reference=reference, description=description)
    marks = {metric: None if one.value is None else int(one.value.score) for metric, one in verdicts.items()}
    return marks, tuple(verdicts.values())


def prompts() -> dict[str, str]:
    """Return the judge's prompts, by name."""
    names = (*METRICS, *(f"paired_{metric}" for metric in PAIRED))
    return {f"judge {name}": prompt(name).text for name in names}


@cache
def prompt(name: str) -> Prompt:
    """Load a prompt from the folder `prompts`."""
    return read_prompt("evals.suites.medq_bench", f"prompts/{name}.md")
