"""Reader of an article in JATS, the XML of PubMed Central and Europe PMC: abstract and full text by sections.

Elements are those of the Journal Article Tag Suite (NISO Z39.96), with or without a namespace.
"""

from __future__ import annotations

import re
from typing import Any

from tools.literature.identifiers import normal
from tools.literature.readers.medline import ArticleError, words
from tools.literature.readers.records import identifier
from tools.literature.types import Document, Section

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_HREF = "{http://www.w3.org/1999/xlink}href"
_TYPES = {
    "research-article": "Journal Article",
    "review-article": "Review",
    "systematic-review": "Systematic Review",
    "case-report": "Case Reports",
    "letter": "Letter",
    "editorial": "Editorial",
    "correction": "Published Erratum",
    "retraction": "Retraction of Publication",
}
"""JATS's article types (its suggested values) in PubMed's words; others stay unchanged."""
_RETRACTED = re.compile(r"^\W*(?:retracted|withdrawn)(?:\s+(?:article|paper|publication))?\s*(?:[:\])]|[-–—]\s)", re.I)
"""Publishers' marks in the title of a retracted paper."""
_RETRACTIONS = {"retraction-forward", "retracted-article-forward", "partial-retraction-forward"}
"""Values of `related-article-type` by which a paper refers to its retraction notice."""
_DATES = ("pub", "epub", "ppub", "collection", "epreprint", "preprint")
_UNREAD = {"fig", "table-wrap", "fig-group", "table-wrap-group", "supplementary-material", "ref-list", "tex-math",
           "boxed-text", "media", "fn-group"}  # fmt: skip
"""Parts of a full text that are not running text."""


def read_jats(article: Any, source: str) -> Document:
    """Convert an `article` element to a document; its id is that of PubMed Central, else PubMed's, else the DOI.

    Raises:
        ArticleError: if it has no front matter, or no identifier at all.
    """
    meta = article.find("{*}front/{*}article-meta")
    if meta is None:
        raise ArticleError("article-meta", "it is missing.")
    pmid = _id(meta, "pmid")
    pmc = re.fullmatch(r"(?:PMC)?(\d+)(?:\.\d+)?", _id(meta, "pmcid", "pmc", "pmc-id", "pmcaid"), re.IGNORECASE)
    pmcid = f"PMC{pmc[1]}" if pmc else ""
    doi = normal("doi", _id(meta, "doi"))
    id_ = identifier(pmid="" if pmcid else pmid, pmcid=pmcid, doi=doi)
    if not id_:
        raise ArticleError("article-id", "no id of type pmid, pmc, pmcid or doi.")
    title = _words(meta.find("{*}title-group/{*}article-title"))
    kind = article.get("article-type", "")
    return Document(
        id=id_,
        title=title,
        sections=(*_abstracts(meta), *_body(article.find("{*}body"), ())),
        authors=_authors(meta),
        journal=_words(article.find("{*}front/{*}journal-meta//{*}journal-title")),
        published=_date(meta),
        volume=_words(meta.find("{*}volume")),
        issue=_words(meta.find("{*}issue")),
        pages=_pages(meta),
        doi=doi,
        pmid=pmid,
        pmcid=pmcid,
        mesh=_mesh(meta),
        publication_types=(_TYPES.get(kind, kind),) if kind else (),
        retracted=_retracted(meta, kind, title),
        language=(article.get(_LANG) or "").lower()[:2],
        source=source,
        licence=_licence(meta),
    )


def _retracted(meta: Any, kind: str, title: str) -> bool:
    related = {one.get("related-article-type") for one in meta.iterfind("{*}related-article")}
    return kind == "retracted-article" or bool(related & _RETRACTIONS) or bool(_RETRACTED.match(title))


def _id(meta: Any, *kinds: str) -> str:
    for kind in kinds:
        for one in meta.iterfind("{*}article-id"):
            if one.get("pub-id-type") == kind and words(one):
                return words(one)
    return ""


