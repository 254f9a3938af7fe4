"""Reading words in pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tools.ocr
from evals.bench.vision import screen
from tools.errors import ToolFailed
from tools.ocr import read_words


def test_reads_words_where_they_stand() -> None:
    words = read_words(screen("Platform 9", 0))
    assert [word.text for word in words] == ["Platform 9"]
    assert words[0].confidence > 0.8
    box = words[0].box
    assert box.left < 0.1
    assert 0.3 < (box.top + box.bottom) / 2 < 0.5


def test_lines_come_in_reading_order_and_large_pictures_are_scaled_down() -> None:
    page = np.vstack(
        [np.hstack([screen("OPEN", 0), screen("Museum", 0)]), np.hstack([screen("Kitchen", 0), screen("Danger", 0)])]
    )
    assert [word.text for word in read_words(page, max_side_px=900)] == ["OPEN", "Museum", "Kitchen", "Danger"]


def test_nothing_is_read_where_nothing_is_written() -> None:
    assert read_words(np.full((200, 300, 3), 128, np.uint8)) == []
    assert read_words(np.full((5, 7, 3), 128, np.uint8)) == []


def test_several_threads_may_read() -> None:
    pages = [screen(text, 0) for text in ("Kitchen", "Museum")]
    with ThreadPoolExecutor(2) as pool:
        assert [words[0].text for words in pool.map(read_words, pages)] == ["Kitchen", "Museum"]


def test_one_recogniser_does_for_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    page = screen("Kitchen", 0)
    load, loaded = tools.ocr.load_recogniser, list[object]()
    monkeypatch.setattr(tools.ocr, "load_recogniser", lambda *given: loaded.append(load(*given)) or loaded[-1])
    tools.ocr._engine.cache_clear()
    again = [read_words(page, min_side_px=side) for side in (600, 96, 600)]
    assert len(loaded) == 1
    assert again[0] == again[2] != again[1]
    tools.ocr._engine.cache_clear()
    assert read_words(page, min_side_px=96) == again[1]


def test_a_model_that_is_missing_is_told_of_and_not_downloaded(tmp_path: Path) -> None:
    settings = {"Global.model_root_dir": str(tmp_path)}
    with pytest.raises(ToolFailed, match=r"_det_\w+\.onnx is missing"):
        tools.ocr.load_recogniser(1, 1, settings)
    assert list(tmp_path.iterdir()) == []
