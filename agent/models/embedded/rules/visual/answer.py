"""Answers about what is seen, from the detector, the classifier and pixels: one function for each intent.

`answer` looks the intent of a question up in `ANSWERS`. Each function returns a sentence that names the time of its
evidence, or None where the evidence does not decide, which is then said. No network writes any of it."""

from __future__ import annotations

from collections.abc import Callable

from agent.models.embedded.rules.visual.account import describe, unseen
from agent.models.embedded.rules.visual.colour import colour
from agent.models.embedded.rules.visual.course import change, length, order, when
from agent.models.embedded.rules.visual.place import place_kind, where
from agent.models.embedded.rules.visual.presence import action, count, doing, exists, name
from agent.models.embedded.rules.visual.seen import Seen


def answer(seen: Seen, intent: str) -> str | None:
    """Answer a question of an intent from frames, oldest first; None leaves it to the rules for words and times."""
    maker = ANSWERS.get(intent)
    return maker(seen) if maker and seen.facts else None


ANSWERS: dict[str, Callable[[Seen], str | None]] = {
    "describe": describe,
    "name": name,
    "exists": exists,
    "count": count,
    "action": action,
    "doing": doing,
    "where": where,
    "when": when,
    "order": order,
    "colour": colour,
    "change": change,
    "setting": place_kind,
    "length": length,
    "unseen": unseen,
}
"""The function of each intent; those of words, quality and talk are answered elsewhere."""
