"""Status of a corpus, and progress and result of an indexing run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

MAX_PROBLEMS = 1_000
"""Maximum number of unusable records that are reported in detail: with more, a file's format is wrong."""


class FileStatus(BaseModel):
    """An indexed file.

    Attributes:
        path: its path.
        state: `done`; `cut` if its rest could not be read; `reading` if reading was not finished.
        documents: its documents, including those for which another file has newer content.
        problems: unusable records.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    state: str
    documents: int
    problems: int


class BadRecord(BaseModel):
    """An unusable record: its file, its description, what is wrong with it, and the remedy."""

    model_config = ConfigDict(frozen=True)

    file: str
    record: str
    field: str = ""
    reason: str
    remedy: str = ""


class Duplicate(BaseModel):
    """A document with different content in several files, and the file whose content counts, the newest."""

    model_config = ConfigDict(frozen=True)

    id: str
    shown: str
    files: tuple[str, ...]


class Status(BaseModel):
    """The contents of a corpus.

    Attributes:
        folder: its folder.
        documents: number of searchable documents.
        retracted: number of these that were retracted.
        embedded: number of these that are searchable by meaning.
        model: the embedder's name, if known.
        waiting: rows still to be added to, or removed from, the lexical index.
        rule: tokenisation.
        files: indexed files, by path.
        problems: the first `MAX_PROBLEMS` unusable records; `files` has their numbers.
        duplicates: documents that files disagree about.
    """

    model_config = ConfigDict(frozen=True)

    folder: str
    documents: int
    retracted: int
    embedded: int
    model: str
    waiting: int
    rule: str
    files: tuple[FileStatus, ...]
    problems: tuple[BadRecord, ...]
    duplicates: tuple[Duplicate, ...]


class Indexed(BaseModel):
    """The result of an indexing run.

    Attributes:
        read, unchanged, vanished: files that were read, files without changes, and files whose documents were removed
            because they no longer exist.
        ignored: files of a folder with an unknown format.
        added, replaced, removed, kept: documents of the files that were read. Those that were kept are unchanged.
        embedded: documents newly searchable by meaning.
        bad: number of unusable records in the files that were read.
        problems: the first `MAX_PROBLEMS` of these.
        seconds: duration.
    """

    model_config = ConfigDict(frozen=True)

    read: int = 0
    unchanged: int = 0
    vanished: int = 0
    ignored: tuple[str, ...] = ()
    added: int = 0
    replaced: int = 0
    removed: int = 0
    kept: int = 0
    embedded: int = 0
    bad: int = 0
    problems: tuple[BadRecord, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an indexing run.

    Attributes:
        doing: `reading` or `embedding`.
        file: the current file; None while embedding.
        done, total: processed files, or embedded documents, and their total.
        documents: records processed so far.
    """

    doing: str
    file: Path | None
    done: int
    total: int
    documents: int
