"""Analysis of questions by their words: keywords, names, and whether the answer is yes or no."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from tools.literature.retrieval.tokens import american, tokens
from tools.wordlists import load_words

_LISTS = load_words(__package__, "questions")

_EMPTY = frozenset(_LISTS["empty"])
_GENERAL = frozenset(_LISTS["general"])
"""Words that papers on any subject have, and lay words for medical procedures. They name no subject."""
_NAME = re.compile(rf"^[a-z][a-z-]*\d|(?:{'|'.join(_LISTS['name'])})s?$")
_SHORTEST_NAME, _SHORTEST_CODE = 6, 3
"""Minimum letters of a word whose ending marks a name, and minimum characters of a code; our choice."""
_NO_NAMES = frozenset(_LISTS["no names"])
"""Words with the ending of a name."""
_FAMILIES = {
    "reduct": "reduc", "diagnosi": "diagnos", "diagnost": "diagnos", "surgeri": "surg", "surgic": "surg",
    "therapeut": "therapi", "children": "child", "women": "woman", "men": "man", "infecti": "infect",
    "predictor": "predict", "operat": "oper", "death": "die", "dead": "die", "feet": "foot",
    "teeth": "tooth", "mice": "mous", "laparoscopi": "laparoscop", "laparot": "laparotomi",
    "symptomat": "symptom", "arthrit": "arthriti", "worsen": "wors", "elder": "elderli", "older": "old",
    "higher": "high", "lower": "low", "longer": "long", "shorter": "short", "safeti": "safe", "efficaci": "effect",
}  # fmt: skip
"""Forms of one word that the stemmer does not unite."""
PLAIN = 5.2
"""Mean word length, in letters, below which a question is in plain words; our choice."""
_REVERSED = re.compile("|".join(_LISTS["reversed"]), re.IGNORECASE)
_YES_NO = re.compile(
    r"(?:^|[:;.,?!–-]\s*)(?:and |or |but )?(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|"
    r"have|had)\b[^?]*\?|\bor not\b|\bwhether\b",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"\?|^\s*(?:{'|'.join(_LISTS['asks'])})\b", re.IGNORECASE)
_SYNTAX = re.compile(r"[\[\]\"*]|\b(?:AND|OR|NOT)\b")


def stems(text: str) -> frozenset[str]:
    """Return the stems of the content words of a text."""
    return frozenset(stem(word) for word in tokens(text) if word not in _EMPTY)


@lru_cache(maxsize=65_536)  # the same words occur again and again
def stem(word: str) -> str:
    """Return the common stem of an English word's forms, by Snowball's rules, in American spelling."""
    import snowballstemmer

    # One stemmer per word: they have state, and threads would share it.
    found = snowballstemmer.stemmer("english").stemWord(american(word))
    return _FAMILIES.get(found, found)


def names(text: str) -> frozenset[str]:
    """Return the stems of words that look like a code, or the name of a substance, a disease or a procedure."""
    return frozenset(
        stem(word)
        for word in tokens(text)
        if len(word) >= (_SHORTEST_NAME if word.isalpha() else _SHORTEST_CODE)
        and _NAME.search(word)
        and word not in _NO_NAMES
        and not is_general(word)
    )


def is_general(word: str) -> bool:
    """Return whether a word, or a stem, names no subject."""
    return word in _EMPTY or stem(word) in _general()


@cache
def _general() -> frozenset[str]:
    return frozenset(map(stem, _GENERAL))


def keywords(question: str) -> str:
    """Reduce a question to search words, without those that only make it a question.

    Servers look for documents with all words of a query, and few abstracts have "does". Input other than a question in
    words, such as keywords or a query in a server's own syntax, is returned unchanged.
    """
    if _SYNTAX.search(question) or not _ASKS.search(question):
        return question
    words = re.findall(r"[^\s?!,;:()]+", question)
    return " ".join(word for word in words if word.casefold().strip(".'’") not in _EMPTY) or question


def is_yes_no(question: str) -> bool:
    """Return whether a question can be answered by yes or no."""
    return bool(_YES_NO.search(question.strip()))


def asks_for_effect(question: str) -> bool:
    """Return whether a paper's finding, or lack of one, is a yes, or a no, to a question.

    Whether something is safe, or no worse than something else, may be answered with yes by a paper without a finding.
    """
    return is_yes_no(question) and not _REVERSED.search(question)


def in_plain_words(question: str) -> bool:
    """Return whether a question has short everyday words rather than those of papers."""
    words = tokens(question)
    return bool(words) and sum(map(len, words)) < PLAIN * len(words)
