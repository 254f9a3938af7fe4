"""The one protocol that every model backend meets.

A backend is a langchain-core chat model (`BaseChatModel`) with declared abilities. It takes text and image blocks,
streams tokens, may call tools, and reports usage. `tests/mllm_conformance.py` is the suite that each backend passes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, NonNegativeInt

Detail = Literal["clear", "fuzzy", "glance"]
"""How much of a frame a model is shown: all of it, a reduced form, or the least that the backend can express."""


class Abilities(BaseModel):
    """What a backend can do; the agent asks before it relies on it.

    Attributes:
        images: whether image blocks are understood.
        max_images: the most images one request may hold; None where no limit is known.
        tool_calls: whether `bind_tools` works.
        grounding: whether positions can be asked for and come back as boxes.
        embeddings: whether `embed_image` works.
        details: the levels of detail that differ for this backend; others fall back to the nearest higher one.
        context_tokens: the context window in tokens; None where unknown.
        max_side_px: pictures are scaled down to this longer side before they are handed over; None keeps their size.
        local: whether everything stays on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: bool
    max_images: NonNegativeInt | None = None
    tool_calls: bool = False
    grounding: bool = False
    embeddings: bool = False
    details: frozenset[Detail] = frozenset({"clear"})
    context_tokens: int | None = None
    max_side_px: int | None = None
    local: bool = True


class MLLM(BaseChatModel):
    """A multimodal language model behind Attend's agent.

    Image blocks follow langchain-core: `{"type": "image", "base64": ..., "mime_type": "image/jpeg"}`; the key `extras`
    may hold `t_s` (seconds), `detail` (see `Detail`) and `frame_id` (sha256), which a backend may use and must tolerate.
    Streaming stops between tokens when the consumer closes the iterator or cancels the task. The last streamed chunk,
    and the message of a plain call, carry `usage_metadata`.
    """

    spec: str
    """The model string that this backend was made from, such as `embedded` or `openai:qwen3-vl@http://127.0.0.1:8000/v1`."""

    @property
    @abstractmethod
    def abilities(self) -> Abilities:
        """What this model can do."""
