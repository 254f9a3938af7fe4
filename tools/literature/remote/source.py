"""What the sources share: `Remote`, which decides what of a query may be sent, how it is made safe to be joined with
filters, and how failures become problems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from tools.errors import AttendError
from tools.literature.remote.client import Client
from tools.literature.retrieval.questions import keywords
from tools.literature.types import Document, Filters, Hit, Problem
from tools.privacy.egress import Gate, GateError

EARLIEST, LATEST = 1000, 3000
"""The years that stand for an open end; PubMed's own."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a source writes filters, each with `{}` where a value stands.

    Attributes:
        years: the first and the last year.
        publication_type, mesh: one of them, in quotes.
        retracted: what was retracted; without a value.
    """

    years: str
    publication_type: str
    mesh: str
    retracted: str


class Remote:
    """A source on the network. Use it as a context, or `close` it.

    What may leave is decided here, once for all sources: `_term` alone makes the text of a search, and what it has not
    cleaned is sent by none.

    Args:
        client: asks the server.
    """

    name: ClassVar[str]
    syntax: ClassVar[Syntax]
    remote = True

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def to_ask(self, query: str, filters: Filters) -> str:
        """What a search would send, if a person has to be asked first; "" if not, or if nothing may be sent."""
        try:
            term = self._term(query, filters)
        except GateError:  # `search` tells why
            return ""
        return term if not self._client.offline and self._client.gate.wants_yes(term) else ""

    def suspected(self, text: str) -> str:
        """The words of what a search would send that may be a name or a place; "" where none are suspected."""
        return self._client.gate.suspected(text)

    def _term(self, query: str, filters: Filters) -> str:
        """A query with its filters, as the source writes them, without what tells of a patient. Raises GateError."""
        gate = self._client.gate
        clean = gate.clean(query)
        wanted = gate.clean(keywords(clean))  # words that are left out may bring together a detail
        gate.check((*filters.publication_types, *filters.mesh))
        conditions = []
        if filters.year_from is not None or filters.year_to is not None:
            conditions.append(self.syntax.years.format(filters.year_from or EARLIEST, filters.year_to or LATEST))
        conditions += any_of(filters.publication_types, self.syntax.publication_type)
        conditions += any_of(filters.mesh, self.syntax.mesh)
        unwanted = self.syntax.retracted if filters.exclude_retracted else ""
        term = joined(joinable(self._spelt(wanted)), conditions, unwanted)
        gate.suspect(term, clean, wanted)
        return term

    def _spelt(self, query: str) -> str:
        """A query without what the source would take for its syntax where words are meant."""
        return query


def joinable(query: str) -> str:
    """A query that can stand in round brackets: where its brackets or quotes do not pair, they are left out.

    Otherwise a stray bracket would end the brackets around it, and filters behind them would not hold.
    """
    depth = 0
    for sign in re.sub(r'"[^"]*"', "", query):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            break
    paired = depth == 0 and query.count('"') % 2 == 0 and query.count("[") == query.count("]")
    return " ".join((query if paired else re.sub(r'[()\[\]"]', " ", query)).split())


def quoted(value: str) -> str:
    """A value as a phrase in quotes."""
    return '"' + " ".join(value.replace('"', " ").replace("\\", " ").split()) + '"'


def any_of(values: Sequence[str], form: str) -> list[str]:
    """One condition that any of the values fulfils, as a list that is empty without values."""
    return ["(" + " OR ".join(form.format(quoted(value)) for value in values) + ")"] if values else []


def joined(asked: str, conditions: Sequence[str], unwanted: str) -> str:
    """A query that holds with all conditions, and without what is unwanted, if that is named."""
    if not conditions and not unwanted:
        return asked
    told = " AND ".join([f"({asked})", *conditions])
    return f"{told} NOT {unwanted}" if unwanted else told


def sendable(gate: Gate, source: str, ids: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Each id once that may be sent, and a problem with those that may not. Raises GateError."""
    hidden = [id_ for id_ in dict.fromkeys(ids) if gate.knows(id_)]
    reason = f"{len(hidden)} of the ids hold a known detail of this session; they were not sent."
    problems = [Problem(source=source, reason=reason, ids=tuple(hidden))] if hidden else []
    return [id_ for id_ in dict.fromkeys(ids) if id_ not in hidden], problems


def problem(source: str, error: AttendError, ids: Sequence[str] = ()) -> Problem:
    """Why a result is partial, in the words of an error."""
    return Problem(source=source, reason=str(error), ids=tuple(ids))


def ranked(source: str, documents: Sequence[Document], filters: Filters, limit: int) -> tuple[Hit, ...]:
    """Hits in the order in which a source gave them; it has no scores that we know, so they are 1 / rank.

    Servers read filters in their own way, so they are applied once more.
    """
    passed = [document for document in documents if filters.passes(document)][:limit]
    return tuple(
        Hit(document=document, score=1 / rank, ranks={source: rank}) for rank, document in enumerate(passed, start=1)
    )
