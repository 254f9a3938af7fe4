"""How well the words of an instruction fit a label, with slips of reading allowed."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache

from tools.gui.grounding.lexicon import ABBREVIATIONS

_SLIP_AT_MOST = 0.76
"""Texts that are less alike differ by more than slips of reading; our choice."""
_SAME_WORD = 0.6
"""Words of two texts that are less alike are different ones; our choice."""
_EDGES = " \t.:;,*…!?·•|"
_SLIPS = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "ı": "l"})
"""Characters that are read for one another in small print."""


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """Lower case, compatible characters, single spaces, no punctuation at the edges."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)


@lru_cache(maxsize=65536)
def likeness(one: str, other: str) -> float:
    """How alike two texts are, 0 to 1; 1 only if they are the same but for case, spaces and outer punctuation.

    Texts with other digits are never alike: a row "2" is not a row "3", nor one patient's number another's.
    """
    one, other = normal(one), normal(other)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    if _stem(one) == _stem(other):
        return 0.93
    if _in_any_order(one) == _in_any_order(other):
        return 0.92
    joined, others = one.replace(" ", ""), other.replace(" ", "")
    if joined == others:
        return 0.99
    if re.sub(r"\D", "", joined) != re.sub(r"\D", "", others):
        return 0.95 * (_slipped(joined) == _slipped(others) and _mostly_letters(joined))
    if _slipped(joined) == _slipped(others):
        return 0.97
    matcher = SequenceMatcher(None, joined, others, autojunk=False)
    if matcher.real_quick_ratio() < 0.6 or matcher.quick_ratio() < 0.6:
        return 0.0
    # In short words one letter makes another word: "on" and "off", "left" and "lift".
    shorter = min(len(joined), len(others))
    alike = 0.96 * matcher.ratio() ** (1 + 2 / shorter)
    pairs = list(zip(one.split(), other.split(), strict=False))
    if len(pairs) > 1 and len(one.split()) == len(other.split()) and any(_another(*pair) for pair in pairs):
        return 0.7 * alike
    return alike if alike >= _SLIP_AT_MOST else 0.7 * alike


def _stem(text: str) -> str:
    """Words in full, without the endings by which one and several of a thing differ in English."""
    words = [ABBREVIATIONS.get(word, word) for word in text.split()]
    return " ".join(re.sub(r"(?<=\w{3})(?:ies|y)$", "i", re.sub(r"(?<=[^\Wsi]{3})s$", "", word)) for word in words)


def _in_any_order(text: str) -> list[str]:
    """Its words, sorted: "Maja Eriksen" is "Eriksen, Maja"; [] stands for none, which is like nothing."""
    words = sorted(word for word in re.split(r"[\s,^]+", text) if word)
    return words if len(words) > 1 else [text]


def _another(word: str, other: str) -> bool:
    """Whether a word is another one, and not just read badly: "leave" and "delete"."""
    return SequenceMatcher(None, _slipped(word), _slipped(other), autojunk=False).ratio() < _SAME_WORD


def _slipped(text: str) -> str:
    return text.translate(_SLIPS)


def _mostly_letters(text: str) -> bool:
    return sum(character.isalpha() for character in text) > len(text) / 2


def fit(words: str, label: tuple[str, ...]) -> tuple[float, int, int]:
    """How well some words fit a label of single words: the score, 0 to 1, and the span of the label that fits.

    A label that holds more than the words counts less, the more of it there is; so does one that holds fewer.
    """
    wanted = normal(words).split()
    if not wanted or not label:
        return 0.0, 0, 0
    best = (likeness(words, " ".join(label)), 0, len(label))
    if best[0] >= 0.97:
        return best
    for length in {max(1, len(wanted) - 1), len(wanted), len(wanted) + 1}:
        for start in range(len(label) - length + 1):
            alike = likeness(words, " ".join(label[start : start + length]))
            if alike < 0.6:
                continue
            share = len("".join(label[start : start + length])) / max(1, len("".join(label)))
            # A label that begins with the words is likelier meant than one that holds them somewhere.
            score = alike * (0.8 + 0.12 * share + 0.04 * (start == 0))
            best = max(best, (score, start, start + length), key=lambda found: found[0])
    if len(label) < len(wanted) and best[0] < 0.7:
        best = max(best, (_within(wanted, label), 0, len(label)), key=lambda found: found[0])
    return best


def _within(wanted: list[str], label: tuple[str, ...]) -> float:
    """How well a label fits that says less than what is wanted, such as "Name" for "the patient name"."""
    length = len(label)
    alike = max(likeness(" ".join(wanted[at : at + length]), " ".join(label)) for at in range(len(wanted) - length + 1))
    return alike * (0.35 + 0.4 * length / len(wanted)) if alike > 0.9 else 0.0
