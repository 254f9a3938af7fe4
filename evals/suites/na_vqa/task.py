"""NA-VQA: questions about whole films, answered from their narrative memory, or from the words of the question alone.

`solve` is a dialogue: the first question about a film builds its memory, and the model under test answers from what it
retrieves (see `agent.narrative.answer`). With `--blind` the model sees only the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer
from agent.narrative.cached_llm import prompt_of
from evals.engine.data import DataError, need_folder
from evals.engine.suite import Judged, Loaded, Message, Respond, Sample, Scored, Suite, Transcript
from evals.suites.judges import SuiteJudge, added, tally
from evals.suites.na_vqa import dataset, fairytale, scorer
from evals.suites.na_vqa.dataset import REMEDY
from evals.suites.na_vqa.films import Films, MemoryAnswer
from evals.suites.na_vqa.judge import PROMPTS, Judgement, judge_answer, prompt
from evals.suites.na_vqa.ranges import RANGES
from evals.suites.na_vqa.scorer import Span
from evals.suites.threads import in_thread

BLIND = (
    "This is a question about a {what} that you do not know: {question}\n"
    "Say in one to three sentences what the answer most probably is. Do not ask for the {what}."
)
FIGURES = (
    "rouge_l", "recall", "recall@5", "all", "all@5", "order", "citation_precision", "abstained", "correctness",
    "covered", "contradicted",
)  # fmt: skip
"""Metrics reported by range."""
BY_TYPE = ("rouge_l", "recall", "correctness")
"""Metrics reported by reasoning type."""
_TIMES = re.compile(r"\s*\[(?:\d+(?::\d\d){1,2}|section \d+)\]")


class Options(BaseModel):
    """The suite's own options.

    Attributes:
        data_set: the format of the folder.
        split: the split of FairytaleQA.
        answer: whether the model under test answers from memory, or the evidence is quoted without a model.
        value: a sample's value. The judge's verdicts need a judge; the others do not.
        judge: the model string of a judge; "" for none.
        verdicts: the folder of the judge's verdicts, shared with other runs.
        builder: the model string for building the memory; see `Films`.
        memory: the folder of memories, shared with other runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_set: Literal["na-vqa", "fairytaleqa"] = "na-vqa"
    split: Literal["train", "val", "test", "all"] = "test"
    answer: Literal["model", "quotes"] = "model"
    value: Literal["rouge_l", "recall", "all", "correctness", "covered"] = "rouge_l"
    judge: str = ""
    verdicts: Path | None = None
    builder: str = "embedded"
    memory: Path | None = None

    @model_validator(mode="after")
    def _has_a_judge(self) -> Self:
        if self.value in ("correctness", "covered") and not self.judge:
            raise ValueError(f"value={self.value} needs a judge: --set judge=MODEL")
        if self.value == "covered" and self.data_set == "fairytaleqa":
            raise ValueError("the answers of FairytaleQA are too short to have key points; choose another value")
        return self


@dataclass(frozen=True)
class Gold:
    """The reference data of a question.

    Attributes:
        text: the question.
        references: annotators' answers, the best match of which counts; one for NA-VQA.
        spans: the evidence, on the scale of `clock`, in the order of its chain.
        clock: what the times of evidence count.
        film, range, kind: groups of figures.
    """

    text: str
    references: tuple[str, ...]
    spans: tuple[Span, ...]
    clock: Literal["seconds", "sections"]
    film: str
    range: str
    kind: str

    @property
    def reference(self) -> str:
        """All of them, for a judge."""
        return " / ".join(dict.fromkeys(self.references))


@dataclass(frozen=True)
class SampleData:
    """Shared data of the samples of a run."""

    options: Options
    films: Films
    judge: SuiteJudge | None


def load(data: Path | None, options: Options) -> Loaded:
    """Read a folder of NA-VQA (see `dataset`) or of FairytaleQA (see `fairytale`)."""
    folder = need_folder(data, REMEDY if options.data_set == "na-vqa" else fairytale.REMEDY)
    judge = SuiteJudge(options.judge, options.verdicts) if options.judge else None
    held = SampleData(options, Films(options.memory, options.builder), judge)
    loaded = _stories(folder, held) if options.data_set == "fairytaleqa" else _films(folder, held)
    return replace(loaded, ready=judge.open if judge else None)


def _films(folder: Path, held: SampleData) -> Loaded:
    read = dataset.load(folder)
    samples, bad = [], list(read.bad)
    for question in read.questions:
        path = read.films[question.film].path
        if path is None:
            problem = f"there is no file of the film {question.film!r} in {str(folder / 'films')!r}."
            remedy = f"Put it there, such as {question.film}.mp4 or {question.film}.srt, or skip it with --skip-bad."
            bad.append(DataError(problem, file=read.files[1], line=question.line, field="video_id", remedy=remedy))
            continue
        gold = Gold(
            question.text, (question.reference,), question.spans, "seconds", question.film, question.range,
            question.reasoning_type,
        )  # fmt: skip
        samples.append(_sample(question.id, gold, path, read.files[1], question.line, held))
    return Loaded(tuple(samples), tuple(bad), read.files)


def _stories(folder: Path, held: SampleData) -> Loaded:
    stories, questions = fairytale.load(folder)
    asked = {one.name: one for one in stories if held.options.split in ("all", one.split)}
    samples = []
    for question in questions:
        if (story := asked.get(question.story)) is None:
            continue
        spans = tuple((float(place), place + 1.0) for place in question.evidence)
        gold = Gold(question.text, question.answers, spans, "sections", question.story, question.range, question.kind)
        samples.append(_sample(f"{question.story}-{question.id}", gold, story.path, story.asked, question.line, held))
    return Loaded(tuple(samples), files=tuple(path for one in asked.values() for path in (one.path, one.asked)))


