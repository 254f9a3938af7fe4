"""FREAK's scores: four options in six orders, free answers with a judge, accuracy and hallucination rate.

Rules are those of the authors' eval/evaluate.py (github.com/Hans-M-Yin/FREAK; arXiv 2603.19765). It reads replies
without trimming them and stops at an empty one; `published=True` keeps that. As released it also overwrites the result
of a multiple-choice item with a judge's verdict: `as_published` reproduces this, everything else repairs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tools.errors import AttendError

PERMUTATIONS = ((0, 1, 2, 3), (0, 2, 1, 3), (1, 0, 2, 3), (1, 2, 0, 3), (2, 0, 1, 3), (2, 1, 0, 3))
"""The orders in which the options are shown; the last option, that none is listed, stays in place."""

LETTERS = "ABCD"
RIGHT, COMMON_SENSE = 0, 1
"""The roles of the first two options: what the image shows, and what would be usual."""

GROUPS = {
    "counting": "Counting",
    "detection": "Detection",
    "shape": "Attribute",
    "color": "Attribute",
    "logic": "Analysis",
    "ocr": "OCR",
    "position": "Position",
}
"""The six groups of the paper by the labels of the data; the assignment is inferred from their names."""

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_VERDICT = re.compile(r"<judge>(.*?)</judge>", re.DOTALL)
_CUES = ("{}.", "is {}", "is: {}", "{{{}}}")


class EmptyReply(AttendError, IndexError):
    """A reply is empty where the authors' script takes its last character."""


class ItemError(AttendError, ValueError):
    """An item lacks what its type needs."""


class PublishedDefect(AttendError, TypeError):
    """The released script cannot sum the replacement of a multiple-choice item's result."""


@dataclass(frozen=True)
class Item:
    """The result of a question.

    Attributes:
        type: `mcq`, or `fib` for a free answer.
        choices: the parsed letters, one for each order; empty for a free answer.
        scores: 1 for right, -1 for common sense, else 0; one for each order, a single one for a free answer.
        overwritten: whether the released script's defect replaced the result.
    """

    type: str
    choices: tuple[str, ...]
    scores: tuple[int, ...]
    overwritten: bool = False

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.scores.count(1) / len(self.scores)

    @property
    def hallucination(self) -> float:
        """The share of answers from common sense."""
        return self.scores.count(-1) / len(self.scores)


def shown(options: Sequence[str], permutation: Sequence[int], *, stray: bool = False) -> list[str]:
    """Return the lettered lines of one order; `stray` puts a t after the third, as the authors do without reasoning.

    Raises:
        ItemError: unless there are four options.
    """
    if len(options) != len(LETTERS):
        raise ItemError(f"there are {len(options)} options.", expected="four, the right one first")
    lines = [f"{letter}. {options[index]}" for letter, index in zip(LETTERS, permutation, strict=True)]
    return [f"{line}t" if stray and number == 2 else line for number, line in enumerate(lines)]


def without_thinking(text: str, begin: str = "<think>", end: str = "</think>") -> str:
    """Return the text after the first end of thinking, trimmed, if both markers occur; else the whole text."""
    return text.split(end, 1)[1].strip() if begin in text and end in text else text


def read_letter(text: str, *, published: bool = False) -> str:
    """Return the letter that a reply chooses; D if none can be read (see `find_letter`).

    Raises:
        EmptyReply: if `published` and there is nothing to read.
    """
    return find_letter(text, published=published) or LETTERS[-1]


def find_letter(text: str, *, published: bool = False) -> str:
    """Return the letter that a reply chooses, or "".

    The first answer tag counts, if there is one; then the last character; then the first of A to D in `A.`, `is A`,
    `is: A` or `{A}`.

    Raises:
        EmptyReply: if `published` and there is nothing to read.
    """
    tagged = _ANSWER.search(text)
    said = tagged[1] if tagged else text
    if not published:
        said = said.strip()
    elif not said:
        raise EmptyReply("the reply is empty: the released script stops here.")
    if said and said[-1] in LETTERS:
        return said[-1]
    return next((letter for letter in LETTERS if any(cue.format(letter) in said for cue in _CUES)), "")


