"""Every setting of watching, with its default and range."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WatchOptions(BaseModel):
    """How conditions are watched for. All values are our choice; a minute is one of media time.

    Attributes:
        cooldown_s: after an alert of a watch, its next one comes this much later at the earliest.
        checks_per_minute: the most calls of the model in any minute, over all watches, repairs included.
        tokens_per_minute: no call is begun when this many input and output tokens were spent within a minute.
        heartbeat_s: a watch looks at the newest frame when nothing was remembered for this long.
        settle_s: after a `yes`, the newest frame is looked at this soon, to see it end; the pause then doubles up to
            `heartbeat_s`.
        frames: frames shown for one check, the newest included.
        max_tokens: the most tokens of one verdict.
        webhook_timeout_s: how long a webhook may take to accept an alert.
        webhook_tries: how often an alert is sent before it counts as undelivered.
        webhook_backoff_s: the pause before the second try; it doubles with each.
        webhook_queue: alerts waiting to be sent to webhooks; more count as undelivered.
        webhook_picture: send the newest picture of an alert along, as a JPEG in base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cooldown_s: float = Field(default=60.0, ge=0, le=86_400, allow_inf_nan=False)
    checks_per_minute: int = Field(default=60, ge=1, le=6_000)
    tokens_per_minute: int = Field(default=60_000, ge=100)
    heartbeat_s: float = Field(default=30.0, gt=0, le=3_600, allow_inf_nan=False)
    settle_s: float = Field(default=5.0, gt=0, le=3_600, allow_inf_nan=False)
    frames: int = Field(default=3, ge=1, le=16)
    max_tokens: int = Field(default=200, ge=16, le=10_000)
    webhook_timeout_s: float = Field(default=5.0, gt=0, le=300, allow_inf_nan=False)
    webhook_tries: int = Field(default=4, ge=1, le=20)
    webhook_backoff_s: float = Field(default=1.0, ge=0, le=300, allow_inf_nan=False)
    webhook_queue: int = Field(default=100, ge=1, le=10_000)
    webhook_picture: bool = False