def _sample(id_: str, gold: Gold, path: Path, file: Path, line: int | None, held: SampleData) -> Sample:
    return Sample(
        id=id_,
        cluster=gold.film,
        source=str(path),
        questions=(gold.text,),
        reference=gold.reference,
        slices={"range": gold.range, "reasoning type": gold.kind},
        fields={"gold": gold, "held": held},
        file=file,
        line=line,
    )


async def from_memory(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Let the model under test answer from the memory of the film; ignores the generator."""
    held: SampleData = sample.fields["held"]

    def ask(model: MLLM) -> MemoryAnswer:
        answers = model if held.options.answer == "model" else None
        return held.films.ask(Path(sample.source), sample.questions[0], answers)

    try:
        found = await in_thread(ask, respond)
    except MalformedAnswer as error:
        return {"malformed": error.problem}
    answer = "" if found.answer.abstained else _TIMES.sub("", found.answer.text)  # the reference has no times
    return {
        "answer": answer,
        "abstained": found.answer.abstained,
        "clock": found.clock,
        "told": [list(span) for span in found.told],
        "cited": [list(span) for span in found.cited],
        "unverified": len(found.answer.unverified),
        "rounds": found.answer.rounds,
        **await _judged(sample, answer),
    }


async def from_the_question(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Let the model under test answer without the film, to measure what the question alone gives away."""
    held: SampleData = sample.fields["held"]
    what = "story" if held.options.data_set == "fairytaleqa" else "film"
    answer = await respond([Message("user", (BLIND.format(what=what, question=sample.questions[0]),))])
    return {"answer": answer.strip(), **await _judged(sample, answer.strip())}


async def _judged(sample: Sample, answer: str) -> dict[str, JsonValue]:
    held: SampleData = sample.fields["held"]
    if held.judge is None:
        return {}
    points = held.options.data_set == "na-vqa"
    said: Judgement = await held.judge.rate(
        lambda cache, model: judge_answer(cache, model, sample.fields["gold"], answer, points=points)
    )
    return {"judged": dict(said.values), "verdicts": tally(said.verdicts)}


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Return the value that the options select; a missing verdict is a failure of the judge."""
    held: SampleData = sample.fields["held"]
    if "malformed" in transcript.outcome:
        return Scored(failure="parse")
    value = _scores(sample, transcript).values.get(held.options.value)
    if value is None:
        return Scored(failure="judge" if held.options.value in ("correctness", "covered") else "data")
    return Scored(value=value / scorer.METRICS[held.options.value][1])


def _scores(sample: Sample, transcript: Transcript) -> scorer.Scored:
    """Return all scores of an answer; a baseline has only words, and no context."""
    gold: Gold = sample.fields["gold"]
    said: Mapping[str, Any] = transcript.outcome or {"answer": transcript.answer}
    told, cited = (tuple((start, end) for start, end in said.get(name, ())) for name in ("told", "cited"))
    spoke = bool(said["answer"]) or bool(said.get("abstained"))
    comparable = said.get("clock", gold.clock) == gold.clock
    values: dict[str, float | None] = {
        **(scorer.evidence_scores(gold.spans, told) if comparable else {}),
        "order": scorer.order_agreement(cited, gold.spans) if comparable else None,
        "citation_precision": scorer.citation_precision(cited, gold.spans) if comparable else None,
        "rouge_l": max(scorer.rouge_l(said["answer"], one) for one in gold.references) if spoke else 0.0,
        "abstained": float(said.get("abstained", False)),
        **said.get("judged", {}),
    }
    return scorer.Scored(sample.id, gold.film, gold.range, gold.kind, values)


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return means of every metric by range, of some by reasoning type, and the judge's statistics; there is no overall
    mean."""
    answered = [(sample, made) for sample, made, scored in judged if not made.failure and scored.failure != "parse"]
    scored = [_scores(sample, made) for sample, made in answered]
    kinds = tuple(dict.fromkeys(sample.fields["gold"].kind for sample, _, _ in judged))
    found: dict[str, float] = {}
    for names, groups, of in ((FIGURES, RANGES, "range"), (BY_TYPE, kinds, "reasoning_type")):
        for group in groups:
            for name in names:
                values = [one.values.get(name) for one in scored if getattr(one, of) == group]
                if held := [value for value in values if value is not None]:
                    found[f"{group}: {name}"] = fmean(held)
    cited = [int(str(made.outcome.get("unverified", 0))) for _, made in answered]
    return {
        **found,
        "citations of what was never shown": float(sum(cited)),
        **added(made.outcome.get("verdicts") for _, made in answered),
    }


def question_words(sample: Sample, rng: Random) -> str:
    """Give the words of the question in random order: no knowledge, but word overlap with the answer."""
    words = sample.questions[0].rstrip("?").split()
    rng.shuffle(words)
    return " ".join(words)


SUITE = Suite(
    name="na-vqa",
    title="Questions about whole films, from narrative memory",
    version=1,
    load=load,
    score=score,
    solve=from_memory,
    blind=from_the_question,
    prompts={
        "question only": BLIND,
        "decompose": prompt_of("decompose"),
        "answer": prompt_of("answer"),
        **{f"judge {name}": prompt(name).text for name in PROMPTS},
    },
    options=Options,
    baselines={"oracle": lambda sample, rng: sample.fields["gold"].references[0], "random": question_words},
    figures=figures,
)
