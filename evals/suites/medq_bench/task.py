"""MedQ-Bench: multiple choice about image quality, and descriptions of it, rated by a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from evals.engine.suite import (
    DialogueBaseline,
    Judged,
    Loaded,
    Message,
    Picture,
    Respond,
    Sample,
    Scored,
    Suite,
    Transcript,
)
from evals.suites.judges import SuiteJudge, added, tally
from evals.suites.medq_bench import dataset
from evals.suites.medq_bench.dataset import PARTS, Part, Row, Split
from evals.suites.medq_bench.judge import prompts, rate
from evals.suites.medq_bench.scorer import (
    LEVELS,
    METRICS,
    MOST,
    Scoring,
    better_score,
    choice,
    verdict_score,
)

# The questions as in the published code (VLMEvalKit, medqbench_*.py, Apache-2.0), so that scores are comparable.
CHOOSE = (
    "Please carefully observe this medical image and answer the following question:\n\n{question}\n\nOptions:\n"
    "{options}\n\nAnswer directly only with the option **letter** from the given choices."
)
DESCRIBE = (
    "As a medical image quality assessment expert, provide a concise description focusing on low-level appearance of "
    'the image in details. Conclude with "Overall, the quality of this image is [good/usable/reject]". Please provide '
    "a comprehensive but concise assessment in 3-5 sentences."
)
COMPARE = (
    "As a medical image quality assessment expert, provide a concise description comparing two images focusing on "
    "low-level appearance. Conclude with which image has higher quality. Please provide a comprehensive but concise "
    "assessment in 3-5 sentences."
)


class Options(BaseModel):
    """The suite's own options.

    Attributes:
        split: the authors' development or test set.
        part: what to ask; `all` is everything in the folder.
        scoring: how letters are read; see `scorer`. `official` also counts an unreadable reply as wrong, and a metric
            without any verdict as 0.
        judge: the model string of a judge of descriptions. Without one, only the closing verdict is compared.
        verdicts: the folder of the judge's verdicts, shared with other runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Split = "test"
    part: Literal["all", "perception", "description", "paired description"] = "all"
    scoring: Scoring = "repaired"
    judge: str = ""
    verdicts: Path | None = None


@dataclass(frozen=True)
class SampleData:
    """Data of a sample for its dialogue and scorer."""

    options: Options
    part: Part
    row: Row
    judge: SuiteJudge | None


def load(data: Path | None, options: Options) -> Loaded:
    """Read the tables of a split; see `dataset`."""
    parts: Sequence[Part] = PARTS if options.part == "all" else (options.part,)
    tables, missing = dataset.load(data, options.split, parts)
    judge = SuiteJudge(options.judge, options.verdicts) if options.judge else None
    samples = [_sample(SampleData(options, part, row, judge)) for part, table in tables.items() for row in table.rows]
    if judge is None and set(tables) - {"perception"}:
        missing.append("descriptions: no judge is set (--set judge=MODEL), so only their verdicts are compared.")
    return Loaded(
        tuple(samples),
        tuple(error for table in tables.values() for error in table.bad),
        tuple(table.file for table in tables.values()),
        tuple(missing),
        judge.open if judge else None,
    )


def _sample(held: SampleData) -> Sample:
    row = held.row
    if held.part == "perception":
        options = "\n".join(f"{letter}. {text}" for letter, text in row.options.items())
        asked = CHOOSE.format(question=row.question, options=options)
    else:
        asked = row.question or (DESCRIBE if held.part == "description" else COMPARE)
    return Sample(
        id=row.id,
        task=held.part,
        cluster=row.image,
        prompt=(*row.pictures, asked),
        reference=row.reference,
        slices=row.slices,
        fields={"held": held},
        file=row.file,
        line=row.line,
    )


