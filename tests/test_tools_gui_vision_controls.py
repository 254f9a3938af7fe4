"""Controls by pixels alone, as a browser draws them: radio buttons, check boxes in tables, fields within frames."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tools.gui.grounding import PIXELS, locate
from tools.gui.grounding.locate import items_of
from tools.gui.types import Screen

pytest_plugins = ["tests.fixtures.browser"]

STYLE = "<style>body{font:15px sans-serif;margin:24px;background:#fff} td,th{padding:8px 18px;text-align:left}</style>"
PAGES = {
    "radios": STYLE
    + "<h3>Display pages</h3>"
    + "".join(
        f"<p><input type=radio name=way id=way{at} {'checked' * (at == 0)}><label>{label}</label></p>"
        for at, label in enumerate(("frame by frame", "slice by slice", "whole screen filled"))
    ),
    "given": STYLE
    + "<style>tr{border-bottom:1px solid #ccc} table{border-collapse:collapse}</style>"
    + "<table><tr><th>Drug</th><th>Frequency</th><th>Given</th><th>Route</th></tr>"
    + "".join(
        f"<tr><td>{drug}</td><td>{often}</td><td><input type=checkbox id={drug}></td><td>oral</td></tr>"
        for drug, often in (
            ("Ramipril", "once daily"),
            ("Metformin", "twice daily"),
            ("Paracetamol", "three times daily"),
        )
    )
    + "</table>",
    "frame": STYLE
    + """<style>.frame{border:1px solid #aaa;width:380px;height:44px;box-sizing:border-box;padding:6px 12px}
    input{float:right;width:200px;height:28px;box-sizing:border-box;border:1px solid #555}
    span{line-height:30px}</style><p>Entry</p><div class=frame><span>Images [1...12]</span><input id=images></div>
    <p><button>Apply</button></p>""",
    "switch": STYLE
    + """<style>.switch,.part{width:362px;height:34px;box-sizing:border-box;line-height:32px}
    .switch{border-radius:17px;text-align:center;background:#fcfcfc;margin-bottom:8px}
    .part{background:#ddd;border:1px solid #888;padding-left:14px}</style><div class=switch id=protect>Unprotected</div>
    <div class=part>Interact</div>""",
}
MEANT = [
    ("given", "Check the Given box in the row of Paracetamol", "Paracetamol"),
    ("given", "Tick the Given checkbox for Metformin", "Metformin"),
    ("frame", "Enter 1-6 in the Images field", "images"),
    ("switch", "Click the Unprotected switch", "protect"),
]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 500})
    yield opened
    opened.close()


def shown(page: Page, name: str) -> Screen:
    page.set_content(PAGES[name])
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return Screen(rgb=np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize(("name", "said", "meant"), MEANT)
def test_a_control_without_words_of_its_own_is_found(page: Page, name: str, said: str, meant: str) -> None:
    found = locate(said, shown(page, name), layers=PIXELS)
    box = page.locator(f"#{meant}").bounding_box()
    assert not found.abstained
    assert box is not None
    assert 0 <= found.targets[0].point.x_px - box["x"] <= box["width"]
    assert 0 <= found.targets[0].point.y_px - box["y"] <= box["height"]


def test_radio_buttons_are_found_once_and_as_no_icons(page: Page) -> None:
    items = items_of(shown(page, "radios"))
    titles = [item.title for item in items if item.role in ("checkbox", "icon")]
    assert sorted(titles) == ["frame by frame", "slice by slice", "whole screen filled"]


def test_a_button_or_field_that_fills_its_frame_is_one(page: Page) -> None:
    items = items_of(shown(page, "frame"))
    assert [item.title for item in items if item.role == "button"] == ["Apply"]
