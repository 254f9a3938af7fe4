"""What an instruction means by all its hints together, for where no single reading of it leads to one place.

People seldom name a control as it is labelled: "He needs a label - the row with the plus", "the settings cog, between
the printer and the question mark". Every control on the screen is weighed by each hint that an instruction gives: words
and meanings of its label, words of its row, its kind, colour, place, neighbours and number. Words that few controls
have weigh more than common ones. Only a control that is clearly ahead is an answer, and none that does what was not
asked for.

Weights and least scores were set by reasoning, with the words of three people for the sequel to MedSPOT in view (all
of the second person's, the others' for even tasks), and screens that were made to lead astray; nothing was fitted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from tools.gui.grounding.choose import FITS, Choice
from tools.gui.grounding.colours import is_drawn_in
from tools.gui.grounding.deeds import deeds, is_left_over, permitted
from tools.gui.grounding.geometry import contains, region_factor
from tools.gui.grounding.hints import DEEDS, Hint, Said, as_written, hints, stem, understand, written
from tools.gui.grounding.instruction import NAMED
from tools.gui.grounding.items import Item, Name, window_of
from tools.gui.grounding.matching import normal
from tools.gui.grounding.meanings import ACTIONS
from tools.gui.grounding.quoted import aloud, are_there, has, labels
from tools.gui.grounding.standing import counted, keys_of, relations, resolved, rows_of, same_place, weighed_names
from tools.gui.guard.words import AFFIRMING
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
LEAST = {"tree": 3.5, "words": 4.5, "icon": 4.5}
"""What a control has to score by what found it; our choice, on the words of two people (see the sequel to MedSPOT)."""
MOST_MISSING = 1 / 3
"""The share of what was said that may be nowhere on a screen where words in pixels are meant; our choice."""
TOO_LITTLE = 0.6
"""Words of no more weight, such as "patient" or "show", tell too little where others are missing; our choice."""
LITTLE = 0.8
"""Words of no more weight are not all that is said of a control, even where no others are; our choice."""
SPELT = 0.95
"""How surely a name has to be said word by word for a number beside it to be no matter; our choice."""
OPENED = 1.0
"""How little likely a menu is meant that is open; our choice."""
ON = 0.3
"""The share of words that lies on a button from which on they are its own; our choice."""
LEAST_STEM = 5
"""Letters that words have to share at their beginning to be forms of one; our choice."""
AHEAD = 1.0
"""By how much it has to be ahead of all others; our choice."""

ROLES = frozenset(
    "button link tab menu menuitem checkbox radio switch slider field dropdown icon row text image column".split()
)
_PICTURED = frozenset("home menu settings print refresh help upload download close delete save".split()) | {
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
        listed: the words and meanings of all rows of lists and tables.
        adrift: whether it is said to stand in or to something that is not found.
        permitted: whether each does nothing grave that was not asked for, and the grave deed that was; (N).
    """

    said: Said
    items: tuple[Item, ...]
    table: np.ndarray
    missing: tuple[Hint, ...]
    words: tuple[Hint, ...]
    heard: tuple[frozenset[str], ...]
    listed: frozenset[str]
    adrift: bool
    permitted: Callable[[int], bool]


def weigh(instruction: str, items: Sequence[Item], screen: Screen) -> Choice | None:
    """The control that an instruction means by all its hints; None where none is clearly ahead of the others.

    Args:
        instruction: free speech in English or German.
        items: what is on the screen.
        screen: where it is looked for; its pixels tell colours.
    """
    told = labels(instruction)
    if not are_there(told, items):
        return None
    seen = gather(aloud(instruction), items, screen, told)
    if seen.said.unclear:
        return None
    ranked = list(islice(rank(seen), 2))
    if ranked and _is_only_placed(seen, ranked[0].item):
        # What must not be pressed is there nevertheless, and may be what was meant.
        ranked = list(islice(rank(replace(seen, permitted=lambda at: True)), 2))
        if not ranked or not seen.permitted(_at(seen, ranked[0].item)):
            return None
    if not ranked or ranked[0].score < LEAST[ranked[0].item.layer]:
        return None
    best = ranked[0]
    if (len(ranked) > 1 and best.score - ranked[1].score < AHEAD) or not _agrees(seen, best.item):
        return None
    if not best.item.front:
        # What lies behind a dialog cannot be reached.
        return None
    if not all(_is_anchor(seen.said, label) for label in told) and not any(has(best.item, label) for label in told):
        # What stands in quotation marks is a label as it is written.
        return None
    return Choice(best.item, 1 - math.exp(-best.score / 4), best.point, best.label)


