"""A model that says which thing on a screen is meant, where words, icons and the accessibility tree do not tell.

It is asked twice, and both answers have to agree: a control chosen by its number is asked for again with the list in
another order, a place on an enlarged part around it. Whatever it chooses is of the layer `model`, which a person has to
approve before anything is done there. What the model is, and what it may be shown, is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.errors import ModelError
from tools.gui.grounding.items import Item, in_reading_order
from tools.gui.grounding.label_match import normal
from tools.gui.grounding.vision.zoom import agree, part_around
from tools.gui.types import Located, Point, Rect, Screen, Target
from tools.privacy.redact import PhiError

MOST_CONTROLS = 150
"""Things on a screen that a model may choose among by number; our choice."""
CONFIDENCE = 0.5
"""Of what a model chose; less than any other layer's least. Our choice."""
PLACE_PX = 24.0
"""The side of what a model pointed at where nothing is known, in image pixels; our choice."""
PLACE = "the spot that a model pointed at"
"""The label of such a place. It holds no word of the model's, so that these cannot pass for a label of the screen."""
SAME_PLACE = 0.7
"""The overlap (IoU) from which on two things are one place; our choice."""
_KINDS = (
    "button link tab menuitem checkbox radio switch field dropdown slider icon column heading row text image".split()
)
"""What is offered, the foremost first."""
CONTROLS = frozenset(_KINDS[:11])
"""What is worked by a click anywhere on it."""
_PARTS = frozenset({"icon", "column", "heading", "text"})
"""What may be drawn on a control."""


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes:
        instruction: what is looked for, in a person's words.
        screen: as it is; nothing is taken out of it yet.
        controls: what may be chosen, numbered from 1 in this order; none where only a place is asked for.
        alike: the numbers of those that the words fit alike; none where they fit nothing.
        part: the part of the screen to be shown enlarged (see `zoom.enlarged`), in image pixels; None shows the whole.
    """

    instruction: str
    screen: Screen
    controls: tuple[Item, ...] = ()
    alike: tuple[int, ...] = ()
    part: Rect | None = None


class Pointed(BaseModel):
    """A model's answer: a control, a place, or that there is none.

    Attributes:
        control: its number in the list.
        x, y: the place, in thousandths of the width and height of the picture that was shown.
        none: why there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    control: int | None = Field(default=None, ge=1)
    x: float | None = Field(default=None, ge=0, le=1_000)
    y: float | None = Field(default=None, ge=0, le=1_000)
    none: str | None = Field(default=None, max_length=1_000)

    @model_validator(mode="after")
    def _is_one_answer(self) -> Pointed:
        if (self.x is None) != (self.y is None):
            raise ValueError("x and y go together")
        if sum(one is not None for one in (self.control, self.x, self.none)) != 1:
            raise ValueError('give one of "control", "x" with "y", or "none"')
        return self


@dataclass(frozen=True)
class Reply:
    """An answer, and what it cost: model calls, and tokens read and written."""

    pointed: Pointed
    calls: int = 1
    tokens: int = 0


Ask = Callable[[Question], Reply]
"""Asks a model. Raises ModelError, and PhiError where what it may be shown cannot be told."""


def point(instruction: str, screen: Screen, items: Sequence[Item], unsure: Located, ask: Ask) -> Located:
    """Let a model say what is meant; without two answers that agree, what was known before stays.

    Args:
        instruction: what is looked for.
        screen: the screenshot, in whose pixels all places are.
        items: what is known on it.
        unsure: what was found without a model; where it has targets, these fit alike and only they may be chosen.
        ask: the model.

    Returns:
        What the model chose, and after it whatever goes by the same name, all of the layer `model`; or `unsure`. Its
        `asked` says what came of asking.
    """
    listed = _offered(items, unsure.targets, screen)
    try:
        chosen, why = _choose(instruction, screen, listed, unsure.targets, ask)
    except (ModelError, PhiError) as error:
        chosen, why = None, str(error)
    if chosen is None:
        return unsure.model_copy(update={"asked": f"A model was asked, and did not help: {why}"})
    namesakes = [] if unsure.targets else _namesakes(chosen, listed, screen)
    told = f"A model chose {chosen.label!r}, in two answers that agree. Nobody has checked it."
    return Located(targets=(chosen, *namesakes), asked=told)


def with_pixels(tree: Sequence[Item], pixels: Sequence[Item]) -> list[Item]:
    """What the tree knows, and what the pixels show besides: words on a control of the tree are not named again."""

    def is_known(item: Item) -> bool:
        middle, name = item.rect.center, normal(item.title)
        holding = [known for known in tree if known.rect.holds(middle)]
        return any(known.role in CONTROLS or (name and name in normal(known.title)) for known in holding)

    return [*tree, *(item for item in pixels if not is_known(item))]


def _offered(items: Sequence[Item], alike: Sequence[Target], screen: Screen) -> list[Item]:
    """What a model may choose among, in reading order: of too many, the controls; each place once."""
    rects = {target.rect for target in alike}
    front = [item for item in items if item.front and item.role in _KINDS and item.rect.area > 0]
    front = [item for item in front if screen.rect.holds(item.rect.center)]
    # Pixels may be a button or a list to choose from: what is chosen among stands for them, else the plainer one.
    front.sort(key=lambda item: (item.rect not in rects, _KINDS.index(item.role)))
    kept: list[Item] = []
    for item in front:
        middle = item.rect.center
        holding = [other for other in kept if other.rect.holds(middle)]
        # Words and icons on a control are parts of it.
        is_part = item.role in _PARTS and item.rect not in rects and any(other.role in CONTROLS for other in holding)
        is_named = bool(item.title) or item.role in CONTROLS
        if is_named and not is_part and all(item.rect.iou(other.rect) < SAME_PLACE for other in holding):
            kept.append(item)
    return in_reading_order(kept[:MOST_CONTROLS])


