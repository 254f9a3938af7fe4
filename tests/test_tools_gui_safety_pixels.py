"""The same by pixels alone, on pages as a browser draws them: rows with their buttons, and nothing by likeness."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tools.gui.grounding import PIXELS, locate
from tools.gui.grounding.locate import items_of
from tools.gui.types import Point, Screen

pytest_plugins = ["tests.fixtures.browser"]

STYLE = """<style>body{font:15px sans-serif;margin:24px} td,th{padding:8px 18px;text-align:left}
table{border-collapse:collapse} tr{border-bottom:1px solid #ccc} button{font:15px sans-serif;padding:5px 14px;
border:1px solid #666;border-radius:4px;background:#fff}</style>"""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], deeds: tuple[str, ...]) -> str:
    buttons = "".join(f"<td><button>{deed}</button></td>" for deed in deeds)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}{buttons}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{body}</table>"


def grid(width_px: int) -> str:
    """A table with lines around all cells; in a narrow one a column is no wider than a button."""
    drugs = (
        ("Metformin 500 mg", "1-0-1"),
        ("Metformin 1000 mg", "0-0-1"),
        ("Ramipril 5 mg", "1-0-0"),
        ("Insulin glargine", "0-0-0-12 IU"),
        ("Hydroxyzine 25 mg", "0-0-1"),
    )
    buttons = "<button>Pause</button> <button>Edit</button> <button>Discontinue</button>"
    rows = "".join(
        f"<tr><td>{drug}</td><td>{dose}</td><td>oral</td><td class=last>{buttons}</td></tr>" for drug, dose in drugs
    )
    lined = f"table{{width:{width_px}px}} td,th{{border:1px solid #bbb;padding:7px 10px}} .last{{white-space:nowrap}}"
    head = "<tr><th>Drug</th><th>Dose</th><th>Route</th><th>Actions</th></tr>"
    return f"{STYLE}<style>{lined}</style><table>{head}{rows}</table>"


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
    "wide": grid(1200),
    "narrow": grid(900),
    "doses": STYLE
    + "<p style='margin:0'><b>Doe, Jane</b> &nbsp; DOB 1980-01-02 &nbsp; MRN 4471902</p>"
    + "<p>Medication &nbsp; Orders &nbsp; Vitals &nbsp; Notes &nbsp; Results</p><table style='margin-top:50px'>"
    + "".join(
        f"<tr><td>{drug}</td><td><label><input type=checkbox> Given</label></td><td><button>Stop</button></td></tr>"
        for drug in ("Ramipril 5 mg", "Metoprolol 47.5 mg")
    )
    + "</table>",
    "orders": STYLE + "<h2>Orders</h2><p><button>Send order</button> <button>Save draft</button></p>",
    "dialog": """<style>body{font:14px sans-serif;margin:0} p{margin:14px 0} h3{margin:0}
    .over{position:fixed;inset:0;background:rgba(0,0,0,.5)} .foot{text-align:right;margin-top:20px}
    .dialog{position:fixed;left:400px;top:260px;width:460px;background:#fff;border-radius:6px;padding:20px}
    button{font:14px sans-serif;padding:5px 12px;margin-right:6px;border:1px solid #889;border-radius:4px}
    .red{background:#c62828;color:#fff;border-color:#a00}</style><h2>Patients</h2><div class=over></div>
    <div class=dialog><h3>Delete patient?</h3><p>Delete Martin, Lucy (MRN 100233) and all her studies? This cannot be
    undone.</p><div class=foot><button>Keep</button><button class=red>Delete</button></div></div>""",
}
MEANT = [
    ("drugs", "Discontinue Metformin", "Discontinue", 1),
    ("drugs", "Pause Ramipril", "Pause", 0),
    ("drugs", "Click the Discontinue button in the row of Bisoprolol", "Discontinue", 2),
    ("drugs", "Press Sign all", "Sign all", 0),
    ("wide", "Discontinue Ramipril", "Discontinue", 2),
    ("wide", "Edit the third drug", "Edit", 2),
    ("narrow", "Discontinue Ramipril", "Discontinue", 2),
    ("narrow", "Edit the third drug", "Edit", 2),
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
    ("orders", "Send draft"),
    ("dialog", "Click the more icon"),
    ("dialog", "Go to Settings"),
    ("dialog", "Show the options"),
]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    yield opened
    opened.close()


def shown(page: Page, name: str) -> Screen:
    if page.evaluate("window.shown") != name:
        page.set_content(PAGES[name])
        page.evaluate("name => { window.shown = name }", name)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return Screen(rgb=np.asarray(picture.convert("RGB")))


def place(page: Page, name: str, said: str) -> Point | None:
    found = locate(said, shown(page, name), layers=PIXELS)
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


@pytest.mark.parametrize("name", ["drugs", "wide", "narrow", "orders"])
def test_the_border_of_a_button_is_no_icon(page: Page, name: str) -> None:
    assert [item.rect for item in items_of(shown(page, name)) if item.role == "icon"] == []


@pytest.mark.parametrize("said", ['tick the checkbox "Given" in the row of Metoprolol', "Tick Metoprolol as given"])
def test_the_dose_of_another_drug_is_not_ticked(page: Page, said: str) -> None:
    found = place(page, "doses", said)
    box = page.get_by_role("row").nth(0).bounding_box()
    assert box is not None
    assert found is None or found.y_px > box["y"] + box["height"]
