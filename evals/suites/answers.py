"""Strict parsers of short answers, shared by the suites."""

from __future__ import annotations

import re

# The article of "A dog runs" is not a choice, but the letters of "A is right", "A as shown" and "Option A shows it"
# are.
_LETTER = re.compile(
    r"(?<![\w'’])(?:(?<=\b[Aa]nswer )A|(?<=\b[Oo]ption )A|(?<=\b[Cc]hoice )A|(?<=\b[Aa]nswer: )A"
    r"|A(?! (?!(?:is|because|since|as|for|was|seems|fits)\b)[a-z])|[B-E])(?![\w'’])"
)
_NUMBER = re.compile(r"\d+")
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
# A prompt may have already opened the thoughts.
_TO_THEIR_END = re.compile(r".*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


def without_thoughts(reply: str) -> str:
    """Return a reply without the model's reasoning; unclosed reasoning extends to the end."""
    return _TO_THEIR_END.sub("", _THOUGHTS.sub("", reply))


def first_letter(text: str) -> str | None:
    """Return the first isolated capital letter A to E, or None."""
    found = _LETTER.search(text)
    return found[0] if found else None


def only_number(text: str) -> int | None:
    """Return the integer of a text that names exactly one (possibly repeated), else None."""
    numbers = {int(number) for number in _NUMBER.findall(text)}
    return numbers.pop() if len(numbers) == 1 else None


def first_yes_no(text: str) -> bool | None:
    """Return True if the first of the words yes and no is yes, False if it is no, None if neither occurs."""
    found = _YES_NO.search(text)
    return found[1].lower() == "yes" if found else None


def says(text: str, words: str) -> bool:
    """Return whether a text contains some words as whole words, ignoring case."""
    return re.search(rf"(?<!\w){re.escape(words.strip())}(?!\w)", text, re.IGNORECASE) is not None
