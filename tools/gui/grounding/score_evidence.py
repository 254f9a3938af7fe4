"""What an instruction means by all its hints together, for where no single reading of it leads to one place.

People seldom name a control as it is labelled: "He needs a label - the row with the plus", "the settings cog, between
the printer and the question mark". Every control on the screen is weighed by each hint that an instruction gives: words
and meanings of its label, words of its row, its kind, colour, place, neighbours and number. Words that few controls
have weigh more than common ones. Only a control that is clearly ahead is an answer, and none that does what was not
asked for.

Weights and least scores were set by reasoning, with other people's words for the sequel to MedSPOT in view (all of the
second person's, else those for even tasks), with those for screens of five other desktop programs, and with screens
that were made to lead astray; nothing was fitted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.gui.grounding.geometry import contains, region_factor
from tools.gui.grounding.items import Item, Name, window_of
from tools.gui.grounding.kind_match import FITS
from tools.gui.grounding.label_match import normal
from tools.gui.grounding.parse import NAMED
from tools.gui.grounding.parse_terms import Said, understand
from tools.gui.grounding.relations import (
    cornered,
    counted,
    keys_of,
    nearest,
    relations,
    resolved,
    rows_of,
    weighed_names,
)
from tools.gui.grounding.safety import deeds, permitted
from tools.gui.grounding.synonyms import ACTIONS
from tools.gui.grounding.terms import DEEDS, Hint, as_written, hints, stem, written
from tools.gui.grounding.vision.colours import is_drawn_in
from tools.gui.types import Rect, Screen

WEIGHTS: dict[str, float] = {
    "said": 6.0,
    "label": 3.0,
    "literal": 1.5,
    "row": 5.0,
    "kind": 6.0,
    "region": 2.5,
    "anchor": 4.0,
    "ordinal": 4.0,
    "colour": 2.0,
    "control": 2.0,
    "deed": 1.5,
    "unasked": 3.0,
    "behind": 4.0,
}
"""What each hint is worth; set by reasoning, and looked at on the words of two people for the sequel to MedSPOT."""
LITTLE = 0.8
"""Words of no more weight are not all that is said of a control, even where no others are; our choice."""
OPENED = 1.0
"""How little likely a menu is meant that is open; our choice."""
ON = 0.3
"""The share of words that lies on a button from which on they are its own; our choice."""
LEAST_STEM = 5
"""Letters that words have to share at their beginning to be forms of one; our choice."""

SIDES = frozenset({"left_of", "right_of"})
"""Where icons are told by the next one, however they look; our choice."""
ROLES = frozenset(
    "button link tab menu menuitem checkbox radio switch slider field dropdown icon row cell text image column".split()
)
PICTURED = frozenset("home menu settings print refresh help upload download close delete save".split()) | {
    "zoom in",
    "zoom out",
    "log out",
}
"""Meanings that stand for one control, so that where there is none of them little else can be meant."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for each control of a screen.

    Attributes:
        said: the hints of the instruction.
        items: the controls that may be meant, (N).
        table: (N, len(WEIGHTS)) float64, what each hint says for each control; most are 0 to 1, and below 0 against it.
        missing: words and meanings that no control and no row has.
        words: all hints of the instruction but those of what something stands to.
        heard: the words and meanings of each and of its row; (N).
        rows: the words and meanings of each row of lists and tables.
        listed: those of all rows together.
        adrift: how it is said to stand, such as "in" or "above", to something that is not found.
        permitted: whether each does nothing grave that was not asked for, and the grave deed that was; (N).
    """

    said: Said
    items: tuple[Item, ...]
    table: np.ndarray
    missing: tuple[Hint, ...]
    words: tuple[Hint, ...]
    heard: tuple[frozenset[str], ...]
    rows: tuple[frozenset[str], ...]
    listed: frozenset[str]
    adrift: frozenset[str]
    permitted: Callable[[int], bool]


def gather(instruction: str, items: Sequence[Item], screen: Screen, told: Sequence[str] = ()) -> Evidence:
    """What speaks for each control that may be meant.

    Args:
        instruction: as it would be said aloud.
        items: what is on the screen.
        screen: where it is looked for.
        told: labels that stood in quotation marks.
    """
    said = understand(instruction)
    found = _candidates(items)
    menus = any(item.role == "menu" for item in items)
    anchors, words, adrift = resolved(said, items)
    if "menu" in said.kinds and (menus or len(words) > 1):
        words = [hint for hint in words if hint.key != "menu"]
    if not menus:
        said = replace(said, kinds=said.kinds - {"menu"})
    # How far what a heading stands above reaches to the sides cannot be told, nor so how many there are.
    uncounted = said.ordinal and any(relation == "under" for relation, *_ in anchors)
    if not found or uncounted or not (said.spoken or said.anchors):
        return Evidence(
            said, (), np.zeros((0, len(WEIGHTS))), (), (), (), (), frozenset(), frozenset(), lambda at: False
        )
    rows = rows_of(found, items)
    # What stands on a button says nothing of what another one does.
    free = _not_on_buttons(items)
    beside_it = rows if len(free) == len(items) else rows_of(found, free)
    labelled = bool(said.kinds & NAMED)
    own = [keys_of(item, labelled) for item in found]
    everything = set().union(*own, *rows)
    lines = [" ".join(name.words).casefold() for item in items if item.role == "row" for name in item.names]
    listed = frozenset(hint.key for line in lines for hint in hints(line, False))
    exact = frozenset().union(*map(written, lines))
    # "Hansen" is no form of "Hans".
    stems = Counter(map(stem, exact))
    other = [(hint.name and hint.key in listed and hint.word not in exact) or stems[hint.key] > 1 for hint in words]
    words = [replace(hint, key=as_written(hint.word)) if hint.word and wrong else hint
             for hint, wrong in zip(words, other, strict=True)]  # fmt: skip
    # "Flip" may mean to invert, but not where a control is called so.
    words = [replace(hint, key=as_written(hint.literal)) if _is_called(hint, found, own) else hint for hint in words]
    words = [_in_other_form(hint, everything - listed) for hint in words]
    asked = frozenset(hint.key for hint in words)
    done = frozenset(hint.key for hint in words if hint.weight > LITTLE / 2)
    # How an icon looks stands nowhere.
    looks = any(hint.look and hint.key not in everything for hint in words)
    words = [hint for hint in words if not hint.look or hint.key in everything]
    missing = tuple(hint for hint in words if hint.key not in everything)
    weights = _rarity([hint for hint in words if hint.key in everything], own, rows)
    lost = sum((1.0 if hint.name else 0.8 if hint.key in PICTURED else 0.25) * hint.weight for hint in missing)
    whole = max(sum(weights.values()) + lost, LITTLE)
    dialog = _dialog(items)
    if dialog and "center" in said.regions:
        # A dialog is in the middle of the screen, and what it holds need not be in that of the dialog.
        said = replace(said, regions=said.regions - {"center"})
    wholes = (dialog,) if dialog else (screen.rect, window_of(items, screen.rect))
    repeated = _repeated(found)
    # Where the part of the screen is not found, nothing in it can be counted.
    ordinal = {} if "in" in adrift else counted(said, found, anchors, screen, items)
    told_by_words = said.ordinal or any(hint.weight >= 1 for hint in words)
    in_window = bool(dialog or len(said.regions) == 2) and all(relation == "in" for relation, *_ in said.anchors)
    if said.regions and in_window and not told_by_words and all(item.layer == "tree" for item in found):
        ordinal = cornered(said, found, wholes[-1])
    opened = {item.names for item in items if item.role == "section"}
    listing = said.counted in ("row", "entry")
    spoken = _spoken(found, said, labelled, frozenset(map(normal, told)))
    stands = [relations(anchors, item, own[at]) if anchors else 0.0 for at, item in enumerate(found)]
    if not told_by_words and (not looks or {relation for relation, *_ in anchors} <= SIDES):
        stands = nearest(anchors, found, stands)
    table = []
    for at, item in enumerate(found):
        matched = {key: own[at][key] for key in weights if key in own[at]}
        beside = sum(weights[key] for key in weights if key not in matched and key in rows[at]) / whole
        actions = ACTIONS if beside else ACTIONS - {"open"}
        does = bool(own[at].keys() & ACTIONS)
        acts = item.role != "cell" and bool(matched.keys() & actions)
        drawn = said.colour and item.role in ("button", "link", "tab", "icon", "text")
        row = {
            "said": sum(weights[key] * sure for key, sure in matched.items()) / whole,
            "label": max(_covered(item, weights, labelled), spoken[at]),
            "literal": spoken[at],
            "row": beside,
            "kind": max(_fits(kind, item, menus) for kind in said.kinds) - 0.7 if said.kinds else 0.0,
            "region": max(region_factor(said.regions, item.rect, whole) for whole in wholes) - 0.5
            if said.regions
            else 0.0,
            "anchor": stands[at] - 0.3 if anchors else 0.0,
            "ordinal": ordinal.get(at, 0.0),
            "colour": float(is_drawn_in(said.colour, screen, item.rect)) if drawn else 0.0,
            "control": (0.0 if listing and item.role == "row" else _control(item))
            - (OPENED if item.role == "menu" and item.names in opened else 0.0),
            "deed": float(bool(matched and beside and (repeated[at] or item.role == "cell")) or acts),
            "unasked": -float(bool(done & ACTIONS) and does and not matched),
            "behind": -float(not item.front),
        }
        table.append([row[name] for name in WEIGHTS])
    return Evidence(
        said,
        tuple(found),
        np.array(table),
        missing,
        tuple(words),
        tuple(frozenset(own[at]) | (beside_it if deeds(found[at], own[at]) else rows)[at] for at in range(len(found))),
        tuple(
            frozenset(hint.key for name in item.names for hint in hints(" ".join(name.words), False))
            for item in items
            if item.role == "row"
        ),
        listed,
        adrift,
        lambda at: permitted(said, found[at], own[at], rows[at], asked),
    )


def _is_called(hint: Hint, found: Sequence[Item], own: Sequence[dict[str, float]]) -> bool:
    """Whether a control has the very word by which a meaning was told; what is grave stays what it means.

    Words by which shapes go are none of a control's.
    """
    if not hint.literal or hint.key in DEEDS:
        return False
    worded = (keys for item, keys in zip(found, own, strict=True) if item.layer != "icon")
    return any(as_written(hint.literal) in keys for keys in worded)


def _not_on_buttons(items: Sequence[Item]) -> list[Item]:
    """All but words that were read in pixels and stand on a button."""
    buttons = [item.rect for item in items if item.layer == "words" and item.role == "button"]

    def is_on_one(item: Item) -> bool:
        if item.layer == "tree" or item.role not in ("text", "dropdown", "field"):
            return False
        return any(contains(rect, item.rect) or item.rect.overlap(rect).area > ON * item.rect.area for rect in buttons)

    return [item for item in items if not is_on_one(item)]


def _in_other_form(hint: Hint, keys: set[str]) -> Hint:
    """A word as the screen has it: "interact" for "Interactions"."""
    if hint.name or hint.key in keys or len(hint.key) < LEAST_STEM or any(map(str.isdigit, hint.key)):
        return hint
    same = [key for key in keys if len(key) >= LEAST_STEM and (key.startswith(hint.key) or hint.key.startswith(key))]
    return replace(hint, key=min(same)) if len(same) == 1 else hint


def _rarity(known: Sequence[Hint], own: Sequence[dict[str, float]], rows: Sequence[frozenset[str]]) -> dict[str, float]:
    """The weight of each word: more, the fewer controls or rows have it."""
    count = len(own) + 1
    weights: dict[str, float] = {}
    for hint in known:
        has = sum(hint.key in keys for keys in own)
        near = len({row for row in rows if hint.key in row})
        rare = max(math.log(count / number) / math.log(count) for number in (has, near) if number)
        weights[hint.key] = max(weights.get(hint.key, 0.0), hint.weight * (0.3 + 0.7 * rare))
    return weights


def _covered(item: Item, weights: dict[str, float], labelled: bool) -> float:
    """The share of a control's best name that was said."""
    best = 0.0
    for name, weight in weighed_names(item, labelled):
        own = hints(" ".join(name.words), False)
        total = sum(hint.weight for hint in own)
        if total:
            told = sum(hint.weight for hint in own if hint.key in weights)
            # A name of words that anything may have, such as "Patient", is no sure sign where it is said.
            best = max(best, weight * told / max(total, 1.0))
    return best


