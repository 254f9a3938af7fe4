"""Readers of XML, record by record: PubMed and MEDLINE with books and deletions, and JATS.

External resources are never fetched. A file that declares its own entities is refused, since these can exhaust memory;
HTML's entities, which JATS files use without declaring them, are converted to their letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from tools.extras import require
from tools.literature.readers.records import Bad, Read, Record, Withdrawn, place_of, wrong

_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation", "article")
_SETS = ("PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet", "pmc-articleset")


def read_xml(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read the records of a file of PubMed, MEDLINE or JATS XML."""
    etree = require("lxml.etree", extra="literature")

    from tools.literature.readers.medline import SAFE

    events = etree.iterparse(stream, events=("start", "end"), tag=[f"{{*}}{name}" for name in _RECORDS], **SAFE)
    last, count, checked = "the start", 0, False
    try:
        for event, element in events:
            if not checked:
                checked = True
                if names := _declared(element):
                    yield Bad("the start", f"it declares its own entities, such as {names[0]!r}", rest=True,
                              remedy="Get the file from its source again, or remove the declarations.")  # fmt: skip
                    return
            name = etree.QName(element).localname
            if event == "start" or _inside_another(element, name):
                continue
            for record in _records(path, element, name, count + 1):
                count += 1
                last = place_of(record)
                yield record
            _forget(element)
    except etree.XMLSyntaxError as error:
        if error.code in (etree.ErrorTypes.ERR_ENTITY_LOOP, etree.ErrorTypes.ERR_RESOURCE_LIMIT):
            yield Bad(f"behind {last}", f"its entities are too large, and the rest is skipped: {error}", rest=True,
                      remedy="Get the file from its source again, or remove the declarations.")  # fmt: skip
            return
        yield Bad(f"behind {last}", f"the XML is broken, and the rest is skipped: {error}", rest=True,
                  remedy="Get the file again, and index it again.")  # fmt: skip
        return
    root = getattr(events, "root", None)
    held = "nothing" if root is None else etree.QName(root).localname
    if not checked and held not in _SETS:
        yield Bad("the file", f"it contains {held!r}, and no record of PubMed, MEDLINE or JATS",
                  remedy="Give files of PubMed, MEDLINE or JATS XML.", rest=True)  # fmt: skip


def _records(path: Path, element: Any, name: str, number: int) -> list[Record]:
    etree = require("lxml.etree", extra="literature")

    from tools.literature.readers.jats import read_jats
    from tools.literature.readers.medline import ArticleError, read_article

    if name == "DeleteCitation":
        return [Withdrawn(f"pmid:{pmid.text.strip().lstrip('0')}") for pmid in element.iter("PMID") if pmid.text]
    place = f"record {number}"
    try:
        if name == "article":
            return [Read(read_jats(element, path.name))]
        if name == "MedlineCitation":
            holder = etree.Element("PubmedArticle")
            holder.append(element)
            element = holder
        return [Read(read_article(element, path.name), _revised(element))]
    except ArticleError as error:
        pmid = element.findtext(".//PMID") or ""
        id_ = f"pmid:{pmid.strip().lstrip('0')}" if pmid.strip().isdigit() else ""
        return [Bad(f"{place}, {id_}" if id_ else place, str(error.problem), error.field, id=id_)]
    except ValidationError as error:
        return [wrong(place, error)]


def _inside_another(element: Any, name: str) -> bool:
    """Return whether an element is only a part of a record that is read as a whole."""
    etree = require("lxml.etree", extra="literature")

    if name not in ("MedlineCitation", "article"):
        return False
    return any(etree.QName(above).localname in ("PubmedArticle", "article", "response", "sub-article")
               for above in element.iterancestors())  # fmt: skip


def _declared(element: Any) -> list[str]:
    dtd = element.getroottree().docinfo.internalDTD
    return [] if dtd is None else [entity.name for entity in dtd.iterentities()]


def _revised(element: Any) -> str:
    date = element.find("MedlineCitation/DateRevised")
    if date is None:
        date = element.find("BookDocument/DateRevised")
    if date is None:
        return ""
    parts = [(date.findtext(name) or "").strip().zfill(2) for name in ("Year", "Month", "Day")]
    return "-".join(part for part in parts if part.isdigit() and part != "00")


def _forget(element: Any) -> None:
    """Free a processed record, and everything before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
