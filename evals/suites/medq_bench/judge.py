"""What a judge says of a description of image quality: four ratings from 0 to 2 (MedQ-Bench, arXiv 2510.01691)."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.judge import Prompt, VerdictCache, judge, read_prompt
from evals.suites.judges import Mark
from evals.suites.medq_bench.scorer import METRICS

PAIRED = ("consistency", "quality_accuracy")
"""What is asked otherwise where two images are compared."""


class Decided(Mark):
    """A rating of which of two images is called better: right or not."""

    score: Literal[0, 2]


def rate(
    cache: VerdictCache, model: MLLM, reference: str, description: str, *, paired: bool
) -> tuple[dict[str, int | None], tuple[Answer[Any], ...]]:
    """Have a judge rate a description against the reference: each of `METRICS`, None where the verdict is missing.

    A description without words is not judged: it is 0 in all.

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
    """What the judge is asked, by name."""
    names = (*METRICS, *(f"paired_{metric}" for metric in PAIRED))
    return {f"judge {name}": prompt(name).text for name in names}


@cache
def prompt(name: str) -> Prompt:
    """A prompt of the folder `prompts`."""
    return read_prompt("evals.suites.medq_bench", f"prompts/{name}.md")
