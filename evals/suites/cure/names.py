"""Names of diagnoses: whether two are the same, and whether a text names one, by words and without a model.

Names are the same if they differ only in letter case, accents, punctuation, a possessive or an abbreviation in
brackets. A text names a diagnosis if it contains its words in sequence; a text that denies it names it too.
Abbreviations are case-sensitive, so that MS is not found in "20 ms".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_POSSESSIVE = re.compile(r"['’]s\b|(?<=s)['’](?!\w)")
_WORD = re.compile(r"[^\W_]+")
_BRACKETS = re.compile(r"\s*\(([^()]*)\)")
_ABBREVIATION = re.compile(r"(?=[^a-z]*\Z)(?=.*[A-Z])[A-Z0-9][A-Z0-9-]{0,7}")
_ARTICLES = frozenset(("a", "an", "the"))


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name: lower case, without accents, possessives, punctuation and leading articles."""
    found = _words(name)
    while found and found[0] in _ARTICLES:
        found = found[1:]
    return found


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return tuple(_WORD.findall(_POSSESSIVE.sub("", plain).casefold()))


@lru_cache(maxsize=4096)
def variants(name: str) -> tuple[str, ...]:
    """Return the variants of a name: as it is, without the part in brackets, and the abbreviation in brackets."""
    inside = [part.strip() for part in _BRACKETS.findall(name)]
    found = [name, _BRACKETS.sub("", name), *(part for part in inside if _ABBREVIATION.fullmatch(part))]
    return tuple(dict.fromkeys(one.strip() for one in found if words(one)))


def same(name: str, others: Iterable[str]) -> bool:
    """Return whether a name equals one of some others, which are the aliases of one diagnosis."""
    known = {words(variant) for other in others for variant in variants(other)}
    return any(words(variant) in known for variant in variants(name))


def named(text: str, names: Iterable[str]) -> bool:
    """Return whether a text names a diagnosis by any of its names."""
    return any(_stands(text, variant) for name in names for variant in variants(name))


def _stands(text: str, name: str) -> bool:
    if _ABBREVIATION.fullmatch(name.strip()):
        return re.search(rf"(?<![\w-]){re.escape(name.strip())}(?![\w-])", text) is not None
    # Words contain no blanks, so a sequence of words can be searched as text.
    return f" {' '.join(words(name))} " in f" {' '.join(_words(text))} "
