"""CURE as a suite; see README.md."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from pydantic import JsonValue

from agent.literature.prompts import load_prompt
from evals.engine.suite import (
    Baseline,
    DialogueBaseline,
    Judged,
    Loaded,
    Message,
    Part,
    Respond,
    Sample,
    Scored,
    Suite,
    Transcript,
)
from evals.suites.ablations import SETTING, accuracies, by_setting, costs, shares
from evals.suites.corpora import Papers, Searching
from evals.suites.cure import agentclinic, baselines, cases
from evals.suites.cure import prompt as asking
from evals.suites.cure.cases import Case, Cases, Placed
from evals.suites.cure.evidence import (
    SEARCHING,
    SEEK,
    WRITE,
    Setting,
    Shown,
    case_query,
    evidence,
    sought,
    written_query,
)
from evals.suites.cure.judge import SAME, marks_by_name, prompt, rate
from evals.suites.cure.leaks import BLOCKED
from evals.suites.cure.library import Library
from evals.suites.cure.options import Options
from evals.suites.cure.parse_reply import RANKED, cited_ids
from evals.suites.cure.prompt import Asked, ask, case_text, pictures, task_text, whole_prompt
from evals.suites.cure.scorer import Answer, Attempt, evidence_figures, gaps, naming
from evals.suites.judges import SuiteJudge, added, tally
from evals.suites.threads import in_thread
from tools.errors import ConfigError

CITING = ("reference", "reference+distractors", "shuffled_reference")


@dataclass(frozen=True)
class SampleData:
    """Data of a sample for its dialogue and scorer.

    Attributes:
        placed: the case.
        other: the case whose papers are shown in `shuffled_reference`; otherwise the case itself.
        diagnoses: all diagnoses of the data, for baselines.
        options, library, judge: of the run.
    """

    placed: Placed
    other: Case
    diagnoses: tuple[str, ...]
    options: Options
    library: Library
    judge: SuiteJudge | None

    @property
    def closed(self) -> bool:
        """Whether the question is a choice of options."""
        return self.options.form == "closed"


def load(data: Path | None, options: Options) -> Loaded:
    """Read a folder of cases and papers; see `cases` and `agentclinic`."""
    read = cases.load(data) if options.data_set == "cure" else agentclinic.load(data)
    _refuse(read, options)
    how = Searching(
        folder=options.index, corpus=options.corpus, remote=None if options.source == "papers" else options.source,
        literature=options.literature, dense=options.dense, record=options.record, offline=options.offline,
    )  # fmt: skip
    blocked = (*BLOCKED, *(host.strip() for host in options.blocked.split(",") if host.strip()))
    library = Library(read.documents, Papers(read.documents.values(), how), blocked)
    judge = SuiteJudge(options.judge, options.verdicts) if options.judge and options.form == "open" else None
    diagnoses = tuple(dict.fromkeys(one.case.gold_dx for one in read.cases))
    samples = []
    for setting in options.settings:
        for placed in _drawn(read.cases, options.cases):
            other = _other(read.cases, placed) if setting == "shuffled_reference" else placed.case
            held = SampleData(placed, other, diagnoses, options, library, judge)
            samples.append(_sample(held, setting, read))
    notices = list(read.notices)
    if judge is None and options.form == "open":
        notices.append("no judge is set (--set judge=MODEL): only names with the same words count as right.")
    ready = judge.open if judge else None
    return Loaded(tuple(samples), read.bad, read.files, tuple(notices), ready, paired=True)


def _refuse(read: Cases, options: Options) -> None:
    """Raise ConfigError if the data cannot satisfy a setting or the form."""
    asked = options.settings
    if (needy := [one for one in asked if one in CITING]) and not any(one.case.cited_pmids for one in read.cases):
        raise ConfigError(
            f"the setting {needy[0]!r} needs cited papers, and no case of these data cites any.",
            remedy="Choose settings with --set setting=base,rag or the like.",
        )
    if (needy := [one for one in asked if one in SEARCHING]) and _has_nothing(read, options):
        raise ConfigError(
            f"the setting {needy[0]!r} needs papers to search, and there are none.",
            remedy=f"Put a {cases.PAPERS} beside the cases, or pass a corpus with --set corpus=DIR.",
        )
    if options.form == "closed" and (open_ := [one for one in read.cases if one.case.options is None]):
        raise ConfigError(
            f"the case {open_[0].case.case_id!r} has no options to choose from, and {len(open_) - 1} others.",
            remedy="Ask with --set form=open.",
        )


def _has_nothing(read: Cases, options: Options) -> bool:
    return not read.documents and options.corpus is None and options.source == "papers"


def _drawn(held: Sequence[Placed], most: int | None) -> list[Placed]:
    """Draw at most so many cases, in their order, by the hash of their ids, so that a larger number adds to them."""
    order = sorted(held, key=lambda one: hashlib.sha256(one.case.case_id.encode()).hexdigest())
    chosen = {id(one) for one in order[:most]}
    return [one for one in held if id(one) in chosen]


def _other(held: Sequence[Placed], placed: Placed) -> Case:
    """Return the next case, cyclically, that cites papers and none of this case's."""
    at = next(number for number, one in enumerate(held) if one is placed)
    own = set(placed.case.cited_pmids)
    for step in range(1, len(held)):
        other = held[(at + step) % len(held)].case
        if other.cited_pmids and not own & set(other.cited_pmids):
            return other
    raise ConfigError(
        f"no other case cites papers that {placed.case.case_id!r} does not cite.",
        remedy="Leave out shuffled_reference.",
    )


