"""The parts of the embedded model together: senses, language, and how frames become a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.mllm.embedded.concepts import concepts
from agent.mllm.embedded.language import Language, load_adapter, turn
from agent.mllm.embedded.perception import Perception
from agent.mllm.embedded.request import Shown
from agent.mllm.embedded.vision import TOKENS, shown, tag_table, visual_tokens
from agent.mllm.protocol import Detail
from tools.media.clock import format_clock

if TYPE_CHECKING:
    import torch

FRAME_TOKENS = 600
"""Most visual tokens of a prompt; our choice: about two seconds of reading on two cores."""


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
        """Return how many visual tokens the frames take in a prompt."""
        return sum(TOKENS[detail] for detail in fitted_details([frame.detail for frame in frames]))

    def frames_prompt(self, frames: Sequence[Shown], text: str) -> list[str | int | torch.Tensor]:
        """Return the prompt that shows frames, each after its time, and then a text; the answer is to follow."""
        parts: list[str | torch.Tensor] = []
        for frame, detail in zip(frames, fitted_details([frame.detail for frame in frames]), strict=True):
            if frame.t_s is not None:
                parts.append(f"[{format_clock(frame.t_s)}]")
            parts.append(self.frame_tokens(frame, detail))
        return [*turn("user", *parts, ("\n" if frames else "") + text), *turn("assistant")]


def fitted_details(details: Sequence[Detail]) -> list[Detail]:
    """Lower the details of the oldest frames until all fit into `FRAME_TOKENS`: to fuzzy, then to glance."""
    fitted = list(details)
    for high, low in (("clear", "fuzzy"), ("fuzzy", "glance")):
        for index, detail in enumerate(fitted):
            if sum(TOKENS[kept] for kept in fitted) <= FRAME_TOKENS:
                return fitted
            if detail == high:
                fitted[index] = low  # type: ignore[call-overload]
    return fitted
