"""Finding what an instruction means on a screen: real pages in chromium, with and without their accessibility tree."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Browser, Page

from evals.bench.medspot_open.ward_tasks import PAGE
from tools.errors import ToolRetry
from tools.gui.actuators.page_tree import read_nodes
from tools.gui.grounding import PIXELS, Wanted, locate, read_instruction
from tools.gui.grounding.label_match import fit, likeness
from tools.gui.grounding.vision.controls import find_frames
from tools.gui.grounding.vision.icon_shapes import SHAPES
from tools.gui.grounding.vision.icons import draw, icon_items
from tools.gui.grounding.vision.ocr import Line
from tools.gui.types import Node, Rect, Screen

pytest_plugins = ["tests.fixtures.browser"]

WAYS = ("tree", "pixels")


def take(page: Page) -> Screen:
    page.mouse.move(1277, 797)
    page.wait_for_timeout(150)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    return Screen(rgb=rgb, nodes=read_nodes(page.context.new_cdp_session(page)))


def bounds(page: Page, selector: str) -> Rect:
    box = page.locator(selector).bounding_box()
    assert box is not None, selector
    return Rect(left=box["x"], top=box["y"], right=box["x"] + box["width"], bottom=box["y"] + box["height"])


class Stage:
    """Pages of the ward's record, and where things truly are on them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.shown = ""
        self.screen = Screen(rgb=np.zeros((1, 1, 3), np.uint8))

    def show(self, name: str) -> Screen:
        if name != self.shown:
            self.page.goto(PAGE.as_uri())
            for selector in PAGES[name]:
                self.page.locator(selector).click()
            self.shown, self.screen = name, take(self.page)
        return self.screen


OPEN = "tr:has-text('Adler') >> button:has-text('Open')"
PAGES: dict[str, tuple[str, ...]] = {
    "list": (),
    "medication": (OPEN, "role=tab[name='Medication']"),
    "order": (OPEN, "role=tab[name='Order entry']"),
    "dialog": (OPEN, "role=tab[name='Medication']", "tr:has-text('Ramipril') >> text=Stop"),
    "notes": (OPEN, "role=tab[name='Notes']"),
}


@pytest.fixture(scope="module")
def stage(browser: Browser) -> Iterator[Stage]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield Stage(page)
    page.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "instruction", "selector"),
    [
        ("list", 'Click the "Add patient" button', "text=Add patient"),
        ("list", "click the Open button next to Castro, Lucía", "tr:has-text('Castro') >> text=Open"),
        ("list", "Click the trash icon in the row of Eriksen, Maja", "tr:has-text('Eriksen') >> [aria-label=Delete]"),
        ("list", "the third Open button", "tr:has-text('Castro') >> text=Open"),
        ("list", "the last Open button", "tr:has-text('Fournier') >> text=Open"),
        ("list", "click the Search patient field", "header >> input"),
        ("list", "Click the print icon in the top right corner", "header >> [aria-label=Print]"),
        ("list", "Klicken Sie auf das Zahnrad-Symbol", "header >> [aria-label=Settings]"),
        ("list", "click Messages in the left menu", "nav >> text=Messages"),
        ("list", "open the second row", "tr:has-text('Brandt')"),
        ("medication", "Tick the checkbox for Enoxaparin", "role=checkbox[name='Given Enoxaparin']"),
        ("medication", "go to the Lab results tab", "role=tab[name='Lab results']"),
        ("order", "type 5 mg into the Dose field", "#dose"),
        ("order", "the field to the right of 'Dose'", "#dose"),
        ("order", "Open the Route drop-down", "#route"),
        ("order", "select the Urgent radio button", "text=Urgent >> input"),
        ("order", "Press “Sign order”", "text=Sign order"),
        ("dialog", "click 'Stop medication' in the dialog", "role=dialog >> button.danger"),
        ("dialog", "Close the dialog", "role=dialog >> [aria-label=Close]"),
        ("notes", "click the save icon", "main >> [aria-label=Save]"),
        ("notes", "click the plus icon to write something new", "[aria-label='New note']"),
    ],
)
def test_finds_what_is_meant(stage: Stage, way: str, name: str, instruction: str, selector: str) -> None:
    screen = stage.show(name)
    found = locate(instruction, screen, **_layers(way))
    assert found.abstained == ""
    assert bounds(stage.page, selector).holds(found.targets[0].point)
    expected = ("tree",) if way == "tree" else ("words", "icon")
    assert found.targets[0].layer in expected or way == "tree"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "instruction", "selector"),
    [
        ("list", "remove the record of Eriksen, Maja", "tr:has-text('Eriksen') >> [aria-label=Delete]"),
        ("list", "bring up the chart of Greta Adler", "tr:has-text('Adler') >> text=Open"),
        ("list", "Dimitrov: Open", "tr:has-text('Dimitrov') >> text=Open"),
        ("list", "take in a patient (Add patient)", "text=Add patient"),
        ("list", "in the row of Castro press Open", "tr:has-text('Castro') >> text=Open"),
        ("order", "set the dose to 5 mg", "#dose"),
        ("order", "enter 5 mg as the dose", "#dose"),
        ("order", "the blue button at the bottom", "text=Sign order"),
        ("dialog", "cancel this: press Keep", "text=Keep"),
        ("notes", "save this note", "main >> [aria-label=Save]"),
        ("medication", "modify Ramipril", "tr:has-text('Ramipril') >> text=Change"),
    ],
)
def test_finds_what_is_said_otherwise(stage: Stage, way: str, name: str, instruction: str, selector: str) -> None:
    found = locate(instruction, stage.show(name), **_layers(way))
    assert found.abstained == ""
    assert bounds(stage.page, selector).holds(found.targets[0].point)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "instruction"),
    [
        ("list", "open the chart of the patient with number 999999"),
        ("list", "remove the record of Nobody^Else"),
        ("list", "delete Zimmermann"),
        ("list", "discharge this patient"),
        ("medication", "leave this medication as it is"),
        ("notes", "throw away the third draft"),
    ],
)
def test_other_words_do_not_make_up_what_is_not_there(stage: Stage, way: str, name: str, instruction: str) -> None:
    found = locate(instruction, stage.show(name), **_layers(way))
    assert found.abstained or not found.targets, found.targets[0]