def score_choices(replies: Sequence[str], *, published: bool = False) -> Item:
    """Score a multiple-choice item from one reply for each order, without thinking.

    Raises:
        ItemError: unless there are six replies.
        EmptyReply: as `read_letter`.
    """
    if len(replies) != len(PERMUTATIONS):
        raise ItemError(f"there are {len(replies)} replies.", expected=f"{len(PERMUTATIONS)}, one for each order")
    choices = tuple(read_letter(reply, published=published) for reply in replies)
    roles = [order[LETTERS.index(choice)] for choice, order in zip(choices, PERMUTATIONS, strict=True)]
    return Item("mcq", choices, tuple({RIGHT: 1, COMMON_SENSE: -1}.get(role, 0) for role in roles))


def read_verdict(reply: str, *, published: bool = False) -> str:
    """Return the content of a judge's first tag, in lower case; empty if there is none."""
    tagged = _VERDICT.search(reply)
    verdict = tagged[1].lower() if tagged else ""
    return verdict if published else verdict.strip()


def score_free(judge_reply: str, *, published: bool = False) -> Item:
    """Score a free answer by its judge: `correct` is right, `typical` is common sense, anything else is neither."""
    verdict = read_verdict(judge_reply, published=published)
    return Item("fib", (), ({"correct": 1, "typical": -1}.get(verdict, 0),))


def as_published(type_: str, judge_reply: str) -> Item:
    """Return an item's result as the released script leaves it: for any type, a judge's verdict on the last reply
    alone."""
    scores = score_free(judge_reply, published=True).scores
    return Item(type_, (), scores, overwritten=type_ == "mcq")


def summarise(items: Sequence[Item]) -> dict[str, float | int | None]:
    """Return accuracy and hallucination rate over multiple-choice items, free answers and all; each item counts once.

    Rates are means of shares from 0 to 1; None without items.

    Raises:
        PublishedDefect: if an item was overwritten: the released script stops here.
    """
    if any(item.overwritten for item in items):
        raise PublishedDefect("a multiple-choice item has one verdict instead of six results.")
    chosen, free = ([item for item in items if item.type == type_] for type_ in ("mcq", "fib"))
    table: dict[str, float | int | None] = {"n_mcq": len(chosen), "n_fib": len(free)}
    for name, held in (("mcq", chosen), ("fib", free), ("total", items)):
        table[f"{name}_accuracy"] = fmean(item.accuracy for item in held) if held else None
        table[f"{name}_hallu"] = fmean(item.hallucination for item in held) if held else None
    return table


def by_group(items: Iterable[tuple[Item, Sequence[str]]]) -> dict[str, dict[str, float | int | None]]:
    """Return the same for each group, from items with their labels; an item counts once in each of its groups.

    Raises:
        ItemError: if a label is unknown.
    """
    held: dict[str, list[Item]] = {}
    for item, labels in items:
        if unknown := [label for label in labels if label not in GROUPS]:
            raise ItemError(f"unknown category {unknown[0]!r}.", expected=f"one of {', '.join(GROUPS)}")
        for group in dict.fromkeys(GROUPS[label] for label in labels):
            held.setdefault(group, []).append(item)
    return {group: summarise(found) for group, found in held.items()}


def controlled(pairs: Sequence[tuple[float, float]]) -> Mapping[str, float]:
    """Return accuracy on normal and on edited images of the same questions, and the drop; from (normal, edited)
    accuracies.

    Raises:
        ItemError: if there are no pairs.
    """
    if not pairs:
        raise ItemError("there are no pairs of a normal and an edited image.")
    normal, edited = fmean(one for one, _ in pairs), fmean(other for _, other in pairs)
    return {"normal": normal, "edited": edited, "drop": normal - edited}
