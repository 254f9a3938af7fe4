"""Golden files of ProactiveBench: transcripts of the authors' package, replayed turn by turn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from pydantic import Field, ValidationError

from evals.suites.golden import ABSENT, Check, Entry, GoldenFile, Verdict, check, known, read_golden, says_error, unread
from evals.suites.proactivebench.environments import Environment, State, answer, observe, start
from evals.suites.proactivebench.records import DATASETS, Action, EntryError, FieldError, Record
from evals.suites.proactivebench.scorer import (
    SUGGESTIONS,
    is_kept,
    judge_answers,
    kept_ids,
    parse_judgement,
    rates,
    sample_open_ended_answers,
    statistics,
)
from tools.errors import AttendError

ENDS = 5
"""Number of ids in the file from each end of a list."""


class Transcript(Entry):
    """An episode: the record, what was shown and answered at each turn, and its statistics or final error."""

    id: str
    dataset: str
    entry: dict[str, Any]
    hint: bool = False
    reference: bool = False
    random: bool = False
    seed: int = 0
    turns: list[dict[str, Any]] = Field(default_factory=list)
    answers: list[str] | None = None
    finished: bool | None = None
    statistics: dict[str, Any] | None = None
    expected_error: str | None = None


class Played(Entry):
    """Accuracy and suggestions per sample over some of the transcripts."""

    ids: list[str]
    acc: float
    psr: float


class Parse(Entry):
    """A judge's reply and its parsed content."""

    judge_output: str
    expected: dict[str, int]


class OpenEnded(Entry):
    """The judge's part of free answers, for one data set."""

    dataset: str
    acronym: str
    valid_answers: str
    judge_list: list[str]
    threshold: int
    parses: list[Parse]


class Kept(Entry):
    """A list of kept samples, given by its length, ends, sum and hash."""

    n: int
    first5: list[int]
    last5: list[int]
    sum: int
    sha256_of_comma_joined_sorted_ids: str


class Loaded(Entry):
    """Rows of a file, and those that are used."""

    dataset: str
    ids_in_file: list[int]
    strong_occlusions: list[bool | None] | None = None
    ids_kept: list[int]


class Golden(GoldenFile):
    """A whole file; only the transcripts are required."""

    transcripts: list[Transcript]
    action_codes: dict[str, int] | None = None
    random_play_metrics: dict[str, Played] = Field(default_factory=dict)
    oeg: list[OpenEnded] = Field(default_factory=list)
    oeg_long_name_error: str | None = None
    filter: dict[str, Kept] = Field(default_factory=dict)
    loader: list[Loaded] = Field(default_factory=list)


def verify(path: Path, data: Path | None = None) -> Verdict:
    """Check a golden file. Ignores `data`: the file is self-contained.

    Raises:
        MediaError: if the file cannot be read or has another format.
    """
    golden = read_golden(path, Golden)
    checks, ended = [], {}
    for transcript in golden.transcripts:
        done, state = _replay(transcript)
        checks.append(done)
        if state is not None:
            ended[transcript.id] = (state.correct, len(state.turns))
    if golden.action_codes is not None:
        checks.append(check("action_codes", [("", golden.action_codes, {a.name: int(a) for a in Action})]))
    unchecked = []
    for entry in golden.oeg:
        made = _made_anew(entry.dataset, golden.transcripts)
        checks.append(_open_ended(entry, made))
        if not made:
            unchecked.append(f"oeg.{entry.dataset}: valid_answers, since no record of the data set is in the file.")
    if golden.oeg_long_name_error is not None:
        checks.append(_long_name(golden))
    checks += [_kept(name, kept) for name, kept in golden.filter.items()]
    checks += [_loaded(number, rows) for number, rows in enumerate(golden.loader)]
    for name, played in golden.random_play_metrics.items():
        if missing := [id_ for id_ in played.ids if id_ not in ended]:
            unchecked.append(
                f"random_play_metrics.{name}: {len(missing)} of its {len(played.ids)} transcripts are not in the file."
            )
            continue
        got = rates(ended[id_] for id_ in played.ids)
        parts = [("acc", played.acc, got and got.acc), ("psr", played.psr, got and got.psr)]
        checks.append(check(f"random_play_metrics.{name}", parts))
    return Verdict(tuple(checks), (*unchecked, *unread(golden)))


def _replay(transcript: Transcript) -> tuple[Check, State | None]:
    """Replay a transcript: returns its check, and the final state, None if an error ended it."""
    parts: list[tuple[str, Any, Any]] = []
    place: tuple[Environment, State] | None = None
    raised: AttendError | None = None
    try:
        for place, part in _turns(transcript):  # noqa: B007 - where it ended is used below
            parts.append(part)
    except AttendError as error:
        raised = error
    if transcript.expected_error is not None:
        # The package breaks off in the middle of a turn: the statistics are not compared.
        told = raised is not None and says_error(transcript.expected_error, raised)
        got = transcript.expected_error if told else ABSENT if raised is None else f"{type(raised).__name__}: {raised}"
        return check(transcript.id, [*parts, ("expected_error", transcript.expected_error, got)]), None
    if raised is not None:
        parts.append(("error", ABSENT, f"{type(raised).__name__}: {raised}"))
    if place is None:
        return check(transcript.id, parts), None
    environment, state = place
    if transcript.finished is not None:
        parts.append(("finished", transcript.finished, state.stopped))
    if transcript.statistics is not None:
        got_statistics = known(transcript.statistics, statistics(environment, state))
        parts.append(("statistics", transcript.statistics, got_statistics))
    return check(transcript.id, parts), state


