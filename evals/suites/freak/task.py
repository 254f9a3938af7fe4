"""FREAK as a suite: see README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import Any

from evals.engine.suite import DialogueBaseline, Judged, Message, Sample, Scored, Suite, Transcript
from evals.suites.freak.dataset import Row, labels, load
from evals.suites.freak.dialogue import put, read
from evals.suites.freak.options import Options
from evals.suites.freak.prompts import TEXTS
from evals.suites.freak.scorer import (
    LETTERS,
    PERMUTATIONS,
    EmptyReply,
    Item,
    PublishedDefect,
    as_published,
    by_group,
    controlled,
    find_letter,
    score_choices,
    score_free,
    summarise,
)
from evals.suites.judges import added


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score a question: the share of its right answers, over six orders of its options or one free answer."""
    try:
        item = item_of(sample, transcript)
    except EmptyReply:
        return Scored(failure="parse")
    if item is None:
        return Scored(failure="judge")
    return Scored(value=item.hallucination if sample.fields["expected"] else item.accuracy)


def item_of(sample: Sample, transcript: Transcript) -> Item | None:
    """Return the result of a question by the golden scorer; None if the judge gave no verdict.

    Raises:
        EmptyReply: where the released script stops.
    """
    row: Row = sample.fields["row"]
    options: Options = sample.fields["options"]
    if row.type == "mcq":
        replies = [read(reply, options) for reply in transcript.answers[: len(PERMUTATIONS)]]
        item = score_choices(replies, published=options.published)
        if options.scoring != "released":
            return item
    verdict = _verdict(transcript.outcome)
    if verdict is None:
        return None
    tagged = f"<judge>{verdict}</judge>"
    if options.scoring == "released":
        return as_published(row.type, tagged)
    return score_free(tagged, published=options.published)


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return accuracy and hallucination rate in total, by type and group, and statistics of replies and verdicts."""
    options: Options | None = next((sample.fields["options"] for sample, _, _ in judged), None)
    held = [(sample, transcript, item) for sample, transcript, item in _items(judged) if item is not None]
    if options is None or not held:
        return {}
    if options.subset == "controlled":
        return _pairs(held)
    try:
        table = _named(summarise([item for _, _, item in held]))
    except PublishedDefect:
        # As released: one verdict replaced six results of each, and no rate is ever printed.
        overwritten = sum(item.overwritten for _, _, item in held)
        return {"the released script stops before its rates": 1.0, "results overwritten": float(overwritten)}
    for group, found in by_group((item, labels(sample.fields["row"])) for sample, _, item in held).items():
        table |= {f"{group}: accuracy": _number(found["total_accuracy"]),
                  f"{group}: hallucination": _number(found["total_hallu"])}  # fmt: skip
    replies = [read(reply, options) for _, transcript, item in held if item.type == "mcq"
               for reply in transcript.answers[: len(PERMUTATIONS)]]  # fmt: skip
    if replies:
        unread = [reply for reply in replies if not reply or not find_letter(reply, published=options.published)]
        table["mcq: replies without a letter, which count as D"] = len(unread) / len(replies)
    return table | _judge_figures([transcript for sample, transcript, _ in judged if not transcript.failure])


def _items(judged: Sequence[Judged]) -> list[tuple[Sample, Transcript, Item | None]]:
    return [
        (sample, transcript, item_of(sample, transcript))
        for sample, transcript, scored in judged
        if not transcript.failure and scored.failure != "parse"
    ]


def _named(table: Mapping[str, float | int | None]) -> dict[str, float]:
    names = {"total": "accuracy", "mcq": "mcq: accuracy", "fib": "fib: accuracy"}
    found: dict[str, float] = {}
    for part, name in names.items():
        if table[f"{part}_accuracy"] is not None:
            found[name] = _number(table[f"{part}_accuracy"])
            found[name.replace("accuracy", "hallucination")] = _number(table[f"{part}_hallu"])
    return found


def _number(value: float | int | None) -> float:
    assert value is not None
    return float(value)


def _pairs(held: Sequence[tuple[Sample, Transcript, Item]]) -> dict[str, float]:
    """Return accuracy on both images of the complete pairs, and the drop."""
    by_key: dict[tuple[str, int], dict[str, float]] = {}
    for sample, transcript, item in held:
        right = item.hallucination if sample.fields["expected"] else item.accuracy
        by_key.setdefault((sample.id, transcript.epoch), {})[sample.task] = right
    whole = [(one["normal"], one["edited"]) for one in by_key.values() if len(one) == 2]
    return {**controlled(whole), "pairs": float(len(whole))} if whole else {}


def _judge_figures(transcripts: Sequence[Transcript]) -> dict[str, float]:
    outcomes = [transcript.outcome for transcript in transcripts if "judge" in transcript.outcome]
    table = added(outcome["judge"] for outcome in outcomes)
    both = [outcome for outcome in outcomes if outcome["given"] and outcome["swapped"]]
    if both:
        table["judge: changed by the order"] = fmean(one["given"] != one["swapped"] for one in both)
    return table


def _verdict(outcome: Mapping[str, Any]) -> str | None:
    """Return the judge's verdict; if it depends on the order, the answer is neither right nor typical."""
    given, swapped = outcome["given"], outcome["swapped"]
    if given is None or (outcome.get("swap") and swapped is None):
        return None
    return "wrong" if swapped is not None and swapped != given else str(given)


def random_player(sample: Sample, rng: Random) -> DialogueBaseline:
    """Choose a letter at random; for a free question, what the image shows or what would be usual."""
    row: Row = sample.fields["row"]
    known = [text for text in (row.ground_truth, row.hallu_answer) if text]
    return lambda messages: rng.choice(LETTERS) if row.type == "mcq" else rng.choice(known).replace("#", "")


def oracle(sample: Sample, rng: Random) -> DialogueBaseline:
    """Give the letter of the right option, or the right answer."""
    row: Row = sample.fields["row"]
    right = row.options[sample.fields["expected"]] if row.options else ""

    def say(messages: Sequence[Message]) -> str:
        if row.type == "fib":
            return (row.ground_truth or "").replace("#", "")
        lines = str(messages[-1].parts[-1]).splitlines()
        # The released prompt puts a letter after one of the options.
        return next(line[0] for line in lines if line[1:] in (f". {right}", f". {right}t"))

    return say


SUITE = Suite(
    name="freak",
    title="FREAK: details of photographs that contradict common sense",
    version=1,
    load=load,
    score=score,
    solve=put,
    blind=partial(put, blind=True),
    prompts=TEXTS,
    options=Options,
    baselines={"random": random_player, "oracle": oracle},
    figures=figures,
)
