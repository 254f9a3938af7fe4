"""What a watch is, the alert it gives, and when it gives one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from agent.watch.evaluator import Judgement, Outcome
from agent.watch.options import WatchOptions
from agent.watch.webhooks import shown_address
from tools.base import SeenFrame
from tools.errors import ConfigError
from tools.media import format_clock

StateName = Literal["watching", "cooling", "cannot judge", "over budget"]

MOST_CHARACTERS = 500
"""The longest condition; our choice."""


class Watch(BaseModel):
    """A condition to watch for. The webhook may hold a secret: only its host is ever printed or serialised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    condition: str
    cooldown_s: float = 60.0
    webhook: str | None = Field(default=None, repr=False)

    @field_serializer("webhook")
    def _masked(self, webhook: str | None) -> str | None:
        return None if webhook is None else shown_address(webhook)


class Alert(BaseModel):
    """A watch's condition has come true.

    Attributes:
        watch_id: of the watch.
        condition: the person's words.
        t_s: when it was seen, media time in seconds.
        wall_s: the same as Unix time, for live sources.
        text: what the model saw, with its times in brackets; those that were not shown to it are marked unverified.
        frames: what the model was shown, oldest first.
        unverified: cited times, in seconds, at which nothing was shown.
        type: tells it from other events.
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
    """How a watch is doing.

    Attributes:
        watch: the watch.
        state: what it does now; `cannot judge` may be the model's verdict on the newest moment, or on the condition.
        reason: why, and what was wrong last.
        checked: moments judged: the model said yes, no or that it cannot judge.
        judged: of these, how often it said yes or no.
        fired: alerts given.
        skipped: remembered moments that were not judged: newer ones came, the budget was spent, or pixels were gone.
        failed: checks without a verdict: the model failed, or its answer could not be read.
        last_s: media time judged last, in seconds.
        delivered: alerts that the webhook took.
        undelivered: alerts that it did not take.
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
    """What is known of one watch; the `Watcher` changes it under its lock."""

    watch: Watch
    refusal: str
    pause_s: float
    looked_s: float | None = None  # the moment dealt with last, judged or not
    last_s: float | None = None  # the newest frame judged last
    outcome: Outcome | None = None
    told: bool = False  # the person knows of the present `yes`
    alerted_s: float | None = None
    over_budget: bool = False
    reason: str = ""
    checked: int = 0
    judged: int = 0
    fired: int = 0
    skipped: int = 0
    failed: int = 0

    def cooling(self, t_s: float) -> bool:
        return self.alerted_s is not None and t_s < self.alerted_s + self.watch.cooldown_s

    def enter(self, judgement: Judgement, options: WatchOptions) -> bool:
        """Enter a judgement; True where it calls for an alert."""
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
            self.told &= judgement.outcome == "cannot judge"
            self.pause_s = options.heartbeat_s
            return False
        pause_s = self.pause_s * 2 if before == "yes" else options.settle_s
        self.pause_s = min(pause_s, options.heartbeat_s)
        due = not self.told and not self.cooling(newest_s)
        # What has happened does not last: its next `yes` is another one.
        self.told = (self.told or due) and not judgement.happened
        if due:
            self.alerted_s = newest_s
            self.fired += 1
        return due

    def now(self, newest_s: float, options: WatchOptions) -> tuple[StateName, str]:
        """What the watch does at a media time, and why."""
        if self.refusal:
            return "cannot judge", self.refusal
        if self.over_budget:
            limits = f"{options.checks_per_minute} checks, {options.tokens_per_minute} tokens a minute"
            return "over budget", f"The budget is spent ({limits}); some moments are not judged."
        if self.outcome == "cannot judge":
            return "cannot judge", self.reason
        if self.alerted_s is not None and self.cooling(newest_s):
            again_s = self.alerted_s + self.watch.cooldown_s
            return "cooling", f"{self.reason} The next alert comes at {format_clock(again_s)} at the earliest."
        return "watching", self.reason


def check_condition(text: str) -> str:
    """Return a condition in one line.

    Raises:
        ConfigError: if it is empty or longer than `MOST_CHARACTERS`.
    """
    words = " ".join(text.split())
    if not words or len(words) > MOST_CHARACTERS:
        raise ConfigError(
            f"the condition {words[:60]!r} cannot be watched for.",
            expected=f"1 to {MOST_CHARACTERS} characters, such as 'a bicycle appears'",
        )
    return words
