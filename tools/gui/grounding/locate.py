"""From an instruction and a screen to a place on it, or to the reason why there is none.

Layers answer in turn: the accessibility tree, then words and icons in the pixels. They guess nothing: below a least
score the answer is that nothing was found, and where two places fit alike both are named. Then, and only then, a model
may be asked.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence

from tools.errors import ToolRetry
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.items import Choice, Item
from tools.gui.grounding.label_match import normal
from tools.gui.grounding.parse import MOST, Wanted, label, read_instruction
from tools.gui.grounding.quoted_labels import are_there, called_otherwise, is_in, labels, labels_meant
from tools.gui.grounding.relations import keys_of
from tools.gui.grounding.safety import is_answered_by, of_another_dialog, of_another_row, unasked
from tools.gui.grounding.score import LEAST, TIE, choose
from tools.gui.grounding.score_total import weigh
from tools.gui.grounding.synonyms import GO_AHEAD
from tools.gui.grounding.terms import hints
from tools.gui.grounding.tree import tree_items
from tools.gui.grounding.vision.colours import is_drawn_in, take_colour
from tools.gui.grounding.vision.layout import pixel_items
from tools.gui.grounding.vision.ocr import read_lines
from tools.gui.grounding.vlm import Ask, point, with_pixels
from tools.gui.guard.effect_words import AFFIRMING
from tools.gui.types import Layer, Located, Screen, Target

LAYERS: frozenset[Layer] = frozenset({"tree", "words", "icon"})
"""All but a model."""
PIXELS: frozenset[Layer] = LAYERS - {"tree"}
"""All that need no accessibility tree."""
KEPT_SCREENS = 16
"""Screens whose pixels need not be read again; our choice."""
LITERAL = 0.95
"""From here on a label has the instruction's own words, and other hints add nothing; our choice."""
LABELLED = 0.7
"""From here on a label in quotation marks that was found in a tree is not looked for by other hints; our choice."""
SAME_PX = 3.0
"""Places that are no farther from one another are one; our choice."""
MOST_TARGETS = 8
"""Candidates that an answer lists at most; our choice."""

_lock = threading.Lock()
_seen: OrderedDict[str, list[Item]] = OrderedDict()


def locate(instruction: str, screen: Screen, *, layers: frozenset[Layer] = LAYERS, ask: Ask | None = None) -> Located:
    """Find what an instruction means.

    Args:
        instruction: such as `click the "Delete" button next to Doe^Archibald`.
        screen: the screenshot, with its accessibility tree where there is one.
        layers: what may answer; `PIXELS` leaves the accessibility tree out.
        ask: a model, asked where these find nothing or several places that fit alike; None asks none.

    Returns:
        Targets, best first, in image pixels. `abstained` says why there is none, or that a person has to choose;
        `asked` what came of asking a model.

    Raises:
        ToolRetry: if the instruction names nothing to look for, and no model is there to understand it.
        ToolFailed: if words have to be read and RapidOCR is not installed.
    """
    try:
        found = _located(instruction, screen, layers)
    except ToolRetry as error:
        if ask is None or not instruction.strip() or len(instruction) > MOST:
            raise
        found = Located(abstained=str(error))
    if ask is not None and (found.abstained or not found.targets):
        found = ask_model(instruction, screen, found, ask, layers=layers)
    return found


def ask_model(
    instruction: str, screen: Screen, unsure: Located, ask: Ask, *, layers: frozenset[Layer] = LAYERS
) -> Located:
    """Let a model say what is meant, among what tree and pixels know or elsewhere; see `pointing.point`.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is not installed.
    """
    items = labelled_fields(tree_items(screen.nodes)) if screen.nodes and "tree" in layers else []
    if all(target.layer != "tree" for target in unsure.targets):
        items = with_pixels(items, [item for item in items_of(screen) if item.layer in layers])
    return point(instruction, screen, items, unsure, ask)


