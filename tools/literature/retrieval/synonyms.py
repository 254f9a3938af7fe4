"""Other words for what is asked: `expand`. They are searched for beside the asked words, never in place of them.

Two places know other words: a table of our own (`synonyms.txt`), with abbreviations, lay words and spellings, and the
MeSH headings that the documents found first have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from tools.literature.retrieval.questions import stem
from tools.literature.retrieval.tokens import tokens
from tools.literature.types import Hit

LONGEST = 6
"""Words of a term in the table, at most."""
MOST_TERMS = 12
"""Terms that are added to a question, at most; our choice."""
FEEDBACK = 10
"""The first hits whose headings are looked at, and the share of them that must bear a heading; our choice."""
SHARED = 0.4
MOST_HEADINGS = 3
"""Headings that are added, at most; our choice."""
CHECK_TAGS = frozenset(
    """
    adolescent|adult|aged|aged, 80 and over|animals|child|child, preschool|female|humans|infant|infant, newborn|male|
    mice|middle aged|pregnancy|rats|young adult|retrospective studies|prospective studies|cohort studies|
    follow-up studies|treatment outcome|risk factors|surveys and questionnaires|time factors|cross-sectional studies|
    case-control studies|united states|reproducibility of results|risk assessment|prognosis|double-blind method|
    odds ratio|incidence|prevalence|age factors|sex factors|logistic models|questionnaires|predictive value of tests|
    sensitivity and specificity|regression analysis|multivariate analysis|statistics as topic|quality of life
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
"""Headings that say who was studied and how, and are borne by documents on anything."""


def expand(question: str, hits: Sequence[Hit] = ()) -> tuple[str, ...]:
    """Other terms for those of a question, at most `MOST_TERMS`, those of the table first.

    Args:
        question: in words.
        hits: what was found by these words, best first; headings are taken from the first of them.

    Returns:
        Terms none of which the question holds itself, in an order that depends on nothing else.
    """
    asked = tokens(question)
    added: dict[str, None] = {}
    for group in _named(question, asked):
        for term in group:
            if not _holds(asked, tokens(term)):
                added.setdefault(term)
    known = {stem(word) for word in (*asked, *(word for term in added for word in tokens(term)))}
    for heading in _shared_headings(hits):
        words = {stem(word) for word in tokens(heading)}
        # One that shares a word, and has another, is of a sister: "Breast Neoplasms" for cancer of the oesophagus.
        if not _holds(asked, tokens(heading)) and (words.isdisjoint(known) or words <= known):
            added.setdefault(heading)
    return tuple(added)[:MOST_TERMS]


def reworded(question: str, terms: Sequence[str]) -> tuple[str, bool]:
    """The question with other terms, to be searched for, and whether these stand for a phrase of it as a whole.

    Of a phrase for which the table has others, such as `heart attack`, the words by themselves mean something else, and
    are left out here; all other words stand twice, so that what was asked outweighs what is added.
    """
    asked = tokens(question)
    phrases = [words for words in _found(question, asked).values() if len(words) > 1]
    left = list(asked)
    for words in phrases:
        for at in range(len(asked) - len(words) + 1):
            if tuple(asked[at : at + len(words)]) == words:
                left[at : at + len(words)] = [""] * len(words)
    if not phrases:
        return " ".join((question, question, *terms)), False
    rest = " ".join(word for word in left if word)
    return " ".join(part for part in (rest, rest, *terms) if part), True


def synonyms(question: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The terms of the table that a question holds, each by its tokens there, with all terms of its group."""
    groups, _ = _table()
    return [(words, groups[number]) for number, words in _found(question, tokens(question)).items()]


def table_words() -> frozenset[str]:
    """All words of the table, in small letters."""
    groups, _ = _table()
    return frozenset(word for group in groups for term in group for word in re.findall(r"[^\W\d_]+", term.casefold()))


def _named(question: str, asked: Sequence[str]) -> list[tuple[str, ...]]:
    groups, _ = _table()
    return [groups[number] for number in _found(question, asked)]


def _found(question: str, asked: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """The groups of which the question holds a term, by number, with its tokens there; in its order, longer terms
    before their parts."""
    found: dict[int, tuple[str, ...]] = {}
    _, places = _table()
    for start in range(len(asked)):
        for end in range(min(len(asked), start + LONGEST), start, -1):
            words = asked[start:end]
            singular = (*words[:-1], words[-1].removesuffix("s") if len(words[-1]) > 3 else words[-1])
            for term, number in (*places.get(tuple(words), ()), *places.get(singular, ())):
                if not _is_abbreviation(term) or re.search(rf"(?<!\w){re.escape(term)}s?(?!\w)", question):
                    found.setdefault(number, tuple(words))
    return found


def _shared_headings(hits: Sequence[Hit]) -> list[str]:
    first = hits[:FEEDBACK]
    counts = Counter(
        heading for hit in first for heading in dict.fromkeys(hit.document.mesh) if heading.casefold() not in CHECK_TAGS
    )
    least = max(2.0, SHARED * len(first))
    common = [heading for heading, count in counts.items() if count >= least]
    return sorted(common, key=lambda heading: (-counts[heading], heading))[:MOST_HEADINGS]


def _holds(asked: Sequence[str], words: Sequence[str]) -> bool:
    return not words or any(list(asked[at : at + len(words)]) == list(words) for at in range(len(asked)))


def _is_abbreviation(term: str) -> bool:
    """Terms with capitals stand for something only as they are written: `AS` does, `as` does not."""
    return any(letter.isupper() for letter in term)


@cache
def _table() -> tuple[list[tuple[str, ...]], dict[tuple[str, ...], list[tuple[str, int]]]]:
    """The groups of the table, and where each term stands: (term, number of its group) by its tokens."""
    lines = files("tools.literature.retrieval").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    groups = [tuple(line.split(" | ")) for line in lines if line and not line.startswith("#")]
    places: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for number, group in enumerate(groups):
        for term in group:
            places.setdefault(tuple(tokens(term)), []).append((term, number))
    return groups, places
