"""Removal of documents from a corpus: `meant` selects them, `forget` removes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.literature.identifiers import normal_id
from tools.literature.index.corpus import Corpus
from tools.literature.index.database import RETIRED
from tools.literature.index.ingest import Work


@dataclass(frozen=True, slots=True)
class Meant:
    """The documents to forget.

    Attributes:
        files: paths of indexed files, whether they still exist or not.
        ids: ids of documents.
        documents: number of documents of both.
        unknown: names that match neither.
    """

    files: tuple[str, ...]
    ids: tuple[str, ...]
    documents: int
    unknown: tuple[str, ...]


def meant(corpus: Corpus, names: Sequence[str]) -> Meant:
    """Select the documents of a corpus by paths of files or folders, or by ids."""
    indexed = [path for (path,) in corpus.database.read("SELECT path FROM files ORDER BY path")]
    files: dict[str, None] = {}
    ids: dict[str, None] = {}
    unknown = []
    for name in names:
        place = Path(name).expanduser().resolve()
        under = [path for path in indexed if Path(path).is_relative_to(place)]
        files |= dict.fromkeys(under)
        found = [] if under else corpus.fetch([normal_id(name) or name]).hits
        ids |= dict.fromkeys(hit.document.id for hit in found)
        if not under and not found:
            unknown.append(name)
    rows = corpus.database.read_any(
        f"SELECT d.id FROM documents d JOIN files USING (file_id) WHERE path IN ({{ids}}) AND d.state != {RETIRED}",
        tuple(files),
    )
    return Meant(tuple(files), tuple(ids), len({id_ for (id_,) in rows} | ids.keys()), tuple(unknown))


def forget(corpus: Corpus, what: Meant) -> int:
    """Forget documents, and return the number removed; a document that another file has, too, stays.

    Args:
        corpus: opened for writing.
        what: as returned by `meant`.

    Raises:
        StoreError: if the disk is full.
    """
    before = corpus.status().documents
    work = Work(corpus)
    for path in what.files:
        work.forget_file(path)
    for id_ in what.ids:
        work.forget_document(id_)
    work.commit()
    return before - corpus.status().documents
