"""What deletes, signs, stops or sends is found only where all that was said is said of it: lists, tables, dialogs."""

from __future__ import annotations

import pytest

from tests.tree_screens import node, place
from tools.gui.types import Node, Rect


def row(top: float, cells: tuple[str, ...], deeds: tuple[str, ...]) -> list[Node]:
    told = [node("text", cell, 200 + 150 * at, top, 140, depth=1) for at, cell in enumerate(cells)]
    return [
        node("row", "", 190, top, 1000),
        *told,
        *(node("button", deed, 800 + 100 * at, top, depth=1) for at, deed in enumerate(deeds)),
    ]


def dialog(name: str, *buttons: str) -> list[Node]:
    frame = Node(role="dialog", name=name, rect=Rect(left=400, top=300, right=800, bottom=520), depth=0)
    return [
        frame,
        node("heading", name, 420, 310, 200, depth=1),
        *(node("button", button, 560 + 120 * at, 470, depth=1) for at, button in enumerate(buttons)),
    ]


PATIENTS = [
    node("button", "Log out", 1180, 10),
    *row(100, ("Nguyen, Linh", "4 A"), ("Open", "Discharge", "Delete")),
    *row(140, ("Okafor, Ada", "4 B"), ("Open", "Discharge", "Delete")),
    *row(180, ("Silva, Rui", "6 C"), ("Open", "Discharge", "Delete")),
    *row(220, ("Müller, Hans", "7 A"), ("Open", "Discharge", "Delete")),
    *row(260, ("Müller, Anna", "7 B"), ("Open", "Discharge", "Delete")),
    *row(300, ("Martinez, Eva", "8 A"), ("Open", "Discharge", "Delete")),
]
DRUGS = [
    *row(100, ("Ramipril", "5 mg"), ("Pause", "Discontinue")),
    *row(140, ("Metformin", "850 mg"), ("Pause", "Discontinue")),
    *row(180, ("Apixaban", "5 mg"), ("Pause", "Discontinue")),
    node("button", "Send to pharmacy", 600, 500, 150),
    node("button", "Sign all", 300, 500),
]
PAUSED = [
    *row(100, ("Insulin glargine", "12 IU"), ("Pause", "Discontinue")),
    *row(140, ("Insulin lispro", "paused"), ("Resume",)),
    *row(180, ("Ramipril", "5 mg"), ("Pause", "Discontinue")),
]
STATES = [
    *row(100, ("Nguyen, Linh", "stable"), ("Open",)),
    *row(140, ("Okafor, Ada", "leaves"), ("Open", "Discharge")),
    *row(180, ("Silva, Rui", "stable"), ("Open",)),
]
SHORT = [*row(100, ("Nguyen",), ("Open",)), *row(140, ("Okafor",), ("Open", "Discharge"))]
DOSES = row(100, ("Bisoprolol", "2,5 mg"), ("Pausieren", "Absetzen"))
ALIKE = [
    *row(100, ("Hans, Peter", "1"), ("Open", "Discharge")),
    *row(140, ("Hansen, Maria", "2"), ("Open", "Discharge")),
    *row(180, ("Rossi, Anna", "3"), ("Open", "Discharge")),
]
IMAGES = [
    *row(100, ("CT", "Abdomen"), ("Open", "Sign")),
    *row(140, ("US", "Thyroid"), ("Open", "Sign")),
    *row(180, ("CT", "Head"), ("Open", "Sign")),
]
BAR = [
    node("button", name, 200 + 120 * at, 400, 110)
    for at, name in enumerate(("Save", "Delete note", "Sign report", "Cancel", "Order"))
]
STACK = [
    node("button", name, 20, 100 + 40 * at, 200) for at, name in enumerate(("Delete this study", "Send to archive"))
]
DELETING = dialog("Delete study", "Keep", "Delete")
LÖSCHEN = dialog("Studie löschen", "Abbrechen", "Löschen")
SIGNING = dialog("Sign order", "Cancel", "OK")

