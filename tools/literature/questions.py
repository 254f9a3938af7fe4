"""What a question asks for, by its words: which carry its meaning, and whether it can be answered by yes or no."""

from __future__ import annotations

import re

from tools.literature.tokens import tokens

STEM = 6
"""Letters by which two forms of a word are taken for one; our choice."""
_EMPTY = frozenset(
    """
    a an the is are was were be been being do does did can could may might must should shall will would has have had of
    in on at to for from by with as and or but if than that this these those there here it its their they them we our us
    you your i me my he she his her who whom whose which what when where why how any all some both each either such same
    other more most less least very so too also only just about into over under between among after before during
    through within versus vs per via not no nor use used using make makes made get gets among against because while
    """.split()
)
_YES_NO = re.compile(
    r"(?:^|[:;.,?!–-]\s*)(?:and |or |but )?(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|"
    r"have|had)\b[^?]*\?|\bor not\b|\bwhether\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|^\s*(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|have|had|what|which|who|when|where|"
    r"why|how)\b",
    re.IGNORECASE,
)
_SYNTAX = re.compile(r"[\[\]\"*]|\b(?:AND|OR|NOT)\b")


def stems(text: str) -> frozenset[str]:
    """The words of a text that carry its meaning, cut to `STEM` letters."""
    return frozenset(word[:STEM] for word in tokens(text) if word not in _EMPTY)


def keywords(question: str) -> str:
    """A question as words to search for, without those that only make it a question.

    Servers look for documents with all words of a query, and few abstracts hold "does". What is no question in words,
    such as words alone or a query in a server's own syntax, stays as it is.
    """
    if _SYNTAX.search(question) or not _ASKS.search(question):
        return question
    words = re.findall(r"[^\s?!,;:()]+", question)
    return " ".join(word for word in words if word.casefold().strip(".'’") not in _EMPTY) or question


def is_yes_no(question: str) -> bool:
    """Whether a question can be answered by yes or no."""
    return bool(_YES_NO.search(question.strip()))
