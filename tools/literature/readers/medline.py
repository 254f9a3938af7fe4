"""Reader of a record of PubMed or MEDLINE XML, shared by the reader of files and the client of PubMed.

Elements are those of NLM's PubMed DTD: `PubmedArticle` for papers, `PubmedBookArticle` for books and their chapters.
"""

from __future__ import annotations

import html
import re
from typing import Any

from tools.errors import AttendError
from tools.extras import require
from tools.literature.identifiers import normal
from tools.literature.readers.records import identifier, sections
from tools.literature.types import Document, Section

etree = require("lxml.etree", extra="literature")

ARTICLE_TAGS = ("PubmedArticle", "PubmedBookArticle")
SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
"""Options of lxml's parsers: no external resources are fetched, and no custom entities expanded."""

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MEDLINE_DATE = re.compile(r"(?P<year>(?:1[5-9]|20)\d\d)(?:\s+(?P<month>[A-Za-z]{3})[a-z]*)?(?:\s+(?P<day>\d{1,2})\b)?")
_NO_LABELS = {"UNLABELLED", "UNLABELED", "UNASSIGNED"}


class ArticleError(AttendError):
    """A record lacks a required element; `field` names the element."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}", remedy="Repair or leave out the record.")
        self.field = field


def read_article(element: Any, source: str = "pubmed") -> Document:
    """Convert a `PubmedArticle` or `PubmedBookArticle` element to a document.

    Args:
        element: as parsed by lxml with `SAFE`.
        source: value of the document's `source`.

    Raises:
        ArticleError: if it is another element, or has no PubMed id.
    """
    name = etree.QName(element).localname
    if name not in ARTICLE_TAGS:
        raise ArticleError(name, f"expected an element {' or '.join(ARTICLE_TAGS)}.")
    book = name == "PubmedBookArticle"
    record = element.find("BookDocument" if book else "MedlineCitation")
    pmid = (_text_of(record, "PMID") if record is not None else "").lstrip("0")
    if record is None or not (pmid.isascii() and pmid.isdigit()):
        raise ArticleError("PMID", f"expected a PubMed id, found {pmid!r}.")
    fields = _book(record) if book else _article(element, record)
    return Document(id=identifier(pmid=pmid), pmid=pmid, source=source, **fields)


def _article(element: Any, record: Any) -> dict[str, Any]:
    article = record.find("Article")
    if article is None:
        raise ArticleError("Article", "it is missing.")
    types = _all(article, "PublicationTypeList/PublicationType")
    notes = {note.get("RefType") for note in record.findall("CommentsCorrectionsList/CommentsCorrections")}
    # Only direct children count as identifiers: the list of references has lists of them, too.
    ids = element.findall("PubmedData/ArticleIdList/ArticleId")
    places = [place for place in article.findall("ELocationID") if place.get("ValidYN") != "N"]
    return {
        "title": _text_of(article, "ArticleTitle") or _text_of(article, "VernacularTitle"),
        "sections": _abstract(article),
        "authors": _authors(article.findall("AuthorList/Author")),
        "journal": _text_of(article, "Journal/Title") or _text_of(record, "MedlineJournalInfo/MedlineTA"),
        "published": _date(article.find("Journal/JournalIssue/PubDate")) or _date(article.find("ArticleDate")),
        "volume": _text_of(article, "Journal/JournalIssue/Volume"),
        "issue": _text_of(article, "Journal/JournalIssue/Issue"),
        "pages": _text_of(article, "Pagination/MedlinePgn"),
        "doi": normal("doi", _identifier(ids, "doi") or _identifier(places, "doi", "EIdType")),
        "pmcid": _pmcid(_identifier(ids, "pmc")),
        "mesh": _all(record, "MeshHeadingList/MeshHeading/DescriptorName"),
        "publication_types": types,
        "retracted": "Retracted Publication" in types or "RetractionIn" in notes,
        "language": _text_of(article, "Language"),
        "licence": _text_of(article, "Abstract/CopyrightInformation"),
    }


def _book(record: Any) -> dict[str, Any]:
    title = _text_of(record, "Book/BookTitle")
    writers = record.findall("AuthorList/Author") or record.findall("Book/AuthorList/Author")
    ids = record.findall("ArticleIdList/ArticleId")
    types = _all(record, "PublicationType")
    return {
        "title": _text_of(record, "ArticleTitle") or _text_of(record, "VernacularTitle") or title,
        "sections": _abstract(record) or _sections_of_a_book(record),
        "authors": _authors(writers),
        "journal": title,
        "published": _date(record.find("ContributionDate")) or _date(record.find("Book/PubDate")),
        "doi": normal("doi", _identifier(ids, "doi")),
        "pmcid": _pmcid(_identifier(ids, "pmc")),
        "publication_types": types,
        "retracted": "Retracted Publication" in types,
        "language": _text_of(record, "Language"),
        "licence": _text_of(record, "Abstract/CopyrightInformation"),
    }


def _abstract(holder: Any) -> tuple[Section, ...]:
    texts = holder.findall("Abstract/AbstractText")
    labels = [text.get("Label", "").strip() for text in texts]
    return sections([words(text) for text in texts], ["" if label.upper() in _NO_LABELS else label for label in labels])


def _sections_of_a_book(record: Any) -> tuple[Section, ...]:
    """Return the headings of a book without an abstract, all that its record has of its content."""
    titles = _all(record, "Sections/Section/SectionTitle")
    return sections(["; ".join(titles)], ["SECTIONS"]) if titles else ()


def _authors(elements: list[Any]) -> tuple[str, ...]:
    names = []
    for author in elements:
        if author.get("ValidYN") == "N":
            continue
        given = _text_of(author, "ForeName") or _text_of(author, "Initials")
        parts = (_text_of(author, "LastName"), given, _text_of(author, "Suffix"))
        names.append(" ".join(part for part in parts if part) or _text_of(author, "CollectiveName"))
    return tuple(name for name in names if name)


def _date(element: Any) -> str:
    """Return an ISO date as far as it is known; MEDLINE also has `1998 Dec-1999 Jan`, seasons, and names of months."""
    if element is None:
        return ""
    year, month, day = (_text_of(element, part) for part in ("Year", "Month", "Day"))
    if not year:
        found = _MEDLINE_DATE.search(_text_of(element, "MedlineDate"))
        if not found:
            return ""
        year, month, day = (found[part] or "" for part in ("year", "month", "day"))
    if not re.fullmatch(r"\d{4}", year):
        return ""
    number = month_of(month)
    if not 1 <= number <= 12:
        return year
    exact = day.isdigit() and 1 <= int(day) <= 31
    return f"{year}-{number:02}-{int(day):02}" if exact else f"{year}-{number:02}"


def month_of(text: str) -> int:
    """Return the number of a month given by number or name; 0 if invalid."""
    if text.isdigit():
        return int(text)
    return 1 + _MONTHS.index(text[:3].lower()) if text[:3].lower() in _MONTHS else 0


def _identifier(ids: list[Any], kind: str, attribute: str = "IdType") -> str:
    return next((words(one) for one in ids if one.get(attribute) == kind), "")


def _pmcid(text: str) -> str:
    found = re.match(r"(?:PMC)?(\d+)", text, re.IGNORECASE)
    return f"PMC{found[1]}" if found else ""


def _all(element: Any, path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in map(words, element.findall(path)) if text))


def _text_of(element: Any, path: str) -> str:
    found = element.find(path)
    return "" if found is None else words(found)


_APART = frozenset(
    "p list list-item def-list def-item term def disp-quote title label break tr td th verse-line".split()
)
"""Elements of running text that are separate from their neighbours, with or without blanks."""


def words(element: Any) -> str:
    """Return the text of an element, with one blank between words.

    Superscripts are marked, since `10<sup>9</sup>` is not 109; other formatting and comments are removed. An unexpanded
    entity is converted like HTML's, or left unchanged.
    """
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: Any) -> list[str]:
    pieces = [element.text or ""]
    for child in element:
        if child.tag is etree.Entity:
            pieces.append(html.unescape(child.text))
        elif isinstance(child.tag, str):
            inner, name = _pieces(child), etree.QName(child).localname
            if name in _APART:
                inner = [" ", *inner, " "]
            raised = name == "sup" and re.fullmatch(r"\s*[-+−]?\d+\s*", "".join(inner))
            pieces += ["^", *inner] if raised else inner
        pieces.append(child.tail or "")
    return pieces