def rank(seen: Evidence) -> Iterator[Choice]:
    """All controls that may be meant, best first, each place once; scores are sums of weighted evidence."""
    scores = seen.table @ np.array(list(WEIGHTS.values()))
    kept: list[Rect] = []
    for at in np.argsort(-scores, kind="stable"):
        item = seen.items[at]
        if not any(same_place(item.rect, other) for other in kept) and seen.permitted(int(at)):
            kept.append(item.rect)
            yield Choice(item, float(scores[at]), item.point or item.rect.center, item.title or item.role)


def _at(seen: Evidence, item: Item) -> int:
    return next(at for at, other in enumerate(seen.items) if other is item)


def _is_anchor(said: Said, label: str) -> bool:
    """Whether a label is of what something stands to."""
    return any(aloud(f'"{label}"').strip() in text for *_, text in said.anchors)


def _is_only_placed(seen: Evidence, item: Item) -> bool:
    """Whether nothing that was said is a word of a control or of its row."""
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    return not row["said"] and not row["row"]


def _agrees(seen: Evidence, item: Item) -> bool:
    """Whether a control stands against nothing that is said of its place and number, and, if it does something grave,
    nothing that was said is left over: there may be another draft than the one that shall go."""
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    said, counts = seen.said, bool(np.any(seen.table[:, list(WEIGHTS).index("ordinal")]))
    spelt = row["literal"] >= SPELT and item.role == said.counted
    if said.ordinal and counts and row["ordinal"] < 1.0 and not spelt and (row["said"] == 0 or item.layer == "tree"):
        return False
    named, near = (seen.table[:, list(WEIGHTS).index(name)] for name in ("said", "row"))
    if row["said"] + row["row"] < 0.5 * (named + near).max() or (said.ordinal and row["said"] < 0.5 * named.max()):
        # Another control has far more of the words: something was misunderstood.
        return False
    if said.regions and row["region"] < -0.35:
        return False
    heard = seen.heard[_at(seen, item)]
    told = max(sum(hint.weight for hint in seen.words if hint.key in heard), row["literal"])
    if item.names and told <= TOO_LITTLE and any(hint.weight >= 1 for hint in seen.missing):
        # It is called otherwise. What has no name may look as was said.
        return False
    if item.layer == "tree" and item.role in NAMED and said.kinds and not said.kinds & NAMED:
        # A button was said, and not a field of that name.
        return False
    if any(wanted for _, wanted, _, _ in said.anchors) and row["anchor"] < -0.1:
        return False
    does = deeds(item, keys_of(item)) - {"export"} or (normal(item.title) in AFFIRMING and item.role not in NAMED)
    if does and (seen.adrift or is_left_over(said, seen.words, item, heard) or (said.numbered and not counts)):
        return False
    # What shall be typed into a field is nowhere yet.
    elsewhere = seen.listed | (frozenset() if item.role == "field" else {hint.key for hint in seen.missing})
    if item.layer == "tree" and (
        any(hint.name and hint.key in elsewhere - heard for hint in seen.words) or (said.ordinal and not counts and not spelt)
    ):
        # Somebody else is meant, or another number; pixels may have been read badly.
        return False
    # Pixels do not show all controls, and what was asked for may be one that was not recognised.
    lost = sum(hint.weight * (2 if hint.key in _PICTURED else 1) for hint in seen.missing if hint.key != "open")
    share = lost / (sum(hint.weight for hint in said.words) or 1.0)
    return item.layer == "tree" or share < (MOST_MISSING if item.role == "text" else 1.0)


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
    if "menu" in said.kinds and not menus:
        said = replace(said, kinds=said.kinds - {"menu"})
    anchors, words, adrift = resolved(said, items)
    words = [hint for hint in words if not (menus and "menu" in said.kinds and hint.key == "menu")]
    # How far what a heading stands above reaches to the sides cannot be told, nor so how many there are.
    uncounted = said.ordinal and any(relation == "under" for relation, *_ in anchors)
    if not found or uncounted or not (said.words or said.ordinal or said.colour or said.anchors):
        return Evidence(said, (), np.zeros((0, len(WEIGHTS))), (), (), (), frozenset(), False, lambda at: False)
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
    # How an icon looks stands nowhere.
    words = [hint for hint in words if not hint.look or hint.key in everything]
    missing = tuple(hint for hint in words if hint.key not in everything)
    weights = _rarity([hint for hint in words if hint.key in everything], own, rows)
    lost = sum((1.0 if hint.name else 0.8 if hint.key in _PICTURED else 0.25) * hint.weight for hint in missing)
    whole = max(sum(weights.values()) + lost, LITTLE)
    dialog = _dialog(items)
    wholes = (dialog,) if dialog else (screen.rect, window_of(items, screen.rect))
    repeated = _repeated(found)
    ordinal = counted(said, found, anchors, screen, items)
    opened = {item.names for item in items if item.role == "section"}
    spoken = _spoken(found, said, labelled, frozenset(map(normal, told)))
    table = []
    for at, item in enumerate(found):
        matched = {key: own[at][key] for key in weights if key in own[at]}
        beside = sum(weights[key] for key in weights if key not in matched and key in rows[at]) / whole
        actions = ACTIONS if beside else ACTIONS - {"open"}
        does = bool(own[at].keys() & ACTIONS)
        drawn = said.colour and item.role in ("button", "link", "tab", "icon", "text")
        row = {
            "said": sum(weights[key] * sure for key, sure in matched.items()) / whole,
            "label": max(_covered(item, weights, labelled), spoken[at]),
            "literal": spoken[at],
            "row": beside,
            "kind": max(_fits(kind, item) for kind in said.kinds) - 0.7 if said.kinds else 0.0,
            "region": max(region_factor(said.regions, item.rect, whole) for whole in wholes) - 0.5
            if said.regions
            else 0.0,
            "anchor": relations(anchors, item, own[at]) - 0.3 if anchors else 0.0,
            "ordinal": ordinal.get(at, 0.0),
            "colour": float(is_drawn_in(said.colour, screen, item.rect)) if drawn else 0.0,
            "control": _control(item) - (OPENED if item.role == "menu" and item.names in opened else 0.0),
            "deed": float(bool(matched and beside and repeated[at]) or bool(matched.keys() & actions)),
            "unasked": -float(bool(asked & ACTIONS) and does and not matched),
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

    def common(item: Item, name: Name, own: Sequence[Hint]) -> float:
        # A word that anything may have tells enough as a label, or of a field.
        sure = normal(" ".join(name.words)) in told or item.role in said.kinds & NAMED
        return 1.0 if sure else min(1.0, max(hint.weight for hint in own))

    names = [
        (at, weight * common(item, name, own), frozenset(map(stem, _words(name))))
        for at, item in enumerate(found)
        for name, weight in weighed_names(item, labelled)
        if (own := hints(" ".join(name.words), False)) and all(stem(word) in said.spoken for word in _words(name))
    ]
    best = [0.0] * len(found)
    for at, weight, words in names:
        # Words alone are often the heading, or the row, of what is meant.
        if found[at].role != "text" and not any(words < other for _, _, other in names):
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
        if name.label
    }
    return [item for item in found if not (item.role == "text" and normal(item.title) in labels)]


def _fits(kind: str, item: Item) -> float:
    """How well a control is of a kind; words that label a box are none, and a frame around words may be a button."""
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
    return {"text": -0.5, "image": -0.8, "row": -0.3, "column": -0.4, "slider": -0.2, "field": -0.15}.get(
        item.role, 0.0
    ) - (0.3 if not item.names else 0.0)


def _dialog(items: Sequence[Item]) -> Rect | None:
    if all(item.front for item in items):
        return None
    return next((item.rect for item in items if item.role == "dialog" and item.front), None)
