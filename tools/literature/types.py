"""What all parts of the literature tool share: documents, filters, hits, and the interface of a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A labelled part of a document, such as METHODS; the label is empty where the source gives none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = ""
    text: str


class Document(BaseModel):
    """A paper, an abstract or another text that can be cited.

    Attributes:
        id: `pmid:N`, `pmcid:PMCN`, `doi:...`, `epmc:SOURCE/ID` for what only Europe PMC knows, or `local:`,
            what its file calls it, if anything, and the start of the content's hash.
        title: as published.
        sections: the abstract or the full text, in order.
        authors: as `Family Given` or `Family GN`, in order.
        journal: its title.
        published: ISO date as far as it is known: `2021`, `2021-03` or `2021-03-09`; empty if unknown.
        volume, issue, pages: where in the journal; empty if unknown.
        doi, pmid, pmcid: identifiers without a prefix; empty if unknown.
        mesh: MeSH headings, as spelt there.
        publication_types: such as `Randomized Controlled Trial`, as PubMed spells them.
        retracted: whether the source says that it was retracted.
        language: ISO 639 code, if known.
        source: the name of the source or of the file that it came from.
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
        """The sections' texts, with an empty line between them."""
        return "\n\n".join(section.text for section in self.sections)

    @property
    def year(self) -> int | None:
        """The year of publication, if known."""
        return int(self.published[:4]) if self.published[:4].isdigit() else None

    @property
    def sha256(self) -> str:
        """Hash of all that is said here, but for the name of the source."""
        told = self.model_dump(mode="json", exclude={"source"})
        for name in ("volume", "issue", "pages"):  # which older documents do not have
            if not told[name]:
                del told[name]
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Filters(BaseModel):
    """Which documents count. An empty filter lets all pass.

    Attributes:
        year_from, year_to: years of publication, both included; documents without a year do not pass either.
        publication_types: one of these is borne, letter case aside.
        mesh: one of these headings is borne, letter case aside.
        exclude_retracted: leave out what was retracted; else it is found and flagged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    year_from: int | None = None
    year_to: int | None = None
    publication_types: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    exclude_retracted: bool = False

    def passes(self, document: Document) -> bool:
        """Whether a document counts."""
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
    """A document that was found.

    Attributes:
        document: what was found.
        score: the higher the better; comparable within one search only.
        ranks: its rank, from 1, in each channel that found it, such as `{"bm25": 3, "dense": 1}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: Document
    score: float
    ranks: dict[str, int] = {}


class Problem(BaseModel):
    """Why a result is partial.

    Attributes:
        source: whose result.
        reason: what went wrong, in words for a person.
        ids: the documents that are missing for it, if they are known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    reason: str
    ids: tuple[str, ...] = ()


class Found(BaseModel):
    """What was found.

    Attributes:
        hits: best first, or in the order asked for.
        problems: what is missing, and why.
        cover: of a search by words, the share of what was asked that the first hit holds, 0 to 1, where rare words
            count for more; None where that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: tuple[Hit, ...] = ()
    problems: tuple[Problem, ...] = ()
    cover: float | None = None


class Source(Protocol):
    """Where documents come from: a local corpus, PubMed, Europe PMC.

    Neither method raises for what a server does: it returns what it has, with the reason why that is partial.
    """

    @property
    def name(self) -> str:
        """As in the settings, such as `local` or `pubmed`."""

    @property
    def remote(self) -> bool:
        """Whether queries leave this machine; they then pass the filter of personal details first."""

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """Find at most `limit` documents by words, best first."""

    def fetch(self, ids: Sequence[str]) -> Found:
        """Bring the documents of these ids, in this order; a problem names those that it lacks."""


@runtime_checkable
class Asks(Protocol):
    """A source that sends nothing before a person has allowed it."""

    def to_ask(self, query: str, filters: Filters) -> str:
        """What a search would send, if a person has to be asked first; "" if not, or if nothing may be sent."""

    def suspected(self, text: str) -> str:
        """The words of what a search would send that may be a name or a place; "" where none are suspected."""
