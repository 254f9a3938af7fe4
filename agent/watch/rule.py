"""Watch rules: conditions, alerts, and the state that decides when an alert is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from agent.watch.detected import DetectedWatch
from agent.watch.evaluator import Judgement, Outcome
from agent.watch.options import WatchOptions
from agent.watch.speech import Spoken
from agent.watch.webhooks import shown_address
from tools.base import SeenFrame
from tools.errors import ConfigError
from tools.media import format_clock

StateName = Literal["watching", "cooling", "cannot judge", "over budget"]

MAX_CONDITION_CHARS = 500
"""Maximum length of a condition."""


class Watch(BaseModel):
    """A condition to watch for. The webhook URL may contain a secret: only its host is ever printed or serialised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    condition: str
    cooldown_s: float = 60.0
    webhook: str | None = Field(default=None, repr=False)

    @field_serializer("webhook")
    def _masked(self, webhook: str | None) -> str | None:
        return None if webhook is None else shown_address(webhook)


class Alert(BaseModel):
    """An alert: the condition of a watch has become true.

    Attributes:
        watch_id: the watch.
        condition: its condition.
        t_s: when it was seen, media time in seconds.
        wall_s: the same as Unix time, for live sources.
        text: the model's description, with times in brackets; times that it was not shown are marked unverified.
        frames: the frames that the model was shown, oldest first.
        unverified: cited times, in seconds, that the model was not shown.
        type: discriminator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["alert"] = "alert"
    watch_id: str
    condition: str
    t_s: float
    wall_s: float | None
    text: str
    frames: list[SeenFrame]
    unverified: tuple[float, ...] = ()


class WatchStatus(BaseModel):
    """Status of a watch.

    Attributes:
        watch: the watch.
        state: current state; `cannot judge` concerns either the newest moment or the condition as such.
        reason: the reason for the state, or the last problem.
        checked: moments with a verdict: yes, no or cannot judge.
        judged: of these, the ones with yes or no.
        fired: alerts raised.
        skipped: remembered moments not judged: replaced by newer ones, over budget, or without pixels.
        failed: checks without a verdict: the model failed, or its answer was invalid.
        last_s: media time judged last, in seconds.
        delivered: alerts delivered to the webhook.
        undelivered: alerts that could not be delivered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    watch: Watch
    state: StateName
    reason: str
    checked: int
    judged: int
    fired: int
    skipped: int
    failed: int
    last_s: float | None
    delivered: int = 0
    undelivered: int = 0


@dataclass
class WatchState:
    """Mutable state of a watch; the `Watcher` changes it under its lock."""

    watch: Watch
    refusal: str
    pause_s: float
    detected: DetectedWatch | None = None  # decides the condition; None leaves it to the model
    looked_s: float | None = None  # the last moment handled, judged or not
    last_s: float | None = None  # the newest frame of the last judgement
    outcome: Outcome | None = None
    alerted: bool = False  # the current `yes` has raised an alert
    alerted_s: float | None = None
    over_budget: bool = False
    reason: str = ""
    checked: int = 0
    judged: int = 0
    fired: int = 0
    skipped: int = 0
    failed: int = 0
    spoken: Spoken | None = None  # what it listens for, if it is about speech
    heard_s: float = -1.0  # the start of the last utterance judged

    def cooling(self, t_s: float) -> bool:
        return self.alerted_s is not None and t_s < self.alerted_s + self.watch.cooldown_s

    def enter(self, judgement: Judgement, options: WatchOptions) -> bool:
        """Record a judgement; return whether an alert is due."""
        before, self.outcome = self.outcome, judgement.outcome or self.outcome
        self.reason = judgement.answer.text
        if judgement.outcome is None:
            self.failed += 1
            return False
        newest_s = judgement.frames[-1].t_s
        self.looked_s, self.last_s = max(self.looked_s or 0.0, newest_s), newest_s
        self.checked += 1
        self.judged += judgement.outcome != "cannot judge"
        if judgement.outcome != "yes":
            self.alerted &= judgement.outcome == "cannot judge"
            self.pause_s = options.heartbeat_s
            return False
        pause_s = self.pause_s * 2 if before == "yes" else options.settle_s
        self.pause_s = min(pause_s, options.heartbeat_s)
        due = not self.alerted and not self.cooling(newest_s)
        # An event is over at once: the next `yes` is another event.
        self.alerted = (self.alerted or due) and not judgement.happened
        if due:
            self.alerted_s = newest_s
            self.fired += 1
        return due

    def now(self, newest_s: float, options: WatchOptions) -> tuple[StateName, str]:
        """Return the state of the watch at a media time, and the reason."""
        if self.refusal:
            return "cannot judge", self.refusal
        if self.over_budget:
            limits = f"{options.checks_per_minute} checks, {options.tokens_per_minute} tokens per minute"
            return "over budget", f"The budget is spent ({limits}); some moments are not judged."
        if self.outcome == "cannot judge":
            return "cannot judge", self.reason
        if self.alerted_s is not None and self.cooling(newest_s):
            again_s = self.alerted_s + self.watch.cooldown_s
            return "cooling", f"{self.reason} The next alert comes at {format_clock(again_s)} at the earliest."
        return "watching", self.reason


def check_condition(text: str) -> str:
    """Normalise a condition to one line.

    Raises:
        ConfigError: if it is empty or longer than `MAX_CONDITION_CHARS`.
    """
    words = " ".join(text.split())
    if not words or len(words) > MAX_CONDITION_CHARS:
        raise ConfigError(
            f"cannot watch for the condition {words[:60]!r}.",
            expected=f"1 to {MAX_CONDITION_CHARS} characters, such as 'a bicycle appears'",
        )
    return words
