"""A model that points: asked only where nothing else is sure, twice, and believed only where it agrees with itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.errors import ModelError, ToolRetry
from tools.gui.grounding import Ask, Pointed, Question, Reply, locate
from tools.gui.grounding.vision.zoom import SIDE_PX, enlarged, part_around
from tools.gui.grounding.vlm import CONFIDENCE, MOST_CONTROLS, PLACE
from tools.gui.guard.effect_words import VERBS, affirms, find_verbs
from tools.gui.types import Layer, Located, Node, Point, Rect, Screen
from tools.gui.workflow.recorded_target import find_recorded, record_target
from tools.privacy.redact import PhiError

WIDTH, HEIGHT = 1280, 800
FREE = "touch the quombus"
"""Words that lead nowhere, however well others are understood."""


def box(left: float, top: float, width: float = 120, height: float = 30) -> Rect:
    return Rect(left=left, top=top, right=left + width, bottom=top + height)


def screen_of(*named: tuple[str, str, Rect]) -> Screen:
    """A white screen whose tree names these; a part of it is coloured, so that enlarged parts differ."""
    rgb = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    rgb[500:520, 300:900] = (200, 20, 30)
    nodes = tuple(Node(role=role, name=name, rect=rect, depth=1) for role, name, rect in named)
    return Screen(rgb=rgb, nodes=nodes, window="Ward")


FORM = screen_of(
    ("button", "Save", box(100, 100)),
    ("button", "Dismiss notice", box(860, 500, 40, 20)),
    ("textbox", "Weight", box(100, 300, 400)),
    ("button", "Open", box(700, 100)),
    ("button", "Open", box(700, 200)),
)
# No instruction of these tests has to be read in pixels: that is tested with the other layers.
TREE: frozenset[Layer] = frozenset({"tree"})


class Model:
    """A model that answers by a function of the question, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Question], Pointed]) -> None:
        self.answer, self.asked = answer, list[Question]()

    def __call__(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply(self.answer(question))


def choosing(title: str, top: float = 0) -> Model:
    """Chooses what is called so and begins at or below a height."""

    def answer(question: Question) -> Pointed:
        for number, item in enumerate(question.controls, 1):
            if item.title == title and item.rect.top >= top:
                return Pointed(control=number)
        return Pointed(none="not there")

    return Model(answer)


def seeing(x_px: float, y_px: float, wide: float = 1_000, high: float = 1_000) -> Model:
    """Points at a place where it sees it: by default in thousandths of what it is shown."""

    def answer(question: Question) -> Pointed:
        part = question.part or question.screen.rect
        x, y = (x_px - part.left) / part.width, (y_px - part.top) / part.height
        if not (0 <= x < 1 and 0 <= y < 1):
            return Pointed(none="it is not in this picture")
        return Pointed(x=min(1_000, x * wide), y=min(1_000, y * high))

    return Model(answer)


def saying(*answers: Pointed) -> Model:
    left = list(answers)
    return Model(lambda question: left.pop(0))


def find(instruction: str, ask: Ask | None, screen: Screen = FORM) -> Located:
    return locate(instruction, screen, layers=TREE, ask=ask)


# Agreement


def test_a_control_is_chosen_twice_in_lists_of_another_order() -> None:
    model = choosing("Dismiss notice")
    found = find(FREE, model)
    assert found.abstained == ""
    assert "A model chose 'Dismiss notice'" in found.asked
    (target,) = found.targets
    assert (target.layer, target.confidence, target.rect) == ("model", CONFIDENCE, box(860, 500, 40, 20))
    first, second = (question.controls for question in model.asked)
    assert sorted(first, key=id) == sorted(second, key=id)
    assert all(one is not other for one, other in zip(first, second, strict=True) if one is not first[len(first) // 2])
    assert [question.part for question in model.asked] == [None, None]


def test_a_place_is_asked_for_again_on_an_enlarged_part() -> None:
    model = seeing(400, 510)
    found = find(FREE, model)
    assert found.abstained == ""
    (target,) = found.targets
    assert (target.layer, target.label) == ("model", PLACE)
    assert target.point.x_px == pytest.approx(400, abs=1)
    assert target.point.y_px == pytest.approx(510, abs=1)
    assert target.rect.holds(target.point)
    whole, part = model.asked
    assert (whole.part, part.controls) == (None, ())
    assert part.part is not None
    assert part.part.holds(target.point)


def test_a_place_in_a_known_control_becomes_that_control() -> None:
    # The answers are 300 px apart, and both lie in the field.
    found = find(FREE, saying(Pointed(x=1_000 * 120 / WIDTH, y=1_000 * 310 / HEIGHT), Pointed(x=900, y=600)))
    assert [(target.label, target.point) for target in found.targets] == [("Weight", box(100, 300, 400).center)]
    assert found.targets[0].layer == "model"
    # Where they agree, the place stays: what pixels take for one control may be two.
    (target,) = find(FREE, seeing(450, 320)).targets
    assert (target.label, target.rect) == ("Weight", box(100, 300, 400))
    assert abs(target.point.x_px - 450) < 1


def test_a_number_and_a_place_in_the_same_control_agree() -> None:
    def answer(question: Question) -> Pointed:
        if len(model.asked) == 1:
            return Pointed(control=[item.title for item in question.controls].index("Save") + 1)
        return Pointed(x=1_000 * 150 / WIDTH, y=1_000 * 110 / HEIGHT)

    model = Model(answer)
    assert find(FREE, model).targets[0].label == "Save"


# Disagreement


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Model(lambda question: Pointed(control=1)), "in a list of another order"),
        (Model(lambda question: Pointed(control=9)), "it chose number 9, and there are 5"),
        (saying(Pointed(control=1), Pointed(none="no longer sure")), "'no longer sure'"),
        (saying(Pointed(control=1), Pointed(x=1, y=999)), "another place"),
        (saying(Pointed(x=500, y=900), Pointed(control=1)), "a list that it was not shown"),
        (saying(Pointed(x=500, y=900), Pointed(none="")), "it knows nothing that is meant"),
        (Model(lambda question: Pointed(none="the bar is not there")), "'the bar is not there'"),
        # Beyond the edge there is nothing but grey.
        (saying(Pointed(x=0, y=0), Pointed(x=100, y=100)), "outside the screen"),
    ],
)
def test_answers_that_do_not_agree_are_none(model: Model, told: str) -> None:
    found, without = find(FREE, model), find(FREE, None)
    assert found.targets == ()
    assert found.abstained == without.abstained
    assert "A model was asked, and did not help" in found.asked
    assert told in found.asked
    assert len(model.asked) <= 2


