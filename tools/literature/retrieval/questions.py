"""What a question asks for, by its words: which carry its meaning, and whether it can be answered by yes or no."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from tools.literature.retrieval.tokens import american, tokens
from tools.wordlists import load_words

_LISTS = load_words(__package__, "questions")

_EMPTY = frozenset(_LISTS["empty"])
_GENERAL = frozenset(_LISTS["general"])
"""Words that papers on anything have, and lay words for what medicine does; our choice. They name no subject."""
_NAME = re.compile(rf"^[a-z][a-z-]*\d|(?:{'|'.join(_LISTS['name'])})s?$")
_SHORTEST_NAME, _SHORTEST_CODE = 6, 3
"""Letters of a word that its ending makes a name, and signs of a code; our choice."""
_NO_NAMES = frozenset(_LISTS["no names"])
"""Words that end like a name."""
_FAMILIES = {
    "reduct": "reduc", "diagnosi": "diagnos", "diagnost": "diagnos", "surgeri": "surg", "surgic": "surg",
    "therapeut": "therapi", "children": "child", "women": "woman", "men": "man", "infecti": "infect",
    "predictor": "predict", "operat": "oper", "death": "die", "dead": "die", "feet": "foot",
    "teeth": "tooth", "mice": "mous", "laparoscopi": "laparoscop", "laparot": "laparotomi",
    "symptomat": "symptom", "arthrit": "arthriti", "worsen": "wors", "elder": "elderli", "older": "old",
    "higher": "high", "lower": "low", "longer": "long", "shorter": "short", "safeti": "safe", "efficaci": "effect",
}  # fmt: skip
"""Forms of one word that the rules of the stemmer leave apart; our choice."""
PLAIN = 5.2
"""Letters of a word in the mean, below which a question is in plain words; our choice."""
_REVERSED = re.compile("|".join(_LISTS["reversed"]), re.IGNORECASE)
_YES_NO = re.compile(
    r"(?:^|[:;.,?!–-]\s*)(?:and |or |but )?(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|"
    r"have|had)\b[^?]*\?|\bor not\b|\bwhether\b",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"\?|^\s*(?:{'|'.join(_LISTS['asks'])})\b", re.IGNORECASE)
_SYNTAX = re.compile(r"[\[\]\"*]|\b(?:AND|OR|NOT)\b")


def stems(text: str) -> frozenset[str]:
    """The stems of the words of a text that carry its meaning."""
    return frozenset(stem(word) for word in tokens(text) if word not in _EMPTY)


@lru_cache(maxsize=65_536)  # the same words come again and again
def stem(word: str) -> str:
    """What the forms of an English word have in common, by Snowball's rules, in American spelling."""
    import snowballstemmer

    # One stemmer for each word: they hold state, and threads would share it.
    found = snowballstemmer.stemmer("english").stemWord(american(word))
    return _FAMILIES.get(found, found)


def names(text: str) -> frozenset[str]:
    """The stems of the words that look like a code, or the name of a substance, a disease or a procedure."""
    return frozenset(
        stem(word)
        for word in tokens(text)
        if len(word) >= (_SHORTEST_NAME if word.isalpha() else _SHORTEST_CODE)
        and _NAME.search(word)
        and word not in _NO_NAMES
        and not is_general(word)
    )


def is_general(word: str) -> bool:
    """Whether a word, or a stem, names no subject."""
    return word in _EMPTY or stem(word) in _general()


@cache
def _general() -> frozenset[str]:
    return frozenset(map(stem, _GENERAL))


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


def asks_for_effect(question: str) -> bool:
    """Whether what a paper found, or did not find, is a yes, or a no, to a question.

    Whether something is safe, or no worse than something else, may be answered with yes by a paper that found nothing.
    """
    return is_yes_no(question) and not _REVERSED.search(question)


def in_plain_words(question: str) -> bool:
    """Whether a question has the short words of every day, not those of papers."""
    words = tokens(question)
    return bool(words) and sum(map(len, words)) < PLAIN * len(words)