def _located(instruction: str, screen: Screen, layers: frozenset[Layer]) -> Located:
    answer, items = Located(), list[Item]()
    if screen.nodes and "tree" in layers:
        items = labelled_fields(tree_items(screen.nodes))
        said = _with_whole_labels(instruction, items)
        answer = _found(said, read_instruction(said), items, screen)
        if answer.targets:
            return answer
    ways = read_instruction(instruction)
    if not layers & {"words", "icon"}:
        return answer
    read = _found(instruction, ways, [item for item in items_of(screen) if item.layer in layers], screen)
    known = read.targets and any(_is_known(item, read.targets[0]) for item in items)
    return answer if answer.abstained and (known or not read.targets) else read


def _is_known(item: Item, target: Target) -> bool:
    """Whether a tree knows better what was found in pixels: words that only label something, an icon by its name."""
    if not item.rect.holds(target.point):
        return False
    drawn = target.layer == "icon" and item.role in ("button", "link", "menuitem", "tab")
    named = any(not name.label for name in item.names)
    return item.inert or (
        drawn and named and not keys_of(item).keys() & {hint.key for hint in hints(target.label, False)}
    )


def _with_whole_labels(instruction: str, items: Sequence[Item]) -> str:
    """An instruction in which labels that have quotation marks within them are marked as a whole."""
    for name in {item.title.strip(" :") for item in items if '"' in item.title}:
        if name in instruction:
            instruction = instruction.replace(name, label(name))
    return instruction


def items_of(screen: Screen) -> list[Item]:
    """What the pixels of a screen hold; remembered for the last screens.

    Raises:
        ToolFailed: if RapidOCR is not installed.
    """
    with _lock:
        if screen.sha256 in _seen:
            _seen.move_to_end(screen.sha256)
            return _seen[screen.sha256]
    items = pixel_items(screen.rgb, read_lines(screen.rgb))
    with _lock:
        _seen[screen.sha256] = items
        while len(_seen) > KEPT_SCREENS:
            _seen.popitem(last=False)
    return items


def _found(instruction: str, ways: Sequence[Wanted], items: Sequence[Item], screen: Screen) -> Located:
    """What an instruction means among some items, unless these speak of something else."""
    found = _meant(instruction, ways, items, screen)
    if (
        found.targets
        and not found.abstained
        and normal(found.targets[0].label) in AFFIRMING
        and not is_answered_by(instruction, found.targets[0], items, unnamed=any(way.words == GO_AHEAD for way in ways))
    ):
        said = f"{found.targets[0].label!r} fits best, but its dialog may speak of something else. Say what to press."
        return Located(targets=found.targets, abstained=said)
    if found.abstained or not (name := called_otherwise(ways, found.targets[0], items)):
        return found
    said = f"{found.targets[0].label!r} fits best where it was said to be, but {name!r} is elsewhere."
    return Located(targets=found.targets, abstained=said)


def _meant(instruction: str, ways: Sequence[Wanted], items: Sequence[Item], screen: Screen) -> Located:
    """What an instruction means among some items; where its own words are unsure, by all its hints together."""
    own = _answer(ways, items, screen)
    known = own.targets[0].confidence if own.targets and not own.abstained else 0.0
    of_tree = all(item.layer == "tree" for item in items)
    # A label in quotation marks that was found by one reading is what is meant; in pixels also where there are several.
    there = known >= LABELLED if of_tree else bool(own.targets)
    quoted = there and any(is_in(label, own.targets[0].label) for label in labels_meant(instruction))
    said_so = of_tree and known >= LABELLED and any(way.words == own.targets[0].label for way in ways)
    if known < LITERAL and not quoted and not said_so and (weighed := weigh(instruction, items, screen)):
        target = _target(weighed)
        if labels(instruction) and (word := of_another_row(ways, target, items)):
            return Located(targets=(target,), abstained=f"{target.label!r} fits best, but {word!r} is not in its row.")
        return Located(targets=(target,))
    if 0 < known < LITERAL and (deeds := unasked(instruction, own.targets[0].label)):
        said = f"{own.targets[0].label!r} fits best, but does what was not asked for: {', '.join(sorted(deeds))}."
        return Located(targets=own.targets, abstained=said)
    if known and unasked("", own.targets[0].label) and not are_there(told := labels(instruction), items):
        said = f"{own.targets[0].label!r} fits best, but not all of {', '.join(map(repr, told))} are on the screen."
        return Located(targets=own.targets, abstained=said)
    if known and (word := of_another_row(ways, own.targets[0], items)):
        said = f"{own.targets[0].label!r} fits best, but {word!r} is not in its row."
        return Located(targets=own.targets, abstained=said)
    if known and (deed := of_another_dialog(instruction, own.targets[0].label, items)):
        said = f"{own.targets[0].label!r} is in a dialog that speaks of something else than {deed}."
        return Located(targets=own.targets, abstained=said)
    return own if known else _coloured(instruction, items, screen) or own


