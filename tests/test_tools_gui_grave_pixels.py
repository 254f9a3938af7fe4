"""The same by pixels alone, on pages as a browser draws them: rows with their buttons, and nothing by likeness."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tools.gui.grounding import PIXELS, locate
from tools.gui.types import Point, Screen

pytest_plugins = ["tests.fixtures.browser"]

STYLE = """<style>body{font:15px sans-serif;margin:24px} td,th{padding:8px 18px;text-align:left}
table{border-collapse:collapse} tr{border-bottom:1px solid #ccc} button{font:15px sans-serif;padding:5px 14px;
border:1px solid #666;border-radius:4px;background:#fff}</style>"""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], deeds: tuple[str, ...]) -> str:
    buttons = "".join(f"<td><button>{deed}</button></td>" for deed in deeds)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}{buttons}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{body}</table>"


PAGES = {
    "drugs": STYLE
    + "<h2>Medication</h2>"
    + table(
        ("Drug", "Dose", "Times"),
        [("Ramipril", "5 mg", "1-0-0"), ("Metformin", "850 mg", "1-0-1"), ("Bisoprolol", "2,5 mg", "1-0-0")],
        ("Pause", "Discontinue"),
    )
    + "<p><button>Sign all</button> <button>Send to pharmacy</button></p>",
    "patients": STYLE
    + "<h2>Patients</h2>"
    + table(
        ("Name", "Born", "Bed"),
        [("Hans, Peter", "1951-04-02", "3"), ("Hansen, Maria", "1962-07-19", "5"), ("Rossi, Anna", "1984-11-30", "8")],
        ("Open", "Delete"),
    ),
}
MEANT = [
    ("drugs", "Discontinue Metformin", "Discontinue", 1),
    ("drugs", "Pause Ramipril", "Pause", 0),
    ("drugs", "Click the Discontinue button in the row of Bisoprolol", "Discontinue", 2),
    ("drugs", "Press Sign all", "Sign all", 0),
    ("patients", "Delete Maria Hansen", "Delete", 1),
    ("patients", "Click Open next to Rossi, Anna", "Open", 2),
]
NOT_THERE = [
    ("drugs", "Discontinue Apixaban"),
    ("drugs", "Discontinue Bisoprolol 5 mg"),
    ("drugs", "Send to radiology"),
    ("drugs", "Sign Metformin"),
    ("patients", "Delete Peter Hansen"),
    ("patients", "Delete next to Rosso, Anna"),
    ("patients", "Click Delete for Janssen"),
    ("patients", "Click the more icon"),
]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 420})
    yield opened
    opened.close()


def place(page: Page, name: str, said: str) -> Point | None:
    if page.evaluate("window.shown") != name:
        page.set_content(PAGES[name])
        page.evaluate("name => { window.shown = name }", name)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        screen = Screen(rgb=np.asarray(picture.convert("RGB")))
    found = locate(said, screen, layers=PIXELS)
    return None if found.abstained or not found.targets else found.targets[0].point


@pytest.mark.parametrize(("name", "said", "label", "at"), MEANT)
def test_a_button_is_found_in_its_row(page: Page, name: str, said: str, label: str, at: int) -> None:
    found = place(page, name, said)
    box = page.get_by_role("button", name=label).nth(at).bounding_box()
    assert found is not None
    assert box is not None
    assert 0 <= found.x_px - box["x"] <= box["width"]
    assert 0 <= found.y_px - box["y"] <= box["height"]


@pytest.mark.parametrize(("name", "said"), NOT_THERE)
def test_nothing_grave_is_found_by_likeness_in_pixels(page: Page, name: str, said: str) -> None:
    found = place(page, name, said)
    if found is not None:
        pressed = page.evaluate("([x, y]) => document.elementFromPoint(x, y).tagName", [found.x_px, found.y_px])
        assert pressed != "BUTTON"
