"""How people speak of controls: by number and place, by purpose, with labels in quotation marks, and by the way."""

from __future__ import annotations

import pytest

from tests.tree_screens import node, place
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.quoted_labels import aloud, labels, of_places
from tools.gui.grounding.strip_asides import numbered, without_asides

FILES = [
    node("text", "Source:", 200, 100),
    node("button", "Open", 300, 100),
    node("text", "Target:", 200, 140),
    node("button", "Open", 300, 140),
]


def test_of_two_buttons_of_one_name_the_lower_one_is_the_last() -> None:
    assert place("Press the lower of the two Open buttons", FILES) == FILES[3].rect
    assert numbered("the upper of the two entries") == "the first entry"


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
