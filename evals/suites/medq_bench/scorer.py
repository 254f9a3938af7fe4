"""Parser of answers about image quality: the option, the verdict, the better of two images; and the judge's sum.

`official` reads like the code that the authors published in VLMEvalKit (vlmeval/dataset/medqbench_mcq.py, Apache-2.0),
including its defects; `repaired`, the default, takes no letter from prose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from evals.suites.answers import without_thoughts

Scoring = Literal["repaired", "official"]
LEVELS = ("reject", "usable", "good")
"""Verdicts on one image, from the lowest."""
Better = Literal["first", "second", "same"]
METRICS = ("completeness", "preciseness", "consistency", "quality_accuracy")
"""Criteria that a judge rates from 0 to 2; the sum is at most `MOST`."""
MOST = 2 * len(METRICS)

_ALONE = re.compile(r"[\[(]?([A-D])[\])]?[.:]?", re.IGNORECASE)
_LEADING = re.compile(r"(?:\(([A-D])\)|([A-D])(?=[.):]|\s+[-–—]\s))")
_STATED = re.compile(r"\b(?i:answer|option|choice)\b(?i:\s+is|\s+would\s+be)?\s*[:=]?\s*[\[(]?([A-D])(?![\w'’])")
_ONE_OF_SEVERAL = re.compile(r"(?:or|and|nor)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"(?:because|since|as|which|or|and|nor)\b", re.IGNORECASE)
_CLOSING = re.compile(r"\bquality of (?:this|the) image is\W*(?:rated\W*|considered\W*)?(good|usable|reject)", re.I)
_LEVEL = re.compile(r"\b(good|usable|reject)(?:ed)?\b", re.IGNORECASE)
_IMAGE = re.compile(
    r"\b(?:(?:image|picture|scan)\s*\(?(?P<mark>[AB12])\b|(?P<word>first|second|former|latter)\b)", re.IGNORECASE
)
_MORE = re.compile(r"\b(?:higher|better|superior|preferable)\b", re.IGNORECASE)
_LESS = re.compile(r"\b(?:lower|worse|inferior|poorer)\b", re.IGNORECASE)
_SAME = re.compile(r"\b(?:same|equal|comparable|similar|equivalent)\b", re.IGNORECASE)
_OBJECT = re.compile(r"\b(?:than|to|with|over)\s+(?:that of\s+)?(?:the\s+)?$", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def choice(reply: str, options: Mapping[str, str], scoring: Scoring = "repaired") -> str | None:
    """Return the letter of the option that a reply chooses, or None.

    Accepts, in this order: an isolated letter; a letter with a mark before or after it at the beginning, such as "B.
    Moderate"; the letter that is called the answer, if it is only one; and the text of one option, by itself or before
    a mark. Ignores a letter that may be the article, as in "A mild blur".

    Args:
        reply: the model's words.
        options: the texts of the options by letter.
        scoring: see the top of this module.
    """
    if scoring == "official":
        return official_choice(reply)
    text = re.sub(r"[*_`]+", "", without_thoughts(reply)).strip()
    if alone := _ALONE.fullmatch(text):
        return _known(alone[1].upper(), options)
    if leading := _LEADING.match(text):
        return _known(leading[1] or leading[2], options)
    stated = [found for found in _STATED.finditer(text) if not _may_be_article(text, found, options)]
    if stated:
        letters = {found[1] for found in stated}
        several = len(letters) > 1 or any(_ONE_OF_SEVERAL.match(_after(text, found)) for found in stated)
        return None if several else _known(letters.pop(), options)
    said = text.casefold()
    named = [
        letter
        for letter, option in options.items()
        if re.match(rf"{re.escape(option.casefold().rstrip('.'))}(?:[.,;:!]|$)", said)
    ]
    return named[0] if len(named) == 1 else None


def _known(letter: str, options: Mapping[str, str]) -> str | None:
    return letter if letter in options else None


def _after(text: str, found: re.Match[str]) -> str:
    return text[found.end() :].lstrip(")]* \t")


def _may_be_article(text: str, found: re.Match[str], options: Mapping[str, str]) -> bool:
    """Return whether a letter precedes words other than those of its option, and may be the article."""
    rest, own = _after(text, found), options.get(found[1], "").casefold()
    if found[1] != "A" or not rest[:1].isalnum():
        return False
    return not (_GOES_ON.match(rest) or (own and rest.casefold().startswith(own)))


def official_choice(reply: str) -> str | None:
    """Return the letter that the published code reads: a leading letter before a blank, else any isolated letter.

    Reads A in "A mild blur is seen", and in "Neither a nor b"; a reply without such a letter is wrong.
    """
    text = reply.strip().upper()
    if text in ("A", "B", "C", "D"):
        return text
    for pattern in (r"^([A-D])[.)\s]", r"(?:ANSWER\s+IS\s+|OPTION\s+)([A-D])(?:[^A-Z]|$)", r"^([A-D])\s*[-:]"):
        if found := re.search(pattern, text):
            return found[1]
    found = re.search(r"(?:^|[^A-Z])([A-D])(?:[^A-Z]|$)", text)
    return found[1] if found else None


def verdict(description: str) -> str | None:
    """Return the level of `LEVELS` that a description concludes with: of its closing formula, else of its last
    sentence."""
    said = without_thoughts(description)
    if closing := _CLOSING.findall(said):
        return str(closing[-1]).casefold()
    levels = {level.casefold() for level in _LEVEL.findall(_last(said))}
    return levels.pop() if len(levels) == 1 else None


def better(description: str) -> Better | None:
    """Return which of two images a description calls better, in the last of its comparing sentences."""
    for sentence in reversed(_SENTENCE.split(without_thoughts(description).strip())):
        compared = [(found.start(), True) for found in _MORE.finditer(sentence)]
        compared += [(found.start(), False) for found in _LESS.finditer(sentence)]
        named = [found for found in _IMAGE.finditer(sentence) if not _OBJECT.search(sentence[: found.start()])]
        if compared and named:
            at, more = min(compared)
            subject = _first(next((found for found in named if found.start() < at), named[0]))
            return "first" if subject == more else "second"
        if _SAME.search(sentence):
            return "same"
    return None


def verdict_score(reply: str, reference: str) -> float | None:
    """Return the similarity of two verdicts: 1 for the same level, 0.5 for adjacent ones, 0 for two apart; None if one
    is missing."""
    said, right = verdict(reply), verdict(reference)
    if said is None or right is None:
        return None
    return 1 - abs(LEVELS.index(said) - LEVELS.index(right)) / 2


def better_score(reply: str, reference: str) -> float | None:
    """Return 1 if the same image is called better, else 0; None if one does not say."""
    said, right = better(reply), better(reference)
    return None if said is None or right is None else float(said == right)


def _first(found: re.Match[str]) -> bool:
    return (found["mark"] or found["word"]).casefold() in ("a", "1", "first", "former")


def _last(text: str) -> str:
    return next((sentence for sentence in reversed(_SENTENCE.split(text.strip())) if sentence), "")
