"""Query expansion by synonyms: `expand`. Synonyms are searched besides the words of the question, never instead.

They come from our own table (`synonyms.txt`), with abbreviations, lay words and spellings, and from MeSH headings of
several of the first documents.
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
"""Maximum number of words of a term in the table."""
MAX_TERMS = 12
"""Maximum number of terms added to a question."""
FEEDBACK = 10
"""Number of first hits whose headings are used, and minimum share of them with a heading; our choice."""
SHARED = 0.4
MAX_HEADINGS = 3
"""Maximum number of headings added."""
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
"""Headings of study populations and designs, which documents on any subject have."""


def expand(question: str, hits: Sequence[Hit] = ()) -> tuple[str, ...]:
    """Return synonyms for the terms of a question, at most `MAX_TERMS`, those of the table first.

    Args:
        question: in words.
        hits: hits for these words, best first; headings come from the first of them.

    Returns:
        Terms that the question does not contain, in a deterministic order.
    """
    asked = tokens(question)
    added: dict[str, None] = {}
    for group in _named(question, asked):
        for term in group:
            if not _contains(asked, tokens(term)):
                added.setdefault(term)
    known = {stem(word) for word in (*asked, *(word for term in added for word in tokens(term)))}
    for heading in _shared_headings(hits):
        words = {stem(word) for word in tokens(heading)}
        # A heading that shares a word, and has another, is a sibling: "Breast Neoplasms" for cancer of the oesophagus.
        if not _contains(asked, tokens(heading)) and (words.isdisjoint(known) or words <= known):
            added.setdefault(heading)
    return tuple(added)[:MAX_TERMS]


def reworded(question: str, terms: Sequence[str]) -> tuple[str, bool]:
    """Return the question with other terms as a query, and whether these replace a phrase of it as a whole.

    In a phrase with synonyms in the table, such as `heart attack`, single words mean something else, and are omitted
    here; all other words occur twice, so that the question outweighs the additions.
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
    """Return the terms of the table in a question, by their tokens there, with all terms of their group."""
    groups, _ = _table()
    return [(words, groups[number]) for number, words in _found(question, tokens(question)).items()]


def table_words() -> frozenset[str]:
    """Return all words of the table, in lower case."""
    groups, _ = _table()
    return frozenset(word for group in groups for term in group for word in re.findall(r"[^\W\d_]+", term.casefold()))


def _named(question: str, asked: Sequence[str]) -> list[tuple[str, ...]]:
    groups, _ = _table()
    return [groups[number] for number in _found(question, asked)]


def _found(question: str, asked: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Return the groups with a term in the question, by number, with its tokens there; in its order, longer terms
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
    return sorted(common, key=lambda heading: (-counts[heading], heading))[:MAX_HEADINGS]


def _contains(asked: Sequence[str], words: Sequence[str]) -> bool:
    return not words or any(list(asked[at : at + len(words)]) == list(words) for at in range(len(asked)))


def _is_abbreviation(term: str) -> bool:
    """Return whether a term has capitals, which make it specific to its spelling: `AS` is one, `as` is not."""
    return any(letter.isupper() for letter in term)


@cache
def _table() -> tuple[list[tuple[str, ...]], dict[tuple[str, ...], list[tuple[str, int]]]]:
    """Return the groups of the table, and the places of each term: (term, number of its group) by its tokens."""
    lines = files("tools.literature.retrieval").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    groups = [tuple(line.split(" | ")) for line in lines if line and not line.startswith("#")]
    places: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for number, group in enumerate(groups):
        for term in group:
            places.setdefault(tuple(tokens(term)), []).append((term, number))
    return groups, places