def _sample(held: SampleData, setting: str, read: Cases) -> Sample:
    case, options = held.placed.case, held.options
    images = () if setting == "no_image" else pictures(held.placed)
    right = case.options[case.answer] if held.closed and case.options and case.answer else case.gold_dx
    slices = {"specialty": case.specialty, "split": case.split, **agentclinic.slices(case)}
    return Sample(
        id=case.case_id,
        task=setting if len(options.settings) > 1 else "",
        cluster=agentclinic.cluster(case),
        pictures=tuple(image.path for image in images if image.path is not None),
        questions=(case_text(held.placed, images=bool(images), findings=options.findings),),
        reference=right,
        slices={name: value for name, value in slices.items() if value},
        fields={SETTING: setting, "held": held},
        file=read.files[0],
        line=held.placed.line,
    )


async def put(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask about a case with the evidence of its setting, read the answer, and have the judge mark it."""
    return await _put(sample, respond, rng, sample.fields[SETTING], blind=False)


async def put_blind(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask like `put`, without images and evidence, to measure what the words of the case alone give away."""
    return await _put(sample, respond, rng, "no_image", blind=True)


async def _put(
    sample: Sample, respond: Respond, rng: Random, setting: Setting, *, blind: bool
) -> Mapping[str, JsonValue]:
    held: SampleData = sample.fields["held"]
    options, case = held.options, _reordered(held, rng)
    images = () if setting == "no_image" else pictures(held.placed)
    text = case_text(held.placed, images=bool(images), findings=options.findings and not blind)
    if setting == "agent":
        shown = await in_thread(partial(sought, case, text, held.library, budget=options.budget), respond)
    else:
        query = await _query(held, text, respond) if setting == "rag" else ""
        shown = await evidence(
            setting, case, held.other, held.library, query=query, k=options.k, distractors=options.distractors
        )
    parts: list[Part] = [*images, whole_prompt(text, task_text(case, closed=held.closed), shown.documents)]
    return await _outcome(sample, case, await ask(respond, parts, case, shown, closed=held.closed))


async def _query(held: SampleData, text: str, respond: Respond) -> str:
    """Return the query of `rag`, sanitised."""
    if not held.options.writes_query:
        return case_query(held.placed.case, held.options.findings)
    return written_query(await respond([Message("user", (WRITE.format(case=text),))]))


def _reordered(held: SampleData, rng: Random) -> Case:
    """Return the case, with its options reordered if the option `shuffle` is set."""
    case = held.placed.case
    if not (held.closed and held.options.shuffle and case.options and case.answer):
        return case
    letters = sorted(case.options)
    old = rng.sample(letters, len(letters))
    options = {new: case.options[one] for new, one in zip(letters, old, strict=True)}
    return case.model_copy(update={"options": options, "answer": letters[old.index(case.answer)]})


async def _outcome(sample: Sample, case: Case, asked: Asked) -> dict[str, JsonValue]:
    """Return the outcome for the scorer; see `scorer.Answer`."""
    held: SampleData = sample.fields["held"]
    shown, said = asked.shown, asked.said
    found: dict[str, Any] = {
        "setting": sample.fields[SETTING],
        "malformed": asked.problem,
        "abstained": said is not None and said.abstained,
        "diagnoses": [],
        "choice": None,
        "why": said.why if said else "",
        "marks": None,
        "supports": [],
        "cited": [],
        "invented": 0,
        "covers": naming(shown.documents, case.gold),
        **_seen(shown),
    }
    if said is None or said.abstained:
        return found
    names = [one.name for one in said.diagnoses]
    if held.closed:
        marks: list[int | None] = [SAME if said.choice == case.answer else 0]
    elif held.judge is None:
        marks = list(marks_by_name(names, case.gold))
    else:
        marks, verdicts = await held.judge.rate(lambda cache, model: rate(cache, model, names, case.gold))
        found["verdicts"] = tally(verdicts)
    cited = [cited_ids(one.papers, asked.numbers) for one in said.diagnoses]
    return found | {
        "diagnoses": names,
        "choice": said.choice,
        "marks": marks,
        "supports": [
            naming(shown.documents, (name, *(case.gold if mark == SAME else ())))
            for name, mark in zip(names, marks, strict=True)
        ],
        "cited": [list(papers) for papers, _ in cited],
        "invented": sum(invented for _, invented in cited),
    }


def _seen(shown: Shown) -> dict[str, Any]:
    return {
        "shown": [document.id for document in shown.documents],
        "retracted": sum(document.retracted for document in shown.documents),
        "queries": list(shown.queries),
        "dropped": dict(shown.dropped),
        "missing": list(shown.missing),
        "problems": list(shown.problems),
        "stopped": shown.stopped,
    }


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score whether the right diagnosis is the first, or among the five; an abstention is not a hit."""
    held: SampleData = sample.fields["held"]
    if transcript.outcome["malformed"]:
        return Scored(failure="parse")
    hit = Answer.of(transcript.outcome).hit(RANKED if held.options.value == "hit@5" else 1)
    return Scored(failure="judge") if hit is None else Scored(value=float(hit))


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the gap between given and retrieved evidence, then accuracy, evidence, quadrants and cost of each
    setting."""
    attempts = [
        Attempt(
            setting=sample.fields[SETTING],
            answer=None if made.failure else Answer.of(made.outcome),
            cited=sample.fields["held"].placed.case.cited_pmids,
            cluster=sample.cluster,
        )
        for sample, made, _ in judged
        if made.failure != "judge"
    ]
    cluster = {sample.id: sample.cluster for sample, _, _ in judged}
    return {
        **gaps(by_setting(judged), cluster),
        **accuracies(judged),
        **(_hits(attempts) if any(not sample.fields["held"].closed for sample, _, _ in judged) else {}),
        **evidence_figures(attempts),
        **costs(judged),
        **added(made.outcome.get("verdicts") for _, made, _ in judged),
    }


def _hits(attempts: Sequence[Attempt]) -> dict[str, float]:
    """Return Hit@1 and Hit@5 of each setting, with 95% intervals and n: failures are not hits, and attempts left open
    by a missing verdict are excluded."""
    found: dict[str, float] = {}
    for setting in dict.fromkeys(one.setting for one in attempts):
        for first in (1, RANKED):
            hits = [
                (hit, one.cluster)
                for one in attempts
                if one.setting == setting
                and (hit := False if one.answer is None else one.answer.hit(first)) is not None
            ]
            found |= shares(f"{setting}: hit@{first}", [hit for hit, _ in hits], [cluster for _, cluster in hits])
    return found


def _oracle(sample: Sample, rng: Random) -> DialogueBaseline:
    held: SampleData = sample.fields["held"]
    return baselines.oracle(held.placed.case, held.diagnoses, closed=held.closed)


def _chance(sample: Sample, rng: Random) -> DialogueBaseline:
    held: SampleData = sample.fields["held"]
    return baselines.chance(held.diagnoses, rng, closed=held.closed)


def _extractive(sample: Sample, rng: Random) -> DialogueBaseline:
    held: SampleData = sample.fields["held"]
    return baselines.extractive(held.placed.case, held.diagnoses, rng, closed=held.closed)


BASELINES: dict[str, Baseline] = {"oracle": _oracle, "random": _chance, "extractive": _extractive}
SUITE = Suite(
    name="cure",
    title="Diagnoses of clinical cases under controlled evidence: none, given, or found",
    version=2,
    load=load,
    score=score,
    solve=put,
    blind=put_blind,
    prompts={
        "introduction": asking.INTRODUCTION,
        "evidence": asking.EVIDENCE,
        "rank": asking.RANK,
        "choose": asking.CHOOSE,
        "write query": WRITE,
        "seek": SEEK,
        "seek step": load_prompt("step"),
        "repair": asking.REPAIR,
        "judge same": prompt().text,
    },
    options=Options,
    baselines=BASELINES,
    figures=figures,
)
