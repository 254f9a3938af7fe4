"""The picture of the scores."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from memory.store.frames import FrameStore
from memory.stream.memory import StreamMemory
from memory.stream.options import StreamOptions
from memory.stream.score_plot import draw_scores
from tools.errors import StoreError
from tools.media.types import Frame, Gap


class Colours:
    """The mean colour as a feature."""

    name, dim = "colours", 3

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        feature = rgb.mean((0, 1)) + 1
        return (feature / np.linalg.norm(feature)).astype(np.float32)


@pytest.fixture
def memory(tmp_path: Path) -> StreamMemory:
    filled = StreamMemory(StreamOptions(capacity=6), Colours(), FrameStore(tmp_path / "frames", 10**9))
    random = np.random.default_rng(0)
    for second in range(30):
        colour = (250, 0, 250) if second >= 28 else tuple(random.integers(90, 110, 3))
        filled.push(Frame("test", float(second), np.full((40, 60, 3), colour, np.uint8)))
    return filled


def share_of(path: Path, rgb: tuple[int, int, int]) -> float:
    picture = cv2.imread(str(path))[..., ::-1].astype(int)
    assert picture.shape == (700, 1600, 3)
    return float((np.abs(picture - rgb).max(-1) < 12).mean())


def test_scores_thresholds_gaps_and_thumbnails_are_drawn(memory: StreamMemory, tmp_path: Path) -> None:
    path, kept = tmp_path / "scores.png", memory.snapshot()
    shown = draw_scores(memory.log, kept, [], memory.options, path, memory.image)
    assert shown == path
    assert share_of(path, (31, 111, 178)) > 0.001  # clear: points and threshold
    assert share_of(path, (224, 138, 30)) > 0.001  # fuzzy
    assert share_of(path, (250, 0, 250)) > 0.002  # the thumbnail of the last scene
    assert share_of(path, (243, 217, 217)) < 0.001
    draw_scores(memory.log, kept, [Gap("test", 10.0, 14.5, "lost")], memory.options, path)
    assert share_of(path, (243, 217, 217)) > 0.03  # the gap
    assert share_of(path, (250, 0, 250)) < 0.001  # no thumbnails asked for


def test_policies_without_scores_and_frames_that_are_gone_are_drawn_too(memory: StreamMemory, tmp_path: Path) -> None:
    kept = memory.snapshot()
    memory.store.remove([item.frame_id for item in kept])
    path = draw_scores(
        memory.log[:2], kept, [Gap("test", 1.0, None, "lost")], memory.options, tmp_path / "a.png", memory.image
    )
    assert share_of(path, (255, 255, 255)) > 0.5
    endless = StreamOptions(k1=float("-inf"), k2=float("-inf"))
    again = StreamMemory(endless, Colours(), memory.store)
    for second in range(6):
        again.push(Frame("test", float(second), np.full((4, 4, 3), 10 * second, np.uint8)))
    draw_scores(again.log, again.snapshot(), [], endless, tmp_path / "b.png", again.image)


def test_nothing_to_draw_and_nowhere_to_draw_are_told(memory: StreamMemory, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="empty log of decisions"):
        draw_scores([], [], [], memory.options, tmp_path / "a.png")
    with pytest.raises(StoreError, match="cannot write"):
        draw_scores(memory.log, [], [], memory.options, tmp_path / "none" / "a.png")
