"""What a reader gives for each record of a file: a document, its withdrawal, or why it cannot be used."""

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
"""Letters of the content's hash behind what a file calls a document, as in `local:MED-10-0123abcd`; our choice."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document, and when its source last changed it: an ISO date, or empty if unknown."""

    document: Document
    revised: str = ""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The id of a document that its source has deleted."""

    id: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that cannot be used.

    Attributes:
        record: which one, in words: an id, a line, or the place behind another one.
        reason: what is wrong with it.
        field: the field that is wrong, if one is.
        remedy: what to do.
        id: the id of its document, if that could be read: what is known of it from before is then kept.
        rest: whether nothing behind it could be read either.
    """

    record: str
    reason: str
    field: str = ""
    remedy: str = "Mend or remove the record, and index the file again."
    id: str = ""
    rest: bool = False


Record = Read | Withdrawn | Bad


class ReadError(AttendError):
    """A file is of no known format, or cannot be read at all."""

    def __init__(self, path: Path, problem: str, *, remedy: str) -> None:
        super().__init__(f"{str(path)!r}: {problem}", remedy=remedy)
        self.problem_only = problem


def document(source: Path, **fields: Any) -> Document:
    """Make a document; without an `id`, it is named after its identifiers or else its content.

    Args:
        source: the file.
        fields: of the document; identifiers may be written in any usual way. `own`, what a file calls it, goes before
            the content's hash: other files may call theirs the same, so that it tells no document by itself.

    Raises:
        ValidationError: if a field is of the wrong type.
    """
    own = fields.pop("own", "")
    names = normal_names(fields)
    fields |= {name: value for name, value in names.items() if value or name in fields}
    id_ = fields.pop("id", "") or identifier(**names)
    made = Document(id=id_ or "local:", source=source.name, **fields)
    named = f"{own}-{_content(made)[:OWN_HASH]}" if own else _content(made)
    return made if id_ else made.model_copy(update={"id": f"local:{named}"})


def identifier(pmid: str = "", pmcid: str = "", doi: str = "") -> str:
    """The id of a document that has some of these; empty where it has none."""
    if pmid:
        return f"pmid:{pmid}"
    if pmcid:
        return f"pmcid:{pmcid}"
    return f"doi:{doi.lower()}" if doi else ""


def normal_names(fields: Mapping[str, Any]) -> dict[str, str]:
    """The identifiers among some fields, each in its one spelling (see `tools.literature.identifiers`)."""
    return {kind: normal(kind, fields.get(kind) or "") for kind in ("pmid", "pmcid", "doi")}


def place_of(record: Record) -> str:
    """A record in words, such as its id, to tell where a file breaks behind it."""
    if isinstance(record, Read):
        return record.document.id
    return record.id if isinstance(record, Withdrawn) else record.record


def wrong(record: str, error: ValidationError, id_: str = "") -> Bad:
    """What the first error of a document's fields comes to."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return Bad(record, f"{first['msg']}; it is {first.get('input')!r:.80}", field, id=id_)


def sections(texts: Sequence[str], labels: Sequence[str] = ()) -> tuple[Section, ...]:
    """Sections of texts and their labels, without empty ones."""
    padded = [*labels, *[""] * (len(texts) - len(labels))]
    return tuple(Section(label=label, text=text.strip()) for label, text in zip(padded, texts, strict=False)
                 if text.strip())  # fmt: skip


def _content(made: Document) -> str:
    told = [made.title, [[section.label, section.text] for section in made.sections]]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:16]
