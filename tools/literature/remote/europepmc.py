"""Europe PMC source, by its REST service: PubMed, preprints and full texts of PubMed Central in one paged search.

Facts about the service are from Europe PMC's documentation of its REST service and search syntax. If sources disagree
on the maximum page size, the smaller number is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from pydantic import ValidationError

from tools.errors import StoreError
from tools.literature.readers.records import identifier, sections
from tools.literature.remote.client import RemoteError, TryAgain
from tools.literature.remote.source import Remote, Syntax, problem, quoted, ranked, sendable
from tools.literature.types import Document, Filters, Found, Hit, Problem, Section
from tools.privacy.egress import GateError

NAME = "europepmc"
RATE = 2.0
"""Requests per second; the service names no limit."""
PAGE = 100
"""Maximum number of documents per page."""
BATCH = 25
"""Ids per request, which are part of its URL."""
MAX_PAGES, MAX_IDLE_PAGES = 100, 5
"""Maximum pages of a search, and consecutive ones without a new document that passes the filters."""
_TAG = re.compile(r"(?<=[\w\"*])\[[A-Za-z][A-Za-z /:~0-9-]*\]")
_FIELD_OR_SIGN = re.compile(r"(\b[A-Z][A-Z_]+:(?:\[[^\]]*\]|(?=\S|$)))|[:?/\\!~^{}\[\]]")


@dataclass(frozen=True, slots=True)
class _Page:
    documents: tuple[Document, ...]
    keys: tuple[frozenset[str], ...]
    mark: str
    bad: tuple[str, ...]


class EuropePMC(Remote):
    """Europe PMC as a source; see `tools.literature.types.Source`. Use it as a context, or `close` it.

    Args:
        client: the client of the server.
    """

    name = NAME
    syntax = Syntax(
        years="PUB_YEAR:[{} TO {}]",
        publication_type="PUB_TYPE:{}",
        mesh="KW:{}",
        retracted='PUB_TYPE:"retracted publication"',
    )

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """Find at most `limit` documents, in Europe PMC's order of relevance.

        The query may use Europe PMC's syntax. Before it leaves, patient details are removed, and a person is asked
        (`tools.privacy.egress`). Raises nothing for a server's faults, or for what may not be sent.
        """
        if limit < 1:
            return Found()
        documents: dict[str, Document] = {}
        problems: list[Problem] = []
        try:
            term = self._term(query, filters)
            size = min(PAGE, limit) if filters == Filters() else PAGE
            mark, idle, seen = "*", 0, set[str]()
            while mark and mark not in seen and len(documents) < limit:
                if len(seen) == MAX_PAGES or idle == MAX_IDLE_PAGES:
                    reason = f"the search ended after {len(seen)} pages with few matching documents."
                    problems.append(Problem(source=NAME, reason=reason))
                    break
                before = len(documents)
                seen.add(mark)
                page = self._page(term, size, mark)
                for document in page.documents:
                    if filters.passes(document):
                        documents.setdefault(document.id, document)
                idle = 0 if len(documents) > before else idle + 1
                problems += [Problem(source=NAME, reason=reason) for reason in page.bad]
                mark = page.mark if page.documents or page.bad else ""
        except (GateError, RemoteError, StoreError) as error:
            problems.append(problem(NAME, error))
        return Found(hits=ranked(NAME, list(documents.values()), filters, limit), problems=tuple(problems))

    def fetch(self, ids: Sequence[str]) -> Found:
        """Fetch documents by ids, in this order; a problem lists the missing ones.

        Args:
            ids: such as `pmid:28612165`, `pmcid:PMC5480000`, `doi:10.1000/182` or `epmc:PPR/PPR1234`. A document found
                by another id than its own first one gets the requested one.
        """
        try:
            unhidden, problems = sendable(self._client.gate, NAME, ids)
        except GateError as error:
            return Found(problems=(problem(NAME, error, ids),))
        asked = {id_: _condition(id_) for id_ in unhidden}
        documents: dict[str, Document] = {}
        if strange := [id_ for id_, condition in asked.items() if not condition]:
            reason = f"unknown kind of id {strange[0]!r:.60}: Europe PMC takes a PMID, PMCID, DOI or its own id."
            problems.append(Problem(source=NAME, reason=reason, ids=tuple(strange)))
        lacking = [id_ for id_, condition in asked.items() if condition]
        nowhere: list[str] = []
        while lacking:
            batch, lacking = lacking[:BATCH], lacking[BATCH:]
            try:
                page = self._page(" OR ".join(f"({asked[id_]})" for id_ in batch), PAGE, "*")
            except (GateError, RemoteError, StoreError) as error:
                if not getattr(error, "bad_request", False):  # the rest would fare no better
                    batch, lacking = batch + lacking, []
                problems.append(problem(NAME, error, batch))
                continue
            problems += [Problem(source=NAME, reason=reason) for reason in page.bad]
            for id_ in batch:
                found = next(
                    (one for one, keys in zip(page.documents, page.keys, strict=True) if _key(id_) in keys), None
                )
                if found is None:
                    nowhere.append(id_)
                else:
                    documents[id_] = found.model_copy(update={"id": id_})
        if nowhere:
            reason = f"Europe PMC has no record of {len(nowhere)} of the ids."
            problems.append(Problem(source=NAME, reason=reason, ids=tuple(nowhere)))
        hits = [Hit(document=documents[id_], score=0) for id_ in asked if id_ in documents]
        scored = tuple(hit.model_copy(update={"score": 1 / rank}) for rank, hit in enumerate(hits, start=1))
        return Found(hits=scored, problems=tuple(problems))

    def _page(self, term: str, size: int, mark: str) -> _Page:
        params = {"query": term, "format": "json", "resultType": "core", "synonym": "true"}
        params |= {"pageSize": str(size), "cursorMark": mark}
        return self._client.ask("search", params, _read_page, said=term)

    def _spelt(self, query: str) -> str:
        """Remove from a query what Europe PMC would misread as its syntax.

        A colon makes a field of the word before it unless that is one of its fields, in capitals and no blank after
        it; a question mark is a wildcard; PubMed's tags are unknown. Quoted phrases stay unchanged.
        """
        parts = _TAG.sub("", query).split('"')
        parts[::2] = [_FIELD_OR_SIGN.sub(lambda found: found[1] or " ", part) for part in parts[::2]]
        return '"'.join(parts)


_FORMS = (
    (re.compile(r"pmid:0*([1-9]\d{0,8})", re.ASCII), "EXT_ID:{} AND SRC:MED"),
    (re.compile(r"pmcid:(PMC\d{1,9})", re.ASCII), "PMCID:{}"),
    (re.compile(r"doi:(10\.\d{4,9}/[!-~]{1,200})", re.ASCII), "DOI:{}"),
    (re.compile(r"epmc:([A-Z]{3})/([A-Za-z0-9.-]{1,40})", re.ASCII), "EXT_ID:{1} AND SRC:{0}"),
)


def _condition(id_: str) -> str:
    """Convert an id to a query; empty if Europe PMC does not know its kind."""
    for pattern, form in _FORMS:
        if found := pattern.fullmatch(id_):
            return form.format(*(quoted(part) if form.startswith("DOI") else part for part in found.groups()))
    return ""


def _key(id_: str) -> str:
    kind, _, value = id_.partition(":")
    return f"{kind}:{value.lstrip('0') if kind == 'pmid' else value}".lower()


def _read_page(body: bytes) -> _Page:
    """Return the documents of a page, and the mark of the next. Raises TryAgain."""
    try:
        answer = json.loads(body, strict=False)
        if "resultList" not in answer:
            reason = answer.get("errMsg") or answer.get("error") or body[:80]
            raise TryAgain(f"the server cannot search: {str(reason)[:200]!r}")
        results = answer["resultList"].get("result") or []
        mark = str(answer.get("nextCursorMark") or "")
    except (ValueError, TypeError, AttributeError) as error:
        raise TryAgain(f"the server sent an unreadable answer to a search: {body[:80]!r}") from error
    documents, keys, bad = [], [], []
    for result in results:
        try:
            document, known = _document(result)
        except (ValidationError, AttributeError, TypeError, KeyError) as error:
            name = result.get("id") if isinstance(result, dict) else result
            bad.append(f"cannot read a record, {str(name)[:40]!r} ({type(error).__name__}).")
        else:
            documents.append(document)
            keys.append(known)
    return _Page(tuple(documents), tuple(keys), mark, tuple(bad))


def _document(result: dict[str, Any]) -> tuple[Document, frozenset[str]]:
    """Convert a result to a document, with all ids by which it may be requested."""
    pmid, pmcid, doi = (str(result.get(name) or "") for name in ("pmid", "pmcid", "doi"))
    own = f"epmc:{result['source']}/{result['id']}"
    ids = {"pmid": pmid, "pmcid": pmcid, "doi": doi}
    types = tuple((result.get("pubTypeList") or {}).get("pubType") or ())
    notes = (result.get("commentCorrectionList") or {}).get("commentCorrection") or ()
    journal = (result.get("journalInfo") or {}).get("journal") or {}
    headings = (result.get("meshHeadingList") or {}).get("meshHeading") or ()
    document = Document(
        id=identifier(**ids) or own,
        title=_text(result.get("title") or ""),
        sections=_abstract(result.get("abstractText") or ""),
        authors=_authors(result),
        journal=journal.get("title") or "",
        published=_date(result),
        **ids,
        mesh=tuple(dict.fromkeys(name for heading in headings if (name := heading.get("descriptorName")))),
        publication_types=tuple(dict.fromkeys(types)),
        retracted=any(one.lower() in ("retracted publication", "retracted-article") for one in types)
        or any(str(note.get("type", "")).lower() == "retraction in" for note in notes),
        language=result.get("language") or "",
        source=NAME,
        licence=result.get("license") or "",
    )
    keys = {own, *(f"{kind}:{value}" for kind, value in ids.items() if value)}
    return document, frozenset(key.lower() for key in keys)


def _authors(result: dict[str, Any]) -> tuple[str, ...]:
    names = []
    for author in (result.get("authorList") or {}).get("author") or ():
        given = author.get("firstName") or author.get("initials") or ""
        family = author.get("lastName") or ""
        names.append(f"{family} {given}".strip() or author.get("collectiveName") or author.get("fullName") or "")
    names = names or (result.get("authorString") or "").rstrip(".").split(", ")
    return tuple(name for name in names if name)


def _date(result: dict[str, Any]) -> str:
    """Return the year, and the month if given; the day of print is always given as the first of a month."""
    issue = result.get("journalInfo") or {}
    year = str(result.get("pubYear") or issue.get("yearOfPublication") or "")
    first = str(result.get("firstPublicationDate") or "")
    if not re.fullmatch(r"\d{4}", year):
        return first if re.fullmatch(r"\d{4}-\d\d-\d\d", first) else ""
    month = issue.get("monthOfPublication")
    if str(issue.get("yearOfPublication")) == year and isinstance(month, int) and 1 <= month <= 12:
        return f"{year}-{month:02}"
    return first if not issue and re.fullmatch(rf"{year}-\d\d-\d\d", first) else year


class _Abstract(HTMLParser):
    """Splits an abstract at its headings, and removes other markup; superscripts stay apart, as in `medline`."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[list[str]] = [["", ""]]
        self._place, self._raised = 1, -1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3", "h4", "h5"):
            self.parts.append(["", ""])
            self._place = 0
        elif tag == "sup":
            self._raised = len(self.parts[-1][self._place])
        elif tag in ("p", "br", "div", "li"):
            self.parts[-1][self._place] += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h1", "h2", "h3", "h4", "h5"):
            self._place = 1
        elif tag == "sup" and self._raised >= 0:
            before, raised = self.parts[-1][self._place][: self._raised], self.parts[-1][self._place][self._raised :]
            mark = "^" if re.fullmatch(r"\s*[-+−]?\d+\s*", raised) else ""
            self.parts[-1][self._place] = before + mark + raised
            self._raised = -1

    def handle_data(self, data: str) -> None:
        self.parts[-1][self._place] += data


def _abstract(marked: str) -> tuple[Section, ...]:
    parser = _Abstract()
    parser.feed(marked)
    parser.close()
    parts = [[" ".join(text.split()) for text in part] for part in parser.parts]
    return sections([text for _, text in parts], [label.rstrip(":") for label, _ in parts])


def _text(marked: str) -> str:
    return " ".join(section.text for section in _abstract(marked))
