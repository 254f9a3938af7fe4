"""Optical character recognition by RapidOCR, with the models inside its wheel; nothing is downloaded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ToolFailed
from tools.media.types import Box

N_THREADS = 2
"""Threads of the recogniser: more do not help on small machines, and other work needs the rest."""
MIN_CONFIDENCE = 0.5
"""Minimum confidence of a line; RapidOCR's own default."""
_MIN_SIDE_PX = 32
_MODEL = ("engine_type", "ocr_version", "task_type", "lang_type", "model_type")

_lock = threading.Lock()


@dataclass(frozen=True)
class Word:
    """A line of text in a picture.

    Attributes:
        text: the line as read.
        box: its place, in fractions of the picture.
        confidence: of the recogniser, 0 to 1.
    """

    text: str
    box: Box
    confidence: float


def read_words(rgb: np.ndarray, max_side_px: int = 1280, min_side_px: int = 480) -> list[Word]:
    """Return the lines of text in an RGB picture (height, width, 3), uint8, from top to bottom and left to right.

    Takes about a second for a full screen on two cores. Calls from several threads run one after another.

    Args:
        rgb: the picture.
        min_side_px: smaller pictures are scaled up to this shorter side for detection; cost grows with it.
        min_side_px: smaller pictures are scaled up to this shorter side to find lines in them; costs grow with it.

    Raises:
        ToolFailed: if RapidOCR is not installed.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = min(1.0, max_side_px / max(height, width))
    if scale < 1:
        rgb = cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    # The detector needs some margin, even around a very small crop.
    pad_y, pad_x = (max(0, _MIN_SIDE_PX - side) for side in rgb.shape[:2])
    if pad_x or pad_y:
        rgb = cv2.copyMakeBorder(rgb, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
    with _lock:
        engine = _engine()
        # The detector is made at the first picture and reads its limit at each call, so one instance serves all sizes.
        (engine.text_det or engine.cfg.Det).limit_side_len = min_side_px
        found = engine(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if found.boxes is None or found.txts is None:
        return []
    seen_height, seen_width = rgb.shape[0] - pad_y, rgb.shape[1] - pad_x
    words = []
    for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True):
        box = _box(np.asarray(corners), seen_width, seen_height)
        if box and text.strip() and confidence >= MIN_CONFIDENCE:
            words.append(Word(text.strip(), box, float(confidence)))
    return _in_reading_order(words)


def load_recogniser(detector_threads: int, reader_threads: int, settings: Mapping[str, object]) -> Any:
    """Load RapidOCR with the models inside its wheel; takes one to four seconds.

    Threads do not spin while they wait, unlike ONNX Runtime's default: on two cores spinning slows both them and
    everything else.

    Args:
        detector_threads: threads of line detection.
        reader_threads: threads of recognition.
        settings: further settings of RapidOCR, by its own names.

    Raises:
        ToolFailed: if RapidOCR or one of its models is not installed.
    """
    try:
        from omegaconf import OmegaConf
        from onnxruntime import InferenceSession, SessionOptions
        from rapidocr import RapidOCR
        from rapidocr.inference_engine.base import FileInfo, InferSession
    except ImportError as error:
        raise ToolFailed(
            f"cannot read words: RapidOCR is missing: {error}.",
            remedy="Run: attend setup",
        ) from error
    engine = RapidOCR(params={"Global.log_level": "error", **settings})
    engine.cfg = OmegaConf.create(engine.cfg, flags={"allow_objects": True})
    parts = [(engine.cfg.Det, detector_threads), (engine.cfg.Rec, reader_threads)]
    for part, threads in (*parts, *([(engine.cfg.Cls, reader_threads)] if engine.cfg.Global.use_cls else [])):
        file = InferSession.get_model_url(FileInfo(**{name: part[name] for name in _MODEL}))["model_dir"]
        options = SessionOptions()
        options.log_severity_level = 4  # only what is fatal
        options.enable_cpu_mem_arena = False
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = Path(engine.cfg.Global.model_root_dir) / Path(file).name
        if not model.is_file():
            raise ToolFailed(
                f"cannot read words: RapidOCR's model {model.name} is missing.",
                remedy="Run: pip install --no-deps --force-reinstall rapidocr",
            )
        part.session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return engine


@cache
def _engine() -> Any:
    return load_recogniser(N_THREADS, N_THREADS, {})


def _box(corners: np.ndarray, width_px: int, height_px: int) -> Box | None:
    left, top = corners.min(axis=0) / (width_px, height_px)
    right, bottom = corners.max(axis=0) / (width_px, height_px)
    edges = [float(min(1.0, max(0.0, edge))) for edge in (left, top, right, bottom)]
    return Box(*edges) if edges[0] < edges[2] and edges[1] < edges[3] else None


def _in_reading_order(words: list[Word]) -> list[Word]:
    """Sort words into lines: words whose centres lie within half a word's height of each other share a line."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box.top + word.box.bottom):
        middle = (word.box.top + word.box.bottom) / 2
        last = lines[-1][-1] if lines else None
        if last and abs(middle - (last.box.top + last.box.bottom) / 2) < (last.box.bottom - last.box.top) / 2:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [word for line in lines for word in sorted(line, key=lambda word: word.box.left)]
