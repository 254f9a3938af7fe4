"""Words of a text as the index knows them.

Clinical text carries much of its meaning in short codes, and in words that lists of stop words leave out. Here no word
is left out, so that `no`, `not` and `without` can be searched for, and a code stays whole: `IL-6` is `il-6`, `T2` is
`t2`, `HbA1c` is `hba1c`. Case, accents and the ways of writing a Greek letter do not count.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 60
"""Letters of a token that are kept; our choice: longer ones are sequences or addresses, which nobody searches for."""
_PLAIN = re.compile(r"\b\w\w+\b")
_COMPOUND = re.compile(r"[^\W_]+(?:[-/][^\W_]+)*")
_WORDLIKE = 4
"""Letters from which a part of a code is a word of its own, as `covid` in `COVID-19`; our choice."""
_GREEK = {
    letter: unicodedata.name(letter).split()[-1].lower()
    for letter in "αβγδεζηθικλμνξοπρστυφχψω"
}  # fmt: skip
_GREEK["λ"] = "lambda"  # Unicode spells it lamda
_AS_GREEK = str.maketrans(_GREEK)
_FINAL_SIGMA = "ς"


def plain_tokens(text: str) -> list[str]:
    """Return runs of two or more letters, digits or underscores, in lower case: the rule of reference figures."""
    return _PLAIN.findall(text.lower())


def tokens(text: str) -> list[str]:
    """Return the words of a text, in order, with codes kept whole.

    A compound with a digit, or with a single letter, is a code and one token: `il-6`, `t-cell`, `5-ht`, `cov-2`. Its
    parts of four letters and more are tokens too, so that `COVID-19` is found by `covid`. A count of something, as in
    `12-week`, and other compounds, as in `follow-up`, are cut. A single letter or digit is a token behind a word and a
    blank, as in `hepatitis B` and `type 2`, but for the words `a` and `I`.

    >>> tokens("No rise of IL-6 in type 2 diabetes without HbA1c > 7%")
    ['no', 'rise', 'of', 'il-6', 'in', 'type', '2', 'diabetes', 'without', 'hba1c']
    """
    text = _plain_letters(text)
    found: list[str] = []
    for match in _COMPOUND.finditer(text):
        whole = match.group()
        if len(whole) == 1:
            if _stands_alone(text, match.start(), whole):
                found.append(whole.lower())
        elif "-" in whole or "/" in whole:
            found += _parts(whole)
        else:
            found.append(whole.lower()[:LONGEST])
    return found


def _plain_letters(text: str) -> str:
    """The text without accents and in letters as they are typed, with Greek ones written out."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    bare = re.sub(r"[\u2010-\u2015\u2212]", "-", bare).replace("ß", "ss").replace("ø", "o").replace("Ø", "O")
    return re.sub(r"[Α-Ωα-ω]+", lambda run: run.group().lower().replace(_FINAL_SIGMA, "σ").translate(_AS_GREEK), bare)


def _stands_alone(text: str, start: int, letter: str) -> bool:
    """Whether a single letter or digit qualifies the word before it."""
    return start >= 2 and text[start - 1] == " " and text[start - 2].isalpha() and letter not in "aI"


def _parts(compound: str) -> list[str]:
    """The tokens of words that hyphens or slashes join."""
    if "/" in compound:
        return [token for part in compound.split("/") for token in (_parts(part) if "-" in part else _one(part))]
    parts = compound.split("-")
    counts = parts[0].isdigit() and len(parts) > 1 and parts[1].isalpha() and len(parts[1]) > 2
    coded = any(len(part) == 1 or any(letter.isdigit() for letter in part) for part in parts)
    if counts or not coded:
        return [token for part in parts for token in _one(part)]
    words = [part for part in parts if len(part) >= _WORDLIKE and part.isalpha()]
    return [compound.lower()[:LONGEST], *(word.lower()[:LONGEST] for word in words)]


def _one(part: str) -> list[str]:
    return [part.lower()[:LONGEST]] if len(part) > 1 else []
