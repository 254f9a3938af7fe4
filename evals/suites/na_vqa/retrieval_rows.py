"""Ablation of narrative retrieval without a language model: retrieved evidence, and the contribution of each part.

The rows build up: flat clips, events, their neighbours, links across time, chains, and a quota for stretches of time.
`oracle` is an upper bound, `question_only` and `shuffled` are lower bounds. Rows that need a language model are absent:
captions in a long context, and retrieval without its second round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evals.suites.na_vqa.dataset import Question
from evals.suites.na_vqa.scorer import Prediction, Scored, Span, score
from memory.narrative.retrieval.retrieve import Retrieved, RetrieveOptions, retrieve
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import Event

ABLATIONS: dict[str, dict[str, object]] = {
    "flat clips": {
        "channels": ("segment words", "segment meaning"), "decay": 0.0, "beside": 0.0, "chains": 0, "bins": 1,
    },
    "events without links": {"decay": 0.0, "beside": 0.0, "chains": 0, "bins": 1},
    "+ neighbours": {"decay": 0.0, "chains": 0, "bins": 1},
    "+ links across time": {"chains": 0, "bins": 1},
    "+ chains": {"bins": 1},
    "+ time quota": {},
}  # fmt: skip
"""The options of each row that differ from those of the whole retrieval, which is the last row."""


def ablated(name: str, options: RetrieveOptions | None = None) -> RetrieveOptions:
    """Return the options of a row of `ABLATIONS`, given those of the whole retrieval."""
    return RetrieveOptions.model_validate((options or RetrieveOptions()).model_dump() | ABLATIONS[name])


def evidence_run(
    store: NarrativeStore, source: str, questions: Sequence[Question], options: RetrieveOptions | None = None
) -> list[Scored]:
    """Score the retrieved evidence of a film for each of some questions about it.

    Args:
        store: the memory.
        source: the film's name in the memory.
        questions: about this film.
        options: of retrieval.

    Raises:
        StoreError: if the memory cannot be read.
    """
    return [_scored(store, source, question, options) for question in questions]


def shuffled(
    store: NarrativeStore,
    source: str,
    questions: Sequence[Question],
    options: RetrieveOptions | None = None,
    seed: int = 0,
) -> list[Scored]:
    """Score like `evidence_run`, with events that have exchanged their times: the chance level."""
    moved = moved_times(store.events(source), seed)
    return [_scored(store, source, question, options, moved) for question in questions]


def moved_times(events: Sequence[Event], seed: int = 0) -> dict[str, Span]:
    """Return the times of some events, by id, after a random exchange."""
    places = np.random.default_rng(seed).permutation(len(events))
    return {event.id: (events[place].start_s, events[place].end_s) for event, place in zip(events, places, strict=True)}


def oracle(questions: Sequence[Question]) -> list[Scored]:
    """Return the scores of retrieving exactly the evidence; below 1 if it exceeds the ranks considered."""
    return [score(question, Prediction(told=question.spans)) for question in questions]


def question_only(questions: Sequence[Question]) -> list[Scored]:
    """Return the scores of retrieving nothing."""
    return [score(question, Prediction()) for question in questions]


def told_spans(
    store: NarrativeStore, source: str, found: Retrieved, moved: Mapping[str, Span] | None = None
) -> tuple[Span, ...]:
    """Return the times of the retrieved events: by their score, then those that only chains contain.

    Args:
        store: the memory.
        source: the film's name in the memory.
        found: what was retrieved of it.
        moved: other times of events, by id.
    """
    best = sorted(found.told, key=lambda scored: (-scored.score, scored.event.id))
    events = {scored.event.id: scored.event for scored in best}
    chained = dict.fromkeys(id_ for chain in found.chains for id_ in chain.event_ids if id_ not in events)
    if chained:
        held = {event.id: event for event in store.events(source, ids=list(chained))}
        events |= {id_: held[id_] for id_ in chained if id_ in held}
    times = {event.id: (event.start_s, event.end_s) for event in events.values()}
    return tuple((moved or times)[id_] for id_ in events)


def _scored(
    store: NarrativeStore,
    source: str,
    question: Question,
    options: RetrieveOptions | None,
    moved: Mapping[str, Span] | None = None,
) -> Scored:
    found = retrieve(store, source, [question.text], options)
    return score(question, Prediction(told=told_spans(store, source, found, moved)))
