"""Settings of perception: what is detected while a source is watched, and named zones of its picture."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tools.perception.zones import parse_zone


class PerceptionOptions(BaseModel):
    """What is detected while a source is watched. No person is identified, and no face is recognised.

    Attributes:
        detect: detect objects and people in sampled frames, and keep them as evidence; None where notes are taken.
        share: share of one core that detection may take of a source that plays; frames that come meanwhile are skipped.
        zones: named zones of the picture, as `NAME: X,Y X,Y X,Y ...` in shares of its width and height.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detect: bool | None = None
    share: float = Field(default=0.15, gt=0, le=1)
    zones: tuple[str, ...] = ()

    @field_validator("zones")
    @classmethod
    def _are_zones(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        names = [parse_zone(text).name for text in zones]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two zones are named {min(twice)!r}")
        return zones
