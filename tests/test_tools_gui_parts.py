"""Parts of a screen and looks of controls in an instruction: dialogs, forms, tables, rows, corners, numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tree_screens import box, node, place, white
from tools.gui.grounding import read_instruction
from tools.gui.grounding.items import Item, numbered_by_pitch
from tools.gui.grounding.score_total import weigh
from tools.gui.grounding.tree import tree_items
from tools.gui.types import Layer, Node, Rect


def drug(top: float, name: str, dose: str) -> list[Node]:
    cells = [node("text", name, 200, top, 140, depth=2), node("text", dose, 360, top, 80, depth=2)]
    buttons = [node("button", "Change", 700, top, depth=2), node("button", "Löschen", 800, top, depth=2)]
    return [node("row", "", 190, top, 900, depth=1), *cells, *buttons]


FORM = [
    node("button", "", 10, 10, 30),
    node("button", "Log out", 1180, 10),
    node("textbox", "Accession", 300, 120, 400, value="1"),
    node("textbox", "Comment", 300, 160, 400),
    node("textbox", "Remark", 300, 200, 400),
    node("combobox", "Priority", 300, 240, 400, value="urgent"),
    node("button", "All patients", 300, 300, 120),
    node("button", "Send request", 440, 300, 120),
]
DRUGS = [
    node("heading", "Medication", 190, 60),
    *drug(100, "Ramipril", "5 mg"),
    *drug(140, "Metformin", "850 mg"),
    *drug(180, "Apixaban", "5 mg"),
    node("button", "Next", 200, 230),
    node("text", "View", 200, 300, 40),
    *(node("button", name, 200 + 40 * place, 330, 30) for place, name in enumerate(("Info", "Invert", "Smooth"))),
]
SIGNING = [
    node("button", "Sign order", 400, 700),
    box("dialog", "Sign order", 400, 300, 800, 500),
    *(Node(**{**each.model_dump(), "depth": 1}) for each in (
        node("textbox", "Passcode", 420, 360, 300),
        node("button", "Cancel", 600, 440),
        node("button", "Sign", 700, 440),
    )),
]  # fmt: skip

TOOLS = [
    node("button", "Menu", 10, 60),
    node("link", "Messages", 10, 100),
    *(node("button", name, 300 + 40 * at, 60, 30) for at, name in enumerate(("Search", "Zoom in", "Zoom out", "Add"))),
]

WINDOW = box("window", "Patient data", 640, 40, 1240, 640)
DESK = [
    WINDOW,
    node("button", "Coronal", 660, 60, depth=1),
    node("text", "Colour table:", 660, 120, 100, depth=1),
    node("combobox", "hot metal", 770, 120, 200, depth=1),
    node("text", "Page:", 660, 160, 60, depth=1),
    node("spinbutton", "", 730, 160, 80, depth=1, value="4"),
    node("checkbox", 'Ask for "Save changes" on exit:', 660, 200, 300, depth=1),
    *(
        each
        for at, name in enumerate(("Corrected", "Planar"))
        for each in (
            node("text", name, 660 + 300 * at, 260, 100, depth=1),
            node("radio", "Yes", 660 + 300 * at, 290, 60, depth=1),
            node("radio", "No", 740 + 300 * at, 290, 60, depth=1),
        )
    ),
    node("button", "Clear", 660, 600, depth=1),
    node("button", "Clear", 1140, 60, depth=1),
]
MENU = [
    WINDOW,
    node("button", "Coronal", 660, 200, depth=1),
    node("menubar", "", 640, 60, depth=1),
    node("menu", "Tools", 650, 60, depth=2),
    node("menuitem", "Coronal", 650, 90, depth=3),
    node("menuitem", "Rotate series", 650, 120, depth=3),
]
OPTIONS = [
    WINDOW,
    node("checkbox", "[r] reverse slices", 660, 100, 200, depth=1),
    node("checkbox", "[v] flip vertical", 660, 130, 200, depth=1),
    node("button", "Toggle entries", 660, 160, 120, depth=1),
    node("button", "Hide", 660, 200, depth=1),
]

SMALL = [box("window", "Editor", 900, 400, 1260, 700), node("button", "Clear", 910, 660, depth=1)]
CORNER = [node("button", "", 10, 10, 30), node("button", "", 200, 40, 30), node("button", "Log out", 1180, 10)]
VIEWER = [
    box("button", "", 10, 10, 48, 37),
    box("link", "Example hospital", 17, 52, 165, 92),
    box("text", "View", 14, 102, 42, 116),
    *(
        box("button", name, 14 + 29 * at, 118, 43 + 29 * at, 142)
        for at, name in enumerate(("Series", "Invert", "Smooth"))
    ),
    box("text", "Zoom", 14, 144, 46, 158),
    box("button", "Adjust", 14, 160, 43, 183),
]
LABELS = [node("button", "Add label", 300, 60), node("button", "Anonymize", 300, 100)]
LISTS = [
    entry
    for part, top in (("Current medication", 60), ("Previous medication", 260))
    for entry in (
        box("region", part, 190, top, 1100, top + 160),
        node("heading", part, 200, top + 10, 300, depth=1),
        *(
            each
            for at, drug in enumerate(("Ramipril", "Metoprolol"))
            for each in (
                box("row", "", 195, top + 50 + 40 * at, 1090, top + 80 + 40 * at, depth=1),
                node("text", drug, 200, top + 53 + 40 * at, 150, depth=2),
                node("button", "Change", 700, top + 53 + 40 * at, depth=2),
            )
        ),
    )
]
STUDY = [node("button", "Delete", 300, 60), node("button", "Hide", 300, 400)]

FOUND = [
    (STUDY, "Click Hide below the images", "Hide"),
    (SMALL, 'Click "Clear" at the bottom left of the window', "Clear"),
    (CORNER, "Click the small button in the top left corner", ""),
    (VIEWER, "Click the blue arrows icon, second in the View group", "Invert"),
    (FORM, "Click the box straight below the one with the 1 in it", "Comment"),
    (FORM, 'Click the blue "All patients" button below the lookup form', "All patients"),
    (FORM, "Press All patients below the search form", "All patients"),
    (FORM, "Click the Acme logo button in the top left corner to open the toolbar", ""),
    (FORM, 'Expand the list next to "Priority"', "Priority"),
    (DRUGS, "Click the Next button under the drug table", "Next"),
    (DRUGS, "Click the blue arrows icon, second in the View group", "Invert"),
    (TOOLS, "Click the magnifier with the plus sign to enlarge the note.", "Zoom in"),
    (TOOLS, "Select Messages in the left navigation menu.", "Messages"),
    (DESK, 'Click "Clear" at the bottom left of the window', "Clear"),
    (DESK, 'Open the "Colour table" drop-down menu', "hot metal"),
    (DESK, 'Uncheck the box next to Ask for "Save changes" on exit', 'Ask for "Save changes" on exit:'),
    (DESK, "Click in the page field", ""),
    (MENU, 'Select the "Tools" option', "Tools"),
    (MENU, "Choose Rotate series from the Tools menu", "Rotate series"),
    (MENU, 'Click "Rotate series", the second item in the menu', "Rotate series"),
    (MENU, "Open the Tools menu at the far left of the menu bar", "Tools"),
    (OPTIONS, "Tick the flip vertical check box", "[v] flip vertical"),
    (OPTIONS, "Click the Toggle entries button above Hide", "Toggle entries"),
    (SIGNING, "Click the passcode field in the Sign order window", "Passcode"),
    (SIGNING, "Press Sign in the Sign order dialog", "Sign"),
]


@pytest.mark.parametrize(("nodes", "said", "name"), FOUND)
def test_a_part_of_the_screen_tells_where_a_control_is(nodes: list[Node], said: str, name: str) -> None:
    controls = [each for each in nodes if each.role not in ("text", "heading", "row", "dialog", "window", "menubar")]
    assert place(said, nodes) == next(each.rect for each in controls if each.name == name)


@pytest.mark.parametrize(
    ("said", "name", "top"),
    [
        ('Click the "Change" button for Metformin', "Change", 140),
        ("Klicken Sie in der Zeile von Metformin auf „Change“", "Change", 140),
        ("Klicken Sie auf das Papierkorbsymbol in der Zeile von Apixaban", "Löschen", 180),
    ],
)
def test_a_button_that_many_rows_have_is_found_in_the_row_that_is_named(said: str, name: str, top: float) -> None:
    assert place(said, DRUGS) == next(each.rect for each in DRUGS if each.name == name and each.rect.top == top)


def test_a_value_is_chosen_where_it_is_set_and_an_open_menu_takes_the_click() -> None:
    yes, no = (next(each.rect for each in DESK if each.name == name and each.rect.left > 900) for name in ("Yes", "No"))
    assert place('Set "Planar" to Yes', DESK) == yes
    assert place("Set Planar to No", DESK) == no
    assert place('Select "Coronal"', MENU) == MENU[-2].rect


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        # What a dialog is called is not asked to be done.
        (SIGNING, "Click the button in the Sign order window"),
        (SIGNING, "Click the comment field in the Sign order window"),
        # What is said to be in a part that is not there may be another one here.
        (DRUGS, 'Click "Change" in the allergies table'),
        (FORM, 'Click "Send request" in the Radiology form'),
        (FORM, 'Click "Send request" below the transfusion form'),
        (DRUGS[:6], 'Click "Löschen" for Metoprolol'),
        (DRUGS[:6], 'Click "Change" for Metoprolol'),
        (STUDY, "Click Delete below the images"),
        (LABELS, "Click Save to store the new bed."),
        # A corner has to hold it.
        (FORM, "Click the small round button in the bottom left corner"),
    ],
)
def test_what_is_not_there_is_not_guessed(nodes: list[Node], said: str) -> None:
    assert place(said, nodes) is None


def test_of_two_lists_the_one_that_is_named_holds_the_row() -> None:
    for part, top in (("Current medication", 113), ("Previous medication", 313)):
        found = place(f'Click "Change" for Ramipril in the {part} section', LISTS)
        assert found is not None
        assert (found.left, found.top) == (700, top)


def test_what_stands_below_a_group_is_not_counted_there() -> None:
    # How far a heading reaches to the sides cannot be told.
    screen = white(VIEWER)
    assert weigh("Click the second icon in the View group", tree_items(screen.nodes), screen) is None


def test_words_for_looks_are_left_out_only_where_a_number_or_a_corner_tells_which() -> None:
    first = read_instruction("Click the wavy line icon in the View group")[0]
    assert (first.words, first.kind) == ("wavy line", "icon")
    assert "" not in {way.words for way in read_instruction("Click the wavy line icon")}
    second = read_instruction("Click the second wavy icon")
    assert ("", 2, "icon") in {(way.words, way.ordinal, way.kind) for way in second}


def icons(layer: Layer, *lefts: float) -> list[Item]:
    return [Item(Rect(left=left, top=40, right=left + 16, bottom=56), "icon", (), layer) for left in lefts]


def test_an_icon_that_was_not_recognised_is_counted_nevertheless() -> None:
    # Of four icons, each 30 pixels from the next, the second one is missing.
    seen = icons("icon", 20, 80, 110)
    assert [numbered_by_pitch(seen, at) for at in (1, 2, 3, 4, 5)] == [seen[0], None, seen[1], seen[2], None]
    assert numbered_by_pitch(seen, -1) is seen[2]
    # A tree leaves none out, and a gap that holds no whole icon parts groups.
    assert numbered_by_pitch(known := icons("tree", 20, 80, 110), 2) is known[1]
    assert numbered_by_pitch(apart := icons("icon", 20, 50, 96), 3) is apart[2]


@given(st.integers(3, 12), st.integers(18, 60), st.data())
def test_all_icons_of_an_even_row_are_counted_in_order(count: int, pitch: int, data: st.DataObject) -> None:
    seen = icons("icon", *(10 + pitch * at for at in range(count)))
    ordinal = data.draw(st.integers(1, count))
    assert numbered_by_pitch(data.draw(st.permutations(seen)), ordinal) is seen[ordinal - 1]


@pytest.mark.parametrize(
    ("said", "words", "kind"),
    [
        ("Klicken Sie auf das Druckersymbol", "Drucker", "icon"),
        ("Klicken Sie auf die Speichern-Schaltfläche", "Speichern", "button"),
        ("Klicken Sie in das Textfeld", "", "field"),
        ("Klicken Sie in das Feld auf der linken Seite", "", "field"),
    ],
)
def test_german_compounds_are_a_name_and_a_kind(said: str, words: str, kind: str) -> None:
    first = read_instruction(said)[0]
    assert (first.words, first.kind) == (words, kind)
