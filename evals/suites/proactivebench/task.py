"""ProactiveBench as a suite: see README.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import Any

from evals.engine.suite import Call, DialogueBaseline, Judged, Message, Reply, Sample, Scored, Suite, Transcript
from evals.suites.judges import added
from evals.suites.proactivebench.dataset import load
from evals.suites.proactivebench.dialogue import ASK_USER, put, replay
from evals.suites.proactivebench.environments import HINTS, VIDEO_PREFACE, ZOOM_HINT, Environment, State
from evals.suites.proactivebench.options import READINGS, Options, Reading
from evals.suites.proactivebench.prompts import TEXTS
from evals.suites.proactivebench.records import DATASETS, ROD
from evals.suites.proactivebench.scorer import Judgement, parse_judgement, rates
from tools.ask_user import Intervention

_LISTED = re.compile(r"^([A-Z])\. ", re.MULTILINE)


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score an episode by its category, 0 or 1; a single turn or a free answer is also right with a suggestion."""
    options: Options = sample.fields["options"]
    by = transcript.outcome["by"] if options.mode == "open" else _acted(transcript.outcome[options.scoring])
    slices = {"asked by": str(by)} if options.act != "text" else {}
    if options.mode == "open":
        found = judgement(sample, transcript, options.scoring)
        if found is None:
            return Scored(failure="judge", slices=slices)
        return Scored(value=float(found.aggregate), slices=slices)
    state = replay(sample, transcript.outcome, options.scoring)
    slices["ended"] = _end(state)
    if options.turns == "single":
        return Scored(value=float(_first_turn(state).aggregate), slices=slices)
    return Scored(value=float(state.correct), slices=slices)


def judgement(sample: Sample, transcript: Transcript, reading: Reading) -> Judgement | None:
    """Return the judge's findings in a free answer; `robust` counts marks given in both orders. None without a
    verdict."""
    environment: Environment = sample.fields["environment"]
    given, swapped = (_marks(transcript.outcome[name]) for name in ("given", "swapped"))
    if given is None or (reading == "robust" and transcript.outcome["said"] and swapped is None):
        return None
    marks = given
    if reading == "robust" and swapped is not None:
        marks = [min(pair) for pair in zip(given, swapped, strict=True)]
    bits = ",".join(map(str, marks))
    return parse_judgement(str(transcript.outcome["expected"]), bits, DATASETS[environment.dataset])


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the authors' measures under both readings, excluding failures: per data set, and their unweighted mean."""
    held = [(sample, transcript) for sample, transcript, _ in judged if not transcript.failure]
    if not held:
        return {}
    options: Options = held[0][0].fields["options"]
    table: dict[str, float] = {}
    for reading in READINGS:
        by_dataset: dict[str, dict[str, float]] = {}
        for acronym in options.datasets:
            part = [(sample, transcript) for sample, transcript in held if sample.task == acronym]
            if measures := _measures(part, options, reading):
                by_dataset[acronym] = measures
        for name in dict.fromkeys(name for measures in by_dataset.values() for name in measures):
            table[f"{reading} {name}"] = fmean(measures[name] for measures in by_dataset.values())
            table |= {f"{reading} {name} {acronym}": measures[name] for acronym, measures in by_dataset.items()}
    if options.mode == "open":
        return table | _judged(held)
    return table | _replies(held, options)


def _measures(held: Sequence[tuple[Sample, Transcript]], options: Options, reading: Reading) -> dict[str, float]:
    """Return `acc` in percent and `psr` of whole episodes; `cc`, `ps` and `agg` in percent of first answers and free
    ones."""
    if options.mode == "choice" and options.turns == "multi":
        states = [replay(sample, transcript.outcome, reading) for sample, transcript in held]
        found = rates((state.correct, len(state.turns)) for state in states)
        return {"acc": found.acc, "psr": found.psr} if found else {}
    if options.mode == "choice":
        firsts: Iterable[Judgement | None] = (
            _first_turn(replay(sample, transcript.outcome, reading)) for sample, transcript in held
        )
    else:
        firsts = (judgement(sample, transcript, reading) for sample, transcript in held)
    known = [one for one in firsts if one is not None]
    if not known:
        return {}
    return {
        "cc": 100 * fmean(one.category_prediction for one in known),
        "ps": 100 * fmean(one.proactive_suggestion for one in known),
        "agg": 100 * fmean(one.aggregate for one in known),
    }