@pytest.mark.parametrize("way", WAYS)
def test_says_when_it_is_not_there_and_what_is_nearest(stage: Stage, way: str) -> None:
    found = locate("Click 'Discharge letter'", stage.show("list"), **_layers(way))
    assert found.targets == ()
    assert "Discharge letter" in found.abstained


@pytest.mark.parametrize("way", WAYS)
def test_names_all_places_that_fit_alike(stage: Stage, way: str) -> None:
    found = locate("click the Open button", stage.show("list"), **_layers(way))
    assert len(found.targets) == 6
    assert "6 places" in found.abstained
    assert "Say which" in found.abstained


def test_a_patient_with_other_digits_is_another_patient(stage: Stage) -> None:
    screen = stage.show("list")
    assert locate("click 400117", screen, layers=PIXELS).targets
    assert not locate("click 400171", screen, layers=PIXELS).targets


def test_what_lies_behind_a_dialog_is_no_match_for_what_is_in_it(stage: Stage) -> None:
    screen = stage.show("dialog")
    for layers in ({}, {"layers": PIXELS}):
        found = locate("click Stop medication", screen, **layers)
        assert bounds(stage.page, "role=dialog").holds(found.targets[0].point)


def test_boxes_are_those_of_controls(stage: Stage) -> None:
    screen = stage.show("list")
    (target, *_) = locate("click Add patient", screen, layers=PIXELS).targets
    assert target.rect.iou(bounds(stage.page, "text=Add patient")) > 0.85


def test_nodes_have_the_pixels_of_the_screenshot(stage: Stage) -> None:
    screen = stage.show("medication")
    assert screen.nodes is not None
    button = next(node for node in screen.nodes if node.role == "button" and node.name == "Interactions")
    assert button.rect.iou(bounds(stage.page, "main >> text=Interactions")) > 0.95
    tab = next(node for node in screen.nodes if node.role == "tab" and node.name == "Medication")
    assert "selected" in tab.states


def _layers(way: str) -> dict[str, Any]:
    return {"layers": PIXELS} if way == "pixels" else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Click on "All patients"', Wanted("All patients", quoted=True)),
        ("Click the Save button or click the Print button", Wanted("Save", "button")),
        ("Klicken Sie auf die Schaltfläche „Abbrechen“", Wanted("Abbrechen", "button", True)),
        ("Haga clic en «Guardar»", Wanted("Guardar", quoted=True)),
        ("Cliquez sur le bouton 'Enregistrer'", Wanted("Enregistrer", "button", True)),
        ("type 12 into the Patient ID field", Wanted("Patient ID", "field")),
        ("the second Edit button", Wanted("Edit", "button", ordinal=2)),
        ("row 3", Wanted(kind="row", ordinal=3)),
        ("Click Save in the top right corner", Wanted("Save", region=frozenset({"top", "right"}))),
        (
            "the Delete button next to Doe^Peter",
            Wanted("Delete", "button", relation="beside", anchor=Wanted("Doe^Peter")),
        ),
        (
            "click the field below the Name field",
            Wanted(kind="field", relation="below", anchor=Wanted("Name", "field")),
        ),
    ],
)
def test_reads_instructions(text: str, expected: Wanted) -> None:
    assert read_instruction(text)[0] == expected


