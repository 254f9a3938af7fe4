"""Judge of answers about films: correctness, and coverage of the reference's key points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, create_model

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.judge import Prompt, VerdictCache, judge, read_prompt

FEWEST_POINTS, MOST_POINTS = 3, 6
"""Maximum number of key points of a reference."""
TIMES = 20
"""Factor from the scale 0 to 5 to a percentage."""
PROMPTS = ("correctness", "key_points", "coverage")
Covered = Literal["covered", "absent", "contradicted"]


class Asked(Protocol):
    """A question with its reference answer."""

    @property
    def text(self) -> str:
        """The question."""

    @property
    def reference(self) -> str:
        """The reference answer."""


class Correctness(BaseModel):
    """How correct an answer is, from 0 to 5, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: int = Field(ge=0, le=5, strict=True)  # rejects "true" as a score
    why: str = ""


class KeyPoints(BaseModel):
    """What an answer has to say, point by point."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    points: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=FEWEST_POINTS, max_length=MOST_POINTS)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's verdicts on one answer.

    Attributes:
        values: `correctness`, `covered` and `contradicted`, as `evals.suites.na_vqa.scorer.score` takes them; None for
            a missing verdict.
        verdicts: of correctness, key points and coverage, as far as requested, for counting.
    """

    values: dict[str, float | None]
    verdicts: tuple[Answer[Any], ...]


def judge_answer(cache: VerdictCache, model: MLLM, question: Asked, answer: str, *, points: bool = True) -> Judgement:
    """Have a judge rate an answer against the reference, and check the reference's key points in it.

    The reference is split into key points once; the cache has them for every other answer. A missing or empty answer is
    not judged: it is 0 correct and makes no point.

    Args:
        cache: of verdicts.
        model: the judge.
        question: the question, with its reference.
        answer: the answer.
        points: whether to check key points; a reference of a few words has none.

    Raises:
        StoreError: if the cache cannot be read or written.
    """
    if not answer.strip():
        share = 0.0 if points else None
        return Judgement({"correctness": 0.0, "covered": share, "contradicted": share}, ())
    rated = judge(
        cache, model, prompt("correctness"), Correctness,
        question=question.text, reference=question.reference, answer=answer,
    )  # fmt: skip
    values: dict[str, float | None] = {
        "correctness": None if rated.value is None else float(TIMES * rated.value.score),
        "covered": None,
        "contradicted": None,
    }
    if not points:
        return Judgement(values, (rated,))
    split = judge(cache, model, prompt("key_points"), KeyPoints, question=question.text, reference=question.reference)
    if split.value is None:
        return Judgement(values, (rated, split))
    found = split.value.points
    numbered = "\n".join(f"{number}. {point}" for number, point in enumerate(found, start=1))
    checked = judge(
        cache, model, prompt("coverage"), _coverage(len(found)), question=question.text, points=numbered, answer=answer
    )
    if checked.value is not None:
        said = list(checked.value.model_dump().values())
        values |= {name: said.count(name) / len(said) for name in ("covered", "contradicted")}
    return Judgement(values, (rated, split, checked))


@cache
def prompt(name: str) -> Prompt:
    """Load one of `PROMPTS`."""
    return read_prompt("evals.suites.na_vqa", f"prompts/{name}.md")


@cache
def _coverage(points: int) -> type[BaseModel]:
    """An object that says of each of so many points whether it is covered; all of them, and in order."""
    fields: dict[str, Any] = {f"point_{number}": (Covered, ...) for number in range(1, points + 1)}
    return create_model("Coverage", **fields)
