"""Settings of hearing, with defaults and ranges."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HearingOptions(BaseModel):
    """How speech is turned into text.

    Attributes:
        enabled: listen to sources that have sound, where the extra `hear` is installed.
        model: a folder with a Whisper model in CTranslate2's format; "" takes the installed package: the multilingual
            base model, else the English tiny one.
        threads: threads of the recogniser.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    model: str = ""
    threads: int = Field(default=1, ge=1, le=64)