def test_words_that_may_belong_to_a_label_are_read_both_ways() -> None:
    ways = read_instruction("Date of birth field")
    assert Wanted("Date of birth", "field") in ways
    assert any(way.relation for way in ways)


@pytest.mark.parametrize("text", ["", "   ", "click", "x" * 501])
def test_instructions_that_name_nothing_are_refused(text: str) -> None:
    if text == "click":
        assert read_instruction(text)[0].words == "click"
        return
    with pytest.raises(ToolRetry, match="instruction"):
        read_instruction(text)


@given(st.text(min_size=1, max_size=80))
@settings(max_examples=200)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        ways = read_instruction(text)
    except ToolRetry:
        return
    assert ways
    assert all(str(way) for way in ways)


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=0.12)


def test_likeness_forgives_reading_but_not_meaning() -> None:
    assert likeness("StudyInstanceUID", "StudylnstanceUID") > 0.9
    assert likeness("Save", " save: ") == 1
    for one, other in (("OK", "On"), ("left", "lift"), ("8NM1", "8NM2"), ("Room 12", "Room 21")):
        assert likeness(one, other) < 0.75
    assert fit("Do lookup", ("Please", "Do", "lookup", "now"))[1:] == (1, 3)
    assert fit("Save", ("Save",))[0] > fit("Save", ("Save", "as"))[0] > fit("Save", ("Do", "not", "save"))[0]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [16, 24])
def test_icons_are_told_at_several_sizes_and_in_both_polarities(size: int, dark: bool) -> None:
    kinds = [kind for kind in SHAPES if kind not in ("more", "minus", "play", "pause")]
    page = np.full((60, 60 * len(kinds)), 20 if dark else 245, np.uint8)
    for place, kind in enumerate(kinds):
        # Strokes of another width than those of the templates.
        shape = draw(SHAPES[kind][0], 0.11)
        scale = size / max(shape.shape)
        drawn = np.asarray(
            Image.fromarray((shape * 255).astype(np.uint8)).resize(
                (max(3, round(shape.shape[1] * scale)), max(3, round(shape.shape[0] * scale))), Image.Resampling.LANCZOS
            )
        )
        ink = page[20 : 20 + drawn.shape[0], 60 * place + 20 : 60 * place + 20 + drawn.shape[1]]
        ink[:] = np.clip(ink + (0.86 if dark else -0.86) * drawn.astype(float), 0, 255).astype(np.uint8)
    rgb = np.dstack([page] * 3)
    items = icon_items(rgb, (), find_frames(rgb))
    told = {int(item.rect.center.x_px // 60): item.title for item in items}
    right = sum(told.get(place) == kind for place, kind in enumerate(kinds))
    assert right >= 0.85 * len(kinds), [
        (kind, told.get(place)) for place, kind in enumerate(kinds) if told.get(place) != kind
    ]


def test_what_is_too_thin_for_an_icon_is_none() -> None:
    """The stem of a letter that its reader cut off, and one that stands alone; three dots are as thin, and are one."""
    page = np.full((60, 300, 3), 245, np.uint8)
    page[20:33, 40:44] = page[20:33, 150:154] = 20
    for top in (18, 26, 34):
        page[top : top + 4, 250:254] = 20
    word = Line(("Do", "lookup"), (_rect(45, 18, 60, 35), _rect(66, 18, 110, 35)), 0.9)
    items = icon_items(page, (word,), find_frames(page))
    assert not [item for item in items if item.rect.left < 100]
    named = {int(item.rect.left): {name.words for name in item.names} for item in items}
    assert not {("delete",), ("trash",)} & named.get(150, set())
    assert ("more",) in named[250]


def _rect(left: float, top: float, right: float, bottom: float) -> Rect:
    return Rect(left=left, top=top, right=right, bottom=bottom)


def test_fields_that_the_tree_gives_no_name_take_their_label_from_beside_them() -> None:
    def node(role: str, name: str, left: float, top: float) -> Node:
        return Node(role=role, name=name, rect=Rect(left=left, top=top, right=left + 80, bottom=top + 20))

    nodes = (
        node("text", "Weight", 10, 10),
        node("textbox", "", 100, 10),
        node("text", "Height", 10, 50),
        node("textbox", "", 100, 50),
    )
    screen = Screen(rgb=np.full((120, 300, 3), 255, np.uint8), nodes=nodes)
    assert locate("type 180 into the Height field", screen).targets[0].rect == nodes[3].rect
