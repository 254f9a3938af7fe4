"""Which control all hints of an instruction together mean, and the doubts for which there is no answer.

Only a control that is clearly ahead of all others is one, that nothing which was said stands against, and that does
nothing grave which was not asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from tools.gui.grounding.geometry import union
from tools.gui.grounding.items import Choice, Item
from tools.gui.grounding.kind_match import FITS
from tools.gui.grounding.label_match import normal
from tools.gui.grounding.parse import NAMED
from tools.gui.grounding.parse_terms import Said, understand
from tools.gui.grounding.quoted_labels import aloud, are_there, has, labels, labels_meant
from tools.gui.grounding.relations import keys_of, same_place
from tools.gui.grounding.safety import deeds, is_left_over
from tools.gui.grounding.score_evidence import PICTURED, WEIGHTS, Evidence, gather
from tools.gui.grounding.synonyms import ACTIONS, CHANGING
from tools.gui.grounding.terms import hints
from tools.gui.guard.effect_words import AFFIRMING
from tools.gui.types import Point, Rect, Screen

LEAST = {"tree": 3.5, "words": 4.5, "icon": 4.5}
"""What a control has to score by what found it; our choice, on the words of two people (see the sequel to MedSPOT)."""
MOST_MISSING = 1 / 3
"""The share of what was said that may be nowhere on a screen where words in pixels are meant; our choice."""
TOO_LITTLE = 0.6
"""Words of no more weight, such as "patient" or "show", tell too little where others are missing; our choice."""
SPELT = 0.95
"""How surely a name has to be said word by word for a number beside it to be no matter; our choice."""
OF_KIND = 0.93
"""From here on a control is what may be counted as the kind that was said; our choice."""
UNFIT = -0.25
"""From here on a control is not of the kind that was said; our choice."""
AHEAD = 1.0
"""By how much it has to be ahead of all others; our choice."""


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
    own = labels_of_target(seen.said, instruction)
    if (len(ranked) > 1 and best.score - ranked[1].score < AHEAD) or not _agrees(seen, best.item, own, told):
        return None
    if (
        best.item.layer == "icon"
        and "menu" in understand(aloud(instruction)).kinds
        and "menu" not in keys_of(best.item)
    ):
        # An icon of that name is none of the menus.
        return None
    first = min(seen.said.words, key=lambda hint: hint.at, default=None)
    if first and first.key == "cancel" and best.item.role == "text" and "cancel" not in keys_of(best.item):
        # What shall be cancelled, such as a dialog by its title, is not pressed for it.
        return None
    if not best.item.front:
        # What lies behind a dialog cannot be reached.
        return None
    if own and not any(has(best.item, label) for label in own):
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
            point, label = spot(seen, item)
            yield Choice(item, float(scores[at]), point, label)


def spot(seen: Evidence, item: Item) -> tuple[Point, str]:
    """Where to click, and what is called so: of a line that was read as one, the words that were said."""
    best = max(item.names, key=lambda name: name.weight, default=None)
    if item.point or item.role != "text" or best is None or len(best.rects) != len(best.words):
        return item.point or item.rect.center, item.title or item.role
    told = {hint.key for hint in seen.words if hint.weight >= 1}
    meant = [at for at, word in enumerate(best.words) if any(hint.key in told for hint in hints(word, False))]
    if not meant or meant != list(range(meant[0], meant[-1] + 1)):
        return item.rect.center, item.title or item.role
    return union(*(best.rects[at] for at in meant)).center, " ".join(best.words[at] for at in meant)


def _at(seen: Evidence, item: Item) -> int:
    return next(at for at, other in enumerate(seen.items) if other is item)


def labels_of_target(said: Said, instruction: str) -> list[str]:
    """The labels in quotation marks that are not those of what something stands in or to."""
    return [
        label
        for label in labels_meant(instruction)
        if not any(aloud(f'"{label}"').strip() in text for *_, text in said.anchors)
    ]


def _is_only_placed(seen: Evidence, item: Item) -> bool:
    """Whether nothing that was said is a word of a control or of its row."""
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    return not row["said"] and not row["row"]


def _agrees(seen: Evidence, item: Item, own: Sequence[str], quoted: Sequence[str]) -> bool:
    """Whether nothing that was said stands against a control.

    Args:
        seen: what speaks for each control.
        item: the control.
        own: labels in quotation marks that are none of something else.
        quoted: all of them.
    """
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    called = any(normal(" ".join(name.words)) == normal(label) for name in item.names for label in own)
    of_kind = FITS.get(seen.said.counted, {}).get(item.role, 0.0) >= OF_KIND
    spelt = called or (row["literal"] >= SPELT and of_kind)
    return (
        _stands_there(seen, item, row, spelt)
        and _is_called_so(seen, item, row, called)
        and not _leaves_out(seen, item, spelt, quoted)
    )


def _stands_there(seen: Evidence, item: Item, row: dict[str, float], spelt: bool) -> bool:
    """Whether a control is of the kind, at the place, and has the number that is said."""
    said = seen.said
    if _counts(seen) and row["ordinal"] < 1.0:
        # Another control has that number, or stands in the very corner that was said.
        return bool(said.ordinal) and (spelt or (row["said"] > 0 and item.layer != "tree"))
    if said.regions and row["region"] < -0.35:
        return False
    if item.layer == "tree" and item.role in NAMED and said.kinds and not said.kinds & NAMED:
        # A button was said, and not a field of that name.
        return False
    if item.role == "menu" and row["kind"] <= UNFIT and (row["literal"] < SPELT or item.layer == "tree"):
        # An icon was said, and not a menu of that name.
        return False
    filled = item.role in NAMED and row["literal"] >= SPELT and all(relation == "in" for relation, *_ in said.anchors)
    return filled or not any(wanted for _, wanted, _, _ in said.anchors) or row["anchor"] >= -0.1


def _is_called_so(seen: Evidence, item: Item, row: dict[str, float], called: bool) -> bool:
    """Whether a control has enough of the words, and no other one far more."""
    said = seen.said
    named, near = (seen.table[:, list(WEIGHTS).index(name)] for name in ("said", "row"))
    fewer = row["said"] + row["row"] < 0.5 * (named + near).max()
    by_place_alone = not said.ordinal and row["ordinal"] >= 1.0
    if not (called or by_place_alone) and (fewer or (said.ordinal and row["said"] < 0.5 * named.max())):
        return False
    heard = seen.heard[_at(seen, item)]
    told = sum(hint.weight for hint in seen.words if hint.key in heard)
    if called or item.role in said.kinds:
        told = max(told, row["literal"])
    # What has no name may look as was said.
    return not item.names or told > TOO_LITTLE or all(hint.weight < 1 for hint in seen.missing)


def _leaves_out(seen: Evidence, item: Item, spelt: bool, quoted: Sequence[str]) -> bool:
    """Whether something was said that is of something else: another patient, another draft than the one that shall go.

    Of what does something grave, or changes something, nothing may be left over.
    """
    said, heard, own, counts = seen.said, seen.heard[_at(seen, item)], keys_of(item), _counts(seen)
    does = deeds(item, own) - {"export"} or (normal(item.title) in AFFIRMING and item.role not in NAMED)
    if "in" in seen.adrift and own.keys() & CHANGING:
        return True
    told = {hint.key for hint in seen.words if hint.weight >= 1} - own.keys()
    if told & heard and any(told & heard < told & other for other in seen.rows):
        # What another row has more of is said of that one.
        return True
    if item.role == "column" and told & seen.listed - heard:
        # "The result of Haemoglobin" is that of a row, and not the head of all results.
        return True
    beside = heard - own.keys()
    # Other buttons name no row, nor does a letter alone, which may be an icon.
    names = {key for key in beside if len(key) > 1} - ACTIONS - {"cancel"}
    in_row = len(seen.rows) > 1 and any(other <= heard and other & names for other in seen.rows)
    if does and in_row and not counts and not any(hint.key in beside for hint in seen.words):
        # What is done to one of several, such as a patient in a list, has to be said of which.
        return True
    if does and "all" in {hint.key for hint in seen.words} - heard:
        # One of them is not all of them.
        return True
    if does and (seen.adrift or is_left_over(said, seen.words, item, heard) or (said.numbered and not counts)):
        return True
    # What shall be typed into a field is nowhere yet, and what stands in quotation marks was looked for.
    looked_for = {hint.key for label in quoted for hint in hints(label, True)}
    parts = {word for key in heard for word in key.split()}
    nowhere = set() if item.role == "field" else {hint.key for hint in seen.missing} - looked_for - parts
    elsewhere = (seen.listed | nowhere) - heard
    if item.layer == "tree":
        return bool(said.ordinal and not counts and not spelt) or any(
            hint.name and hint.key in elsewhere for hint in seen.words
        )
    # Pixels do not show all controls, and may have been read badly: what was asked for may be one that was not seen.
    lost = sum(hint.weight * (2 if hint.key in PICTURED else 1) for hint in seen.missing if hint.key != "open")
    share = lost / (sum(hint.weight for hint in said.words) or 1.0)
    return share >= (MOST_MISSING if item.role == "text" or (does and item.layer == "icon") else 1.0)


def _counts(seen: Evidence) -> bool:
    """Whether controls could be counted, or one stands in the corner that was said."""
    return bool(np.any(seen.table[:, list(WEIGHTS).index("ordinal")]))
