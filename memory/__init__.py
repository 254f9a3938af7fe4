"""Memory of what the agent has seen: streams of frames and narratives.

Imports `tools.media`, `tools.errors` and a few helpers of `tools`; never `agent` or `evals`.
"""

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
