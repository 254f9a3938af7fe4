"""Steps as annotators of benchmarks write them: what is confirmed, closed, set, and chosen from."""

from __future__ import annotations

import pytest

from tests.tree_screens import TREE, box, place, white
from tools.gui.grounding import locate
from tools.gui.grounding.parse import read_instruction
from tools.gui.types import Node


def said_of(said: str, nodes: list[Node]) -> str:
    """Why there is no answer."""
    return locate(said, white(nodes), layers=TREE).abstained


def at(role: str, name: str, left: float, top: float, width: float = 90, height: float = 26, *, depth: int = 1) -> Node:
    return box(role, name, left, top, left + width, top + height, depth=depth)


def asked(title: str, *buttons: str) -> list[Node]:
    """A dialog over a page, and its buttons."""
    return [
        at("document", "", 0, 0, 800, 600, depth=0),
        at("button", "Rossi, Prima", 20, 100, 200),
        at("dialog", title, 300, 200, 400, 150),
        *(at("button", name, 320 + 110 * place, 300, depth=2) for place, name in enumerate(buttons)),
    ]


def test_what_a_dialog_asks_is_confirmed_in_it() -> None:
    nodes = asked("Apply to Doe, John?", "OK", "Cancel")
    assert place("Confirm the selection of Doe", nodes) == nodes[3].rect
    assert "Say what to press" in said_of("Confirm the selection of Rossi", nodes)
    assert place("Confirm the name of the region by clicking OK", nodes) == nodes[3].rect
    nodes = asked("Delete patient Doe?", "OK", "Cancel")
    for said in ("Confirm the deletion of Doe by clicking OK", "Click OK to delete Doe", "Click OK"):
        assert place(said, nodes) == nodes[3].rect
    assert (
        place("Confirm the dose", [at("text", "Dose", 20, 20), at("textbox", "", 120, 20), at("button", "Yes", 20, 80)])
        is None
    )


def test_radio_buttons_are_counted_below_the_one_that_is_named() -> None:
    radios = [
        at("radio", name, 20, 40 + 24 * place, 120, 20) for place, name in enumerate(("A one", "B two", "C three"))
    ]
    nodes = [at("dialog", "Choice", 0, 0, 400, 300, depth=0), *radios]
    assert place("Select the second radio button under A one", nodes) == radios[2].rect
    assert place("Select the third radio button under A one", nodes) == radios[2].rect
    assert place("Select the second radio button under B two", nodes) is None


def test_the_one_at_the_left_is_not_the_one_that_is_named() -> None:
    nodes = [
        at("document", "", 0, 0, 800, 600, depth=0),
        at("radio", "DNR", 20, 100),
        at("radio", "Full code", 120, 100),
    ]
    assert place("Choose the radio button left of Full code", nodes) == nodes[1].rect


def test_many_places_in_an_instruction_are_read_in_time() -> None:
    assert len(read_instruction("set " + "of the x " * 40 + "to y")) < 5_000
    assert read_instruction("click \ue0000\ue001 Save")


RESULTS = [
    at("document", "", 0, 0, 1000, 600, depth=0),
    at("table", "", 10, 40, 800, 120, depth=1),
    at("row", "", 10, 40, 800, 30, depth=2),
    at("columnheader", "Test", 10, 40, 200, depth=3),
    at("columnheader", "Result", 220, 40, 200, depth=3),
    at("columnheader", "Unit", 430, 40, 200, depth=3),
    at("row", "", 10, 80, 800, 30, depth=2),
    at("cell", "Sodium", 10, 80, 200, depth=3),
    at("cell", "139", 220, 80, 200, depth=3),
    at("cell", "mmol/l", 430, 80, 200, depth=3),
    at("row", "", 10, 120, 800, 30, depth=2),
    at("cell", "Haemoglobin", 10, 120, 200, depth=3),
    at("cell", "11.2", 220, 120, 200, depth=3),
    at("cell", "g/dl", 430, 120, 200, depth=3),
    at("checkbox", "Notify nurse", 10, 300, 13, 13, depth=1),
    at("text", "Notify nurse", 28, 298, 90, 18, depth=1),
    at("checkbox", "Needs second signature", 140, 300, 13, 13, depth=1),
    at("text", "Needs second signature", 158, 298, 160, 18, depth=1),
    at("dialog", "Interactions", 500, 250, 400, 200, depth=1),
    at("heading", "Interactions", 520, 260, 120, depth=2),
    at("button", "Close", 860, 260, 30, 30, depth=2),
    at("button", "Close", 800, 400, 80, 30, depth=2),
]
PAGE = RESULTS[:18]
# A page's rows go by the words in their cells.
ROWS = [each for cell in PAGE for each in (cell, *([cell.model_copy(update={"role": "text", "depth": 4})]
        if cell.role == "cell" else []))]  # fmt: skip


def test_a_cell_goes_by_its_row_and_the_head_of_its_column() -> None:
    assert place("Select the result of Haemoglobin in the table", ROWS) == PAGE[12].rect
    assert place("Click on the unit of Sodium", ROWS) == PAGE[9].rect
    assert place("Click on the Result column", ROWS) == PAGE[4].rect


def test_the_box_in_front_of_words_is_that_of_these_words() -> None:
    boxes = [
        at("checkbox", name, left, 300, 13, 13)
        for name, left in (("Notify nurse", 208), ("Needs second signature", 335))
    ]
    nodes = [at("document", "", 0, 0, 1000, 600, depth=0), *boxes]
    assert place("Tick the box in front of Needs second signature", nodes) == boxes[1].rect
    assert place("Tick the checkbox left of Needs second signature", nodes) == boxes[0].rect


def test_a_label_in_quotation_marks_of_another_control_is_no_answer_elsewhere() -> None:
    nodes = [
        at("document", "", 0, 0, 800, 600, depth=0),
        at("button", "Sign order", 20, 10, 120, depth=1),
        at("button", "Sign", 600, 560, 80, depth=1),
    ]
    assert "'Sign' is elsewhere" in said_of("Click on the 'Sign' button at the top left", nodes)
    assert place("Click on the 'Sign' button", nodes) == nodes[2].rect


@pytest.mark.parametrize(
    ("said", "kind", "words", "region"),
    [
        ("Click on the Export button in the dialog box", "button", "Export", set()),
        ("Click on the magnifier icon in the left toolbar", "icon", "magnifier", {"left"}),
        ("Access the File menu", "menu", "File", set()),
    ],
)
def test_words_of_annotators_are_read(said: str, kind: str, words: str, region: set[str]) -> None:
    way = read_instruction(said)[0]
    assert (way.kind, way.words, way.region) == (kind, words, region)
