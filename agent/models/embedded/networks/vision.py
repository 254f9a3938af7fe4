"""How the embedded model sees: visual tokens for the language model, and class probabilities as evidence.

The frozen vision network gives a 9 x 9 map. A frame has 91 candidate tokens: the whole, 3 x 3 pooled, 9 x 9 cells.
token = scale * MLP(features) + position + gate * soft tag, where the soft tag is the mean of the class names' word
embeddings under the class probabilities of that region: what is seen, in words that the language model knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.models.blocks import Detail
from memory.stream.encoders import HEAD_DIM, MID_DIM, FeatureExtractor, FeatureMaps, to_input

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

N_POOLED, N_CELLS = 9, 81
FEATURE_DIM = HEAD_DIM + 4 * MID_DIM
TOKENS: dict[Detail, int] = {"clear": 1 + N_CELLS, "fuzzy": 1 + N_POOLED, "glance": 1}
"""How many tokens a frame takes at each level of detail."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What the vision network sees in one frame.

    Attributes:
        features: (91, 1760) regions' features: whole, 3 x 3 pooled, 9 x 9 cells; float32.
        classes: (91, 1000) class probabilities of the same regions, float32.
        vector: (1280,) unit-length description of the whole frame, for finding similar frames.
    """

    features: torch.Tensor
    classes: torch.Tensor
    vector: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """Class probabilities of the whole frame, (1000,)."""
        return self.classes[0].numpy()


def see(tower: FeatureExtractor, rgb: np.ndarray) -> Sight:
    """Return what the network sees in an RGB picture (height, width, 3), uint8."""
    import torch

    with torch.inference_mode():
        seen = tower.features(torch.from_numpy(to_input(rgb))[None])
        return _regions(tower, seen)


def _regions(tower: FeatureExtractor, seen: FeatureMaps) -> Sight:
    import torch
    from torch.nn import functional as F

    # The stride-16 map is 17 wide; padded to 18, each 2 x 2 block of it belongs to one cell of the stride-32 map.
    mid = F.pixel_unshuffle(F.pad(seen.mid, (0, 1, 0, 1)), 2)
    both = torch.cat([seen.head, mid], dim=1)
    whole = both.mean((2, 3))
    pooled = F.adaptive_avg_pool2d(both, 3).flatten(2).transpose(1, 2)
    cells = both.flatten(2).transpose(1, 2)
    features = torch.cat([whole[:, None], pooled, cells], dim=1)[0].cpu()
    classes = tower.classify(features[:, :HEAD_DIM]).softmax(-1).cpu()
    vector = features[0, :HEAD_DIM]
    return Sight(features, classes, (vector / vector.norm().clamp(min=1e-6)).numpy())


def tag_table(embed: torch.Tensor, token_ids: list[list[int]]) -> torch.Tensor:
    """Return the mean word embedding of each class's tag, (1000, 576), given the tags' token ids."""
    import torch

    return torch.stack([embed[ids].mean(0) for ids in token_ids])


def visual_tokens(
    projector: Tensors, tags: torch.Tensor, features: torch.Tensor, classes: torch.Tensor, *, detail: float = 1.0
) -> torch.Tensor:
    """Return the 91 tokens (..., 91, 576) of frames.

    Args:
        projector: `norm.weight`, `norm.bias`, `in.weight`, `in.bias`, `out.weight`, `out.bias`, `position`, `gate`.
        tags: (1000, 576), see `tag_table`.
        features: (..., 91, 1760).
        classes: (..., 91, 1000).
        detail: 0 leaves the projected features out, so that the soft tags alone speak (used in training).
    """
    from torch.nn import functional as F

    y = F.layer_norm(features, (FEATURE_DIM,), projector["norm.weight"], projector["norm.bias"])
    y = F.gelu(F.linear(y, projector["in.weight"], projector["in.bias"]))
    y = F.linear(y, projector["out.weight"], projector["out.bias"])
    scale = tags.norm(dim=1).mean()
    return detail * scale * y + projector["position"] + projector["gate"] * (classes @ tags)


def shown(tokens: torch.Tensor, detail: Detail) -> torch.Tensor:
    """Return those of a frame's 91 tokens (91, 576) that a level of detail shows: 82, 10 or 1 of them."""
    import torch

    if detail == "clear":
        return torch.cat([tokens[:1], tokens[1 + N_POOLED :]])
    return tokens[: TOKENS[detail]]