def _replies(held: Sequence[tuple[Sample, Transcript]], options: Options) -> dict[str, float]:
    """Return the number of replies that exact matching could not read, and of suggestions by origin, per sample."""
    ends = [_end(replay(sample, transcript.outcome, "strict")) for sample, transcript in held]
    table = {"ended by a reply that exact matching cannot read": ends.count("not read") / len(ends)}
    if options.act == "text":
        return table
    for by in ("text", "ask_user"):
        made = [_suggestions(sample, transcript, options.scoring, by) for sample, transcript in held]
        table[f"suggestions by {by}"] = fmean(made)
    return table


def _suggestions(sample: Sample, transcript: Transcript, reading: Reading, by: str) -> int:
    """Count the right suggestions of an episode with one origin."""
    turns = zip(replay(sample, transcript.outcome, reading).turns, _turns(transcript.outcome[reading]), strict=True)
    return sum(turn.option == "correct" and noted["by"] == by for turn, noted in turns)


def _judged(held: Sequence[tuple[Sample, Transcript]]) -> dict[str, float]:
    """Return statistics of verdicts, and how often the order of the expected statements changed one."""
    marks = [(_marks(transcript.outcome["given"]), _marks(transcript.outcome["swapped"])) for _, transcript in held]
    both = [(given, swapped) for given, swapped in marks if given is not None and swapped is not None]
    table = added(transcript.outcome["judge"] for _, transcript in held)
    if both:
        table["judge: changed by the order"] = fmean(given != swapped for given, swapped in both)
    return table


def _first_turn(state: State) -> Judgement:
    """Return the first answer as if judged freely."""
    turn = state.turns[0]
    suggested, named = int(turn.option == "correct"), int(turn.category == "correct")
    return Judgement(suggested, named, suggested | named)


def _end(state: State) -> str:
    """Describe how an episode ended."""
    last = state.turns[-1]
    if state.correct:
        return "right category"
    if last.option == "correct":
        return "out of turns" if state.stopped else "suggestion"
    if last.category == "wrong":
        return "wrong category"
    return "abstained or wrong suggestion" if last.option == "wrong" else "not read"


def _acted(turns: Any) -> str:
    """Return how a model acted in an episode: by text, by the tool, or by both."""
    used = {turn["by"] for turn in _turns(turns)}
    return "both" if len(used) == 2 else used.pop()


def _turns(held: Any) -> list[Mapping[str, Any]]:
    return list(held)


def _marks(held: Any) -> list[int] | None:
    return None if held is None else list(held)


def random_player(sample: Sample, rng: Random) -> DialogueBaseline:
    """Choose a letter on the list at random; for a free question, one of the options or categories."""
    record = sample.fields["environment"].record

    def say(messages: Sequence[Message]) -> str:
        if sample.fields["options"].mode == "open":
            return rng.choice([*record.options, *record.categories])
        return rng.choice(_LISTED.findall("\n".join(part for part in messages[-1].parts if isinstance(part, str))))

    return say


def oracle(sample: Sample, rng: Random) -> DialogueBaseline:
    """Name the right category as soon as it counts: on ROD after one suggestion. For a free question, all expected
    statements."""
    environment: Environment = sample.fields["environment"]
    options: Options = sample.fields["options"]
    answers: Iterator[str] = iter(())
    if environment.dataset == ROD and not environment.reference:
        suggestion = environment.suggestions[0]
        call = Call(ASK_USER.name, Intervention(kind="move_occluder", request=suggestion))
        answers = iter([Reply("", [call]) if options.act == "tool" else suggestion])

    def say(messages: Sequence[Message]) -> str:
        if options.mode == "open":
            return " ".join([*environment.suggestions, environment.record.answer])
        return next(answers, environment.record.answer)

    return say


SUITE = Suite(
    name="proactivebench",
    title="ProactiveBench: asks for what helps where an image does not suffice",
    version=1,
    load=load,
    score=score,
    solve=put,
    blind=partial(put, blind=True),
    prompts={
        **TEXTS,
        **{f"hint {name}": text for name, text in HINTS.items()},
        "hint zoom": ZOOM_HINT,
        "video": VIDEO_PREFACE,
    },
    options=Options,
    baselines={"random": random_player, "oracle": oracle},
    figures=figures,
)
