"""Types of the literature tool: documents, filters, hits, and the interface of a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A labelled part of a document, such as METHODS; the label is empty if the source gives none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = ""
    text: str


class Document(BaseModel):
    """A citable paper, abstract or other text.

    Attributes:
        id: `pmid:N`, `pmcid:PMCN`, `doi:...`, `epmc:SOURCE/ID` for documents only in Europe PMC, or `local:`, the id
            in its file, if any, and the start of the content's hash.
        title: as published.
        sections: the abstract or the full text, in order.
        authors: as `Family Given` or `Family GN`, in order.
        journal: its title.
        published: ISO date as far as it is known: `2021`, `2021-03` or `2021-03-09`; empty if unknown.
        volume, issue, pages: place in the journal; empty if unknown.
        doi, pmid, pmcid: identifiers without a prefix; empty if unknown.
        mesh: MeSH headings, in their spelling.
        publication_types: such as `Randomized Controlled Trial`, in PubMed's spelling.
        retracted: whether the source marks it as retracted.
        language: ISO 639 code, if known.
        source: name of its source or file.
        licence: terms of reuse, if the source states them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    title: str = ""
    sections: tuple[Section, ...] = ()
    authors: tuple[str, ...] = ()
    journal: str = ""
    published: str = ""
    volume: str = ""
    issue: str = ""
    pages: str = ""
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    mesh: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    retracted: bool = False
    language: str = ""
    source: str = ""
    licence: str = ""

    @property
    def text(self) -> str:
        """The sections' texts, separated by empty lines."""
        return "\n\n".join(section.text for section in self.sections)

    @property
    def year(self) -> int | None:
        """The year of publication, or None."""
        return int(self.published[:4]) if self.published[:4].isdigit() else None

    @property
    def sha256(self) -> str:
        """Hash of all fields except `source`."""
        fields = self.model_dump(mode="json", exclude={"source"})
        for name in ("volume", "issue", "pages"):  # which older documents do not have
            if not fields[name]:
                del fields[name]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Filters(BaseModel):
    """Conditions on documents. An empty filter accepts all.

    Attributes:
        year_from, year_to: years of publication, both included; documents without a year are rejected.
        publication_types: at least one of these is required, in any letter case.
        mesh: at least one of these headings is required, in any letter case.
        exclude_retracted: leave out retracted documents; otherwise they are found and flagged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    year_from: int | None = None
    year_to: int | None = None
    publication_types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    exclude_retracted: bool = False

    def passes(self, document: Document) -> bool:
        """Return whether a document meets the conditions."""
        year = document.year
        if (self.year_from is not None or self.year_to is not None) and year is None:
            return False
        if year is not None and not (self.year_from or year) <= year <= (self.year_to or year):
            return False
        wanted = ((self.publication_types, document.publication_types), (self.mesh, document.mesh))
        if any(some and not {one.lower() for one in some} & {one.lower() for one in borne} for some, borne in wanted):
            return False
        return not (self.exclude_retracted and document.retracted)


class Hit(BaseModel):
    """A document found by a search.

    Attributes:
        document: the document.
        score: higher is better; comparable within one search only.
        ranks: its rank, from 1, in each channel that found it, such as `{"bm25": 3, "dense": 1}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: Document
    score: float
    ranks: dict[str, int] = {}


class Problem(BaseModel):
    """A reason why a result is partial.

    Attributes:
        source: the source.
        reason: what went wrong, for people.
        ids: the missing documents, if known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    reason: str
    ids: tuple[str, ...] = ()


class Found(BaseModel):
    """The result of a search.

    Attributes:
        hits: best first, or in the requested order.
        problems: reasons for missing documents.
        cover: for a search by words, the share of the query that the first hit covers, 0 to 1, with rare words weighted
            higher; None if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: tuple[Hit, ...] = ()
    problems: tuple[Problem, ...] = ()
    cover: float | None = None


class Source(Protocol):
    """A source of documents: a local corpus, PubMed, Europe PMC.

    Neither method raises for a server's faults: it returns what it has, with the reason why that is partial.
    """

    @property
    def name(self) -> str:
        """Name as in the settings, such as `local` or `pubmed`."""

    @property
    def remote(self) -> bool:
        """Whether queries leave this machine, after the filter of personal details."""

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """Find at most `limit` documents by words, best first."""

    def fetch(self, ids: Sequence[str]) -> Found:
        """Fetch the documents with these ids, in this order; a problem lists the missing ones."""


@runtime_checkable
class Asks(Protocol):
    """A source that sends nothing without a person's consent."""

    def to_ask(self, query: str, filters: Filters) -> str:
        """Return what a search would send, if it needs consent first; "" if not, or if nothing may be sent."""

    def suspected(self, text: str) -> str:
        """Return the words of what a search would send that may be a name or a place; "" if there are none."""