def _coloured(instruction: str, items: Sequence[Item], screen: Screen) -> Located | None:
    """The only one of a colour that an instruction names, of what fits it otherwise; None where it names none."""
    plain, colour = take_colour(instruction)
    if not colour:
        return None
    try:
        ways = read_instruction(plain)
    except ToolRetry:
        return None
    for way in ways:
        drawn = [
            choice
            for choice in choose(way, items, screen.rect)
            if choice.score >= LEAST and is_drawn_in(colour, screen, choice.item.rect)
        ]
        fitting = [choice for choice in drawn if choice.score >= TIE * drawn[0].score]
        if len(fitting) == 1:
            return Located(targets=(_target(fitting[0]),))
    return None


def _answer(ways: Sequence[Wanted], items: Sequence[Item], screen: Screen) -> Located:
    """What the best way to understand an instruction finds among some items."""
    best: list[Choice] = []
    before: list[Choice] = []
    for way in ways:
        found = choose(way, items, screen.rect)
        # A later way has to be clearly better: the first ones say more.
        if found and (not best or found[0].score > best[0].score + 0.03):
            before, best = best, found
    if not best or best[0].score < LEAST:
        nearest = f" Nearest is {best[0].label!r}." if best else ""
        return Located(abstained=f"Nothing on the screen fits {ways[0]}.{nearest}")
    alike = _apart([choice for choice in best if choice.score >= TIE * best[0].score])
    told = [choice for choice in before if choice.score >= max(LEAST, TIE * before[0].score)]
    if len(alike) > len(told) == 1 and any(choice.item is told[0].item for choice in alike):
        # "Change" fits many; "Change" for Ramipril, which is less sure, fits one of these.
        best = alike = told
    targets = tuple(
        _target(choice) for choice in (alike if len(alike) > 1 else best)[:MOST_TARGETS] if choice.score >= LEAST
    )
    if len(alike) == 1:
        return Located(targets=targets)
    places = "; ".join(
        f"{choice.label!r} at ({choice.point.x_px:.0f}, {choice.point.y_px:.0f})" for choice in alike[:MOST_TARGETS]
    )
    return Located(targets=targets, abstained=f"{len(alike)} places fit {ways[0]} alike: {places}. Say which is meant.")


def _apart(choices: Sequence[Choice]) -> list[Choice]:
    """Choices without those that are clicked at the place of an earlier one: words that were read twice."""
    kept: list[Choice] = []
    for choice in choices:
        spots = [(other.point.x_px - choice.point.x_px, other.point.y_px - choice.point.y_px) for other in kept]
        if all(math.hypot(*away_px) > SAME_PX for away_px in spots):
            kept.append(choice)
    return kept


def _target(choice: Choice) -> Target:
    item = choice.item
    return Target(
        rect=item.rect, point=choice.point, label=choice.label, confidence=min(choice.score, 1.0), layer=item.layer
    )