def _spoken(found: Sequence[Item], said: Said, labelled: bool, told: frozenset[str]) -> list[float]:
    """How far each control has a name that was said word by word, not one that means the same or a part of another."""

    def telling(item: Item, name: Name) -> float:
        # A word that anything may have tells enough as a label, or of a field.
        if normal(" ".join(name.words)) in told or item.role in said.kinds & NAMED:
            return 1.0
        return min(1.0, max((hint.weight for hint in hints(" ".join(name.words), False)), default=0.0))

    names = [
        (at, weight * telling(item, name), frozenset(map(stem, _words(name))))
        for at, item in enumerate(found)
        for name, weight in weighed_names(item, labelled)
        if (words := _words(name)) and all(stem(word) in (said.heard if name.label else said.spoken) for word in words)
    ]
    best = [0.0] * len(found)
    for at, weight, stems in names:
        # Words alone are often the heading, or the row, of what is meant.
        if found[at].role != "text" and not any(stems < other for _, _, other in names):
            best[at] = max(best[at], weight)
    return best


def _words(name: Name) -> list[str]:
    return re.findall(r"\w+", " ".join(name.words).casefold())


def _candidates(items: Sequence[Item]) -> list[Item]:
    """What can be clicked: controls, and what may be one."""
    controls = [item for item in items if item.role in ROLES - {"row", "text"}]
    found = list(controls)
    for item in items:
        if item.role == "row":
            if item.layer == "tree" and not any(contains(item.rect, other.rect) for other in controls):
                found.append(item)
        elif item.role == "text" and item.layer != "tree":
            found.append(item)
    labels = {
        normal(" ".join(name.words))
        for item in found
        if item.role in ("field", "dropdown", "checkbox")
        for name in item.names
        if name.label or item.role == "checkbox"
    }
    return [item for item in found if not (item.role == "text" and normal(item.title) in labels)]