@pytest.mark.parametrize("place", [(30.0, 20.0), (640.0, 400.0), (320.0, 650.0), (1_250.0, 780.0), (175.0, 700.0)])
@pytest.mark.parametrize("unit", ["pixels", "shares", "its first answer", "the middle"])
def test_a_model_that_counts_otherwise_is_found_out_or_right(unit: str, place: tuple[float, float]) -> None:
    screen = screen_of()

    def answer(question: Question) -> Pointed:
        part = question.part or question.screen.rect
        x, y = (place[0] - part.left) / part.width, (place[1] - part.top) / part.height
        if unit == "the middle":
            return Pointed(x=500, y=500)
        if unit == "its first answer" and question.part:
            x, y = place[0] / WIDTH, place[1] / HEIGHT
        if not (0 <= x < 1 and 0 <= y < 1):
            return Pointed(none="not in this picture")
        if unit == "shares":
            return Pointed(x=x, y=y)
        wide, high = (1_000, 1_000) if question.part or unit != "pixels" else (WIDTH, HEIGHT)
        return Pointed(x=min(1_000, x * wide), y=min(1_000, y * high))

    found = find(FREE, Model(answer), screen)
    for target in found.targets:
        assert abs(target.point.x_px - place[0]) < 2
        assert abs(target.point.y_px - place[1]) < 2
    assert found.targets == () or unit == "pixels"


