"""Reader of a PDF as one document, one section per page, by pypdf.

Title and authors are those in the file's metadata; the DOI is that of the metadata, or the only one on the first page
outside of references. A supplement also shows its paper's DOI, so the document's id is its content's. Nothing in a file
reliably gives the date of publication, so it stays unknown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.extras import require
from tools.literature.readers.records import Bad, Read, Record, document
from tools.literature.types import Section

MAX_PAGES = 2_000
"""Maximum pages read: more than most textbooks have."""
MIN_LETTERS = 20
"""Minimum letters of a file that does not count as scanned."""
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>{}|]+[^\s\"<>{}|.,;:)\]]")
_REFERENCES = re.compile(r"(?im)^\W*(?:references|bibliography|literature cited)\W*$")
_CITED = re.compile(r"(?im)^\s*(?:\[\d+\]|\d{1,3}[.)])\s|\bet al\b|\b(?:see|cf|in response to|reply to|comment on)\b")
"""Text before a DOI of another paper, on its line or the one above; our choice."""
_NOBODY = re.compile(r"(?i)\W*(?:anonymous|unknown|unspecified|author|user|admin(?:istrator)?|owner|none|n/?a)?\W*")
"""Placeholders that programs write for an unknown author."""
_DASH_AT_END = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


def read_pdf(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read the text of a PDF; a locked, broken or scanned one is yielded as `Bad`."""
    pypdf = require("pypdf", extra="literature")

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns about each small fault of a file
    try:
        reader = pypdf.PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            yield Bad("the file", "it needs a password", remedy="Save a copy without one, and index that.",
                      rest=True)  # fmt: skip
            return
        pages = [_text(page) for _, page in zip(range(MAX_PAGES), reader.pages, strict=False)]
        about = {name: _unicode(str(value)) for name, value in (reader.metadata or {}).items()}
        left_out = len(reader.pages) - len(pages)
    except Exception as error:  # noqa: BLE001 - a broken PDF makes pypdf raise almost anything
        yield Bad("the file", f"cannot read it as a PDF: {type(error).__name__}: {error}", rest=True,
                  remedy="Open it in a viewer and save it again, or download it again.")  # fmt: skip
        return
    if sum(letter.isalpha() for page in pages for letter in page) < MIN_LETTERS:
        yield Bad("the file", "it has pictures of text, but no text", rest=True,
                  remedy="Recognise its text, for example by `ocrmypdf IN OUT`, and index that.")  # fmt: skip
        return
    made = document(
        path,
        title=about.get("/Title") or _first_line(pages),
        authors=tuple(
            name.strip()
            for name in re.split(r";|,| and ", about.get("/Author", ""))
            if name.strip() and not _NOBODY.fullmatch(name.strip())
        ),
        sections=tuple(Section(label=f"page {number}", text=text) for number, text in enumerate(pages, 1) if text),
    )
    yield Read(made.model_copy(update={"doi": _doi(about, pages[0])}))
    if left_out:
        yield Bad(f"page {MAX_PAGES + 1} and on", f"{left_out} pages exceed the limit", id=made.id,
                  remedy="Split the file.")  # fmt: skip


def _doi(about: dict[str, str], page: str) -> str:
    """Return the DOI of a paper from its metadata or its first page; "" if uncertain."""
    stated = {name: found[0] for name, value in about.items() if (found := _DOI.search(value))}
    if stated:
        return next((value for name, value in stated.items() if "doi" in name.casefold()), next(iter(stated.values())))
    shown = list(_DOI.finditer(page))
    if len({one[0].casefold() for one in shown}) != 1:
        return ""
    before = page[: shown[0].start()]
    near = "\n".join(before.split("\n")[-2:])
    return "" if _REFERENCES.search(before) or _CITED.search(near) else shown[0][0]


def _text(page: Any) -> str:
    text = _DASH_AT_END.sub("", page.extract_text() or "")
    return _unicode(text)


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "").strip()


def _first_line(pages: list[str]) -> str:
    return next((" ".join(line.split())[:200] for page in pages for line in page.splitlines() if line.strip()), "")