def _abstracts(meta: Any) -> tuple[Section, ...]:
    """Return the abstract, by its headings, without graphical ones, teasers and translations."""
    found: list[Section] = []
    for abstract in meta.iterfind("{*}abstract"):
        if not abstract.get("abstract-type"):
            found += _body(abstract, ()) or _section("", [words(abstract)])
    return tuple(found)


def _body(part: Any, above: tuple[str, ...]) -> list[Section]:
    """Return the sections of a part: its own paragraphs under their headings, then those of its subsections."""
    if part is None:
        return []
    found: list[Section] = []
    own: list[str] = []
    label = " / ".join(above)
    for child in part:
        name = _name(child)
        if name == "sec":
            found += _section(label, own)
            own = []
            title = _words(child.find("{*}title"))
            found += _body(child, (*above, title) if title else above)
        elif name not in ("title", "label", *_UNREAD) and name:
            own.append(_read(child))
    return [*found, *_section(label, own)]


def _section(label: str, texts: list[str]) -> list[Section]:
    text = "\n".join(text for text in texts if text)
    return [Section(label=label, text=text)] if text else []


def _read(element: Any) -> str:
    """Return the text of a paragraph without its tables, pictures and TeX formulas."""
    for inner in [inner for inner in element.iter() if _name(inner) in _UNREAD and inner is not element]:
        before, parent = inner.getprevious(), inner.getparent()
        if before is not None:
            before.tail = (before.tail or "") + " " + (inner.tail or "")
        else:
            parent.text = (parent.text or "") + " " + (inner.tail or "")
        parent.remove(inner)
    return words(element)


def _authors(meta: Any) -> tuple[str, ...]:
    found = []
    for contributor in meta.iterfind("{*}contrib-group/{*}contrib"):
        if contributor.get("contrib-type", "author") != "author":
            continue
        name = contributor.find("{*}name")
        if name is None:
            name = contributor.find("{*}name-alternatives/{*}name")
        if name is not None:
            parts = (
                _words(name.find("{*}surname")),
                _words(name.find("{*}given-names")),
                _words(name.find("{*}suffix")),
            )
            found.append(" ".join(part for part in parts if part))
        else:
            collective = contributor.find("{*}collab")
            found.append(_words(collective if collective is not None else contributor.find("{*}string-name")))
    return tuple(name for name in found if name)


def _date(meta: Any) -> str:
    dates = {one.get("date-type") or one.get("pub-type") or "": one for one in meta.iterfind("{*}pub-date")}
    for kind in (*_DATES, *dates):
        date = dates.get(kind)
        parts = [] if date is None else [_words(date.find(f"{{*}}{name}")) for name in ("year", "month", "day")]
        if parts and re.fullmatch(r"\d{4}", parts[0]):
            text = parts[0]
            for part, most in ((parts[1], 12), (parts[2], 31)):
                if not (part.isdigit() and 1 <= int(part) <= most):
                    break
                text += f"-{int(part):02}"
            return text
    return ""


def _pages(meta: Any) -> str:
    first, last = (_words(meta.find(f"{{*}}{name}")) for name in ("fpage", "lpage"))
    return "-".join(dict.fromkeys(part for part in (first, last) if part)) or _words(meta.find("{*}elocation-id"))


def _mesh(meta: Any) -> tuple[str, ...]:
    groups = [group for group in meta.iterfind("{*}kwd-group") if "mesh" in (group.get("kwd-group-type") or "").lower()]
    return tuple(dict.fromkeys(words(one) for group in groups for one in group.iterfind("{*}kwd") if words(one)))


def _licence(meta: Any) -> str:
    licence = meta.find("{*}permissions/{*}license")
    if licence is None:
        return _words(meta.find("{*}permissions/{*}copyright-statement"))
    reference = next((one for one in licence.iter("{*}license_ref")), None)
    return _words(reference) or licence.get(_HREF, "") or words(licence)


def _words(element: Any) -> str:
    return "" if element is None else words(element)


def _name(element: Any) -> str:
    """Return the local name of an element; empty for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