@given(st.floats(0, WIDTH - 1), st.floats(0, HEIGHT - 1))
@settings(max_examples=50)
def test_a_model_that_sees_a_place_leads_to_it(x: float, y: float) -> None:
    found = find(FREE, seeing(x, y), screen_of())
    assert abs(found.targets[0].point.x_px - x) < 1
    assert abs(found.targets[0].point.y_px - y) < 1


@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))
@settings(max_examples=30)
def test_an_enlarged_part_shows_what_lies_there(x: int, y: int) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[y, x] = 255
    part = part_around(Point(x_px=x + 0.5, y_px=y + 0.5), Screen(rgb=rgb))
    shown = enlarged(rgb, part)
    assert shown.shape == (SIDE_PX, SIDE_PX, 3)
    down, across = np.unravel_index(int(shown[:, :, 0].astype(int).argmax()), shown.shape[:2])
    # Beyond the edge it is grey, which is darker than the one white pixel.
    assert abs(part.left + (across + 0.5) / SIDE_PX * part.width - (x + 0.5)) <= 1
    assert abs(part.top + (down + 0.5) / SIDE_PX * part.height - (y + 0.5)) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"x": 5.0},
        {"control": 1, "x": 5.0, "y": 5.0},
        {"control": 0},
        {"control": 1.5},
        {"x": -1.0, "y": 5.0},
        {"x": 1_000.1, "y": 5.0},
        {"x": float("nan"), "y": 1.0},
        {"x": float("inf"), "y": 1.0},
        {"none": None},
        {"control": 1, "none": "or not"},
        {"control": 1, "run": "rm"},
    ],
)
def test_what_is_no_one_answer_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Pointed.model_validate(wrong)


# When it is asked, and about what


def test_it_is_never_asked_where_other_layers_are_sure() -> None:
    def never(question: Question) -> Reply:
        raise AssertionError("nothing had to be asked")

    for said, layer in (("click Save", "tree"), ("type 70 into the Weight field", "tree")):
        found = find(said, never)
        assert (found.targets[0].layer, found.asked) == (layer, "")
    for wrong in ("", "   ", "x" * 501):
        with pytest.raises(ToolRetry):
            find(wrong, never)


def test_it_decides_between_several_alike_and_nothing_else() -> None:
    without = find('click "Open"', None)
    assert len(without.targets) == 2
    model = choosing("Open", top=150)
    found = find('click "Open"', model)
    assert (found.abstained, [target.rect for target in found.targets]) == ("", [box(700, 200)])
    assert found.targets[0].layer == "model"
    for question in model.asked:
        assert [question.controls[number - 1].title for number in question.alike] == ["Open", "Open"]
    other = find('click "Open"', choosing("Save"))
    assert (other.targets, other.abstained) == (without.targets, without.abstained)
    assert "none of those that fit" in other.asked
    first = find('click "Open"', Model(lambda question: Pointed(control=question.alike[0])))
    assert (first.targets, first.abstained) == (without.targets, without.abstained)


def test_what_is_called_the_same_follows_what_was_chosen() -> None:
    found = find(FREE, choosing("Open", top=150))
    assert [target.rect for target in found.targets] == [box(700, 200), box(700, 100)]
    assert {target.layer for target in found.targets} == {"model"}


def test_words_that_name_nothing_can_be_understood_by_a_model() -> None:
    with pytest.raises(ToolRetry, match="names nothing to look for"):
        find("click the", None)
    assert find("click the", choosing("Save")).targets[0].label == "Save"
    found = find("click the", saying(Pointed(none="")))
    assert "names nothing to look for" in found.abstained


