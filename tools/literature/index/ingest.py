"""Indexing of files in a corpus: `index_path` reads what is new or changed, and resumes after a kill; `embed_missing`
computes missing vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from time import monotonic

import numpy as np

from tools.errors import StoreError
from tools.literature.index.corpus import Corpus
from tools.literature.index.database import BEHIND, LIVE, RETIRED, WITHDRAWN
from tools.literature.index.status import MAX_PROBLEMS, BadRecord, Indexed, Progress
from tools.literature.index.vectors import Embed, parts
from tools.literature.readers import Bad, Read, ReadError, Record, Withdrawn, literature_files, read_file
from tools.literature.readers.records import OWN_HASH
from tools.literature.types import Document

BATCH = 500
"""Records per transaction."""
BATCH_CHARACTERS = 8_000_000
"""Characters after which a transaction ends earlier, so that memory stays small."""
COMMIT_EVERY = 20_000
"""Changes of the lexical index between commits: a commit costs as much as indexing several thousand."""
EMBED_BATCH = 32
"""Documents embedded at once: about two seconds of one core with MiniLM, which a kill may lose."""


@dataclass(slots=True)
class _Counts:
    read: int = 0
    unchanged: int = 0
    vanished: int = 0
    added: int = 0
    replaced: int = 0
    removed: int = 0
    kept: int = 0
    bad: int = 0
    problems: list[BadRecord] = field(default_factory=list)


def index_path(
    corpus: Corpus,
    path: Path,
    *,
    embed: Embed | None = None,
    progress: Callable[[Progress], None] | None = None,
    model: str = "",
) -> Indexed:
    """Index a file, or all files of a folder and its subfolders, and return what was done.

    A file with unchanged content is not read again. Of a changed file, unchanged records are kept, others replaced, and
    those no longer in it removed; so are those of files no longer in a folder. If the rest of a file is unreadable, its
    earlier records are kept. Of several contents of one document the newest counts: the one with the later date of
    revision, then the one that came in last; files are read in the order of their names. Everything done before a kill
    is kept, and not repeated.

    Args:
        corpus: opened for writing.
        path: a file or folder.
        embed: texts to unit vectors (N, D), float32, for search by meaning; None: search by words only.
        progress: called often with the progress.
        model: the embedder's name; documents embedded by another one are embedded again.

    Raises:
        ReadError: if the path does not exist, or is a file of an unknown format.
        StoreError: if the corpus is not open for writing, the disk is full, or the embedder returns the wrong shape.
    """
    _need_writer(corpus)
    began = monotonic()
    path = path.resolve()
    files, ignored = literature_files(path)
    corpus.mend()  # an earlier call may have been interrupted
    work = Work(corpus)
    for number, file in enumerate(files):
        report = _reporter(progress, file, number, len(files))
        work.file(file, report)
    if path.is_dir():
        work.vanished(path, files)
    work.commit()
    embedded = embed_missing(corpus, embed, model, progress) if embed else 0
    counts = work.counts
    return Indexed(
        read=counts.read,
        unchanged=counts.unchanged,
        vanished=counts.vanished,
        ignored=tuple(str(file) for file in ignored),
        added=counts.added,
        replaced=counts.replaced,
        removed=counts.removed,
        kept=counts.kept,
        embedded=embedded,
        bad=counts.bad,
        problems=tuple(counts.problems),
        seconds=monotonic() - began,
    )


class Work:
    """One indexing run: transactions on the database, each followed by its changes of the lexical index."""

    def __init__(self, corpus: Corpus) -> None:
        self.counts = _Counts()
        self._corpus, self._database = corpus, corpus.database
        self._leave: list[int] = []
        self._enter: dict[int, Document | None] = {}  # None: to be read from the database
        self._uncommitted = 0

    def file(self, path: Path, report: Callable[[int], None]) -> None:
        """Index a file, unless its content is unchanged."""
        rows = self._database.read("SELECT sha256, state, pass FROM files WHERE path = ?", (str(path),))
        turn = rows[0][2] + 1 if rows else 1
        try:
            before, sha256 = path.stat(), _sha256(path)
        except OSError as error:  # its earlier records are kept
            bad = Bad("the file", f"cannot read it: {error}", remedy="Check the disk and its permissions.", rest=True)
            self._take(path, self._begin(path, "", turn), turn, [bad])
            return
        if rows and rows[0][0] == sha256 and rows[0][1] != "reading":
            self.counts.unchanged += 1
            return
        file_id = self._begin(path, sha256, turn)
        self.counts.read += 1
        state, number = "done", 0
        try:
            for batch in _batches(read_file(path)):
                self._take(path, file_id, turn, batch)
                number += len(batch)
                report(number)
                if any(isinstance(record, Bad) and record.rest for record in batch):
                    state = "cut"
        except ReadError as error:
            self._take(path, file_id, turn, [Bad("the file", error.problem_only, remedy=error.remedy, rest=True)])
            state = "reading"  # the disk may recover
        if _changed(path, before):
            bad = Bad("the file", "it changed while it was read", remedy="Index it again.", rest=True)
            self._take(path, file_id, turn, [bad])
            state = "reading"
        self._end(file_id, turn, state)

    def vanished(self, folder: Path, files: list[Path]) -> None:
        """Remove the records of files that are no longer in a folder."""
        there = {str(file) for file in files}
        for file_id, name in self._database.read("SELECT file_id, path FROM files"):
            path = Path(name)
            if name in there or not path.is_relative_to(folder) or path.exists():
                continue
            self.counts.vanished += 1
            self._drop(file_id)

    def forget_file(self, path: str) -> None:
        """Remove the records of a file, and the file itself."""
        for (file_id,) in self._database.read("SELECT file_id FROM files WHERE path = ?", (path,)):
            self._drop(file_id)

    def forget_document(self, id_: str) -> None:
        """Remove a document, whichever files have it; these count as read."""
        with self._database.transaction() as sql:
            rows = sql.execute(f"SELECT row_id, state FROM documents WHERE id = ? AND state != {RETIRED}", (id_,))
            for row_id, state in rows.fetchall():
                self._leave_index(sql, row_id, state, RETIRED)
        self._apply()

    def _drop(self, file_id: int) -> None:
        with self._database.transaction() as sql:
            self._retire_others(sql, file_id, turn=-1)
            sql.execute("DELETE FROM problems WHERE file_id = ?", (file_id,))
            sql.execute("DELETE FROM files WHERE file_id = ?", (file_id,))
        self._apply()

    def commit(self) -> None:
        """Make all changes visible to readers."""
        self._corpus.settle()
        self._uncommitted = 0

    def _begin(self, path: Path, sha256: str, turn: int) -> int:
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO files (path, sha256, state, pass) VALUES (?, ?, 'reading', ?) ON CONFLICT (path) DO "
                "UPDATE SET sha256 = excluded.sha256, state = 'reading', pass = excluded.pass",
                (str(path), sha256, turn),
            )
            ((file_id,),) = sql.execute("SELECT file_id FROM files WHERE path = ?", (str(path),)).fetchall()
            sql.execute("DELETE FROM problems WHERE file_id = ?", (file_id,))
        return int(file_id)

    def _end(self, file_id: int, turn: int, state: str) -> None:
        with self._database.transaction() as sql:
            if state == "done":
                self._retire_others(sql, file_id, turn)
            sql.execute("UPDATE files SET state = ? WHERE file_id = ?", (state, file_id))
        self._apply()

    def _take(self, path: Path, file_id: int, turn: int, batch: list[Record]) -> None:
        """Write some records in one transaction."""
        with self._database.transaction() as sql:
            for record in batch:
                if isinstance(record, Bad):
                    self._note(sql, path, file_id, record)
                    # The id in a file precedes the hash of the content, which is unknown here.
                    sql.execute(
                        "UPDATE documents SET pass = ? WHERE (id = ? OR (id BETWEEN ? AND ? AND length(id) = ?)) "
                        f"AND file_id = ? AND state != {RETIRED}",
                        (turn, record.id, f"{record.id}-", f"{record.id}.", len(record.id) + 1 + OWN_HASH, file_id),
                    )
                else:
                    self._put(sql, path, file_id, turn, record)
        self._apply()

    def _note(self, sql: Connection, path: Path, file_id: int, bad: Bad) -> None:
        row = (bad.record, bad.field, bad.reason, bad.remedy)
        sql.execute("INSERT INTO problems (file_id, record, field, reason, remedy) VALUES (?, ?, ?, ?, ?)",
                    (file_id, *row))  # fmt: skip
        self.counts.bad += 1
        if self.counts.bad <= MAX_PROBLEMS:
            problem = BadRecord(file=str(path), record=row[0], field=row[1], reason=row[2], remedy=row[3])
            self.counts.problems.append(problem)

    def _put(self, sql: Connection, path: Path, file_id: int, turn: int, record: Read | Withdrawn) -> None:
        """Write a document or its withdrawal, if it is new."""
        document = record.document if isinstance(record, Read) else None
        id_ = document.id if document else record.id  # type: ignore[union-attr]
        sha256 = document.sha256 if document else ""
        revised = record.revised if isinstance(record, Read) else "9999"  # nothing is newer than its withdrawal
        rows = sql.execute(
            f"SELECT row_id, file_id, sha256, revised, state, pass FROM documents WHERE id = ? AND state != {RETIRED}",
            (id_,),
        ).fetchall()
        mine = next((row for row in rows if row[1] == file_id), None)
        if mine and mine[2] == sha256 and mine[3] == revised:
            sql.execute("UPDATE documents SET pass = ? WHERE row_id = ?", (turn, mine[0]))
            self.counts.kept += 1
            return
        if mine and mine[5] == turn:  # already met in this pass
            bad = Bad(id_, "the file has it more than once, with different content; the newest counts",
                      remedy="Leave only one of them in the file.", id=id_)  # fmt: skip
            self._note(sql, path, file_id, bad)
            if mine[3] > revised:
                return
            if document and sql.execute("SELECT retracted FROM documents WHERE row_id = ?", (mine[0],)).fetchone()[0]:
                document = document.model_copy(update={"retracted": True})  # one record that says so is enough
        if mine:
            self._leave_index(sql, mine[0], mine[4], RETIRED)
        state = WITHDRAWN if document is None else BEHIND if rows else LIVE
        self.counts.replaced += bool(mine)
        self.counts.added += not mine
        names = (document.pmid or None, document.pmcid or None, document.doi.lower() or None) if document else ()
        cursor = sql.execute(
            "INSERT INTO documents (id, file_id, sha256, revised, state, pass, retracted, pmid, pmcid, doi, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (id_, file_id, sha256, revised, state, turn,
             bool(document and document.retracted), *(names or (None, None, None)),
             document.model_dump_json(exclude_defaults=True) if document else ""),
        )  # fmt: skip
        row_id = int(cursor.lastrowid or 0)
        if state == LIVE:
            self._enter_index(sql, row_id, document)
        else:
            self._settle(sql, id_, {row_id: document} if document else {})

    def _settle(self, sql: Connection, id_: str, known: dict[int, Document]) -> None:
        """Make the newest content of a document live."""
        rows = sql.execute(
            "SELECT row_id, state, revised, sha256, body = '' FROM documents WHERE id = ? "
            f"AND state != {RETIRED} ORDER BY revised DESC, row_id DESC",
            (id_,),
        ).fetchall()
        live = next((row for row in rows if row[1] == LIVE), None)
        newest = rows[0] if rows and not rows[0][4] else None
        if live and newest and newest[3] == live[3]:
            return  # the same content from another file
        if live:
            self._leave_index(sql, live[0], LIVE, BEHIND)
        if newest:
            sql.execute(f"UPDATE documents SET state = {LIVE} WHERE row_id = ?", (newest[0],))
            self._enter_index(sql, newest[0], known.get(newest[0]))

    def _enter_index(self, sql: Connection, row_id: int, document: Document | None) -> None:
        """Schedule a row for the lexical index, with its document if available."""
        sql.execute("INSERT OR IGNORE INTO pending VALUES (?)", (row_id,))
        self._enter[row_id] = document

    def _leave_index(self, sql: Connection, row_id: int, state: int, becomes: int) -> None:
        """Make a row no longer live."""
        sql.execute("UPDATE documents SET state = ? WHERE row_id = ?", (becomes, row_id))
        if state == LIVE:
            sql.execute("INSERT OR IGNORE INTO pending VALUES (?)", (row_id,))
            self._enter.pop(row_id, None)
            self._leave.append(row_id)

    def _retire_others(self, sql: Connection, file_id: int, turn: int) -> None:
        """Remove rows that were not met in this pass, which the file no longer has."""
        rows = sql.execute(
            f"SELECT row_id, id, state FROM documents WHERE file_id = ? AND pass != ? AND state != {RETIRED}",
            (file_id, turn),
        ).fetchall()
        for row_id, id_, state in rows:
            self._leave_index(sql, row_id, state, RETIRED)
            self._settle(sql, id_, {})
        self.counts.removed += len(rows)

    def _apply(self) -> None:
        """Apply the last transaction to the lexical index, and commit it from time to time."""
        words = self._corpus.words
        for row_id in self._leave:
            words.remove(row_id)
        for row_id, document in self._enter.items():
            if document is None:
                ((body,),) = self._database.read("SELECT body FROM documents WHERE row_id = ?", (row_id,))
                document = Document.model_validate_json(body)
            words.add(row_id, document)
        self._uncommitted += len(self._leave) + len(self._enter)
        self._leave, self._enter = [], {}
        if self._uncommitted >= COMMIT_EVERY:
            self.commit()


def embed_missing(corpus: Corpus, embed: Embed, model: str, progress: Callable[[Progress], None] | None = None) -> int:
    """Embed the documents without vectors, whichever file they came from, and return their number.

    Args:
        corpus: opened for writing.
        embed: texts to unit vectors (N, D), float32.
        model: the embedder's name; documents embedded by another one are embedded again.
        progress: called after each `EMBED_BATCH` documents; what was embedded before a kill is kept.

    Raises:
        StoreError: if the corpus is not open for writing, the disk is full, or the embedder returns the wrong shape.
    """
    _need_writer(corpus)
    corpus.vectors.use(model)
    where = f"FROM documents INDEXED BY documents_unembedded WHERE state = {LIVE} AND embedded = 0"
    ((total,),) = corpus.database.read(f"SELECT count(*) {where}")
    done = 0
    while rows := corpus.database.read(f"SELECT row_id, body {where} ORDER BY row_id LIMIT {EMBED_BATCH}"):
        texts = [parts(Document.model_validate_json(body)) for _, body in rows]
        vectors = np.asarray(embed([text for some in texts for text in some]), np.float32)
        corpus.vectors.put([row_id for row_id, _ in rows], [len(some) for some in texts], vectors)
        done += len(rows)
        if progress:
            progress(Progress("embedding", None, done, total, done))
    return done


def _need_writer(corpus: Corpus) -> None:
    if not corpus.writer:
        raise StoreError(
            f"cannot write the literature in {str(corpus.folder)!r}: it is open for searching only.",
            remedy="Open it with open_corpus(folder, writer=True).",
        )


def _reporter(
    progress: Callable[[Progress], None] | None, file: Path, number: int, files: int
) -> Callable[[int], None]:
    def report(documents: int) -> None:
        if progress:
            progress(Progress("reading", file, number, files, documents))

    report(0)
    return report


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield records in batches; what was read before an error is yielded before the error is raised."""
    batch: list[Record] = []
    characters = 0
    try:
        for record in records:
            batch.append(record)
            characters += len(record.document.text) if isinstance(record, Read) else 0
            if len(batch) >= BATCH or characters >= BATCH_CHARACTERS:
                yield batch
                batch, characters = [], 0
    except ReadError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _changed(path: Path, before: object) -> bool:
    try:
        now = path.stat()
    except OSError:
        return True
    return any(getattr(now, name) != getattr(before, name) for name in ("st_size", "st_mtime_ns", "st_ino"))
