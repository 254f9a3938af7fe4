"""Golden files for human label variation: labels of annotators and runs, and the scores of the authors' functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from evals.suites.golden import ABSENT, Check, Entry, GoldenFile, Verdict, check, known, read_golden, unread
from evals.suites.hlv.scorer import (
    Soft,
    agreement_performance,
    agreement_score,
    binary,
    is_disputed,
    krippendorff_alpha,
    soft_scores,
    summarise,
)
from tools.errors import AttendError

Label = int | bool | str | float | None
Labels = dict[str, dict[str, list[int]]]
"""Labels by question and post."""


class Row(Entry):
    """One annotator's labels of one post, in the order of the file's questions; null for a missing one."""

    post: str
    annotator: str
    labels: list[Label]


class Item(Entry):
    """One post and question with its scores."""

    post: str
    task: str
    human: list[int]
    runs: list[int]
    human_soft: float | None = None
    model_soft: float | None = None
    brier: float | None = None
    kl: float | None = None
    entropy: float | None = None
    bin: str | None = None
    agreement_score: float | None = None
    model_self_agreement: float | None = None


class Golden(GoldenFile):
    """A whole file; questions, annotators' labels and items are required."""

    questions: list[str]
    human: list[Row]
    items: list[Item]
    single_run: dict[str, list[Label]] = Field(default_factory=dict)
    krippendorff_alpha: dict[str, float | None] = Field(default_factory=dict)
    post_in_disagreement_subset: dict[str, bool] = Field(default_factory=dict)
    agreement_perf_per_annotation: dict[str, dict[str, float]] | None = None
    agreement_perf_per_item: dict[str, dict[str, float]] | None = None
    mean_brier_by_bin: dict[str, float] | None = None
    mean_kl_disagreement: float | None = None
    agreement_score_probe: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_whole_rows(self) -> Self:
        rows = [(row.post, row.labels) for row in self.human] + list(self.single_run.items())
        for post, labels in rows:
            if len(labels) != len(self.questions):
                raise ValueError(f"post {post!r} has {len(labels)} labels for {len(self.questions)} questions")
        return self


def verify(path: Path, data: Path | None = None) -> Verdict:
    """Check a golden file. Ignores `data`: the file is self-contained.

    Raises:
        MediaError: if the file cannot be read or has another format.
    """
    golden = read_golden(path, Golden)
    human = _by_question(golden)
    posts = list(dict.fromkeys(row.post for row in golden.human))
    disputed = {post: is_disputed([held[post] for held in human.values() if post in held]) for post in posts}
    checks = [
        check(f"krippendorff_alpha.{name}", [("", alpha, _alpha(human, name))])
        for name, alpha in golden.krippendorff_alpha.items()
    ]
    checks += [
        check(f"post_in_disagreement_subset.{post}", [("", recorded, disputed.get(post, ABSENT))])
        for post, recorded in golden.post_in_disagreement_subset.items()
    ]
    for name, tables, each in (
        ("agreement_perf_per_annotation", golden.agreement_perf_per_annotation, True),
        ("agreement_perf_per_item", golden.agreement_perf_per_item, False),
    ):
        if tables is not None:
            checks += _performances(name, tables, golden, human, each)
    scored: list[tuple[str, Soft]] = []
    for item in golden.items:
        checks.append(_item(item, human, scored))
    checks += [_probe(labels, recorded) for labels, recorded in golden.agreement_score_probe.items()]
    means, missing = _means(golden, human, scored, [post for post, is_in in disputed.items() if is_in])
    return Verdict((*checks, *means), (*missing, *unread(golden)))


def _by_question(golden: Golden) -> Labels:
    """Return labels by question and post; the last of an annotator's repeated rows counts; invalid labels are left
    out."""
    rows = {(row.post, row.annotator): row.labels for row in golden.human}
    labels: Labels = {question: {} for question in golden.questions}
    for (post, _), values in rows.items():
        for question, value in zip(golden.questions, values, strict=True):
            if (label := binary(value)) is not None:
                labels[question].setdefault(post, []).append(label)
    return labels


def _alpha(human: Labels, question: str) -> Any:
    return krippendorff_alpha(list(human[question].values())) if question in human else ABSENT


def _performances(
    name: str, recorded: Mapping[str, Any], golden: Golden, human: Labels, each_annotation: bool
) -> list[Check]:
    """Compare the tables of one way of counting; posts with one annotator count, as in the authors' code."""
    got: dict[str, dict[str, float]] = {}
    for place, question in enumerate(golden.questions):
        guesses = {post: binary(said[place]) for post, said in golden.single_run.items()}
        found = agreement_performance(
            human[question],
            {post: guess for post, guess in guesses.items() if guess is not None},
            each_annotation=each_annotation,
            least_annotators=1,
        )
        if found is not None:
            got[question] = asdict(found)
    return [
        check(f"{name}.{question}", [("", recorded.get(question, ABSENT), got.get(question, ABSENT))])
        for question in [*recorded, *(question for question in got if question not in recorded)]
    ]


def _item(item: Item, human: Labels, scored: list[tuple[str, Soft]]) -> Check:
    name = f"{item.post}/{item.task}"
    try:
        soft = soft_scores(item.human, item.runs)
    except AttendError as error:
        return check(name, [("human, runs", "labels", f"{type(error).__name__}: {error}")])
    scored.append((item.post, soft))
    recorded = item.model_dump(exclude_unset=True, exclude={"post", "task", "human", "runs"})
    labels = human.get(item.task, {}).get(item.post)
    given = ("human", sorted(item.human), sorted(labels) if labels else ABSENT)
    return check(name, [given, ("", recorded, known(recorded, asdict(soft)))])


def _probe(labels: str, recorded: float) -> Check:
    """Check a score whose labels are a list in its name."""
    try:
        got: Any = agreement_score(json.loads(labels))
    except (json.JSONDecodeError, TypeError, AttendError) as error:
        got = f"{type(error).__name__}: {error}"
    return check(f"agreement_score_probe.{labels}", [("", recorded, got)])


def _means(
    golden: Golden, human: Labels, scored: Sequence[tuple[str, Soft]], disputed: Sequence[str]
) -> tuple[list[Check], list[str]]:
    """Compare the means over all items, or report that the file lacks some."""
    got, checks, missing = summarise(scored, disputed), [], []
    held = {(item.post, item.task) for item in golden.items}
    lost = [(post, question) for question, posts in human.items() for post in posts if (post, question) not in held]
    for name in ("mean_brier_by_bin", "mean_kl_disagreement"):
        if name not in golden.model_fields_set:
            continue
        lacking = [post for post, _ in lost if name == "mean_brier_by_bin" or post in disputed]
        if lacking:
            missing.append(f"{name}: the file lacks {len(lacking)} of its items.")
        else:
            checks.append(check(name, [("", getattr(golden, name), got[name])]))
    return checks, missing
