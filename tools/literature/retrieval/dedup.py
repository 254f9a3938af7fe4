"""Which documents are one paper: those that share a PMID, PMCID or DOI, perhaps through a third one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tools.literature.index.database import BEHIND, LIVE
from tools.literature.types import Document
from tools.sqlite import Database

_OWN = "local:"
_HOPS = 4
"""Steps from a document to those that share a name with it, and on; our choice: a paper seldom has three records."""


def names_of(document: Document) -> tuple[str, ...]:
    """All that a document goes by, in small letters: its id, `pmid:`, `pmcid:` and `doi:`, as far as it has them."""
    return _names(document.id, document.pmid, document.pmcid, document.doi)


def same_papers(documents: Sequence[Document]) -> dict[str, str]:
    """For the id of each document the id of the first one that is the same paper; its own where that is itself.

    Of documents that are named by their content, as PDFs are, only one goes with another: two that show the same DOI
    may be a paper and its supplement, and neither may be lost.
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
    """Those of some names (see `names_of`) that belong to a paper of which a document here was retracted."""
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
    told = (id_, pmid and f"pmid:{pmid}", pmcid and f"pmcid:{pmcid}", doi and f"doi:{doi}")
    return tuple(dict.fromkeys(name.casefold() for name in told if name))


def _grouped(told: Iterable[Sequence[str]]) -> Callable[[str], str]:
    """What gives the group of a name, where names that stand together are of one group; "" for an unknown name."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        if name not in above:
            return ""
        while above[name] != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for names in told:
        for name in names:
            above.setdefault(name, name)
            above[top(name)] = top(names[0])
    return top