async def show(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask about the images, and have the judge rate a description; ignores the generator."""
    return await _judged(sample, await respond([Message("user", sample.prompt)]))


async def hide(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask like `show`, without the images."""
    words = tuple(part for part in sample.prompt if not isinstance(part, Picture))
    return await _judged(sample, await respond([Message("user", words)]))


async def _judged(sample: Sample, reply: str) -> dict[str, JsonValue]:
    held: SampleData = sample.fields["held"]
    if held.judge is None or held.part == "perception":
        return {}
    paired = held.part == "paired description"
    marks, verdicts = await held.judge.rate(
        lambda cache, model: rate(cache, model, sample.reference, reply, paired=paired)
    )
    return {"judged": dict(marks), "verdicts": tally(verdicts)}


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score whether the letter is right; for a description, the judge's sum as a share of 8, or the verdict's
    similarity."""
    held: SampleData = sample.fields["held"]
    if held.part == "perception":
        letter = choice(transcript.answer, held.row.options, held.options.scoring)
        if letter is None and held.options.scoring == "repaired":
            return Scored(failure="parse")
        return Scored(value=float(letter == sample.reference))
    if (marks := _marks(transcript)) is not None:
        kept = [mark for mark in marks.values() if mark is not None]
        return Scored(value=sum(kept) / MOST) if len(kept) == len(METRICS) else Scored(failure="judge")
    near = _near(held.part, transcript.answer, sample.reference)
    if near is not None:
        return Scored(value=near)
    # A reference without a readable verdict needs a judge; for a reply without one, the model is at fault.
    return Scored(failure="judge" if _near(held.part, sample.reference, sample.reference) is None else "parse")


def _near(part: Part, reply: str, reference: str) -> float | None:
    return better_score(reply, reference) if part == "paired description" else verdict_score(reply, reference)


def _marks(transcript: Transcript) -> dict[str, float | None] | None:
    judged = transcript.outcome.get("judged")
    if not isinstance(judged, dict):
        return None
    return {metric: float(str(judged[metric])) if judged[metric] is not None else None for metric in METRICS}


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the judge's means from 0 to 2 for each metric, their sum, the similarity of verdicts, and the judge's
    statistics.

    A missing verdict is in no mean. A metric without any verdict is 0 only with `scoring=official`, as published.
    """
    found: dict[str, float] = {}
    for part in PARTS[1:]:
        made = [(sample, transcript) for sample, transcript, _ in judged if sample.task == part]
        made = [(sample, transcript) for sample, transcript in made if not transcript.failure]
        if not made:
            continue
        official = made[0][0].fields["held"].options.scoring == "official"
        rated = [marks for _, transcript in made if (marks := _marks(transcript)) is not None]
        for metric in METRICS if rated else ():
            kept = [mark for marks in rated if (mark := marks[metric]) is not None]
            if kept or official:
                found[f"{part}: {metric}"] = fmean(kept) if kept else 0.0
        means = [found[name] for metric in METRICS if (name := f"{part}: {metric}") in found]
        if len(means) == len(METRICS):
            found[f"{part}: sum of 8"] = sum(means)
        near = [
            value
            for sample, transcript in made
            if (value := _near(part, transcript.answer, sample.reference)) is not None
        ]
        if near:
            found[f"{part}: verdict"] = fmean(near)
    return {**found, **added(transcript.outcome.get("verdicts") for _, transcript, _ in judged)}


def oracle(sample: Sample, rng: Random) -> DialogueBaseline:
    """Give the right letter, or the reference description."""
    return lambda messages: sample.reference


def guess(sample: Sample, rng: Random) -> DialogueBaseline:
    """Give a random letter, or a random verdict."""
    held: SampleData = sample.fields["held"]
    if held.part == "perception":
        said = rng.choice(list(held.row.options))
    elif held.part == "description":
        said = f"Overall, the quality of this image is {rng.choice(LEVELS)}."
    else:
        said = f"Image {rng.choice('AB')} has higher quality."
    return lambda messages: said


SUITE = Suite(
    name="medq-bench",
    title="Quality of medical images: multiple choice and descriptions",
    version=1,
    load=load,
    score=score,
    solve=show,
    blind=hide,
    prompts={"choose": CHOOSE, "describe": DESCRIBE, "compare": COMPARE, **prompts()},
    options=Options,
    baselines={"oracle": oracle, "random": guess},
    figures=figures,
)
