"""Tokenisation of texts for the index.

Clinical text has much of its meaning in short codes, and in words that stop word lists remove. Here no word is removed,
so that `no`, `not` and `without` are searchable, and codes stay whole: `IL-6` is `il-6`, `T2` is `t2`, `HbA1c` is
`hba1c`. Case, accents and the spelling of Greek letters are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_PLAIN = re.compile(r"\b\w\w+\b")
_TOKEN = re.compile(r"\w\w+(?:[-/]\w+)*|\w(?:[-/]\w+)+|(?<=[^\W\d_] )(?![aI]\b)\w\b")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_WORDLIKE = 4
"""Minimum letters of a part of a code that is a word of its own, such as `covid` in `COVID-19`."""
_GREEK = {letter: unicodedata.name(letter).split()[-1].lower() for letter in "αβγδεζηθικμνξοπρστυφχψω"}
_AS_TYPED = str.maketrans(_GREEK | {"λ": "lambda", "ς": "sigma", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l"}
                          | dict.fromkeys("‐‑‒–—―−", "-"))  # fmt: skip

_BEFORE = str.maketrans({"µ": "u"} | dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹", " "))
"""Characters with another meaning than their letters: 10⁹ is not 109."""


_OUR = re.compile(
    r"^(arm|behavi|cand|clam|col|disfav|endeav|fav|ferv|flav|harb|hon|hum|lab|neighb|od|parl|rig|rum|sav|splend|tum|vap|"
    r"vig)our(?=$|s|ed|ing|al|ally|able|less|ful)"
)
_ISE = re.compile(r"(?<=[a-z]{3}[a-z])(i|(?<=l)y)s(?=(?:e[sdr]?|ers|ing|ations?)$)")
_TYPED_APART = re.compile(r"(?<=[a-z])e|^e(?=[a-z]{4})")
_SHORTEST_SPELT = 5
"""Minimum letters of a word with two spellings; shorter ones often match another word."""


def american(word: str) -> str:
    """Return a token in American spelling, as far as rules cover it: `esophageal`, `tumor`, `randomize`."""
    if len(word) < _SHORTEST_SPELT or not word.isalpha():
        return word
    return _ISE.sub(r"\1z", _OUR.sub(r"\1or", re.sub("ae|oe", "e", word)))


@lru_cache(maxsize=4_096)
def spellings(word: str) -> tuple[str, ...]:
    """Return possible other spellings of a token, American and British; most are not words, and occur nowhere."""
    plain = american(word)
    if len(word) < _SHORTEST_SPELT or not word.isalpha():
        return ()
    made = {plain}
    for place in _TYPED_APART.finditer(plain):
        made |= {plain[: place.start()] + pair + plain[place.end() :] for pair in ("ae", "oe")}
    made |= {one.replace("or", "our", 1) for one in tuple(made) if "or" in one}
    made |= {re.sub(r"(i|y)z(?=(?:e[sdr]?|ers|ing|ations?)$)", r"\1s", one) for one in tuple(made)}
    return tuple(sorted(one for one in made - {word} if american(one) == plain))


def plain_tokens(text: str) -> list[str]:
    """Return runs of two or more letters, digits or underscores, in lower case: the rule of reference figures."""
    return _PLAIN.findall(text.lower())


def tokens(text: str) -> list[str]:
    """Return the words of a text, in order, with codes kept whole.

    A compound with a digit, or with a single letter, is a code and one token: `il-6`, `t-cell`, `5-ht`, `sars-cov-2`.
    Its parts of four or more letters are tokens too, so `covid` finds `COVID-19`. A count, as in `12-week`, and other
    compounds, as in `follow-up`, are split. A single letter or digit is a token after a word and a blank, as in
    `hepatitis B` and `type 2`, except for the words `a` and `I`.

    >>> tokens("No rise of IL-6 in type 2 diabetes without HbA1c > 7%")
    ['no', 'rise', 'of', 'il-6', 'in', 'type', '2', 'diabetes', 'without', 'hba1c']
    """
    if not text.isascii():
        text = _as_typed(text)
    found = "\n".join(_TOKEN.findall(text)).lower().split()
    if "-" not in text and "/" not in text:
        return found
    cut: list[str] = []
    for token in found:
        if "-" in token or "/" in token:
            cut += _parts(token)
        else:
            cut.append(token)
    return cut


def _as_typed(text: str) -> str:
    """Return the text without accents, with Greek letters written out and one kind of hyphen; loses their case."""
    return _FOREIGN.sub(lambda run: _typed(run.group()), text)


@lru_cache(maxsize=65_536)  # the same letters and words occur again and again
def _typed(run: str) -> str:
    return "".join(
        letter if letter.isascii() else letter.lower().translate(_AS_TYPED)
        for letter in unicodedata.normalize("NFKD", run.translate(_BEFORE))
        if not unicodedata.combining(letter)
    )


@lru_cache(maxsize=65_536)  # the same compounds occur again and again
def _parts(compound: str) -> tuple[str, ...]:
    """Return the tokens of words joined by hyphens or slashes."""
    if "/" in compound:
        return tuple(token for part in compound.split("/") for token in _parts(part))
    parts = compound.split("-")
    counts = parts[0].isdigit() and len(parts) > 1 and parts[1].isalpha() and len(parts[1]) > 2
    coded = len(parts) > 1 and any(len(part) == 1 or any(map(str.isdigit, part)) for part in parts)
    if counts or not coded:
        return tuple(part for part in parts if len(part) > 1)
    return compound, *(part for part in parts if len(part) >= _WORDLIKE and part.isalpha())
