"""Every setting of narrative memory, with its default and range."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

FOLDER, FILE_NAME = "narrative", "narrative.sqlite"
"""Where narrative memory lies in the folder of the settings, and its file."""


class NarrativeOptions(BaseModel):
    """How narrative memory is built and asked. All values are our choice.

    Attributes:
        server: the address of a Chroma server (`chroma run`), such as `http://127.0.0.1:8000`, that holds the vectors
            for several processes; "" keeps them in a folder.
        pictures: frames of a segment that the model is shown, so that it says what happens; 0 shows none.
        side_px: the longer side of the pictures that are kept, at most.
        quota_mb: the most that pictures of films may take, in MiB; the oldest make room.
        most_calls: a build that would ask the model more often is not begun.
        most_tokens: a build that would take more tokens, as estimated, is not begun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str = ""
    pictures: int = Field(default=3, ge=0, le=16)
    side_px: int = Field(default=640, ge=64, le=4_096)
    quota_mb: int = Field(default=512, ge=16, le=1 << 20)
    most_calls: int = Field(default=5_000, ge=1)
    most_tokens: int = Field(default=5_000_000, ge=1)
