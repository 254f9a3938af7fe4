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


LABELS = [
    at("dialog", "Label Selection", 0, 0, 600, 400, depth=0),
    at("panel", "Label", 10, 40, 90, 130, depth=1),
    at("radio", "ON", 20, 60, 60, 50, depth=2),
    at("radio", "OFF", 20, 110, 60, 50, depth=2),
    at("text", "Label", 10, 40, 40, 18, depth=2),
    at("panel", "Color", 110, 40, 90, 130, depth=1),
    at("radio", "Red", 120, 66, 60, 20, depth=2),
    at("radio", "Green", 120, 88, 60, 20, depth=2),
    at("radio", "Blue", 120, 110, 60, 20, depth=2),
    at("radio", "Yellow", 120, 132, 60, 20, depth=2),
    at("text", "Color", 110, 40, 40, 18, depth=2),
    at("radio", "LITTLE endian (last)", 320, 66, 180, 20, depth=1),
    at("radio", "BIG endian (first)", 320, 88, 180, 20, depth=1),
    at("combobox", "PNG", 10, 340, 100, depth=1),
    at("button", "Apply", 320, 340, depth=1),
    at("button", "Cancel", 450, 340, depth=1),
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Confirm the selection", 14),
        ("Confirm the selection of the new color", 14),
        ("Applying the changed color", 14),
        ("Click on the final Apply button in the dialog box", 14),
        ("Select 'Green' from the display options", 7),
        ("Select the second radio button under Color", 7),
        ("Change the label to OFF", 3),
        ("Select the BIG endian option", 12),
        ("Hover over or click 'Cancel' in the dialog.", 15),
    ],
)
def test_steps_of_annotators(said: str, meant: int) -> None:
    assert place(said, LABELS) == LABELS[meant].rect


OPENERS = ["", "Please ", "Now ", "Then "]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "said",
    [
        "confirm the deletion of the label",
        "confirm the selection of the patient Doe",
        "confirm the selection of patient 4711",
        "confirm the rejection",
        "confirm the settings of the infusion",
        "apply the Gaussian filter",
        "confirm that no color is changed",
    ],
)
def test_what_a_dialog_does_not_speak_of_is_not_confirmed_in_it(opener: str, said: str) -> None:
    assert place(f"{opener}{said}", LABELS) is None


def asked(title: str, *buttons: str) -> list[Node]:
    """A dialog over a page, and its buttons."""
    return [
        at("document", "", 0, 0, 800, 600, depth=0),
        at("button", "Rossi, Prima", 20, 100, 200),
        at("dialog", title, 300, 200, 400, 150),
        *(at("button", name, 320 + 110 * place, 300, depth=2) for place, name in enumerate(buttons)),
    ]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("said", "title", "buttons"),
    [
        ("confirm the selection of Rossi", "Apply to Doe, John?", ("OK", "Cancel")),
        ("confirm the selection of rossi", "Apply to Doe?", ("Yes", "No")),
        ("confirm the selection of OKAFOR", "Apply to Doe?", ("Yes", "No")),
        ("confirm the appointment", "Delete patient Doe?", ("Yes", "No")),
        ("confirm the selection", "Delete patient Doe?", ("OK", "Cancel")),
        ("apply the filter", "Delete all filtered studies?", ("OK", "Cancel")),
        ("confirm the refusal", "Consent", ("Agree", "Decline")),
        ("confirm stopping the infusion", "Infusion", ("Continue", "Cancel")),
        ("confirm leaving without saving", "Sign report?", ("Yes", "No")),
        ("bestätigen Sie die Dosis", "Patient löschen?", ("Ja", "Nein")),
        ("confirm the selection of Rossi by clicking OK", "Apply to Doe, John?", ("OK", "Cancel")),
        ("delete patient Rossi by clicking OK", "Delete patient Doe?", ("OK", "Cancel")),
        ("click OK to delete Rossi", "Delete patient Doe?", ("OK", "Cancel")),
        ("klicken Sie auf OK, um Rossi zu löschen", "Patient Doe löschen?", ("OK", "Abbrechen")),
        ("confirm the deletion of Okafor by clicking OK", "Delete patient Doe?", ("OK", "Cancel")),
    ],
)
def test_nothing_else_than_what_was_asked_for_is_confirmed(
    opener: str, said: str, title: str, buttons: tuple[str, ...]
) -> None:
    assert place(f"{opener}{said}", asked(title, *buttons)) is None


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


