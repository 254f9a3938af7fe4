"""What a question says of a thing beside its name: a colour, a part of the picture, or what boxes cannot show.

`the car on the left` and `the man in red` can be found; `the woman with the umbrella` and `the second bus` cannot be
told from another, and such a question is answered only where there is just one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from agent.models.embedded.rules import colours
from agent.models.embedded.rules.things import Target
from tools.wordlists import load_words

Extent = tuple[tuple[float, float], tuple[float, float]]
"""A part of the picture: its horizontal and vertical extent in shares."""
_LEFT, _RIGHT, _UPPER, _LOWER, _ACROSS = (0.0, 0.45), (0.55, 1.0), (0.0, 0.45), (0.55, 1.0), (0.0, 1.0)
_REGIONS: tuple[tuple[str, Extent], ...] = (
    (r"(lower|bottom) left", (_LEFT, _LOWER)),
    (r"(lower|bottom) right", (_RIGHT, _LOWER)),
    (r"(upper|top) left", (_LEFT, _UPPER)),
    (r"(upper|top) right", (_RIGHT, _UPPER)),
    (r"left", (_LEFT, _ACROSS)),
    (r"right", (_RIGHT, _ACROSS)),
    (r"middle|centre|center", ((0.3, 0.7), (0.3, 0.7))),
    (r"top", (_ACROSS, _UPPER)),
    (r"bottom", (_ACROSS, _LOWER)),
)
_SIDES = frozenset("left right lower bottom upper top middle centre center".split())


@dataclass(frozen=True)
class Qualifiers:
    """What is said of a thing.

    Attributes:
        colour: a colour name; None where none is said.
        extent: the part of the picture that is named; None for all of it.
        unknown: the words that boxes and colours cannot show.
    """

    colour: str | None = None
    extent: Extent | None = None
    unknown: frozenset[str] = frozenset()


def qualifiers(question: str, target: Target) -> Qualifiers:
    """Return what a question says of one of its targets, right before its name and right after it."""
    words = re.findall(r"[a-z][a-z'-]*", question.lower())
    at, length = _position(words, target)
    if at is None:
        return Qualifiers()
    rest = words[at + length :]
    while rest[:1] and rest[0] in ("is", "are", "was", "were", "there"):  # `cars are there on the left`
        rest = rest[1:]
    before, after = _before(words[:at]), _after(rest)
    said = [*before, *after]
    extent = find_extent(" ".join(said))
    colour = next((name for name in colours.NAMES if name in said), None)
    if rest[:1] == ["in"] and not target.is_people:  # where all of it is, as in `cars in the garage`
        said = before
    return Qualifiers(colour, extent, frozenset({*said} - _SIDES - _words("idle") - {colour}))


def find_extent(text: str) -> Extent | None:
    """Return the part of the picture that a text names; None where it names none."""
    return next((part for names, part in _REGIONS if re.search(rf"\b({names})\b", text.lower())), None)


def within(point: tuple[float, float], extent: Extent) -> bool:
    """Whether a point, in shares of the picture, lies in a part of it."""
    return all(low <= value <= high for value, (low, high) in zip(point, extent, strict=True))


def _position(words: list[str], target: Target) -> tuple[int | None, int]:
    """Where a target's name stands among words, and its length; forms in the plural begin with the singular."""
    name = target.word.split()
    stem = name[-1][: max(3, len(name[-1]) - 2)]
    for at in range(len(words) - len(name) + 1):
        if words[at : at + len(name) - 1] == name[:-1] and words[at + len(name) - 1].startswith(stem):
            return at, len(name)
    return None, 0


def _before(words: list[str]) -> list[str]:
    """The words between a determiner and the name; none where no determiner is near."""
    for back in range(min(4, len(words))):
        if words[-1 - back] in _words("determiners"):
            return words[len(words) - back :]
    return []


def _after(words: list[str]) -> list[str]:
    """The words of a phrase that follows the name, up to the next verb."""
    if not words or words[0] not in _words("begins"):
        return []
    end = next((at for at, word in enumerate(words) if at and word in _words("ends")), len(words))
    if end == 1:  # `What is he holding?`
        return []
    return words[1:end] if words[0] in ("in", "on", "at", "with", "of", "wearing") else words[:end]


@cache
def _words(section: str) -> frozenset[str]:
    return frozenset(load_words(__package__, "qualifiers")[section])
