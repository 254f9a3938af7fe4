"""Words are read where they stand, in reading order, from several threads at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tools.ocr import read_words

LINES = (("EXIT", (40, 40)), ("Room 217", (380, 40)), ("Heart rate 72", (40, 220)))


@pytest.fixture(scope="module")
def screen() -> np.ndarray:
    image = Image.new("RGB", (640, 360), "#f4f4f0")
    for text, place in LINES:
        ImageDraw.Draw(image).text(place, text, fill="#202028", font=ImageFont.load_default(40))
    return np.asarray(image)


def test_words_come_in_reading_order_with_their_places(screen: np.ndarray) -> None:
    words = read_words(screen)
    assert [word.text for word in words] == [text for text, _ in LINES]
    for word, (_, (x_px, y_px)) in zip(words, LINES, strict=True):
        left, top, *_ = word.box.to_px(640, 360)
        assert abs(left - x_px) < 20
        assert abs(top - y_px) < 25
        assert word.confidence > 0.8


def test_a_large_picture_is_scaled_down_and_its_boxes_stay_fractions(screen: np.ndarray) -> None:
    large = np.kron(screen, np.ones((4, 4, 1), dtype=np.uint8))
    words = read_words(large, max_side_px=640)
    assert [word.text for word in words] == [text for text, _ in LINES]
    assert words[2].box.top > 0.5


def test_a_picture_without_words_has_none(screen: np.ndarray) -> None:
    assert read_words(np.full_like(screen, 200)) == []
    assert read_words(screen[:3, :3]) == []


def test_threads_take_turns(screen: np.ndarray) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(read_words, [screen] * 2))
    assert found[0] == found[1]
    assert len(found[0]) == len(LINES)
