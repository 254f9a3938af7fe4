"""Matching of an answer to one of the options: exactly, as in the authors' package, and as a person would."""

from __future__ import annotations

import re
from collections.abc import Sequence

# The start of the first line up to its last capital letter with a full stop: "B. <text>", but also the end of "IN ALL."
_LABEL = re.compile(r".*[A-Z]\.\s*")
_CUE = re.compile(r"\W*(?:the )?(?:(?:final|correct|best) )?(?:answer|option|choice)(?: is)?\b\W*", re.IGNORECASE)
_LETTER = re.compile(r"\W*([a-z])\W*", re.IGNORECASE)
_LABELLED = re.compile(r"\W*([A-Z])\W*[.):]\W*(\S.*)", re.DOTALL)


def match(text: str, right: Sequence[str], pool: Sequence[str], offset: int) -> tuple[str, str]:
    """Match an answer to a pool of options as the package does, with its quirks.

    Args:
        text: the answer.
        right: the right members of the pool.
        pool: the options; the first has the letter A moved on by `offset`.
        offset: number of options listed before this pool.

    Returns:
        `correct`, `wrong` or `mismatch`, and the option that was meant (empty if none was).
    """
    whole, wholes = plain(text), [plain(option) for option in pool]
    if whole in [plain(option) for option in right]:
        return "correct", pool[wholes.index(whole)]
    if whole in wholes:
        return "wrong", pool[wholes.index(whole)]
    said, letters = letter(text), [letter(chr(ord("A") + offset + place)) for place in range(len(pool))]
    if said is None or said not in letters:
        return "mismatch", ""
    chosen = pool[letters.index(said)]
    return ("correct" if said in [letters[pool.index(option)] for option in right] else "wrong"), chosen


def plain(text: str) -> str:
    """Return a text without its label, blanks and capitals. A sentence in capitals that ends in a full stop becomes
    empty."""
    label = _LABEL.match(text)
    return text[label.end() if label else 0 :].lower().strip().replace(" ", "")


def letter(text: str) -> str | None:
    """Return the text before the first full stop, if that is one character at most; else None."""
    said = text.split(".")[0].lower().strip()
    return said if len(said) <= 1 else None


def robust(text: str, options: Sequence[str]) -> str:
    """Return the letter of the option that a person would read in an answer, or the answer if that is unclear.

    Ignores brackets, stars and a missing full stop, and reads "Answer: A" as A. `match` can read the result, so an
    episode can be played with it. These rules are ours; the published numbers are those of `match` alone.
    """
    bare = [_bare(option) for option in options]
    cue = _CUE.match(text)
    for said in (text, text[cue.end() :] if cue else ""):
        labelled = _LABELLED.fullmatch(said.strip())
        for words in (said, labelled[2] if labelled else ""):
            if _bare(words) and bare.count(_bare(words)) == 1:
                return chr(ord("A") + bare.index(_bare(words)))
        found = _LETTER.fullmatch(said.strip()) or labelled
        if found and ord(found[1].upper()) - ord("A") < len(options):
            return found[1].upper()
    return text


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()
