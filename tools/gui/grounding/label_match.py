"""How well the words of an instruction fit a label, with slips of reading allowed."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from tools.gui.grounding.lexicon import ABBREVIATIONS

_SLIP_AT_MOST = 0.76
"""Texts that are less alike differ by more than slips of reading; our choice."""
_SAME_WORD = 0.6
"""Words of two texts that are less alike are different ones; our choice."""
_EDGES = " \t.:;,*…!?·•|"
_SLIPS = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "ı": "l"})
"""Characters that are read for one another in small print."""


_NEGATIONS = frozenset(
    "not no never nothing none cannot without dont doesnt didnt wont cant isnt wasnt arent couldnt nicht nichts kein "
    "keine keinen keiner keines nie niemals ohne ne pas jamais sans sin nunca senza non nessuna".split()
)
_BEFORE = 3
"""Words before others that may turn them round: "could not be saved"; our choice."""
_OPPOSITES = ("un", "in", "im", "ir", "il", "non", "dis", "de", "ab", "mis", "nicht", "ent")
"""What makes another word of one, often its opposite: "unprotected"."""


_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


def negated(words: str) -> bool:
    """Whether some words say no, in English, German, French, Spanish or Italian."""
    told = re.split(r"[\s,.;:!?()/-]+", words.casefold())
    # A "no" at the end is an answer, or short for a number, as it is before one.
    no = any(word == "no" and after.isalpha() for word, after in pairwise(told))
    return no or any(re.sub(r"['’´`]", "", word) in _NEGATIONS for word in told)


def turned_round(words: str, before: str) -> bool:
    """Whether what stands before some words makes them say the opposite: "saved" in "not all was saved"."""
    near = re.split(r"[.;:!?]", before)[-1].split()[-_BEFORE:]
    return negated(" ".join(near)) and not negated(words)


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """Lower case, compatible characters, one kind of apostrophe, single spaces, no punctuation at the edges."""
    plain = re.sub("[’‘ʼ´`]", "'", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(plain.split()).strip(_EDGES)


@lru_cache(maxsize=65536)
def likeness(one: str, other: str, *, read: bool = True) -> float:
    """How alike two texts are, 0 to 1; 1 only if they are the same but for case, spaces and outer punctuation.

    Texts with other numbers are never alike: a row "2" is not a row "3", 47.5 mg are not 475 mg, nor is one patient's
    number another's. Neither are opposites.

    Args:
        one, other: what is compared.
        read: whether one of them was read in pixels, so that letters may be others than they are.
    """
    one, other = normal(one), normal(other)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    if _stem(one) == _stem(other):
        return 0.93
    joined, others = one.replace(" ", ""), other.replace(" ", "")
    if _numbers(joined) != _numbers(others) or _codes(one) != _codes(other):
        return 0.95 * (read and _slipped(joined) == _slipped(others) and _mostly_letters(joined))
    if _in_any_order(one) == _in_any_order(other):
        return 0.92
    if _DECIMAL_COMMA.sub(".", joined) == _DECIMAL_COMMA.sub(".", others):
        return 0.99
    if negated(one) != negated(other):
        return 0.0
    if read and _slipped(joined) == _slipped(others):
        return 0.97
    matcher = SequenceMatcher(None, joined, others, autojunk=False)
    if matcher.real_quick_ratio() < 0.6 or matcher.quick_ratio() < 0.6:
        return 0.0
    # In short words one letter makes another word: "on" and "off", "left" and "lift".
    shorter = min(len(joined), len(others))
    alike = 0.96 * matcher.ratio() ** (1 + 2 / shorter)
    pairs = list(zip(one.split(), other.split(), strict=False))
    if any(opposites(*pair) for pair in pairs):
        return 0.5 * alike
    if len(pairs) > 1 and len(one.split()) == len(other.split()) and any(_another(*pair) for pair in pairs):
        return 0.7 * alike
    return alike if read and alike >= _SLIP_AT_MOST else 0.7 * alike


def _numbers(text: str) -> list[str]:
    """The numbers of a text, in order; a decimal point or comma is a part of one, what parts a date is not."""
    found = re.findall(r"\d+(?:[.,]\d+)*", text)
    return [part for one in found for part in ([one.replace(",", ".")] if _is_decimal(one) else re.split(r"[.,]", one))]


def _codes(text: str) -> list[str]:
    """What mixes letters and digits, such as MR1: another letter makes another one."""
    return sorted(
        _slipped(code) for code in re.findall(r"\w+", text) if re.search(r"\d", code) and re.search(r"[^\W\d_]", code)
    )


def _is_decimal(number: str) -> bool:
    return len(re.findall(r"[.,]", number)) == 1


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


def opposites(word: str, other: str) -> bool:
    """Whether a word is another one with what often makes it the opposite before it: "protected", "unprotected"."""
    shorter, longer = sorted((word, other), key=len)
    return len(shorter) > 2 and longer.endswith(shorter) and longer.removesuffix(shorter).rstrip("-") in _OPPOSITES


def _slipped(text: str) -> str:
    return text.translate(_SLIPS)


def _mostly_letters(text: str) -> bool:
    return sum(character.isalpha() for character in text) > len(text) / 2


def fit(words: str, label: tuple[str, ...], *, read: bool = True) -> tuple[float, int, int]:
    """How well some words fit a label of single words: the score, 0 to 1, and the span of the label that fits.

    A label that holds more than the words counts less, the more of it there is; so does one that holds fewer. `read`
    is that of `likeness`.
    """
    wanted = normal(words).split()
    if not wanted or not label:
        return 0.0, 0, 0
    best = (likeness(words, " ".join(label), read=read), 0, len(label))
    if best[0] >= 0.97:
        return best
    for length in {max(1, len(wanted) - 1), len(wanted), len(wanted) + 1}:
        for start in range(len(label) - length + 1):
            alike = likeness(words, " ".join(label[start : start + length]), read=read)
            if alike < 0.6 or turned_round(words, " ".join(label[:start])):
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
