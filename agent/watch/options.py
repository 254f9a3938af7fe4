"""Settings of watches, with defaults and ranges."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WatchOptions(BaseModel):
    """Settings of watches. Minutes are minutes of media time.

    Attributes:
        cooldown_s: minimum time between two alerts of a watch.
        checks_per_minute: maximum model calls per minute, over all watches, including repairs.
        tokens_per_minute: no call starts once this many input and output tokens were spent within a minute.
        heartbeat_s: evaluate the newest frame if there was no new moment for this long.
        settle_s: after a `yes`, evaluate the newest frame this soon, to see when the condition ends; the pause then
            doubles up to `heartbeat_s`.
        frames: frames shown per check, including the newest.
        max_tokens: maximum tokens of a verdict.
        webhook_timeout_s: timeout of a webhook request.
        webhook_tries: attempts before an alert counts as undelivered.
        webhook_backoff_s: pause before the second attempt; it doubles with each.
        webhook_queue: length of the webhook queue; further alerts count as undelivered.
        webhook_picture: include the newest picture of an alert, as a JPEG in base64.
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
