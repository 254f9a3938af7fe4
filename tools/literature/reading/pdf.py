"""A PDF as one document, a section a page, by pypdf.

Its title and authors are those that the file states; its DOI is the one that the first page shows. Nothing in a file
says for certain when a paper was published, so that this stays unknown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.literature.reading.records import Bad, Read, Record, document
from tools.literature.types import Section

MOST_PAGES = 2_000
"""Pages that are read; our choice: more than most textbooks have."""
LEAST_LETTERS = 20
"""Letters below which a file counts as one of pictures; our choice."""
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>{}|]+[^\s\"<>{}|.,;:)\]]")
_DASH_AT_END = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


def read_pdf(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read the text of a PDF; one that is locked, broken or only of pictures is given as `Bad`."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns about each small fault of a file
    try:
        reader = PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            yield Bad("the file", "it is locked with a password", remedy="Save a copy without one, and index that.",
                      rest=True)  # fmt: skip
            return
        pages = [_text(page) for _, page in zip(range(MOST_PAGES), reader.pages, strict=False)]
        about = {name: str(value).strip() for name, value in (reader.metadata or {}).items()}
        left_out = len(reader.pages) - len(pages)
    except Exception as error:  # noqa: BLE001 - a broken PDF makes pypdf raise almost anything
        yield Bad("the file", f"it is no PDF that can be read: {type(error).__name__}: {error}", rest=True,
                  remedy="Open it in a viewer and save it anew, or get it again.")  # fmt: skip
        return
    if sum(letter.isalpha() for page in pages for letter in page) < LEAST_LETTERS:
        yield Bad("the file", "it holds pictures of text, but no text", rest=True,
                  remedy="Have its text recognised, for example by `ocrmypdf IN OUT`, and index that.")  # fmt: skip
        return
    doi = _DOI.search(pages[0])
    made = document(
        path,
        title=about.get("/Title") or _first_line(pages),
        authors=tuple(name.strip() for name in re.split(r";|,| and ", about.get("/Author", "")) if name.strip()),
        doi=doi[0] if doi else "",
        sections=tuple(Section(label=f"page {number}", text=text) for number, text in enumerate(pages, 1) if text),
    )
    yield Read(made)
    if left_out:
        yield Bad(f"page {MOST_PAGES + 1} and on", f"{left_out} pages are too many to be read", id=made.id,
                  remedy="Split the file.")  # fmt: skip


def _text(page: Any) -> str:
    text = _DASH_AT_END.sub("", page.extract_text() or "")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "").strip()


def _first_line(pages: list[str]) -> str:
    return next((" ".join(line.split())[:200] for page in pages for line in page.splitlines() if line.strip()), "")
