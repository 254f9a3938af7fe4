"""Golden files of FREAK: replies, and the results of the authors' script with its one defect fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from evals.suites.freak.scorer import (
    PERMUTATIONS,
    Item,
    ItemError,
    score_choices,
    score_free,
    shown,
    summarise,
    without_thinking,
)
from evals.suites.golden import ABSENT, Check, Entry, GoldenFile, Verdict, check, known, read_golden, says_error, unread
from tools.errors import AttendError

MODEL_CALLS = len(PERMUTATIONS)
"""The released script asks a free question as often as one with options, though it judges only the last reply."""


class Case(Entry):
    """A question: options and a reply for each order, or a free answer and its judge's reply."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: str
    type: Literal["mcq", "fib"]
    flags: list[str] = Field(default_factory=list)
    options: list[str] | None = None
    responses: list[str] | str | None = None
    shown: list[list[str]] | None = None
    expected: dict[str, Any] | None = None
    expected_error: str | None = None


class Golden(GoldenFile):
    """A whole file; only the cases are required."""

    cases: list[Case]
    permutations: list[list[int]] | None = None
    aggregate: dict[str, float | None] | None = None


def verify(path: Path, data: Path | None = None) -> Verdict:
    """Check a golden file. Ignores `data`: the file is self-contained.

    Raises:
        MediaError: if the file cannot be read or has another format.
    """
    golden = read_golden(path, Golden)
    checks: list[Check] = []
    items: list[Item] = []
    unchecked: list[str] = []
    if golden.permutations is not None:
        checks.append(check("permutations", [("", golden.permutations, [list(order) for order in PERMUTATIONS])]))
    for case in golden.cases:
        done, item, unknown = _case(case)
        checks.append(done)
        if item is not None and case.expected_error is None:
            items.append(item)
        if unknown:
            unchecked.append(f"{case.id}: the scorer has no {', '.join(unknown)}.")
    if golden.aggregate is not None:
        done, missing = _aggregate(golden.aggregate, items)
        checks.append(done)
        unchecked += missing
    return Verdict(tuple(checks), (*unchecked, *unread(golden)))


def _case(case: Case) -> tuple[Check, Item | None, list[str]]:
    """Score a case: its check, its result if it has one, and the recorded fields that are not results of ours."""
    parts: list[tuple[str, Any, Any]] = []
    item: Item | None = None
    try:
        if case.shown is not None and case.options is not None:
            # Only the prompt without reasoning has the stray letter.
            lines = [shown(case.options, order, stray="--cot" not in case.flags) for order in PERMUTATIONS]
            parts.append(("shown", case.shown, lines))
        item = _choices(case) if case.type == "mcq" else _free(case)
    except AttendError as error:
        told = case.expected_error is not None and says_error(case.expected_error, error)
        got = case.expected_error if told else f"{type(error).__name__}: {error}"
        return check(case.id, [*parts, ("expected_error", case.expected_error or ABSENT, got)]), None, []
    if case.expected_error is not None:
        return check(case.id, [*parts, ("expected_error", case.expected_error, ABSENT)]), item, []
    recorded = case.expected or {}
    fields = _fields(case, item)
    unknown = [key for key in recorded if key not in fields]
    compared = {key: value for key, value in recorded.items() if key in fields}
    if not compared:
        parts.append(("expected", "what the script gave", case.expected or ABSENT))
    return check(case.id, [*parts, ("expected", compared, known(compared, fields))]), item, unknown


def _choices(case: Case) -> Item:
    replies = [case.responses] if isinstance(case.responses, str) else case.responses or []
    if "--thinking" in case.flags:
        begin, end = _value(case.flags, "--bot", "<think>"), _value(case.flags, "--eot", "</think>")
        replies = [without_thinking(reply, begin, end) for reply in replies]
    return score_choices(replies, published=True)


def _free(case: Case) -> Item:
    reply = _judge_reply(case.model_extra or {}) or _judge_reply(case.expected or {})
    if reply is None:
        raise ItemError("a free answer has no judge's reply.", expected="a field such as judge_output")
    return score_free(reply, published=True)


def _judge_reply(fields: Mapping[str, Any]) -> str | None:
    """Return the judge's reply under any of its field names; of several, the first, since the script asks once."""
    for name, value in fields.items():
        if "judge" in name or "verdict" in name:
            texts = value if isinstance(value, list) else [value]
            if texts and isinstance(texts[0], str):
                return texts[0]
    return None


def _fields(case: Case, item: Item) -> dict[str, Any]:
    """Return a result under the names of the authors' script and of the files."""
    corrects = [score == 1 for score in item.scores]
    fields: dict[str, Any] = {
        "type": item.type,
        "choices": list(item.choices),
        "scores": list(item.scores),
        "corrects": corrects,
        "sample_accuracy": item.accuracy,
        "sample_hallu": item.hallucination,
        "model_calls": MODEL_CALLS,
    }
    if item.type == "fib":
        fields |= {"judge_calls": 1, "score": item.scores[0]}
        # If the reply is only among the results, it is the input of the score, not a result.
        if (reply := _judge_reply(case.model_extra or {})) is not None:
            fields["llm_judge_detail"] = reply
        fields["correct"] = corrects[0]
        # A free answer has one score and no letters: files may store them without a list.
        for name, bare in (("scores", item.scores[0]), ("corrects", corrects[0]), ("choices", None)):
            if not isinstance((case.expected or {}).get(name), list):
                fields[name] = bare
    return fields


def _aggregate(recorded: dict[str, float | None], items: Sequence[Item]) -> tuple[Check, list[str]]:
    """Compare the table with one over the file's cases, if the file has as many as the table counts."""
    got, parts, missing = summarise(items), [], []
    complete = {name: recorded.get(f"n_{name}") == got[f"n_{name}"] for name in ("mcq", "fib")}
    complete["total"] = all(complete.values())
    for name, whole in complete.items():
        keys = [key for key in recorded if key.endswith(f"{name}_accuracy") or key.endswith(f"{name}_hallu")]
        if whole:
            parts += [(key, recorded[key], got.get(key, ABSENT)) for key in keys]
        elif name == "total":
            parts += [(key, recorded[key], _joined(recorded, key)) for key in keys]
        else:
            counted = f"the table counts {recorded.get(f'n_{name}')}, the file has {got[f'n_{name}']}"
            missing.append(f"aggregate.{name}_*: {counted} items of this type with a result.")
    return check("aggregate", parts), missing


def _joined(recorded: dict[str, float | None], key: str) -> float | None:
    """Compute a rate over all items from the recorded ones over each type."""
    measure = key.removeprefix("total_")
    counts = {name: recorded.get(f"n_{name}") or 0 for name in ("mcq", "fib")}
    total = sum(counts.values())
    return sum((recorded.get(f"{name}_{measure}") or 0) * n for name, n in counts.items()) / total if total else None


def _value(flags: Sequence[str], name: str, default: str) -> str:
    """Return the value of a flag, given after it or after an equals sign."""
    for number, flag in enumerate(flags):
        if flag.startswith(f"{name}="):
            return flag.partition("=")[2]
        if flag == name and number + 1 < len(flags):
            return flags[number + 1]
    return default
