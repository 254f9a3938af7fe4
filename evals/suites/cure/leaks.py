"""Leak filter of retrieval: the case's own report, papers of hosts that publish such reports, retracted papers.

Also removes from queries what must not be sent: dates, exact ages, names of hospitals (`outgoing`).
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

from evals.suites.cure.cases import Case
from evals.suites.cure.names import words
from tools.literature.types import Document
from tools.privacy.ages import with_age_bands
from tools.privacy.detect import plain, without

Leak = Literal["own report", "blocked host", "retracted"]
TITLE_ALIKE = 0.9
"""Similarity, 0 to 1, from which a title is that of the case's own report."""
COPIED = 0.5
"""Share of the history's runs of `ROW` words from which a text is a copy of it."""
ROW = 8
BLOCKED = ("eurorad.org", "10.35100/eurorad")
"""Hosts, and prefixes of DOIs, whose papers are such cases. The suite's option `blocked` adds others."""


def leak(case: Case, document: Document, blocked: tuple[str, ...] = BLOCKED) -> Leak | None:
    """Return why a document must not be shown for a case, or None. Does not depend on any diagnosis."""
    if document.retracted:
        return "retracted"
    if is_own_report(case, document):
        return "own report"
    places = " ".join((document.id, document.doi, document.source)).casefold()
    return "blocked host" if any(host.casefold() in places for host in blocked) else None


def is_own_report(case: Case, document: Document) -> bool:
    """Return whether a document is the report that a case was made from: by its address, its title, or its words."""
    address = case.source_url.casefold().rstrip("/")
    if address and address in (document.source.casefold().rstrip("/"), document.id.casefold()):
        return True
    if document.doi and document.doi.casefold() in address:
        return True
    return title_likeness(case.title, document.title) >= TITLE_ALIKE or copied_share(case.history, document) >= COPIED


def title_likeness(one: str, other: str) -> float:
    """Return the similarity of two titles, 0 to 1: twice the matching characters, in order, over all; 0 if one is
    empty."""
    first, second = (" ".join(words(title)) for title in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio() if first and second else 0.0


def copied_share(history: str, document: Document) -> float:
    """Return the share of a history's runs of `ROW` words that occur in a document; 0 if it is shorter."""
    rows = _rows(history)
    return len(rows & _rows(document.text)) / len(rows) if rows else 0.0


@lru_cache(maxsize=1024)
def _rows(text: str) -> frozenset[tuple[str, ...]]:
    held = words(text)
    return frozenset(held[start : start + ROW] for start in range(len(held) - ROW + 1))


def outgoing(query: str) -> str:
    """Sanitise a query for sending: exact ages become bands such as `adult`; drops dates, hospitals and long numbers.

    The rules are those of remote sources (`tools.privacy`). They also apply to local searches, so that results do not
    depend on the source.
    """
    return " ".join(without(with_age_bands(plain(query))).split())
