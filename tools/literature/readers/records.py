"""Records yielded by readers: a document, its withdrawal, or why it cannot be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.errors import AttendError
from tools.literature.identifiers import normal
from tools.literature.types import Document, Section

OWN_HASH = 8
"""Letters of the content's hash after a file's own id of a document, as in `local:MED-10-0123abcd`."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document, and the date of its last revision by the source: an ISO date, or empty if unknown."""

    document: Document
    revised: str = ""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The id of a document that its source deleted."""

    id: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used.

    Attributes:
        record: its description: an id, a line, or the place after another one.
        reason: what is wrong.
        field: the invalid field, if any.
        remedy: what to do.
        id: the id of its document, if known: its earlier content is then kept.
        rest: whether everything after it is unreadable, too.
    """

    record: str
    reason: str
    field: str = ""
    remedy: str = "Repair or remove the record, and index the file again."
    id: str = ""
    rest: bool = False


Record = Read | Withdrawn | Bad


class ReadError(AttendError):
    """A file has an unknown format, or cannot be read at all."""

    def __init__(self, path: Path, problem: str, *, remedy: str) -> None:
        super().__init__(f"{str(path)!r}: {problem}", remedy=remedy)
        self.problem_only = problem


def document(source: Path, **fields: Any) -> Document:
    """Make a document; without an `id`, its id is derived from its identifiers or else its content.

    Args:
        source: the file.
        fields: of the document; identifiers in any usual spelling. `own`, the id in its file, is put before the
            content's hash: other files may use the same, so it does not identify a document by itself.

    Raises:
        ValidationError: if a field has the wrong type.
    """
    own = fields.pop("own", "")
    names = normal_names(fields)
    fields |= {name: value for name, value in names.items() if value or name in fields}
    id_ = fields.pop("id", "") or identifier(**names)
    made = Document(id=id_ or "local:", source=source.name, **fields)
    named = f"{own}-{_content(made)[:OWN_HASH]}" if own else _content(made)
    return made if id_ else made.model_copy(update={"id": f"local:{named}"})


def identifier(pmid: str = "", pmcid: str = "", doi: str = "") -> str:
    """Return the id of a document with some of these; empty if it has none."""
    if pmid:
        return f"pmid:{pmid}"
    if pmcid:
        return f"pmcid:{pmcid}"
    return f"doi:{doi.lower()}" if doi else ""


def normal_names(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the identifiers among some fields, normalised (see `tools.literature.identifiers`)."""
    return {kind: normal(kind, fields.get(kind) or "") for kind in ("pmid", "pmcid", "doi")}


def place_of(record: Record) -> str:
    """Describe a record, such as by its id, as the place after which a file breaks."""
    if isinstance(record, Read):
        return record.document.id
    return record.id if isinstance(record, Withdrawn) else record.record


def wrong(record: str, error: ValidationError, id_: str = "") -> Bad:
    """Convert the first validation error of a document's fields."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return Bad(record, f"{first['msg']}; it is {first.get('input')!r:.80}", field, id=id_)


def sections(texts: Sequence[str], labels: Sequence[str] = ()) -> tuple[Section, ...]:
    """Make sections of texts and their labels, without empty ones."""
    padded = [*labels, *[""] * (len(texts) - len(labels))]
    return tuple(Section(label=label, text=text.strip()) for label, text in zip(padded, texts, strict=False)
                 if text.strip())  # fmt: skip


def _content(made: Document) -> str:
    content = [made.title, [[section.label, section.text] for section in made.sections]]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]
