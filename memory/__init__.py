"""What the agent has seen. Imports `tools.media`, `tools.errors` and the like, and neither `agent` nor `evals`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from memory.narrative.store.narrative_store import NarrativeStore
    from memory.store.frames import FrameStore
    from memory.stream.memory import StreamMemory

__all__ = ["FrameStore", "NarrativeStore", "StreamMemory"]

__getattr__ = make_getattr(
    __name__,
    {
        "FrameStore": "memory.store.frames",
        "NarrativeStore": "memory.narrative.store.narrative_store",
        "StreamMemory": "memory.stream.memory",
    },
)
