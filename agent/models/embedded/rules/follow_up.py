"""Questions that lean on the one before: "And at 0:10?", "And on the other one?", "What about the dog?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.rules.tables import side_of
from tools.media.clock import CLOCK

_FOLLOWS = re.compile(
    r"^(?:and|what about|how about|and (?:what|how) about)\b[ ,:]*(?P<rest>.+?)[ ?.!]*$", re.IGNORECASE
)
_TIME = re.compile(
    rf"\b(?:(?:at|around|about|near) )?\[?(?:{CLOCK.pattern})\]?|\b\w+ (?:seconds?|minutes?|hours?) (?:ago|earlier)\b|"
    r"\b(?:at|in) the (?:very )?(?:start|beginning|end)\b|\b(?:right )?now\b",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^(?:and )?(?P<asks>(?:what|which) colou?r (?:is|was)|where (?:is|was)|when (?:did|does))"
    r" (?P<it>it|that|he|she|they)\b",
    re.IGNORECASE,
)
_OTHER = {"top": "lower", "bottom": "upper", "left": "right", "right": "left"}
_SIDES = re.compile(r"\b(?:upper|top|topmost|lower|bottom|left|right)\b", re.IGNORECASE)


def in_full(question: str, talk: Sequence[tuple[str, str]]) -> str:
    """Write a question that leans on the one before so that it stands alone; others stay as they are.

    Args:
        question: as asked.
        talk: (role, text) of earlier turns, oldest first.
    """
    before = next((text for role, text in reversed(talk) if role == "user"), "")
    if not before:
        return question
    text = question.strip()
    if leans := _LEANS.match(text):
        named = concepts().find(before.lower())
        if len(named) != 1 or concepts().find(text.lower()):
            return question
        return f"{text[: leans.start('it')]}the {named[0]}{text[leans.end('it') :]}"
    follows = _FOLLOWS.match(text)
    return (follows and _put(follows["rest"], before)) or question


def _put(rest: str, before: str) -> str:
    """The question before with what a follow-up names in the place of what it named; "" where nothing fits."""
    head = before.rstrip(" ?.!")
    if time := _TIME.fullmatch(rest):
        return f"{' '.join(_TIME.sub(' ', head).split())} {time[0]}?"
    if side := side_of(head):
        if re.search(r"\bother\b", rest, re.IGNORECASE):
            return _SIDES.sub(_OTHER[side], before, count=1)
        if named := _SIDES.search(rest):
            return _SIDES.sub(named[0], before, count=1)
    vocabulary = concepts()
    new, old = vocabulary.find(rest.lower()), vocabulary.find(head.lower())
    if len(new) == len(old) == 1 and (place := re.search(rf"\b{re.escape(old[0])}\b", before, re.IGNORECASE)):
        return f"{before[: place.start()]}{new[0]}{before[place.end() :]}"
    return ""
