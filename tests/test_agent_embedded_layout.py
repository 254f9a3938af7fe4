"""What the embedded model reads by place: a cell by row and column, and a line at a side."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from agent.models import load_mllm
from agent.models.embedded.rules.tables import side_of
from agent.models.options import ModelOptions
from agent.models.protocol import MLLM
from tests.test_agent_embedded import answer

TIMES = (("Departs", "Ship to", "Quay"), ("08:15", "Turku", "12"), ("09:40", "Riga", "3"), ("11:05", "Kiel", "7"))
BILL = (("Bill", "EUR"), ("Soup", "4.50"), ("Bread", "1.20"), ("Coffee", "2.80"))
SIGNS = (("HARBOUR", 60, 40), ("MUSEUM", 380, 260))


@pytest.fixture(scope="module")
def model() -> MLLM:
    return load_mllm("embedded", ModelOptions(max_tokens=120))


def draw(words: list[tuple[str, int, int]]) -> np.ndarray:
    image = Image.new("RGB", (640, 400), (245, 245, 240))
    font = ImageFont.load_default(size=34)
    for text, x_px, y_px in words:
        ImageDraw.Draw(image).text((x_px, y_px), text, fill=(20, 20, 20), font=font)
    return np.asarray(image)


def table(rows: tuple[tuple[str, ...], ...]) -> np.ndarray:
    return draw(
        [
            (text, 40 + 210 * column, 40 + 80 * row)
            for row, cells in enumerate(rows)
            for column, text in enumerate(cells)
        ]
    )


@pytest.mark.parametrize(
    ("rows", "question", "said"),
    [
        (TIMES, "From which quay does the ship to Riga leave?", '"3" beside "Riga"'),
        (TIMES, "When does the ship to Kiel leave?", '"11:05" beside "Kiel"'),
        (TIMES, "From which quay does the ship to Oslo leave?", 'I can\'t tell from these frames. I read no "Oslo"'),
        (BILL, "What is the price of the coffee?", '"2.80" beside "Coffee"'),
        (BILL, "How much is the soup?", '"4.50" beside "Soup"'),
    ],
)
def test_a_cell_is_found_by_its_row_and_column(
    model: MLLM, rows: tuple[tuple[str, ...], ...], question: str, said: str
) -> None:
    told = answer(model, [(3.0, table(rows))], question)
    assert said in told
    assert "[0:03]" in told


def test_what_no_table_holds_is_answered_as_before(model: MLLM) -> None:
    assert "Paris" in answer(model, [(0.0, table(TIMES))], "What is the capital of France?")
    told = answer(model, [(0.0, draw(list(SIGNS)))], "How much does the ticket cost?")
    assert told.startswith("I can't tell")


@pytest.mark.parametrize(
    ("question", "word", "other"),
    [
        ("Which word is on the upper sign?", "HARBOUR", "MUSEUM"),
        ("What does the lower one say?", "MUSEUM", "HARBOUR"),
        ("What is written on the left?", "HARBOUR", "MUSEUM"),
        ("What does the sign on the right say?", "MUSEUM", "HARBOUR"),
    ],
)
def test_a_line_is_quoted_by_its_side(model: MLLM, question: str, word: str, other: str) -> None:
    told = answer(model, [(0.0, draw(list(SIGNS)))], question)
    assert word in told
    assert other not in told


def test_a_side_is_one_of_place() -> None:
    assert side_of("What does it say right now?") is None
    assert side_of("Is that right?") is None
    assert side_of("What does the topmost line say?") == "top"
    assert side_of("Read the text at the bottom.") == "bottom"