NOT_THERE = [
    # Somebody else, and names that only begin like those in the list.
    (PATIENTS, "Delete the patient Zimmermann"),
    (PATIENTS, "Discharge Okafor, Peter"),
    (PATIENTS, "Delete Linh Silva"),
    (PATIENTS, "Delete the row with Silva, Ada"),
    (PATIENTS, "Delete Hansen"),
    (PATIENTS, "Delete Martin"),
    (PATIENTS, "Delete Rui Silvano"),
    (PATIENTS, "Delete Müller"),
    (PATIENTS, 'Click "Delete" in the row of Zimmermann'),
    (PATIENTS, "Klicken Sie bei Zimmermann auf „Discharge“"),
    (PATIENTS, "Delete the patient after Okafor"),
    (PATIENTS, "Delete the ninth patient"),
    (PATIENTS, "Don't discharge Silva"),
    (PATIENTS, "Has Silva been discharged?"),
    # Another strength, another picture, another receiver, another thing.
    (DRUGS, "Discontinue Apixaban 2.5 mg"),
    (DRUGS, "Discontinue Bisoprolol"),
    (DOSES, "Bisoprolol 5 mg absetzen"),
    (DOSES, "Absetzen neben Bisoprolol 5 mg"),
    (ALIKE, "Discharge Peter Hansen"),
    (ALIKE, "Discharge Maria Hans"),
    (ALIKE, "Click Discharge next to Rosso, Anna"),
    (DRUGS, "Sign Metformin"),
    # What another row has more of is said of that one; what is done to one of several has to be said of which.
    (PAUSED, "Pause the insulin lispro"),
    (PAUSED, 'Click "Pause" in the row of insulin lispro'),
    (PAUSED, "Discontinue insulin lispro"),
    (STATES, "Discharge this patient"),
    (SHORT, "Please discharge her"),
    (PATIENTS, "Discharge Okafor as the next patient"),
    (DELETING, "Delete all studies"),
    (DRUGS, "Send to radiology"),
    (IMAGES, "Sign the MR head"),
    (IMAGES, "Sign the US abdomen"),
    (BAR, "Delete the study"),
    (BAR, "Delete the image"),
    (BAR, "Sign the letter"),
    (BAR, "Cancel the order entry of Silva"),
    (BAR, "Reject the order"),
    # Another dialog, and what a dialog is called.
    (DELETING, "Close the Delete study dialog"),
    (DELETING, "Leave the Delete study dialog"),
    (DELETING, "Read the Delete study dialog"),
    (LÖSCHEN, "Klicken Sie im Fenster Patient löschen auf Löschen"),
    (SIGNING, "Press OK to delete the study"),
    (SIGNING, "Press OK to discontinue"),
    (SIGNING, 'Click "OK" in the delete study dialog'),
    (SIGNING, 'Click "OK" next to the search form'),
]
MEANT = [
    (PATIENTS, "Delete Rui Silva", "Delete", 180),
    (PATIENTS, "Discharge Okafor, Ada", "Discharge", 140),
    (PATIENTS, "Delete the third patient", "Delete", 180),
    (PATIENTS, "Lösche die Patientin Okafor", "Delete", 140),
    (PATIENTS, "Click the Delete button to the right of Silva, Rui", "Delete", 180),
    (PATIENTS, "Open Anna Müller's record", "Open", 260),
    (DRUGS, "Discontinue Metformin", "Discontinue", 140),
    (DRUGS, "Discontinue Apixaban 5 mg", "Discontinue", 180),
    (DOSES, "Bisoprolol 2,5 mg absetzen", "Absetzen", 100),
    (ALIKE, "Discharge Maria Hansen", "Discharge", 140),
    (ALIKE, "Click Discharge next to Rossi, Anna", "Discharge", 180),
    (IMAGES, "Sign the US of the thyroid", "Sign", 140),
    (BAR, "Delete the note", "Delete note", 400),
    (STACK, 'Click "Delete this study" above "Send to archive"', "Delete this study", 100),
    (BAR, "Click Cancel so that nothing is deleted", "Cancel", 400),
    (DELETING, "Press Delete in the Delete study dialog", "Delete", 470),
    (LÖSCHEN, "Klicken Sie im Fenster Studie löschen auf Löschen", "Löschen", 470),
    (SIGNING, "Press OK to sign the order", "OK", 470),
]


@pytest.mark.parametrize(("nodes", "said"), NOT_THERE)
def test_nothing_grave_is_found_by_likeness(nodes: list[Node], said: str) -> None:
    found = place(said, nodes)
    harmless = {"Cancel", "Keep", "Abbrechen", "Open", "Save"}
    assert found is None or {each.name for each in nodes if each.rect == found} <= harmless


@pytest.mark.parametrize(("nodes", "said", "name", "top"), MEANT)
def test_what_is_said_in_full_is_found(nodes: list[Node], said: str, name: str, top: float) -> None:
    assert place(said, nodes) == next(each.rect for each in nodes if each.name == name and each.rect.top == top)
