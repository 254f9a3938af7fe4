"""How people speak of controls: by number and place, by purpose, with labels in quotation marks, and by the way."""

from __future__ import annotations

import pytest

from tests.tree_screens import box, node, place
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.quoted_labels import aloud, labels, of_places
from tools.gui.grounding.strip_asides import numbered, without_asides
from tools.gui.types import Node


def dialog(name: str, *controls: Node) -> list[Node]:
    return [box("dialog", name, 400, 300, 800, 520), node("heading", name, 420, 310, 200, depth=1), *controls]


BAR = [
    box("window", "Viewer", 0, 0, 1280, 800),
    node("menubar", "", 0, 20, 600),
    *(node("menu", name, 10 + 60 * at, 20, 50, depth=1) for at, name in enumerate(("File", "View", "Tools", "Help"))),
]
OPEN = [
    *BAR[:4],
    node("menu", "Tools", 130, 20, 50, depth=1),
    *(
        node("menuitem", name, 130, 50 + 26 * at, 200, depth=2)
        for at, name in enumerate(("Align", "Rotate left", "Crop data set", "Rotate right", "Statistics"))
    ),
    node("menu", "Help", 190, 20, 50, depth=1),
]
TABS = [
    *(node("tab", name, 10 + 120 * at, 60, 110) for at, name in enumerate(("Layout", "Medication", "Lab results"))),
    node("spinbutton", "Width (pixels)", 300, 120, 80),
    node("checkbox", "Keep size", 300, 160, 120),
    node("button", "Close", 1180, 760),
]
FILES = [
    node("text", "Source:", 200, 100),
    node("button", "Open", 300, 100),
    node("text", "Target:", 200, 140),
    node("button", "Open", 300, 140),
]
GROUP = [
    box("region", "Access", 10, 100, 210, 240),
    node("heading", "Access", 20, 105, depth=1),
    *(node("link", name, 20, 140 + 30 * at, 150, depth=1) for at, name in enumerate(("Download", "Copy link"))),
    node("button", "Interpolation", 600, 20, 30),
    node("button", "Invert", 640, 20, 30),
]
PAGE = [
    node("row", "", 190, 100, 900),
    node("text", "Doe, Jane", 200, 100, depth=1),
    node("button", "Previous page", 200, 400, 30),
    node("button", "Next page", 300, 400, 30),
]
CHANGING = dialog(
    "Change: Ramipril", node("button", "Close", 740, 305, 30, depth=1), node("button", "Save", 700, 480, depth=1)
)
DELETING = dialog(
    "Delete study", node("button", "Cancel", 560, 480, depth=1), node("button", "Delete", 680, 480, depth=1)
)
ASKING = dialog(
    "Delete this patient?", node("button", "Cancel", 560, 480, depth=1), node("button", "OK", 680, 480, depth=1)
)
DRUGS = [
    node("tab", "Allergies", 10, 60),
    node("tab", "Medication", 130, 60),
    node("row", "", 190, 100, 900),
    node("text", "Metformin", 200, 100, depth=1),
    node("text", "04/12/1961", 400, 100, depth=1),
    node("button", "Delete", 800, 100, depth=1),
    node("button", "Sign all", 300, 300),
]
CORNER = [node("button", "", 10, 10, 30), node("button", "Log out", 1180, 10)]

