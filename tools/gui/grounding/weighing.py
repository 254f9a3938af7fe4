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

from tools.gui.grounding.choose import Choice
from tools.gui.grounding.deeds import deeds, is_left_over
from tools.gui.grounding.evidence import PICTURED, WEIGHTS, Evidence, gather
from tools.gui.grounding.hints import Said, hints
from tools.gui.grounding.instruction import NAMED
from tools.gui.grounding.items import Item
from tools.gui.grounding.matching import normal
from tools.gui.grounding.quoted import aloud, are_there, has, labels, of_places
from tools.gui.grounding.standing import keys_of, same_place
from tools.gui.guard.words import AFFIRMING
from tools.gui.types import Rect, Screen

LEAST = {"tree": 3.5, "words": 4.5, "icon": 4.5}
"""What a control has to score by what found it; our choice, on the words of two people (see the sequel to MedSPOT)."""
MOST_MISSING = 1 / 3
"""The share of what was said that may be nowhere on a screen where words in pixels are meant; our choice."""
TOO_LITTLE = 0.6
"""Words of no more weight, such as "patient" or "show", tell too little where others are missing; our choice."""
SPELT = 0.95
"""How surely a name has to be said word by word for a number beside it to be no matter; our choice."""
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
    own = _own(seen.said, instruction)
    if (len(ranked) > 1 and best.score - ranked[1].score < AHEAD) or not _agrees(seen, best.item, own, told):
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
            yield Choice(item, float(scores[at]), item.point or item.rect.center, item.title or item.role)


def _at(seen: Evidence, item: Item) -> int:
    return next(at for at, other in enumerate(seen.items) if other is item)


def _own(said: Said, instruction: str) -> list[str]:
    """The labels in quotation marks that are not those of what something stands in or to."""
    places = of_places(instruction)
    told = [label for label in labels(instruction) if label not in places]
    return [label for label in told if not any(aloud(f'"{label}"').strip() in text for *_, text in said.anchors)]


def _is_only_placed(seen: Evidence, item: Item) -> bool:
    """Whether nothing that was said is a word of a control or of its row."""
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    return not row["said"] and not row["row"]


def _agrees(seen: Evidence, item: Item, own: Sequence[str], quoted: Sequence[str]) -> bool:
    """Whether a control stands against nothing that is said of its place and number, and, if it does something grave,
    nothing that was said is left over: there may be another draft than the one that shall go."""
    row = dict(zip(WEIGHTS, seen.table[_at(seen, item)], strict=True))
    said, counts = seen.said, bool(np.any(seen.table[:, list(WEIGHTS).index("ordinal")]))
    called = any(normal(" ".join(name.words)) == normal(label) for name in item.names for label in own)
    spelt = called or (row["literal"] >= SPELT and item.role == said.counted)
    # It is told by its place alone.
    placed = not said.ordinal and row["ordinal"] >= 1.0
    if said.ordinal and counts and row["ordinal"] < 1.0 and not spelt and (row["said"] == 0 or item.layer == "tree"):
        return False
    named, near = (seen.table[:, list(WEIGHTS).index(name)] for name in ("said", "row"))
    fewer = row["said"] + row["row"] < 0.5 * (named + near).max()
    if not (called or placed) and (fewer or (said.ordinal and row["said"] < 0.5 * named.max())):
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
    if item.role == "menu" and row["kind"] <= UNFIT and row["literal"] < SPELT:
        # An icon was said, and not a menu of that name.
        return False
    if not said.ordinal and counts and row["ordinal"] < 1.0:
        # Another control stands in the very corner that was said.
        return False
    filled = item.role in NAMED and row["literal"] >= SPELT and all(relation == "in" for relation, *_ in said.anchors)
    if any(wanted for _, wanted, _, _ in said.anchors) and row["anchor"] < -0.1 and not filled:
        return False
    does = deeds(item, keys_of(item)) - {"export"} or (normal(item.title) in AFFIRMING and item.role not in NAMED)
    if does and (seen.adrift or is_left_over(said, seen.words, item, heard) or (said.numbered and not counts)):
        return False
    # What shall be typed into a field is nowhere yet, and what stands in quotation marks was looked for.
    looked_for = {hint.key for label in quoted for hint in hints(label, True)}
    nowhere = set() if item.role == "field" else {hint.key for hint in seen.missing} - looked_for
    elsewhere = (seen.listed | nowhere) - heard
    uncounted = said.ordinal and not counts and not spelt
    if item.layer == "tree" and (uncounted or any(hint.name and hint.key in elsewhere for hint in seen.words)):
        # Somebody else is meant, or another number; pixels may have been read badly.
        return False
    # Pixels do not show all controls, and what was asked for may be one that was not recognised.
    lost = sum(hint.weight * (2 if hint.key in PICTURED else 1) for hint in seen.missing if hint.key != "open")
    share = lost / (sum(hint.weight for hint in said.words) or 1.0)
    return item.layer == "tree" or share < (MOST_MISSING if item.role == "text" else 1.0)