@pytest.mark.parametrize(
    ("said", "nodes", "meant"),
    [
        ("Open the final Report", ["Report", "Final Report"], "Final Report"),
        ("Alle auswählen", ["Alle auswählen", "Alle löschen"], "Alle auswählen"),
        ("Datei öffnen", ["Datei", "Öffnen", "Datei öffnen"], "Datei öffnen"),
        (
            "Zum Schluss den Knopf Speichern drücken, damit nichts verloren geht",
            ["Speichern", "Abbrechen"],
            "Speichern",
        ),
        ("Open the delete options", ["Delete", "Settings"], None),
        ("Open the discharge options", ["Discharge", "Settings"], None),
    ],
)
def test_words_that_belong_to_a_label_are_not_left_out(said: str, nodes: list[str], meant: str | None) -> None:
    buttons = [at("button", name, 20, 40 + 40 * place, 150) for place, name in enumerate(nodes)]
    found = place(said, [at("document", "", 0, 0, 800, 600, depth=0), *buttons])
    assert found == next((each.rect for each in buttons if each.name == meant), None)


@pytest.mark.parametrize(
    ("said", "labels", "meant"),
    [
        ("Enter the new password", ["Password", "New password"], "New password"),
        ("Enter the new dose", ["Dose", "New dose"], "New dose"),
        ("Enter a new width", ["Width", "Height"], "Width"),
    ],
)
def test_a_field_is_called_new_or_filled_anew(said: str, labels: list[str], meant: str) -> None:
    fields = [at("textbox", name, 200, 40 + 40 * place, 150) for place, name in enumerate(labels)]
    found = place(said, [at("document", "", 0, 0, 800, 600, depth=0), *fields])
    assert found == next(each.rect for each in fields if each.name == meant)


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


EXPORT = [
    at("dialog", "Export", 0, 0, 700, 420, depth=0),
    at("text", "Export:", 20, 40, 100, 20, depth=1),
    at("radio", "Original - head", 150, 40, 200, 20, depth=1),
    at("radio", "Resliced - head", 150, 64, 200, 20, depth=1),
    at("radio", "All of them", 150, 88, 200, 20, depth=1),
    at("radio", "tight", 150, 200, 200, 20, depth=1),
    at("radio", "inclusive", 360, 200, 200, 20, depth=1),
    at("text", "Beds", 20, 240, 50, 20, depth=1),
    at("text", "[1...4]", 75, 240, 60, 20, depth=1),
    at("spinbutton", "", 150, 240, 120, 20, depth=1),
    at("text", "Gates", 20, 270, 50, 20, depth=1),
    at("text", "[1...4]", 75, 270, 60, 20, depth=1),
    at("spinbutton", "", 150, 270, 120, 20, depth=1),
    at("text", "fov (%):", 300, 240, 60, 20, depth=1),
    at("spinbutton", "", 365, 240, 120, 20, depth=1),
    at("menu", "Edit", 20, 4, 60, 20, depth=1),
    at("text", "Style", 300, 300, 60, 20, depth=1),
    at("radio", "", 365, 300, 50, 20, depth=1),
    at("radio", "", 420, 300, 50, 20, depth=1),
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Select the third radio button under Original", 4),
        ("Enter the number of beds in the input field", 9),
        ("Type 2 into the Gates field", 12),
        ("Change the fov value", 14),
        ("Enter a new value in the Beds field", 9),
        ("Select the second icon next to Style", 18),
    ],
)
def test_controls_are_told_by_what_stands_around_them(said: str, meant: int) -> None:
    assert place(said, EXPORT) == EXPORT[meant].rect


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


@pytest.mark.parametrize("said", ["Close the dialog", "Close the 'Interactions' window with the cross icon"])
def test_a_dialog_is_closed_by_its_cross(said: str) -> None:
    assert place(said, RESULTS) == RESULTS[20].rect


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
