"""Marks of a diagnosis: 2 the same, 1 a broader group that includes it, 0 anything else; only 2 is a hit.

The scale is that of DiagnosisArena, an earlier benchmark of the same group; whether CURE uses it too is unknown. Names
and aliases with the same words get 2 without a judge; the judge marks every other diagnosis separately, so that neither
its rank nor its neighbours matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.judge import Prompt, VerdictCache, judge, read_prompt
from evals.suites.cure.names import same
from evals.suites.judges import Mark

SAME = 2
"""The mark of the right diagnosis."""


def marks_by_name(diagnoses: Sequence[str], gold: Sequence[str]) -> list[int]:
    """Mark each diagnosis by its words alone: 2 if it is a name of the right one, else 0."""
    return [SAME if same(name, gold) else 0 for name in diagnoses]


def rate(
    cache: VerdictCache, model: MLLM, diagnoses: Sequence[str], gold: Sequence[str]
) -> tuple[list[int | None], tuple[Answer[Mark], ...]]:
    """Mark each diagnosis: by its words if these settle it, else by a judge; None if the verdict is missing.

    Raises:
        StoreError: if the cache cannot be read or written.
    """
    marks: list[int | None] = []
    verdicts = []
    for name, mark in zip(diagnoses, marks_by_name(diagnoses, gold), strict=True):
        if mark == SAME:
            marks.append(mark)
            continue
        verdict = judge(cache, model, prompt(), Mark, gold="\n".join(gold), diagnosis=name)
        verdicts.append(verdict)
        marks.append(None if verdict.value is None else verdict.value.score)
    return marks, tuple(verdicts)


@cache
def prompt() -> Prompt:
    """Return the judge's prompt."""
    return read_prompt("evals.suites.cure", "prompts/same.md")