def _turns(transcript: Transcript) -> Iterator[tuple[tuple[Environment, State], tuple[str, Any, Any]]]:
    """Play turn by turn: yields the state of the episode, and what to compare."""
    turns = transcript.turns
    try:
        record = Record.model_validate(transcript.entry)
    except ValidationError as error:
        problem = error.errors()[0]
        raise FieldError(f"entry.{'.'.join(map(str, problem['loc']))}: {problem['msg']}.") from error
    environment, state = start(transcript.dataset, record, reference=transcript.reference, random=transcript.random)
    rng = Random(transcript.seed)
    answers: list[Any] = transcript.answers or [turn.get("answer") for turn in turns]
    yield (environment, state), ("", {}, {})
    for number in range(max(len(answers), len(turns))):
        turn = turns[number] if number < len(turns) else {}
        if state.stopped:
            raise EntryError(f"the episode is over after {number} turns, the file has more.")
        seen = observe(environment, state, hint=transcript.hint)
        got: dict[str, Any] = {
            "image": seen.image,
            "video_prefix": bool(seen.preface),
            "hint_suffix": bool(seen.hint),
            "question_replaced": seen.question != record.prompt,
            "options": list(seen.options),
            "crop_box": seen.crop and list(seen.crop),
        }
        before = {key: value for key, value in turn.items() if key in got}
        yield (environment, state), (f"turns[{number}]", before, known(before, got))
        text = answers[number] if number < len(answers) else None
        if not isinstance(text, str):
            yield (environment, state), (f"turns[{number}].answer", "a text", ABSENT if text is None else text)
            return
        state = answer(environment, state, text, rng)
        last = state.turns[-1]
        got = {
            "answer": last.answer,
            "action_eval": last.option,
            "category_eval": last.category,
            "action": int(last.action),
        }
        after = {key: value for key, value in turn.items() if key not in before}
        yield (environment, state), (f"turns[{number}]", after, known(after, got))
    if transcript.expected_error is not None and not state.stopped:
        # The answer that raised may not be recorded; then one of the options shown must raise it.
        for option in observe(environment, state).options:
            answer(environment, state, option, rng)


def _made_anew(dataset: str, transcripts: list[Transcript]) -> list[str]:
    """Return the reference answers that our scorer makes of each record of a data set in the file."""
    made = []
    for transcript in transcripts:
        if transcript.dataset == dataset:
            with suppress(ValidationError, AttendError):  # a deliberately broken record
                made.append(sample_open_ended_answers(dataset, Record.model_validate(transcript.entry)))
    return made


def _open_ended(entry: OpenEnded, made: list[str]) -> Check:
    """Compare with any record of the data set: the file does not name the sample."""
    name = f"oeg.{entry.dataset}"
    parts: list[tuple[str, Any, Any]] = [
        ("acronym", entry.acronym, DATASETS.get(entry.dataset, ABSENT)),
        ("judge_list", entry.judge_list, judge_answers(entry.valid_answers)),
        ("threshold", entry.threshold, SUGGESTIONS.get(entry.acronym, ABSENT)),
    ]
    if made:
        found = entry.valid_answers if entry.valid_answers in made else made[0]
        parts.append(("valid_answers", entry.valid_answers, found))
    for number, parse in enumerate(entry.parses):
        try:
            got: Any = asdict(parse_judgement(entry.valid_answers, parse.judge_output, entry.acronym))
        except AttendError as error:
            got = f"{type(error).__name__}: {error}"
        parts.append((f"parses[{number}] {parse.judge_output!r}", parse.expected, got))
    return check(name, parts)


def _long_name(golden: Golden) -> Check:
    """Check that a data set's full name is rejected instead of its acronym, as by the package."""
    name, recorded = (
        next(name for name, acronym in DATASETS.items() if name != acronym),
        golden.oeg_long_name_error or "",
    )
    try:
        parse_judgement("a, b.", "0,1", name)
    except AttendError as error:
        got = recorded if says_error(recorded, error) else type(error).__name__
    else:
        got = ABSENT
    return check("oeg_long_name_error", [("", recorded, got)])


def _kept(dataset: str, kept: Kept) -> Check:
    ids = sorted(kept_ids(dataset)) if dataset in DATASETS else []
    got = {
        "n": len(ids),
        "first5": ids[:ENDS],
        "last5": ids[-ENDS:],
        "sum": sum(ids),
        "sha256_of_comma_joined_sorted_ids": hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest(),
    }
    return check(f"filter.{dataset}", [("", kept.model_dump(), got)])


def _loaded(number: int, rows: Loaded) -> Check:
    marks = rows.strong_occlusions or [None] * len(rows.ids_in_file)
    if rows.dataset not in DATASETS or len(marks) != len(rows.ids_in_file):
        return check(f"loader[{number}]", [("dataset", rows.dataset, ABSENT)])
    kept = [id_ for id_, mark in zip(rows.ids_in_file, marks, strict=True) if is_kept(rows.dataset, id_, mark)]
    return check(f"loader[{number}]", [("ids_kept", rows.ids_kept, kept)])