def _fits(kind: str, item: Item, menus: bool) -> float:
    """How well a control is of a kind; words that label a box are none, and a frame around words may be a button."""
    if kind == "menu" and menus and item.layer != "tree" and item.role != "menu":
        return 0.6
    if kind in NAMED and item.layer == "words" and item.role in ("text", "dropdown") and item.role != kind:
        return 0.45 if item.role == "text" else 0.6
    return FITS[kind].get(item.role, 0.4)


def _repeated(found: Sequence[Item]) -> list[bool]:
    """Whether a control stands in a column of at least three with one label, as what can be done with a row does."""
    columns: dict[tuple[str, int], int] = {}
    places = [(normal(item.title), round(item.rect.center.x_px / 12)) for item in found]
    for place in places:
        columns[place] = columns.get(place, 0) + 1
    return [bool(place[0]) and columns[place] >= 3 for place in places]


def _control(item: Item) -> float:
    """How likely a control of a kind is meant where no kind is said."""
    return {"text": -0.5, "image": -0.8, "row": -0.3, "cell": -0.3, "column": -0.4, "slider": -0.2, "field": -0.15}.get(
        item.role, 0.0
    ) - (0.3 if not item.names else 0.0)


def _dialog(items: Sequence[Item]) -> Rect | None:
    if all(item.front for item in items):
        return None
    return next((item.rect for item in items if item.role == "dialog" and item.front), None)
