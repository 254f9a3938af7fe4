"""Labels in quotation marks: each has to be on the screen as it is written, and what is meant has one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.gui.grounding import lexicon
from tools.gui.grounding.items import Item
from tools.gui.grounding.parse import QUOTES, Wanted
from tools.gui.types import Target

_PLACE = re.compile(
    r"\s+(?:dialog(?:ue)?|window|group|section|panel|tab|page|column|fenster|gruppe|spalte|bereich|reiter)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(dialog(?:ue)?|window|column|fenster|spalte)\s+$", re.IGNORECASE)
_SAID = frozenset({"text", "heading", "section", "dialog", "window", "row"})
"""What is no control, and may be called as one is."""
JOINT = "_"
"""What joins the words of a label."""
_TYPED = re.compile(rf"\b(?:{lexicon.TYPING})\s+(?:{QUOTES})", re.IGNORECASE)


def labels(instruction: str) -> tuple[str, ...]:
    """What stands in quotation marks, without what shall be typed."""
    return tuple(_inside(match) for match in re.finditer(QUOTES, _TYPED.sub(" ", instruction)))


def of_places(instruction: str) -> frozenset[str]:
    """The labels that are those of a dialog, a tab, a column or the like, by the words beside them."""
    return frozenset(
        _inside(match)
        for match in re.finditer(QUOTES, instruction)
        if _PLACE.match(instruction, match.end()) or _BEFORE.search(instruction[: match.start()])
    )


def aloud(instruction: str) -> str:
    """An instruction as it would be spoken: without quotation marks, each label one word that is not taken apart."""
    said, end = "", 0
    for match in re.finditer(QUOTES, instruction):
        before, label = instruction[end : match.start()], _spoken(_inside(match))
        if place := _BEFORE.search(before):
            # "The dialog "Add bed"" is the "Add bed" dialog.
            before, label = before[: place.start()], f"{label} {place[1]}"
        said, end = f"{said}{before} {label} ", match.end()
    return said + instruction[end:]


def labels_meant(instruction: str) -> list[str]:
    """The labels that are not those of places."""
    places = of_places(instruction)
    return [label for label in labels(instruction) if label not in places]


def is_in(label: str, text: str) -> bool:
    """Whether a text holds a label, word by word."""
    return _holds(_words(text), _words(label))


def has(item: Item, label: str) -> bool:
    """Whether something is called by a label, word by word."""
    return any(is_in(label, " ".join(name.words)) for name in item.names)


def called_otherwise(ways: Sequence[Wanted], target: Target, items: Sequence[Item]) -> str:
    """The label in quotation marks that is the very name of another control, and not of a target; "" if none is."""
    meant = {way.words for way in ways if way.quoted}
    if len(meant) != 1:
        return ""
    label = meant.pop()
    called = [item for item in items if any(_words(" ".join(name.words)) == _words(label) for name in item.names)]
    controls = [item for item in called if item.front and item.role not in _SAID]
    return "" if not controls or any(item.rect.holds(target.point) for item in called) else label


def are_there(told: Sequence[str], items: Sequence[Item]) -> bool:
    """Whether each label is somewhere on the screen."""
    return all(any(has(item, label) for item in items) for label in told)


def _inside(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip(" \ue010\ue011")


def _spoken(label: str) -> str:
    return JOINT.join((*re.sub(r"[;:!?()–—,]+(?=\s|$)|[()]", " ", label).split(), ""))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _holds(words: list[str], part: list[str]) -> bool:
    return bool(part) and any(words[at : at + len(part)] == part for at in range(len(words) - len(part) + 1))
