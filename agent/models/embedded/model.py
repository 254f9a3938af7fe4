"""The parts of the embedded model together: senses, language, and visual tokens that join them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.models.blocks import Detail
from agent.models.embedded.imagenet import concepts
from agent.models.embedded.networks.language import Language, load_adapter
from agent.models.embedded.networks.vision import TOKENS, shown, tag_table, visual_tokens
from agent.models.embedded.perception import Perception
from agent.models.embedded.request import Shown

if TYPE_CHECKING:
    import torch


class Mind:
    """The loaded model.

    Args:
        device: where the language network runs, in torch's notation.

    Raises:
        ModelError: if weights are missing.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._projector, lora = load_adapter()
        self.language = Language(lora, device)
        self.perception = Perception()
        words = [self.language.token_ids(f" {tag}") for tag in concepts().tags]
        self._tags = tag_table(self.language.base["embed"], words).to(device)
        self._projector = {name: tensor.to(device) for name, tensor in self._projector.items()}

    def frame_tokens(self, frame: Shown, detail: Detail) -> torch.Tensor:
        """Return the visual tokens of a frame, (82, 10 or 1; 576)."""
        import torch

        sight = self.perception.sight(frame)
        device = self.language.device
        with torch.inference_mode():
            tokens = visual_tokens(self._projector, self._tags, sight.features.to(device), sight.classes.to(device))
            return shown(tokens, detail)

    def shown_tokens(self, frames: Sequence[Shown]) -> int:
        """Return how many visual tokens the frames are worth at their levels of detail."""
        return sum(TOKENS[frame.detail] for frame in frames)
