"""Shared parts of suites about moments of videos: options, prompts, samples for the engine, and figures."""

from __future__ import annotations

import statistics
import string
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evals.engine.suite import Baseline, Clip, Judged, Sample, Scored, Transcript
from evals.stats.means import Outcome, rate
from memory.stream.options import PolicyName
from tools.errors import ConfigError

SPEAK_TIMES = 4
"""Token limit of a proactive answer relative to that of a letter."""

Scores = dict[str, bool]
"""Right or wrong by scoring: `official` and `strict` always, and others in some suites."""


class MomentOptions(BaseModel):
    """The shared options; None leaves the setting unchanged.

    Attributes:
        part: the parts or tracks to run, with commas between; "" is all available ones.
        max_tokens: maximum number of tokens of a letter, a number, yes or no.
        prompt: a TOML file of templates by kind, instead of ours.
        policy, tiers, budget: the memory's policy, whether it keeps key moments beside its queue, and how many frames.
        fps: frames processed per second of video.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    known_parts: ClassVar[tuple[str, ...]] = ()

    part: str = ""
    max_tokens: int = Field(default=16, ge=1, le=4096)
    prompt: Path | None = None
    policy: PolicyName | None = None
    tiers: bool | None = None
    budget: int | None = Field(default=None, ge=1, le=1024)
    fps: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("part")
    @classmethod
    def _is_known(cls, part: str) -> str:
        for name in filter(None, part.split(",")):
            if name not in cls.known_parts:
                raise ValueError(f"unknown part {name!r}, expected one of {', '.join(cls.known_parts)}")
        return part

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts to run; empty is all available ones."""
        return tuple(filter(None, self.part.split(",")))

    @property
    def settings(self) -> dict[str, object]:
        """The settings that these options replace, by dotted path."""
        given = {
            "memory.policy": self.policy,
            "memory.tiers": self.tiers,
            "memory.capacity": self.budget,
            "media.fps": self.fps,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Moment:
    """A question about a moment of a video, from the annotation.

    Attributes:
        id: unique within the suite.
        group: its part or track.
        task: its task within that part.
        video: the video's name in the annotation; questions about one video are not independent.
        path: the file to play; None if it was not found.
        kind: the kind of prompt.
        question: the bare question.
        words: values of the prompt's placeholders.
        target: the right answer.
        asked_s: media time of the question in seconds; nothing later is seen.
        context_s: seconds of video seen before the question; None is everything from the start.
        polls_s: media times at which to repeat a question that waits for an event, in seconds; else empty.
        due_s: when an awaited answer is right, in seconds; else None.
    """

    id: str
    group: str
    task: str
    video: str
    path: Path | None
    kind: str
    question: str
    words: Mapping[str, str]
    target: str
    asked_s: float
    context_s: float | None = None
    polls_s: tuple[float, ...] = ()
    due_s: float | None = None


def as_sample(moment: Moment, folder: Path, file: Path, options: MomentOptions, prompts: Mapping[str, str]) -> Sample:
    """Return a moment as a sample of the engine; if its video was not found, the sample names the expected path."""
    return Sample(
        id=moment.id,
        task=moment.task,
        cluster=moment.video,
        source=str((moment.path or folder / moment.video.lstrip("/")).absolute()),
        clip=Clip(
            prompt=prompts[moment.kind].format_map(moment.words),
            asked_s=moment.asked_s,
            context_s=moment.context_s,
            polls_s=moment.polls_s,
            speak=prompts["speak"].format_map(moment.words) if moment.polls_s else "",
            speak_tokens=SPEAK_TIMES * options.max_tokens,
        ),
        questions=(moment.question,),
        settings=options.settings,
        max_tokens=options.max_tokens,
        reference=moment.target,
        slices={"part": moment.group},
        fields={"moment": moment},
        file=file,
    )


def read_prompts(path: Path | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the suite's templates, replaced by those of a TOML file.

    Raises:
        ConfigError: if the file cannot be read, or names a kind or a placeholder that the suite does not have.
    """
    if path is None:
        return dict(defaults)
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"cannot read the prompt file {str(path)!r}: {error}.", expected='TOML such as choice = "..."'
        ) from error
    for kind, template in given.items():
        if kind not in defaults or not isinstance(template, str):
            raise ConfigError(
                f"the prompt file {str(path)!r} sets the unknown kind {kind!r}.",
                expected=f"texts for {', '.join(defaults)}",
            )
        known = _placeholders(defaults[kind], kind)
        if unknown := _placeholders(template, kind) - known:
            raise ConfigError(
                f"the prompt {kind!r} of {str(path)!r} has the unknown placeholder {sorted(unknown)[0]!r}.",
                expected=f"only {', '.join(sorted(known))}, in braces; other braces are doubled",
            )
    return {**defaults, **given}


def _placeholders(template: str, kind: str) -> set[str]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ConfigError(f"the prompt {kind!r} is malformed: {error}.", remedy="Double literal braces.") from error


Rate = Callable[[Moment, str, float | None], Scores]
"""Scores a reply given at a media time in seconds; None: the model never spoke."""


def scores_of(rate_reply: Rate, sample: Sample, transcript: Transcript) -> Scores:
    """Score an attempt in every way; a baseline plays nothing, and answers when due."""
    moment: Moment = sample.fields["moment"]
    said_s = transcript.outcome.get("said_s", moment.due_s)
    assert said_s is None or isinstance(said_s, int | float)
    return rate_reply(moment, transcript.answer, said_s)


def scorer(rate_reply: Rate) -> Callable[[Sample, Transcript], Scored]:
    """Return the suite's scorer: right by the strict scoring."""
    return lambda sample, transcript: Scored(value=float(scores_of(rate_reply, sample, transcript)["strict"]))


def figures(rate_reply: Rate) -> Callable[[Sequence[Judged]], dict[str, float]]:
    """Return the figures of a run: shares right by each scoring and average, failures as wrong, and what was shown."""

    def measure(judged: Sequence[Judged]) -> dict[str, float]:
        found: dict[str, float] = {}
        scored = [(one, scores_of(rate_reply, one[0], one[1])) for one in judged]
        for name in dict.fromkeys(name for _, scores in scored for name in scores):
            rated = [(one, scores[name] and not one[1].failure) for one, scores in scored if name in scores]
            found |= _shares(name.replace("_", " "), rated)
        made = [transcript for _, transcript, _ in judged if not transcript.failure]
        found["unanswered"] = float(len(judged) - sum(bool(one.answer.strip()) for one in made))
        for key, label in (
            ("frames", "mean frames shown"),
            ("tokens", "mean input tokens"),
            ("span_s", "mean seconds shown"),
            ("clear_share", "share of clear frames"),
        ):
            values = [value for one in made if isinstance(value := one.outcome.get(key), int | float)]
            if values:
                found[label] = statistics.fmean(values)
        return found

    return measure


def _shares(name: str, rated: Sequence[tuple[Judged, bool]]) -> dict[str, float]:
    outcomes = [_outcome(one, right) for one, right in rated]
    answered = [_outcome(one, right) for one, right in rated if not one[1].failure and one[1].answer.strip()]
    found = {
        f"{name}: micro": rate(outcomes).value,
        f"{name}: macro over tasks": rate(outcomes, "macro").value,
        f"{name}: mean of the parts' macro": rate(outcomes, "groups").value,
        f"{name}: answered only": rate(answered).value,
    }
    for part in dict.fromkeys(outcome.group for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.group == part]
        found |= {f"{name}: {part}, micro": rate(own).value, f"{name}: {part}, macro": rate(own, "macro").value}
    return {label: value for label, value in found.items() if value is not None}


def _outcome(judged: Judged, right: bool) -> Outcome:
    moment: Moment = judged[0].fields["moment"]
    return Outcome(moment.video, moment.group, moment.task, right)


def oracle(sample: Sample, rng: Random) -> str:
    """Give the right answer, when it is due."""
    return sample.reference


def random_choice(choices: Mapping[str, Sequence[str]]) -> Baseline:
    """Give a random one of the answers to a kind of question; nothing if it has none."""

    def say(sample: Sample, rng: Random) -> str:
        moment: Moment = sample.fields["moment"]
        return rng.choice(choices[moment.kind]) if moment.kind in choices else ""

    return say
