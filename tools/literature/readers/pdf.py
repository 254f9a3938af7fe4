"""A PDF as one document, a section a page, by pypdf.

Its title and authors are those that the file states; its DOI is the one that it states, or the only one that its first
page shows outside of references. A supplement shows its paper's DOI, too, so that a file is named by its content.
Nothing in a file says for certain when a paper was published, so that this stays unknown.
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

MOST_PAGES = 2_000
"""Pages that are read; our choice: more than most textbooks have."""
LEAST_LETTERS = 20
"""Letters below which a file counts as one of pictures; our choice."""
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>{}|]+[^\s\"<>{}|.,;:)\]]")
_REFERENCES = re.compile(r"(?im)^\W*(?:references|bibliography|literature cited)\W*$")
_CITED = re.compile(r"(?im)^\s*(?:\[\d+\]|\d{1,3}[.)])\s|\bet al\b|\b(?:see|cf|in response to|reply to|comment on)\b")
"""What stands before a DOI that is another paper's, in its line or the one above; our choice."""
_NOBODY = re.compile(r"(?i)\W*(?:anonymous|unknown|unspecified|author|user|admin(?:istrator)?|owner|none|n/?a)?\W*")
"""What programs write where nobody told them an author."""
_DASH_AT_END = re.compile(r"(?<=[a-z])-\n(?=[a-z])")


def read_pdf(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read the text of a PDF; one that is locked, broken or only of pictures is given as `Bad`."""
    pypdf = require("pypdf", extra="literature")

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns about each small fault of a file
    try:
        reader = pypdf.PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            yield Bad("the file", "it is locked with a password", remedy="Save a copy without one, and index that.",
                      rest=True)  # fmt: skip
            return
        pages = [_text(page) for _, page in zip(range(MOST_PAGES), reader.pages, strict=False)]
        about = {name: _unicode(str(value)) for name, value in (reader.metadata or {}).items()}
        left_out = len(reader.pages) - len(pages)
    except Exception as error:  # noqa: BLE001 - a broken PDF makes pypdf raise almost anything
        yield Bad("the file", f"it is no PDF that can be read: {type(error).__name__}: {error}", rest=True,
                  remedy="Open it in a viewer and save it anew, or get it again.")  # fmt: skip
        return
    if sum(letter.isalpha() for page in pages for letter in page) < LEAST_LETTERS:
        yield Bad("the file", "it holds pictures of text, but no text", rest=True,
                  remedy="Have its text recognised, for example by `ocrmypdf IN OUT`, and index that.")  # fmt: skip
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
        yield Bad(f"page {MOST_PAGES + 1} and on", f"{left_out} pages are too many to be read", id=made.id,
                  remedy="Split the file.")  # fmt: skip


def _doi(about: dict[str, str], page: str) -> str:
    """The DOI of a paper, by what its file states or its first page shows; "" where that is not sure."""
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
