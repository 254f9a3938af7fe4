"""What the sources share: how a query is made safe to be joined with filters, and how failures become problems."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.errors import AttendError
from tools.literature.remote.gate import Gate
from tools.literature.types import Document, Filters, Hit, Problem


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