FOUND = [
    (OPEN, "Choose the last entry of the opened menu.", "Statistics"),
    (OPEN, "In the menu, pick the middle entry.", "Crop data set"),
    (OPEN, "Choose the second entry in the menu that is open", "Rotate left"),
    (OPEN, "Rotate it to the left", "Rotate left"),
    (OPEN, "Click the menu item for cropping the data set (directly below Rotate left).", "Crop data set"),
    (BAR, "Open the menu between View and Help", "Tools"),
    (BAR, "Open the leftmost menu of the menu bar to get to the import functions.", "File"),
    (BAR, "Open the menu to the left of Help in the viewer window to adjust the program.", "Tools"),
    (BAR, "In the small (X)Viewer window, open the 'View' menu.", "View"),
    (TABS, "Go to the rightmost tab", "Lab results"),
    (TABS, "Switch to the tab 'Medication' in the patient record.", "Medication"),
    (TABS, "On the 'Layout' tab, click into the spin button 'Width (pixels)'.", "Width (pixels)"),
    (TABS, "Remove the tick from the check box next to 'Keep size'", "Keep size"),
    (TABS, "To see the values, open the Lab results tab.", "Lab results"),
    (TABS, "Leave the settings with the button in the lower right corner of the window.", "Close"),
    (GROUP, "Click the last entry of the 'Access' group: 'Copy link'.", "Copy link"),
    (GROUP, "Click on the sine wave icon to switch the interpolation.", "Interpolation"),
    (PAGE, "Go to the next page of the list with the right-pointing arrow under the table.", "Next page"),
    (CHANGING, "Close the dialog 'Change: Ramipril' with the X in its upper right corner.", "Close"),
    (ASKING, "When asked 'Delete this patient?', back out with the blue 'Cancel' button.", "Cancel"),
]
NOT_THERE = [
    (DELETING, 'Click "Delete" in the Remove series window'),
    (DELETING, "Click Delete in the Delete patient dialog"),
    (DELETING, "Klicken Sie im Dialog Delete patient auf „Delete“"),
    (DELETING, "Press OK to delete"),
    (DRUGS, 'Click "Sign all" below the allergies table'),
    (DRUGS, 'Click "Delete" next to 12/04/1961'),
    (DRUGS, 'Click "Delete" next to Metoprolol'),
    (DRUGS, "To delete metoprolol, click Delete"),
    (DRUGS, "Click Delete (metoprolol)"),
    (DELETING, "Confirm 'Delete: Doe, Jane?' with the button 'Delete'"),
    (CORNER, "Click the Save icon in the top left corner"),
    (CORNER, "Click the second icon in the Annotate group"),
]


@pytest.mark.parametrize(("nodes", "said", "name"), FOUND)
def test_what_is_told_freely_is_found(nodes: list[Node], said: str, name: str) -> None:
    controls = [each for each in nodes if each.role not in ("text", "heading", "row", "dialog", "region")]
    assert place(said, nodes) == next(each.rect for each in controls if each.name == name)


def test_of_two_buttons_of_one_name_the_lower_one_is_the_last() -> None:
    assert place("Press the lower of the two Open buttons", FILES) == FILES[3].rect
    assert numbered("the upper of the two entries") == "the first entry"


@pytest.mark.parametrize(("nodes", "said"), NOT_THERE)
def test_what_changes_something_needs_the_place_that_was_said(nodes: list[Node], said: str) -> None:
    assert place(said, nodes) is None


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("And then open the list (third from the left)", "then open the list"),
        ("go to Page, not the list at the top", "go to Page"),
        ("open the list (bed 12 B)", "open the list (bed 12 B)"),
        ("To see more, click Details", "click Details"),
        ("To discharge Doe, click Open", "To discharge Doe, click Open"),
    ],
)
def test_only_what_names_nothing_is_said_by_the_way(said: str, left: str) -> None:
    assert without_asides(said) == left


def test_labels_are_told_from_places_and_from_what_is_typed() -> None:
    said = "Type 'apex' into the 'Name:' field of the 'Add mark' dialog"
    assert labels(said) == ("Name:", "Add mark")
    assert of_places(said) == {"Add mark"}
    assert "Add_mark_" in aloud(said)


def test_codes_with_another_letter_are_others() -> None:
    assert likeness("CompressedSamples^NM1", "CompressedSamples^MR1") == 0.0
    assert likeness("CompressedSamples^NM1", "CompressedSamples^NMl") > 0.9
