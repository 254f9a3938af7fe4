"""What an instruction means by all its hints together: free speech on small screens, and what must never happen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.gui.grounding import LAYERS, locate
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.score_total import weigh
from tools.gui.grounding.tree import tree_items
from tools.gui.types import Node, Rect, Screen

TREE = LAYERS - {"words", "icon"}


def node(role: str, name: str, left: float, top: float, width: float = 80, *, depth: int = 0, value: str = "") -> Node:
    rect = Rect(left=left, top=top, right=left + width, bottom=top + 24)
    return Node(role=role, name=name, rect=rect, depth=depth, value=value)


def row(top: float, *cells: str) -> list[Node]:
    """A row of a table: cells of text, then buttons that open and delete what the row is of."""
    told = [node("text", cell, 200 + 150 * place, top, 140, depth=1) for place, cell in enumerate(cells)]
    buttons = [node("button", name, 800 + 100 * place, top, depth=1) for place, name in enumerate(("Open", "Delete"))]
    return [node("row", "", 190, top, 900), *told, *buttons]


BAR = [
    node("button", name, 10 + 100 * place, 10) for place, name in enumerate(("Print", "Settings", "Help", "Log out"))
]
MENU = [node("button", name, 10, 100 + 40 * place) for place, name in enumerate(("Worklist", "Messages", "Documents"))]
LIST = [*row(100, "Nguyen, Linh", "4 A"), *row(140, "Okafor, Ada", "4 B"), *row(180, "Silva, Rui", "6 C")]
FORM = [
    *(node("textbox", name, 300, 400 + 40 * place, 200) for place, name in enumerate(("Dose", "Comment", "Password"))),
    node("combobox", "Frequency", 600, 400, 150, value="once daily"),
    node("checkbox", "Notify nurse", 600, 440, 20),
    node("radio", "Urgent", 600, 480, 20),
    node("button", "Save draft", 300, 600),
    node("button", "Sign order", 400, 600),
]
NODES = [*BAR, *MENU, *LIST, *FORM]


def screen(nodes: list[Node]) -> Screen:
    return Screen(rgb=np.full((800, 1280, 3), 255, np.uint8), nodes=tuple(nodes))


def place(said: str, nodes: list[Node] = NODES) -> Rect | None:
    found = locate(said, screen(nodes), layers=TREE)
    return None if found.abstained or not found.targets else found.targets[0].rect


def of(name: str, *, top: float | None = None) -> Rect:
    return next(each.rect for each in NODES if each.name == name and (top is None or each.rect.top == top))


MEANT = [
    ("I'd like to look at Ms Okafor's record", "Open", 140),
    ("Rui Silva can go, get rid of him: the bin in his row", "Delete", 180),
    ("Any mail for us? It's in the menu on the left", "Messages", None),
    ("The cogwheel, between the printer and the question mark", "Settings", None),
    ("I'm done here, log me out", "Log out", None),
    ("How often he gets it: unfold the one where it says once daily", "Frequency", None),
    ("Click into the box for the passphrase", "Password", None),
    ("Put a tick so that nursing is informed", "Notify nurse", None),
    ("Now the signature, the button to the right of Save draft", "Sign order", None),
    ("It stays a draft for now, keep it", "Save draft", None),
    ("Die Unterlagen bitte", "Documents", None),
    ("Mach die Akte von Frau Nguyen auf", "Open", 100),
]


@pytest.mark.parametrize(
    ("said", "wrong"), [("Ada Okafor, the second one, 4 B", "Delete"), ("the order, please", "Sign order")]
)
def test_what_was_not_asked_for_is_not_done(said: str, wrong: str) -> None:
    assert place(said) not in [each.rect for each in NODES if each.name == wrong]


@given(st.permutations([*BAR, *MENU, *FORM]), st.sampled_from(MEANT))
@settings(max_examples=60)
def test_the_order_of_nodes_does_not_matter(nodes: list[Node], meant: tuple[str, str, float | None]) -> None:
    said, name, top = meant
    assert place(said, [*nodes, *LIST]) == of(name, top=top)


@given(st.sampled_from(MEANT), st.integers(0, 11))
@settings(max_examples=60)
def test_an_unrelated_control_changes_nothing(meant: tuple[str, str, float | None], at: int) -> None:
    said, name, top = meant
    other = node("button", "Zebra crossing", 1000, 700)
    tops = [*BAR, *MENU, *FORM]
    assert place(said, [*tops[:at], other, *tops[at:], *LIST]) == of(name, top=top)


@given(
    st.sampled_from(MEANT),
    st.sampled_from(("Please, ", "Oh, right, ", "Could you, ", "Bitte, ", "Well, ")),
    st.sampled_from((", please", ", thanks", ", bitte", "")),
)
@settings(max_examples=60)
def test_politeness_changes_nothing(meant: tuple[str, str, float | None], before: str, after: str) -> None:
    said, name, top = meant
    assert place(f"{before}{said}{after}") == of(name, top=top)


@given(st.integers(2, 6))
def test_a_tie_is_no_answer(count: int) -> None:
    alike = [node("button", "Trend", 600, 100 + 40 * place) for place in range(count)]
    assert place("how has it been going over time", alike) is None


def test_quoted_words_are_a_label_and_no_hint() -> None:
    items = labelled_fields(tree_items(NODES))
    assert weigh('look at the "Mail"', items, screen(NODES)) is None
    found = weigh("have a look at the mail", items, screen(NODES))
    assert found is not None
    assert found.label == "Messages"


@given(st.text(max_size=120))
@settings(max_examples=150)
def test_any_text_is_weighed_alike_twice(text: str) -> None:
    items = labelled_fields(tree_items(NODES))
    assert weigh(text, items, screen(NODES)) == weigh(text, items, screen(NODES))
