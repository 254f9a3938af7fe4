"""The parts of the embedded model together: senses, language, and visual tokens that join them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.models.blocks import Detail
from agent.models.embedded.crosscheck import checked
from agent.models.embedded.imagenet import calibrated, concepts
from agent.models.embedded.networks.language import Language, load_adapter
from agent.models.embedded.networks.vision import TOKENS, Sight, see, shown, tag_table, visual_tokens
from agent.models.embedded.request import Shown
from memory.stream.encoders import shared_extractor
from tools.media.quality import Quality, measure_quality
from tools.ocr import Word, read_words
from tools.perception.detect import Detection, detect
from tools.perception.pose import Box, Pose, poses

if TYPE_CHECKING:
    import torch

KEPT = 64
"""Frames whose sight, things, words and quality are kept: a window of 20 frames three times over, about 65 MB."""


class Perception:
    """What is seen, read and measured in frames; each is computed once a frame, when first asked for."""

    def __init__(self) -> None:
        self._tower = shared_extractor()
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.RLock()

    def sight(self, frame: Shown) -> Sight:
        """Return what the vision network sees in a frame."""
        return self._once("sight", frame.key, lambda: see(self._tower, frame.rgb))

    def quality(self, frame: Shown) -> Quality:
        """Return the measures of a frame."""
        return self._once("quality", frame.key, lambda: measure_quality(frame.rgb))

    def words(self, frame: Shown) -> list[Word]:
        """Return the lines of text in a frame; about a second the first time."""
        return self._once("words", frame.key, lambda: read_words(frame.rgb))

    def things(self, frame: Shown) -> list[Detection]:
        """Return the objects and people in a frame: stored ones, or anew, which takes some tenths of a second."""
        if frame.found is not None:
            return list(frame.found)
        return self._once("things", frame.key, lambda: things(frame.rgb))

    def poses(self, frame: Shown) -> dict[Box, Pose]:
        """Return the joints of the people in a frame by their box; the network is loaded when first asked for."""

        def found() -> dict[Box, Pose]:
            boxes = [one.box for one in self.things(frame) if one.name == "person"]
            return {box: pose for box, pose in zip(boxes, poses(frame.rgb, boxes), strict=True) if pose is not None}

        return self._once("poses", frame.key, found)

    def _once(self, what: str, key: str, compute: Callable[[], Any]) -> Any:
        with self._lock:
            if (what, key) not in self._kept:
                self._kept[what, key] = compute()
                while len(self._kept) > 4 * KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end((what, key))
            return self._kept[what, key]


def labels(rgb: np.ndarray, k: int = 5) -> list[tuple[str, float]]:
    """Return the k likeliest names of what an RGB picture (height, width, 3) shows, with their probabilities."""
    p = calibrated(see(shared_extractor(), rgb).whole)
    return [(concepts().names[index], float(p[index])) for index in np.argsort(p)[::-1][:k]]


def things(rgb: np.ndarray) -> list[Detection]:
    """Return the objects and people that an RGB picture (height, width, 3) shows, checked by the classifier."""
    return checked(shared_extractor(), rgb, detect(rgb))


def embed_image(rgb: np.ndarray) -> np.ndarray:
    """Return a unit-length vector (1280,) of an RGB picture (height, width, 3); similar pictures lie close."""
    return see(shared_extractor(), rgb).vector


@cache
def shared_weights(device: str) -> tuple[dict[str, torch.Tensor], Language]:
    """Return the projector and the language network of a device, loaded on first use, once for all models.

    Raises:
        ModelError: if weights are missing.
    """
    projector, lora = load_adapter()
    return {name: tensor.to(device) for name, tensor in projector.items()}, Language(lora, device)


class Mind:
    """The loaded model; all that run on one device share their weights.

    Args:
        device: where the language network runs, in torch's notation.

    Raises:
        ModelError: if weights are missing.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._projector, self.language = shared_weights(device)
        self.perception = Perception()
        words = [self.language.token_ids(f" {tag}") for tag in concepts().tags]
        self._tags = tag_table(self.language.base["embed"], words).to(device)

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
