"""`Remote`, the common base of remote sources: which parts of a query may be sent, how it is joined safely with
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
"""The years of an open end, as in PubMed."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """A source's syntax of filters, each with `{}` in place of a value.

    Attributes:
        years: the first and the last year.
        publication_type, mesh: one of them, quoted.
        retracted: retracted documents; without a value.
    """

    years: str
    publication_type: str
    mesh: str
    retracted: str


class Remote:
    """A remote source. Use it as a context, or `close` it.

    Decides what may leave, once for all sources: only `_term` makes the text of a search, and no source sends text that
    it has not cleaned.

    Args:
        client: the client of the server.
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
        """Return what a search would send, if it needs consent first; "" if not, or if nothing may be sent."""
        try:
            term = self._term(query, filters)
        except GateError:  # `search` reports the reason
            return ""
        return term if not self._client.offline and self._client.gate.needs_consent(term) else ""

    def suspected(self, text: str) -> str:
        """Return the words of what a search would send that may be a name or a place; "" if there are none."""
        return self._client.gate.suspected(text)

    def _term(self, query: str, filters: Filters) -> str:
        """Return a query with its filters, in the source's syntax, without patient details. Raises GateError."""
        gate = self._client.gate
        clean = gate.clean(query)
        wanted = gate.clean(keywords(clean))  # removing words may join two parts into a detail
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
        """Remove from a query what the source would misread as its syntax."""
        return query


def joinable(query: str) -> str:
    """Make a query safe inside round brackets: unpaired brackets or quotes are removed.

    Otherwise a stray bracket would close the brackets around it, and filters after them would not apply.
    """
    depth = 0
    for sign in re.sub(r'"[^"]*"', "", query):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            break
    paired = depth == 0 and query.count('"') % 2 == 0 and query.count("[") == query.count("]")
    return " ".join((query if paired else re.sub(r'[()\[\]"]', " ", query)).split())


def quoted(value: str) -> str:
    """Return a value as a quoted phrase."""
    return '"' + " ".join(value.replace('"', " ").replace("\\", " ").split()) + '"'


def any_of(values: Sequence[str], form: str) -> list[str]:
    """Return one condition that any of the values meets, as a list; empty without values."""
    return ["(" + " OR ".join(form.format(quoted(value)) for value in values) + ")"] if values else []


def joined(asked: str, conditions: Sequence[str], unwanted: str) -> str:
    """Join a query with all conditions, and exclude what is unwanted, if given."""
    if not conditions and not unwanted:
        return asked
    query = " AND ".join([f"({asked})", *conditions])
    return f"{query} NOT {unwanted}" if unwanted else query


def sendable(gate: Gate, source: str, ids: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Return each id that may be sent, once, and a problem with the others. Raises GateError."""
    hidden = [id_ for id_ in dict.fromkeys(ids) if gate.knows(id_)]
    reason = f"{len(hidden)} of the ids contain a known detail of this session; they were not sent."
    problems = [Problem(source=source, reason=reason, ids=tuple(hidden))] if hidden else []
    return [id_ for id_ in dict.fromkeys(ids) if id_ not in hidden], problems


def problem(source: str, error: AttendError, ids: Sequence[str] = ()) -> Problem:
    """Convert an error to a problem of a partial result."""
    return Problem(source=source, reason=str(error), ids=tuple(ids))


def ranked(source: str, documents: Sequence[Document], filters: Filters, limit: int) -> tuple[Hit, ...]:
    """Return hits in the source's order; their scores are 1 / rank, since the source has none.

    Servers interpret filters in their own way, so they are applied once more.
    """
    passed = [document for document in documents if filters.passes(document)][:limit]
    return tuple(
        Hit(document=document, score=1 / rank, ranks={source: rank}) for rank, document in enumerate(passed, start=1)
    )
