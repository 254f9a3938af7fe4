"""Scores of ProactiveBench: statistics of an episode, accuracy, suggestions per sample, and judged free answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any

from evals.suites.proactivebench.environments import (
    FARTHER_OPTION,
    REWIND_OPTION,
    Environment,
    State,
    answer,
    observe,
    right_answers,
    start,
)
from evals.suites.proactivebench.matching import robust
from evals.suites.proactivebench.records import CIT, COCO, DATASETS, INC, MVPN, QD, ROD, VSOD, Record
from tools.errors import AttendError

SUGGESTIONS = {"ROD": 2, "VSOD": 3, "MVP-N": 2, "IN-C": 1, "QD": 1, "CIT": 2, "COCO": 2}
"""Number of the judge's reference answers, from the first, that are suggestions rather than the class."""

FIXED_SUGGESTIONS = {
    ROD: ("Move the blocks", "Move the camera"),
    VSOD: ("Wait for the occlusion to disappear", "Rewind the video", "Move the camera"),
    MVPN: ("Rotate the object", "Move the camera"),
    QD: ("Add more details to the drawing",),
    COCO: ("Move the camera", FARTHER_OPTION.rstrip(".")),
}
"""The suggestions in a judge's prompt for any sample; ImageNet-C and ChangeIt use the sample's options."""

_BITS = re.compile(r"[01](?:\s*,\s*[01])*")


class UnknownDataset(AttendError, KeyError):
    """A judgement does not name its data set by acronym; the package stops with a KeyError here."""

    __str__ = AttendError.__str__


@dataclass(frozen=True)
class Judgement:
    """A judge's findings in a free answer: a suggestion, the class, either; each 0 or 1."""

    proactive_suggestion: int = 0
    category_prediction: int = 0
    aggregate: int = 0


@dataclass(frozen=True)
class Rates:
    """Accuracy in percent and suggestions per sample, over all samples, right or wrong."""

    n: int
    acc: float
    psr: float


def statistics(environment: Environment, state: State) -> dict[str, Any]:
    """Return an episode's record, under the package's names; `max_steps` also applies to successes at the limit."""
    return {
        "num_turns": len(state.turns),
        "generated_answers": [turn.answer for turn in state.turns],
        "action_evaluations": [turn.option for turn in state.turns],
        "category_evaluations": [turn.category for turn in state.turns],
        "correct_prediction": state.correct,
        "image_id_history": [turn.image for turn in state.turns],
        "action_history": [int(turn.action) for turn in state.turns],
        "max_steps": len(state.turns) == environment.max_steps,
    }


def play(
    dataset: str, record: Record, reply: Callable[[int], str], *, reference: bool = False, lenient: bool = False
) -> State:
    """Play one sample to its end with `reply(turn)`, counted from 0; `lenient` reads answers like `robust`.

    Raises:
        EntryError, OptionError: as `environments.start` and `environments.answer`.
    """
    environment, state = start(dataset, record, reference=reference)
    while not state.stopped:
        text = reply(len(state.turns))
        state = answer(environment, state, robust(text, observe(environment, state).options) if lenient else text)
    return state


def rates(episodes: Iterable[tuple[bool, int]]) -> Rates | None:
    """Return accuracy and suggestions per sample, from (right, turns) of each; None without any.

    The last turn counts as the answer, so an episode that ran out of turns, or ended by a wrong repair, has one
    suggestion fewer than were made (authors' example script for MCQA). Omit episodes that failed before their first
    turn.
    """
    held = list(episodes)
    if not held:
        return None
    return Rates(len(held), 100 * fmean(right for right, _ in held), fmean(turns - 1 for _, turns in held))


def open_ended_answers(dataset: str, suggestions: Sequence[str], categories: Sequence[str]) -> str:
    """Return the reference answers of a free question as one text, the input of the judge's prompt.

    Args:
        dataset: the stem of its file.
        suggestions: the right options on the first image; used by ImageNet-C and ChangeIt.
        categories: the right categories; ignored if the first image cannot tell (ROD, MVP-N).
    """
    if dataset in (ROD, MVPN):
        named, separator = list(FIXED_SUGGESTIONS[dataset]), ", "
    elif dataset in (INC, CIT):
        options = [*suggestions, REWIND_OPTION] if dataset == CIT else suggestions
        named, separator = [text.replace(".", "") for text in [*options, *categories]], "," if dataset == CIT else ", "
    else:
        classes = ", ".join(category.replace(".", "") for category in categories)
        named, separator = [*FIXED_SUGGESTIONS[dataset], classes], ", "
    return separator.join(named) + "."


def sample_open_ended_answers(dataset: str, record: Record) -> str:
    """Return the reference answers of one sample on its first image."""
    environment, state = start(dataset, record)
    return open_ended_answers(dataset, *right_answers(environment, state))


def judge_answers(valid_answers: str) -> list[str]:
    """Return the list for the judge: split at commas, without full stops."""
    return [text.strip().replace(".", "") for text in valid_answers.split(",")]


def parse_judgement(valid_answers: str, reply: str, acronym: str) -> Judgement:
    """Parse a judge's bits: the last run of 0 and 1 with commas anywhere in its reply; with another length, all are 0.

    Raises:
        UnknownDataset: if the data set is not named by its acronym and the bits would count.
    """
    runs = _BITS.findall(reply)
    bits = [int(bit) for bit in runs[-1].split(",")] if runs else []
    if not bits or len(bits) != sum(bool(text.strip()) for text in valid_answers.split(",")):
        return Judgement()
    if acronym not in SUGGESTIONS:
        raise UnknownDataset(f"unknown data set {acronym!r}.", expected=f"one of {', '.join(SUGGESTIONS)}")
    count = SUGGESTIONS[acronym]
    suggested, classified = int(1 in bits[:count]), int(1 in bits[count:])
    return Judgement(suggested, classified, suggested | classified)


@cache
def kept_ids(dataset: str) -> frozenset[int]:
    """Return the samples of a data set that the authors kept after removing those that models answer at once.

    The numbers are data of the package proactivebench 0.1.1 (MIT; see LICENSE-proactivebench.txt).
    """
    if dataset not in DATASETS:
        raise UnknownDataset(f"unknown data set {dataset!r}.", expected=f"one of {', '.join(DATASETS)}")
    spans = json.loads(files(__package__).joinpath("kept_ids.json").read_text("utf-8"))[dataset].split()
    ends = [[int(end) for end in span.split("-")] for span in spans]
    return frozenset(number for end in ends for number in range(end[0], end[-1] + 1))


def is_kept(dataset: str, id_: int, strong_occlusions: bool | None = None) -> bool:
    """Return whether a row is used: it was kept, and its occlusion is not marked as weak."""
    return id_ in kept_ids(dataset) and strong_occlusions is not False
