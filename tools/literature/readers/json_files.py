"""Readers of JSON: PubMedQA's form, lists of documents, and JSON Lines.

Files are read in pieces, so that memory does not grow with them. Field names of common forms are known: ours
(`tools.literature.types.Document`), BEIR's (`_id`, `title`, `text`), MedRAG's (`id`, `title`, `content`), CURE's
(`doc_id`, `abstract`, `pubtypes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from tools.literature.identifiers import normal_id
from tools.literature.readers.records import Bad, Read, Record, document, identifier, normal_names, sections, wrong

PIECE = 1 << 20
"""Characters read at once."""
LARGEST = 64 << 20
"""Maximum characters of a record: a book has a few million."""
CONCLUSION = "CONCLUSION"
"""Label of the section with PubMedQA's long answer."""
_KNOWN = ("pmid:", "pmcid:", "doi:", "epmc:", "local:")
_IDS = ("id", "_id", "doc_id")
_TEXTS = ("text", "abstract", "content", "contents")
_BLANKS = " \t\r\n\ufeff"
_HALF = "it contains an unpaired UTF-16 surrogate, such as '\\ud800'"
_ENCODING = "Save it as UTF-8, for example by `iconv -f LATIN1 -t UTF-8 IN > OUT`, and index that."


def read_json_lines(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read one JSON object per line; empty lines are skipped."""
    for number, line in enumerate(stream, start=1):
        place = f"line {number}"
        if not line.strip(b" \t\r\n\xef\xbb\xbf"):
            continue
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield Bad(place, f"it is not UTF-8: {error}", remedy=_ENCODING)
        except (ValueError, RecursionError) as error:
            yield Bad(place, f"it is not JSON: {error}")
        else:
            yield _document(path, place, value) if _is_text(value) else Bad(place, _HALF)


def read_json(path: Path, stream: IO[bytes]) -> Iterator[Record]:
    """Read an object with PubMed ids as keys and values in the form of PubMedQA, or a list of documents.

    The question of PubMedQA becomes the title, which it mostly is, and the long answer the conclusion. Measurements of
    retrieval by these questions must leave out both, or the question finds its own answer.
    """
    for number, (place, key, value) in enumerate(_entries(stream)):
        if isinstance(value, Bad):
            yield value
        elif not _is_text([key, value]):
            yield Bad(place.encode(errors="replace").decode(), _HALF)
        elif key is not None and number == 0 and not isinstance(value, dict):
            yield Bad("the file", f"its entries are not PubMedQA records: {key!r} is {value!r:.60}", rest=True,
                      remedy="Give PubMedQA's form, a list of documents, or JSON Lines.")  # fmt: skip
            return
        elif key is not None:
            yield _pubmedqa(path, key, value)
        else:
            yield _document(path, place, value)


def _pubmedqa(path: Path, key: str, value: Any) -> Record:
    id_ = f"pmid:{key}" if key.isdigit() else f"local:{key}"
    if not isinstance(value, dict) or "CONTEXTS" not in value:
        return Bad(id_, "it has no list of texts", "CONTEXTS", id=id_)
    texts, labels = value["CONTEXTS"], value.get("LABELS") or ()
    for field, held in (("CONTEXTS", texts), ("LABELS", labels)):
        if not isinstance(held, list | tuple) or not all(isinstance(text, str) for text in held):
            return Bad(id_, f"expected a list of texts, found {held!r:.60}", field, id=id_)
    for field in ("QUESTION", "LONG_ANSWER"):
        if not isinstance(value.get(field) or "", str):
            return Bad(id_, f"expected a text, found {value[field]!r:.60}", field, id=id_)
    fields = {
        "pmid": key if key.isdigit() else "",
        "own": key,
        "title": value.get("QUESTION") or "",
        "sections": (*sections(texts, labels), *sections([value.get("LONG_ANSWER") or ""], [CONCLUSION])),
        "mesh": value.get("MESHES") or (),
        "published": str(value.get("YEAR") or ""),
    }
    if not any(text.strip() for text in texts):
        return Bad(id_, "its texts are empty", "CONTEXTS", id=id_)
    try:
        return Read(document(path, **fields))
    except ValidationError as error:
        return wrong(id_, error, id_)


def _document(path: Path, place: str, value: Any) -> Record:
    """Convert an object in one of the forms of JSON Lines to a document."""
    if not isinstance(value, dict):
        return Bad(place, f"expected a JSON object, found {value!r:.60}")
    fields = {name: value[name] for name in _PLAIN if value.get(name) is not None}
    for name in ("pmid", "PMID", "pmcid", "PMCID", "doi", "DOI"):
        if value.get(name) is not None:
            fields[name.lower()] = str(value[name]).strip()
    if value.get("pubtypes") is not None:
        fields.setdefault("publication_types", value["pubtypes"])
    own = next((value[name] for name in _IDS if value.get(name) is not None), None)
    id_ = str(own).strip() if own is not None else ""
    if id_.casefold().startswith(_KNOWN):
        fields["id"] = id_ = normal_id(id_) or id_
        kind, _, name = id_.partition(":")
        if kind in ("pmid", "pmcid", "doi"):
            fields.setdefault(kind, name)
    else:
        fields["own"] = id_
        named = identifier(**normal_names(fields))
        id_ = named or (f"local:{id_}" if id_ else "")
    if "published" not in fields and value.get("year") is not None:
        fields["published"] = str(value["year"])
    if "sections" not in fields:
        texts = [value[name] for name in _TEXTS if value.get(name)]
        if not all(isinstance(text, str) for text in texts):
            return Bad(
                place, "it is not a text", _TEXTS[[bool(value.get(name)) for name in _TEXTS].index(True)], id=id_
            )
        fields["sections"] = sections(texts[:1])
    try:
        made = document(path, **fields)
    except ValidationError as error:
        return wrong(f"{place}{f', {id_}' if id_ else ''}", error, id_)
    if not made.title.strip() and not made.text.strip():
        return Bad(place, "it has neither a title nor a text", "title", id=id_)
    return Read(made, str(value.get("revised") or ""))


_PLAIN = (
    "title", "sections", "authors", "journal", "published", "mesh", "publication_types", "retracted", "language",
    "licence", "volume", "issue", "pages",
)  # fmt: skip


def _entries(stream: IO[bytes]) -> Iterator[tuple[str, str | None, Any]]:
    """Yield place, key (None in a list) and value of each entry of a file's object or list."""
    text = _Text(stream)
    try:
        opened = text.peek()
    except UnicodeDecodeError as error:
        yield "the start", None, _not_unicode("the start", error)
        return
    if opened not in ("{", "["):
        yield "the start", None, Bad("the start", f"a JSON object or list cannot begin with {opened!r}",
                                     rest=True)  # fmt: skip
        return
    text.take(1)
    number, last = 0, "the start"
    while True:
        try:
            if number == 0 and text.peek() in ("}", "]"):
                return
            key = None
            if opened == "{":
                key = text.value()
                text.expect(":")
            value = text.value()
            number += 1
            last = f"entry {number}" if key is None else f"entry {number}, {key!r}"
            yield last, key, value
            if text.peek() in ("}", "]"):
                return
            text.expect(",")
        except UnicodeDecodeError as error:
            yield last, None, _not_unicode(f"behind {last}", error)
            return
        except (ValueError, RecursionError) as error:
            yield last, None, Bad(f"behind {last}", f"the JSON is broken, and the rest is skipped: {error}", rest=True)
            return


def _not_unicode(place: str, error: UnicodeDecodeError) -> Bad:
    return Bad(place, f"it is not UTF-8, and the rest is skipped: {error}", remedy=_ENCODING, rest=True)


def _is_text(value: Any) -> bool:
    """Return whether a JSON value can be written as Unicode: `\\ud800` alone is an unpaired surrogate."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class _Text:
    """The text of a file, with only a window in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        import codecs

        self._stream, self._decode = stream, codecs.getincrementaldecoder("utf-8")().decode
        self._window, self._at, self._ended = "", 0, False
        self._json = json.JSONDecoder()

    def peek(self) -> str:
        """Return the next non-blank character; empty at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def take(self, count: int) -> None:
        self._at += count

    def expect(self, mark: str) -> None:
        found = self.peek()
        if found != mark:
            raise ValueError(f"expected {mark!r}, found {found!r}" if found else "the file ends")
        self.take(1)

    def value(self) -> Any:
        """Return the next value. Raises ValueError if there is none."""
        if not self.peek():
            raise ValueError("the file ends")
        tried = 0
        while True:
            try:
                value, end = self._json.raw_decode(self._window, self._at)
            except ValueError:
                held = len(self._window) - self._at
                # The text decoded again is at most as long as before, so that the total work stays linear.
                while len(self._window) - self._at < 2 * max(held, tried) and self._more():
                    pass
                if len(self._window) - self._at == held or held > LARGEST:
                    raise
                tried = held
                continue
            if end < len(self._window) or self._ended or not self._more():  # a number may continue in the next piece
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, and drop what was consumed; False at the end."""
        if self._ended:
            return False
        piece = self._stream.read(PIECE)
        self._ended = not piece
        self._window = self._window[self._at :] + self._decode(piece, self._ended)
        self._at = 0
        return True
