"""Settings of narrative memory, with their defaults and ranges."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

FOLDER, FILE_NAME = "narrative", "narrative.sqlite"
"""Where narrative memory lies in the folder of the settings, and its file."""


class NarrativeOptions(BaseModel):
    """How narrative memory is built and searched.

    Attributes:
        server: address of a Chroma server (`chroma run`), such as `http://127.0.0.1:8000`, that stores the vectors for
            several processes; "" stores them in a folder.
        pictures: frames of a segment that the model sees when it describes it; 0 shows none.
        side_px: maximum length of the longer side of stored pictures.
        quota_mb: maximum size of the pictures of films, in MiB; the oldest are removed first.
        most_calls: maximum number of calls to the model; a build that would need more does not start.
        most_tokens: maximum number of tokens, estimated; a build that would need more does not start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str = ""
    pictures: int = Field(default=3, ge=0, le=16)
    side_px: int = Field(default=640, ge=64, le=4_096)
    quota_mb: int = Field(default=512, ge=16, le=1 << 20)
    most_calls: int = Field(default=5_000, ge=1)
    most_tokens: int = Field(default=5_000_000, ge=1)