def _choose(
    instruction: str, screen: Screen, listed: Sequence[Item], alike: Sequence[Target], ask: Ask
) -> tuple[Target | None, str]:
    """What two answers agree on, or why there is none. Raises ModelError and PhiError."""
    item, place, why = _answer(instruction, screen, listed, alike, ask)
    if why:
        return None, why
    if place is not None:
        question = Question(instruction, screen, part=part_around(place, screen))
        finer = ask(question).pointed
        if finer.x is None:
            return None, f"it pointed at a place, and enlarged it did not: {_said(finer)}"
        again = _on_screen(finer, screen, question.part)
        if not screen.rect.holds(again):
            return None, f"it pointed at {_at(place)} first, and enlarged at a place outside the screen."
        item, before = _held(again, listed), _held(place, listed)
        if not agree(place, again, screen):
            if item is None or item is not before or item.role not in CONTROLS:
                return None, f"it pointed at {_at(place)} first, and enlarged at {_at(again)}."
            again = _middle(item)
        chosen = _target(item, again, screen)
    else:
        assert item is not None
        # From its end: of any two, the other one stands first now.
        other, place, why = _answer(instruction, screen, listed[::-1], alike, ask)
        other = _held(place, listed) if place is not None else other
        if other is None or other.rect != item.rect:
            second = why or f"{other.title if other else 'another place'!r}."
            return None, f"it chose {item.title or item.role!r} first, and then, in a list of another order: {second}"
        chosen = _target(item, _middle(item), screen)
    if alike:
        meant = next((target for target in alike if target.rect.holds(chosen.point)), None)
        if meant is None:
            return None, f"it chose {chosen.label!r}, which is none of those that fit."
        chosen = meant.model_copy(update={"layer": "model", "confidence": CONFIDENCE})
    return chosen, ""


def _answer(
    instruction: str, screen: Screen, listed: Sequence[Item], alike: Sequence[Target], ask: Ask
) -> tuple[Item | None, Point | None, str]:
    """A listed item, or a place on the screen, or why there is neither."""
    rects = {target.rect for target in alike}
    numbers = tuple(number for number, item in enumerate(listed, 1) if item.rect in rects)
    pointed = ask(Question(instruction, screen, tuple(listed), numbers)).pointed
    if pointed.x is not None:
        return None, _on_screen(pointed, screen, None), ""
    if pointed.control is None:
        return None, None, _said(pointed)
    if pointed.control > len(listed):
        return None, None, f"it chose number {pointed.control}, and there are {len(listed)}."
    return listed[pointed.control - 1], None, ""


def _said(pointed: Pointed) -> str:
    if pointed.control is not None:
        return f"it named number {pointed.control} of a list that it was not shown."
    return f"it says {pointed.none!r}." if pointed.none else "it knows nothing that is meant."


def _at(place: Point) -> str:
    return f"({place.x_px:.0f}, {place.y_px:.0f})"


def _on_screen(pointed: Pointed, screen: Screen, part: Rect | None) -> Point:
    """A place in image pixels; the very edge of the whole screen counts as its last pixel."""
    assert pointed.x is not None
    assert pointed.y is not None
    shown = part or screen.rect
    x, y = shown.left + pointed.x / 1_000 * shown.width, shown.top + pointed.y / 1_000 * shown.height
    if part is None:
        x, y = min(x, shown.right - 0.5), min(y, shown.bottom - 0.5)
    return Point(x_px=x, y_px=y)


def _held(place: Point, listed: Sequence[Item]) -> Item | None:
    """The smallest thing at a place that has bounds of its own: no row, and no picture."""
    holding = [item for item in listed if item.role in CONTROLS | _PARTS and item.rect.holds(place)]
    return min(holding, key=lambda item: item.rect.area, default=None)


def _middle(item: Item) -> Point:
    return item.point or item.rect.center


def _target(item: Item | None, place: Point, screen: Screen) -> Target:
    if item is not None:
        label = item.title or f"a {item.role} without a name"
        return Target(rect=item.rect, point=place, label=label, confidence=CONFIDENCE, layer="model")
    half = PLACE_PX / 2
    around = Rect(left=place.x_px - half, top=place.y_px - half, right=place.x_px + half, bottom=place.y_px + half)
    return Target(rect=around.overlap(screen.rect), point=place, label=PLACE, confidence=CONFIDENCE, layer="model")


def _namesakes(chosen: Target, listed: Sequence[Item], screen: Screen) -> list[Target]:
    """What goes by the same name as what was chosen, and stands elsewhere."""
    name, place = normal(chosen.label), chosen.rect
    same = [item for item in listed if item.rect != place and normal(item.title) == name]
    # A label is called as the field that it stands beside.
    worked = any(item.rect == place and item.role in CONTROLS for item in listed)
    others = [item for item in same if (item.role in CONTROLS) == worked]
    return [_target(item, _middle(item), screen) for item in others]
