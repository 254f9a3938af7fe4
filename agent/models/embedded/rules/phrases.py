"""Words that a question or a condition gives as they are written: GATE OPEN, ROOM 42, or anything in quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence

LEAST_LETTERS = 3
"""Letters of a single word in capitals that is taken to be written somewhere; our choice: shorter are `TV`, `OK`."""
QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]+)[\"“”«»]|(?<!\w)['‘]([^'‘’]+)['’](?!\w)")
# Words after the first may be numbers or single letters, such as PLATFORM A; `I` begins the rest of a sentence.
_CAPITALS = re.compile(
    r"(?P<article>\b(?:[Aa]n?|any|some|my|your) )?\b(?P<phrase>[A-Z][A-Z0-9]+(?:[ -]+(?!I\b)[A-Z0-9]+)*)\b"
)


def find_phrase(text: str) -> str:
    """Return the first words of a text that are in quotes or capitals, in capitals, and as one phrase; else ""."""
    quoted = next((match[1] or match[2] for match in QUOTED.finditer(text)), "")
    if _tokens(quoted):
        return " ".join(quoted.split()).upper()
    if text.upper() == text:  # all of it is in capitals, which then say nothing
        return ""
    for match in _CAPITALS.finditer(text):
        phrase = match["phrase"]
        # `a USB stick` is a thing; a sign says USB.
        if len(_tokens(phrase)) > 1 or (len(phrase) >= LEAST_LETTERS and not match["article"]):
            return phrase
    return ""


def holds(lines: Sequence[str], phrase: str) -> bool:
    """Whether all words of a phrase stand next to one another, in order, in the lines read.

    Lines may end within the phrase, and spaces may have been read too many or too few.
    """
    wanted, found = compact(phrase), [token for line in lines for token in _tokens(line)]
    if not wanted:
        return False
    if len(_tokens(phrase)) > 1 and any(wanted in token for token in found):
        return True  # its spaces were not read, so where the next word begins is unknown too
    for first in range(len(found)):
        joined = ""
        for token in found[first:]:
            joined += token
            if joined == wanted:
                return True
            if len(joined) >= len(wanted):
                break
    return False


def compact(text: str) -> str:
    """Letters and digits only, lower case: spaces between words are often not read."""
    return "".join(character for character in text.lower() if character.isalnum())


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
