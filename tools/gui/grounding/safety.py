"""What a control does, and whether that was asked for: nothing grave is done because of a likeness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from tools.gui.grounding.geometry import contains
from tools.gui.grounding.items import Item
from tools.gui.grounding.label_match import negated, normal, opposites
from tools.gui.grounding.parse import CONTAINERS, NAMED, Wanted
from tools.gui.grounding.parse_terms import Said, understand
from tools.gui.grounding.relations import keys_of
from tools.gui.grounding.synonyms import ACTIONS
from tools.gui.grounding.terms import DEEDS, Hint, folded, hints, stem, written
from tools.gui.guard.effect_words import AFFIRMING, VERBS, find_verbs
from tools.gui.types import Target

LEVEL_PX = 12.0
"""How far from its middle something may stand to be on one line with a control; our choice."""
TELLING = 0.6
"""Words of this weight must not be left over where something grave is done; our choice."""
GRAVE = frozenset(VERBS) - {"order", "export"}
"""Deeds that have to be asked for; an order and a printout are also things."""

_CHANGES = frozenset(
    map(stem, "change changes selection choice input modification modifications änderung änderungen auswahl".split())
)
"""What is applied or confirmed, whatever it is."""
_CONFIRMED = re.compile(
    r"\b(?:new|changed|modified|updated|chosen|selected|current|values?|settings?|please)\b", re.IGNORECASE
)
"""What else is said of it, and names nothing."""
_NAMES = re.compile(r"\d+(?:[./-]\d+)+|\w+")
"""Words, and dates as one."""
_THING = re.compile(
    r"\b(?:the|this|that|it|an?|das|die|den|dieses|diese|diesen)\s+"
    r"(?:image|picture|entry|item|list|page|option|form|table|row|line|bild|eintrag|liste|seite|zeile|formular)\W*$"
)
"""What is done something to, at the end of an instruction, by words that also tell kinds of controls."""


def unasked(instruction: str, label: str) -> frozenset[str]:
    """The grave deeds that a label tells of and an instruction does not."""
    return (_named_deeds(label) & GRAVE) - understand(instruction).verbs


def is_left_over(said: Said, words: Sequence[Hint], item: Item, heard: frozenset[str]) -> bool:
    """Whether something was said that a control and its row do not say, or the other way round.

    Args:
        said: the instruction.
        words: its hints, as the screen has them.
        item: the control.
        heard: the words and meanings of it and of its row.
    """
    # To go ahead is what pressing it does.
    left = [hint for hint in words if hint.key not in heard | {"confirm"} | _CHANGES]
    # Of words with two meanings one is enough.
    met = {hint.at for hint in words if hint.key in heard and not hint.word}
    left = [hint for hint in left if hint.word or hint.at not in met]
    told = {hint.key for hint in words}
    more = any(hint.weight >= 1 and hint.key not in told for hint in hints(item.title, False))
    # A question, or a thing that is no control and has another name, asks for nothing that this does.
    other = "?" in said.text or (more and _THING.search(said.text))
    # What is confirmed need not be called by name; what is deleted has to be.
    least = TELLING if deeds(item, keys_of(item)) else 1.0
    return bool(other) or any(hint.weight >= least and hint.key != "open" for hint in left) or (more and bool(left))


def permitted(said: Said, item: Item, own: dict[str, float], row: frozenset[str], asked: frozenset[str]) -> bool:
    """Whether a control does nothing grave that was not asked for, and not the opposite, but what was."""
    verbs = deeds(item, own)
    if (verbs - said.verbs) & GRAVE or _is_opposite(said, item):
        return False
    does = verbs | ({"submit"} if own.keys() & {"record", "send"} else set())
    other = bool(asked & own.keys() & ACTIONS) and not asked & DEEDS.keys()
    return all(verb in does or (other and _stated(verb, said, row)) for verb in said.verbs & GRAVE)


def _is_opposite(said: Said, item: Item) -> bool:
    """Whether a control is called the opposite of what was said; a row may say anything of what it is about."""
    if item.role == "row":
        return False
    spoken, words = set(re.findall(r"[\w-]+", said.text)), set(re.findall(r"[\w-]+", item.title.casefold()))
    turned = any(opposites(word, other) for word in words - spoken for other in spoken - words)
    return turned or (negated(item.title) and not said.denied)


def deeds(item: Item, own: dict[str, float]) -> frozenset[str]:
    """What a control does by its label; a field does nothing, whatever it is called."""
    if item.role in NAMED and item.layer == "tree":
        return frozenset()
    return _named_deeds(item.title) | {DEEDS[key] for key in own.keys() & DEEDS.keys()}


@lru_cache(maxsize=4096)
def _named_deeds(title: str) -> frozenset[str]:
    return frozenset(find_verbs(title, VERBS))


def _stated(verb: str, said: Said, row: frozenset[str]) -> bool:
    """Whether a word that may be a deed is only what the row of a control says, such as a state."""
    spoken = [word for word in re.findall(r"\w+", said.text) if verb in find_verbs(word, VERBS)]
    return bool(spoken) and all(stem(word) in row for word in spoken)


def of_another_dialog(instruction: str, name: str, items: Sequence[Item]) -> str:
    """The deed that is asked for by a button such as "OK", where the dialog that it answers tells of another one."""
    if normal(name) not in AFFIRMING:
        return ""
    dialog = next((item for item in items if item.role == "dialog" and item.front), None)
    asked = find_verbs(instruction, VERBS)
    if dialog is None or not asked:
        return ""
    told = find_verbs(" ".join(" ".join(each.words) for each in dialog.names), VERBS)
    return "" if not told or set(asked) & set(told) else ", ".join(sorted(asked))


def is_answered_by(instruction: str, target: Target, items: Sequence[Item], *, unnamed: bool) -> bool:
    """Whether a button that says nothing of what it does, such as "OK", answers what an instruction speaks of.

    Args:
        instruction: all of it.
        target: the button.
        items: what is on the screen.
        unnamed: whether something shall be confirmed, however the button is called. Then each word that tells something
            has to be in its dialog, and each grave deed that the dialog tells of in the instruction. Else only what is
            named, such as a patient, has to be there, if it stands elsewhere or the dialog tells of a grave deed.
    """
    by = re.search(rf"\b(?:by|with|using|via|mit|über)\b.*\b{re.escape(target.label)}\b", instruction, re.IGNORECASE)
    unnamed = unnamed and by is None
    around = [item for item in items if item.role in ("dialog", "window") and item.rect.holds(target.point)]
    if not around or (unnamed and negated(instruction)):
        return not unnamed
    dialog = min(around, key=lambda item: item.rect.area)
    told = frozenset().union(*(keys_of(item) for item in items if contains(dialog.rect, item.rect)))
    deeds_told = set(find_verbs(" ".join(" ".join(name.words) for name in dialog.names), VERBS)) & GRAVE
    said = hints(_CONFIRMED.sub(" ", instruction[: by.start()] if by else instruction), True)
    left = [hint for hint in said if hint.key not in told | _CHANGES | {"confirm", stem("apply"), stem("applying")}]
    if unnamed:
        return not left and deeds_told <= set(find_verbs(instruction, VERBS))
    elsewhere = frozenset().union(*map(keys_of, items)) - ACTIONS
    # A name that stands elsewhere is that of something else, whatever is done.
    return not any(
        (hint.name and hint.key in elsewhere) or (deeds_told and (hint.name or hint.key in elsewhere)) for hint in left
    )


def of_another_row(ways: Sequence[Wanted], target: Target, items: Sequence[Item]) -> str:
    """A name or number of what a grave control is said to stand to that its row does not have; "" where all are there.

    What it is above or below has to be anywhere on the screen. Letters that are read for one another do not matter
    here, but others do: "Hansen" is not "Hans".
    """
    way = next((way for way in ways if way.anchor), ways[0])
    anchor = way.anchor
    if anchor is None or anchor.kind in CONTAINERS - {"row"} or not _named_deeds(target.label) & GRAVE:
        return ""
    holding = [item for item in items if item.role in ("row", "section", "dialog") and item.rect.holds(target.point)]
    row = min((item.rect for item in holding), key=lambda rect: rect.area, default=target.rect)
    if way.relation in ("above", "below"):
        holding = list(items)
    beside = [
        item
        for item in items
        if (item.role not in ("section", "dialog") and abs(item.rect.center.y_px - target.point.y_px) < LEVEL_PX)
        or row.holds(item.rect.center)
    ]
    texts = [" ".join(name.words) for item in (*beside, *holding) for name in item.names]
    there = frozenset().union(*map(written, texts))
    names = [word for word in _NAMES.findall(anchor.words) if word[0].isupper() or word[0].isdigit()]
    # A date in another order is another date.
    dates = {word for word in names if not word.isalnum() and any(word in text for text in texts)}
    return next((word for word in names if word not in dates and folded(word.casefold()) not in there), "")
