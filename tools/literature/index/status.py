"""What a corpus holds, from where, and what could not be used; and what an indexing does, and has done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

MOST_PROBLEMS = 1_000
"""Records that could not be used of which is told what is wrong; our choice: of more, a file's format is wrong."""


class FileStatus(BaseModel):
    """A file that was indexed.

    Attributes:
        path: where it was.
        state: `done`; `cut` where its rest could not be read; `reading` where that was not finished.
        documents: those that it holds, with those of which another file holds newer content.
        problems: records that could not be used.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    state: str
    documents: int
    problems: int


class BadRecord(BaseModel):
    """A record that could not be used: in which file, which one, what is wrong with it, and what to do."""

    model_config = ConfigDict(frozen=True)

    file: str
    record: str
    field: str = ""
    reason: str
    remedy: str = ""


class Duplicate(BaseModel):
    """A document that several files hold with different content, and the file whose content counts, the newest."""

    model_config = ConfigDict(frozen=True)

    id: str
    shown: str
    files: tuple[str, ...]


class Status(BaseModel):
    """What a corpus holds.

    Attributes:
        folder: where it lies.
        documents: how many can be found.
        retracted: of these, how many were retracted.
        embedded: of these, how many can be found by meaning.
        model: the embedder's name, if it is known.
        waiting: rows that the index of words does not have yet, or should not have any more.
        rule: how texts are cut into words.
        files: those that were indexed, by path.
        problems: the first `MOST_PROBLEMS` records that could not be used; `files` has how many there are.
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
    """What an indexing did.

    Attributes:
        read, unchanged, vanished: files that were read, that were as before, and whose documents were removed because
            they are no longer there.
        ignored: files of a folder whose format is not known.
        added, replaced, removed, kept: documents of the files that were read. Those that were kept are as before.
        embedded: documents that can be found by meaning from now on.
        bad: how many records of the files that were read could not be used.
        problems: the first `MOST_PROBLEMS` of these.
        seconds: how long it took.
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
    """How far an indexing is.

    Attributes:
        doing: `reading` or `embedding`.
        file: which file is read; None while embedding.
        done, total: files that are dealt with, or documents that are embedded, and of how many.
        documents: records that were taken so far.
    """

    doing: str
    file: Path | None
    done: int
    total: int
    documents: int
