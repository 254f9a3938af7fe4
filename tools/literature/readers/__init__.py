"""Readers of literature files: each yields the records of one file, one at a time.

Formats, recognised by a file's name and its first element, each also compressed with gzip (`.gz`):

        .jsonl, .ndjson     one document per line (`json_files`)
        .json               PubMedQA's form, or a list of documents (`json_files`)
        .xml, .nxml         PubMed and MEDLINE with books (`medline`), or JATS (`jats`), by `xml_files`
        .nbib, .medline     PubMed's download of citations, in MEDLINE's tagged format (`nbib`)
        .pdf                one document, one section per page (`pdf`)
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tools.literature.readers.json_files import read_json, read_json_lines
from tools.literature.readers.nbib import read_nbib
from tools.literature.readers.pdf import read_pdf
from tools.literature.readers.records import Bad, Read, ReadError, Record, Withdrawn, place_of
from tools.literature.readers.xml_files import read_xml

__all__ = ["Bad", "Read", "ReadError", "Record", "Withdrawn", "literature_files", "read_file"]

_Reader = Callable[[Path, IO[bytes]], Iterator[Record]]


def literature_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the readable files of a folder and its subfolders, and the others; both sorted. Hidden ones are skipped.

    Raises:
        ReadError: if the path does not exist, or is a single file of an unknown format.
    """
    if path.is_file():
        if _reader(path) is None:
            raise ReadError(path, f"unknown format *{path.suffix}.", remedy=_FORMATS)
        return [path], []
    if not path.is_dir():
        raise ReadError(
            path,
            "it does not exist.",
            remedy=f"Check the path; if it is gone for good, `attend literature forget {path}` removes its documents.",
        )
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    known = [file for file in files if _reader(file) is not None]
    return known, [file for file in files if _reader(file) is None]


def read_file(path: Path) -> Iterator[Record]:
    """Yield the records of a file, in order; broken ones are yielded as `Bad`, and nothing else is lost.

    Raises:
        ReadError: if the file has an unknown format, or cannot be opened.
    """
    reader = _reader(path)
    if reader is None:
        raise ReadError(path, f"unknown format *{path.suffix}.", remedy=_FORMATS)
    last = "the start"
    try:
        with _opened(path) as stream:
            for record in reader(path, stream):
                last = place_of(record)
                yield record
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield Bad(f"behind {last}", f"the compressed file is broken or truncated: {error}", rest=True,
                  remedy="Get the file again, and index it again.")  # fmt: skip
    except OSError as error:
        raise ReadError(path, f"cannot read it: {error}.", remedy="Check the disk and its permissions.") from error


_FORMATS = "Give .json, .jsonl, .ndjson, .xml, .nxml, .nbib, .medline or .pdf, each optionally as .gz."


def _reader(path: Path) -> _Reader | None:
    name = path.name.lower().removesuffix(".gz")
    for ending, reader in _READERS.items():
        if name.endswith(ending):
            return reader
    return None


_READERS: dict[str, _Reader] = {
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".xml": read_xml,
    ".nxml": read_xml,
    ".nbib": read_nbib,
    ".medline": read_nbib,
    ".pdf": read_pdf,
}


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    else:
        with path.open("rb") as stream:
            yield stream
