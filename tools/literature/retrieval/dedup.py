"""Deduplication: documents that share a PMID, PMCID or DOI, perhaps through a third one, are one paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tools.literature.index.database import BEHIND, LIVE
from tools.literature.types import Document
from tools.sqlite import Database

_OWN = "local:"
_HOPS = 4
"""Maximum number of steps between documents that share a name: a paper seldom has three records."""


def names_of(document: Document) -> tuple[str, ...]:
    """Return all identifiers of a document, in lower case: its id, `pmid:`, `pmcid:` and `doi:`."""
    return _names(document.id, document.pmid, document.pmcid, document.doi)


def same_papers(documents: Sequence[Document]) -> dict[str, str]:
    """Map the id of each document to the id of the first one that is the same paper, possibly itself.

    Of documents identified by their content, such as PDFs, only one joins another: two with the same DOI may be a paper
    and its supplement, and neither may be lost.
    """
    group_of = _grouped(names_of(document) for document in documents if not document.id.startswith(_OWN))
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    taken: set[str] = set()
    for document in documents:
        group = next(filter(None, map(group_of, names_of(document))), "")
        own = document.id.startswith(_OWN)
        if not group or (own and group in taken):
            same[document.id] = document.id
            continue
        if own:
            taken.add(group)
        same[document.id] = first.setdefault(group, document.id)
    return same


def retracted_names(database: Database, names: Iterable[str]) -> set[str]:
    """Return those of some names (see `names_of`) that belong to a paper with a retracted document here."""
    asked = set(names)
    seen: set[str] = set()
    rows: dict[str, tuple[tuple[str, ...], bool]] = {}
    frontier = asked
    for _ in range(_HOPS):
        for id_, pmid, pmcid, doi, flagged in _rows(database, frontier):
            held, before = rows.get(id_, ((), False))
            names = _names(id_, pmid or "", pmcid or "", doi or "")
            rows[id_] = (tuple(dict.fromkeys((*held, *names))), before or bool(flagged))
        seen |= frontier
        frontier = {name for held, _ in rows.values() for name in held} - seen
        if not frontier:
            break
    group_of = _grouped(held for held, _ in rows.values())
    flagged_groups = {group_of(held[0]) for held, flagged in rows.values() if flagged}
    return {name for name in asked if group_of(name) in flagged_groups and group_of(name)}


def _rows(database: Database, names: Iterable[str]) -> Iterable[tuple[str, str, str, str, int]]:
    what = f"SELECT id, pmid, pmcid, doi, retracted FROM documents WHERE +state IN ({LIVE}, {BEHIND}) AND"
    by_kind: dict[str, list[str]] = {"pmid": [], "pmcid": [], "doi": []}
    for name in sorted(names):
        kind, _, value = name.partition(":")
        if kind in by_kind:
            by_kind[kind].append(value.upper() if kind == "pmcid" else value)
    for kind, values in by_kind.items():
        yield from database.read_any(f"{what} {kind} IN ({{ids}})", values)
        ids = [f"{kind}:{value}" for value in values]
        yield from database.read_any(f"{what} id IN ({{ids}})", ids)


def _names(id_: str, pmid: str, pmcid: str, doi: str) -> tuple[str, ...]:
    candidates = (id_, pmid and f"pmid:{pmid}", pmcid and f"pmcid:{pmcid}", doi and f"doi:{doi}")
    return tuple(dict.fromkeys(name.casefold() for name in candidates if name))


def _grouped(sets: Iterable[Sequence[str]]) -> Callable[[str], str]:
    """Return a function from a name to its group, where names listed together share a group; "" if unknown."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        if name not in above:
            return ""
        while above[name] != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for names in sets:
        for name in names:
            above.setdefault(name, name)
            above[top(name)] = top(names[0])
    return top
