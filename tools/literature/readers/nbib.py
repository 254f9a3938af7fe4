"""Reader of MEDLINE's tagged format, PubMed's download of citations (`.nbib`).

A tag of up to four letters, a hyphen in the fifth column and a value; lines that begin with blanks continue the value
above. Empty lines separate records. The tags are from NLM's description of MEDLINE/PubMed data elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from tools.literature.readers.medline import month_of
from tools.literature.readers.records import Bad, Read, Record, document, sections, wrong
from tools.literature.types import Section

_LINE = re.compile(r"^(?P<tag>[A-Z][A-Z0-9]{1,3}) *- ?(?P<value>.*)$")
_LABEL = re.compile(r"(?:^|(?<=[.?!)] ))([A-Z][A-Z &/,-]{3,60}): ")


def read_nbib(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read the records of a file, in order."""
    fields: dict[str, list[str]] = {}
    tag, number = "", 0
    for line in chain(_lines(stream), [""]):
        if isinstance(line, Bad):
            yield line
            continue
        found = _LINE.match(line)
        if fields and (not line.strip() or (found and found["tag"] == "PMID" and "PMID" in fields)):
            number += 1
            yield _read(path, fields, number)
            fields = {}
        if found:
            tag = found["tag"]
            fields.setdefault(tag, []).append(found["value"].strip())
        elif line.startswith(" ") and tag in fields:
            fields[tag][-1] = f"{fields[tag][-1]} {line.strip()}"
    if not number:
        yield Bad("the file", "it has no record in MEDLINE's tagged format", rest=True,
                  remedy="Save citations from PubMed in the format PubMed or PMID's .nbib.")  # fmt: skip


def _lines(stream: IO[bytes]) -> Iterator[str | Bad]:
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield Bad(f"line {number}", f"it is not UTF-8, and the rest is skipped: {error}", rest=True)
            return


def _read(path: Path, fields: dict[str, list[str]], number: int) -> Record:
    def first(*tags: str) -> str:
        return next((values[0] for tag in tags if (values := fields.get(tag)) and values[0]), "")

    pmid = first("PMID")
    place = f"record {number}{f', pmid:{pmid}' if pmid else ''}"
    if not pmid.isdigit():
        return Bad(place, f"expected a PubMed id, found {pmid!r:.60}", "PMID")
    ids = [value for tag in ("LID", "AID") for value in fields.get(tag, ()) if value.endswith("[doi]")]
    kinds = tuple(dict.fromkeys(fields.get("PT", ())))
    mesh = dict.fromkeys(heading.split("/")[0].lstrip("*") for heading in fields.get("MH", ()))
    revised = re.match(r"(\d{4})(\d\d)(\d\d)", first("LR"))
    try:
        made = document(
            path,
            pmid=pmid,
            pmcid=first("PMC"),
            doi=ids[0].removesuffix("[doi]").strip() if ids else "",
            title=first("TI", "TT", "BTI"),
            sections=_abstract(first("AB")),
            authors=tuple(name.replace(", ", " ") for name in fields.get("FAU") or fields.get("AU") or ()),
            journal=first("JT", "TA"),
            published=_date(first("DP")),
            volume=first("VI"),
            issue=first("IP"),
            pages=first("PG"),
            mesh=tuple(mesh),
            publication_types=kinds,
            retracted="Retracted Publication" in kinds or "RIN" in fields,
            language=first("LA"),
            licence=first("CI"),
        )
    except ValidationError as error:
        return wrong(place, error, f"pmid:{pmid}")
    return Read(made, "-".join(revised.groups()) if revised else "")


def _abstract(text: str) -> tuple[Section, ...]:
    """Split the abstract by its headings, in capitals before a colon."""
    parts = _LABEL.split(text)
    return sections(parts[0::2], ["", *parts[1::2]])


def _date(text: str) -> str:
    """Convert `2020 Mar 5` to an ISO date, as far as it is known."""
    found = re.match(r"(?P<year>\d{4})(?: (?P<month>[A-Za-z]{3}))?(?: (?P<day>\d{1,2})\b)?", text)
    if not found:
        return ""
    month = month_of(found["month"] or "")
    month_date = found["year"] + (f"-{month:02}" if month else "")
    return f"{month_date}-{int(found['day']):02}" if month and found["day"] else month_date
