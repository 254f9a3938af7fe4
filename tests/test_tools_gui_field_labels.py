"""What controls go by that have no names of their own: rows, columns, labels and tool bars of desktop programs."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.tree_screens import TREE, box, node, place, white
from tools.gui.grounding import PIXELS, locate
from tools.gui.grounding.vision.ocr import Line, parted_by
from tools.gui.types import Node, Rect, Screen

pytest_plugins = ["tests.fixtures.browser"]


def cell(name: str, left: float, top: float, *states: str, width: float = 22, depth: int = 2) -> Node:
    return node("cell", name, left, top, width, depth=depth).model_copy(update={"states": frozenset(states)})


DATA_SETS = [
    box("dialog", "Rendering Dialog", 0, 0, 500, 400),
    box("tree table", "", 10, 40, 400, 120, depth=1),
    cell("", 10, 40, "checkable"),
    cell("*", 40, 40, width=9),
    cell("", 60, 40, "pictured"),
    cell("Unknown", 100, 40, width=200),
    cell("", 10, 70, "checkable", "checked"),
    cell("", 60, 70, "pictured"),
    cell("head", 100, 70, width=200),
    node("button", "Execute", 300, 350, depth=1),
]


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("Uncheck the checkbox next to head", 6),
        ("Tick the checkbox for Unknown", 2),
        ("Click the icon in front of head", 7),
        ("Select head in the list", 8),
        ("Select Unknown", 5),
    ],
)
def test_boxes_and_pictures_in_a_table_go_by_their_row(said: str, at: int) -> None:
    assert place(said, DATA_SETS) == DATA_SETS[at].rect


THRESHOLDS = [
    box("dialog", "Thresholds", 0, 0, 600, 400),
    node("text", "Percent", 150, 40, depth=1),
    node("text", "Absolute", 300, 40, depth=1),
    node("text", "Maximum", 20, 80, 110, depth=1),
    node("spinbutton", "", 150, 80, 130, depth=1),
    node("spinbutton", "", 300, 80, 130, depth=1),
    node("text", "Minimum", 20, 120, 110, depth=1),
    node("spinbutton", "", 150, 120, 130, depth=1),
    node("spinbutton", "", 300, 120, 130, depth=1),
    node("text", "Series:", 20, 200, 110, depth=1),
    node("radio", "over Space", 150, 200, 110, depth=1),
    node("radio", "over Time", 150, 230, 110, depth=1),
]


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("Type 100 into the Minimum field in the Absolute column", 8),
        ("Enter 40 into the Maximum field in the Percent column", 4),
        ("Click the Absolute field in the row Maximum", 5),
        ("Set Series to over Time", 11),
    ],
)
def test_fields_go_by_their_row_and_by_the_head_of_their_column(said: str, at: int) -> None:
    assert place(said, THRESHOLDS) == THRESHOLDS[at].rect


@pytest.mark.parametrize(
    ("said", "meant"),
    [('the field above "Minimum"', 80), ('the field below "Maximum"', 120), ('the "Minimum" field', 120)],
)
def test_a_field_is_not_above_or_below_what_labels_it(said: str, meant: float) -> None:
    form = [
        box("window", "Form", 0, 0, 600, 400),
        node("text", "Maximum", 20, 80, 110, depth=1),
        node("spinbutton", "", 150, 80, 130, depth=1),
        node("text", "Minimum", 20, 120, 110, depth=1),
        node("spinbutton", "", 150, 120, 130, depth=1),
    ]
    found = place(said, form)
    assert found is not None
    assert (found.left, found.top) == (150, meant)


def test_words_that_only_label_something_are_no_answer() -> None:
    labels = [each.rect for each in THRESHOLDS if each.role == "text"]
    for said in ("Click on Absolute", "Select Series", "Open the Maximum"):
        assert place(said, THRESHOLDS) not in labels
    # In a page, words may take a click.
    page = [node("document", "Page", 0, 0, 800), node("text", "Absolute", 300, 40, depth=1)]
    assert place("Click on Absolute", page) == page[1].rect


BAR = [
    box("window", "Study", 0, 0, 800, 400),
    node("menu", "File", 0, 10, 40, depth=1),
    node("menu", "View", 50, 10, 40, depth=1),
    box("toolbar", "", 0, 40, 800, 80, depth=1),
    *(box("radio", name, 10 + 40 * at, 42, 46 + 40 * at, 78, depth=2) for at, name in enumerate(("Near", "Far"))),
    box("button", "Target", 200, 42, 236, 78, depth=2),
    box("button", "Threshold", 240, 42, 276, 78, depth=2),
    node("text", "zoom:", 300, 48, 50, depth=2),
    node("spinbutton", "", 360, 48, 120, depth=2),
]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Click the first icon in the toolbar", "Near"),
        ("Click the second icon from the left in the toolbar", "Far"),
        ("Click the crosshair icon in the toolbar", "Target"),
        ("Click the rainbow color bar icon left of zoom", "Threshold"),
        ("Open the leftmost menu of the menu bar", "File"),
    ],
)
def test_what_a_tool_bar_shows_as_pictures_is_counted_as_icons(said: str, name: str) -> None:
    assert place(said, BAR) == next(each.rect for each in BAR if each.name == name)


def test_how_an_icon_looks_names_no_menu() -> None:
    assert place("Click the side-view body icon left of the eye icons", BAR) is None


WIZARD = [
    box("window", "Data Set Filtering Wizard", 0, 0, 800, 600),
    node("text", "Data Set Filtering Wizard", 20, 40, 200, depth=1),
    node("text", "zoom", 20, 100, 60, depth=1),
    node("spinbutton", "", 100, 100, 130, depth=1),
    node("button", "Cancel", 400, 550, depth=1),
    node("button", "Finish", 500, 550, depth=1),
]


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("Cancel the Data Set Filtering Wizard", 4),
        ("Press 'Finish' in the filtering wizard.", 5),
        ("Increase the zoom in the Data Set Filtering Wizard", 3),
    ],
)
def test_a_wizard_is_a_dialog(said: str, at: int) -> None:
    assert place(said, WIZARD) == WIZARD[at].rect


CHOOSER = [
    box("file chooser", "Save File", 0, 0, 900, 600),
    box("list box", "Places", 0, 70, 150, 300, depth=1),
    *(
        each
        for at, name in enumerate(("Home", "Desktop", "scans"))
        for each in (
            box("listitem", "", 0, 70 + 36 * at, 150, 106 + 36 * at, depth=2),
            node("text", name, 40, 75 + 36 * at, 100, depth=3),
        )
    ),
    node("button", "home", 200, 75, 60, depth=1),
    node("button", "scans", 270, 75, 60, depth=1),
    box("panel", "Rebuilt", 400, 100, 700, 170, depth=1),
    node("text", "Rebuilt", 400, 100, 80, depth=2),
    node("radio", "Yes", 400, 140, 100, depth=2),
    node("radio", "No", 560, 140, 100, depth=2),
]


@pytest.mark.parametrize(
    ("said", "role", "top"),
    [
        ("Select Home in the left sidebar", "listitem", 70),
        ("Click scans in the path bar at the top", "button", 75),
        ("Open the Desktop folder in the sidebar", "listitem", 106),
        ("Choose No under Rebuilt", "radio", 140),
    ],
)
def test_places_and_capitals_tell_one_from_another(said: str, role: str, top: float) -> None:
    found = locate(said, white(CHOOSER), layers=TREE)
    assert not found.abstained
    meant = [each.rect for each in CHOOSER if each.role == role and each.rect.top == top]
    assert any(rect.holds(found.targets[0].point) for rect in meant)


WARD = """<style>body{font:16px sans-serif;margin:8px}</style><h1>Ward list</h1><table border=1>
<tr><td>Doe^Archibald</td><td>7700123</td><td><button>Open</button> <button>Delete</button></td></tr>
<tr><td>Roe^Richard</td><td>6203311</td><td><button>Open</button> <button>Delete</button></td></tr>
<tr><td>Poe^Anna</td><td>4471</td><td><button>Open</button> <button>Delete</button></td></tr></table>
<p><label>Weight <input id=weight value=70></label> <label>Height <input id=height></label></p>
<button>Save</button> <button>Cancel</button>"""


@pytest.fixture(scope="module")
def ward(browser: Browser) -> Iterator[tuple[Screen, dict[str, Rect]]]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_content(WARD)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        screen = Screen(rgb=np.asarray(picture.convert("RGB")))
    places = {
        name: Rect(left=at["x"], top=at["y"], right=at["x"] + at["width"], bottom=at["y"] + at["height"])
        for name in ("#weight", "#height", *(f"tr:nth-child({row}) button:nth-child(2)" for row in (1, 2, 3)))
        if (at := page.locator(name).bounding_box())
    }
    yield screen, places
    page.close()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("the Weight field", "#weight"),
        ('the "Height" field', "#height"),
        ('the "Delete" button in the first row', "tr:nth-child(1) button:nth-child(2)"),
        ('the "Delete" button in the second row', "tr:nth-child(2) button:nth-child(2)"),
        ("the Delete button in the third row", "tr:nth-child(3) button:nth-child(2)"),
        ("the Delete button beside Roe^Richard", "tr:nth-child(2) button:nth-child(2)"),
    ],
)
def test_a_line_is_parted_where_a_frame_begins(ward: tuple[Screen, dict[str, Rect]], said: str, meant: str) -> None:
    """A value in its field and the label before it are read as one line, as are the cells of a row."""
    screen, places = ward
    found = locate(said, screen, layers=PIXELS)
    assert found.targets
    assert not found.abstained
    assert places[meant].holds(found.targets[0].point)


@pytest.mark.parametrize(("value", "parts"), [("1", ["Dose", "1"]), ("L", ["Dose", "L"]), ("[", ["Dose"])])
def test_only_the_side_of_a_frame_is_left_out_of_a_line(value: str, parts: list[str]) -> None:
    """A value may begin at the very side of its field; none of it is lost."""
    places = (Rect(left=10, top=10, right=50, bottom=26), Rect(left=59, top=10, right=66, bottom=26))
    line = Line(("Dose", value), places, 0.9)
    assert [part.text for part in parted_by(line, [Rect(left=60, top=6, right=160, bottom=30)])] == parts
