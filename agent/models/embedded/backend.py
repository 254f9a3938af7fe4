"""`embedded` behind the protocol of every backend: langchain-core messages in, streamed text or one tool call out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from langchain_core.messages import AIMessageChunk
from pydantic import PrivateAttr

from agent.models.answer_parser import until
from agent.models.embedded.model import Mind, embed_image
from agent.models.embedded.networks.transformer import CONTEXT_TOKENS
from agent.models.embedded.request import read_request
from agent.models.embedded.rules.answer import reply
from agent.models.options import ModelOptions, choose_device
from agent.models.protocol import MLLM, Abilities, Request, end


class Embedded(MLLM):
    """SmolLM2-135M that sees through EfficientNet-Lite2 and reads through RapidOCR, all on this machine.

    It names things, reads words, tells times and changes, knows bad pictures, and says when it cannot tell. With
    135 million parameters it cannot reason: name a larger model for that.
    """

    spec: str = "embedded"
    options: ModelOptions

    _mind: Mind = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self._mind = Mind(choose_device(self.options.device))

    @property
    def abilities(self) -> Abilities:
        return Abilities(
            images=True,
            tool_calls=True,
            embeddings=True,
            structured=False,
            detections=True,
            details=frozenset({"clear", "fuzzy", "glance"}),
            context_tokens=CONTEXT_TOKENS,
            max_side_px=self.options.max_side_px,
            local=True,
        )

    def unjudgeable(self, condition: str) -> str:
        """Say at once what its evidence can never decide: see `agent.models.embedded.rules.watch`."""
        from agent.models.embedded.rules.watch import unjudgeable

        return unjudgeable(condition)

    def embed_image(self, rgb: np.ndarray) -> np.ndarray:
        """Return the pooled features of EfficientNet-Lite2, D = 1280."""
        return embed_image(rgb)

    def reseeded(self, seed: int) -> Embedded:
        """Return this model with another seed; the weights are shared."""
        return self.model_copy(update={"options": self.options.model_copy(update={"seed": seed})})

    @property
    def _llm_type(self) -> str:
        return "attend-embedded"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        asked = read_request(request.messages)
        limit = request.max_tokens or self.options.max_tokens
        options = self.options.model_copy(update={"max_tokens": limit})
        tokens_in = len(self._mind.language.token_ids(asked.question)) + self._mind.shown_tokens(asked.frames)
        written = ""
        pieces = reply(self._mind, asked, options, request.tools, request.tool_choice)
        for piece in until(pieces, request.stop):
            if isinstance(piece, str):
                written += piece
                yield AIMessageChunk(content=piece)
            else:
                written += str(piece["args"])
                yield AIMessageChunk(content="", tool_call_chunks=[piece])
        yield end(tokens_in, len(self._mind.language.token_ids(written)))