@pytest.mark.parametrize("error", [ModelError("the server is away."), PhiError("Presidio is not installed.")])
def test_a_model_that_fails_leaves_the_answer_as_it_was(error: Exception) -> None:
    def fails(question: Question) -> Reply:
        raise error

    for said in (FREE, 'click "Open"'):
        found, without = find(said, fails), find(said, None)
        assert (found.targets, found.abstained) == (without.targets, without.abstained)
        assert str(error) in found.asked


def test_the_list_is_bounded_and_controls_go_first() -> None:
    texts = [("text", f"note {number}", box(10, 3 * number, 50, 2)) for number in range(160)]
    buttons = [("button", f"act {number}", box(600, 15 * number, 50, 10)) for number in range(50)]
    model = saying(Pointed(none=""))
    find(FREE, model, screen_of(*texts, *buttons))
    controls = model.asked[0].controls
    assert len(controls) == MOST_CONTROLS
    assert sum(item.role == "button" for item in controls) == 50


def test_what_lies_outside_of_the_screen_is_not_listed() -> None:
    model = saying(Pointed(none=""))
    find(FREE, model, screen_of(("button", "Save", box(100, 100)), ("button", "Gone", box(WIDTH, 100))))
    assert [item.title for item in model.asked[0].controls] == ["Save"]


def test_a_button_and_its_words_are_one_entry_and_what_lies_behind_a_dialog_is_none() -> None:
    model = saying(Pointed(none=""))
    find(FREE, model, screen_of(("button", "Save", box(100, 100)), ("text", "Save", box(110, 105, 50, 20))))
    assert [(item.role, item.title) for item in model.asked[0].controls] == [("button", "Save")]
    model = saying(Pointed(none=""))
    dialog = [("dialog", "Sure?", box(300, 300, 400, 200)), ("button", "No", box(320, 400, 60))]
    nodes = screen_of(("button", "Save", box(100, 100)), *dialog).nodes
    assert nodes is not None
    nodes = (*nodes[:2], nodes[2].model_copy(update={"depth": 2}))
    find(FREE, model, Screen(rgb=FORM.rgb, nodes=nodes))
    assert [item.title for item in model.asked[0].controls] == ["No"]


# What becomes of it


def test_the_label_of_a_bare_place_says_nothing_that_a_rule_could_take_for_a_label() -> None:
    assert not find_verbs(PLACE, VERBS)
    assert not affirms(PLACE)


def test_what_a_model_chose_is_recorded_by_words_that_are_there_or_by_its_pixels() -> None:
    target = find(FREE, choosing("Dismiss notice")).targets[0]
    recorded = record_target(FORM, target)
    assert recorded
    assert (recorded.words, recorded.role) == ("Dismiss notice", "button")
    assert find_recorded(recorded, FORM).targets[0].rect == target.rect
    spot = find(FREE, seeing(305, 505)).targets[0]
    recorded = record_target(FORM, spot)
    assert recorded
    assert recorded.words == ""
    assert recorded.icon


@pytest.mark.parametrize("pixels", [False, True])
def test_pixels_are_listed_too_where_no_tree_names_them(pixels: bool) -> None:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (640, 400), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(20)
    for left, word in ((40, "Store"), (240, "Leave")):
        draw.rectangle((left, 300, left + 140, 344), fill=(225, 230, 236), outline=(90, 100, 110))
        draw.text((left + 40, 310), word, "black", font)
    node = Node(role="button", name="Store", rect=Rect(left=40, top=300, right=180, bottom=344), depth=1)
    screen = Screen(rgb=np.asarray(image), nodes=None if pixels else (node,))
    model = choosing("Leave")
    found = locate(FREE, screen, ask=model)
    assert found.targets[0].rect.holds(Point(x_px=310, y_px=322))
    assert [item.title for item in model.asked[0].controls] == ["Store", "Leave"]
